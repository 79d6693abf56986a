"""A patient's own appointments: look, cancel, take along to a calendar."""

from __future__ import annotations

import datetime as dt
import uuid

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language

from accounts.doors import person
from accounts.models import Patient
from accounts.roles import Actor
from appointments import asked, services, story
from appointments.exceptions import Refusal
from appointments.forms.booking import CancelForm
from appointments.ical import calendar_file
from appointments.models import Appointment
from appointments.transitions import UPCOMING, Status
from appointments.views.public import small_page
from clinic import current
from clinic.models import Organization

PAGE = 20


def own_visit(request: HttpRequest, public_id: uuid.UUID) -> Appointment:
    """The appointment of one of this account's patients; 404 for anybody else's."""
    mine = Appointment.objects.of_patients_of(person(request)).with_parts().with_replaced()
    found: Appointment = get_object_or_404(mine, public_id=public_id)
    return found


def appointment_list(request: HttpRequest) -> HttpResponse:
    """Upcoming first, the past below, page by page."""
    now = timezone.now()
    patients = list(Patient.objects.of(person(request)).order_by("pk"))
    mine = Appointment.objects.filter(patient__in=patients).with_parts().with_replaced()
    upcoming = list(mine.upcoming(now)[:100])
    moves = {old.pk: row for row in upcoming if (old := asked.to_replace(row, now))}
    past = mine.exclude(status__in=UPCOMING, end__gt=now).order_by("-start")
    context = {
        "upcoming": [(row, moves.get(row.pk), asked.to_replace(row, now)) for row in upcoming],
        "page": Paginator(past, PAGE).get_page(small_page(request.GET.get("page"))),
        "several": len(patients) > 1,
    }
    return render(request, "appointments/appointment_list.html", context)


def appointment_detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The appointment's page for ever: the same address says today's state."""
    appointment = own_visit(request, public_id)
    now = timezone.now()
    asked_move = asked.requests_of(appointment).with_parts().first()
    context = {
        "appointment": appointment,
        "can_cancel": services.can_cancel(appointment, now),
        "can_move": services.can_move(appointment, now) and asked_move is None,
        "asked_move": asked_move,
        "would_replace": asked.to_replace(appointment, now),
        "stays": asked.stays(appointment, now),
        "moved_to": Appointment.objects.filter(rescheduled_from=appointment).first(),
        "is_over": appointment.end <= now,
        "is_upcoming": appointment.is_upcoming(now),
        "is_pending": appointment.state == Status.PENDING,
        "is_reminded": _is_reminded(request, appointment, now),
        "story": story.for_patient(appointment, person(request)),
    }
    return render(request, "appointments/appointment_detail.html", context)


def _is_reminded(request: HttpRequest, appointment: Appointment, now: dt.datetime) -> bool:
    """Whether the clinic still sends a reminder before it begins."""
    hours = current.organization(request).reminder_hours
    return any(now + dt.timedelta(hours=each) < appointment.start for each in hours)


def cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A page that asks once; too late, it says so and shows the phone."""
    appointment = own_visit(request, public_id)
    form = CancelForm(request.POST or None)
    context = {
        "appointment": appointment,
        "form": form,
        "zone": appointment.zone,
        "would_replace": asked.to_replace(appointment, timezone.now()),
    }
    if not services.can_cancel(appointment, timezone.now()):
        status = 409 if request.method == "POST" else 200
        return render(request, "appointments/cancel_refused.html", context, status=status)
    if request.method != "POST":
        return render(request, "appointments/cancel.html", context)
    if not form.is_valid():
        return render(request, "appointments/cancel.html", context, status=422)
    try:
        services.cancel(
            appointment=appointment,
            by=Actor.patient(person(request)),
            reason=form.cleaned_data["reason"],
        )
    except Refusal:
        appointment.refresh_from_db()
        return render(request, "appointments/cancel_refused.html", context, status=409)
    return redirect("appointments:detail", public_id=appointment.public_id)


def calendar(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The appointment as a file that any calendar reads."""
    appointment = own_visit(request, public_id)
    moved = Appointment.objects.filter(rescheduled_from=appointment).first()
    if moved and moved.calendar_name == appointment.calendar_name:
        # One entry in a calendar: the file of what it became replaces it.
        return redirect("appointments:calendar", public_id=moved.public_id)
    content = calendar_file(
        appointment,
        cancelled=not appointment.is_occupying,
        language=get_language() or "es",
        url=settings.BASE_URL + reverse("appointments:detail", args=[public_id]),
        now=timezone.now(),
        organizer=Organization.current().organizer,
    )
    response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{appointment.reference}.ics"'
    return response
