"""The life of an appointment as one story, through all its moves, for staff and for patients.

``history`` says one event in a few words, for a row or a message; here each is a sentence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from accounts.roles import Role, Source
from appointments.models import Appointment, AppointmentEvent
from appointments.transitions import Status, Verb
from clinic.templatetags.clinic_times import local_datetime

#: Whether a part of the chain is the reader's to see.
Sees = Callable[[Appointment], bool]
_Words = dict[str, str | Promise]

#: Longer chains are a machine's; the story then tells of the last ones.
MOST_MOVES = 50

_WHAT: _Words = {
    Verb.CONFIRM: gettext_lazy("%(who)s confirmed it."),
    Verb.CANCEL: gettext_lazy("%(who)s cancelled it."),
    Verb.ARRIVE: gettext_lazy("%(who)s noted that the patient arrived."),
    Verb.FULFIL: gettext_lazy("%(who)s noted that the patient was seen."),
    Verb.NO_SHOW: gettext_lazy("%(who)s noted that the patient did not come."),
    Verb.SAY_COMING: gettext_lazy("%(who)s said that the patient comes."),
    Verb.RESCHEDULE: gettext_lazy("%(who)s moved it to another time."),
    Verb.RESTORE: gettext_lazy("%(who)s undid the change of hours: it stands again."),
    Verb.RESTORE_REQUEST: gettext_lazy("%(who)s undid the change of hours: it waits again."),
    Verb.WITHDRAW: gettext_lazy("%(who)s undid the move: this time was given up."),
    Verb.UNDO: gettext_lazy("%(who)s undid the last step: it is confirmed."),
    Verb.UNDO_TO_REQUEST: gettext_lazy("%(who)s undid the last step: it waits for an answer."),
    Verb.UNDO_TO_ARRIVED: gettext_lazy("%(who)s undid the last step: the patient waits."),
    Verb.UNDO_TO_NO_SHOW: gettext_lazy("%(who)s undid the last step: the patient did not come."),
    Verb.EXPIRE: gettext_lazy("Nobody answered the request in time: it was cancelled."),
}
#: What patients read of. A verb that is new says nothing to them until somebody adds it here.
FOR_PATIENTS = frozenset({Verb.BOOK, *_WHAT})
#: Of a link in a mail to the address of the record.
_WITHOUT_ACCOUNT = gettext_lazy("The patient")
_WHO: _Words = {
    Role.PATIENT: gettext_lazy("The patient’s account"),
    Role.PRACTITIONER: pgettext_lazy("deed", "The practitioner"),
    Role.RECEPTION: pgettext_lazy("deed", "Reception"),
    Role.ADMINISTRATOR: pgettext_lazy("deed", "The administration"),
    Role.SYSTEM: pgettext_lazy("deed", "The system"),
}
_AS: _Words = {
    Role.PRACTITIONER: gettext_lazy("practitioner"),
    Role.RECEPTION: pgettext_lazy("deed", "reception"),
    Role.ADMINISTRATOR: gettext_lazy("administrator"),
    Role.SYSTEM: gettext_lazy("the system"),
}
#: Where somebody works when they use the pages.
_PAGES: _Words = {
    Role.PATIENT: gettext_lazy("from the patients’ pages"),
    Role.PRACTITIONER: gettext_lazy("from the agenda"),
    Role.RECEPTION: gettext_lazy("from the desk"),
    Role.ADMINISTRATOR: gettext_lazy("from the desk"),
}
_FROM: _Words = {
    Source.ADMIN: gettext_lazy("from the administration"),
    Source.COMMAND: gettext_lazy("by a command"),
    Source.TASK: gettext_lazy("by the timetable"),
    Source.MAIL: gettext_lazy("by a link in an e-mail"),
}


@dataclass(frozen=True, slots=True)
class Deed:
    """``Marta Ruiz (reception) moved it from … to ….``, when, from where, and why."""

    at: dt.datetime
    appointment: Appointment
    sentence: str
    where: str = ""
    note: str = ""


def everything(appointment: Appointment) -> bool:
    return True


def chain(appointment: Appointment, sees: Sees = everything) -> list[Appointment]:
    """From its first time to its last, as far as the reader may see: it ends where they may not.

    A move that was undone is cut off.
    """
    found = [appointment]
    # No reason of a visit is ever told here.
    parts = Appointment.objects.defer("reason").with_parts()
    while (pk := found[0].rescheduled_from_id) and len(found) < MOST_MOVES:
        before = parts.get(pk=pk)
        if not sees(before):
            break
        found.insert(0, before)
    while len(found) < MOST_MOVES:
        after = parts.filter(rescheduled_from=found[-1]).first()
        if after is None or not sees(after):
            break
        found.append(after)
    return found


def for_staff(appointment: Appointment, reader: User, sees: Sees = everything) -> list[Deed]:
    """Everything that they may see, with names and from where, oldest first."""
    return [
        Deed(
            event.at,
            event.appointment,
            _sentence(event, _staff_calls(event, reader)),
            _where(event),
            note,
        )
        for event, note in _events(appointment, sees)
    ]


def for_desk(appointment: Appointment, reader: User, sees: Sees = everything) -> list[Deed]:
    """As for staff, without what anybody wrote: that may be clinical."""
    return [replace(deed, note="") for deed in for_staff(appointment, reader, sees)]


def for_patient(appointment: Appointment, reader: User) -> list[Deed]:
    """What concerns them: who works at the clinic is named by what they are."""
    return [
        Deed(event.at, event.appointment, _sentence(event, _patient_calls(event, reader)), "", note)
        for event, note in _events(appointment)
        if event.verb in FOR_PATIENTS
    ]


def sentence(event: AppointmentEvent) -> str:
    """One event by itself, with names; ``event.appointment`` needs its parts at hand."""
    return _sentence(event, _staff_calls(event, None))


def _events(
    appointment: Appointment, sees: Sees = everything
) -> Iterator[tuple[AppointmentEvent, str]]:
    """Each event with its note; the two events of a move are one."""
    parts = {part.pk: part for part in chain(appointment, sees)}
    events = list(AppointmentEvent.objects.filter(appointment__in=parts).select_related("by"))
    moved_on = {part.rescheduled_from_id for part in parts.values()}
    why = {e.appointment_id: _note(e) for e in events if e.verb == Verb.RESCHEDULE}
    for event in events:
        event.appointment = parts[event.appointment_id]
        if event.verb == Verb.RESCHEDULE and _is_told_by_next(event, events, moved_on):
            continue
        before = event.appointment.rescheduled_from_id
        is_move = event.verb == Verb.BOOK and bool(event.before)
        yield event, why.get(before, "") if is_move and before else _note(event)


def _is_told_by_next(
    event: AppointmentEvent, events: Sequence[AppointmentEvent], moved_on: set[int | None]
) -> bool:
    """Only its last move leads on along the chain; an earlier one was undone."""
    last = [e for e in events if (e.appointment_id, e.verb) == (event.appointment_id, event.verb)]
    return event.appointment_id in moved_on and event is last[-1]


def _note(event: AppointmentEvent) -> str:
    return str(event.after.get("cancellation_reason") or "")


def _sentence(event: AppointmentEvent, who: str) -> str:
    if event.verb == Verb.CONFIRM and event.after.get("rescheduled_from_id"):
        return _("%(who)s confirmed the move: the old time was given up.") % {"who": who}
    if event.verb != Verb.BOOK:
        return str(_WHAT.get(event.verb, gettext_lazy("%(who)s changed it."))) % {"who": who}
    appointment = event.appointment
    facts: dict[str, Any] = {"who": who, "when": _time(event, event.after)}
    if event.before:
        facts["before"] = _time(event, event.before)
        if not event.after.get("rescheduled_from_id"):
            return _("%(who)s asked to move it from %(before)s to %(when)s.") % facts
        moved = _("%(who)s moved it from %(before)s to %(when)s.") % facts
        return " ".join([moved, *_what_else_moved(event, appointment)])
    if event.after.get("status") == Status.PENDING:
        return _("%(who)s asked for it: %(when)s.") % facts
    return _("%(who)s booked it: %(when)s.") % facts


def _time(event: AppointmentEvent, values: dict[str, Any]) -> str:
    return local_datetime(dt.datetime.fromisoformat(values["start"]), event.appointment.zone)


def _what_else_moved(event: AppointmentEvent, appointment: Appointment) -> Iterator[str]:
    if event.before.get("practitioner_id") != event.after.get("practitioner_id"):
        yield _("Now with %(name)s.") % {"name": appointment.practitioner}
    if event.before.get("location_id") != event.after.get("location_id"):
        yield _("Now at %(name)s.") % {"name": appointment.location}


def _staff_calls(event: AppointmentEvent, reader: User | None) -> str:
    if reader and event.by_id == reader.pk:
        return _("You")
    if event.by is None and event.role == Role.PATIENT:
        return str(_WITHOUT_ACCOUNT)
    if event.by is None or event.role == Role.PATIENT or not event.by.name:
        return str(_WHO.get(event.role, _WHO[Role.SYSTEM]))
    return f"{event.by.name} ({_AS.get(event.role, event.role)})"


def _patient_calls(event: AppointmentEvent, reader: User) -> str:
    if event.by_id is not None and event.by_id == reader.pk and event.role == Role.PATIENT:
        return _("You")
    if event.by is None and event.role == Role.PATIENT:
        return str(_WITHOUT_ACCOUNT)
    if event.role == Role.PATIENT:
        return _("Another account of this patient")
    return str(_WHO.get(event.role, _WHO[Role.SYSTEM]))


def _where(event: AppointmentEvent) -> str:
    words = _PAGES.get(event.role, "") if event.source == Source.WEB else _FROM.get(event.source)
    return str(words or "")
