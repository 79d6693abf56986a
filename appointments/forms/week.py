"""The week of one schedule: the readable table that is also the editor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from appointments.forms.schedule import YEARS_AHEAD
from appointments.forms.shifts import DayShifts, ShiftBoxes
from appointments.offering_rules import Line, as_the_clinic, if_empty, of_the_clinic
from clinic.fields import day_in_reach
from clinic.forms import LooseDateField
from clinic.models import Organization
from scheduling.models import Schedule
from scheduling.services import ScheduleRules
from scheduling.weeks import Hours, Validity

#: Shifts a day that the table has room for, and how many of them it shows at once.
ROOM, SHOWN = 4, 2
_STEPS = (5, 10, 15, 20, 30, 40, 45, 60, 90, 120)
_DAYS = [(str(number), capfirst(name)) for number, name in WEEKDAYS.items()]


@dataclass(frozen=True, slots=True)
class DayRow:
    weekday: int
    name: Any
    shifts: DayShifts

    @property
    def _shown(self) -> int:
        used = [n for n, s in enumerate(self.shifts.boxes) if s.start.value() or s.end.value()]
        return max(SHOWN, (used[-1] + 1) if used else 0)

    @property
    def shown(self) -> list[ShiftBoxes]:
        return self.shifts.boxes[: self._shown]

    @property
    def folded(self) -> list[ShiftBoxes]:
        return self.shifts.boxes[self._shown :]

    @property
    def errors(self) -> list[str]:
        return self.shifts.errors

    @property
    def shows_night(self) -> bool:
        """The mark lies folded away until somebody needs it."""
        return bool(self.shifts.night.value() or self.errors)


def _own(name: str, label: Any, invalid: Any) -> forms.IntegerField:
    """A number of the schedule that may be left to the clinic, as the model bounds it."""
    boxes = {"inputmode": "numeric", "class": "input-short", "maxlength": 12}
    return forms.IntegerField(
        label=label,
        required=False,
        widget=forms.TextInput(attrs=boxes),
        validators=Schedule._meta.get_field(name).validators,  # type: ignore[union-attr]
        error_messages={"invalid": invalid},
    )


class WeekForm(forms.Form):
    """Seven days with up to four shifts each: one set of hours."""

    slot_step = forms.TypedChoiceField(
        label=_("A time every"),
        coerce=int,
        required=False,
        empty_value=None,
        help_text=_("The distance between the times that patients see."),
    )
    min_notice_minutes = _own(
        "min_notice_minutes",
        _("Minimum notice (minutes)"),
        _("Write the length in minutes, for example 30."),
    )
    horizon_days = _own(
        "horizon_days",
        _("How far ahead it can be booked (days)"),
        _("Write the number of days, for example 60."),
    )
    copy_from = forms.ChoiceField(
        label=_("The hours of"),
        choices=_DAYS,
        required=False,
        widget=forms.Select(attrs={"class": "form-select input-short"}),
    )
    copy_to = forms.MultipleChoiceField(
        label=_("To these days"),
        choices=_DAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )

    def __init__(
        self,
        *args: Any,
        lines: Sequence[Hours],
        schedule: Schedule,
        organization: Organization,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        most = max((sum(h.weekday == day for h in lines) for day in WEEKDAYS), default=0)
        self.shifts = {day: DayShifts(self, f"d{day}", room=max(ROOM, most)) for day in WEEKDAYS}
        for day, name in WEEKDAYS.items():
            own = sorted(h for h in lines if h.weekday == day)
            self.shifts[day].add(name, [(h.start, h.end) for h in own])
        clinic = of_the_clinic(organization)
        self._offer_steps(schedule.slot_step, clinic.pop("slot_step"))
        for name, line in clinic.items():
            self.fields[name].help_text = if_empty(line)
        for name in ScheduleRules._fields:
            self.initial.setdefault(name, getattr(schedule, name))

    def _offer_steps(self, own: int | None, clinic: Line) -> None:
        self.fields["slot_step"].choices = [  # type: ignore[attr-defined]
            ("", as_the_clinic(clinic)),
            *(
                (step, ngettext("%(count)s minute", "%(count)s minutes", step) % {"count": step})
                for step in sorted({*_STEPS, own or _STEPS[0]})
            ),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for shifts in self.shifts.values():
            shifts.clean()
        return cleaned

    @property
    def days(self) -> Iterator[DayRow]:
        for weekday, name in WEEKDAYS.items():
            yield DayRow(weekday, name, self.shifts[weekday])

    @property
    def rules(self) -> ScheduleRules:
        """Of a valid form."""
        return ScheduleRules(*(self.cleaned_data[name] for name in ScheduleRules._fields))

    @property
    def lines(self) -> list[Hours]:
        """The week of a valid form."""
        return [
            Hours(day, start, end)
            for day, shifts in self.shifts.items()
            for start, end in shifts.spans()
        ]


class DatedWeekForm(WeekForm):
    """A week that holds from a day on, for good or until a day."""

    valid_from = LooseDateField(
        label=_("From"),
        help_text=_("For example 8 December 2026. The hours until now end the day before."),
        error_messages={"required": _("Write from which day these hours hold.")},
    )
    valid_until = LooseDateField(
        label=_("Until"),
        required=False,
        validators=[day_in_reach],
        help_text=_("Leave it empty if they hold for good. Else the hours of before come back."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        first, last = cleaned.get("valid_from"), cleaned.get("valid_until")
        today = timezone.localdate()
        if first and first < today:
            self.add_error("valid_from", _("This day is over. Write today or a later day."))
        elif first and first.year > today.year + YEARS_AHEAD:
            self.add_error("valid_from", _("Write a day within the next three years."))
        elif first and last and last < first:
            self.add_error("valid_until", _("The last day cannot be before the first."))
        return cleaned

    @property
    def validity(self) -> Validity:
        return Validity(self.cleaned_data["valid_from"], self.cleaned_data["valid_until"])


def copy_day(data: QueryDict) -> tuple[QueryDict, list[int]]:
    """The form as it was sent, with one day's boxes on the days that were ticked; and which."""
    source, copied = data.get("copy_from", "0"), data.copy()
    days = [str(day) for day in WEEKDAYS]
    targets = [day for day in days if day in data.getlist("copy_to") and day != source]
    if source not in days:
        return copied, []
    for target in targets:
        for name in [name for name in copied if name.startswith(f"d{target}_")]:
            del copied[name]
        for name, value in data.items():
            if name.startswith(f"d{source}_") and isinstance(value, str):
                copied[f"d{target}_{name.removeprefix(f'd{source}_')}"] = value
    copied.setlist("copy_to", [])
    return copied, [int(day) for day in targets]


def day_of(text: str) -> dt.date | None:
    """A day as an address carries it."""
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        return None
