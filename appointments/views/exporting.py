"""Days of appointments as a file for a spreadsheet: the desk's and the practitioner's own."""

from __future__ import annotations

import datetime as dt

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts.doors import person
from appointments.agenda import home_zone
from appointments.export import as_csv, file_name
from appointments.forms.export import ExportForm
from appointments.models import Appointment
from appointments.views.desk import chosen_day
from appointments.views.doors import own_practice, places_of
from clinic import audit


def export_at_desk(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """All appointments at the locations of this desk, or at one of them."""
    places = places_of(person(request))
    wanted = request.POST.get("sede", request.GET.get("sede", ""))
    here = [place for place in places if place.slug == wanted] or places
    zone = here[0].zone if here else timezone.get_default_timezone()
    rows = Appointment.objects.filter(location__in=here)
    back = reverse("appointments:desk")
    return _export(request, rows, timezone.now().astimezone(zone).date(), back)


def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """One's own appointments."""
    own = own_practice(request)
    today = timezone.now().astimezone(home_zone(own)).date()
    return _export(request, own.appointments.all(), today, reverse("appointments:agenda"))


def _export(
    request: HttpRequest, rows: QuerySet[Appointment], today: dt.date, back: str
) -> HttpResponse | StreamingHttpResponse:
    """Asking for the file is noted: it takes data out of the house."""
    day = chosen_day(request.GET.get("dia", ""), today)
    form = ExportForm(request.POST or None, initial={"desde": day, "hasta": day})
    if request.method != "POST" or not form.is_valid():
        status = 422 if request.method == "POST" else 200
        context = {"form": form, "back": back}
        return render(request, "appointments/export.html", context, status=status)
    first, last = form.cleaned_data["desde"], form.cleaned_data["hasta"]
    rows = rows.filter(local_date__range=(first, last))
    audit.record(
        actor=str(person(request)),
        action="appointment.export",
        target="appointments.appointment",
        first=first.isoformat(),
        last=last.isoformat(),
        rows=rows.count(),
    )
    chosen = rows.defer("reason").with_parts().order_by("start", "pk")  # type: ignore[attr-defined]
    return as_csv(chosen, name=file_name(first, last), contact=True)
