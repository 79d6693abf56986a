"""Small helpers of the components in templates/components/."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from django import template
from django.forms import BaseForm, BoundField, CheckboxSelectMultiple, MultiWidget, RadioSelect
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

register = template.Library()

_EMPTY_HEADING = re.compile(r"<th( [^>]*)?></th>")


@dataclass(frozen=True, slots=True)
class StatusLook:
    """A status is a word, a shape and a border; colour only repeats it."""

    word: Any
    shape: str


STATUSES = {
    "pending": StatusLook(_("Requested"), "○"),
    "booked": StatusLook(_("Confirmed"), "●"),
    "arrived": StatusLook(_("In the waiting room"), "▲"),
    "fulfilled": StatusLook(_("Seen"), "✔"),
    "cancelled": StatusLook(_("Cancelled"), "✕"),
    "noshow": StatusLook(_("Did not come"), "!"),
}


@register.filter
def status_look(status: str) -> StatusLook:
    return STATUSES[str(status)]


@register.simple_tag
def status_mark(status: str) -> SafeString:
    """components/status.html; written here because an agenda has one in each row."""
    return _status_mark(get_language(), str(status))


@functools.lru_cache(maxsize=64)
def _status_mark(_language: str | None, status: str) -> SafeString:
    look = STATUSES[status]
    return format_html(
        '<span class="status status-{}"><span class="status-shape" aria-hidden="true">{}</span>'
        " {}</span>",
        status,
        look.shape,
        look.word,
    )


@dataclass(frozen=True, slots=True)
class FormError:
    """One line of the error summary and the field it leads to."""

    text: str
    href: str


@register.filter
def first_id(field: BoundField) -> str:
    """The id of the first thing in this field that can take the focus."""
    widget = field.field.widget
    if isinstance(widget, MultiWidget):
        boxes = field.subwidgets[0].data["subwidgets"]
        return str(boxes[0]["attrs"]["id"])
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return f"{field.auto_id}_0"
    return field.id_for_label or field.auto_id


@register.filter
def error_list(form: BaseForm) -> Iterator[FormError]:
    """Every error of the form in reading order: its fields first, then the whole."""
    for field in form:
        for text in field.errors:
            href = "" if field.is_hidden else f"#{first_id(field)}"
            yield FormError(_after_label(str(field.label or ""), str(text)), href)
    for text in form.non_field_errors():
        yield FormError(str(text), "")


def _after_label(label: str, text: str) -> str:
    """“Name: Write it.”, “Where? Choose one.”"""
    if not label:
        return text
    return f"{label} {text}" if label.endswith("?") else f"{label}: {text}"


@register.filter
def alert_look(level_tag: str) -> str:
    """The look of a message by its level."""
    return {"error": "danger", "warning": "warning", "success": "success"}.get(level_tag, "info")


@register.filter
def initials(name: str) -> str:
    """``Ana María Pérez`` → ``AP``, for the disc that stands where a photo would."""
    words = [word for word in str(name).split() if word[:1].isalpha() and not word.endswith(".")]
    picked = words[:1] + words[-1:] if len(words) > 1 else words
    return "".join(word[0] for word in picked).upper()


@register.simple_tag
def slot_days(days: Iterable[Any], level: int, hold: bool = False) -> SafeString:
    """components/slot_times.html; written here because a page of times has hundreds of them."""
    return mark_safe("".join(_slot_day(day, level, hold) for day in days))  # noqa: S308 (escaped below)


def _slot_day(day: Any, level: int, hold: bool) -> str:
    item = _slot_button if hold else _slot_link
    groups = "".join(
        f'{_slot_note(group.note)}\n<ul class="slots">{"".join(map(item, group.times))}\n</ul>'
        for group in day.groups
    )
    return (
        f'<section class="slot-day">\n'
        f'<h{level} class="slot-day-heading">{escape(capfirst(day.heading))}</h{level}>'
        f"{groups}\n</section>\n"
    )


def _slot_note(note: str) -> str:
    return f'\n<p class="note slot-note">{escape(note)}</p>' if note else ""


def _slot_link(time: Any) -> str:
    return f'\n<li><a class="slot" href="{escape(time.url)}">{_slot_text(time)}</a></li>'


def _slot_button(time: Any) -> str:
    return (
        '\n<li><button class="slot" type="submit" form="hold" '
        f'formaction="{escape(time.url)}" name="hold" value="1">{_slot_text(time)}</button></li>'
    )


def _slot_text(time: Any) -> str:
    more = f'<span class="visually-hidden">{_escaped(time.more)}</span>' if time.more else ""
    return _escaped(time.text) + more


@functools.lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    """The same few clock times and names stand on a page again and again."""
    return escape(text)


@register.filter
def tel(number: object) -> str:
    """What a telephone dials: digits, and the plus in front."""
    text = str(number)
    digits = "".join(c for c in text if c.isdigit())
    return f"+{digits}" if text.lstrip().startswith("+") else digits


@register.filter
def no_empty_headings(html: str) -> SafeString:
    """A column without a heading begins with an empty cell: a screen reader says no heading."""
    # The HTML comes from a template, escaped already.
    return mark_safe(_EMPTY_HEADING.sub(lambda th: f"<td{th[1] or ''}></td>", html))  # noqa: S308
