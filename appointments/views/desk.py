"""The day at the desk: who comes, to whom, at what time. Contact only, nothing clinical."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.doors import person
from accounts.models import User
from accounts.roles import Role
from appointments.converters import in_reach
from appointments.models import Appointment
from appointments.transitions import Status
from clinic.models import Location

ONE_DAY = dt.timedelta(days=1)


def desk(request: HttpRequest) -> HttpResponse:
    """Every appointment of a day at the locations of this desk, in the order of the clock."""
    places = _places(person(request))
    today = _today(places)
    day = _chosen_day(request.GET.get("dia", ""), today)
    # Never the reason: the column is not even read.
    rows = list(
        Appointment.objects.filter(location__in=places, local_date=day)
        .defer("reason")
        .with_parts()
        .order_by("start", "practitioner", "pk")
    )
    context: dict[str, Any] = {
        "day": day,
        "rows": rows,
        "total": sum(row.status != Status.CANCELLED for row in rows),
        "places": places,
        "shows_place": len(places) > 1,
        "is_today": day == today,
        "previous": day - ONE_DAY if in_reach(day - ONE_DAY) else None,
        "next": day + ONE_DAY if in_reach(day + ONE_DAY) else None,
    }
    return render(request, "appointments/desk.html", context)


def _places(user: User) -> list[Location]:
    """All locations for an administrator, else those of the desk."""
    if Role.ADMINISTRATOR in user.roles:
        return list(Location.objects.filter(is_active=True))
    return list(Location.objects.filter(receptionists__user=user, is_active=True))


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
