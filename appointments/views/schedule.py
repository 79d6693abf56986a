"""A practitioner's weekly hours."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from appointments.blocking import change_week
from appointments.forms.week import WeekForm, copy_monday
from appointments.views.hits import settle
from appointments.views.practice import Practice, practice_of
from scheduling.models import Schedule


def hours(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    """To the first location's week."""
    practice = practice_of(request, practitioner)
    if not practice.schedules:
        return nowhere(request, practice, "hours")
    return redirect(practice.url("hours_at", practice.schedules[0].location.slug))


def nowhere(request: HttpRequest, practice: Practice, page: str) -> HttpResponse:
    """Without a location there is nothing to set."""
    tabs = practice.tabs(page)
    title = next(tab["label"] for tab in tabs if tab["current"])
    context = {"practice": practice, "page_tabs": tabs, "title": title}
    return render(request, "appointments/schedule_nowhere.html", context)


def hours_at(request: HttpRequest, location: str, practitioner: str = "") -> HttpResponse:
    """The week at one location: read it, change it, save it."""
    practice = practice_of(request, practitioner)
    schedule = practice.at(location)
    if request.method != "POST":
        return _week_page(request, practice, schedule, WeekForm(schedule=schedule))
    if "copy" in request.POST:
        copied = WeekForm(copy_monday(request.POST), schedule=schedule)
        return _week_page(request, practice, schedule, copied, copied=True)
    form = WeekForm(request.POST, schedule=schedule)
    if not form.is_valid():
        return _week_page(request, practice, schedule, form, status=422)
    if "edit" in request.POST:
        return _week_page(request, practice, schedule, form)
    question = settle(
        request,
        change=partial(
            change_week,
            schedule=schedule,
            hours=form.hours,
            slot_step=form.cleaned_data["slot_step"],
            by=practice.by,
        ),
    )
    if question:
        return question
    messages.success(request, _("The working hours are saved."))
    return redirect(practice.url("hours_at", location))


def _week_page(
    request: HttpRequest,
    practice: Practice,
    schedule: Schedule,
    form: WeekForm,
    *,
    status: int = 200,
    copied: bool = False,
) -> HttpResponse:
    tabs = [
        {
            "url": practice.url("hours_at", s.location.slug),
            "label": s.location.name,
            "current": s == schedule,
            "count": None,
        }
        for s in practice.schedules
    ]
    context = {
        "practice": practice,
        "page_tabs": practice.tabs("hours"),
        "form": form,
        "schedule": schedule,
        "tabs": tabs if len(tabs) > 1 else [],
        "shows_zone": len({s.location.time_zone for s in practice.schedules}) > 1,
        "copied": copied,
    }
    return render(request, "appointments/schedule_hours.html", context, status=status)
