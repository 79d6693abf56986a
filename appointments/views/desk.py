"""The day at the desk: who comes, to whom, at what time. Contact only, nothing clinical."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.doors import person
from accounts.models import Practitioner
from appointments.converters import in_reach
from appointments.models import Appointment
from appointments.transitions import Status
from appointments.views.doors import places_of
from appointments.views.practice import PAGES
from appointments.views.public import small_page
from clinic.models import Location
from scheduling.models import Schedule

PAGE = 50
ONE_DAY = dt.timedelta(days=1)


def desk(request: HttpRequest) -> HttpResponse:
    """Every appointment of a day at the locations of this desk, in the order of the clock."""
    places = places_of(person(request))
    today = _today(places)
    day = _chosen_day(request.GET.get("dia", ""), today)
    # Never the reason: the column is not even read.
    rows = list(
        Appointment.objects.filter(location__in=places, local_date=day)
        .defer("reason")
        .with_parts()
        .order_by("start", "practitioner", "pk")
    )
    now = timezone.now()
    context: dict[str, Any] = {
        "day": day,
        "rows": rows,
        "movable": {row.pk for row in rows if row.is_upcoming(now)},
        "total": sum(row.status != Status.CANCELLED for row in rows),
        "places": places,
        "shows_place": len(places) > 1,
        "is_today": day == today,
        "previous": day - ONE_DAY if in_reach(day - ONE_DAY) else None,
        "next": day + ONE_DAY if in_reach(day + ONE_DAY) else None,
    }
    return render(request, "appointments/desk.html", context)


def practitioners(request: HttpRequest) -> HttpResponse:
    """Whose schedules this desk may change."""
    text = request.GET.get("q", "")[:100]
    here = Schedule.objects.active().filter(location__in=places_of(person(request)))
    found = Practitioner.objects.active().filter(schedules__in=here).distinct()
    rows = found.search(text).prefetch_related("specialties").order_by("search_text", "pk")
    page = Paginator(rows, PAGE).get_page(small_page(request.GET.get("page")))
    pages = [(f"appointments:desk_{name}", label) for name, label in PAGES]
    context = {"page": page, "q": text, "pages": pages}
    return render(request, "appointments/desk_practitioners.html", context)


def _today(places: Sequence[Location]) -> dt.date:
    zone = places[0].zone if places else timezone.get_default_timezone()
    return timezone.now().astimezone(zone).date()


def _chosen_day(text: str, today: dt.date) -> dt.date:
    """The day of the address, or today when there is no such day."""
    try:
        day = dt.date.fromisoformat(text[:10])
    except ValueError:
        return today
    return day if in_reach(day) else today
