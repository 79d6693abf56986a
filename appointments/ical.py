"""An appointment as a file that a calendar program takes over (RFC 5545, 5546). Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext, pgettext
from icalendar import Calendar, Event, vCalAddress, vDuration

from appointments.models import Appointment
from appointments.transitions import Status

#: How often a program that subscribes should look.
EVERY = dt.timedelta(hours=1)

_STATUS = {Status.PENDING: "TENTATIVE", Status.CANCELLED: "CANCELLED"}


def calendar_file(
    appointment: Appointment,
    *,
    cancelled: bool,
    language: str,
    url: str,
    now: dt.datetime,
    organizer: str = "",
) -> bytes:
    """The appointment as it is now; ``cancelled`` takes it out of the calendar again.

    A calendar is looked at by others: nobody's name, no specialty, no service, no reason.
    An appointment keeps its UID for ever, moved or not, and its SEQUENCE rises with
    each change, so that a newer file replaces the older entry. ``organizer`` is the
    clinic's e-mail address. Needs ``location`` at hand.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Turnos//Appointments//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    with translation.override(language):
        calendar.add_component(_event(appointment, cancelled, url, now, organizer))
    return calendar.to_ical()


def _event(
    appointment: Appointment, cancelled: bool, url: str, now: dt.datetime, organizer: str
) -> Event:
    location = appointment.location
    status = "CANCELLED" if cancelled else _STATUS.get(appointment.state, "CONFIRMED")
    event = Event()
    event.add("uid", str(appointment.calendar_name))
    event.add("sequence", appointment.calendar_sequence)
    event.add("dtstamp", now.astimezone(dt.UTC).replace(microsecond=0))
    event.add("dtstart", appointment.start.astimezone(dt.UTC))
    event.add("dtend", appointment.end.astimezone(dt.UTC))
    event.add("summary", gettext("Medical appointment"))
    event.add("location", f"{location.name}, {location.address}")
    event.add("description", _description(appointment, url))
    event.add("url", url)
    event.add("class", "PRIVATE")
    event.add("status", status)
    event.add("transp", "TRANSPARENT" if cancelled else "OPAQUE")
    if organizer:
        address = vCalAddress(f"mailto:{organizer}")
        address.params["CN"] = location.name
        event["organizer"] = address
    return event


def _description(appointment: Appointment, url: str) -> str:
    lines = [gettext("Reference %(reference)s") % {"reference": appointment.reference}]
    if appointment.location.phone:
        lines.append(gettext("Phone %(phone)s") % {"phone": appointment.location.phone})
    return "\n".join([*lines, url])


@dataclass(frozen=True, slots=True)
class Entry:
    """An appointment in a feed; ``is_work`` for whoever gives it."""

    appointment: Appointment
    changed_at: dt.datetime
    url: str
    is_work: bool = False

    @property
    def facts(self) -> tuple[str, ...]:
        """Everything the entry is written from."""
        row, place = self.appointment, self.appointment.location
        moments = (row.start, row.end, self.changed_at)
        parts = (row.calendar_name, row.calendar_sequence, row.status, place.name, place.address)
        return (*(m.isoformat() for m in moments), *map(str, parts), self.url)


def calendar_feed(entries: Iterable[Entry], *, language: str) -> bytes:
    """Many appointments as one calendar to subscribe to. The same entries, the same bytes.

    It lies on other people's servers: when and where, no names, no service, no reason.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Turnos//Appointments//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("refresh-interval", vDuration(EVERY), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(EVERY))
    with translation.override(language):
        calendar.add("x-wr-calname", gettext("Appointments"))
        for entry in entries:
            calendar.add_component(_busy_time(entry))
    return calendar.to_ical()


def _busy_time(entry: Entry) -> Event:
    appointment, location = entry.appointment, entry.appointment.location
    gone = not appointment.is_occupying
    title = pgettext("calendar", "Visit") if entry.is_work else gettext("Medical appointment")
    event = Event()
    event.add("uid", str(appointment.calendar_name))
    event.add("sequence", appointment.calendar_sequence)
    event.add("dtstamp", entry.changed_at.astimezone(dt.UTC).replace(microsecond=0))
    event.add("last-modified", entry.changed_at.astimezone(dt.UTC).replace(microsecond=0))
    event.add("dtstart", appointment.start.astimezone(dt.UTC))
    event.add("dtend", appointment.end.astimezone(dt.UTC))
    event.add("summary", gettext("Cancelled: %(title)s") % {"title": title} if gone else title)
    event.add("location", f"{location.name}, {location.address}")
    event.add("url", entry.url)
    event.add("class", "PRIVATE")
    event.add("status", "CANCELLED" if gone else _STATUS.get(appointment.state, "CONFIRMED"))
    event.add("transp", "TRANSPARENT" if gone else "OPAQUE")
    return event
