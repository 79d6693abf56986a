"""One appointment in the hands of the practitioner: look, move on, cancel."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.doors import person
from accounts.roles import Role
from appointments import agenda, asked, giving, story
from appointments.agenda import Visit
from appointments.models import Appointment
from appointments.steps import undoable
from appointments.views import deeds
from appointments.views.agenda import chosen_tab
from appointments.views.doors import as_practitioner, own_appointment
from clinic import audit


def appointment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Everything about one appointment, for the practitioner who gives it."""
    found = own_appointment(request, public_id)
    audit.record(actor=str(person(request)), action="patient.read", target=found.patient)
    now = timezone.now()
    visit = Visit(
        found,
        found.patient.age_on(found.local_date),
        False,
        agenda.actions_for(found, now),
        can_move=agenda.may_move(found, now),
        can_undo=bool(undoable([found], Role.PRACTITIONER, now)),
    )
    context = {
        "appointment": found,
        "visit": visit,
        "zone": found.zone,
        "would_replace": asked.to_replace(found, now),
        "asked_move": asked.requests_of(found).with_parts().first(),
        # Other practitioners' times are not theirs to read.
        "story": story.for_staff(
            found, person(request), lambda part: part.practitioner_id == found.practitioner_id
        ),
        "treats": giving.treats(found.practitioner, found.patient),
        "lapsed": found.is_lapsed(now),
    }
    return render(request, "appointments/agenda_appointment.html", context)


def act(request: HttpRequest, public_id: uuid.UUID, verb: str) -> HttpResponse:
    """One button of the agenda; then back to the row it stands in."""
    found = own_appointment(request, public_id)
    deeds.do(request, found, verb, as_practitioner(request))
    return redirect(_back(request, found))


def _back(request: HttpRequest, found: Appointment) -> str:
    """To the appointment's page if the button stood there, else to the row of its day."""
    origin = request.POST.get("volver", "")
    if origin == "turno":
        return reverse("appointments:agenda_appointment", args=[found.public_id])
    if origin == agenda.FROM_REQUESTS:
        return reverse("appointments:agenda_requests")
    return _row_url(found, tab=chosen_tab(origin)[0])


def _row_url(found: Appointment, tab: str = "") -> str:
    url = reverse("appointments:agenda_day", args=[found.local_date])
    return f"{url}{f'?estado={tab}' if tab else ''}#{agenda.anchor(found)}"


def cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Cancel with a reason, which the patient reads."""
    found = own_appointment(request, public_id)
    back = _row_url(found)
    if request.GET.get("volver") == agenda.FROM_REQUESTS:
        back = reverse("appointments:agenda_requests")
    return deeds.cancel(request, found, by=as_practitioner(request), back=back)
