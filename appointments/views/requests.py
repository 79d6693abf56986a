"""All that waits for an answer, over all days: in a practice, and at a desk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.doors import person
from accounts.roles import Role
from appointments.agenda import FROM_REQUESTS, Visit, actions_for, may_move
from appointments.models import Appointment, AppointmentQuerySet
from appointments.views.agenda import sort_messages
from appointments.views.doors import own_practice, places_of
from appointments.views.practice import at_the_desk
from appointments.views.public import small_page

PAGE = 30


def in_practice(request: HttpRequest) -> HttpResponse:
    own = Appointment.objects.filter(practitioner=own_practice(request))
    return _page(request, own, Role.PRACTITIONER)


def at_desk(request: HttpRequest) -> HttpResponse:
    """At the locations of this desk. Never the reason: it is the practitioner's."""
    user = person(request)
    here = Appointment.objects.filter(location__in=places_of(user)).defer("reason")
    return _page(request, here, at_the_desk(user).role)


def _page(request: HttpRequest, mine: AppointmentQuerySet, role: Role) -> HttpResponse:
    now = timezone.now()
    rows = mine.unanswered(now).annotate(asked=Max("events__at")).with_parts().with_replaced()
    page = Paginator(rows, PAGE).get_page(small_page(request.GET.get("page")))
    visits = [
        Visit(row, None, False, actions_for(row, now, role), can_move=may_move(row, now))
        for row in page
    ]
    top, beside = sort_messages(request, {visit.anchor for visit in visits})
    context: dict[str, Any] = {
        "top_messages": top,
        "days": _by_day(visits),
        "notes": beside,
        "page": page,
        "total": page.paginator.count,
        "is_desk": role != Role.PRACTITIONER,
        "places": len({visit.location.pk for visit in visits}),
        "origin": FROM_REQUESTS,
    }
    return render(request, "appointments/requests.html", context)


def _by_day(visits: Sequence[Visit]) -> list[tuple[dt.date, list[Visit]]]:
    def day_of(visit: Visit) -> dt.date:
        return visit.appointment.local_date

    # On two clocks a day can begin before another has ended.
    return [(day, list(some)) for day, some in groupby(sorted(visits, key=day_of), day_of)]
