"""Changes of a practitioner's rules that may hit appointments: tried first, then made.

Not predicted but tried: inside a transaction the rules are written, and what has an
obstacle now that it did not have before is hit (``hits.newly_hit``). Without an answer
for exactly these appointments it is all taken back, and the refusal carries them, each
with a free time under the new rules. See docs/decisions/0011-changes-that-hit.md.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from accounts.roles import Actor, Role
from appointments import asked, hits, locks, opened, services
from appointments.exceptions import ReasonNeeded, Refusal
from appointments.models import Appointment, AppointmentQuerySet, RuleChange
from appointments.proposals import propose
from appointments.timetable import OfferedSlot
from appointments.transitions import Verb
from scheduling.models import ServiceOffering
from scheduling.rules import Sets, difference, picture, time_of

#: So many appointments are shown with a choice and a free time of their own, the soonest
#: ones. Whoever closes a location cannot go through thousands.
MOST_SHOWN = 100
#: So long a change can be undone, and so long the notices of it wait.
UNDO_FOR = dt.timedelta(minutes=10)


class Hit(enum.StrEnum):
    """What becomes of an appointment that a change hits."""

    KEEP = "keep"
    MOVE = "move"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Place:
    """A free time that was shown: the offering's id and when it starts."""

    offering: int
    start: dt.datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody chose for the appointments that they were shown, by id."""

    seen: frozenset[int] = frozenset()
    for_all: Hit = Hit.KEEP
    own: Mapping[int, Hit] = field(default_factory=dict)
    places: Mapping[int, Place] = field(default_factory=dict)
    note: str = ""

    def choice(self, pk: int) -> Hit:
        return self.own.get(pk, self.for_all)

    @property
    def moves(self) -> dict[int, Place]:
        return {pk: p for pk, p in self.places.items() if self.choice(pk) is Hit.MOVE}


@dataclass(frozen=True, slots=True)
class HitBy:
    """An appointment that a change hits, and where it could go."""

    appointment: Appointment
    proposal: OfferedSlot | None


class HitsFound(Refusal):
    """Nothing is saved yet; ``hits`` are the appointments to decide about."""

    code = "hits_found"
    sentence = _("This change affects appointments. Say what happens with them.")

    def __init__(self, hits: Sequence[HitBy]) -> None:
        super().__init__(appointments=[hit.appointment for hit in hits])
        self.hits = list(hits)


class HitsChanged(HitsFound):
    code = "hits_changed"
    sentence = _("The appointments affected have changed in the meantime. Look at the list again.")


class PlaceGone(HitsFound):
    code = "place_gone"
    sentence = _("A proposed time is no longer free. Look at the list again.")


@dataclass(frozen=True, slots=True)
class Made:
    """``result`` is what writing the rules returned; ``change`` what can be undone, if anything."""

    result: Any
    hits: list[Appointment]
    change: RuleChange | None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a change goes: who is locked, whom it can hit, which rules it can change."""

    #: Whose time it is; None: the time of several, so that undoing it locks everybody.
    practitioner: Practitioner | None
    locked: Iterable[int]
    #: Of the upcoming appointments, those that it can hit.
    appointments: Callable[[AppointmentQuerySet], AppointmentQuerySet]
    rules: Callable[[], Sets]
    #: What was changed, in words. Never the name of a patient.
    about: str

    @classmethod
    def of(cls, practitioner: Practitioner) -> Reach:
        """Everything that is one practitioner's."""
        return cls(
            practitioner=practitioner,
            locked=[practitioner.pk],
            appointments=lambda rows: rows.filter(practitioner=practitioner),
            rules=lambda: time_of(practitioner),
            about=str(practitioner),
        )


class Attempt:
    """A change between its two looks: whoever makes one writes the rules in between.

    Inside a transaction: lock, look, then the writing, then look again.
    """

    def __init__(self, reach: Reach, answer: Answer | None, *, by: Actor, now: dt.datetime) -> None:
        self.reach, self.answer, self.by, self.now = reach, answer, by, now
        self._locked = list(reach.locked)
        hold_for(self._locked, answer)
        self._rules = picture(reach.rules())
        self._obstacles = hits.obstacles(self._reached())
        self._open = opened.look(self._locked, now=now)

    def _reached(self) -> list[Appointment]:
        return list(self.reach.appointments(hits.upcoming(self.now)))

    def hit(self) -> list[Appointment]:
        """Those that have something in their way since the first look, soonest first."""
        reached = self._reached()
        newly = hits.newly_hit(self._obstacles, hits.obstacles(reached))
        return [appointment for appointment in reached if appointment.pk in newly]

    def settle(self) -> tuple[list[Appointment], RuleChange | None]:
        """Do as was answered for those that are hit, and keep what undoing it needs."""
        hit = self.hit()
        after = picture(self.reach.rules())
        settled = settle(hit, self.answer, by=self.by, now=self.now)
        was, became = difference(self._rules, after)
        if not (was or became or settled):
            return hit, None
        # As with what it frees: nobody is asked before it stands.
        until = self.now + UNDO_FOR
        opened.note(self._open, now=self.now, practitioners=self._locked, due_at=until)
        change = RuleChange.objects.create(
            practitioner=self.reach.practitioner,
            about=self.reach.about[:200],
            by=self.by.user,
            role=self.by.role,
            at=self.now,
            undo_until=until,
            before=was,
            after=became,
            settled=settled,
        )
        return hit, change


@dataclass(frozen=True, slots=True)
class Change:
    """``write`` changes the rules as far as ``reach`` says; nothing else happens in it."""

    reach: Reach
    write: Callable[[], Any]
    by: Actor

    def would_hit(self, now: dt.datetime | None = None) -> list[HitBy]:
        """The upcoming appointments that it would hit, soonest first. Changes nothing."""
        return locks.retrying(self._rehearse)(now or timezone.now())

    def _rehearse(self, now: dt.datetime) -> list[HitBy]:
        with transaction.atomic():
            attempt = Attempt(self.reach, None, by=self.by, now=now)
            self.write()
            found = with_proposals(attempt.hit(), self.by, now)
            transaction.set_rollback(True)
        return found

    def make(self, *, answer: Answer | None = None, now: dt.datetime | None = None) -> Made:
        """Change the rules, and do with what they hit as was answered.

        Refuses HitsFound without an answer, HitsChanged if it was given for others,
        PlaceGone, ReasonNeeded: then nothing has changed.
        """
        return locks.retrying(self._make)(answer, now or timezone.now())

    def _make(self, answer: Answer | None, now: dt.datetime) -> Made:
        with transaction.atomic():
            attempt = Attempt(self.reach, answer, by=self.by, now=now)
            result = self.write()
            hit, change = attempt.settle()
            return Made(result, hit, change)


def hold_for(practitioners: Iterable[int], answer: Answer | None) -> None:
    """The locks of a change and of all its moves at once, in the one order."""
    moves = answer.moves if answer else {}
    offerings = ServiceOffering.objects.filter(pk__in={p.offering for p in moves.values()})
    there = offerings.values_list("schedule__practitioner", flat=True)
    rows = Appointment.objects.filter(pk__in=moves).values_list(
        "practitioner_id", "room_id", "patient_id"
    )
    moving = list(rows)
    locks.hold(
        practitioners=[*practitioners, *there, *(row[0] for row in moving)],
        rooms=[row[1] for row in moving if row[1]],
        patients=[row[2] for row in moving],
    )


def with_proposals(appointments: Sequence[Appointment], by: Actor, now: dt.datetime) -> list[HitBy]:
    """A practitioner is proposed no colleague's time: they would have to ask for it."""
    # A request to move is answered, not moved: what it would replace has a time.
    movable = [a for a in appointments[:MOST_SHOWN] if not asked.to_replace(a, now)]
    own_only = by.role == Role.PRACTITIONER
    found = propose(movable, now=now, own_only=own_only) if movable else {}
    return [HitBy(appointment, found.get(appointment.pk)) for appointment in appointments]


def settle(
    appointments: Sequence[Appointment], answer: Answer | None, *, by: Actor, now: dt.datetime
) -> list[dict[str, Any]]:
    """Do as was answered for exactly these; what was done, for undoing.

    In the transaction that changed the rules. Raises HitsFound, HitsChanged, PlaceGone.
    """
    if not appointments:
        return []
    if answer is None:
        raise HitsFound(with_proposals(appointments, by, now))
    if {a.pk for a in appointments} != answer.seen:
        raise HitsChanged(with_proposals(appointments, by, now))
    try:
        with transaction.atomic():
            done = [_settle_one(a, answer, by, now) for a in appointments]
    except ReasonNeeded:
        raise
    except Refusal as refusal:
        raise PlaceGone(with_proposals(appointments, by, now)) from refusal
    return [one for one in done if one]


def _settle_one(
    appointment: Appointment, answer: Answer, by: Actor, now: dt.datetime
) -> dict[str, Any] | None:
    choice, tell_at = answer.choice(appointment.pk), now + UNDO_FOR
    done = {"appointment": appointment.pk, "status": appointment.status, "moved_to": None}
    if choice is Hit.KEEP:
        return None
    if choice is Hit.CANCEL:
        services.cancel(
            appointment=appointment,
            by=by,
            reason=answer.note,
            tell_at=tell_at,
            away=True,
            now=now,
        )
        return {**done, "verb": Verb.CANCEL}
    place = answer.places.get(appointment.pk)
    if place is None:
        raise Refusal
    offering = ServiceOffering.objects.with_parts().filter(pk=place.offering).first()
    if offering is None:
        raise Refusal
    moved = services.reschedule(
        appointment=appointment,
        offering=offering,
        start=place.start,
        by=by,
        note=answer.note,
        tell_at=tell_at,
        now=now,
    )
    return {**done, "verb": Verb.RESCHEDULE, "moved_to": moved.pk}
