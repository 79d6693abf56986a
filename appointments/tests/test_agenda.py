"""The day as rows: visits, gaps, blocks and now."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from accounts.tests.factories import PatientFactory
from appointments import agenda, giving, services
from appointments.agenda import Day
from appointments.tests.factories import NOW, ZONE, at, book
from appointments.tests.practice import doctor_of, new_practice, second_place
from appointments.transitions import Verb
from clinic.models import Closure
from clinic.tests.factories import ServiceFactory
from scheduling.models import DateOverride, ServiceOffering, TimeOff, WorkingHours
from scheduling.tests.factories import open_week

pytestmark = pytest.mark.django_db

TODAY = NOW.date()
TOMORROW = TODAY + dt.timedelta(days=1)


def day_of(offering: ServiceOffering, date: dt.date = TOMORROW, now: dt.datetime = NOW) -> Day:
    (day,) = agenda.days(offering.practitioner, date, date, now=now)
    return day


def clock(instant: dt.datetime) -> str:
    return f"{instant.astimezone(ZONE):%H:%M}"


def spans(day: Day) -> list[tuple[str, str, str]]:
    """Each row that has an end as (kind, from, to)."""
    return [
        (
            row.kind,
            clock(row.starts_at),
            clock(row.appointment.end if row.kind == "visit" else row.ends_at),
        )
        for row in day.rows
        if row.kind != "now"
    ]


def test_rows_stand_in_the_order_of_the_clock():
    offering = new_practice()
    TimeOff.objects.create(
        practitioner=offering.practitioner,
        weekday=TOMORROW.weekday(),
        start=dt.time(13),
        end=dt.time(14),
        reason="Almuerzo",
    )
    book(offering=offering, start=at(15))
    book(offering=offering, start=at(9))
    assert spans(day_of(offering)) == [
        ("visit", "09:00", "09:30"),
        ("gap", "09:30", "13:00"),
        ("shut", "13:00", "14:00"),
        ("gap", "14:00", "15:00"),
        ("visit", "15:00", "15:30"),
        ("gap", "15:30", "17:00"),
    ]


def test_a_place_shorter_than_the_shortest_service_is_no_gap():
    offering = new_practice()
    book(offering=offering, start=at(9, 25))
    assert spans(day_of(offering))[0] == ("visit", "09:25", "09:55")
    quick = ServiceFactory.create(default_duration=20)
    ServiceOffering.objects.create(schedule=offering.schedule, service=quick)
    assert spans(day_of(offering))[0] == ("gap", "09:00", "09:25")


def test_a_service_that_is_no_longer_given_makes_no_gap():
    offering = new_practice()
    quick = ServiceFactory.create(default_duration=20)
    ServiceOffering.objects.create(schedule=offering.schedule, service=quick, is_active=False)
    book(offering=offering, start=at(9, 25))
    assert spans(day_of(offering))[0] == ("visit", "09:25", "09:55")


def test_buffers_are_not_free():
    offering = new_practice(buffer_after=15)
    book(offering=offering, start=at(9))
    assert spans(day_of(offering))[1] == ("gap", "09:45", "17:00")


def test_a_cancelled_visit_stays_in_its_row_and_gives_its_time_back():
    offering = new_practice()
    visit = book(offering=offering, start=at(9))
    services.cancel(appointment=visit, by=doctor_of(offering), reason="Congreso", now=NOW)
    day = day_of(offering)
    assert spans(day) == [("visit", "09:00", "09:30"), ("gap", "09:00", "17:00")]
    assert day.total == 0


def test_gaps_of_today_begin_now_and_yesterday_has_none():
    offering = new_practice()
    now = NOW.replace(hour=11, minute=2)
    assert spans(day_of(offering, TODAY, now)) == [("gap", "11:05", "17:00")]
    assert spans(day_of(offering, TODAY - dt.timedelta(days=1), now)) == []


def test_the_row_of_now_stands_only_in_today():
    offering = new_practice()
    book(offering=offering, start=at(12, days=0))
    now = NOW.replace(hour=11)
    rows = day_of(offering, TODAY, now).rows
    assert [row.kind for row in rows] == ["gap", "now", "visit", "gap"]
    assert [row.kind for row in day_of(offering, TOMORROW, now).rows] == ["gap"]


def test_counts_leave_out_what_was_cancelled():
    offering = new_practice(confirmation="manual")
    gone = book(offering=offering, start=at(9))
    book(offering=offering, start=at(10))
    services.cancel(appointment=gone, by=doctor_of(offering), reason="Congreso", now=NOW)
    day = day_of(offering)
    assert (day.total, day.to_confirm, len(day.gaps)) == (1, 0, 2)


def test_the_first_visit_is_marked_once():
    offering = new_practice()
    patient = PatientFactory.create()
    book(offering=offering, patient=patient, start=at(9))
    book(offering=offering, patient=patient, start=at(9, days=2))
    book(offering=new_practice(), patient=patient, start=at(11))
    (first,) = day_of(offering).visits
    (second,) = day_of(offering, TOMORROW + dt.timedelta(days=1)).visits
    assert (first.is_first, second.is_first) == (True, False)


def test_a_visit_elsewhere_does_not_take_away_the_first():
    patient = PatientFactory.create()
    book(offering=new_practice(), patient=patient, start=at(9))
    offering = new_practice()
    book(offering=offering, patient=patient, start=at(11))
    assert day_of(offering).visits[0].is_first


def test_the_age_is_that_of_the_day():
    offering = new_practice()
    patient = PatientFactory.create(birth_date=dt.date(2020, 11, 24))
    book(offering=offering, patient=patient, start=at(9))
    assert day_of(offering).visits[0].age == 6


def test_who_waits_already_comes_before_who_is_expected():
    offering = new_practice()
    book(offering=offering, start=at(9, days=0))
    waiting = book(offering=offering, start=at(11, days=0))
    services.mark_arrived(appointment=waiting, by=doctor_of(offering), now=NOW)
    next_visit = day_of(offering, TODAY).next_visit
    assert next_visit
    assert next_visit.appointment == waiting


def test_next_is_the_first_that_is_not_over():
    offering = new_practice()
    book(offering=offering, start=at(9, days=0))
    coming = book(offering=offering, start=at(11, days=0))
    next_visit = day_of(offering, TODAY, NOW.replace(hour=9, minute=30)).next_visit
    assert next_visit
    assert next_visit.appointment == coming
    assert day_of(offering, TODAY, NOW.replace(hour=12)).next_visit is None


def test_another_day_has_no_next_patient():
    offering = new_practice()
    book(offering=offering)
    assert day_of(offering).next_visit is None


@pytest.mark.parametrize(
    ("status", "now", "main", "more"),
    [
        ("pending", NOW, Verb.CONFIRM, [Verb.CANCEL]),
        ("booked", NOW, None, [Verb.CANCEL]),
        ("booked", at(9), Verb.ARRIVE, [Verb.FULFIL, Verb.CANCEL]),
        ("booked", at(11), Verb.ARRIVE, [Verb.FULFIL, Verb.NO_SHOW, Verb.CANCEL]),
        ("booked", at(9, days=2), Verb.FULFIL, [Verb.NO_SHOW]),
        ("arrived", at(10), Verb.FULFIL, [Verb.CANCEL]),
        ("fulfilled", at(10), None, []),
        ("cancelled", at(10), None, []),
        ("noshow", at(11), None, [Verb.ARRIVE]),
    ],
)
def test_one_main_button_leads_to_the_next_state(status, now, main, more):
    visit = book(offering=new_practice())
    visit.status = status
    actions = agenda.actions_for(visit, now)
    row = agenda.Visit(visit, None, False, actions)
    assert (row.main and row.main.verb) == main
    assert [action.verb for action in row.more] == more


def test_a_holiday_takes_the_whole_day():
    offering = new_practice()
    Closure.objects.create(name="Feriado", first_day=TOMORROW, last_day=TOMORROW)
    day = day_of(offering)
    assert day.off
    assert (day.off.label, day.works, day.gaps) == ("Feriado", True, [])


def test_a_day_that_is_closed_has_no_lunch():
    offering = new_practice()
    other = second_place(offering)
    open_week(other.schedule)
    TimeOff.objects.create(
        practitioner=offering.practitioner,
        weekday=TOMORROW.weekday(),
        start=dt.time(13),
        end=dt.time(14),
    )
    closed = {"name": "Feriado", "first_day": TOMORROW, "last_day": TOMORROW}
    Closure.objects.create(**closed, location=offering.location)
    # At the other place it is a day like any other.
    assert len(day_of(offering).shut) == 2
    Closure.objects.create(**closed, location=other.location)
    assert {(row.label, row.whole_day) for row in day_of(offering).shut} == {("Feriado", True)}


def test_a_block_outside_the_hours_is_no_row():
    offering = new_practice()
    TimeOff.objects.create(
        practitioner=offering.practitioner,
        weekday=TOMORROW.weekday(),
        start=dt.time(18),
        end=dt.time(19),
    )
    assert day_of(offering).shut == []


def test_a_closed_day_is_not_worked():
    offering = new_practice()
    DateOverride.objects.create(schedule=offering.schedule, date=TOMORROW, kind="closed")
    assert not day_of(offering).works


def test_a_block_everywhere_is_one_row_without_a_place():
    offering = new_practice()
    other = second_place(offering)
    open_week(other.schedule)
    block = {"practitioner": offering.practitioner, "weekday": TOMORROW.weekday()}
    TimeOff.objects.create(**block, start=dt.time(13), end=dt.time(14))
    TimeOff.objects.create(**block, start=dt.time(15), end=dt.time(16), location=other.location)
    everywhere, there = day_of(offering).shut
    assert (everywhere.location, there.location) == (None, other.location)


def test_two_places_in_one_day_are_both_named():
    offering = new_practice()
    other = second_place(offering)
    book(offering=offering, start=at(9))
    assert day_of(offering).places == [offering.location]
    WorkingHours.objects.create(
        schedule=other.schedule, weekday=TOMORROW.weekday(), start=dt.time(18), end=dt.time(20)
    )
    assert day_of(offering).places == [offering.location, other.location]


def test_a_shift_over_midnight_is_cut_at_the_end_of_its_day():
    offering = new_practice(start=dt.time(20), end=dt.time(2))
    assert spans(day_of(offering)) == [("gap", "00:00", "02:00"), ("gap", "20:00", "00:00")]


def test_today_is_that_of_the_first_location():
    offering = new_practice(schedule__location__time_zone="Pacific/Auckland")
    assert agenda.home_zone(offering.practitioner) == ZoneInfo("Pacific/Auckland")
    late = dt.datetime(2026, 11, 23, 20, tzinfo=dt.UTC)
    tomorrow_there = day_of(offering, dt.date(2026, 11, 24), late)
    assert tomorrow_there.now is not None


def test_a_practitioner_without_a_schedule_has_empty_days():
    offering = new_practice()
    visit = book(offering=offering)
    offering.schedule.is_active = False
    offering.schedule.save()
    day = day_of(offering)
    assert [v.appointment for v in day.visits] == [visit]
    assert (day.works, day.gaps, day.shut) == (False, [], [])


def test_a_week_asks_as_often_as_a_day(django_assert_num_queries):
    offering = new_practice()
    for days in range(7):
        book(offering=offering, start=at(9, days=days))
    agenda.days(offering.practitioner, TODAY, TODAY, now=NOW)
    for last in (TODAY, TODAY + dt.timedelta(days=6)):
        # The edition, the visits, what can be undone; the rules are known.
        with django_assert_num_queries(3):
            agenda.days(offering.practitioner, TODAY, last, now=NOW)


def test_treats_means_seen_or_to_be_seen():
    offering = new_practice()
    visit = book(offering=offering)
    assert giving.treats(offering.practitioner, visit.patient)
    assert not giving.treats(new_practice().practitioner, visit.patient)
    services.cancel(appointment=visit, by=doctor_of(offering), reason="Congreso", now=NOW)
    assert not giving.treats(offering.practitioner, visit.patient)
