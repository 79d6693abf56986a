"""Moves that wait for an answer: the old time stands until the new one is confirmed.

See docs/decisions/0027-a-move-that-waits.md.
"""

from __future__ import annotations

import datetime as dt

from django.db.models import Q

from appointments import locks
from appointments.models import Appointment, AppointmentQuerySet
from appointments.transitions import OCCUPYING, UPCOMING, Status

#: Answered with yes, and not taken back.
_SURE = OCCUPYING - {Status.PENDING}


def to_replace(request: Appointment, now: dt.datetime) -> Appointment | None:
    """What confirming this gives up; None: it is a request on its own, or none at all."""
    if request.replaces is None or request.state != Status.PENDING:
        return None
    return request.replaces if _stands(request.replaces, now) else None


def stays(request: Appointment, now: dt.datetime) -> Appointment | None:
    """What the patient keeps when this request came to nothing."""
    over = request.state == Status.CANCELLED and not request.is_granted_move
    if request.replaces is None or not over:
        return None
    return request.replaces if _stands(request.replaces, now) else None


def _stands(old: Appointment, now: dt.datetime) -> bool:
    """Once its time has begun, whether they came is another question."""
    return old.state in UPCOMING and old.start > now


def requests_of(old: Appointment) -> AppointmentQuerySet:
    """The open request to move it: one, or none."""
    rows: AppointmentQuerySet = Appointment.objects.filter(replaces=old, status=Status.PENDING)
    return rows


def open_moves(now: dt.datetime) -> Q:
    """Requests that would give up another appointment: the two are one visit."""
    return Q(status=Status.PENDING, replaces__status__in=UPCOMING, replaces__start__gt=now)


def would_be_one_too_many(appointment: Appointment) -> bool:
    """Whether, given back, it would stand beside what was to take its place."""
    if Appointment.objects.filter(replaces=appointment, status__in=_SURE).exists():
        return True
    if appointment.replaces is None:
        return False
    return requests_of(appointment.replaces).exclude(pk=appointment.pk).exists()


def hold_with(
    appointment: Appointment, other: int | None, *, rooms: bool = False
) -> Appointment | None:
    """Hold this one's people and those of the other one; the other one as it is now.

    In the transaction, before anything else is locked.
    """
    parts = Appointment.objects.filter(pk__in=[appointment.pk, other])
    held = list(parts.values_list("practitioner_id", "room_id"))
    locks.hold(
        practitioners=[practitioner for practitioner, _room in held],
        rooms=[room for _practitioner, room in held if room] if rooms else [],
        patients=[appointment.patient_id],
    )
    return Appointment.objects.select_for_update().get(pk=other) if other else None
