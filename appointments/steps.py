"""Takes the last step of an appointment back, in the minutes in which a mistake is seen."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.roles import Actor, Role
from appointments import asked, availability, hits, locks, store
from appointments.changes import UNDO_FOR
from appointments.exceptions import (
    NothingToUndo,
    SlotClosed,
    SlotTaken,
    TooNearElsewhere,
    UndoTheChange,
)
from appointments.models import Appointment, AppointmentEvent, RuleChange
from appointments.transitions import BACK_TO, MAY, REMARKS, STEPS, Status, Verb, target


@locks.retrying
def undo_step(
    *, appointment: Appointment, by: Actor, now: dt.datetime | None = None
) -> Appointment:
    """As it was before the last step, if that was one of the staff's and not long ago.

    An event of its own: the mistake and its correction both stay in the history. Refuses
    NothingToUndo, UndoTheChange, SlotTaken when its time has been given to another,
    SlotClosed when a change of the rules has taken it, and TooNearElsewhere.
    """
    now = now or timezone.now()
    try:
        with transaction.atomic():
            named = _moved_by_it(appointment)
            old = asked.hold_with(appointment, named, rooms=True)
            if _moved_by_it(appointment) != named:
                raise locks.ChangedMeanwhile
            current = Appointment.objects.select_for_update().get(pk=appointment.pk)
            last = current.events.exclude(verb__in=REMARKS).order_by("-pk").first()
            if last is None or not _may_undo(last, by.role, now):
                raise NothingToUndo
            if current.pk in _settled_by_changes([current], now):
                raise UndoTheChange
            values = _values_before(last)
            verb = BACK_TO[values["status"]]
            if target(current.state, verb, by.role) != values["status"]:
                raise NothingToUndo
            if not current.is_occupying:
                _check_place(current, last, now)
            store.change(current, verb=verb, by=by, now=now, **values)
            if old and last.verb == Verb.CONFIRM:
                _stand_again(old, current, by, now)
            return current
    except IntegrityError as error:
        raise SlotTaken from error


def _moved_by_it(appointment: Appointment) -> int | None:
    """What a patient asked to give up for it, if it was."""
    row = Appointment.objects.get(pk=appointment.pk)
    return row.rescheduled_from_id if row.is_granted_move else None


def _stand_again(old: Appointment, request: Appointment, by: Actor, now: dt.datetime) -> None:
    """The move waits for its answer again, and what it gave up is as it was."""
    last = old.events.exclude(verb__in=REMARKS).order_by("-pk").first()
    if last is None or last.verb != Verb.RESCHEDULE or old.start <= now:
        raise NothingToUndo
    if asked.requests_of(request).exists():
        raise NothingToUndo
    values = _values_before(last)
    verb = BACK_TO[values["status"]]
    if target(old.state, verb, by.role) != values["status"]:
        raise NothingToUndo
    _check_place(old, last, now)
    store.change(old, verb=verb, by=by, now=now, **values)


def undoable(appointments: Iterable[Appointment], role: Role, now: dt.datetime) -> set[int]:
    """The ids of those whose last step this role can take back now, in two queries."""
    rows = list(appointments)
    recent = _events().filter(appointment__in=[row.pk for row in rows], at__gt=now - UNDO_FOR)
    last = {event.appointment_id: event for event in recent}
    found = {pk for pk, event in last.items() if _may_undo(event, role, now)}
    return found - _settled_by_changes([row for row in rows if row.pk in found], now)


@functools.cache
def _events() -> models.QuerySet[AppointmentEvent]:
    """Put together once: only narrowed down, never read itself."""
    rows = AppointmentEvent.objects.exclude(verb__in=REMARKS).order_by("pk")
    return rows.only("appointment", "verb", "role", "at", "before")


def _may_undo(last: AppointmentEvent, role: Role, now: dt.datetime) -> bool:
    """Only what the staff did: a patient's own cancellation is theirs."""
    if last.verb not in STEPS or not {last.role, role} <= MAY[Verb.UNDO]:
        return False
    expires = _values_before(last).get("expires_at")
    in_time = now < last.at + UNDO_FOR and (expires is None or now < expires)
    return in_time and role in MAY[Verb(last.verb)]


def _check_place(appointment: Appointment, last: AppointmentEvent, now: dt.datetime) -> None:
    """What has taken its time, or its place, meanwhile without taking its cells."""
    if asked.would_be_one_too_many(appointment):
        raise NothingToUndo
    if _is_closed(appointment, now):
        raise SlotClosed
    if availability.is_elsewhere_since(appointment, last.pk):
        raise TooNearElsewhere


def _is_closed(appointment: Appointment, now: dt.datetime) -> bool:
    """Whoever closed this time meanwhile was not asked about it: it stood there no more."""
    row = Appointment.objects.with_parts().select_related("service__specialty")
    fresh = row.get(pk=appointment.pk)
    return fresh.start > now and bool(hits.obstacles([fresh])[fresh.pk])


def _values_before(event: AppointmentEvent) -> dict[str, Any]:
    """What the step changed, as it was."""
    values = dict(event.before)
    values["status"] = Status(values["status"])
    if values.get("expires_at"):
        values["expires_at"] = dt.datetime.fromisoformat(values["expires_at"])
    return values


def _settled_by_changes(rows: Sequence[Appointment], now: dt.datetime) -> set[int]:
    """Cancelled by a change of hours, of one practitioner or of several, undone as a whole."""
    gone = {row.practitioner_id for row in rows if row.status == Status.CANCELLED}
    if not gone:
        return set()
    changes = RuleChange.objects.filter(
        Q(practitioner__in=gone) | Q(practitioner=None), undone_at=None, undo_until__gt=now
    ).values_list("settled", flat=True)
    return {one["appointment"] for settled in changes for one in settled}
