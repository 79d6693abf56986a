"""The fields about who pays the visits, for every form about a patient."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.coverage import Said
from accounts.models import Coverage
from clinic.forms import LineField
from clinic.models import Insurer

#: In a form and in an address, the patient who pays the visit.
PRIVATE = "private"


class CoverageFields(forms.Form):
    """What is known now is filled in; its insurer stays in the list as long as it is theirs."""

    #: How this form says that nothing is known, and that there is no insurer.
    unsaid, pays = _("I do not say"), _("I pay the visit myself")

    insurance = forms.ChoiceField(label=_("Coverage"), required=False)
    plan = LineField(
        label=_("Insurance plan"),
        max_length=60,
        required=False,
        widget=forms.TextInput({"class": "input-short"}),
    )
    member_number = LineField(
        label=_("Member number"),
        max_length=40,
        required=False,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text=_("It stands on the card. Those who work at the clinic see it."),
    )

    def offer(self, coverage: Coverage | None) -> None:
        """Fill in the list of insurers and what is known."""
        theirs = coverage.insurer_id if coverage else None
        found = Insurer.objects.filter(Q(is_active=True) | Q(pk=theirs))
        self.insurers = {one.slug: one for one in found}
        self.fields["insurance"].choices = [  # type: ignore[attr-defined]
            ("", self.unsaid),
            (PRIVATE, self.pays),
            *((slug, one.name) for slug, one in self.insurers.items()),
        ]
        if coverage:
            slug = coverage.insurer.slug if coverage.insurer else PRIVATE
            self.initial["insurance"] = slug
            self.initial["plan"] = coverage.plan
            self.initial["member_number"] = coverage.member_number

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        details = data.get("plan") or data.get("member_number")
        if details and not data.get("insurance") and "insurance" not in self.errors:
            self.add_error("insurance", _("Choose whose plan it is."))
        return data

    @property
    def said(self) -> Said:
        data = self.cleaned_data
        insurer = self.insurers.get(data["insurance"])
        if insurer is None:
            return Said(is_known=data["insurance"] == PRIVATE)
        return Said(True, insurer, data["plan"], data["member_number"])
