"""Patients at the desk: found, registered, corrected. Contact only; no visit says why."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.duplicates import Likely
from accounts.forms.people import DeskPatientForm, details_of, today
from accounts.models import Patient, looks_like_number
from accounts.registration import KnownAlready, correct_patient, register_patient
from appointments.models import Appointment
from appointments.views import searches
from appointments.views.desk_waiting import wishes_of
from appointments.views.doors import places_of
from appointments.views.practice import at_the_desk
from appointments.views.public import small_page
from clinic import audit
from clinic.text import uuid_of

PAGE = 20
#: What of an address leads back to the appointment that is being given.
GIVING = ("servicio", "horario", "dia", "hora", "ahora")


def patients(request: HttpRequest) -> HttpResponse:
    """Everybody the clinic knows: whoever calls may have been at another location so far."""
    if request.method == "POST":
        return searches.asked_again(request, "q")
    if elsewhere := searches.moved(request):
        return elsewhere
    q, page = searches.text_of(request), None
    if q:
        rows = Patient.objects.active().with_coverage().find(q).order_by("search_text", "pk")
        page = Paginator(rows, PAGE).get_page(small_page(request.GET.get("page")))
    key = searches.key_of(request)
    keeps = urlencode({"s": key} if key else {"q": q}) if q else ""
    context = {"q": q, "page": page, "keeps": keeps}
    return render(request, "appointments/desk_patients.html", context)


def patient(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """How to reach them, and their appointments at the locations of this desk."""
    found = _patient(public_id)
    user = person(request)
    audit.record(actor=str(user), action="patient.read", target=found)
    places = places_of(user)
    visits = Appointment.objects.filter(patient=found, location__in=places)
    rows = visits.defer("reason").with_parts().order_by("-start", "-pk")
    context = {
        "patient": found,
        "age": found.age_on(today()),
        "page": Paginator(rows, PAGE).get_page(small_page(request.GET.get("page"))),
        "wishes": wishes_of(found, [place.pk for place in places]),
        "now": timezone.now(),
    }
    return render(request, "appointments/desk_patient.html", context)


def register(request: HttpRequest) -> HttpResponse:
    """A new record; if it looks like one that is there, that one is offered first."""
    back = _giving(request.GET)
    if elsewhere := searches.moved(request):
        return elsewhere
    if request.method != "POST":
        form = DeskPatientForm(initial=_guess(searches.text_of(request)))
        return _form_page(request, form, back)
    form = DeskPatientForm(request.POST)
    if not form.is_valid():
        return _form_page(request, form, back, status=422)
    try:
        made = register_patient(
            details=form.details,
            said=form.said,
            by=at_the_desk(person(request)),
            seen=_seen(request),
            request_key=uuid_of(request.POST.get("key", "")),
        )
    except KnownAlready as refusal:
        return _form_page(request, form, back, status=409, known=refusal.known)
    messages.success(request, _("%(name)s is registered.") % {"name": made.full_name})
    return redirect(_onward(back, made))


def edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A record corrected; if it then looks like another one, that one is shown first."""
    found = _patient(public_id)
    form = DeskPatientForm(request.POST or None, initial=details_of(found), patient=found)
    if request.method != "POST":
        return _form_page(request, form, "", patient=found)
    if not form.is_valid():
        return _form_page(request, form, "", patient=found, status=422)
    try:
        correct_patient(
            patient=found,
            details=form.details,
            said=form.said,
            by=at_the_desk(person(request)),
            seen=_seen(request),
        )
    except KnownAlready as refusal:
        return _form_page(request, form, "", patient=found, status=409, known=refusal.known)
    messages.success(request, _("The details are saved."))
    return redirect("appointments:desk_patient", public_id=found.public_id)


def _seen(request: HttpRequest) -> set[uuid.UUID]:
    """Whom the page has shown already."""
    return {one for text in request.POST.getlist("conocido") if (one := uuid_of(text))}


def _patient(public_id: uuid.UUID) -> Patient:
    found: Patient = get_object_or_404(Patient.objects.active(), public_id=public_id)
    return found


def _giving(query: QueryDict) -> str:
    """The appointment that is being given meanwhile, as an address; else nothing."""
    known = {name: query[name][:200] for name in GIVING if name in query}
    return f"{reverse('appointments:desk_give')}?{urlencode(known)}" if known else ""


def _onward(back: str, patient: Patient) -> str:
    """On with the appointment if one is being given, else to the patient's page."""
    if back:
        return f"{back}&paciente={patient.public_id}"
    return reverse("appointments:desk_patient", args=[patient.public_id])


def _guess(q: str) -> dict[str, str]:
    """What was looked for in vain, where it belongs: a number, or names with the last one last."""
    if looks_like_number(q):
        digits = "".join(c for c in q if c.isdigit())
        return {"phone": q} if len(digits) > 8 else {"document_number": q}
    first, _space, last = q.rpartition(" ")
    return {"first_name": first or last, "last_name": last if first else ""}


def _form_page(
    request: HttpRequest,
    form: DeskPatientForm,
    back: str,
    *,
    patient: Patient | None = None,
    known: Sequence[Likely] | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "patient": patient,
        "back": back,
        "key": uuid_of(request.POST.get("key", "")) or uuid.uuid4(),
        "known": [(one, _onward(back, one.patient)) for one in known or []],
    }
    return render(request, "appointments/desk_patient_form.html", context, status=status)
