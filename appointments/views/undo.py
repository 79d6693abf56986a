"""Undoing a change of somebody's time, for the few minutes in which its notices wait."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.doors import person
from accounts.roles import Actor, Role
from appointments.exceptions import Refusal
from appointments.models import Appointment, RuleChange
from appointments.undo import Undone, undo


def change_url(change: RuleChange) -> str:
    """Through the door by which it was made."""
    own = change.role == Role.PRACTITIONER
    name = "appointments:change" if own else "appointments:desk_change"
    return reverse(name, args=[change.public_id])


def change(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What was changed, by the person who asks; and the button that takes it back."""
    found = get_object_or_404(RuleChange, by=person(request), public_id=public_id)
    if request.method == "POST":
        return _undo(request, found)
    rows = Appointment.objects.with_parts().in_bulk([one["appointment"] for one in found.settled])
    context = {
        "change": found,
        "is_open": found.undone_at is None and timezone.now() < found.undo_until,
        "hits": [rows[one["appointment"]] for one in found.settled],
    }
    return render(request, "appointments/change_undo.html", context)


def _undo(request: HttpRequest, found: RuleChange) -> HttpResponse:
    try:
        undone = undo(change=found, by=Actor(person(request), Role(found.role)))
    except Refusal as refusal:
        messages.warning(request, str(refusal))
    else:
        _say(request, undone)
    return redirect(change_url(found))


def _say(request: HttpRequest, undone: Undone) -> None:
    messages.success(request, _("The change is undone. Everything is as it was before."))
    if undone.restored:
        sentence = ngettext(
            "%(count)s appointment stands again.",
            "%(count)s appointments stand again.",
            len(undone.restored),
        )
        messages.success(request, sentence % {"count": len(undone.restored)})
    for appointment in undone.lost:
        sentence = _("This one could not be brought back, its time is taken: %(patient)s, %(ref)s.")
        names = {"patient": appointment.patient.full_name, "ref": appointment.reference}
        messages.warning(request, sentence % names)
