"""The one door through which appointments are written.

Row, cells, busy days, event, freed time and signal go together or not at all. Only
``appointments.services`` and ``appointments.imports`` call this.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.db import models, transaction

from accounts.roles import Actor
from appointments import busy_days, occupancy, waiting
from appointments.models import Appointment, AppointmentEvent
from appointments.signals import appointment_changed
from appointments.transitions import Status, Verb

#: What an event tells about: everything a change can touch.
TRACKED = (
    "status",
    "start",
    "end",
    "patient_id",
    "practitioner_id",
    "service_id",
    "location_id",
    "room_id",
    "cancellation_reason",
    "overbooked",
    "overbooking_reason",
    "rescheduled_from_id",
)

#: Of these, what a move changes.
PLACE = ("start", "practitioner_id", "service_id", "location_id")


def plain(value: Any) -> Any:
    """A value as JSON can hold it, the same on every database."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


@transaction.atomic
def insert(
    appointment: Appointment, *, by: Actor, now: dt.datetime, tell_at: dt.datetime | None = None
) -> AppointmentEvent:
    """Write a new appointment; IntegrityError when its time is held by another.

    ``tell_at``: not before then are people told; None: at once.
    """
    appointment.local_date = appointment.start.astimezone(appointment.zone).date()
    models.Model.save(appointment, force_insert=True)
    occupancy.sync(appointment, now=now, taker=by.user, fresh=True)
    busy_days.refresh(busy_days.keys_of(appointment))
    after = {name: plain(getattr(appointment, name)) for name in TRACKED}
    return _tell(
        appointment, Verb.BOOK, by, now, tell_at, before=_place_before(appointment), after=after
    )


def _place_before(appointment: Appointment) -> dict[str, Any]:
    """Where it was before it was moved here, or is until the move is confirmed."""
    old = appointment.rescheduled_from or appointment.replaces
    return {name: plain(getattr(old, name)) for name in PLACE} if old else {}


@transaction.atomic
def change(
    appointment: Appointment,
    *,
    verb: Verb,
    by: Actor,
    now: dt.datetime,
    tell_at: dt.datetime | None = None,
    away: bool = False,
    **values: Any,
) -> AppointmentEvent:
    """Write these values and what follows from them; saves only what changed.

    IntegrityError when it takes time that is held by another. ``tell_at`` as in ``insert``,
    ``away`` as in ``signals``.
    """
    before = {name: plain(getattr(appointment, name)) for name in values}
    days, had_time = busy_days.keys_of(appointment), appointment.is_occupying
    for name, value in values.items():
        setattr(appointment, name, value)
    appointment.sequence += 1
    models.Model.save(appointment, update_fields=[*values, "sequence"])
    # What stood here before weighs more than what somebody is about to book.
    occupancy.sync(appointment, now=now, taker=by.user, before_any_hold=not had_time)
    busy_days.refresh(days | busy_days.keys_of(appointment))
    after = {name: plain(getattr(appointment, name)) for name in values}
    return _tell(appointment, verb, by, now, tell_at, away=away, before=before, after=after)


def follow(*, old: int, to: int) -> None:
    """What was asked for instead of one appointment is now instead of what it became.

    The event of the move says so; the request itself has not changed. Nobody else can
    answer it or ask anew meanwhile: the practitioner and the patient are held.
    """
    rows: models.QuerySet[Appointment] = models.QuerySet(Appointment)
    rows.filter(replaces=old, status=Status.PENDING).update(replaces=to)


@transaction.atomic
def remark(
    appointment: Appointment, *, verb: Verb, by: Actor, now: dt.datetime, **values: Any
) -> AppointmentEvent:
    """Write what changes nothing of the visit: same time, same state, same version."""
    before = {name: plain(getattr(appointment, name)) for name in values}
    for name, value in values.items():
        setattr(appointment, name, value)
    models.Model.save(appointment, update_fields=[*values])
    after = {name: plain(getattr(appointment, name)) for name in values}
    return _tell(appointment, verb, by, now, None, before=before, after=after)


def _tell(
    appointment: Appointment,
    verb: Verb,
    by: Actor,
    now: dt.datetime,
    tell_at: dt.datetime | None,
    *,
    away: bool = False,
    before: dict[str, Any],
    after: dict[str, Any],
) -> AppointmentEvent:
    event = AppointmentEvent.objects.create(
        appointment=appointment,
        verb=verb,
        by=by.user,
        role=by.role,
        source=by.source,
        at=now,
        before=before,
        after=after,
    )
    waiting.follow(appointment, event, was=before.get("status"), tell_at=tell_at)
    appointment_changed.send(
        sender=Appointment, appointment=appointment, event=event, tell_at=tell_at, away=away
    )
    return event
