"""The services a practitioner gives, and the rules of booking each."""

from __future__ import annotations

import copy
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from accounts.models import Practitioner
from appointments import offering_rules
from appointments.changes import Change, Reach
from appointments.forms.offering import OfferingForm
from appointments.views.hits import settle
from appointments.views.practice import practice_of
from appointments.views.schedule import nowhere
from clinic.models import Organization, Service
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import booking_rules
from scheduling.services import set_offering


def services(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    """The services of their specialties at each location, and how they give them."""
    practice = practice_of(request, practitioner)
    if not practice.schedules:
        return nowhere(request, practice, "services")
    catalogue = list(_catalogue(practice.practitioner).select_related("specialty"))
    offerings = ServiceOffering.objects.filter(schedule__in=practice.schedules)
    given = {(o.schedule_id, o.service_id): o for o in offerings.with_parts()}
    organization = Organization.current()
    places = [
        (
            schedule,
            [
                _row(service, given.get((schedule.pk, service.pk)), organization)
                for service in catalogue
            ],
        )
        for schedule in practice.schedules
    ]
    context = {"practice": practice, "page_tabs": practice.tabs("services"), "places": places}
    return render(request, "appointments/schedule_services.html", context)


def _row(
    service: Service, offering: ServiceOffering | None, organization: Organization
) -> dict[str, Any]:
    if offering is None or not offering.is_active:
        return {"service": service, "offering": None, "rules": []}
    holds = booking_rules(offering, organization)
    return {
        "service": service,
        "offering": offering,
        "is_online": holds.is_online,
        "is_automatic": holds.is_automatic,
        "rules": offering_rules.lines(offering, organization),
    }


def _catalogue(practitioner: Practitioner) -> Any:
    """What they may give: their specialties' services, and whatever they give already."""
    own = Q(specialty__in=practitioner.specialties.filter(is_active=True))
    already = Q(offerings__schedule__practitioner=practitioner)
    return Service.objects.active().filter(own | already).distinct().order_by("search_text", "pk")


def service_edit(
    request: HttpRequest, location: str, service: str, practitioner: str = ""
) -> HttpResponse:
    """One service at one location, new or changed. Withdrawing it asks about whom it hits."""
    practice = practice_of(request, practitioner)
    schedule = practice.at(location)
    chosen = get_object_or_404(_catalogue(practice.practitioner), slug=service)
    data = request.POST if request.method == "POST" else None
    offering = _offering(schedule, chosen)
    form = OfferingForm(data, instance=offering, organization=Organization.current())
    context = {"practice": practice, "form": form, "schedule": schedule, "service": chosen}
    if request.method != "POST":
        return render(request, "appointments/schedule_service.html", context)
    if not form.is_valid():
        return render(request, "appointments/schedule_service.html", context, status=422)
    if "edit" in request.POST:
        return render(request, "appointments/schedule_service.html", context)
    wanted = form.save(commit=False)

    def write() -> None:
        # A copy each time: what a rehearsal has saved is not saved.
        set_offering(offering=copy.copy(wanted), by=practice.by)

    change = Change(Reach.of(practice.practitioner), write, practice.by)
    if question := settle(request, change=change.make):
        return question
    messages.success(request, _("“%(service)s” is saved.") % {"service": chosen.name})
    return redirect(practice.url("services"))


def _offering(schedule: Schedule, service: Service) -> ServiceOffering:
    given = schedule.offerings.filter(service=service).first()
    offering = given or ServiceOffering(schedule=schedule, service=service)
    offering.schedule, offering.service = schedule, service
    return offering
