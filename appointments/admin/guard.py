"""No path round a promise: refusals become sentences, and changes ask about whom they hit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.doors import person
from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import locks, opened
from appointments.changes import Attempt, HitsFound, Reach
from appointments.exceptions import Refusal
from appointments.forms.hits import answer_in, question
from appointments.models import AppointmentQuerySet
from clinic.admin.base import ClinicAdmin
from scheduling.rules import Sets

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
        except HitsFound as found:
            context = {**(extra_context or {}), **question_context(request, found)}
            return self.refuse(request, context["sentence"], object_id, form_url, context)
        except Refusal as refusal:
            sentence = str(refusal)
        except OperationalError as error:
            if not locks.is_passing(error):
                raise
            sentence = str(BUSY)
        response = self.refuse(request, sentence, object_id, form_url, extra_context)
        response.status_code = 409
        return response


class AskingAdmin(RefusingAdmin):
    """Lists the upcoming appointments that a change hits, and saves once somebody has chosen.

    As ``changes.Change`` does it, with Django's saving of form and rows in the middle: without
    an answer all of it is undone.
    """

    change_form_template = "admin/asking_change_form.html"
    change_list_template = "admin/asking_change_list.html"
    #: From an appointment to the row of this class.
    hit_path = ""

    def reach(self, obj: Any) -> Reach:
        return Reach(
            practitioner=self.practitioner_of(obj),
            locked=self.locked(obj),
            appointments=lambda rows: self.reached(rows, obj),
            rules=lambda: self.rules(obj),
            about=self.about(obj),
        )

    def practitioner_of(self, obj: Any) -> Practitioner | None:
        """Whose time the row is about; None: the time of several."""
        return None

    def locked(self, obj: Any) -> Iterable[int]:
        """The practitioners whose time the row is about: all, unless it belongs to one."""
        owner = self.practitioner_of(obj)
        return [owner.pk] if owner else Practitioner.objects.values_list("pk", flat=True)

    def reached(self, upcoming: AppointmentQuerySet, obj: Any) -> AppointmentQuerySet:
        """The upcoming appointments that a change of this row could hit."""
        return upcoming.filter(**{self.hit_path: obj.pk})

    def rules(self, obj: Any) -> Sets:
        """The rows that saving this page may change."""
        return [type(obj)._default_manager.filter(pk=obj.pk)]

    def about(self, obj: Any) -> str:
        return str(obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Lock, look, write."""
        request.attempt = attempt(request, self.reach(obj))  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Write the rest, look again; raises HitsFound until somebody has chosen."""
        super().save_related(request, form, formsets, change)
        request.attempt.settle()  # type: ignore[attr-defined]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Hits nobody; whoever waits for time that it opens is asked, as after any change."""
        now, people = timezone.now(), list(self.locked(obj))
        locks.hold(practitioners=people)
        before = opened.look(people, now=now)
        super().delete_model(request, obj)
        opened.note(before, now=now, practitioners=people, due_at=now)


def attempt(request: HttpRequest, reach: Reach) -> Attempt:
    """The first half of a change by this administrator, with what they have answered."""
    by = Actor.administrator(person(request))
    return Attempt(reach, answer_in(request.POST), by=by, now=timezone.now())


def question_context(request: HttpRequest, found: HitsFound) -> dict[str, Any]:
    """What ``admin/appointments/_hits.html`` shows, and the sentence above it."""
    form = question(request.POST, found)
    sentence = CHOOSE if found.code == HitsFound.code else found.sentence
    hits = [hit.appointment for hit in found.hits]
    return {"hits": hits, "question": form, "sentence": str(sentence)}
