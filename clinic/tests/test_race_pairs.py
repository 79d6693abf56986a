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
from appointments import services
from appointments.blocking import Block, block_time, change_week
from appointments.changes import HitsFound, Made
from appointments.exceptions import MoveNotAllowed, SlotClosed
from appointments.models import Appointment, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.race import hours, problems, rounds, split, together
from clinic.models import Confirmation, Organization
from notifications.models import Kind, Notification
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering
from scheduling.weeks import Hours

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


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


def told(appointment: Appointment) -> Counter[str]:
    """The messages about it to the patient that still stand or have gone."""
    rows = Notification.objects.filter(appointment=appointment).exclude(state="void")
    return Counter(rows.exclude(kind__startswith="practitioner").values_list("kind", flat=True))


def verbs(appointment: Appointment) -> list[str]:
    return list(appointment.events.values_list("verb", flat=True))


def request(offering: ServiceOffering, patient: Patient, start: dt.datetime) -> Appointment:
    asker = Actor.patient(patient.accesses.get().user)
    return book(offering=offering, patient=patient, start=start, by=asker, same_day_ok=True)


def test_book_and_block():
    """Either the booking is refused, or the block is told about the booking."""
    offering, patient = open_offering(), somebody()
    ends: Counter[str] = Counter()
    for start in hours():
        block = functools.partial(
            block_time,
            practitioner=offering.practitioner,
            blocks=[Block(starts_at=start, ends_at=start + dt.timedelta(hours=1))],
            by=desk(),
            now=NOW,
        )
        blocked, booked = together(
            [block, functools.partial(book, offering=offering, patient=patient, start=start)]
        )
        end = (type(blocked), type(booked))
        assert end in {(HitsFound, Appointment), (Made, SlotClosed)}
        ends[end[1].__name__] += 1
        if isinstance(booked, Appointment):
            assert told(booked) == {Kind.BOOKED: 1, Kind.REMINDER: 1}
    assert Appointment.objects.count() == ends["Appointment"]
    assert offering.practitioner.time_off.count() == ends["SlotClosed"]
    assert problems() == []


def test_book_and_change_the_hours():
    patient = somebody()
    for start in hours():
        offering = open_offering()
        assert start.time() < dt.time(16)
        rest = [Hours(day, dt.time(16), dt.time(17)) for day in range(7)]
        change = functools.partial(
            change_week, schedule=offering.schedule, hours=rest, by=desk(), now=NOW
        )
        changed, booked = together(
            [change, functools.partial(book, offering=offering, patient=patient, start=start)]
        )
        assert (type(changed), type(booked)) in {(HitsFound, Appointment), (Made, SlotClosed)}
        kept = offering.schedule.hours.filter(start=dt.time(9)).count()
        assert kept == (7 if isinstance(booked, Appointment) else 0)
    assert problems() == []


def test_cancel_and_confirm():
    """The yes may come first or too late; the cancelling always stands at the end."""
    offering = open_offering(confirmation=Confirmation.MANUAL)
    patient = somebody()
    for start in hours():
        asked = request(offering, patient, start)
        yes = functools.partial(services.confirm, appointment=asked, by=desk(), now=NOW)
        no = functools.partial(services.cancel, appointment=asked, by=desk(), reason="x", now=NOW)
        confirmed, cancelled = together([yes, no])
        assert type(cancelled) is Appointment
        assert type(confirmed) in {Appointment, MoveNotAllowed}
        asked.refresh_from_db()
        assert asked.status == "cancelled"
        said_yes = isinstance(confirmed, Appointment)
        assert verbs(asked) == ["book", *(["confirm"] if said_yes else []), "cancel"]
        assert told(asked) == {Kind.CANCELLED: 1}
    assert OccupancyCell.objects.count() == 0
    assert problems() == []


def test_cancel_and_cancel():
    """One of both did it; the other one reads that it is done."""
    offering, patient = open_offering(), somebody()
    for start in hours():
        visit = book(offering=offering, patient=patient, start=start)
        deeds = [
            functools.partial(services.cancel, appointment=visit, by=desk(), reason=why, now=NOW)
            for why in ("x", "y")
        ]
        made, refused = split(together(deeds))
        assert (len(made), [type(r) for r in refused]) == (1, [MoveNotAllowed])
        visit.refresh_from_db()
        assert visit.cancellation_reason == made[0].cancellation_reason
        assert verbs(visit) == ["book", "cancel"]
        assert told(visit) == {Kind.CANCELLED: 1}
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
