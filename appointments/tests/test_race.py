"""Promise 1 with real parallel connections: no double booking, whatever the database.

On MariaDB these are true races; on SQLite the writers queue, and the promise is the same.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
import uuid
from itertools import combinations
from typing import Any

import pytest
from django.db import OperationalError, connection

from accounts.roles import Actor
from accounts.tests.factories import PatientFactory
from appointments import availability, blocking, changes, locks, occupancy, services
from appointments.exceptions import PatientBusy, Refusal, RoomTaken, SlotClosed, SlotTaken
from appointments.models import Appointment, AppointmentEvent, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.race import overlaps_in_database, problems, split, together
from clinic.models import Confirmation, Organization
from clinic.tests.factories import RoomFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

NOBODY = {"practitioner": 0, "patient": 0, "room": 0}


def crowd() -> int:
    """Fifty on a real server; SQLite lets one write at a time, so twenty say as much."""
    return 50 if connection.vendor == "mysql" else 20


@pytest.fixture(autouse=True)
def _organization() -> None:
    Organization.current()


def attempts(offering: ServiceOffering, number: int) -> list[Any]:
    patients = PatientFactory.create_batch(number)
    return [functools.partial(book, offering=offering, patient=p) for p in patients]


def test_many_at_one_slot_make_one_appointment():
    number = crowd()
    made, refused = split(together(attempts(open_offering(), number)))
    assert len(made) == 1
    assert [type(r) for r in refused] == [SlotTaken] * (number - 1)
    assert Appointment.objects.count() == 1
    assert AppointmentEvent.objects.count() == 1
    assert problems() == []


def test_the_key_alone_holds_when_the_lock_is_gone(monkeypatch):
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    made, refused = split_or_deadlock(together(attempts(open_offering(), crowd())))
    assert made == Appointment.objects.count() == 1
    assert refused == crowd() - 1
    assert problems() == []


def split_or_deadlock(results: list[Any]) -> tuple[int, int]:
    """Without the lock some give up after several deadlocks: refused, and never double."""
    made = sum(isinstance(r, Appointment) for r in results)
    refused = sum(isinstance(r, Refusal | OperationalError) for r in results)
    assert made + refused == len(results)
    return made, refused


def test_the_lock_alone_holds_when_the_key_is_gone(monkeypatch):
    monkeypatch.setattr(occupancy, "claim", lambda appointment, keys: None)
    made, _refused = split(together(attempts(open_offering(), crowd())))
    assert len(made) == 1
    assert OccupancyCell.objects.count() == 0


@pytest.mark.mariadb
def test_without_lock_and_key_this_test_would_see_double_bookings(monkeypatch):
    """The red twin: the crowd above is able to double-book where nothing guards."""
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    monkeypatch.setattr(occupancy, "claim", lambda appointment, keys: None)
    made, _refused = split(together(attempts(open_offering(), 50)))
    assert len(made) > 1
    assert overlaps_in_database()["practitioner"] > 0


@pytest.mark.mariadb
def test_the_isolation_level_is_pinned():
    with connection.cursor() as cursor:
        # MariaDB and MySQL call it by different names.
        cursor.execute(
            "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')"
        )
        assert {level for _name, level in cursor.fetchall()} == {"READ-COMMITTED"}


def random_attempts(tries: int, *, rng: random.Random) -> list[Any]:
    """Overlapping wishes: lengths of 15 to 60 minutes with buffers on a five-minute grid."""
    first = open_offering(duration=30, start=dt.time(9), end=dt.time(13))
    schedules = [first.schedule, open_offering(start=dt.time(9), end=dt.time(13)).schedule]
    offerings = [
        ServiceOffering.objects.create(
            schedule=schedule,
            service=open_offering().service,
            duration=minutes,
            buffer_before=before,
            buffer_after=after,
        )
        for schedule in schedules
        for minutes, before, after in ((15, 0, 0), (30, 5, 0), (45, 0, 10), (60, 5, 5))
    ]
    patients = PatientFactory.create_batch(25)
    rooms = [None, *RoomFactory.create_batch(2)]
    return [
        functools.partial(
            book,
            offering=rng.choice(offerings),
            patient=rng.choice(patients),
            room=rng.choice(rooms),
            start=at(9, days=rng.choice([1, 2])) + dt.timedelta(minutes=5 * rng.randrange(48)),
        )
        for _n in range(tries)
    ]


def in_turn(deeds: list[Any]) -> list[Any]:
    """One person who tries again and again; a refusal does not stop them."""
    results = []
    for deed in deeds:
        try:
            results.append(deed())
        except Refusal as refusal:
            results.append(refusal)
    return results


def random_crowd() -> tuple[list[Any], int]:
    """2,000 attempts and the 20 people who make them; fewer where they can only queue."""
    people, tries = (20, 2000) if connection.vendor == "mysql" else (4, 200)
    return random_attempts(tries, rng=random.Random(20261123)), people


def made_by(people: int, deeds: list[Any]) -> list[Any]:
    return together([functools.partial(in_turn, deeds[n::people]) for n in range(people)])


def test_random_overlapping_attempts_never_overlap():
    deeds, people = random_crowd()
    results = made_by(people, deeds)
    errors = [r for r in results if not isinstance(r, list)]
    assert errors == []
    made, refused = split([answer for row in results for answer in row])
    assert len(made) + len(refused) == len(deeds)
    assert len(made) == Appointment.objects.count() > 10
    assert overlaps_in_database() == NOBODY
    wanted = {key for a in Appointment.objects.all() for key in occupancy.wanted(a)}
    held = set(OccupancyCell.objects.values_list("resource", "resource_id", "cell"))
    assert held == wanted
    assert problems() == []


@pytest.mark.mariadb
def test_random_attempts_overlap_where_nothing_guards(monkeypatch):
    """The red twin: the same attempts by as many people, until the first overlap."""
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    monkeypatch.setattr(occupancy, "claim", lambda appointment, keys: None)
    deeds, people = random_crowd()
    for first in range(0, len(deeds), 200):
        made_by(people, deeds[first : first + 200])
        if overlaps_in_database() != NOBODY:
            return
    pytest.fail("2,000 attempts where nothing guards, and no overlap")


def test_one_patient_at_two_practitioners_at_once_goes_to_one():
    patient = PatientFactory.create()
    offerings = [open_offering() for _n in range(8)]
    made, refused = split(
        together([functools.partial(book, offering=o, patient=patient) for o in offerings])
    )
    assert len(made) == 1
    assert {type(r) for r in refused} == {PatientBusy}
    assert problems() == []


def two_places(pairs: int) -> list[tuple[ServiceOffering, ServiceOffering]]:
    """Practitioners who work at two locations, half an hour from one another."""
    Organization.objects.update(travel_minutes=30)
    first = [open_offering() for _n in range(pairs)]
    return [
        (here, open_offering(schedule__practitioner=here.practitioner, service=here.service))
        for here in first
    ]


def visits_too_near() -> int:
    """Pairs at two locations with less than the time to travel between them."""
    travel = dt.timedelta(minutes=30)
    return sum(
        one.practitioner_id == other.practitioner_id
        and one.location_id != other.location_id
        and one.start < other.end + travel
        and other.start < one.end + travel
        for one, other in combinations(Appointment.objects.occupying(), 2)
    )


def at_both_places(pairs: int) -> list[Any]:
    """Of each practitioner at once: ten o'clock here and half past ten there. No overlap."""
    return [
        functools.partial(book, offering=offering, start=start)
        for here, there in two_places(pairs)
        for offering, start in ((here, at(10)), (there, at(10, 30)))
    ]


def test_two_locations_at_once_leave_the_time_to_travel():
    """No cell is wanted twice here: the lock on the practitioner alone decides."""
    pairs = 15 if connection.vendor == "mysql" else 4
    made, refused = split(together(at_both_places(pairs)))
    assert (len(made), len(refused)) == (pairs, pairs)
    assert {type(r) for r in refused} == {SlotTaken}
    assert visits_too_near() == 0
    assert problems() == []


def test_moving_and_booking_at_two_locations_at_once_leave_the_time_to_travel():
    pairs = 10 if connection.vendor == "mysql" else 3
    deeds = []
    for here, there in two_places(pairs):
        visit = book(offering=here, start=at(15))
        move = {"appointment": visit, "offering": here, "start": at(10), "by": desk(), "now": NOW}
        deeds.append(functools.partial(services.reschedule, **move))
        deeds.append(functools.partial(book, offering=there, start=at(10, 30)))
    made, refused = split(together(deeds))
    assert (len(made), len(refused)) == (pairs, pairs)
    assert visits_too_near() == 0
    assert problems() == []


@pytest.mark.mariadb
def test_without_the_lock_this_test_would_see_visits_too_near(monkeypatch):
    """The red twin: here the key is no help, so the lock must be what holds."""
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    together(at_both_places(15))
    assert visits_too_near() > 0


def test_one_room_is_given_once():
    room = RoomFactory.create()
    deeds = [functools.partial(book, offering=open_offering(), room=room) for _n in range(8)]
    made, refused = split(together(deeds))
    assert len(made) == 1
    assert [type(r) for r in refused] == [RoomTaken] * 7
    assert problems() == []


def test_the_same_form_sent_many_times_at_once_makes_one_appointment():
    wish = {
        "offering": open_offering(),
        "patient": PatientFactory.create(),
        "request_key": uuid.uuid4(),
    }
    made, refused = split(together([functools.partial(book, **wish)] * 10))
    assert refused == []
    assert {a.pk for a in made} == {Appointment.objects.get().pk}
    assert AppointmentEvent.objects.count() == 1
    assert problems() == []


def test_cancelling_and_confirming_at_once_ends_in_one_state():
    offering = open_offering(confirmation=Confirmation.MANUAL)
    appointment = book(offering=offering, by=Actor.patient(offering.practitioner.user))
    doctor = Actor.practitioner(offering.practitioner.user)
    results = together(
        [
            functools.partial(deed, appointment=appointment, now=NOW, **more)
            for deed, more in (
                (services.cancel, {"by": desk(), "reason": "x"}),
                (services.cancel, {"by": desk(), "reason": "y"}),
                (services.confirm, {"by": doctor}),
            )
        ]
    )
    split(results)
    # Confirming may come first or be refused; one of the two cancels always wins.
    appointment.refresh_from_db()
    assert appointment.status == "cancelled"
    assert appointment.events.filter(verb="cancel").count() == 1
    assert appointment.sequence == appointment.events.count() - 1
    assert OccupancyCell.objects.count() == 0
    assert problems() == []


def test_a_cancelled_time_goes_to_exactly_one_of_those_who_wait():
    offering = open_offering()
    held = book(offering=offering)
    results = together(
        [
            functools.partial(services.cancel, appointment=held, by=desk(), reason="x", now=NOW),
            *attempts(offering, 10),
        ]
    )
    made, _refused = split(results)
    live = Appointment.objects.occupying().count()
    # The cancelled one is among the results; at most one newcomer has its time.
    assert live == len(made) - 1 <= 1
    assert overlaps_in_database() == NOBODY
    assert problems() == []


def test_blocking_and_booking_at_once_leaves_nobody_in_the_dark():
    """Either the booking is refused, or the block is told about the booking."""
    offering = open_offering()
    block = blocking.Block(starts_at=at(9), ends_at=at(12), reason="Congreso")
    doctor = Actor.practitioner(offering.practitioner.user)
    results = together(
        [
            functools.partial(
                blocking.block_time,
                practitioner=offering.practitioner,
                blocks=[block],
                by=doctor,
                now=NOW,
            ),
            functools.partial(book, offering=offering),
        ]
    )
    blocked, booked = results
    if isinstance(booked, Appointment):
        assert isinstance(blocked, changes.HitsFound)
        assert offering.practitioner.time_off.count() == 0
    else:
        assert isinstance(booked, SlotClosed)
        assert offering.practitioner.time_off.count() == 1
    slots = availability.free_slots(
        list(ServiceOffering.objects.online().with_parts()), start=at(9), end=at(12), now=NOW
    )
    assert bool(slots) == isinstance(booked, Appointment)
    assert problems() == []
