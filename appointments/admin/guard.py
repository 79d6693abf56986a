"""No path round a promise: refusals become sentences, and changes ask about whom they hit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import hits, locks, services
from appointments.blocking import Hit, HitsChanged
from appointments.exceptions import ReasonNeeded, Refusal
from appointments.models import Appointment, AppointmentQuerySet
from clinic.admin.base import ClinicAdmin

BUSY = _("Many people are saving at this moment. Save again.")
CHOOSE = _("This change affects appointments. Choose what becomes of them, then save again.")


class RefusingAdmin(ClinicAdmin):
    """A refusal of the clinic, or a deadlock that will not pass, is an error of the form."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        view = locks.retrying(super().changeform_view)
        try:
            return view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            sentence = str(refusal)
        except OperationalError as error:
            if not locks.is_passing(error):
                raise
            sentence = str(BUSY)
        response = self.refuse(request, sentence, object_id, form_url, extra_context)
        response.status_code = 409
        return response


class DecisionForm(forms.Form):
    """What becomes of the appointments that a change hits."""

    choice = forms.ChoiceField(
        label=_("These appointments"),
        choices=[
            (Hit.KEEP.value, _("Keep them as they are")),
            (Hit.CANCEL.value, _("Cancel them and let the patients know")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what becomes of these appointments.")},
    )
    note = forms.CharField(
        label=_("Reason, if you cancel: the patients will read it"), max_length=300, required=False
    )
    #: The appointments that were listed when the choice was made.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("choice") == Hit.CANCEL and not data.get("note"):
            self.add_error("note", str(ReasonNeeded.sentence))
        return data


class Undecided(Exception):
    """Somebody has to choose first. Raised to undo what has been written."""

    def __init__(self, appointments: list[Appointment], form: DecisionForm, sentence: str) -> None:
        self.appointments, self.form, self.sentence = appointments, form, sentence
        super().__init__(sentence)


class AskingAdmin(RefusingAdmin):
    """Lists the upcoming appointments that a change hits, and saves once somebody has chosen.

    Works by looking, not by predicting: inside the transaction and under the
    locks of the practitioners, the rules are changed, and what has an obstacle
    now that it did not have before is hit. Without a choice it is all undone.
    """

    change_form_template = "admin/asking_change_form.html"
    #: From an appointment to the row of this class.
    hit_path = ""

    def reach(self, obj: Any) -> AppointmentQuerySet:
        """The upcoming appointments that a change of this row could hit."""
        return hits.upcoming().filter(**{self.hit_path: obj.pk})

    def locked(self, obj: Any) -> Iterable[int]:
        """The practitioners whose time the row is about: all, unless it belongs to one."""
        return Practitioner.objects.values_list("pk", flat=True)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Undecided as undecided:
            context = {
                **(extra_context or {}),
                "hits": undecided.appointments,
                "decision": undecided.form,
                "seen": _joined(undecided.appointments),
            }
            return self.refuse(request, undecided.sentence, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Lock, look, write."""
        locks.hold(practitioners=self.locked(obj))
        request.obstacles = hits.obstacles(list(self.reach(obj)))  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        reached = list(self.reach(form.instance))
        hit = hits.newly_hit(
            request.obstacles,  # type: ignore[attr-defined]
            hits.obstacles(reached),
        )
        if hit:
            _settle(request, [a for a in reached if a.pk in hit])

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        locks.hold(practitioners=self.locked(obj))
        super().delete_model(request, obj)


def _settle(request: HttpRequest, appointments: list[Appointment]) -> None:
    """Do what was chosen for exactly these; raise Undecided if nothing was, or for others."""
    if "hit-choice" not in request.POST and "hit-seen" not in request.POST:
        raise Undecided(appointments, DecisionForm(prefix="hit"), str(CHOOSE))
    form = DecisionForm(request.POST, prefix="hit")
    if not form.is_valid():
        raise Undecided(appointments, form, str(CHOOSE))
    if form.cleaned_data["seen"] != _joined(appointments):
        raise Undecided(appointments, form, str(HitsChanged.sentence))
    if form.cleaned_data["choice"] == Hit.CANCEL:
        by, now = Actor.administrator(request.user), timezone.now()  # type: ignore[arg-type]
        for appointment in appointments:
            services.cancel(
                appointment=appointment, by=by, reason=form.cleaned_data["note"], now=now
            )


def _joined(appointments: list[Appointment]) -> str:
    return ",".join(str(pk) for pk in sorted(a.pk for a in appointments))
