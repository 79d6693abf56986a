"""Takes a change of rules back: the rules, and what it did to appointments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import asked, availability, hits, locks, store
from appointments.exceptions import Refusal
from appointments.models import Appointment, AppointmentEvent, RuleChange
from appointments.transitions import Status, Verb, target
from scheduling.rules import ChangedSinceError, put_back


class TooLateToUndo(Refusal):
    code = "too_late_to_undo"
    sentence = _("It is too late to undo this change: the notices have left.")


class RulesChangedSince(Refusal):
    code = "changed_since"
    sentence = _("The same hours have been changed again in the meantime. Nothing was undone.")


class WouldHit(Refusal):
    code = "would_hit"
    sentence = _(
        "Since then an appointment was made that undoing would hit. Nothing was undone:"
        " change the rules instead, and you are asked about it."
    )


@dataclass(slots=True)
class Undone:
    """The appointments that stand again, and those that could not be brought back."""

    restored: list[Appointment] = field(default_factory=list)
    lost: list[Appointment] = field(default_factory=list)


@locks.retrying
def undo(*, change: RuleChange, by: Actor, now: dt.datetime | None = None) -> Undone:
    """The rules as they were, the appointments where their time is still free.

    Their notices that wait are voided with the change of the appointment. Twice is as
    once. Refuses TooLateToUndo, RulesChangedSince, WouldHit.
    """
    now = now or timezone.now()
    with transaction.atomic():
        parts = _parts(change)
        locks.hold(
            practitioners=[*_whose(change), *(a.practitioner_id for a in parts.values())],
            rooms=[a.room_id for a in parts.values() if a.room_id],
            patients=[a.patient_id for a in parts.values()],
        )
        row = RuleChange.objects.select_for_update().get(pk=change.pk)
        if row.undone_at:
            return Undone()
        if now >= row.undo_until:
            raise TooLateToUndo
        obstacles = hits.obstacles(_made_since(row, now))
        try:
            put_back(
                before=row.before, after=row.after, by=by, target=row.practitioner or row.about
            )
        except ChangedSinceError as error:
            raise RulesChangedSince from error
        undone = Undone()
        for done in row.settled:
            appointment = Appointment.objects.with_parts().get(pk=done["appointment"])
            ok = _bring_back(appointment, done, by, now)
            (undone.restored if ok else undone.lost).append(appointment)
        if hits.newly_hit(obstacles, hits.obstacles(_made_since(row, now))):
            raise WouldHit
        row.undone_at = now
        row.save(update_fields=["undone_at"])
        return undone


def _whose(change: RuleChange) -> Iterable[int]:
    """The practitioners whose time it is about: one, or everybody."""
    if change.practitioner_id:
        return [change.practitioner_id]
    return Practitioner.objects.values_list("pk", flat=True)


def _made_since(change: RuleChange, now: dt.datetime) -> list[Appointment]:
    """What can rest on the changed rules. Whatever is older was in order before, too."""
    rows = hits.upcoming(now)
    if change.practitioner_id:
        rows = rows.filter(practitioner=change.practitioner_id)
    made = AppointmentEvent.objects.filter(
        appointment=OuterRef("pk"), verb=Verb.BOOK, at__gte=change.at
    )
    return list(rows.filter(Exists(made)))


def _parts(change: RuleChange) -> dict[int, Appointment]:
    ids = {one[name] for one in change.settled for name in ("appointment", "moved_to")}
    return Appointment.objects.in_bulk([pk for pk in ids if pk])


def _bring_back(
    appointment: Appointment, done: dict[str, Any], by: Actor, now: dt.datetime
) -> bool:
    """Whether it has its time again. Free first, then take, as in a move."""
    request = done["status"] == Status.PENDING
    verb = Verb.RESTORE_REQUEST if request else Verb.RESTORE
    status = target(appointment.state, verb, by.role)
    last = appointment.events.order_by("-pk").first()
    if status is None or appointment.start <= now or last is None or last.verb != done["verb"]:
        return False
    if availability.is_elsewhere_since(appointment, last.pk):
        return False
    if asked.would_be_one_too_many(appointment):
        return False
    values: dict[str, Any] = {"status": status, "cancellation_reason": ""}
    if request:
        values["expires_at"] = _deadline(last)
    try:
        with transaction.atomic():
            if done["moved_to"]:
                values["calendar_base"] = _withdraw(done["moved_to"], by, now)
            store.change(appointment, verb=verb, by=by, now=now, **values)
    except (IntegrityError, _Gone):
        return False
    return True


class _Gone(Exception):
    """What it was moved to is no longer as it was made."""


def _withdraw(pk: int, by: Actor, now: dt.datetime) -> int:
    """Give the new time up and cut the chain; from where the calendar counts on."""
    moved = Appointment.objects.select_related("location").get(pk=pk)
    status = target(moved.state, Verb.WITHDRAW, by.role)
    if status is None or moved.sequence > 0:
        raise _Gone
    old = moved.rescheduled_from_id
    store.change(
        moved,
        verb=Verb.WITHDRAW,
        by=by,
        now=now,
        status=status,
        expires_at=None,
        rescheduled_from_id=None,
    )
    if old:
        store.follow(old=moved.pk, to=old)
    return moved.calendar_sequence + 1


def _deadline(last: AppointmentEvent) -> dt.datetime | None:
    """When the request was to expire before it was cancelled."""
    value = last.before.get("expires_at")
    return dt.datetime.fromisoformat(value) if value else None
