"""A practitioner's weekly hours and services."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Practitioner
from appointments.blocking import change_week, hit_by_week
from appointments.forms.schedule import OfferingForm
from appointments.forms.week import WeekForm, copy_monday
from appointments.views.doors import as_practitioner, own_practice, own_schedules
from appointments.views.hits import settle
from clinic.models import Service
from scheduling.models import Schedule, ServiceOffering
from scheduling.services import set_offering


def hours(request: HttpRequest) -> HttpResponse:
    """To the first location's week."""
    schedules = own_schedules(own_practice(request))
    if not schedules:
        return render(request, "appointments/schedule_nowhere.html", {"title": _("Working hours")})
    return redirect("appointments:hours_at", location=schedules[0].location.slug)


def hours_at(request: HttpRequest, location: str) -> HttpResponse:
    """The week at one location: read it, change it, save it."""
    schedules = own_schedules(own_practice(request))
    schedule = _at(schedules, location)
    if request.method != "POST":
        return _week_page(request, schedules, schedule, WeekForm(schedule=schedule))
    if "copy" in request.POST:
        copied = WeekForm(copy_monday(request.POST), schedule=schedule)
        return _week_page(request, schedules, schedule, copied, copied=True)
    form = WeekForm(request.POST, schedule=schedule)
    if not form.is_valid():
        return _week_page(request, schedules, schedule, form, status=422)
    if "edit" in request.POST:
        return _week_page(request, schedules, schedule, form)
    question = settle(
        request,
        hits=hit_by_week(schedule, form.hours, timezone.now()),
        change=partial(
            change_week,
            schedule=schedule,
            hours=form.hours,
            slot_step=form.cleaned_data["slot_step"],
            by=as_practitioner(request),
        ),
    )
    if question:
        return question
    messages.success(request, _("The working hours are saved."))
    return redirect("appointments:hours_at", location=location)


def _at(schedules: Any, location: str) -> Schedule:
    found = next((s for s in schedules if s.location.slug == location), None)
    if found is None:
        raise Http404
    return found


def _week_page(
    request: HttpRequest,
    schedules: Any,
    schedule: Schedule,
    form: WeekForm,
    *,
    status: int = 200,
    copied: bool = False,
) -> HttpResponse:
    tabs = [
        {
            "url": reverse("appointments:hours_at", args=[s.location.slug]),
            "label": s.location.name,
            "current": s == schedule,
            "count": None,
        }
        for s in schedules
    ]
    context = {
        "form": form,
        "schedule": schedule,
        "tabs": tabs if len(tabs) > 1 else [],
        "shows_zone": len({s.location.time_zone for s in schedules}) > 1,
        "copied": copied,
    }
    return render(request, "appointments/schedule_hours.html", context, status=status)


def services(request: HttpRequest) -> HttpResponse:
    """The services of their specialties at each location, and how they give them."""
    practitioner = own_practice(request)
    schedules = own_schedules(practitioner)
    if not schedules:
        return render(request, "appointments/schedule_nowhere.html", {"title": _("Services")})
    catalogue = list(_catalogue(practitioner).select_related("specialty"))
    given = {
        (offering.schedule_id, offering.service_id): offering
        for offering in ServiceOffering.objects.filter(schedule__in=schedules).select_related(
            "service"
        )
    }
    places = [
        (schedule, [(service, given.get((schedule.pk, service.pk))) for service in catalogue])
        for schedule in schedules
    ]
    return render(request, "appointments/schedule_services.html", {"places": places})


def _catalogue(practitioner: Practitioner) -> Any:
    """What they may give: their specialties' services, and whatever they give already."""
    own = Q(specialty__in=practitioner.specialties.filter(is_active=True))
    already = Q(offerings__schedule__practitioner=practitioner)
    return Service.objects.active().filter(own | already).distinct().order_by("search_text", "pk")


def service_edit(request: HttpRequest, location: str, service: str) -> HttpResponse:
    """One service at one location, new or changed."""
    practitioner = own_practice(request)
    schedule = _at(own_schedules(practitioner), location)
    chosen = get_object_or_404(_catalogue(practitioner), slug=service)
    offering = schedule.offerings.filter(service=chosen).first() or ServiceOffering(
        schedule=schedule, service=chosen
    )
    form = OfferingForm(request.POST if request.method == "POST" else None, instance=offering)
    context = {"form": form, "schedule": schedule, "service": chosen}
    if request.method != "POST":
        return render(request, "appointments/schedule_service.html", context)
    if not form.is_valid():
        return render(request, "appointments/schedule_service.html", context, status=422)
    set_offering(offering=form.save(commit=False), by=as_practitioner(request))
    messages.success(request, _("“%(service)s” is saved.") % {"service": chosen.name})
    return redirect("appointments:services")
