"""Dates on which a practice differs from its week: what comes, more of it, away with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments.agenda import home_zone
from appointments.changes import Change, Reach
from appointments.forms.overrides import OverrideForm
from appointments.views.hits import settle
from appointments.views.practice import Practice, practice_of
from appointments.views.schedule import nowhere
from scheduling.models import DateOverride, Schedule
from scheduling.services import remove_overrides, set_overrides

#: So many dates are shown: the page says when there are more, which come up as these pass.
MOST = 100


@dataclass(frozen=True, slots=True)
class Exceptional:
    """One date at one location, and what holds there."""

    date: dt.date
    schedule: Schedule
    rows: list[DateOverride]

    @property
    def kind(self) -> DateOverride.Kind:
        """Closed wins over hours, as it does in the arithmetic."""
        kinds = {DateOverride.Kind(row.kind) for row in self.rows}
        order = (DateOverride.Kind.CLOSED, DateOverride.Kind.INSTEAD, DateOverride.Kind.EXTRA)
        return next(kind for kind in order if kind in kinds)

    @property
    def hours(self) -> list[DateOverride]:
        return [row for row in self.rows if row.start]


def overrides(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    """What is to come, soonest first."""
    practice = practice_of(request, practitioner)
    if not practice.schedules:
        return nowhere(request, practice, "overrides")
    today = timezone.now().astimezone(home_zone(practice.practitioner)).date()
    rows = (
        DateOverride.objects.filter(schedule__in=practice.schedules, date__gte=today)
        .select_related("schedule__location")
        .order_by("date", "schedule", "start", "pk")
    )
    grouped = groupby(rows, key=lambda row: (row.date, row.schedule))
    coming = [Exceptional(day, at, list(lines)) for (day, at), lines in islice(grouped, MOST + 1)]
    context = {
        "practice": practice,
        "page_tabs": practice.tabs("overrides"),
        "coming": coming[:MOST],
        "shown_until": coming[MOST - 1].date if len(coming) > MOST else None,
        "shows_place": len(practice.schedules) > 1,
    }
    return render(request, "appointments/schedule_overrides.html", context)


def add(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    practice = practice_of(request, practitioner)
    if not practice.schedules:
        return nowhere(request, practice, "overrides")
    data = request.POST if request.method == "POST" else None
    form = OverrideForm(data, schedules=practice.schedules, initial=_suggested(request))
    return _save(request, practice, form, None)


def _suggested(request: HttpRequest) -> dict[str, str]:
    """A day and a place that a link brings along; what is no day is refused when it is sent."""
    return {
        "first_day": request.GET.get("dia", "")[:30],
        "location": request.GET.get("sede", "")[:60],
    }


def change(
    request: HttpRequest, location: str, day: dt.date, practitioner: str = ""
) -> HttpResponse:
    """Another thing holds on this date."""
    practice = practice_of(request, practitioner)
    shown = _at(practice, location, day)
    data = request.POST if request.method == "POST" else None
    form = OverrideForm(data, schedules=[shown.schedule], day=day, rows=shown.rows)
    return _save(request, practice, form, shown)


def _at(practice: Practice, location: str, day: dt.date) -> Exceptional:
    schedule = practice.at(location)
    rows = list(schedule.overrides.filter(date=day).order_by("start", "pk"))
    if not rows:
        raise Http404
    return Exceptional(day, schedule, rows)


def _save(
    request: HttpRequest, practice: Practice, form: OverrideForm, shown: Exceptional | None
) -> HttpResponse:
    context = {"form": form, "practice": practice, "shown": shown}
    template = "appointments/schedule_override_form.html"
    if request.method != "POST":
        return render(request, template, context)
    if not form.is_valid():
        return render(request, template, context, status=422)
    if "edit" in request.POST:
        return render(request, template, context)
    write = partial(
        set_overrides,
        schedule=form.schedule,
        dates=form.dates,
        kind=DateOverride.Kind(form.cleaned_data["kind"]),
        spans=form.spans,
        by=practice.by,
    )
    return _make(request, practice, write, _("The exception is saved."))


def remove(
    request: HttpRequest, location: str, day: dt.date, practitioner: str = ""
) -> HttpResponse:
    """A page that asks once, then the week holds again; what that hits is asked about too."""
    practice = practice_of(request, practitioner)
    shown = _at(practice, location, day)
    if request.method != "POST" or "edit" in request.POST:
        context = {"practice": practice, "shown": shown}
        return render(request, "appointments/schedule_override_remove.html", context)
    write = partial(remove_overrides, schedule=shown.schedule, date=day, by=practice.by)
    return _make(
        request, practice, write, _("The exception is removed. The usual hours hold again.")
    )


def _make(
    request: HttpRequest, practice: Practice, write: Callable[[], None], sentence: str
) -> HttpResponse:
    """Ask about whom it hits, or do it and say so."""
    wanted = Change(Reach.of(practice.practitioner), write, practice.by)
    if question := settle(request, change=wanted.make):
        return question
    messages.success(request, sentence)
    return redirect(practice.url("overrides"))
