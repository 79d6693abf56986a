"""Appointments for tests, made by the same verbs as everywhere."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from accounts.roles import Actor, Role
from accounts.tests.factories import PatientFactory, patient_user
from appointments import services
from appointments.models import Appointment
from clinic.tests.factories import BUENOS_AIRES
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

ZONE = ZoneInfo(BUENOS_AIRES)
#: A Monday at eight in the morning in Buenos Aires: tests stand here.
NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=ZONE)
SYSTEM = Actor.system()


def at(hour: int, minute: int = 0, *, days: int = 1) -> dt.datetime:
    """A wall-clock time some days after NOW's day."""
    day = NOW.date() + dt.timedelta(days=days)
    return dt.datetime.combine(day, dt.time(hour, minute), tzinfo=ZONE)


def desk() -> Actor:
    """Somebody of the staff, for whom the windows of patients do not count."""
    return Actor(None, Role.RECEPTION)


def book(
    *,
    offering: ServiceOffering | None = None,
    start: dt.datetime | None = None,
    by: Actor | None = None,
    now: dt.datetime = NOW,
    **kwargs: Any,
) -> Appointment:
    """An appointment of tomorrow at ten, unless the test says otherwise."""
    kwargs.setdefault("patient", None)
    patient = kwargs.pop("patient") or PatientFactory.create()
    return services.book(
        offering=offering or open_offering(),
        patient=patient,
        start=start or at(10),
        by=by or desk(),
        now=now,
        **kwargs,
    )


__all__ = ["NOW", "SYSTEM", "ZONE", "at", "book", "desk", "patient_user"]
