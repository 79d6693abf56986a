"""Dates that differ from the week: closed, other hours, an extra day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from appointments.forms.schedule import SKIPPED, YEARS_AHEAD
from appointments.forms.shifts import DayShifts, over_midnight
from clinic.forms import LooseDateField
from clinic.templatetags.clinic_times import local_date
from scheduling.closed_days import shut_between, why_shut
from scheduling.models import NIGHT_GOES_ON, DateOverride, Schedule, WorkingHours
from scheduling.wallclock import each_day, shift_on

Kind = DateOverride.Kind
#: Shifts that an exception has room for, and days that it can span.
ROOM, MOST_DAYS = 4, 62


class OverrideForm(forms.Form):
    """What holds on a date, or on each of some dates, at one location.

    ``day``: the date that is changed; without one the form asks for dates that have
    no exception yet.
    """

    location = forms.ChoiceField(label=_("Where"))
    first_day = LooseDateField(
        label=_("Day"),
        help_text=_("For example 8 December 2026."),
        error_messages={"required": _("Write the day.")},
    )
    last_day = LooseDateField(
        label=_("Until"),
        required=False,
        help_text=_("This day is included. Leave it empty for a single day."),
    )
    kind = forms.ChoiceField(
        label=_("What is different"),
        widget=forms.RadioSelect,
        choices=[
            (Kind.CLOSED, _("Closed")),
            (Kind.INSTEAD, _("Other hours instead of the usual ones")),
            (Kind.EXTRA, _("More hours, on top of the usual ones or on a free day")),
        ],
        error_messages={"required": _("Choose what is different.")},
    )

    def __init__(
        self,
        *args: Any,
        schedules: Sequence[Schedule],
        day: dt.date | None = None,
        rows: Sequence[DateOverride] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.places = {schedule.location.slug: schedule for schedule in schedules}
        self.day = day
        if day:
            del self.fields["first_day"], self.fields["last_day"]
        if day or len(self.places) < 2:
            del self.fields["location"]
        else:
            names = [(slug, s.location.name) for slug, s in self.places.items()]
            self.fields["location"].choices = names  # type: ignore[attr-defined]
        if _work_nights(schedules):
            self.fields["kind"].help_text = NIGHT_GOES_ON
        self.shifts = DayShifts(self, "o", room=max(ROOM, len(rows)))
        self.shifts.add(gettext("Hours"), [(r.start, r.end) for r in rows if r.start and r.end])
        if rows:
            self.initial.setdefault("kind", rows[0].kind)

    @property
    def schedule(self) -> Schedule:
        first = next(iter(self.places.values()))
        return self.places.get(self.cleaned_data.get("location", ""), first)

    @property
    def dates(self) -> list[dt.date]:
        if self.day:
            return [self.day]
        first = self.cleaned_data["first_day"]
        return each_day(first, self.cleaned_data["last_day"] or first)

    @property
    def spans(self) -> list[tuple[dt.time, dt.time]]:
        closed = self.cleaned_data["kind"] == Kind.CLOSED
        return [] if closed else list(self.shifts.spans())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kind") in {Kind.INSTEAD, Kind.EXTRA}:
            self.shifts.clean()
            if not self.shifts.errors and not list(self.shifts.spans()):
                self.add_error(
                    self.shifts.boxes[0].start.name, _("Write from when to when it is open.")
                )
        if not self.day:
            self._clean_dates()
        if cleaned.get("kind") in {Kind.INSTEAD, Kind.EXTRA} and not self.errors:
            self._refuse_closed()
            if not self.errors:
                self._refuse_skipped()
        return cleaned

    def _refuse_skipped(self) -> None:
        """Hours that lie in the gap of a clock change would be saved for nothing too."""
        zone = self.schedule.location.zone
        for box, (start, end) in zip(self.shifts.filled(), self.spans, strict=True):
            for day in self.dates:
                opens, closes = shift_on(day, start, end, zone)
                if opens >= closes:
                    self.add_error(box.start.name, SKIPPED)
                    return

    def _refuse_closed(self) -> None:
        """Hours on a day on which nobody works would be saved for nothing."""
        first, last = self.dates[0], self.dates[-1]
        shut = shut_between(self.schedule.location_id, first, last)
        if sentence := why_shut(shut, first, last):
            self.add_error("kind" if self.day else "first_day", sentence)

    def _clean_dates(self) -> None:
        first, last = self.cleaned_data.get("first_day"), self.cleaned_data.get("last_day")
        if first is None or "last_day" in self.errors:
            return
        today = timezone.localdate()
        if first < today - dt.timedelta(days=1):
            self.add_error("first_day", _("This day is over. Write today or a later day."))
        elif first.year > today.year + YEARS_AHEAD:
            self.add_error("first_day", _("Write a day within the next three years."))
        elif last and last < first:
            self.add_error("last_day", _("The last day cannot be before the first."))
        elif last and (last - first).days >= MOST_DAYS:
            self.add_error("last_day", _("For more than two months, add time off instead."))
        else:
            self._refuse_taken(first, last or first)

    def _refuse_taken(self, first: dt.date, last: dt.date) -> None:
        if "location" in self.errors:
            return
        taken = self.schedule.overrides.filter(date__range=(first, last)).order_by("date").first()
        if taken:
            sentence = gettext("There is already an exception on %(day)s. Change or remove it.")
            self.add_error("first_day", sentence % {"day": local_date(taken.date)})


def _work_nights(schedules: Sequence[Schedule]) -> bool:
    lines = WorkingHours.objects.filter(schedule__in=[schedule.pk for schedule in schedules])
    return any(over_midnight(*line) for line in lines.values_list("start", "end"))
