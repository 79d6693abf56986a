"""The boxes of a day's shifts, from and to, as the week and the exceptions have them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.fields import time_on_the_grid
from clinic.forms import LooseTimeField

MIDNIGHT = dt.time(0)
_DAY = 24 * 60
#: From and to.
Span = tuple[dt.time, dt.time]


class ShiftBoxes(NamedTuple):
    start: forms.BoundField
    end: forms.BoundField


def box(key: str, n: int, *, end: bool = False) -> str:
    """The name of one box: ``d0_1_to`` is the end of the second shift of the day ``d0``."""
    return f"{key}_{n}_{'to' if end else 'from'}"


def night_box(key: str) -> str:
    return f"{key}_night"


def over_midnight(start: dt.time, end: dt.time) -> bool:
    """Whether the shift reaches into the next day; until midnight is not into it."""
    return end <= start and end != MIDNIGHT


class DayShifts:
    """The shifts of one day in a form: so many pairs of boxes and the mark for the night.

    ``key`` begins the names of its boxes.
    """

    def __init__(self, form: forms.Form, key: str, *, room: int) -> None:
        self.form, self.key, self.room = form, key, room

    def add(self, day: Any, lines: Sequence[Span]) -> None:
        """Puts the boxes into the form, filled with these shifts. ``day`` names them."""
        for n in range(self.room):
            for is_end, word in enumerate((_("from"), _("to"))):
                field = LooseTimeField(
                    label=gettext("%(day)s, shift %(number)s, %(end)s")
                    % {"day": day, "number": n + 1, "end": word},
                    required=False,
                    validators=[time_on_the_grid],
                    initial=lines[n][is_end] if n < len(lines) else None,
                )
                field.widget.attrs["class"] = "week-box"
                field.widget.attrs["inputmode"] = "text"
                self.form.fields[box(self.key, n, end=bool(is_end))] = field
        self.form.fields[night_box(self.key)] = forms.BooleanField(
            label=_("The last shift ends the next day"),
            required=False,
            initial=any(over_midnight(*line) for line in lines),
        )

    def clean(self) -> None:
        """Pairs are whole, end after their start, and do not overlap."""
        shifts: list[tuple[int, int, str]] = []
        for n in range(self.room):
            first, last = box(self.key, n), box(self.key, n, end=True)
            if first in self.form.errors or last in self.form.errors:
                continue
            start, end = self.form.cleaned_data.get(first), self.form.cleaned_data.get(last)
            if (start is None) != (end is None):
                self.form.add_error(first if start is None else last, _half_sentence(start))
            elif start is not None and end is not None:
                shifts.append((_minutes(start), _minutes(end) or _DAY, first))
        self._check_ends(sorted(shifts))

    def _check_ends(self, shifts: list[tuple[int, int, str]]) -> None:
        """Only the last shift may end the next day, and only with its mark."""
        marked = self.form.cleaned_data.get(night_box(self.key), False)
        for shift in shifts:
            start, end, first = shift
            if end <= start and not (marked and shift == shifts[-1] and end < start):
                sentence = gettext(
                    "%(span)s ends before it begins. Midnight is written 0:00. "
                    "If it ends the next day, mark that."
                )
                last = first.removesuffix("from") + "to"
                self.form.add_error(last, sentence % {"span": _span(start, end)})
        if marked and shifts and _DAY > shifts[-1][1] > shifts[-1][0]:
            sentence = gettext("%(span)s ends on the same day. Take the mark away.")
            self.form.add_error(night_box(self.key), sentence % {"span": _span(*shifts[-1][:2])})
        for earlier, later in pairwise(shifts):
            if later[0] < earlier[1]:
                sentence = gettext("%(one)s and %(other)s overlap. Change one of them.")
                spans = {"one": _span(*earlier[:2]), "other": _span(*later[:2])}
                self.form.add_error(later[2], sentence % spans)

    def spans(self) -> Iterator[Span]:
        """The shifts of a valid form."""
        for n in range(self.room):
            start = self.form.cleaned_data[box(self.key, n)]
            if start is not None:
                yield start, self.form.cleaned_data[box(self.key, n, end=True)]

    def filled(self) -> list[ShiftBoxes]:
        """The boxes of ``spans``, in their order."""
        clean = self.form.cleaned_data
        return [shift for shift in self.boxes if clean[shift.start.name] is not None]

    @property
    def boxes(self) -> list[ShiftBoxes]:
        return [
            ShiftBoxes(self.form[box(self.key, n)], self.form[box(self.key, n, end=True)])
            for n in range(self.room)
        ]

    @property
    def night(self) -> forms.BoundField:
        return self.form[night_box(self.key)]

    @property
    def errors(self) -> list[str]:
        """Each sentence once, for the line above the boxes."""
        boxes = [one for shift in self.boxes for one in shift] + [self.night]
        return list(dict.fromkeys(str(error) for one in boxes for error in one.errors))


def _minutes(clock: dt.time) -> int:
    return clock.hour * 60 + clock.minute


def _span(start: int, end: int) -> str:
    return f"{start // 60}:{start % 60:02}–{end // 60 % 24}:{end % 60:02}"


def _half_sentence(start: dt.time | None) -> str:
    if start is None:
        return gettext("Write when this shift begins, or empty it.")
    return gettext("Write when this shift ends, or empty it.")
