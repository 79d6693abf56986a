"""The rows of an agenda and the buttons of a visit, written here because a page has dozens.

What comes from people is escaped; the rest is the text of these lines and of the catalogue.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext, pgettext

from appointments.agenda import FROM_REQUESTS, Action, Day, Gap, Now, Row, Shut, Visit
from appointments.models import Appointment
from appointments.transitions import Status, Verb
from clinic.models import Location
from clinic.templatetags.clinic_times import (
    clock_query,
    duration,
    iso_date,
    local_time,
    time_range,
    when,
    zone_name,
)
from clinic.templatetags.clinic_ui import STATUSES, status_mark
from clinic.text import APART

register = template.Library()

_ANY = uuid.UUID(int=0)


def _address(name: str, appointment: Appointment, *more: str) -> str:
    before, after = _around_the_id(get_script_prefix(), name, *more)
    return f"{before}{appointment.public_id}{after}"


@functools.lru_cache(maxsize=128)
def _around_the_id(_prefix: str, name: str, *more: str) -> list[str]:
    """What stands before and after the id in these addresses."""
    return reverse(f"appointments:{name}", args=[_ANY, *more]).split(str(_ANY))


def _hidden(text: str) -> str:
    """Read aloud after the text that is seen, which says the same in every row."""
    return f'<span class="visually-hidden">, {text}</span>'


@dataclass(frozen=True, slots=True)
class _Page:
    """What holds for each row: the door, the token of its forms, and where they return to."""

    is_desk: bool = False
    token: str = ""
    back: str = ""
    next_visit: Visit | None = None
    shows_place: bool = False
    shows_zone: bool = False

    @property
    def door(self) -> str:
        return "desk" if self.is_desk else "agenda"


def _token(context: Any) -> str:
    token = context.get("csrf_token")
    return f'<input type="hidden" name="csrfmiddlewaretoken" value="{token}">' if token else ""


# --- the buttons of a visit -------------------------------------------------------


@register.simple_tag(takes_context=True)
def visit_button(
    context: Any,
    visit: Visit,
    action: Action,
    look: str,
    volver: str | None = None,
    is_desk: bool | None = None,
) -> SafeString:
    """appointments/_agenda_button.html"""
    page = _Page(bool(is_desk), _token(context), volver or "")
    return mark_safe(_button(visit, action, look, page))  # noqa: S308 (escaped below)


@register.simple_tag
def visit_move(visit: Visit, is_desk: bool | None = None) -> SafeString:
    """appointments/_agenda_move.html"""
    return mark_safe(_move(visit, _Page(bool(is_desk))))  # noqa: S308 (escaped below)


def _button(visit: Visit, action: Action, look: str, page: _Page) -> str:
    appointment, text = visit.appointment, f"{escape(str(action.label))}{_whose(visit)}"
    if action.verb == Verb.CANCEL:
        url = _address(f"{page.door}_cancel", appointment)
        origin = f"?volver={FROM_REQUESTS}" if page.back == FROM_REQUESTS else ""
        return f'<a class="btn btn-outline-danger" href="{url}{origin}">{text}</a>'
    url = _address(f"{page.door}_action", appointment, action.slug)
    back = f'<input type="hidden" name="volver" value="{escape(page.back)}">' if page.back else ""
    return (
        f'<form method="post" action="{url}">{page.token}{back}'
        f'<button class="btn btn-{look}" type="submit">{text}</button></form>'
    )


def _move(visit: Visit, page: _Page) -> str:
    url = _address(f"{page.door}_move", visit.appointment)
    text = escape(gettext("Change the time")) + _whose(visit)
    return f'<a class="btn btn-outline-secondary" href="{url}">{text}</a>'


def _whose(visit: Visit) -> str:
    appointment = visit.appointment
    clock = local_time(appointment.start, appointment.zone)
    return _hidden(f"{escape(appointment.patient.full_name)}, {clock}")


@register.simple_tag
def day_counts(day: Day) -> str:
    """How many appointments, how many of them to confirm, how many gaps."""
    total, asked, gaps = day.total, day.to_confirm, len(day.gaps)
    said = [
        ngettext("%(counter)s appointment", "%(counter)s appointments", total) % {"counter": total}
    ]
    if asked:
        text = ngettext("%(counter)s to confirm", "%(counter)s to confirm", asked)
        said.append(text % {"counter": asked})
    if gaps:
        said.append(ngettext("%(counter)s gap", "%(counter)s gaps", gaps) % {"counter": gaps})
    return APART.join(said)


# --- a day ------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def day_rows(
    context: Any, rows: Iterable[tuple[Row, Sequence[Message]]], next_visit: Visit | None
) -> SafeString:
    """A day in the order of the clock; each visit with what was just said about it."""
    page = _Page(
        token=_token(context),
        back=context["tab"],
        next_visit=next_visit,
        shows_place=context["shows_place"],
        shows_zone=context["shows_zone"],
    )
    drawn = (
        _visit(row, notes, page) if isinstance(row, Visit) else _DRAW[row.kind](row, page)
        for row, notes in rows
    )
    return mark_safe("\n".join(drawn))  # noqa: S308 (escaped below)


def _visit(visit: Visit, notes: Sequence[Message], page: _Page) -> str:
    appointment = visit.appointment
    here = " agenda-is-next" if visit is page.next_visit else ""
    return (
        f'<li class="agenda-row agenda-visit agenda-{appointment.status}{here}"'
        f' id="{visit.anchor}" tabindex="-1">\n'
        f'<p class="agenda-time">'
        f"{time_range(appointment.start, appointment.end, appointment.zone)}</p>\n"
        f'<div class="agenda-what">\n{_who(visit)}\n'
        f'<p class="agenda-service">{escape(str(appointment.service))}'
        f"{_where(appointment.location, page)}</p>\n"
        f"{_on_paper(appointment)}{_why(appointment)}</div>\n"
        f'<p class="agenda-state">{status_mark(appointment.status)}</p>\n'
        f"{_to_do(visit, page)}{_notes(notes)}</li>"
    )


def _who(visit: Visit) -> str:
    appointment = visit.appointment
    url = _address("agenda_appointment", appointment)
    name = escape(appointment.patient.full_name)
    more = "".join(f" {part}" for part in _about(visit) if part)
    return f'<h2 class="agenda-name"><a class="line-link" href="{url}">{name}</a>{more}</h2>'


def _about(visit: Visit) -> Iterable[str]:
    """Age, overbooking, what the patient said, first visit."""
    if visit.age is not None:
        years = ngettext("%(counter)s year old", "%(counter)s years old", visit.age)
        yield f'<span class="agenda-age">{escape(years % {"counter": visit.age})}</span>'
    if visit.appointment.overbooked:
        yield _overbooked(visit.appointment)
    if visit.appointment.coming_since and visit.appointment.status == Status.BOOKED:
        word = pgettext("said by the patient", "Will come")
        yield f'<span class="tag">{escape(word)}</span>'
    if visit.is_first and visit.appointment.status != Status.CANCELLED:
        word = gettext("First visit")
        yield f'<span class="tag">{escape(word)}</span>'


def _on_paper(appointment: Appointment) -> str:
    """The phone, which on the screen is on the page of the appointment."""
    phone = appointment.patient.phone
    if not phone:
        return ""
    return f'<p class="print-only">{escape(phone.as_international)}</p>\n'


def _overbooked(appointment: Appointment) -> str:
    return render_to_string("components/overbooked.html", {"appointment": appointment})


def _why(appointment: Appointment) -> str:
    """Each reason in a line of its own: of the visit, of being on top, of the cancellation."""
    said = [appointment.reason]
    if appointment.overbooked:
        said.append(appointment.overbooking_reason)
    if appointment.status == Status.CANCELLED:
        said.append(appointment.cancellation_reason)
    return "".join(f'<p class="agenda-reason">{escape(text)}</p>\n' for text in said if text)


def _where(location: Location, page: _Page) -> str:
    """On a day of several places which one, on one of several clocks whose."""
    place = f"{APART}{escape(str(location))}" if page.shows_place else ""
    if not page.shows_zone:
        return place
    clock = gettext("%(city)s time") % {"city": zone_name(location.zone)}
    return f"{place}{APART}{escape(clock)}"


def _to_do(visit: Visit, page: _Page) -> str:
    """The next state, taking the last step back, the next appointment; the rest under More."""
    parts = []
    if visit.main:
        parts.append(_button(visit, visit.main, "primary", page))
    if visit.undo:
        parts.append(_button(visit, visit.undo, "outline-secondary", page))
    if visit.appointment.status == Status.FULFILLED:
        parts.append(_give_next(visit))
    if more := _more(visit, page):
        parts.append(more)
    return '<div class="agenda-do">\n' + "\n".join(parts) + "\n</div>\n" if parts else ""


def _give_next(visit: Visit) -> str:
    url = f"{reverse('appointments:give')}?despues={visit.appointment.public_id}"
    name = _hidden(escape(visit.appointment.patient.full_name))
    text = escape(gettext("Give the next appointment"))
    return f'<a class="btn btn-outline-secondary" href="{url}">{text}{name}</a>'


def _more(visit: Visit, page: _Page) -> str:
    parts = []
    for action in visit.more:
        if action.verb == Verb.CANCEL and visit.can_move:
            parts.append(_move(visit, page))
        parts.append(_button(visit, action, "outline-secondary", page))
    if not parts:
        return ""
    name, more = _hidden(escape(visit.appointment.patient.full_name)), escape(gettext("More"))
    return (
        f'<details class="more"><summary>{more}{name}</summary>\n'
        '<div class="more-body agenda-more">\n' + "\n".join(parts) + "\n</div></details>"
    )


def _notes(notes: Sequence[Message]) -> str:
    if not notes:
        return ""
    said = render_to_string("components/messages.html", {"messages": notes})
    return f'<div class="agenda-notes">{said}</div>\n'


def _gap(row: Gap, page: _Page) -> str:
    zone = row.location.zone
    length = gettext("Free, %(length)s") % {"length": duration(row.minutes)}
    give = escape(pgettext("an appointment", "Give"))
    clock = local_time(row.starts_at, zone)
    url = (
        f"{_give(get_script_prefix())}?horario={row.schedule.pk}"
        f"&amp;dia={iso_date(row.starts_at, zone)}&amp;{escape(clock_query(row.starts_at, zone))}"
    )
    return (
        '<li class="agenda-row agenda-gap"><p class="agenda-time">'
        f"{time_range(row.starts_at, row.ends_at, zone)}</p>\n"
        f'<p class="agenda-what">{escape(length)}{_where(row.location, page)}</p>\n'
        f'<p class="agenda-do"><a class="btn btn-outline-primary" href="{url}">'
        f"{give}{_hidden(clock)}</a></p></li>"
    )


@functools.lru_cache(maxsize=8)
def _give(_prefix: str) -> str:
    return reverse("appointments:give")


def _shut(row: Shut, _page: _Page) -> str:
    place = f"{APART}{escape(str(row.location))}" if row.location else ""
    return (
        f'<li class="agenda-row agenda-shut"><p class="agenda-time">{_shut_when(row, "{}")}</p>\n'
        f'<p class="agenda-what">{_shut_why(row)}{place}</p></li>'
    )


def _shut_when(row: Shut, whole_day: str) -> str:
    if row.whole_day:
        return whole_day.format(escape(gettext("All day")))
    return time_range(row.starts_at, row.ends_at, row.zone)


def _shut_why(row: Shut) -> str:
    return escape(str(row.label or pgettext("one", "Time off")))


def _now(row: Now, _page: _Page) -> str:
    text = escape(gettext("Now"))
    return f'<li class="agenda-now"><p>{text}, {when(row.starts_at, row.zone, "time")}</p></li>'


_DRAW: dict[str, Any] = {"gap": _gap, "shut": _shut, "now": _now}


# --- a week -----------------------------------------------------------------------


@register.simple_tag
def week_rows(day: Day, there: str) -> SafeString:
    """The visits and blocks of one day of the week, each a line; ``there`` is the day's page."""
    several = len(day.places) > 1
    drawn = (
        _week_visit(row, there, several) if isinstance(row, Visit) else _week_shut(row)
        for row in day.rows
        if isinstance(row, Visit | Shut)
    )
    return mark_safe("\n".join(drawn))  # noqa: S308 (escaped below)


def _week_visit(visit: Visit, there: str, shows_place: bool) -> str:
    appointment = visit.appointment
    look = STATUSES[appointment.status]
    over = f" {_overbooked(appointment)}" if appointment.overbooked else ""
    place = f'<span class="note"> {escape(str(visit.location))}</span>' if shows_place else ""
    return (
        f'<li class="agenda-{appointment.status}"><a href="{there}#{visit.anchor}">'
        f"{when(appointment.start, appointment.zone, 'time')} "
        f'<span class="agenda-shape" aria-hidden="true">{look.shape}</span>'
        f'<span class="visually-hidden">{escape(str(look.word))},</span> '
        f'<span class="agenda-week-name">{escape(appointment.patient.full_name)}</span></a>'
        f"{over}{place}</li>"
    )


def _week_shut(row: Shut) -> str:
    at = _shut_when(row, "<strong>{}</strong>")
    return f'<li class="agenda-week-shut">{at} {_shut_why(row)}</li>'
