"""Links in mails: each opens a page with one button, without a login. See docs/decisions/0023.

A link is for one recipient, one version of one appointment and one purpose. It is signed,
so nothing is kept of it and nothing is asked of the database before it is known to be ours.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from accounts.roles import Actor, Role, Source
from appointments import asked, services
from appointments.exceptions import Refusal
from appointments.models import Appointment
from appointments.transitions import UPCOMING, Status
from notifications.models import TO_PRACTITIONER, TRUE_WHILE, Kind, Notification
from notifications.selectors import Recipient, recipient_at_work, recipients_for


class Purpose(enum.StrEnum):
    """What the one button does; stands in the address."""

    COME = "voy"
    CANCEL = "cancelar"
    CONFIRM = "confirmar"


class Standing(enum.Enum):
    """What is true now of what the link is for."""

    OPEN = enum.auto()
    #: It is as the link wants it, whoever did it: pressed twice is pressed once.
    DONE = enum.auto()
    LATE = enum.auto()
    CHANGED = enum.auto()
    CANCELLED = enum.auto()
    MOVED = enum.auto()
    BEGUN = enum.auto()


@dataclass(frozen=True, slots=True)
class Link:
    purpose: Purpose
    appointment: Appointment
    #: The version of the appointment that the mail told of.
    sequence: int
    recipient: Recipient

    @property
    def is_work(self) -> bool:
        return self.purpose == Purpose.CONFIRM


# --- making


def address(purpose: Purpose, appointment: Appointment, recipient: Recipient) -> str:
    """The whole address, to be put into a mail to this recipient."""
    said = (appointment.pk, appointment.sequence, recipient.token, _mark(recipient))
    token = _signer(purpose).sign("-".join(map(str, said)))
    return settings.BASE_URL + reverse("notifications:link", args=[purpose, token])


def _signer(purpose: Purpose) -> Signer:
    """A token of one purpose is none of another."""
    return Signer(salt=f"notifications.links:{purpose}", sep=".")


def _mark(recipient: Recipient) -> str:
    """Changes with the address: what was sent to a mistyped one ends when it is corrected."""
    return salted_hmac("notifications.links", recipient.to).hexdigest()[:16]


# --- reading


def read(purpose: str, token: str) -> Link | None:
    """The link, whatever has become of it; None if it is none, or no longer this recipient's."""
    try:
        wanted = Purpose(purpose)
        said = _signer(wanted).unsign(token)
    except (ValueError, BadSignature):
        return None
    pk, sequence, name, mark = said.split("-")
    appointment = Appointment.objects.with_parts().filter(pk=pk).first()
    if appointment is None:
        return None
    for recipient in _recipients(wanted, appointment):
        if recipient.token == name and constant_time_compare(mark, _mark(recipient)):
            return Link(wanted, appointment, int(sequence), recipient)
    return None


def _recipients(purpose: Purpose, appointment: Appointment) -> list[Recipient]:
    """Who would get the mail today: an access that ended takes its links along."""
    if purpose != Purpose.CONFIRM:
        return recipients_for(appointment.patient)
    at_work = recipient_at_work(appointment.practitioner)
    return [at_work] if at_work else []


def standing(link: Link, now: dt.datetime) -> Standing:
    appointment = link.appointment
    if appointment.state == Status.CANCELLED:
        if Appointment.objects.filter(rescheduled_from=appointment).exists():
            return Standing.MOVED
        return Standing.DONE if link.purpose == Purpose.CANCEL else Standing.CANCELLED
    if appointment.state not in UPCOMING or now >= appointment.start:
        return Standing.BEGUN
    if _is_done(link):
        return Standing.DONE
    if appointment.sequence != link.sequence:
        return Standing.CHANGED
    return Standing.OPEN if _is_in_time(link, now) else Standing.LATE


def _is_done(link: Link) -> bool:
    if link.purpose == Purpose.CONFIRM:
        return link.appointment.state == Status.BOOKED
    return link.purpose == Purpose.COME and link.appointment.coming_since is not None


def _is_in_time(link: Link, now: dt.datetime) -> bool:
    appointment = link.appointment
    if link.purpose == Purpose.CANCEL:
        return services.can_cancel(appointment, now)
    if link.purpose == Purpose.CONFIRM:
        return appointment.expires_at is None or now < appointment.expires_at
    return True


# --- doing


def follow(link: Link, now: dt.datetime) -> Standing:
    """Do what the button says, as the recipient; how it stands then."""
    found = standing(link, now)
    if found != Standing.OPEN:
        return found
    role = Role.PRACTITIONER if link.is_work else Role.PATIENT
    by = Actor(link.recipient.user, role, Source.MAIL)
    # A refusal is that somebody was faster: the page says what is true then.
    with suppress(Refusal):
        _VERBS[link.purpose](appointment=link.appointment, by=by, now=now)
    link.appointment.refresh_from_db()
    return standing(link, now)


_VERBS = {
    Purpose.COME: services.say_coming,
    Purpose.CANCEL: services.cancel,
    Purpose.CONFIRM: services.confirm,
}


# --- the links of a mail


@dataclass(frozen=True, slots=True)
class Way:
    """A link as the mail shows it: one as a button, the others below it."""

    text: str
    url: str
    is_main: bool = False


def page_of(row: Notification) -> str:
    """The address of the appointment's page; empty for somebody without an account."""
    if row.user is None or row.appointment is None:
        return ""
    work = row.kind in TO_PRACTITIONER
    name = "appointments:agenda_appointment" if work else "appointments:detail"
    return _at(name, row.appointment)


def _at(name: str, appointment: Appointment) -> str:
    return settings.BASE_URL + reverse(name, args=[appointment.public_id])


def ways(row: Notification, now: dt.datetime) -> list[Way]:
    """What the recipient can do from the mail, the most expected first."""
    found = list(_ways(row, now))
    if found and f"/{Purpose.CANCEL}/" not in found[0].url:
        found[0] = Way(found[0].text, found[0].url, is_main=True)
    return found


def _ways(row: Notification, now: dt.datetime) -> Iterator[Way]:
    appointment, page = row.appointment, page_of(row)
    if appointment is None:
        return
    recipient = _recipient_of(row, appointment)
    if row.kind == Kind.PRACTITIONER_REQUEST:
        yield Way(gettext("Confirm"), address(Purpose.CONFIRM, appointment, recipient))
    if row.kind == Kind.REMINDER:
        yield Way(gettext("I will come"), address(Purpose.COME, appointment, recipient))
    if page:
        yield Way(gettext("See the appointment"), page)
    if TRUE_WHILE.get(Kind(row.kind)) not in UPCOMING:
        return
    asks_to_move = asked.to_replace(appointment, now) is not None
    if row.kind in TO_PRACTITIONER:
        # They say why, which the patient reads: that needs a form, and so the login.
        if not asks_to_move:
            yield Way(gettext("Change the time"), _at("appointments:agenda_move", appointment))
        yield Way(gettext("Cancel the appointment"), _at("appointments:agenda_cancel", appointment))
        return
    if page and services.can_move(appointment, now):
        yield Way(gettext("Change the time"), _at("appointments:move", appointment))
    if services.can_cancel(appointment, now):
        cancel = address(Purpose.CANCEL, appointment, recipient)
        withdraw = gettext("Withdraw the request")
        yield Way(withdraw if asks_to_move else gettext("Cancel the appointment"), cancel)


def answers(row: Notification, when: str, now: dt.datetime) -> Iterator[Way]:
    """Of a reminder of several: what can be said of this one. ``when`` tells it apart."""
    appointment = row.appointment
    if appointment is None:
        return
    recipient, said = _recipient_of(row, appointment), {"when": when}
    come = address(Purpose.COME, appointment, recipient)
    yield Way(gettext("I will come at %(when)s") % said, come)
    if services.can_cancel(appointment, now):
        cancel = address(Purpose.CANCEL, appointment, recipient)
        yield Way(gettext("Cancel the appointment at %(when)s") % said, cancel)


def _recipient_of(row: Notification, appointment: Appointment) -> Recipient:
    if row.user:
        return Recipient.account(row.user)
    return Recipient(f"p{appointment.patient_id}", row.to, row.language, None)
