"""What an administrator can do to appointments: pages that name what they touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.doors import person
from accounts.roles import Actor, Role
from appointments import locks, services
from appointments.exceptions import MoveNotAllowed, ReasonNeeded, Refusal
from appointments.models import Appointment
from appointments.transitions import Verb, target, verbs_for

#: More rows than this are not touched at once: nobody reads such a list.
MOST = 200


@dataclass(frozen=True, slots=True)
class Move:
    verb: Verb
    label: str | Promise
    do: Callable[..., Appointment]


MOVES = {
    "confirm": Move(Verb.CONFIRM, _("Confirm"), services.confirm),
    "arrived": Move(Verb.ARRIVE, _("Note as arrived"), services.mark_arrived),
    "attended": Move(Verb.FULFIL, _("Note as seen"), services.mark_fulfilled),
    "no_show": Move(Verb.NO_SHOW, _("Note that they did not come"), services.mark_no_show),
    "cancel": Move(Verb.CANCEL, _("Cancel the appointment"), services.cancel),
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The patients will read it."),
        max_length=300,
        error_messages={"required": ReasonNeeded.sentence},
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


def moves_for(appointment: Appointment) -> list[tuple[str, Move]]:
    """The buttons of an appointment's page, the most expected first."""
    verbs = verbs_for(
        appointment.state,
        Role.ADMINISTRATOR,
        times=appointment.timing,
        now=timezone.now(),
    )
    names = {move.verb: name for name, move in MOVES.items()}
    return [(names[verb], MOVES[names[verb]]) for verb in verbs if verb in names]


def action(name: str) -> Callable[..., HttpResponse | None]:
    """The action of the list: first the page with the rows, then the deed."""
    move = MOVES[name]

    def run(
        model_admin: ModelAdmin, request: HttpRequest, queryset: QuerySet[Appointment]
    ) -> HttpResponse | None:
        rows = list(queryset.select_related(None).with_parts()[: MOST + 1])  # type: ignore[attr-defined]
        if len(rows) > MOST:
            sentence = _("Choose at most %(most)s appointments at once.") % {"most": MOST}
            model_admin.message_user(request, sentence, messages.ERROR)
            return None
        decided = "decided" in request.POST
        form = ReasonForm(request.POST if decided else None) if name == "cancel" else None
        if not decided or (form is not None and not form.is_valid()):
            return _page(model_admin, request, name, rows, form)
        details = form.cleaned_data if form else {}
        _carry_out(model_admin, request, move, rows, details)
        return None

    run.__name__ = name
    run.short_description = move.label  # type: ignore[attr-defined]
    return run


def _page(
    model_admin: ModelAdmin,
    request: HttpRequest,
    name: str,
    rows: list[Appointment],
    form: ReasonForm | None,
) -> HttpResponse:
    move = MOVES[name]
    refused = {row.pk: _why_not(row, move.verb) for row in rows}
    context = {
        **model_admin.admin_site.each_context(request),
        "title": move.label,
        "opts": model_admin.opts,
        "action": name,
        "move": move,
        "possible": [row for row in rows if refused[row.pk] is None],
        "impossible": [(row, refused[row.pk]) for row in rows if refused[row.pk]],
        "form": form,
        "checkbox": ACTION_CHECKBOX_NAME,
        "media": model_admin.media,
    }
    status = 422 if form and form.errors else 200
    return TemplateResponse(request, "admin/appointments/move.html", context, status=status)


def _why_not(appointment: Appointment, verb: Verb) -> str | Promise | None:
    if target(appointment.state, verb, Role.ADMINISTRATOR) is None:
        return MoveNotAllowed.sentence
    refusal = services.untimely(appointment, verb, timezone.now())
    return refusal.sentence if refusal else None


def _carry_out(
    model_admin: ModelAdmin,
    request: HttpRequest,
    move: Move,
    rows: list[Appointment],
    details: dict[str, Any],
) -> None:
    """Each in a transaction of its own: one that is refused holds up no other."""
    by = Actor.administrator(person(request))
    done = 0
    for row in rows:
        try:
            move.do(appointment=row, by=by, **details)
            done += 1
        except Refusal as refusal:
            model_admin.message_user(request, f"{row}: {refusal}", messages.WARNING)
        except OperationalError as error:
            if not locks.is_passing(error):
                raise
            sentence = _("Many people are saving at this moment. Try again.")
            model_admin.message_user(request, f"{row}: {sentence}", messages.WARNING)
    if done:
        counted = ngettext(
            "%(count)s appointment changed.", "%(count)s appointments changed.", done
        )
        model_admin.message_user(request, counted % {"count": done}, messages.SUCCESS)
