"""What happened to an appointment, in plain words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from accounts.roles import Role
from appointments.models import Appointment, AppointmentEvent
from appointments.transitions import REMARKS, Status, Verb
from clinic.templatetags.clinic_times import local_datetime

_WHAT: dict[str, str | Promise] = {
    Verb.BOOK: gettext_lazy("Booked"),
    Verb.CONFIRM: gettext_lazy("Confirmed"),
    Verb.CANCEL: gettext_lazy("Cancelled"),
    Verb.ARRIVE: pgettext_lazy("deed", "Arrived"),
    Verb.FULFIL: gettext_lazy("Seen"),
    Verb.NO_SHOW: pgettext_lazy("deed", "Did not come"),
    Verb.SAY_COMING: pgettext_lazy("deed", "Said they come"),
    Verb.RESCHEDULE: gettext_lazy("Moved to another time"),
    Verb.RESTORE: gettext_lazy("Stands again: the change of the hours was undone"),
    Verb.RESTORE_REQUEST: gettext_lazy("Requested again: the change of the hours was undone"),
    Verb.WITHDRAW: gettext_lazy("Given up: the move was undone"),
    Verb.UNDO: gettext_lazy("Last step undone: confirmed"),
    Verb.UNDO_TO_REQUEST: gettext_lazy("Last step undone: requested"),
    Verb.UNDO_TO_ARRIVED: gettext_lazy("Last step undone: in the waiting room"),
    Verb.UNDO_TO_NO_SHOW: gettext_lazy("Last step undone: did not come"),
    Verb.EXPIRE: gettext_lazy("Cancelled, because nobody answered the request in time"),
}
_WHO: dict[str, str | Promise] = {
    Role.PATIENT: gettext_lazy("by the patient"),
    Role.PRACTITIONER: gettext_lazy("by the practitioner"),
    Role.RECEPTION: gettext_lazy("by reception"),
    Role.ADMINISTRATOR: gettext_lazy("by the administration"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the history: ``Confirmed by reception (Marta Ruiz)``."""

    at: dt.datetime
    what: str
    who: str
    note: str = ""

    @property
    def deed(self) -> str:
        return f"{self.what} {self.who}".strip()


def line(event: AppointmentEvent, reader: User) -> Line:
    return Line(
        event.at, what(event), who(event, reader), event.after.get("cancellation_reason", "")
    )


def what(event: AppointmentEvent) -> str:
    if event.verb == Verb.BOOK and event.before:
        zone = event.appointment.zone
        was = local_datetime(dt.datetime.fromisoformat(event.before["start"]), zone)
        if not event.after.get("rescheduled_from_id"):
            return _("Asked to move here from %(when)s") % {"when": was}
        return _("Moved here from %(when)s") % {"when": was}
    if event.verb == Verb.BOOK and event.after.get("status") == Status.PENDING:
        return _("Requested")
    if event.verb == Verb.BOOK and event.after.get("overbooked"):
        return _("Overbooked")
    return str(_WHAT.get(event.verb, _("Changed")))


def who(event: AppointmentEvent, reader: User) -> str:
    """Staff by name; a patient's account only as what it is."""
    if event.by_id is not None and event.by_id == reader.pk:
        return _("by you")
    role = str(_WHO.get(event.role, ""))
    if event.by is None or event.role == Role.PATIENT or not event.by.name:
        return role
    return f"{role} ({event.by.name})"


def last_line(appointment: Appointment, reader: User) -> Line | None:
    event = appointment.events.exclude(verb__in=REMARKS).select_related("by").last()
    return line(event, reader) if event else None
