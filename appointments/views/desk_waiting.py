"""Who waits for a time at the locations of this desk. Contact only; looking changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.doors import person
from appointments.models import Appointment, WaitingListEntry
from appointments.transitions import UPCOMING
from appointments.views.doors import places_of
from appointments.views.public import small_page
from appointments.views.waiting import days_of, parts_of

PAGE = 30


@dataclass(frozen=True, slots=True)
class Row:
    """A wish; ``old`` is the appointment to come before, if this desk may see it."""

    entry: WaitingListEntry
    since: dt.date
    days: str
    parts: str
    old: Appointment | None


def waiting_at_desk(request: HttpRequest) -> HttpResponse:
    places = [place.pk for place in places_of(person(request))]
    entries = WaitingListEntry.objects.live().concerning(places).with_parts()
    page = Paginator(entries, PAGE).get_page(small_page(request.GET.get("page")))
    context = {
        "rows": [_row(entry, places) for entry in page],
        "page": page,
        "total": page.paginator.count,
    }
    return render(request, "appointments/desk_waiting.html", context)


def _row(entry: WaitingListEntry, places: Collection[int]) -> Row:
    since = timezone.localdate(entry.created_at)
    return Row(entry, since, days_of(entry), parts_of(entry), _old(entry, places))


def _old(entry: WaitingListEntry, places: Collection[int]) -> Appointment | None:
    old = entry.instead_of
    return old if old and old.state in UPCOMING and old.location_id in places else None
