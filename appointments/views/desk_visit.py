"""One appointment in the hands of reception: look, move on, cancel. Nothing clinical."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.doors import person
from appointments import agenda, asked, story
from appointments.agenda import Visit
from appointments.models import Appointment
from appointments.steps import undoable
from appointments.views import deeds
from appointments.views.doors import appointment_of_desk, places_of
from appointments.views.practice import at_the_desk
from clinic import audit


def appointment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """When, with whom, how to reach the patient, and what happened; not why they come."""
    found = appointment_of_desk(request, public_id)
    user, now = person(request), timezone.now()
    audit.record(actor=str(user), action="patient.read", target=found.patient)
    role = at_the_desk(user).role
    places = {place.pk for place in places_of(user)}
    visit = Visit(
        found,
        found.patient.age_on(found.local_date),
        False,
        agenda.actions_for(found, now, role),
        can_move=agenda.may_move(found, now),
        can_undo=bool(undoable([found], role, now)),
    )
    context = {
        "appointment": found,
        "visit": visit,
        "zone": found.zone,
        "would_replace": asked.to_replace(found, now),
        "asked_move": asked.requests_of(found).with_parts().first(),
        "story": story.for_desk(found, user, lambda part: part.location_id in places),
        "back": row_url(found),
        "lapsed": found.is_lapsed(now),
    }
    return render(request, "appointments/desk_appointment.html", context)


def act(request: HttpRequest, public_id: uuid.UUID, verb: str) -> HttpResponse:
    """One button of the desk; then back to the page it stands on."""
    found = appointment_of_desk(request, public_id)
    deeds.do(request, found, verb, at_the_desk(person(request)))
    if request.POST.get("volver") == "turno":
        return redirect("appointments:desk_appointment", public_id=found.public_id)
    if request.POST.get("volver") == agenda.FROM_REQUESTS:
        return redirect("appointments:desk_requests")
    return redirect(row_url(found))


def cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    found = appointment_of_desk(request, public_id)
    by = at_the_desk(person(request))
    back = row_url(found)
    if request.GET.get("volver") == agenda.FROM_REQUESTS:
        back = reverse("appointments:desk_requests")
    return deeds.cancel(request, found, by=by, back=back)


def row_url(found: Appointment) -> str:
    """The appointment's row in the day of its location."""
    query = urlencode({"sede": found.location.slug, "dia": found.local_date.isoformat()})
    return f"{reverse('appointments:desk')}?{query}#{agenda.anchor(found)}"
