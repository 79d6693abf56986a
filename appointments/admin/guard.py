"""No path round a promise: refusals become sentences, and changes ask about whom they hit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.doors import person
from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import changes, hits, locks
from appointments.changes import Answer, Hit, HitsFound, Place
from appointments.exceptions import ReasonNeeded, Refusal
from appointments.forms.hits import place_of, place_text
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
            (Hit.MOVE.value, _("Move each to the free time beside it and let the patients know")),
            (Hit.CANCEL.value, _("Cancel them and let the patients know")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what becomes of these appointments.")},
    )
    note = forms.CharField(
        label=_("Reason, if you cancel: the patients will read it"), max_length=300, required=False
    )
    #: The appointments that were listed when the choice was made, and their free times.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    places = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("choice") == Hit.CANCEL and not data.get("note"):
            self.add_error("note", str(ReasonNeeded.sentence))
        if data.get("choice") == Hit.MOVE and len(self._proposed()) < len(self._listed()):
            self.add_error("choice", _("Not all of them have a free time. Choose otherwise."))
        return data

    def _listed(self) -> list[int]:
        parts = self.cleaned_data.get("seen", "").split(",")
        return [int(pk) for pk in parts if pk.isascii() and pk.isdigit() and len(pk) < 16]

    def _proposed(self) -> dict[int, Place]:
        texts = self.cleaned_data.get("places", "").split(",")
        places = zip(self._listed(), map(place_of, texts), strict=False)
        return {pk: place for pk, place in places if place}

    @property
    def answer(self) -> Answer:
        return Answer(
            seen=frozenset(self._listed()),
            for_all=Hit(self.cleaned_data["choice"]),
            places=self._proposed(),
            note=self.cleaned_data["note"],
        )


class Undecided(Exception):
    """Somebody has to choose first. Raised to undo what has been written."""

    def __init__(self, found: HitsFound, form: DecisionForm, sentence: str) -> None:
        self.hits, self.form, self.sentence = found.hits, form, sentence
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
            context = {**(extra_context or {}), **question_context(undecided)}
            return self.refuse(request, undecided.sentence, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Lock, look, write."""
        changes.hold_for(self.locked(obj), answer_of(request))
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
            settle(request, [a for a in reached if a.pk in hit])

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        locks.hold(practitioners=self.locked(obj))
        super().delete_model(request, obj)


def question_context(undecided: Undecided) -> dict[str, Any]:
    """What ``admin/appointments/_hits.html`` shows."""
    return {
        "hits": [hit.appointment for hit in undecided.hits],
        "proposals": undecided.hits,
        "decision": undecided.form,
        "seen": ",".join(str(hit.appointment.pk) for hit in undecided.hits),
        "places": ",".join(place_text(hit) for hit in undecided.hits),
    }


def answer_of(request: HttpRequest) -> Answer | None:
    form = _decision(request)
    return form.answer if form and form.is_valid() else None


def _decision(request: HttpRequest) -> DecisionForm | None:
    decided = "hit-choice" in request.POST or "hit-seen" in request.POST
    return DecisionForm(request.POST, prefix="hit") if decided else None


def settle(request: HttpRequest, appointments: list[Appointment]) -> None:
    """Do what was chosen for exactly these; raise Undecided if nothing was, or for others."""
    by, now = Actor.administrator(person(request)), timezone.now()
    form = _decision(request)
    try:
        changes.settle(appointments, answer_of(request), by=by, now=now)
    except HitsFound as found:
        sentence = str(CHOOSE) if found.code == HitsFound.code else str(found)
        raise Undecided(found, form or DecisionForm(prefix="hit"), sentence) from found
