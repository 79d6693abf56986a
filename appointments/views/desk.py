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
from accounts.rules import may_overbook
from appointments.desk_day import columns
from appointments.transitions import Status
from appointments.views.agenda import sort_messages
from appointments.views.desk_waiting import to_call
from appointments.views.doors import places_of
from appointments.views.practice import PAGES, at_the_desk
from appointments.views.public import small_page
from clinic.fields import in_reach
from clinic.models import Location
from scheduling.models import Schedule

PAGE = 50
ONE_DAY = dt.timedelta(days=1)


def desk(request: HttpRequest) -> HttpResponse:
    """A day of a location: its practitioners side by side, each in the order of the clock."""
    user = person(request)
    places, by, now = places_of(user), at_the_desk(user), timezone.now()
    place = next((p for p in places if p.slug == request.GET.get("sede")), None)
    place = place or next(iter(places), None)
    if place is None:
        return render(request, "appointments/desk_nowhere.html")
    today = now.astimezone(place.zone).date()
    day = chosen_day(request.GET.get("dia", ""), today)
    found = columns(place, day, role=by.role, now=now)
    anchors = {visit.anchor for column in found for visit in column.visits}
    top, beside = sort_messages(request, anchors)
    context: dict[str, Any] = {
        "top_messages": top,
        "day": day,
        "place": place,
        "columns": [
            (column, [(row, beside.get(getattr(row, "anchor", ""), [])) for row in column.rows])
            for column in found
            if not column.is_off
        ],
        "away": [column.practitioner for column in found if column.is_off],
        "total": sum(column.total for column in found),
        "to_confirm": sum(
            visit.appointment.status == Status.PENDING for c in found for visit in c.visits
        ),
        "calls": to_call([one.pk for one in places], now).count(),
        "may_overbook": bool(found) and may_overbook(by, found[0].practitioner),
        "tabs": _places(places, place, day),
        "is_today": day == today,
        "is_past": day < today,
        "previous": day - ONE_DAY if in_reach(day - ONE_DAY) else None,
        "next": day + ONE_DAY if in_reach(day + ONE_DAY) else None,
    }
    return render(request, "appointments/desk.html", context)


def _places(places: Sequence[Location], here: Location, day: dt.date) -> list[dict[str, Any]]:
    """The other locations of this desk, on the same day."""
    return [
        {
            "url": f"?sede={place.slug}&dia={day.isoformat()}",
            "label": place.name,
            "current": place == here,
            "count": None,
        }
        for place in places
    ]


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


def chosen_day(text: str, today: dt.date) -> dt.date:
    """The day of the address, or today when there is no such day."""
    try:
        day = dt.date.fromisoformat(text[:10])
    except ValueError:
        return today
    return day if in_reach(day) else today
