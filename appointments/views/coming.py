"""The next four weeks of a practice: what its rules come to."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.doors import person
from accounts.roles import Role
from appointments.agenda import home_zone
from appointments.outlook import outlook
from appointments.views.practice import practice_of
from appointments.views.schedule import nowhere
from clinic.fields import in_reach

WEEKS, ONE_WEEK = 4, dt.timedelta(weeks=1)


def coming(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    """Four weeks from this one, or from the one in the address."""
    practice = practice_of(request, practitioner)
    if not practice.schedules:
        return nowhere(request, practice, "coming")
    today = timezone.now().astimezone(home_zone(practice.practitioner)).date()
    monday = _monday(request.GET.get("desde", ""), today)
    last = monday + WEEKS * ONE_WEEK - dt.timedelta(days=1)
    days = outlook(practice.practitioner, practice.schedules, monday, last)
    earlier, later = monday - WEEKS * ONE_WEEK, monday + WEEKS * ONE_WEEK
    context = {
        "practice": practice,
        "page_tabs": practice.tabs("coming"),
        "weeks": [days[n : n + 7] for n in range(0, len(days), 7)],
        "monday": monday,
        "last": last,
        "today": today,
        "previous": earlier if in_reach(earlier) else None,
        "next": later if in_reach(later) else None,
        "shows_place": len(practice.schedules) > 1,
        "edits_closures": Role.ADMINISTRATOR in person(request).roles,
    }
    return render(request, "appointments/schedule_coming.html", context)


def _monday(text: str, today: dt.date) -> dt.date:
    """The Monday of the day in the address, or of today when there is no such day."""
    try:
        day = dt.date.fromisoformat(text[:10])
    except ValueError:
        day = today
    monday = day - dt.timedelta(days=day.weekday()) if in_reach(day) else today
    monday -= dt.timedelta(days=monday.weekday())
    reachable = in_reach(monday) and in_reach(monday + WEEKS * ONE_WEEK)
    return monday if reachable else today - dt.timedelta(days=today.weekday())
