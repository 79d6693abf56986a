"""A row of the outbox as the mail it becomes, from the appointment as it is at that moment."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.encoders import encode_base64
from email.header import Header
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
from appointments import asked
from appointments.ical import calendar_file
from appointments.models import Appointment, AppointmentEvent, WaitingOffer
from appointments.services import can_cancel
from appointments.transitions import UPCOMING, Verb
from clinic.models import Location, Organization
from clinic.templatetags.clinic_times import (
    in_zone,
    local_datetime,
    local_day,
    local_time,
    zone_name,
)
from notifications import links, texts
from notifications.facts import Fact
from notifications.letters_of_several import LISTS, listed, reminder
from notifications.links import Way
from notifications.models import TO_PRACTITIONER, Kind, Notification
from notifications.texts import Words

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
#: These take it out of the calendar again.
OUT_OF_CALENDAR = CALLED_OFF | {Kind.EXPIRED}

#: These say who gave a time up, and why.
GONE = CALLED_OFF | {Kind.MOVED, Kind.PRACTITIONER_CANCELLED, Kind.PRACTITIONER_MOVED}


class Mail(EmailMultiAlternatives):
    """Its subject begins in the line of its name, however long it is.

    Django encodes the subject as if it stood alone. Behind its name the first word of it may
    then be too long for the line, which is left empty.
    """

    def message(self, **options: Any) -> Any:
        message = super().message(**options)
        if not str(self.subject).isascii():
            subject = Header(str(self.subject), "utf-8", header_name="Subject")
            message.replace_header("Subject", subject.encode())
        return message


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    message: EmailMultiAlternatives

    @property
    def to(self) -> str:
        return str(self.message.to[0])

    @property
    def text(self) -> str:
        return str(self.message.body)


def letter_for(
    row: Notification,
    now: dt.datetime,
    words: Words | None = None,
    visits: Sequence[Appointment] = (),
) -> Letter:
    """The mail, in the recipient's language and on the clock of the location.

    ``words``: as if the clinic had written these; None: as it has. ``visits``: of a list, as
    if it told of these; empty: of those there are.
    """
    organization = Organization.current()
    if row.user and row.kind != Kind.ACCOUNT:
        row.language = row.user.language
    if row.kind == Kind.ACCOUNT:
        subject, text, html = row.subject, row.text, row.html
    else:
        with translation.override(row.language):
            context = context_of(row, organization, now, visits)
            values = values_of(row, context, now)
            words = words or _words(row, values)
            subject, text, html = _write(row, context, words, values)
    message = Mail(
        subject,
        text,
        to=[_address(row)],
        reply_to=[organization.email] if organization.email else None,
        headers={"Message-ID": message_id(row), "Auto-Submitted": "auto-generated"},
    )
    if html:
        message.attach_alternative(html, "text/html")
    for each in row.told:
        if _is_for_calendars(each):
            for part in _calendar_parts(each, organization, now):
                message.attach(part)
    return Letter(subject, message)


def _words(row: Notification, values: Mapping[str, str]) -> Words:
    """A mail of several appointments has no one time to fill in, and a subject of its own."""
    if row.kind not in texts.ADAPTABLE:
        return texts.OURS
    theirs = texts.words(row.kind, row.language)
    return theirs.for_several(values) if row.tells_of_several else theirs


def context_of(
    row: Notification,
    organization: Organization,
    now: dt.datetime,
    visits: Sequence[Appointment] = (),
) -> dict[str, Any]:
    """What the templates know. ``visits``: see ``letter_for``."""
    if row.offer:
        return _offer(row, organization, now)
    shared = {"organization": organization, "language": row.language}
    if tell := LISTS.get(Kind(row.kind)):
        return {**shared, **tell(visits or listed(row, now), organization)}
    tell_of = reminder if row.tells_of_several else _about
    return {**shared, **tell_of(row, organization, now)}


def message_id(row: Notification) -> str:
    """The same for each try, so that a repetition is recognised as one."""
    digest = hashlib.sha256(row.key.encode()).hexdigest()[:32]
    return f"<{digest}@{urlsplit(settings.BASE_URL).hostname}>"


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


def _write(
    row: Notification, context: dict[str, Any], words: Words, values: dict[str, str]
) -> tuple[str, str, str]:
    context["opening"] = _opening(row, context, words.filled("opening", values))
    context["closing"] = words.filled("closing", values)
    subject = _subject(row, context, words, values)
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
        "instead_of": _named(asked.to_replace(appointment, now)),
        "stays": _named(asked.stays(appointment, now)),
        "ways": [_another_time(row)] if row.kind == Kind.AWAY else links.ways(row, now),
        "language": row.language,
        **_cancellation(row),
    }


def _offer(row: Notification, organization: Organization, now: dt.datetime) -> dict[str, Any]:
    """What the mail about a freed time says: when, until when it is kept, and for whom."""
    offer = row.offer
    assert offer is not None  # noqa: S101 (for mypy)
    location, old = offer.location, offer.entry.instead_of
    page = reverse("appointments:offer", args=[offer.public_id])
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
        "ways": [Way(gettext("See the time and answer"), settings.BASE_URL + page, is_main=True)],
        "language": row.language,
    }


def values_of(row: Notification, context: dict[str, Any], now: dt.datetime) -> dict[str, str]:
    """What the names in the clinic's own words become."""
    if row.tells_of_several:
        return _values_of_several(row, context, now)
    if row.kind in LISTS:
        return _values_of_list(context, now)
    about = told_of(row)
    patient = row.offer.entry.patient if row.offer else _appointment(row).patient
    return {
        "patient": patient.full_name,
        "practitioner": str(about.practitioner),
        "when": subject_when(about, weekday=True),
        "day": _day(about, now),
        "time": local_time(about.start, about.zone),
        **_values_of_place(about.location, context["organization"]),
        "clinic": context["organization"].name,
    }


def _values_of_place(place: Location, organization: Organization) -> dict[str, str]:
    phone = place.phone or organization.phone
    return {
        "place": place.name,
        "address": place.address,
        "phone": phone.as_international if phone else "",
    }


def _values_of_several(
    row: Notification, context: dict[str, Any], now: dt.datetime
) -> dict[str, str]:
    """What is the same for all of them: the day, and the place if they are at one."""
    visits = [each.appointment for each in row.told if each.appointment]
    first = min(visits, key=lambda visit: visit.start)
    organization = context["organization"]
    values = {"clinic": organization.name, "day": _day(first, now)}
    if len({visit.location_id for visit in visits}) == 1:
        values |= _values_of_place(first.location, organization)
    return values


def _values_of_list(context: dict[str, Any], now: dt.datetime) -> dict[str, str]:
    values = {"clinic": context["organization"].name}
    if first := context.get("first"):
        values |= {"practitioner": str(first.practitioner), "day": _day(first, now)}
    return values


def _day(about: Appointment | WaitingOffer, now: dt.datetime) -> str:
    soon = {0: gettext("today"), 1: gettext("tomorrow")}
    return soon.get(_days_ahead(about, now)) or local_day(about.start, about.zone)


def _opening(row: Notification, context: dict[str, Any], theirs: str) -> str:
    """The clinic's words for ours; where ours say who did what and until when, both."""
    if theirs and row.kind not in texts.KEEPS_OURS:
        return theirs
    return f"{theirs}\n\n{our_opening(row, context)}".strip()


def our_opening(row: Notification, context: dict[str, Any]) -> str:
    return _plain(f"notifications/{_folder(row)}/text.txt", context)


def _plain(template: str, context: dict[str, Any]) -> str:
    """Text is not HTML: nothing in it is escaped."""
    found = Engine.get_default().get_template(template)
    return found.render(Context(context, autoescape=False)).strip()


def _subject(
    row: Notification, context: dict[str, Any], words: Words, values: dict[str, str]
) -> str:
    """One line of at most 50 characters; the weekday gives way first, then the clinic's words."""
    about = row.offer or row.appointment
    theirs, ours = [], []
    for weekday in (True, False):
        when = subject_when(about, weekday=weekday) if about else ""
        facts = {**context, "when": when}
        if "day" in facts and not weekday:
            facts["day"] = facts["day"].partition(" ")[2]
        theirs.append(words.filled("subject", {**values, "when": when}))
        ours.append(_plain(f"notifications/{_folder(row)}/subject.txt", facts))
    lines = [" ".join(subject.split()) for subject in (*theirs, *ours) if subject]
    return next((line for line in lines if len(line) <= MAX_SUBJECT), lines[-1])


def told_of(row: Notification) -> Appointment | WaitingOffer:
    return row.offer or _appointment(row)


def _folder(row: Notification) -> str:
    return "reminder_several" if row.tells_of_several else row.kind


def _appointment(row: Notification) -> Appointment:
    if row.appointment is None:
        raise ValueError(f"Message {row.pk} tells of no appointment.")
    return row.appointment


def _days_ahead(appointment: Appointment | WaitingOffer, now: dt.datetime) -> int:
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
    elif row.kind in ABOUT_MOVES and (old := asked.to_replace(appointment, now)):
        # Whom else a patient sees is not told at work.
        is_work = row.kind in TO_PRACTITIONER
        when = local_datetime(old.start, old.zone) if is_work else _named(old)
        yield Fact(gettext("Instead of"), when)
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


def _named(appointment: Appointment | None) -> str:
    """When, with whom and where: of another appointment than the mail's own."""
    if appointment is None:
        return ""
    when = local_datetime(appointment.start, appointment.zone)
    return f"{when}, {appointment.practitioner}, {appointment.location.name}"


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
    if _tells_of_a_granted_move(row):
        return {"granted": True, "by_role": Role.PATIENT, "moved": True, "why": ""}
    verbs = [Verb.CANCEL, Verb.RESCHEDULE]
    event = appointment.events.filter(verb__in=verbs).select_related("by").last()
    role = event.role if event else ""
    return {
        "by_role": role,
        "moved": bool(event and event.verb == Verb.RESCHEDULE),
        "by_reader": bool(event and _is_reader(event, row)),
        "why": appointment.cancellation_reason if role != Role.PATIENT else "",
    }


def _tells_of_a_granted_move(row: Notification) -> bool:
    """The patient asked for it; that the clinic pressed the button is not its own doing."""
    appointment = _appointment(row)
    if row.kind in ABOUT_MOVES:
        return appointment.is_granted_move
    gave_up = appointment.asked_moves.filter(rescheduled_from=appointment)
    return row.kind == Kind.PRACTITIONER_CANCELLED and gave_up.exists()


def _is_reader(event: AppointmentEvent, row: Notification) -> bool:
    """Whoever has no account does it by a link, as the patient."""
    if event.by_id is None:
        return event.role == Role.PATIENT and row.user_id is None
    return event.by_id == row.user_id


def _is_for_calendars(row: Notification) -> bool:
    """What is sure, and the end of it. A request only if it follows what was sure before."""
    if row.kind in SURE | CALLED_OFF:
        return True
    moved_here = row.appointment is not None and row.appointment.calendar_uid is not None
    return row.kind in {Kind.REQUESTED, Kind.EXPIRED} and moved_here


def _another_time(row: Notification) -> Way:
    """Where to look for one. A search would name the specialty in its address: the page of the
    appointment has a link to it, and whoever has no account begins with the practitioner.
    """
    who = _appointment(row).practitioner
    public = reverse("appointments:practitioner", args=[who.slug])
    if not who.is_active:
        public = reverse("appointments:times")
    url = links.page_of(row) or settings.BASE_URL + public
    return Way(gettext("Choose another time"), url, is_main=True)


def _calendar_parts(
    row: Notification, organization: Organization, now: dt.datetime
) -> Iterator[MIMEBase]:
    """What was asked for beside the old one has an entry of its own; the old one's ends."""
    appointment, old = _appointment(row), _appointment(row).rescheduled_from
    cancelled = row.kind in OUT_OF_CALENDAR
    yield _calendar_part(row, appointment, organization, now, cancelled=cancelled)
    if old and row.kind == Kind.MOVED and old.calendar_name != appointment.calendar_name:
        yield _calendar_part(row, old, organization, now, cancelled=True)


def _calendar_part(
    row: Notification,
    appointment: Appointment,
    organization: Organization,
    now: dt.datetime,
    *,
    cancelled: bool,
) -> MIMEBase:
    method = "CANCEL" if cancelled else "PUBLISH"
    name = "turno.ics" if appointment == row.appointment else "turno-anterior.ics"
    data = calendar_file(
        appointment,
        cancelled=cancelled,
        language=row.language,
        url=links.page_of(row) or f"{settings.BASE_URL}/",
        now=now,
        organizer=organization.organizer,
    )
    part = MIMEBase("text", "calendar", method=method, charset="utf-8", name=name)
    part.set_payload(data)
    # Lines of a calendar end in CRLF whatever mail servers do to text.
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part
