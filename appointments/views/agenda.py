"""A practitioner's day, week and appointments."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.doors import person
from accounts.models import Patient, Practitioner
from appointments import agenda, giving
from appointments.agenda import Day, Row, Visit
from appointments.availability import free_slots
from appointments.transitions import Status
from appointments.views.doors import own_agenda, own_practice
from appointments.views.practice import schedules_of
from clinic import audit, current
from clinic.fields import in_reach
from scheduling.intervals import to_instant
from scheduling.models import ServiceOffering, WorkingHours
from scheduling.wallclock import day_bounds

ONE_DAY, ONE_WEEK = dt.timedelta(days=1), dt.timedelta(weeks=1)

#: The tabs of a day: (value in the address, label, states).
TABS: list[tuple[str, Any, frozenset[Status]]] = [
    ("", gettext_lazy("All"), frozenset(Status)),
    ("por-confirmar", gettext_lazy("To confirm"), frozenset({Status.PENDING})),
    ("confirmados", pgettext_lazy("several", "Confirmed"), frozenset({Status.BOOKED})),
    ("en-sala", gettext_lazy("In the waiting room"), frozenset({Status.ARRIVED})),
    ("atendidos", pgettext_lazy("several", "Seen"), frozenset({Status.FULFILLED})),
    ("no-asistieron", pgettext_lazy("several", "Did not come"), frozenset({Status.NOSHOW})),
    ("cancelados", pgettext_lazy("several", "Cancelled"), frozenset({Status.CANCELLED})),
]


def today(request: HttpRequest) -> HttpResponse:
    practitioner = own_agenda(request)
    now = timezone.now()
    return _day_page(
        request, practitioner, now.astimezone(agenda.home_zone(practitioner)).date(), now
    )


def day(request: HttpRequest, day: dt.date) -> HttpResponse:
    return _day_page(request, own_agenda(request), day, timezone.now())


def _day_page(
    request: HttpRequest, practitioner: Practitioner, date: dt.date, now: dt.datetime
) -> HttpResponse:
    organization = current.organization(request)
    (shown,) = agenda.days(practitioner, date, date, now=now, organization=organization)
    slug, _label, states = chosen_tab(request.GET.get("estado", ""))
    rows: Sequence[Row] = shown.rows
    if slug:
        rows = [v for v in shown.visits if v.appointment.status in states]
    top, beside = sort_messages(request, {row.anchor for row in rows if isinstance(row, Visit)})
    context = {
        "top_messages": top,
        "day": shown,
        "rows": [(row, beside.get(getattr(row, "anchor", ""), [])) for row in rows],
        "next_visit": shown.next_visit,
        "tabs": _tabs(shown, slug),
        "tab": slug,
        "shows_place": len(shown.places) > 1,
        "shows_zone": len({place.time_zone for place in shown.places}) > 1,
        "previous": date - ONE_DAY if in_reach(date - ONE_DAY) else None,
        "next": date + ONE_DAY if in_reach(date + ONE_DAY) else None,
        "is_today": shown.now is not None,
        **({} if shown.total else _why_empty(practitioner, shown, now)),
    }
    return render(request, "appointments/agenda_day.html", context)


def chosen_tab(slug: str) -> tuple[str, Any, frozenset[Status]]:
    return next((tab for tab in TABS if tab[0] == slug), TABS[0])


def sort_messages(
    request: HttpRequest, anchors: set[str]
) -> tuple[list[Message], dict[str, list[Message]]]:
    """What was said about a row stands in that row, where the page opens; the rest on top."""
    top: list[Message] = []
    beside: dict[str, list[Message]] = defaultdict(list)
    for message in messages.get_messages(request):
        if message.extra_tags in anchors:
            beside[message.extra_tags].append(message)
        else:
            top.append(message)
    return top, beside


def _tabs(shown: Day, chosen: str) -> list[dict[str, Any]]:
    """Only the states that occur; a tab that has just run empty stays while it is open."""
    here = reverse("appointments:agenda_day", args=[shown.date])
    tabs = []
    for slug, label, states in TABS:
        count = sum(shown.counts[state] for state in states)
        if count or slug in ("", chosen):
            url = f"{here}?estado={slug}" if slug else here
            tabs.append({"url": url, "label": label, "count": count, "current": slug == chosen})
    return tabs


def _why_empty(practitioner: Practitioner, shown: Day, now: dt.datetime) -> dict[str, Any]:
    """What an empty day says: no location or hours yet, not a working day, off, or free with
    so many times.
    """
    if shown.off or shown.works:
        return {"published": 0 if shown.off else _published(practitioner, shown.date, now)}
    if not schedules_of(practitioner):
        return {"no_hours_yet": True, "works_nowhere": True}
    has_hours = WorkingHours.objects.filter(schedule__practitioner=practitioner).exists()
    return {"no_hours_yet": not has_hours}


def _published(practitioner: Practitioner, date: dt.date, now: dt.datetime) -> int:
    """How many different times patients can choose on this day."""
    offerings = list(
        ServiceOffering.objects.online().with_parts().filter(schedule__practitioner=practitioner)
    )
    bounds = [day_bounds(date, o.location.zone) for o in offerings]
    if not bounds:
        return 0
    start, end = to_instant(min(b[0] for b in bounds)), to_instant(max(b[1] for b in bounds))
    slots = free_slots(offerings, start=start, end=end, now=now)
    return len({slot.start for slot in slots})


def this_week(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    return week(request, now.astimezone(agenda.home_zone(own_practice(request))).date())


def week(request: HttpRequest, monday: dt.date) -> HttpResponse:
    monday -= dt.timedelta(days=monday.weekday())
    days = agenda.days(
        own_agenda(request),
        monday,
        monday + 6 * ONE_DAY,
        now=timezone.now(),
        organization=current.organization(request),
        details=False,
    )
    context = {
        "days": days,
        "monday": monday,
        "sunday": days[-1].date,
        "number": monday.isocalendar().week,
        "previous": monday - ONE_WEEK if in_reach(monday - ONE_WEEK) else None,
        "next": monday + ONE_WEEK if in_reach(monday + ONE_WEEK) else None,
        "shows_place": len({p.pk for shown in days for p in shown.places}) > 1,
        "total": sum(shown.total for shown in days),
    }
    return render(request, "appointments/agenda_week.html", context)


def patient_history(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """This practitioner's visits of one patient. Other practitioners' are not theirs to read."""
    practitioner = own_practice(request)
    patient = get_object_or_404(Patient, public_id=public_id)
    if not giving.treats(practitioner, patient):
        raise Http404
    audit.record(actor=str(person(request)), action="patient.read", target=patient)
    visits = practitioner.appointments.filter(patient=patient).with_parts().order_by("-start")
    now = timezone.now()
    context = {
        "patient": patient,
        "age": patient.age_on(now.astimezone(agenda.home_zone(practitioner)).date()),
        "upcoming": [v for v in reversed(visits) if v.end > now],
        "past": [v for v in visits if v.end <= now],
    }
    return render(request, "appointments/agenda_patient.html", context)
