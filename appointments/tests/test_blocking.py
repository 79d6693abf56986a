"""Changes of time: what they hit, what becomes of it, and that nothing happens unseen."""

import datetime as dt

import pytest

from appointments import services
from appointments.blocking import Block, block_time, blocking, change_week
from appointments.changes import Answer, Change, Hit, HitsChanged, Reach
from appointments.exceptions import ReasonNeeded, SlotClosed
from appointments.models import Appointment
from appointments.tests.factories import NOW, SYSTEM, at, book
from appointments.tests.practice import doctor_of, new_practice, second_place
from clinic.models import AuditEvent
from scheduling.models import TimeOff
from scheduling.services import ScheduleRules, set_week
from scheduling.tests.factories import open_week
from scheduling.weeks import Hours

pytestmark = pytest.mark.django_db

TUESDAY = 1


def lunch(start, end, weekday=TUESDAY, **fields):
    return Block(weekday=weekday, start=start, end=end, **fields)


def hit(offering, *blocks, now=NOW):
    change = blocking(practitioner=offering.practitioner, blocks=blocks, by=doctor_of(offering))
    return [found.appointment for found in change.would_hit(now)]


def hit_by_week(schedule, hours, now):
    def write():
        set_week(schedule=schedule, hours=hours, by=SYSTEM)

    found = Change(Reach.of(schedule.practitioner), write, SYSTEM).would_hit(now)
    return [one.appointment for one in found]


def answered(seen, hit=Hit.KEEP, note=""):
    return Answer(seen=frozenset(a.pk for a in seen), for_all=hit, note=note)


def block(offering, *blocks, seen=(), **answer):
    made = block_time(
        practitioner=offering.practitioner,
        blocks=blocks,
        by=doctor_of(offering),
        answer=answered(seen, **answer),
        now=NOW,
    )
    return made.result, made.hits


def status(visit):
    return Appointment.objects.get(pk=visit.pk).status


@pytest.mark.parametrize(
    ("start", "end", "is_hit"),
    [
        (at(9), at(10), False),
        (at(9), at(10, 5), True),
        (at(10, 25), at(11), True),
        (at(10, 30), at(11), False),
        (at(0), at(0, days=2), True),
        (at(10, 5), at(10, 10), True),
    ],
)
def test_a_block_hits_what_it_overlaps(start, end, is_hit):
    offering = new_practice()
    visit = book(offering=offering)
    found = hit(offering, Block(starts_at=start, ends_at=end))
    assert found == ([visit] if is_hit else [])


@pytest.mark.parametrize(
    ("start", "end", "weekday", "is_hit"),
    [
        (dt.time(9), dt.time(10), TUESDAY, False),
        (dt.time(9), dt.time(10, 5), TUESDAY, True),
        (dt.time(10, 30), dt.time(11), TUESDAY, False),
        (dt.time(9), dt.time(11), 2, False),
        (dt.time(22), dt.time(10, 5), 0, True),
        (dt.time(9), dt.time(0), TUESDAY, True),
    ],
)
def test_a_weekly_block_hits_on_its_weekday(start, end, weekday, is_hit):
    offering = new_practice()
    visit = book(offering=offering)
    assert hit(offering, lunch(start, end, weekday)) == ([visit] if is_hit else [])


def test_a_weekly_block_is_read_on_the_clock_of_the_visit():
    offering = new_practice(schedule__location__time_zone="America/Bogota")
    ten_there = dt.datetime(2026, 11, 24, 15, tzinfo=dt.UTC)
    visit = book(offering=offering, start=ten_there)
    assert hit(offering, lunch(dt.time(10), dt.time(11))) == [visit]
    assert hit(offering, lunch(dt.time(15), dt.time(16))) == []


def test_a_block_of_one_location_spares_the_other():
    offering = new_practice()
    other = second_place(offering)
    visit = book(offering=offering)
    day = {"starts_at": at(0), "ends_at": at(0, days=2)}
    assert hit(offering, Block(location=other.location, **day)) == []
    assert hit(offering, Block(location=offering.location, **day)) == [visit]


def test_only_what_is_to_come_is_hit():
    offering = new_practice()
    gone = book(offering=offering, start=at(9))
    services.cancel(appointment=gone, by=doctor_of(offering), reason="Congreso", now=NOW)
    visit = book(offering=offering, start=at(10))
    book(offering=new_practice(), start=at(12))
    day = Block(starts_at=at(0), ends_at=at(0, days=2))
    assert hit(offering, day) == [visit]
    assert hit(offering, day, now=at(10, 30)) == []


def test_several_blocks_hit_soonest_first_and_once():
    offering = new_practice()
    late, early = book(offering=offering, start=at(13, days=2)), book(offering=offering)
    first = Block(starts_at=at(13, days=2), ends_at=at(14, days=2))
    second = Block(starts_at=at(9), ends_at=at(14, days=2))
    assert hit(offering, first, second) == [early, late]


def test_blocked_time_can_no_longer_be_booked():
    offering = new_practice()
    rows, hits = block(offering, Block(starts_at=at(9), ends_at=at(12), reason="Trámite"))
    assert ([row.reason for row in rows], hits) == (["Trámite"], [])
    with pytest.raises(SlotClosed):
        book(offering=offering, start=at(11))
    assert book(offering=offering, start=at(12)).status == "booked"


def test_kept_appointments_stay():
    offering = new_practice()
    visit = book(offering=offering)
    _rows, hits = block(offering, Block(starts_at=at(9), ends_at=at(12)), seen=[visit])
    assert (hits, status(visit)) == ([visit], "booked")


def test_cancelled_appointments_get_the_note():
    offering = new_practice()
    visit = book(offering=offering)
    block(
        offering,
        Block(starts_at=at(9), ends_at=at(12)),
        seen=[visit],
        hit=Hit.CANCEL,
        note="Congreso",
    )
    visit = Appointment.objects.get(pk=visit.pk)
    assert (visit.status, visit.cancellation_reason) == ("cancelled", "Congreso")
    assert [event.verb for event in visit.events.all()] == ["book", "cancel"]


@pytest.mark.parametrize("shown", ["too few", "too many"])
def test_nothing_is_done_on_an_old_list(shown):
    offering = new_practice()
    visit, other = book(offering=offering), book(offering=offering, start=at(15))
    seen = [] if shown == "too few" else [visit, other]
    with pytest.raises(HitsChanged) as refusal:
        block(
            offering,
            Block(starts_at=at(9), ends_at=at(12)),
            seen=seen,
            hit=Hit.CANCEL,
            note="Congreso",
        )
    assert refusal.value.facts["appointments"] == [visit]
    assert not TimeOff.objects.exists()
    assert not AuditEvent.objects.filter(action="time_off.add").exists()
    assert status(visit) == "booked"


def test_cancelling_without_a_note_undoes_the_block():
    offering = new_practice()
    visit = book(offering=offering)
    with pytest.raises(ReasonNeeded):
        block(offering, Block(starts_at=at(9), ends_at=at(12)), seen=[visit], hit=Hit.CANCEL)
    assert not TimeOff.objects.exists()
    assert status(visit) == "booked"


def test_all_blocks_or_none():
    offering = new_practice()
    book(offering=offering, start=at(13))
    with pytest.raises(HitsChanged):
        block(offering, *(lunch(dt.time(13), dt.time(14), day) for day in range(5)))
    assert not TimeOff.objects.exists()


# --- the week


def week(offering, *hours, seen=(), **answer):
    step = answer.pop("slot_step", None)
    made = change_week(
        schedule=offering.schedule,
        hours=hours,
        by=doctor_of(offering),
        answer=answered(seen, **answer),
        now=NOW,
        rules=ScheduleRules(step, None, None) if step else None,
    )
    return made.hits


def every_day(start, end):
    return [Hours(day, start, end) for day in range(7)]


@pytest.mark.parametrize(
    ("start", "end", "is_hit"),
    [
        (dt.time(10), dt.time(10, 30), False),
        (dt.time(10, 5), dt.time(17), True),
        (dt.time(9), dt.time(10, 25), True),
        (dt.time(9), dt.time(0), False),
    ],
)
def test_a_week_hits_what_it_no_longer_holds(start, end, is_hit):
    offering = new_practice()
    visit = book(offering=offering)
    found = hit_by_week(offering.schedule, every_day(start, end), NOW)
    assert found == ([visit] if is_hit else [])


def test_two_shifts_that_touch_hold_a_visit_across():
    offering = new_practice()
    book(offering=offering)
    split = [
        *every_day(dt.time(9), dt.time(10, 15)),
        *every_day(dt.time(10, 15), dt.time(17)),
    ]
    assert hit_by_week(offering.schedule, split, NOW) == []


def test_dates_of_the_hours_count():
    offering = new_practice()
    visit = book(offering=offering)
    until = [Hours(d, dt.time(9), dt.time(17), None, dt.date(2026, 11, 23)) for d in range(7)]
    since = [Hours(d, dt.time(9), dt.time(17), dt.date(2026, 11, 24)) for d in range(7)]
    assert hit_by_week(offering.schedule, until, NOW) == [visit]
    assert hit_by_week(offering.schedule, since, NOW) == []


def test_what_was_outside_already_is_not_hit():
    offering = new_practice()
    visit = book(offering=offering, start=at(16))
    week(offering, *every_day(dt.time(9), dt.time(12)), seen=[visit])
    assert hit_by_week(offering.schedule, every_day(dt.time(9), dt.time(11)), NOW) == []


def test_the_other_locations_visits_are_not_hit():
    offering = new_practice()
    other = second_place(offering)
    open_week(other.schedule, dt.time(18), dt.time(20))
    book(offering=other, start=at(18))
    assert hit_by_week(offering.schedule, [], NOW) == []


def test_the_week_and_its_step_are_replaced():
    offering = new_practice()
    assert week(offering, Hours(0, dt.time(8), dt.time(9)), slot_step=20) == []
    (line,) = offering.schedule.hours.all()
    assert (line.weekday, line.start, line.end) == (0, dt.time(8), dt.time(9))
    offering.schedule.refresh_from_db()
    assert offering.schedule.slot_step == 20


def test_without_a_step_the_step_stays():
    offering = new_practice()
    week(offering, Hours(0, dt.time(8), dt.time(9)))
    offering.schedule.refresh_from_db()
    assert offering.schedule.slot_step == 30


def test_a_week_on_an_old_list_changes_nothing():
    offering = new_practice()
    visit = book(offering=offering)
    with pytest.raises(HitsChanged):
        week(offering, hit=Hit.CANCEL, note="Congreso")
    assert offering.schedule.hours.count() == 7
    assert status(visit) == "booked"


def test_a_week_cancels_with_the_note():
    offering = new_practice()
    visit = book(offering=offering)
    assert week(offering, seen=[visit], hit=Hit.CANCEL, note="Me mudo") == [visit]
    assert Appointment.objects.get(pk=visit.pk).cancellation_reason == "Me mudo"
