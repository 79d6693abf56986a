"""The answer to the question before a change: what becomes of whom it hits."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from appointments import telling
from appointments.changes import MOST_SHOWN, Answer, Hit, HitBy, HitsFound, Place
from appointments.models import Appointment

#: So many can be answered for at all. What hits more is made in smaller steps.
MOST = 20_000
#: In the choice of one appointment: the same as for all of them.
SAME = ""


@dataclass(frozen=True, slots=True)
class Row:
    """An appointment of the list with its own choice and the time that is proposed for it."""

    hit: HitBy
    choice: forms.BoundField
    place: str
    #: What to do if nobody writes to the patient.
    untold: str


class HitsForm(forms.Form):
    """One choice for all, and one for each that differs; a note for those who are told.

    Made for the appointments that were shown, which the form itself carries.
    """

    hit = forms.ChoiceField(
        label=_("All of them"),
        widget=forms.RadioSelect,
        choices=[
            (Hit.KEEP, _("They stay as they are")),
            (Hit.MOVE, _("Move each to the time proposed and tell the patients")),
            (Hit.CANCEL, _("Cancel them and tell the patients")),
        ],
        error_messages={"required": _("Choose what happens with these appointments.")},
    )
    note = forms.CharField(
        label=_("Message to the patients"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Needed if you cancel: they read it in the notice."),
        error_messages={"max_length": _("Write at most 300 characters.")},
    )

    def __init__(
        self, data: QueryDict | None = None, *, hits: Sequence[HitBy] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self.hits = hits or []
        if hits is None and data is not None:
            self.shown = _shown(data.getlist("seen")[:MOST_SHOWN])
            self.others = _shown(data.get("rest", "").split(",")[:MOST])
        else:
            found = {str(h.appointment.public_id): h.appointment.pk for h in self.hits}
            self.shown = dict(list(found.items())[:MOST_SHOWN])
            self.others = dict(list(found.items())[MOST_SHOWN:])
        for name in self.shown:
            self.fields[f"own-{name}"] = forms.ChoiceField(
                label=_("This one"),
                required=False,
                choices=[
                    (SAME, _("As all of them")),
                    (Hit.KEEP, _("It stays as it is")),
                    (Hit.MOVE, _("Move it to the time proposed")),
                    (Hit.CANCEL, _("Cancel it")),
                ],
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        choices = {name: self._choice(name) for name in self.shown}
        chosen = {*choices.values(), *([cleaned.get("hit")] if self.others else [])}
        if Hit.CANCEL in chosen and "note" in cleaned and not cleaned["note"]:
            self.add_error("note", _("Write why: the patients read it in the notice."))
        for name, choice in choices.items():
            if choice == Hit.MOVE and self._place(name) is None:
                sentence = _("No free time was found for this one. Keep it or cancel it.")
                self.add_error(f"own-{name}", sentence)
        if self.others and cleaned.get("hit") == Hit.MOVE:
            sentence = _(
                "Only those in the list can move. Keep or cancel all, and move single ones."
            )
            self.add_error("hit", sentence)
        return cleaned

    def _choice(self, name: str) -> str:
        own: str = self.cleaned_data.get(f"own-{name}") or self.cleaned_data.get("hit", "")
        return own

    def _place(self, name: str) -> Place | None:
        return place_of(self.data.get(f"place-{name}", ""))

    @property
    def answer(self) -> Answer:
        own = {pk: self.cleaned_data[f"own-{name}"] for name, pk in self.shown.items()}
        places = {pk: self._place(name) for name, pk in self.shown.items()}
        return Answer(
            seen=frozenset([*self.shown.values(), *self.others.values()]),
            for_all=Hit(self.cleaned_data["hit"]),
            own={pk: Hit(choice) for pk, choice in own.items() if choice},
            places={pk: place for pk, place in places.items() if place},
            note=self.cleaned_data["note"],
        )

    @property
    def rest(self) -> str:
        """The appointments after those in the list, as they travel through the form."""
        return ",".join(self.others)

    @property
    def unanswered(self) -> list[Appointment]:
        """The appointments after those in the list, for reading."""
        return [hit.appointment for hit in self.hits[MOST_SHOWN:]]

    def rows(self) -> Iterator[Row]:
        shown = self.hits[:MOST_SHOWN]
        silent = telling.silent(hit.appointment.patient for hit in shown)
        for hit in shown:
            patient, name = hit.appointment.patient, str(hit.appointment.public_id)
            untold = telling.what_to_do(patient) if patient.pk in silent else ""
            yield Row(hit, self[f"own-{name}"], place_text(hit), untold)


def answer_in(data: QueryDict) -> Answer | None:
    """What was chosen; None if nothing was asked yet, or the answer is not complete."""
    form = HitsForm(data) if "ask" in data else None
    return form.answer if form and form.is_valid() else None


def question(data: QueryDict, found: HitsFound) -> HitsForm:
    """The question about these appointments: for the first time, with its errors, or anew."""
    if "ask" not in data:
        return HitsForm(hits=found.hits)
    if answer := answer_in(data):
        kept = {"note": answer.note, "hit": answer.for_all}
        return HitsForm(hits=found.hits, initial=kept)
    return HitsForm(data, hits=found.hits)


def _shown(names: list[str]) -> dict[str, int]:
    """The appointments that were shown, by the name that the form knows them by."""
    ids = []
    for name in names:
        try:
            ids.append(uuid.UUID(name))
        except ValueError:
            continue
    rows = Appointment.objects.filter(public_id__in=ids).order_by("start", "pk")
    return {str(public_id): pk for public_id, pk in rows.values_list("public_id", "pk")}


def place_text(hit: HitBy) -> str:
    """A proposed time as it travels through the form: ``17@2026-12-08T13:30Z``."""
    if hit.proposal is None:
        return ""
    start = hit.proposal.start.astimezone(dt.UTC)
    return f"{hit.proposal.offering.pk}@{start:%Y-%m-%dT%H:%MZ}"


def place_of(text: str) -> Place | None:
    number, _at, when = text.partition("@")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    try:
        start = dt.datetime.strptime(when, "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return Place(int(number), start) if 2000 <= start.year < 2200 else None
