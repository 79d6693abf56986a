"""A row of the outbox as the mail it becomes, from the appointment as it is at that moment."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context, Engine
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import gettext

from accounts.roles import Role
from appointments.ical import calendar_file
from appointments.models import Appointment, WaitingOffer
from appointments.services import can_cancel
from appointments.transitions import UPCOMING, Verb
from clinic.models import Organization
from clinic.templatetags.clinic_times import (
    in_zone,
    local_datetime,
    local_day,
    local_time,
    zone_name,
)
from notifications.facts import Fact
from notifications.letters_of_several import DIGESTS, reminder
from notifications.models import TO_PRACTITIONER, Kind, Notification

MAX_SUBJECT = 50
#: Patients are expected.
SURE = frozenset({Kind.BOOKED, Kind.CONFIRMED, Kind.MOVED, Kind.REMINDER})
#: These tell patients how to come.
TO_COME = SURE | {Kind.REQUESTED}
#: These take it out of the calendar.
CALLED_OFF = frozenset({Kind.CANCELLED, Kind.AWAY})
#: These say where a moved appointment was before.
ABOUT_MOVES = frozenset(
    {Kind.MOVED, Kind.REQUESTED, Kind.PRACTITIONER_MOVED, Kind.PRACTITIONER_REQUEST}
)
#: These put the appointment into the calendar, and cancelling takes it out again.
WITH_CALENDAR = SURE | CALLED_OFF

#: These say who gave a time up, and why.
GONE = CALLED_OFF | {Kind.MOVED, Kind.PRACTITIONER_CANCELLED, Kind.PRACTITIONER_MOVED}


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    message: EmailMultiAlternatives


def letter_for(row: Notification, now: dt.datetime) -> Letter:
    """The mail, in the recipient's language and on the clock of the location."""
    organization = Organization.current()
    if row.user and row.kind != Kind.ACCOUNT:
        row.language = row.user.language
    if row.kind == Kind.ACCOUNT:
        subject, text, html = row.subject, row.text, row.html
    else:
        with translation.override(row.language):
            context = _context(row, organization, now)
            subject, text, html = _write(row, context)
    message = EmailMultiAlternatives(
        subject,
        text,
        to=[_address(row)],
        reply_to=[organization.email] if organization.email else None,
        headers={"Message-ID": message_id(row), "Auto-Submitted": "auto-generated"},
    )
    if html:
        message.attach_alternative(html, "text/html")
    if row.kind in WITH_CALENDAR:
        for each in (row, *row.companions):
            message.attach(_calendar_part(each, organization, now))
    return Letter(subject, message)


def _context(row: Notification, organization: Organization, now: dt.datetime) -> dict[str, Any]:
    if row.offer:
        return _offer(row, organization, now)
    tell = DIGESTS.get(Kind(row.kind)) or (reminder if row.companions else _about)
    shared = {"organization": organization, "language": row.language}
    return {**shared, **tell(row, organization, now)}


def message_id(row: Notification) -> str:
    """The same for each try, so that a repetition is recognised as one."""
    digest = hashlib.sha256(row.key.encode()).hexdigest()[:32]
    return f"<{digest}@{urlsplit(settings.BASE_URL).hostname}>"


def page_of(row: Notification) -> str:
    """The address of the appointment's page; empty for somebody without an account."""
    if row.user is None or row.appointment is None:
        return ""
    work = row.kind in TO_PRACTITIONER
    name = "appointments:agenda_appointment" if work else "appointments:detail"
    return settings.BASE_URL + reverse(name, args=[row.appointment.public_id])


def subject_when(appointment: Appointment | WaitingOffer, *, weekday: bool) -> str:
    """``martes 8 de diciembre, 10:30``, or without the weekday where room is short."""
    day = local_day(appointment.start, appointment.zone)
    if not weekday:
        day = day.partition(" ")[2]
    return f"{day}, {local_time(appointment.start, appointment.zone)}"


def _address(row: Notification) -> str:
    """Where the account is reached today; a mail about the account goes where it was sent to."""
    if row.kind == Kind.ACCOUNT or row.user is None:
        return row.to
    return row.user.email


def _write(row: Notification, context: dict[str, Any]) -> tuple[str, str, str]:
    context["opening"] = _plain(f"notifications/{_folder(row)}/text.txt", context)
    subject = _subject(row, context)
    text = _plain("notifications/body.txt", context)
    html = render_to_string("notifications/body.html", {**context, "subject": subject})
    return subject, f"{text}\n", html


def _about(row: Notification, organization: Organization, now: dt.datetime) -> dict[str, Any]:
    """What the mail about an appointment says."""
    appointment = _appointment(row)
    return {
        "appointment": appointment,
        "organization": organization,
        "phone": _phone(row, organization),
        "days_ahead": _days_ahead(appointment, now),
        "time": local_time(appointment.start, appointment.zone),
        "headline": _headline(appointment),
        "facts": list(_facts(row, organization, now)),
        "preparation": _preparation(row),
        "answer_until": _answer_until(appointment),
        "url": page_of(row),
        "language": row.language,
        **_cancellation(row),
        **(_another_time(row) if row.kind == Kind.AWAY else {}),
    }


def _offer(row: Notification, organization: Organization, now: dt.datetime) -> dict[str, Any]:
    """What the mail about a freed time says: when, until when it is kept, and for whom."""
    offer = row.offer
    assert offer is not None  # noqa: S101 (for mypy)
    location, old = offer.location, offer.entry.instead_of
    if old and old.state not in UPCOMING:
        old = None
    facts = [
        Fact(gettext("Patient"), offer.entry.patient.full_name),
        Fact(gettext("With"), str(offer.practitioner)),
        Fact(gettext("Where"), f"{location.name}, {location.address}"),
    ]
    if old:
        facts.append(Fact(gettext("Instead of"), local_datetime(old.start, old.zone)))
    return {
        "organization": organization,
        "headline": _headline(offer),
        "facts": facts,
        "until": local_time(offer.expires_at, offer.zone),
        "url": settings.BASE_URL + reverse("appointments:offer", args=[offer.public_id]),
        "link_text": gettext("See the time and answer"),
        "language": row.language,
    }


def _plain(template: str, context: dict[str, Any]) -> str:
    """Text is not HTML: nothing in it is escaped."""
    found = Engine.get_default().get_template(template)
    return found.render(Context(context, autoescape=False)).strip()


def _subject(row: Notification, context: dict[str, Any]) -> str:
    """One line of at most 50 characters; the weekday gives way first."""
    subject = ""
    about = row.offer or row.appointment
    for weekday in (True, False):
        when = subject_when(about, weekday=weekday) if about else ""
        words = {**context, "when": when}
        if "day" in words and not weekday:
            words["day"] = words["day"].partition(" ")[2]
        subject = _plain(f"notifications/{_folder(row)}/subject.txt", words)
        if len(subject) <= MAX_SUBJECT:
            break
    return " ".join(subject.split())


def _folder(row: Notification) -> str:
    return "reminder_several" if row.companions else row.kind


def _appointment(row: Notification) -> Appointment:
    if row.appointment is None:
        raise ValueError(f"Message {row.pk} tells of no appointment.")
    return row.appointment


def _days_ahead(appointment: Appointment, now: dt.datetime) -> int:
    """Days between today and the appointment's day on the location's calendar."""
    day = in_zone(appointment.start, appointment.zone).date()
    return (day - in_zone(now, appointment.zone).date()).days


def _headline(appointment: Appointment | WaitingOffer) -> str:
    """Day, time and whose clock: what the preview of the mail shows."""
    when = capfirst(local_datetime(appointment.start, appointment.zone))
    clock = gettext("%(city)s time") % {"city": zone_name(appointment.zone)}
    return f"{when} ({clock})"


def _facts(row: Notification, organization: Organization, now: dt.datetime) -> Iterator[Fact]:
    appointment = _appointment(row)
    location = appointment.location
    if row.kind in ABOUT_MOVES and appointment.rescheduled_from:
        yield Fact(gettext("Before"), _where_it_was(appointment, appointment.rescheduled_from))
    yield Fact(gettext("Patient"), appointment.patient.full_name)
    if row.kind not in TO_PRACTITIONER:
        yield Fact(gettext("With"), str(appointment.practitioner))
    if organization.service_in_mails:
        yield Fact(gettext("Service"), str(appointment.service))
    yield Fact(gettext("Where"), f"{location.name}, {location.address}")
    if row.kind in TO_COME and location.directions:
        yield Fact(gettext("How to get there"), location.directions)
    yield Fact(gettext("Reference"), appointment.reference)
    if row.kind in SURE and can_cancel(appointment, now):
        until = local_datetime(appointment.cancellable_until, appointment.zone)
        yield Fact(gettext("Can be cancelled until"), until)


def _where_it_was(appointment: Appointment, old: Appointment) -> str:
    """The time before the move; the person and the place too, if they are others now."""
    parts = [local_datetime(old.start, old.zone)]
    if old.practitioner_id != appointment.practitioner_id:
        parts.append(str(old.practitioner))
    if old.location_id != appointment.location_id:
        parts.append(old.location.name)
    return ", ".join(parts)


def _preparation(row: Notification) -> str:
    return _appointment(row).service.preparation if row.kind in TO_COME else ""


def _phone(row: Notification, organization: Organization) -> str:
    """Whom patients call: the location, else the clinic."""
    phone = _appointment(row).location.phone or organization.phone
    return phone.as_international if phone and row.kind not in TO_PRACTITIONER else ""


def _answer_until(appointment: Appointment) -> str:
    """Until when a request waits for its answer."""
    return local_datetime(appointment.expires_at, appointment.zone)


def _cancellation(row: Notification) -> dict[str, Any]:
    """By whom, and the reason that staff gave. A patient's own words stay on the page."""
    if row.kind not in GONE:
        return {}
    appointment = _appointment(row)
    if row.kind in ABOUT_MOVES and appointment.rescheduled_from:
        appointment = appointment.rescheduled_from
    verbs = [Verb.CANCEL, Verb.RESCHEDULE]
    event = appointment.events.filter(verb__in=verbs).select_related("by").last()
    role = event.role if event else ""
    return {
        "by_role": role,
        "moved": bool(event and event.verb == Verb.RESCHEDULE),
        "by_reader": bool(event and event.by_id and event.by_id == row.user_id),
        "why": appointment.cancellation_reason if role != Role.PATIENT else "",
    }


def _another_time(row: Notification) -> dict[str, str]:
    """Where to look for one. A search would name the specialty in its address: the page of the
    appointment has a link to it, and whoever has no account begins with the practitioner.
    """
    who = _appointment(row).practitioner
    public = reverse("appointments:practitioner", args=[who.slug])
    if not who.is_active:
        public = reverse("appointments:times")
    return {
        "url": page_of(row) or settings.BASE_URL + public,
        "link_text": gettext("Choose another time"),
    }


def _calendar_part(row: Notification, organization: Organization, now: dt.datetime) -> MIMEBase:
    cancelled = row.kind in CALLED_OFF
    method = "CANCEL" if cancelled else "PUBLISH"
    data = calendar_file(
        _appointment(row),
        cancelled=cancelled,
        language=row.language,
        url=page_of(row) or f"{settings.BASE_URL}/",
        now=now,
        organizer=organization.email,
    )
    part = MIMEBase("text", "calendar", method=method, charset="utf-8", name="turno.ics")
    part.set_payload(data)
    # Lines of a calendar end in CRLF whatever mail servers do to text.
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename="turno.ics")
    return part
