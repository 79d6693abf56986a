"""A practitioner's weekly hours: one set of them, or the one that follows from a day on."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from appointments.blocking import change_week
from appointments.forms.week import DatedWeekForm, WeekForm, copy_day, day_of
from appointments.views.hits import settle
from appointments.views.practice import Practice, practice_of
from clinic.models import Organization
from clinic.templatetags.clinic_times import local_date
from scheduling import weeks
from scheduling.models import Schedule
from scheduling.weeks import Hours, Validity


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
    """A week at one location: read it, change it, save it.

    Without a query the set that holds today; ``?desde=…&hasta=…`` another one.
    """
    practice = practice_of(request, practitioner)
    schedule = practice.at(location)
    lines = _lines(schedule)
    validity = _validity(request.GET, lines, _today(schedule))
    week = partial(
        WeekForm,
        lines=weeks.of(lines, validity),
        schedule=schedule,
        organization=Organization.current(),
    )
    page = partial(_week_page, request, practice, schedule, lines=lines, validity=validity)
    if request.method == "POST" and "drop" in request.POST and validity.first:
        return _save(request, practice, schedule, weeks.dropped(lines, validity))
    if answer := _before_saving(request, week, page):
        return answer
    form = week(request.POST)
    if not form.is_valid():
        return page(form, status=422)
    wanted = weeks.with_set(lines, validity, form.lines)
    return _save(request, practice, schedule, wanted, form)


def hours_from(request: HttpRequest, location: str, practitioner: str = "") -> HttpResponse:
    """Other hours from a day on: those until now end the day before."""
    practice = practice_of(request, practitioner)
    schedule = practice.at(location)
    lines = _lines(schedule)
    # All that is worked now: every set is replaced from that day on.
    now = weeks.worked_on(lines, _today(schedule))
    week = partial(DatedWeekForm, lines=now, schedule=schedule, organization=Organization.current())
    page = partial(_week_page, request, practice, schedule, lines=lines, validity=None)
    if answer := _before_saving(request, week, page):
        return answer
    form = week(request.POST)
    if not form.is_valid():
        return page(form, status=422)
    wanted = weeks.between(lines, form.validity, form.lines)
    return _save(request, practice, schedule, wanted, form)


def _before_saving(request: HttpRequest, week: Any, page: Any) -> HttpResponse | None:
    """The page as it is read, as it comes back from the question, or with a day copied."""
    if request.method != "POST":
        return page(week())
    if "copy" in request.POST:
        data, days = copy_day(request.POST)
        return page(week(data), copied=[WEEKDAYS[day] for day in days])
    if "edit" in request.POST:
        return page(week(request.POST))
    return None


def _save(
    request: HttpRequest,
    practice: Practice,
    schedule: Schedule,
    wanted: list[Hours],
    form: WeekForm | None = None,
) -> HttpResponse:
    """``form``: says the schedule's own rules too."""
    change = partial(change_week, schedule=schedule, hours=wanted, by=practice.by)
    if form:
        change = partial(change, rules=form.rules)
    if question := settle(request, change=change):
        return question
    messages.success(request, _("The working hours are saved."))
    return redirect(practice.url("hours_at", schedule.location.slug))


def _lines(schedule: Schedule) -> list[Hours]:
    return [
        Hours(row.weekday, row.start, row.end, row.valid_from, row.valid_until)
        for row in schedule.hours.all()
    ]


def _today(schedule: Schedule) -> dt.date:
    return timezone.now().astimezone(schedule.location.zone).date()


def _validity(query: QueryDict, lines: list[Hours], today: dt.date) -> Validity:
    """The set in the address; 404 if the schedule has none like it."""
    if "desde" not in query and "hasta" not in query:
        return weeks.current(lines, today)
    texts = query.get("desde", ""), query.get("hasta", "")
    wanted = Validity(*map(day_of, texts))
    unread = any(text and day is None for text, day in zip(texts, wanted, strict=True))
    if unread or wanted not in weeks.validities(lines):
        raise Http404
    return wanted


def _week_page(
    request: HttpRequest,
    practice: Practice,
    schedule: Schedule,
    form: WeekForm,
    *,
    lines: list[Hours],
    validity: Validity | None,
    status: int = 200,
    copied: list[Any] | None = None,
) -> HttpResponse:
    """``validity`` None: a set that is not there yet."""
    sets = _set_tabs(practice, schedule, lines, validity)
    context = {
        "practice": practice,
        "page_tabs": practice.tabs("hours"),
        "form": form,
        "schedule": schedule,
        "tabs": _location_tabs(practice, schedule),
        "sets": sets if len(sets) > 1 else [],
        "validity": validity,
        "beside": [_said(one) for one in weeks.beside(lines, validity)] if validity else [],
        "says_when": _said(validity) if validity and len(sets) > 1 else "",
        "shows_zone": len({s.location.time_zone for s in practice.schedules}) > 1,
        "copied": copied,
    }
    return render(request, "appointments/schedule_hours.html", context, status=status)


def _location_tabs(practice: Practice, schedule: Schedule) -> list[dict[str, Any]]:
    tabs = [
        {
            "url": practice.url("hours_at", s.location.slug),
            "label": s.location.name,
            "current": s == schedule,
            "count": None,
        }
        for s in practice.schedules
    ]
    return tabs if len(tabs) > 1 else []


def _set_tabs(
    practice: Practice, schedule: Schedule, lines: list[Hours], chosen: Validity | None
) -> list[dict[str, Any]]:
    """The sets that are not over."""
    here = practice.url("hours_at", schedule.location.slug)
    today = _today(schedule)
    return [
        {"url": f"{here}?{_query(one)}", "label": _said(one), "current": one == chosen}
        for one in weeks.validities(lines)
        if one.last is None or one.last >= today or one == chosen
    ]


def _query(validity: Validity) -> str:
    first, last = (day.isoformat() if day else "" for day in validity)
    return urlencode({"desde": first, "hasta": last})


def _said(validity: Validity) -> str:
    days = {
        "first": local_date(validity.first) if validity.first else "",
        "last": local_date(validity.last) if validity.last else "",
    }
    if validity.first and validity.last:
        return _("From %(first)s until %(last)s") % days
    if validity.first:
        return _("From %(first)s on") % days
    return _("Until %(last)s") % days if validity.last else _("Always")
