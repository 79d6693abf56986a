"""The buttons of an appointment, the same in the agenda and at the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.doors import person
from accounts.roles import Actor
from appointments import agenda, history, services, steps, telling
from appointments.agenda import ACTIONS
from appointments.exceptions import MoveNotAllowed, Refusal
from appointments.forms.agenda import StaffCancelForm
from appointments.models import Appointment
from appointments.transitions import Status, Verb, target
from clinic.templatetags.clinic_times import local_datetime, local_time

_Verb = Callable[..., Appointment]


@dataclass(frozen=True, slots=True)
class _Deed:
    """A verb behind a button, where it leads, and what is said when it is done."""

    run: _Verb
    result: Status | None
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
    ACTIONS[Verb.UNDO].slug: _Deed(
        steps.undo_step, None, gettext_lazy("Undone: %(name)s at %(time)s is as before.")
    ),
}


def do(request: HttpRequest, found: Appointment, slug: str, by: Actor) -> None:
    """Do what the button says, and say what became of it beside the row. 404 for no button."""
    if (deed := _DEEDS.get(slug)) is None:
        raise Http404
    try:
        deed.run(appointment=found, by=by)
    except MoveNotAllowed:
        tell_what_happened(request, found, deed.result)
    except Refusal as refusal:
        messages.warning(request, str(refusal), extra_tags=agenda.anchor(found))
    else:
        names = {
            "name": found.patient.full_name,
            "time": local_time(found.start, found.zone),
        }
        messages.success(request, str(deed.done) % names, extra_tags=agenda.anchor(found))


def tell_what_happened(request: HttpRequest, found: Appointment, wanted: Status | None) -> None:
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


def cancel(request: HttpRequest, found: Appointment, *, by: Actor, back: str) -> HttpResponse:
    """Ask for the reason, which the patient reads, then cancel and go back to the row."""
    now = timezone.now()
    if target(found.state, Verb.CANCEL, by.role) is None:
        tell_what_happened(request, found, Status.CANCELLED)
        return redirect(back)
    if late := services.untimely(found, Verb.CANCEL, now):
        messages.warning(request, str(late), extra_tags=agenda.anchor(found))
        return redirect(back)
    if request.method != "POST":
        form = StaffCancelForm(initial={"version": found.sequence})
        return _cancel_page(request, found, form, back)
    form = StaffCancelForm(request.POST)
    if not form.is_valid():
        return _cancel_page(request, found, form, back, status=422)
    if form.cleaned_data["version"] not in (None, found.sequence):
        last = history.last_line(found, person(request))
        again = StaffCancelForm(
            initial={"version": found.sequence, "reason": form.cleaned_data["reason"]}
        )
        return _cancel_page(request, found, again, back, status=409, last=last)
    try:
        services.cancel(appointment=found, by=by, reason=form.cleaned_data["reason"])
    except MoveNotAllowed:
        tell_what_happened(request, found, Status.CANCELLED)
    except Refusal as refusal:
        messages.warning(request, str(refusal), extra_tags=agenda.anchor(found))
    else:
        sentences = _("Cancelled."), telling.notice_of(found, timezone.now())
        messages.success(
            request, " ".join(filter(None, sentences)), extra_tags=agenda.anchor(found)
        )
    return redirect(back)


def _cancel_page(
    request: HttpRequest,
    found: Appointment,
    form: StaffCancelForm,
    back: str,
    *,
    status: int = 200,
    last: history.Line | None = None,
) -> HttpResponse:
    context = {
        "appointment": found,
        "zone": found.zone,
        "form": form,
        "last": last,
        "back": back,
        # Found by a desk, it says whether the desk may read why.
        "with_why": getattr(found, "desk_wrote_why", True),
    }
    return render(request, "appointments/agenda_cancel.html", context, status=status)
