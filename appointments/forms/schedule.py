"""Time off: days, hours, every week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from appointments.blocking import Block
from clinic.fields import day_in_reach, in_reach, minutes_between, time_on_the_grid
from clinic.forms import LooseDateField, LooseTimeField
from clinic.models import Location
from scheduling.intervals import Interval, to_instant, to_minute
from scheduling.models import Schedule
from scheduling.wallclock import day_bounds, shift_on

SKIPPED = _("The clock skips this time on that day.")
#: How far ahead time can be blocked.
YEARS_AHEAD = 3


class BlockForm(forms.Form):
    """What every kind of time off has: a private reason, and the location if there are several."""

    location = forms.ChoiceField(label=_("Where"), required=False)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=120,
        help_text=_("For example “Lunch” or “Vacation”. Patients do not see it."),
        error_messages={"max_length": _("Write at most 120 characters.")},
    )

    def __init__(
        self, *args: Any, schedules: Sequence[Schedule], everywhere: bool = True, **kwargs: Any
    ) -> None:
        """``everywhere``: whether it may hold at all locations, or at one of these only."""
        super().__init__(*args, **kwargs)
        self.places: dict[str, Location] = {s.location.slug: s.location for s in schedules}
        self.everywhere = everywhere
        if len(self.places) < 2:
            del self.fields["location"]
            return
        choices = [(k, v.name) for k, v in self.places.items()]
        if everywhere:
            choices.insert(0, ("", str(_("Everywhere"))))
        self.fields["location"].choices = choices  # type: ignore[attr-defined]
        self.fields["location"].required = not everywhere

    @property
    def place(self) -> Location | None:
        """The chosen location; None means everywhere."""
        if not self.everywhere and len(self.places) == 1:
            return next(iter(self.places.values()))
        return self.places.get(self.cleaned_data.get("location", ""))

    @property
    def zones(self) -> list[ZoneInfo]:
        """The clocks that the block is written in, the first one leading."""
        if chosen := self.place:
            return [chosen.zone]
        zones = [place.zone for place in self.places.values()]
        return zones or [ZoneInfo(timezone.get_default_timezone_name())]

    def once(self, spans: Sequence[Interval]) -> list[Block]:
        """One block from the first start to the last end."""
        return [
            Block(
                location=self.place,
                starts_at=to_instant(min(start for start, _end in spans)),
                ends_at=to_instant(max(end for _start, end in spans)),
                reason=self.cleaned_data["reason"],
            )
        ]

    def blocks(self) -> list[Block]:
        raise NotImplementedError


def _check_reach(form: forms.Form, name: str) -> None:
    """A day that is neither over nor out of sight."""
    day: dt.date | None = form.cleaned_data.get(name)
    if day is None:
        return
    today = timezone.localdate()
    if day < today - dt.timedelta(days=1):
        form.add_error(name, _("This day is over. Write today or a later day."))
    elif day.year > today.year + YEARS_AHEAD:
        form.add_error(name, _("Write a day within the next three years."))


class DaysOffForm(BlockForm):
    """Whole days: a vacation in two fields."""

    first_day = LooseDateField(
        label=_("First day"),
        validators=[day_in_reach],
        help_text=_("For example 8 December 2026."),
        error_messages={"required": _("Write the first day.")},
    )
    last_day = LooseDateField(
        label=_("Last day"),
        required=False,
        help_text=_("This day is included. Leave it empty for a single day."),
    )
    field_order = ["first_day", "last_day", "location", "reason"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", _("The last day cannot be before the first."))
        elif last is None:
            _check_reach(self, "first_day")
        else:
            # A vacation that has begun can still be written down.
            _check_reach(self, "last_day")
        return cleaned

    def blocks(self) -> list[Block]:
        first = self.cleaned_data["first_day"]
        last = self.cleaned_data["last_day"] or first
        return self.once(
            [(day_bounds(first, zone)[0], day_bounds(last, zone)[1]) for zone in self.zones]
        )


class HoursOffForm(BlockForm):
    """Some hours of one day."""

    day = LooseDateField(
        label=_("Day"),
        help_text=_("For example 8 December 2026."),
        error_messages={"required": _("Write the day.")},
    )
    start = LooseTimeField(
        label=_("From"),
        validators=[time_on_the_grid],
        help_text=_("For example 9:30."),
        error_messages={"required": _("Write from when.")},
    )
    end = LooseTimeField(
        label=_("To"),
        validators=[time_on_the_grid],
        help_text=_("Midnight is written 0:00."),
        error_messages={"required": _("Write until when.")},
    )
    field_order = ["day", "start", "end", "location", "reason"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        _check_reach(self, "day")
        _check_order(self)
        if not self.errors:
            starts, ends = self.span
            if starts >= ends:
                self.add_error("start", SKIPPED)
            elif to_instant(ends) <= timezone.now():
                self.add_error("end", _("This time is over. Write a later one."))
        return cleaned

    @property
    def span(self) -> Interval:
        """Empty where the clock skips all of it."""
        clean = self.cleaned_data
        return shift_on(clean["day"], clean["start"], clean["end"], self.zones[0])

    def blocks(self) -> list[Block]:
        return self.once([self.span])


def _check_order(form: forms.Form) -> None:
    start, end = form.cleaned_data.get("start"), form.cleaned_data.get("end")
    if start is None or end is None:
        return
    if end <= start and (end != dt.time.min or start == end):
        form.add_error("end", _("The end has to be later than the start."))


def _may_recur(start: dt.time, end: dt.time) -> bool:
    """Within a day, over midnight (half a day at most: else somebody mistyped), or a whole day."""
    over_midnight = minutes_between(start, end) <= 12 * 60
    return start < end or (start != end and over_midnight) or start == end == dt.time.min


class WeeklyOffForm(BlockForm):
    """The same hours every week: lunch."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Every"),
        coerce=int,
        choices=list(WEEKDAYS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one day.")},
    )
    start = LooseTimeField(
        label=_("From"),
        validators=[time_on_the_grid],
        help_text=_("For example 13:00."),
        error_messages={"required": _("Write from when.")},
    )
    end = LooseTimeField(
        label=_("To"),
        validators=[time_on_the_grid],
        help_text=_(
            "For example 14:00. An earlier time than “from” lies on the next day;"
            " from 0:00 to 0:00 is the whole day."
        ),
        error_messages={"required": _("Write until when.")},
    )
    field_order = ["weekdays", "start", "end", "location", "reason"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        start, end = cleaned.get("start"), cleaned.get("end")
        if start is not None and end is not None and not _may_recur(start, end):
            self.add_error("end", _("The end has to be later than the start."))
        return cleaned

    def blocks(self) -> list[Block]:
        clean = self.cleaned_data
        return [
            Block(
                location=self.place,
                weekday=weekday,
                start=clean["start"],
                end=clean["end"],
                reason=clean["reason"],
            )
            for weekday in sorted(set(clean["weekdays"]))
        ]


def whole_days(starts_at: dt.datetime, ends_at: dt.datetime, zone: ZoneInfo) -> bool:
    """Whether the block begins and ends at midnight on that wall."""
    first, last = starts_at.astimezone(zone).date(), ends_at.astimezone(zone).date()
    if not (in_reach(first) and in_reach(last)):
        return False
    return (to_minute(starts_at), to_minute(ends_at)) == (
        day_bounds(first, zone)[0],
        day_bounds(last, zone)[0],
    )
