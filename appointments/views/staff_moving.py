"""The staff moves an appointment to another free time, with a message that the patient reads."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.roles import Actor
from appointments import asked, services, telling
from appointments.coverage import would_pay
from appointments.exceptions import MoveNotAllowed, NotYet, PatientBusy, Refusal
from appointments.forms.agenda import StaffMoveForm, WithWhomForm
from appointments.models import Appointment, AppointmentQuerySet
from appointments.timetable import OfferedSlot
from appointments.transitions import UPCOMING, Status, Verb
from appointments.views.booking import chosen_slot
from appointments.views.desk_visit import row_url
from appointments.views.doors import (
    appointment_of_desk,
    as_practitioner,
    own_appointment,
    places_of,
)
from appointments.views.moving import free_times, move_url, people_of
from appointments.views.practice import at_the_desk
from clinic.models import Organization
from clinic.templatetags.clinic_times import local_datetime
from scheduling.models import ServiceOffering, ServiceOfferingQuerySet
from scheduling.selectors import booking_rules

#: So far ahead the staff is shown free times.
DAYS_AHEAD = 365


@dataclass(frozen=True, slots=True)
class _Door:
    """Through which door: as whom, where to, where from and where back to."""

    by: Actor
    offerings: ServiceOfferingQuerySet
    #: The appointments that may be seen through it.
    visits: AppointmentQuerySet
    here: str
    back: str
    is_own: bool

    def page_of(self, moved: Appointment) -> str:
        """Where it stands now; where it stood, if that is somebody else's page."""
        if not self.visits.filter(pk=moved.pk).exists():
            return self.back
        if self.is_own:
            return reverse("appointments:agenda_appointment", args=[moved.public_id])
        return row_url(moved)


def move_own(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """By the practitioner whose appointment it is."""
    found = own_appointment(request, public_id)
    door = _Door(
        by=as_practitioner(request),
        offerings=ServiceOffering.objects.bookable(),
        visits=Appointment.objects.of_practitioner(person(request)),
        here=reverse("appointments:agenda_move", args=[public_id]),
        back=reverse("appointments:agenda_appointment", args=[public_id]),
        is_own=True,
    )
    return _move(request, found, door)


def move_at_desk(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """At the desk: to the locations of this desk, and to no other."""
    found, user = appointment_of_desk(request, public_id), person(request)
    places = places_of(user)
    door = _Door(
        by=at_the_desk(user),
        offerings=ServiceOffering.objects.bookable().filter(schedule__location__in=places),
        visits=Appointment.objects.filter(location__in=places),
        here=reverse("appointments:desk_move", args=[public_id]),
        back=row_url(found),
        is_own=False,
    )
    return _move(request, found, door)


def _move(request: HttpRequest, appointment: Appointment, door: _Door) -> HttpResponse:
    """Without a time: the free times. With one: old and new, the message, and the button."""
    if request.method != "POST" and asked.to_replace(appointment, timezone.now()):
        messages.warning(request, _("This asks to move another appointment: answer it first."))
        return redirect(door.back)
    if request.method != "POST" and not appointment.is_upcoming(timezone.now()):
        return _changed_since(request, appointment, door)
    offerings = _for_staff(appointment, door)
    if "start" not in request.GET:
        return _times(request, appointment, door, offerings)
    offered = chosen_slot(request)
    if offered.offering not in offerings:
        raise Http404
    form = StaffMoveForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _check(request, appointment, door, offered, form)
    if not form.is_valid():
        return _check(request, appointment, door, offered, form, status=422)
    return _take(request, appointment, door, offered, form)


def _for_staff(appointment: Appointment, door: _Door) -> list[ServiceOffering]:
    """The same service of whoever offers it there, as near and as far as the staff likes.

    A practitioner hands it to colleagues as patients come to them.
    """
    found, organization = [], Organization.current()
    for offering in door.offerings.with_parts().filter(service=appointment.service):
        rules = booking_rules(offering, organization)
        if not services.hands_over(appointment, offering, door.by):
            offering.min_notice_minutes, offering.horizon_days = 0, DAYS_AHEAD
        elif not rules.is_online or not services.may_book_online(
            offering, appointment.patient, organization
        ):
            continue
        found.append(offering)
    return found


def _take(
    request: HttpRequest,
    appointment: Appointment,
    door: _Door,
    offered: OfferedSlot,
    form: StaffMoveForm,
) -> HttpResponse:
    try:
        moved = services.reschedule(
            appointment=appointment,
            offering=offered.offering,
            start=offered.start,
            by=door.by,
            note=form.cleaned_data["note"],
        )
    except PatientBusy as clash:
        return _check(request, appointment, door, offered, form, status=409, clash=clash)
    except (MoveNotAllowed, NotYet):
        return _changed_since(request, appointment, door)
    except Refusal as refusal:
        return _times(request, appointment, door, _for_staff(appointment, door), refusal=refusal)
    facts = {"name": moved.patient.full_name, "when": local_datetime(moved.start, moved.zone)}
    was_booked = appointment.state == Status.BOOKED
    if was_booked and moved.state == Status.PENDING:
        facts["practitioner"] = str(moved.practitioner)
        sentence = _("Asked for %(name)s on %(when)s: %(practitioner)s confirms by hand.") % facts
        messages.success(request, sentence)
    elif telling.silent([moved.patient]):
        sentence = _("Moved: %(name)s comes on %(when)s.") % facts
        messages.warning(request, f"{sentence} {telling.what_to_do(moved.patient)}")
    else:
        sentence = _("Moved: %(name)s comes on %(when)s, and gets a notice.") % facts
        messages.success(request, sentence)
    return redirect(door.page_of(moved))


def _changed_since(request: HttpRequest, appointment: Appointment, door: _Door) -> HttpResponse:
    """It is over, or somebody was faster; moved already, to what it became."""
    moved = Appointment.objects.with_parts().filter(rescheduled_from=appointment).first()
    appointment.refresh_from_db(fields=["status", "expires_at"])
    late = services.untimely(appointment, Verb.RESCHEDULE, timezone.now())
    stands = appointment.state in UPCOMING
    messages.warning(request, str(late if late and stands else MoveNotAllowed.sentence))
    return redirect(door.page_of(moved) if moved else door.back)


def _times(
    request: HttpRequest,
    appointment: Appointment,
    door: _Door,
    offerings: Sequence[ServiceOffering],
    *,
    refusal: Refusal | None = None,
) -> HttpResponse:
    own = appointment.practitioner
    people = people_of(appointment, offerings)
    whom = next((one for one in people if one.slug == request.GET.get("con")), own)
    theirs = [offering for offering in offerings if offering.practitioner == whom]
    kept = {} if whom == own else {"con": whom.slug}
    context = {
        "appointment": appointment,
        "back": door.back,
        "for_staff": True,
        "whom": whom,
        "form": WithWhomForm(initial={"con": whom.slug}, people=people) if people[1:] else None,
        "here": door.here,
        "refusal": refusal,
        **free_times(request, appointment, theirs, here=door.here, kept=kept),
    }
    status = 409 if refusal else 200
    return render(request, "appointments/move_times.html", context, status=status)


def _check(
    request: HttpRequest,
    appointment: Appointment,
    door: _Door,
    offered: OfferedSlot,
    form: StaffMoveForm,
    *,
    status: int = 200,
    clash: PatientBusy | None = None,
) -> HttpResponse:
    """Where the patient is at that hour stays theirs: only that they are elsewhere is said."""
    whom = offered.offering.practitioner
    is_other = whom != appointment.practitioner
    context = {
        "other": whom if is_other else None,
        "hands_over": services.asks_colleague(appointment, offered.offering, door.by),
        "pays": list(would_pay(whom, [appointment.patient])) if is_other else [],
        "appointment": appointment,
        "offered": offered,
        "offering": offered.offering,
        "rules": booking_rules(offered.offering, Organization.current()),
        "form": form,
        "clash": clash,
        "back": door.back,
        "here": f"{door.here}?con={whom.slug}" if is_other else door.here,
        "action": move_url(door.here, offered),
    }
    return render(request, "appointments/move.html", context, status=status)
