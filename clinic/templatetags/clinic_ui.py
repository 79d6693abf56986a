"""Small helpers of the components in templates/components/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import template
from django.forms import BaseForm, BoundField, CheckboxSelectMultiple, MultiWidget, RadioSelect
from django.utils.safestring import SafeString, mark_safe
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
