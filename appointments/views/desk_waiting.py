"""Who waits for a time at the locations of this desk: put on the list, called, taken off it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.models import Patient
from appointments import freed, services, waiting
from appointments.exceptions import Refusal
from appointments.forms.waiting import WaitingForm
from appointments.models import Appointment, WaitingListEntry, WaitingOffer, WaitingQuerySet
from appointments.transitions import UPCOMING
from appointments.views.doors import appointment_of_desk, places_of
from appointments.views.practice import at_the_desk
from appointments.views.public import small_page
from appointments.views.waiting import days_of, parts_of
from clinic.models import Location
from clinic.templatetags.clinic_times import local_datetime
from clinic.text import uuid_of

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
    places = _places(request)
    entries = WaitingListEntry.objects.live().concerning(places).with_parts()
    page = Paginator(entries, PAGE).get_page(small_page(request.GET.get("page")))
    context = {
        "calls": to_call(places, timezone.now()),
        "rows": [_row(entry, places) for entry in page],
        "page": page,
        "total": page.paginator.count,
    }
    return render(request, "appointments/desk_waiting.html", context)


def to_call(places: Collection[int], now: dt.datetime) -> QuerySet[WaitingOffer]:
    """What is kept at these locations for patients without an account, the most urgent first."""
    open_ = WaitingOffer.objects.filter(is_open=True, expires_at__gt=now, entry__user=None)
    here = open_.filter(location__in=places, entry__patient__is_active=True)
    parts = here.select_related(
        "entry__patient", "entry__instead_of__location", "service", "practitioner", "location"
    )
    return parts.order_by("expires_at", "pk")


def wishes_of(patient: Patient, places: Collection[int]) -> list[Row]:
    """What this patient waits for, as far as it concerns these locations."""
    theirs = WaitingListEntry.objects.live().filter(patient=patient).concerning(places)
    return [_row(entry, places) for entry in theirs.with_parts()]


def _places(request: HttpRequest) -> list[int]:
    return [place.pk for place in places_of(person(request))]


def _row(entry: WaitingListEntry, places: Collection[int]) -> Row:
    since = timezone.localdate(entry.created_at)
    return Row(entry, since, days_of(entry), parts_of(entry), _old(entry, places))


def _old(entry: WaitingListEntry, places: Collection[int]) -> Appointment | None:
    old = entry.instead_of
    return old if old and old.state in UPCOMING and old.location_id in places else None


def waiting_new(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A wish of whoever is on the phone; in the address what they had in mind."""
    user = person(request)
    patient: Patient = get_object_or_404(Patient.objects.active(), public_id=public_id)
    old = _to_come_before(request, patient)
    if old and not services.can_move(old, timezone.now()):
        return redirect("appointments:desk_appointment", public_id=old.public_id)
    bound = request.POST if request.method == "POST" else None
    form = _form(request, bound, patient, old, places_of(user))
    account = waiting.account_for(patient)
    context: dict[str, Any] = {
        "form": form,
        "patient": patient,
        "appointment": old,
        "account": account,
    }
    if bound is None:
        return _new_page(request, context)
    if not form.is_valid():
        return _new_page(request, context, status=422)
    try:
        waiting.join(user=account, by=at_the_desk(user), **form.wish())
    except Refusal as refusal:
        return _new_page(request, {**context, "refusal": refusal}, status=409)
    messages.success(request, _("%(name)s is on the waiting list.") % {"name": patient.full_name})
    return redirect("appointments:desk_patient", public_id=patient.public_id)


def _to_come_before(request: HttpRequest, patient: Patient) -> Appointment | None:
    """The appointment in the address; 404 for what is not theirs, or not of this desk."""
    text = request.GET.get("instead_of", "")
    if not text:
        return None
    found = appointment_of_desk(request, uuid_of(text) or uuid.UUID(int=0))
    return get_object_or_404(Appointment.objects.with_parts(), pk=found.pk, patient=patient)


def _form(
    request: HttpRequest,
    bound: Any,
    patient: Patient,
    old: Appointment | None,
    places: Collection[Location],
) -> WaitingForm:
    asked = {name: request.GET.get(name, "") for name in ("what", "who", "where")}
    initial = {"who": old.practitioner.slug} if old else asked
    return WaitingForm(bound, patients=[patient], instead_of=old, places=places, initial=initial)


def _new_page(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return render(request, "appointments/desk_waiting_new.html", context, status=status)


def waiting_end(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Off the list; whoever was to be called now need not be."""
    here: WaitingQuerySet = WaitingListEntry.objects.concerning(_places(request))
    entry = get_object_or_404(here.select_related("patient"), public_id=public_id)
    waiting.end(entry=entry, by=at_the_desk(person(request)))
    sentence = _("%(name)s no longer waits for this.") % {"name": entry.patient.full_name}
    messages.success(request, sentence)
    return redirect("appointments:desk_waiting")


def answer(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What they said on the phone. Only for those who cannot answer themselves."""
    here = WaitingOffer.objects.filter(location__in=_places(request), entry__user=None)
    offer = get_object_or_404(here.select_related("entry__patient"), public_id=public_id)
    by = at_the_desk(person(request))
    try:
        if "accept" in request.POST:
            made = freed.accept(offer=offer, by=by)
            facts = {
                "name": offer.entry.patient.full_name,
                "when": local_datetime(made.start, made.zone),
            }
            messages.success(request, _("Given: %(name)s, %(when)s.") % facts)
        elif "decline" in request.POST:
            freed.decline(offer=offer, by=by)
            messages.success(request, _("The time goes to the next one who waits."))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("appointments:desk_waiting")
