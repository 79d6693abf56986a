"""Two verbs that meet, again and again: one of the allowed ends, no event and no message lost.

Ten rounds each on MariaDB; ``make race`` runs 500 (RACE_PAIRS).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from typing import Any

import pytest

from accounts.models import Patient
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import locks, services
from appointments.blocking import Block, block_time, change_week
from appointments.changes import HitsFound, Made
from appointments.exceptions import MoveNotAllowed, SlotClosed
from appointments.models import Appointment, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.race import (
    Deed,
    happened,
    hours,
    meet,
    problems,
    rounds,
    split,
    together,
    told,
)
from clinic.models import Confirmation, Organization
from notifications.models import Kind
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering
from scheduling.weeks import Hours

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race, pytest.mark.pair]


@pytest.fixture(autouse=True)
def _organization() -> None:
    """One reminder, and a horizon beyond the last of the rounds."""
    clinic = Organization.current()
    clinic.reminders = "24"
    clinic.horizon_days = 400
    clinic.save()


def somebody() -> Patient:
    """A patient whom mails reach."""
    return patient_user().patient_accesses.get().patient


def verbs(appointment: Appointment) -> list[str]:
    return list(appointment.events.values_list("verb", flat=True))


def request(offering: ServiceOffering, patient: Patient, start: dt.datetime) -> Appointment:
    asker = Actor.patient(patient.accesses.get().user)
    return book(offering=offering, patient=patient, start=start, by=asker, same_day_ok=True)


#: What may become of a change of the hours and a booking that it would hit.
EITHER = ((HitsFound, Appointment), (Made, SlotClosed))


def blocking_and_booking(
    offering: ServiceOffering, patient: Patient, start: dt.datetime
) -> tuple[Deed, Deed]:
    block = functools.partial(
        block_time,
        practitioner=offering.practitioner,
        blocks=[Block(starts_at=start, ends_at=start + dt.timedelta(hours=1))],
        by=desk(),
        now=NOW,
    )
    return block, functools.partial(book, offering=offering, patient=patient, start=start)


def changing_and_booking(
    offering: ServiceOffering, patient: Patient, start: dt.datetime
) -> tuple[Deed, Deed]:
    rest = [Hours(day, dt.time(16), dt.time(17)) for day in range(7)]
    change = functools.partial(
        change_week, schedule=offering.schedule, hours=rest, by=desk(), now=NOW
    )
    return change, functools.partial(book, offering=offering, patient=patient, start=start)


def test_book_and_block():
    """Either the booking is refused, or the block is told about the booking."""
    offering, patient = open_offering(), somebody()
    ends: Counter[Any] = Counter()
    for number, start in enumerate(hours()):
        blocked, booked = meet(number, *blocking_and_booking(offering, patient, start))
        ends[type(blocked), type(booked)] += 1
        if isinstance(booked, Appointment):
            assert told(booked) == {Kind.BOOKED: 1, Kind.REMINDER: 1}
    happened(ends, *EITHER)
    assert Appointment.objects.count() == ends[HitsFound, Appointment]
    assert offering.practitioner.time_off.count() == ends[Made, SlotClosed]
    assert problems() == []


def test_book_and_change_the_hours():
    patient = somebody()
    ends: Counter[Any] = Counter()
    for number, start in enumerate(hours()):
        offering = open_offering()
        assert start.time() < dt.time(16)
        changed, booked = meet(number, *changing_and_booking(offering, patient, start))
        ends[type(changed), type(booked)] += 1
        if isinstance(booked, Appointment):
            assert told(booked) == {Kind.BOOKED: 1, Kind.REMINDER: 1}
        kept = offering.schedule.hours.filter(start=dt.time(9)).count()
        assert kept == (7 if isinstance(booked, Appointment) else 0)
    happened(ends, *EITHER)
    assert problems() == []


@pytest.mark.mariadb
@pytest.mark.parametrize("pair", [blocking_and_booking, changing_and_booking])
def test_without_the_lock_both_would_get_it(pair, monkeypatch):
    """The red twin: these pairs do meet, and no key would tell them apart."""
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    patient = somebody()
    for number in range(60):
        offering = open_offering()
        start = at(9 + 2 * (number % 4), days=1 + number // 4)
        made, booked = meet(number, *pair(offering, patient, start))
        if isinstance(made, Made) and isinstance(booked, Appointment):
            return
    pytest.fail("60 times one of both gave way, with nothing to make it")


def test_cancel_and_confirm():
    """The yes may come first or too late; the cancelling always stands at the end."""
    offering = open_offering(confirmation=Confirmation.MANUAL)
    patient = somebody()
    ends: Counter[Any] = Counter()
    for number, start in enumerate(hours()):
        asked = request(offering, patient, start)
        yes = functools.partial(services.confirm, appointment=asked, by=desk(), now=NOW)
        no = functools.partial(services.cancel, appointment=asked, by=desk(), reason="x", now=NOW)
        confirmed, cancelled = meet(number, yes, no)
        ends[type(confirmed), type(cancelled)] += 1
        asked.refresh_from_db()
        assert asked.status == "cancelled"
        said_yes = isinstance(confirmed, Appointment)
        assert verbs(asked) == ["book", *(["confirm"] if said_yes else []), "cancel"]
        assert told(asked) == {Kind.CANCELLED: 1}
    happened(ends, (Appointment, Appointment), (MoveNotAllowed, Appointment))
    assert OccupancyCell.objects.count() == 0
    assert problems() == []


def test_cancel_and_cancel():
    """One of both did it; the other one reads that it is done."""
    offering, patient = open_offering(), somebody()
    ends: Counter[Any] = Counter()
    for number, start in enumerate(hours()):
        visit = book(offering=offering, patient=patient, start=start)
        deeds = [
            functools.partial(services.cancel, appointment=visit, by=desk(), reason=why, now=NOW)
            for why in ("x", "y")
        ]
        made, refused = split(meet(number, *deeds))
        assert (len(made), [type(r) for r in refused]) == (1, [MoveNotAllowed])
        ends[made[0].cancellation_reason] += 1
        visit.refresh_from_db()
        assert visit.cancellation_reason == made[0].cancellation_reason
        assert verbs(visit) == ["book", "cancel"]
        assert told(visit) == {Kind.CANCELLED: 1}
    happened(ends, "x", "y")
    assert problems() == []


def test_moves_that_cross():
    """Each goes to the practitioner whom the other one leaves, and to an hour that is free.

    Both arrive, nobody waits for ever. Who wants the other one's very time: ``TestCrossing``.
    """
    one, other = open_offering(), open_offering()
    other.service = one.service
    other.save()
    patients = [somebody(), somebody()]
    for start in hours():
        later = start + dt.timedelta(hours=1)
        visits: list[Any] = [
            book(offering=offering, patient=patient, start=start)
            for offering, patient in zip((one, other), patients, strict=True)
        ]
        deeds = [
            functools.partial(
                services.reschedule,
                appointment=visit,
                offering=offering,
                start=later,
                by=desk(),
                now=NOW,
            )
            for visit, offering in zip(visits, (other, one), strict=True)
        ]
        made, refused = split(together(deeds))
        assert (len(made), refused) == (2, [])
        assert {a.rescheduled_from_id for a in made} == {v.pk for v in visits}
        assert [told(a) for a in made] == [{Kind.MOVED: 1, Kind.REMINDER: 1}] * 2
        assert [told(v) for v in visits] == [{}, {}]
    assert Appointment.objects.occupying().count() == 2 * rounds()
    assert problems() == []


def test_the_clock_of_the_rounds():
    """Each round has an hour of its own within the opening hours, and the next one free."""
    starts = list(hours())
    assert len(starts) == len(set(starts)) == rounds()
    assert {s.hour for s in starts} <= {9, 11, 13, 15}
    assert starts[0] == at(9)
