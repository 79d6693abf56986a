"""The week of one schedule: the readable table that is also the editor."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from clinic.fields import time_on_the_grid
from clinic.forms import LooseTimeField
from scheduling.models import Schedule, WorkingHours
from scheduling.services import Hours

#: Shifts a day that the table has room for, and how many of them it shows at once.
ROOM, SHOWN = 4, 2
MIDNIGHT = dt.time(0)
_STEPS = (5, 10, 15, 20, 30, 40, 45, 60, 90, 120)


class ShiftBoxes(NamedTuple):
    start: forms.BoundField
    end: forms.BoundField


@dataclass(frozen=True, slots=True)
class DayRow:
    weekday: int
    name: Any
    shown: list[ShiftBoxes]
    folded: list[ShiftBoxes]

    @property
    def has_errors(self) -> bool:
        return any(s.start.errors or s.end.errors for s in [*self.shown, *self.folded])

    @property
    def errors(self) -> list[str]:
        """Each sentence once, for the line above the boxes."""
        boxes = [box for shift in [*self.shown, *self.folded] for box in (shift.start, shift.end)]
        return list(dict.fromkeys(str(error) for box in boxes for error in box.errors))


class WeekForm(forms.Form):
    """Seven days with up to four shifts each.

    Hours with dates (valid from, valid until) and shifts over midnight are not in the
    table; they are kept as they are (``kept``).
    """

    slot_step = forms.TypedChoiceField(
        label=_("A time every"),
        coerce=int,
        help_text=_("The distance between the times that patients see."),
    )

    def __init__(self, *args: Any, schedule: Schedule, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = list(schedule.hours.all())
        self.kept = [row for row in rows if not _fits_the_table(row)]
        by_day: dict[int, list[WorkingHours]] = defaultdict(list)
        for row in rows:
            if _fits_the_table(row):
                by_day[row.weekday].append(row)
        self.room = max([ROOM, *(len(lines) for lines in by_day.values())])
        for weekday in WEEKDAYS:
            self._add_day(weekday, by_day[weekday])
        self._offer_steps(schedule.slot_step)

    def _add_day(self, weekday: int, lines: list[WorkingHours]) -> None:
        for n in range(self.room):
            line = lines[n] if n < len(lines) else None
            for end, label in ((False, _("from")), (True, _("to"))):
                field = LooseTimeField(
                    label=gettext("%(day)s, shift %(number)s, %(end)s")
                    % {"day": WEEKDAYS[weekday], "number": n + 1, "end": label},
                    required=False,
                    validators=[time_on_the_grid],
                    initial=line and (line.end if end else line.start),
                )
                field.widget.attrs["class"] = "week-box"
                field.widget.attrs["inputmode"] = "text"
                self.fields[box(weekday, n, end=end)] = field

    def _offer_steps(self, current: int) -> None:
        steps = sorted({*_STEPS, current})
        self.fields["slot_step"].choices = [  # type: ignore[attr-defined]
            (step, ngettext("%(count)s minute", "%(count)s minutes", step) % {"count": step})
            for step in steps
        ]
        self.fields["slot_step"].widget.attrs["class"] = "input-short"
        self.initial.setdefault("slot_step", current)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for weekday in WEEKDAYS:
            self._clean_day(weekday)
        return cleaned

    def _clean_day(self, weekday: int) -> None:
        """Pairs are whole, end after their start, and do not overlap."""
        shifts: list[tuple[int, int, str]] = []
        for n in range(self.room):
            first, last = box(weekday, n), box(weekday, n, end=True)
            if first in self.errors or last in self.errors:
                continue
            start, end = self.cleaned_data.get(first), self.cleaned_data.get(last)
            if (start is None) != (end is None):
                missing = first if start is None else last
                self.add_error(missing, _half_sentence(start))
            elif start is not None and end is not None:
                span = (_minutes(start), _minutes(end) or 24 * 60)
                if span[1] <= span[0]:
                    self.add_error(last, _reversed_sentence(start, end))
                shifts.append((*span, first))
        self._refuse_overlaps(sorted(shifts))

    def _refuse_overlaps(self, shifts: list[tuple[int, int, str]]) -> None:
        for earlier, later in pairwise(shifts):
            if later[0] < earlier[1]:
                sentence = gettext("%(one)s and %(other)s overlap. Change one of them.")
                spans = {"one": _span(*earlier[:2]), "other": _span(*later[:2])}
                self.add_error(later[2], sentence % spans)

    @property
    def days(self) -> Iterator[DayRow]:
        for weekday, name in WEEKDAYS.items():
            shifts = [
                ShiftBoxes(self[box(weekday, n)], self[box(weekday, n, end=True)])
                for n in range(self.room)
            ]
            used = [n for n, s in enumerate(shifts) if s.start.value() or s.end.value()]
            shown = max(SHOWN, (used[-1] + 1) if used else 0)
            yield DayRow(weekday, name, shifts[:shown], shifts[shown:])

    @property
    def hours(self) -> list[Hours]:
        """The whole week as it shall be, what the table does not show included."""
        hours = [
            Hours(row.weekday, row.start, row.end, row.valid_from, row.valid_until)
            for row in self.kept
        ]
        for weekday in WEEKDAYS:
            for n in range(self.room):
                start = self.cleaned_data[box(weekday, n)]
                if start is not None:
                    end = self.cleaned_data[box(weekday, n, end=True)]
                    hours.append(Hours(weekday, start, end))
        return hours


def box(weekday: int, n: int, *, end: bool = False) -> str:
    """The name of one box: ``d0_1_to`` is the end of Monday's second shift."""
    return f"d{weekday}_{n}_{'to' if end else 'from'}"


def copy_monday(data: QueryDict) -> QueryDict:
    """The form as it was sent, with Monday's boxes on Tuesday to Friday as well."""
    copied = data.copy()
    for name, value in data.items():
        if name.startswith("d0_") and isinstance(value, str):
            for weekday in range(1, 5):
                copied[f"d{weekday}_{name.removeprefix('d0_')}"] = value
    return copied


def _fits_the_table(row: WorkingHours) -> bool:
    over_midnight = row.end <= row.start and row.end != MIDNIGHT
    return row.valid_from is None and row.valid_until is None and not over_midnight


def _minutes(clock: dt.time) -> int:
    return clock.hour * 60 + clock.minute


def _span(start: int, end: int) -> str:
    return f"{start // 60}:{start % 60:02}–{end // 60 % 24}:{end % 60:02}"


def _half_sentence(start: dt.time | None) -> str:
    if start is None:
        return gettext("Write when this shift begins, or empty it.")
    return gettext("Write when this shift ends, or empty it.")


def _reversed_sentence(start: dt.time, end: dt.time) -> str:
    span = _span(_minutes(start), _minutes(end))
    sentence = gettext("%(span)s ends before it begins. Midnight is written 0:00.")
    return sentence % {"span": span}
