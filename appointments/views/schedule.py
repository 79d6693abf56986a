"""A practitioner's weekly hours and services."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from accounts.models import Practitioner
from appointments.blocking import change_week
from appointments.forms.schedule import OfferingForm
from appointments.forms.week import WeekForm, copy_monday
from appointments.views.hits import settle
from appointments.views.practice import Practice, practice_of
from clinic.models import Service
from scheduling.models import Schedule, ServiceOffering
from scheduling.services import set_offering


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


def services(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    """The services of their specialties at each location, and how they give them."""
    practice = practice_of(request, practitioner)
    if not practice.schedules:
        return nowhere(request, practice, "services")
    catalogue = list(_catalogue(practice.practitioner).select_related("specialty"))
    given = {
        (offering.schedule_id, offering.service_id): offering
        for offering in ServiceOffering.objects.filter(
            schedule__in=practice.schedules
        ).select_related("service")
    }
    places = [
        (schedule, [(service, given.get((schedule.pk, service.pk))) for service in catalogue])
        for schedule in practice.schedules
    ]
    context = {"practice": practice, "page_tabs": practice.tabs("services"), "places": places}
    return render(request, "appointments/schedule_services.html", context)


def _catalogue(practitioner: Practitioner) -> Any:
    """What they may give: their specialties' services, and whatever they give already."""
    own = Q(specialty__in=practitioner.specialties.filter(is_active=True))
    already = Q(offerings__schedule__practitioner=practitioner)
    return Service.objects.active().filter(own | already).distinct().order_by("search_text", "pk")


def service_edit(
    request: HttpRequest, location: str, service: str, practitioner: str = ""
) -> HttpResponse:
    """One service at one location, new or changed."""
    practice = practice_of(request, practitioner)
    schedule = practice.at(location)
    chosen = get_object_or_404(_catalogue(practice.practitioner), slug=service)
    offering = schedule.offerings.filter(service=chosen).first() or ServiceOffering(
        schedule=schedule, service=chosen
    )
    form = OfferingForm(request.POST if request.method == "POST" else None, instance=offering)
    context = {"practice": practice, "form": form, "schedule": schedule, "service": chosen}
    if request.method != "POST":
        return render(request, "appointments/schedule_service.html", context)
    if not form.is_valid():
        return render(request, "appointments/schedule_service.html", context, status=422)
    set_offering(offering=form.save(commit=False), by=practice.by)
    messages.success(request, _("“%(service)s” is saved.") % {"service": chosen.name})
    return redirect(practice.url("services"))
