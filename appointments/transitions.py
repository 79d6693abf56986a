"""The one table of moves: status × verb → status, and who may. Pure."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role


class Status(models.TextChoices):
    """The codes of FHIR's Appointment.status."""

    PENDING = "pending", _("Requested")
    BOOKED = "booked", _("Confirmed")
    ARRIVED = "arrived", _("In the waiting room")
    FULFILLED = "fulfilled", _("Seen")
    CANCELLED = "cancelled", _("Cancelled")
    NOSHOW = "noshow", _("Did not come")


#: These keep their time; nobody else can have it.
OCCUPYING = frozenset({Status.PENDING, Status.BOOKED, Status.ARRIVED, Status.FULFILLED})
#: The practitioner has met the patient.
SEEN = frozenset({Status.ARRIVED, Status.FULFILLED})
#: These are still to come: a change of hours has to ask about them.
UPCOMING = frozenset({Status.PENDING, Status.BOOKED})


class Verb(enum.StrEnum):
    BOOK = "book"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    ARRIVE = "arrive"
    FULFIL = "fulfil"
    NO_SHOW = "no_show"
    EXPIRE = "expire"
    #: The patient says that they will be there.
    SAY_COMING = "say_coming"
    #: Gives the time up for another one: the new appointment names this one.
    RESCHEDULE = "reschedule"
    #: Undoing a change of the rules: what it cancelled or moved stands again, as it did.
    RESTORE = "restore"
    RESTORE_REQUEST = "restore_request"
    #: Undoing a move: what it made is given up again.
    WITHDRAW = "withdraw"
    #: A step was a mistake: back to confirmed, to requested, to the waiting room, to absent.
    UNDO = "undo"
    UNDO_TO_REQUEST = "undo_to_request"
    UNDO_TO_ARRIVED = "undo_to_arrived"
    UNDO_TO_NO_SHOW = "undo_to_no_show"


MOVES: dict[tuple[Status, Verb], Status] = {
    (Status.PENDING, Verb.CONFIRM): Status.BOOKED,
    (Status.PENDING, Verb.CANCEL): Status.CANCELLED,
    (Status.PENDING, Verb.EXPIRE): Status.CANCELLED,
    (Status.BOOKED, Verb.ARRIVE): Status.ARRIVED,
    (Status.BOOKED, Verb.FULFIL): Status.FULFILLED,
    (Status.BOOKED, Verb.NO_SHOW): Status.NOSHOW,
    (Status.BOOKED, Verb.CANCEL): Status.CANCELLED,
    (Status.BOOKED, Verb.SAY_COMING): Status.BOOKED,
    (Status.ARRIVED, Verb.FULFIL): Status.FULFILLED,
    (Status.ARRIVED, Verb.CANCEL): Status.CANCELLED,
    # Late, after all: takes the time again, which nobody may have got meanwhile.
    (Status.NOSHOW, Verb.ARRIVE): Status.ARRIVED,
    (Status.PENDING, Verb.RESCHEDULE): Status.CANCELLED,
    (Status.BOOKED, Verb.RESCHEDULE): Status.CANCELLED,
    (Status.PENDING, Verb.WITHDRAW): Status.CANCELLED,
    (Status.BOOKED, Verb.WITHDRAW): Status.CANCELLED,
    (Status.CANCELLED, Verb.RESTORE): Status.BOOKED,
    (Status.CANCELLED, Verb.RESTORE_REQUEST): Status.PENDING,
    (Status.BOOKED, Verb.UNDO_TO_REQUEST): Status.PENDING,
    (Status.ARRIVED, Verb.UNDO): Status.BOOKED,
    (Status.ARRIVED, Verb.UNDO_TO_NO_SHOW): Status.NOSHOW,
    (Status.FULFILLED, Verb.UNDO): Status.BOOKED,
    (Status.FULFILLED, Verb.UNDO_TO_ARRIVED): Status.ARRIVED,
    (Status.NOSHOW, Verb.UNDO): Status.BOOKED,
    (Status.CANCELLED, Verb.UNDO): Status.BOOKED,
    (Status.CANCELLED, Verb.UNDO_TO_REQUEST): Status.PENDING,
    (Status.CANCELLED, Verb.UNDO_TO_ARRIVED): Status.ARRIVED,
}

_STAFF = frozenset({Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR})
MAY: dict[Verb, frozenset[Role]] = {
    Verb.BOOK: _STAFF | {Role.PATIENT},
    Verb.CONFIRM: _STAFF,
    Verb.CANCEL: _STAFF | {Role.PATIENT},
    Verb.ARRIVE: _STAFF,
    Verb.FULFIL: frozenset({Role.PRACTITIONER, Role.ADMINISTRATOR}),
    Verb.NO_SHOW: _STAFF,
    Verb.EXPIRE: frozenset({Role.SYSTEM}),
    Verb.SAY_COMING: frozenset({Role.PATIENT}),
    Verb.RESCHEDULE: _STAFF | {Role.PATIENT},
    Verb.RESTORE: _STAFF,
    Verb.RESTORE_REQUEST: _STAFF,
    Verb.WITHDRAW: _STAFF,
    Verb.UNDO: _STAFF,
    Verb.UNDO_TO_REQUEST: _STAFF,
    Verb.UNDO_TO_ARRIVED: _STAFF,
    Verb.UNDO_TO_NO_SHOW: _STAFF,
}
#: Whoever has been met is the staff's to send away.
_STAFF_ONLY = frozenset({(Status.ARRIVED, Verb.CANCEL)})
#: What brings each state back when the step out of it was a mistake.
BACK_TO = {
    Status.PENDING: Verb.UNDO_TO_REQUEST,
    Status.BOOKED: Verb.UNDO,
    Status.ARRIVED: Verb.UNDO_TO_ARRIVED,
    Status.NOSHOW: Verb.UNDO_TO_NO_SHOW,
}
#: Steps that a wrong click makes, and that whoever may make them may take back.
STEPS = frozenset({Verb.CONFIRM, Verb.CANCEL, Verb.ARRIVE, Verb.FULFIL, Verb.NO_SHOW})
#: Change nothing of the visit, so its version stays: files in calendars and messages hold.
REMARKS = frozenset({Verb.SAY_COMING})
#: Not before the appointment's own day: nobody has come tomorrow.
ON_THE_DAY = frozenset({Verb.ARRIVE, Verb.FULFIL})
#: Not before the appointment's start: nobody is late yet.
AFTER_START = frozenset({Verb.NO_SHOW})
#: Of a request as long as it can be answered.
IN_TIME = frozenset({Verb.CONFIRM, Verb.RESCHEDULE})
#: These give an appointment the time back that it had.
RESTORING = frozenset({Verb.RESTORE, Verb.RESTORE_REQUEST})
RESTORING |= {verb for status, verb in BACK_TO.items() if status in OCCUPYING}
#: Not a button of their own: a move needs another time, undoing what is undone, and coming
#: is said from a mail.
_ELSEWHERE = frozenset({Verb.RESCHEDULE, Verb.RESTORE, Verb.RESTORE_REQUEST, Verb.WITHDRAW})
_ELSEWHERE |= REMARKS | frozenset(BACK_TO.values())


def target(status: Status, verb: Verb, role: Role) -> Status | None:
    """Where the verb leads, or None if it leads nowhere or is not for this role."""
    if role not in MAY[verb] or (role not in _STAFF and (status, verb) in _STAFF_ONLY):
        return None
    return MOVES.get((status, verb))


@dataclass(frozen=True, slots=True)
class Times:
    """When an appointment is, on whose clock, and until when a request can be answered."""

    start: dt.datetime
    end: dt.datetime
    zone: dt.tzinfo
    expires_at: dt.datetime | None = None

    def is_lapsed(self, status: Status, now: dt.datetime) -> bool:
        """A request that nobody answered in time, whether it has been ended already or not."""
        return status == Status.PENDING and now >= min(self.start, self.expires_at or self.start)


def is_time_for(verb: Verb, *, status: Status, times: Times, now: dt.datetime) -> bool:
    """A patient's own windows (``services.can_cancel``) are narrower."""
    today, day = now.astimezone(times.zone).date(), times.start.astimezone(times.zone).date()
    if verb in AFTER_START:
        return now >= times.start
    if verb in IN_TIME and times.is_lapsed(status, now):
        return False
    if verb == Verb.RESCHEDULE:
        return now < times.end
    if verb == Verb.CANCEL:
        return today <= day or now < times.end
    if verb == Verb.ARRIVE and status == Status.NOSHOW:
        return today == day
    return verb not in ON_THE_DAY or today >= day


def verbs_for(status: Status, role: Role, *, times: Times, now: dt.datetime) -> list[Verb]:
    """What this role can do now with one button, the most expected first."""
    return [
        verb
        for (from_status, verb) in MOVES
        if from_status == status
        and verb not in _ELSEWHERE
        and target(status, verb, role)
        and is_time_for(verb, status=status, times=times, now=now)
    ]
