"""A step taken by mistake is taken back, with trace, for ten minutes."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from accounts.roles import Actor, Role
from accounts.tests.factories import PatientFactory, patient_user
from appointments import holds, services
from appointments.blocking import Block, block_time, blocking
from appointments.changes import Answer, Change, Hit, HitsFound, Reach
from appointments.exceptions import (
    DayOver,
    MoveNotAllowed,
    NothingToUndo,
    PatientBusy,
    SlotClosed,
    SlotTaken,
    TimeGivenAway,
    TooNearElsewhere,
    UndoTheChange,
)
from appointments.integrity import breaches, busy
from appointments.models import Appointment, Hold, OccupancyCell
from appointments.steps import undo_step, undoable
from appointments.tests.factories import NOW, SYSTEM, at, book, desk
from appointments.tests.practice import doctor_of, new_practice, second_place
from appointments.transitions import Status
from clinic.models import Closure, Organization
from clinic.tests.factories import RoomFactory
from scheduling.tests.factories import open_week

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
ROLES = [Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR, Role.SYSTEM]
#: Half an hour before the visit of these tests.
MORNING = at(9, 30)

CONFIRM, ARRIVE, FULFIL, NO_SHOW = (
    services.confirm,
    services.mark_arrived,
    services.mark_fulfilled,
    services.mark_no_show,
)


def cancel(**kwargs: Any) -> Appointment:
    return services.cancel(reason="Congreso", **kwargs)


def requested() -> Appointment:
    """Something that a patient asked for and nobody has answered."""
    user = patient_user()
    visit = book(
        offering=new_practice(confirmation="manual"),
        patient=user.patient_accesses.get().patient,
        by=Actor.patient(user),
    )
    assert visit.status == Status.PENDING
    return visit


def booked() -> Appointment:
    return book(offering=new_practice())


def problems() -> list[str]:
    counts: Counter[str] = Counter()
    return [str(one) for one in (*breaches(counts), *busy(counts))]


def later(visit: Appointment, *steps: Any, by: Role = Role.ADMINISTRATOR) -> dt.datetime:
    """Takes these steps, a minute each, after the visit's start; the time of the last one."""
    now = visit.start
    for step in steps:
        now += MINUTE
        step(appointment=visit, by=Actor(None, by), now=now)
    return now


def fresh(visit: Appointment) -> Appointment:
    return Appointment.objects.get(pk=visit.pk)


@pytest.mark.parametrize(
    ("make", "steps", "back_to", "verb"),
    [
        (booked, [ARRIVE], "booked", "undo"),
        (booked, [ARRIVE, FULFIL], "arrived", "undo_to_arrived"),
        (booked, [FULFIL], "booked", "undo"),
        (booked, [NO_SHOW], "booked", "undo"),
        (booked, [cancel], "booked", "undo"),
        (booked, [ARRIVE, cancel], "arrived", "undo_to_arrived"),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_the_last_step_is_undone_by_whoever_may_take_it(make, steps, back_to, verb, role):
    visit = make()
    cells = set(OccupancyCell.objects.values_list("resource", "resource_id", "cell"))
    now = later(visit, *steps)
    was = fresh(visit)
    may = role in {Role.PRACTITIONER, Role.ADMINISTRATOR} or (
        role == Role.RECEPTION and steps[-1] is not FULFIL
    )
    assert undoable([was], role, now + MINUTE) == ({visit.pk} if may else set())
    if not may:
        with pytest.raises(NothingToUndo):
            undo_step(appointment=visit, by=Actor(None, role), now=now + MINUTE)
        assert fresh(visit).status == was.status
        return
    undo_step(appointment=visit, by=Actor(None, role), now=now + MINUTE)
    assert fresh(visit).status == back_to
    assert fresh(visit).cancellation_reason == ""
    assert visit.events.last().verb == verb
    assert visit.events.last().role == role
    assert visit.events.count() == 2 + len(steps)
    assert set(OccupancyCell.objects.values_list("resource", "resource_id", "cell")) == cells
    assert problems() == []


@pytest.mark.parametrize("step", [CONFIRM, cancel])
def test_a_request_is_one_again_with_its_deadline(step):
    visit = requested()
    expires = visit.expires_at
    step(appointment=visit, by=desk(), now=NOW)
    assert fresh(visit).expires_at is None
    undo_step(appointment=visit, by=desk(), now=NOW + MINUTE)
    assert fresh(visit).status == Status.PENDING
    assert fresh(visit).expires_at == expires
    assert problems() == []


def test_not_when_the_request_would_have_expired_meanwhile():
    visit = requested()
    assert visit.expires_at is not None
    almost = visit.expires_at - MINUTE
    services.confirm(appointment=visit, by=desk(), now=almost)
    with pytest.raises(NothingToUndo):
        undo_step(appointment=visit, by=desk(), now=almost + 2 * MINUTE)


@pytest.mark.parametrize(("minutes", "goes"), [(9, True), (10, False), (60 * 24, False)])
def test_only_for_ten_minutes(minutes, goes):
    visit = booked()
    now = later(visit, ARRIVE) + minutes * MINUTE
    assert undoable([fresh(visit)], Role.RECEPTION, now) == ({visit.pk} if goes else set())
    if goes:
        assert undo_step(appointment=visit, by=desk(), now=now).status == Status.BOOKED
    else:
        with pytest.raises(NothingToUndo):
            undo_step(appointment=visit, by=desk(), now=now)


def test_twice_undoes_once():
    visit = booked()
    now = later(visit, ARRIVE)
    undo_step(appointment=visit, by=desk(), now=now)
    with pytest.raises(NothingToUndo):
        undo_step(appointment=visit, by=desk(), now=now)
    assert fresh(visit).status == Status.BOOKED


def test_what_was_only_booked_has_no_step():
    visit = booked()
    assert undoable([visit], Role.ADMINISTRATOR, NOW) == set()
    with pytest.raises(NothingToUndo):
        undo_step(appointment=visit, by=desk(), now=NOW)


def test_what_the_patient_cancelled_is_theirs():
    user = patient_user()
    patient = user.patient_accesses.get().patient
    visit = book(offering=new_practice(), patient=patient, start=at(10, days=3))
    services.cancel(appointment=visit, by=Actor.patient(user), now=NOW)
    with pytest.raises(NothingToUndo):
        undo_step(appointment=visit, by=desk(), now=NOW)


def test_what_expired_is_nobodys_mistake():
    visit = requested()
    services.expire(appointment=visit, by=SYSTEM, now=visit.expires_at)
    with pytest.raises(NothingToUndo):
        undo_step(appointment=visit, by=desk(), now=visit.expires_at)


def test_a_time_that_was_given_to_another_stays_theirs():
    offering = new_practice()
    visit = book(offering=offering)
    cancel(appointment=visit, by=desk(), now=NOW)
    book(offering=offering)
    with pytest.raises(SlotTaken):
        undo_step(appointment=visit, by=desk(), now=NOW)
    assert fresh(visit).status == Status.CANCELLED
    assert problems() == []


def test_a_time_that_was_closed_meanwhile_stays_closed():
    """Whoever blocked the morning was asked about nobody: the visit was cancelled already."""
    visit = cancel(appointment=booked(), by=desk(), now=NOW)
    morning = Block(starts_at=at(9), ends_at=at(12))
    block_time(practitioner=visit.practitioner, blocks=[morning], by=desk(), now=NOW)
    with pytest.raises(SlotClosed):
        undo_step(appointment=visit, by=desk(), now=NOW + MINUTE)
    visit.refresh_from_db()
    assert visit.status == Status.CANCELLED
    assert problems() == []


@pytest.mark.parametrize(
    ("hour", "minute", "goes"), [(10, 30, False), (10, 45, False), (11, 0, True), (9, 0, True)]
)
def test_not_without_the_time_to_travel(hour, minute, goes):
    """Half an hour between two places; the visit ends at half past ten."""
    offering = new_practice()
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    visit = book(offering=offering)
    cancel(appointment=visit, by=desk(), now=NOW)
    book(offering=elsewhere, start=at(hour, minute))
    if goes:
        assert undo_step(appointment=visit, by=desk(), now=NOW).status == Status.BOOKED
        return
    with pytest.raises(TooNearElsewhere):
        undo_step(appointment=visit, by=desk(), now=NOW)
    assert fresh(visit).status == Status.CANCELLED
    assert problems() == []


def test_what_stood_beside_it_before_stays_beside_it():
    offering = new_practice()
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    visit = book(offering=offering)
    book(offering=elsewhere, start=at(11))
    Organization.objects.update(travel_minutes=60)
    cancel(appointment=visit, by=desk(), now=NOW)
    assert undo_step(appointment=visit, by=desk(), now=NOW).status == Status.BOOKED


def test_an_overbooking_is_not_brought_back_into_two_places():
    """It takes no cells of the practitioner's: only this look keeps them apart."""
    offering = new_practice()
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    below = book(offering=offering)
    over = services.overbook(
        offering=offering,
        patient=PatientFactory.create(),
        start=at(10),
        why="Urgencia",
        by=doctor_of(offering),
        now=NOW,
    )
    for visit in (over, below):
        cancel(appointment=visit, by=desk(), now=NOW)
    book(offering=elsewhere, start=at(10))
    with pytest.raises(TooNearElsewhere):
        undo_step(appointment=over, by=desk(), now=NOW)


def test_what_stood_here_weighs_more_than_what_is_being_booked():
    offering, user = new_practice(), patient_user()
    visit = book(offering=offering)
    cancel(appointment=visit, by=desk(), now=NOW)
    holds.take(offering=offering, start=at(10), user=user, now=NOW)
    assert undo_step(appointment=visit, by=desk(), now=NOW + MINUTE).status == Status.BOOKED
    assert problems() == []


def test_what_a_change_of_hours_cancelled_is_undone_with_the_change():
    offering = new_practice()
    visit = book(offering=offering)
    block, by = Block(starts_at=at(9), ends_at=at(12), reason="Congreso"), doctor_of(offering)
    change = blocking(practitioner=offering.practitioner, blocks=[block], by=by)
    with pytest.raises(HitsFound):
        change.make(now=NOW)
    answer = Answer(seen=frozenset({visit.pk}), for_all=Hit.CANCEL, note="Congreso", places={})
    block_time(practitioner=offering.practitioner, blocks=[block], by=by, answer=answer, now=NOW)
    assert fresh(visit).status == Status.CANCELLED
    assert undoable([fresh(visit)], Role.PRACTITIONER, NOW) == set()
    with pytest.raises(UndoTheChange):
        undo_step(appointment=visit, by=by, now=NOW)


def test_what_a_holiday_cancelled_is_undone_with_the_holiday():
    visit = book(offering=new_practice())
    day = visit.local_date
    reach = Reach(
        practitioner=None,
        locked=[visit.practitioner_id],
        appointments=lambda rows: rows,
        rules=lambda: [Closure.objects.all()],
        about="Feriado",
    )
    change = Change(
        reach, lambda: Closure.objects.create(name="Feriado", first_day=day, last_day=day), desk()
    )
    answer = Answer(seen=frozenset({visit.pk}), for_all=Hit.CANCEL, note="Feriado")
    change.make(answer=answer, now=NOW)
    assert fresh(visit).status == Status.CANCELLED
    assert undoable([fresh(visit)], Role.RECEPTION, NOW) == set()
    with pytest.raises(UndoTheChange):
        undo_step(appointment=visit, by=desk(), now=NOW)


def test_a_day_is_asked_about_in_two_queries(django_assert_num_queries):
    visits = [booked() for _n in range(5)]
    for visit in visits:
        cancel(appointment=visit, by=desk(), now=NOW)
    rows = [fresh(visit) for visit in visits]
    with django_assert_num_queries(2):
        assert undoable(rows, Role.RECEPTION, NOW) == {visit.pk for visit in visits}


# --- noted as absent, and here after all


def absent(**fields: Any) -> Appointment:
    """Booked for ten; at ten past, somebody notes that nobody came."""
    visit = book(offering=new_practice(), **fields)
    return services.mark_no_show(appointment=visit, by=desk(), now=at(10, 10))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("moment", [at(10, 11), at(10, 30), at(23, 59)])
def test_who_came_late_is_here_after_all(role, moment):
    visit = book(offering=new_practice())
    cells = set(OccupancyCell.objects.values_list("resource", "resource_id", "cell"))
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 10))
    assert not OccupancyCell.objects.exists()
    if role in {Role.PATIENT, Role.SYSTEM}:
        with pytest.raises(MoveNotAllowed):
            services.mark_arrived(appointment=visit, by=Actor(None, role), now=moment)
        assert fresh(visit).status == Status.NOSHOW
        return
    services.mark_arrived(appointment=visit, by=Actor(None, role), now=moment)
    assert fresh(visit).status == Status.ARRIVED
    event = visit.events.last()
    assert (event.verb, event.role, event.at) == ("arrive", role, moment)
    assert (event.before, event.after) == ({"status": "noshow"}, {"status": "arrived"})
    assert set(OccupancyCell.objects.values_list("resource", "resource_id", "cell")) == cells
    assert problems() == []


def test_on_the_next_day_nobody_came():
    visit = absent()
    with pytest.raises(DayOver):
        services.mark_arrived(appointment=visit, by=desk(), now=at(0, days=2))
    assert fresh(visit).status == Status.NOSHOW


def test_who_came_late_finds_the_time_given_to_another():
    offering = new_practice()
    visit = book(offering=offering)
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 5))
    book(offering=offering, start=at(10, 15), now=at(10, 10))
    with pytest.raises(TimeGivenAway):
        services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    assert fresh(visit).status == Status.NOSHOW
    assert visit.events.count() == 2
    assert problems() == []


def test_who_came_late_goes_before_whoever_is_booking():
    offering = new_practice(min_notice_minutes=0, schedule__slot_step=15)
    visit = book(offering=offering)
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 1))
    holds.take(offering=offering, start=at(10, 15), user=patient_user(), now=at(10, 5))
    services.mark_arrived(appointment=visit, by=desk(), now=at(10, 10))
    assert not Hold.objects.exists()
    assert problems() == []


def test_who_came_late_cannot_be_in_two_places():
    visit = absent()
    other = book(offering=new_practice(), patient=visit.patient, start=at(10, 15), now=at(10, 12))
    with pytest.raises(PatientBusy) as refusal:
        services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    assert refusal.value.appointment == other
    assert problems() == []


def test_who_came_late_finds_the_practitioner_on_the_way_elsewhere():
    offering = new_practice()
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    visit = book(offering=offering)
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 5))
    book(offering=elsewhere, start=at(10, 45), now=at(10, 10))
    with pytest.raises(TooNearElsewhere):
        services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    assert fresh(visit).status == Status.NOSHOW
    assert problems() == []


def test_who_came_late_counts_for_what_is_brought_back_elsewhere():
    """Cancelled elsewhere while this time was free: undoing it has to see who came late."""
    offering = new_practice()
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    visit = book(offering=offering)
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 5))
    there = book(offering=elsewhere, start=at(10, 45), now=at(10, 6))
    cancel(appointment=there, by=desk(), now=at(10, 15))
    services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    with pytest.raises(TooNearElsewhere):
        undo_step(appointment=there, by=desk(), now=at(10, 22))
    assert problems() == []


def test_the_room_is_taken_again_or_has_gone():
    offering = new_practice()
    room = RoomFactory.create(location=offering.location)
    visit = book(offering=offering, room=room)
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 5))
    beside = new_practice(schedule__location=offering.location)
    other = book(offering=beside, start=at(10, 15), room=room, now=at(10, 6))
    with pytest.raises(TimeGivenAway):
        services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    cancel(appointment=other, by=desk(), now=at(10, 21))
    assert services.mark_arrived(appointment=visit, by=desk(), now=at(10, 22)).room == room
    assert problems() == []


@pytest.mark.parametrize("role", ROLES)
def test_came_late_by_mistake_is_absent_again(role):
    visit = absent()
    services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    may = role in {Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR}
    assert undoable([fresh(visit)], role, at(10, 21)) == ({visit.pk} if may else set())
    if not may:
        with pytest.raises(NothingToUndo):
            undo_step(appointment=visit, by=Actor(None, role), now=at(10, 21))
        return
    undo_step(appointment=visit, by=Actor(None, role), now=at(10, 21))
    assert fresh(visit).status == Status.NOSHOW
    assert not OccupancyCell.objects.exists()
    assert visit.events.last().verb == "undo_to_no_show"
    assert problems() == []


def test_who_came_late_is_seen():
    visit = absent()
    services.mark_arrived(appointment=visit, by=desk(), now=at(10, 20))
    FULFIL(appointment=visit, by=Actor(None, Role.PRACTITIONER), now=at(10, 40))
    undo_step(appointment=visit, by=Actor(None, Role.PRACTITIONER), now=at(10, 41))
    assert fresh(visit).status == Status.ARRIVED
    assert problems() == []
