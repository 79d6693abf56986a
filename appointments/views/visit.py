"""One appointment in the hands of the practitioner: look, move on, cancel."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.doors import person
from appointments import agenda, history, services, story
from appointments.agenda import ACTIONS, Visit
from appointments.exceptions import MoveNotAllowed, Refusal
from appointments.forms.agenda import StaffCancelForm
from appointments.models import Appointment
from appointments.transitions import Status, Verb
from appointments.views.agenda import chosen_tab
from appointments.views.doors import as_practitioner, own_appointment
from clinic import audit
from clinic.templatetags.clinic_times import local_datetime, local_time


def appointment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Everything about one appointment, for the practitioner who gives it."""
    found = own_appointment(request, public_id)
    audit.record(actor=str(person(request)), action="patient.read", target=found.patient)
    now = timezone.now()
    actions = agenda.actions_for(found, now)
    age = found.patient.age_on(found.local_date)
    visit = Visit(found, age, False, actions, found.is_upcoming(now))
    context = {
        "appointment": found,
        "visit": visit,
        "zone": found.zone,
        # Other practitioners' times are not theirs to read.
        "story": story.for_staff(
            found, person(request), lambda part: part.practitioner_id == found.practitioner_id
        ),
        "treats": agenda.treats(found.practitioner, found.patient),
    }
    return render(request, "appointments/agenda_appointment.html", context)


_Verb = Callable[..., Appointment]


@dataclass(frozen=True, slots=True)
class _Deed:
    """A verb behind a button, where it leads, and what is said when it is done."""

    run: _Verb
    result: Status
    done: Any


_DEEDS = {
    ACTIONS[Verb.CONFIRM].slug: _Deed(
        services.confirm, Status.BOOKED, gettext_lazy("Confirmed: %(name)s at %(time)s.")
    ),
    ACTIONS[Verb.ARRIVE].slug: _Deed(
        services.mark_arrived,
        Status.ARRIVED,
        gettext_lazy("%(name)s is in the waiting room."),
    ),
    ACTIONS[Verb.FULFIL].slug: _Deed(
        services.mark_fulfilled, Status.FULFILLED, gettext_lazy("%(name)s has been seen.")
    ),
    ACTIONS[Verb.NO_SHOW].slug: _Deed(
        services.mark_no_show, Status.NOSHOW, gettext_lazy("Noted: %(name)s did not come.")
    ),
}


def act(request: HttpRequest, public_id: uuid.UUID, verb: str) -> HttpResponse:
    """One button of the agenda; then back to the row it stands in."""
    found = own_appointment(request, public_id)
    if (deed := _DEEDS.get(verb)) is None:
        raise Http404
    try:
        found = deed.run(appointment=found, by=as_practitioner(request))
    except MoveNotAllowed:
        _tell_what_happened(request, found, deed.result)
    except Refusal as refusal:
        messages.warning(request, str(refusal), extra_tags=agenda.anchor(found))
    else:
        names = {
            "name": found.patient.full_name,
            "time": local_time(found.start, found.zone),
        }
        messages.success(request, str(deed.done) % names, extra_tags=agenda.anchor(found))
    return redirect(_back(request, found))


def _tell_what_happened(request: HttpRequest, found: Appointment, wanted: Status) -> None:
    """Somebody was faster: say who did what and when; nothing was overwritten."""
    found.refresh_from_db(fields=["status"])
    last = history.last_line(found, person(request))
    facts = {
        "deed": last.deed if last else found.get_status_display(),
        "when": local_datetime(last.at, found.zone) if last else "",
    }
    if found.status == wanted:
        sentence = _("This was done already: %(deed)s, %(when)s.")
        messages.info(request, sentence % facts, extra_tags=agenda.anchor(found))
    else:
        sentence = _("Nothing was changed. In the meantime: %(deed)s, %(when)s.")
        messages.warning(request, sentence % facts, extra_tags=agenda.anchor(found))


def _back(request: HttpRequest, found: Appointment) -> str:
    """To the appointment's page if the button stood there, else to the row of its day."""
    origin = request.POST.get("volver", "")
    if origin == "turno":
        return reverse("appointments:agenda_appointment", args=[found.public_id])
    return _row_url(found, tab=chosen_tab(origin)[0])


def _row_url(found: Appointment, tab: str = "") -> str:
    url = reverse("appointments:agenda_day", args=[found.local_date])
    return f"{url}{f'?estado={tab}' if tab else ''}#{agenda.anchor(found)}"


def cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Cancel with a reason, which the patient reads."""
    found = own_appointment(request, public_id)
    if not any(a.verb == Verb.CANCEL for a in agenda.actions_for(found, timezone.now())):
        _tell_what_happened(request, found, Status.CANCELLED)
        return redirect(_row_url(found))
    if request.method != "POST":
        return _cancel_page(request, found, StaffCancelForm(initial={"version": found.sequence}))
    form = StaffCancelForm(request.POST)
    if not form.is_valid():
        return _cancel_page(request, found, form, status=422)
    if form.cleaned_data["version"] not in (None, found.sequence):
        last = history.last_line(found, person(request))
        again = StaffCancelForm(
            initial={"version": found.sequence, "reason": form.cleaned_data["reason"]}
        )
        return _cancel_page(request, found, again, status=409, last=last)
    try:
        services.cancel(
            appointment=found, by=as_practitioner(request), reason=form.cleaned_data["reason"]
        )
    except MoveNotAllowed:
        _tell_what_happened(request, found, Status.CANCELLED)
    else:
        sentence = _("Cancelled. %(name)s gets a notice.") % {"name": found.patient.full_name}
        messages.success(request, sentence, extra_tags=agenda.anchor(found))
    return redirect(_row_url(found))


def _cancel_page(
    request: HttpRequest,
    found: Appointment,
    form: StaffCancelForm,
    *,
    status: int = 200,
    last: history.Line | None = None,
) -> HttpResponse:
    context = {
        "appointment": found,
        "zone": found.zone,
        "form": form,
        "last": last,
        "back": _row_url(found),
    }
    return render(request, "appointments/agenda_cancel.html", context, status=status)
