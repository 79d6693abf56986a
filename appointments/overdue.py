"""Requests whose time for an answer is over: nobody's time, whether a worker runs or not.

Whoever reads free time leaves them out (``AppointmentQuerySet.standing``). Whoever takes time
ends those in the way first, as ``services.expire_overdue`` would have.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import Q

from accounts.roles import Actor
from appointments import store
from appointments.models import LONGEST_BUFFER, Appointment
from appointments.transitions import Status, Verb

#: Two visits with the longest buffers still touch at this distance.
_REACH = 2 * LONGEST_BUFFER


def in_the_way(
    start: dt.datetime,
    end: dt.datetime,
    *,
    now: dt.datetime,
    practitioner: int,
    patient: int | None = None,
    room: int | None = None,
) -> list[Appointment]:
    """Those near this time, of whoever it is for. Asked before the lock, which has to hold
    their practitioners, too: none can come to be overdue at ``now`` after that."""
    whose = Q(practitioner=practitioner)
    whose |= Q(patient=patient) if patient else Q()
    whose |= Q(room=room) if room else Q()
    rows = Appointment.objects.overdue(now).filter(whose)
    return list(rows.overlapping(start - _REACH, end + _REACH).order_by("pk"))


def practitioners(rows: Iterable[Appointment]) -> set[int]:
    return {row.practitioner_id for row in rows}


def end(rows: Iterable[Appointment], *, now: dt.datetime) -> None:
    """Under the locks of their practitioners; what was ended meanwhile stays as it is."""
    for row in rows:
        current = Appointment.objects.select_for_update().get(pk=row.pk)
        if current.state == Status.PENDING:
            store.change(
                current,
                verb=Verb.EXPIRE,
                by=Actor.system(),
                now=now,
                status=Status.CANCELLED,
                expires_at=None,
            )
