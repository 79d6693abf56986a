"""What a patient gives to book: for whom, why (if they like), and the form's key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Patient


class BookingForm(forms.Form):
    """``key`` makes the form count once, however often it is sent."""

    patient = forms.ChoiceField(label=_("For whom is the appointment?"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason for the visit"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("At the clinic, only your practitioner and the administration can read it."),
        error_messages={"max_length": _("Write at most 500 characters.")},
    )
    key = forms.UUIDField(widget=forms.HiddenInput)
    same_day = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, patients: Sequence[Patient], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.patients = {str(patient.public_id): patient for patient in patients}
        # Whoever is no longer in this account's care is not silently taken for who is left.
        if len(patients) == 1 and self.data.get("patient", "") in {"", *self.patients}:
            del self.fields["patient"]
        else:
            self.fields["patient"].choices = [  # type: ignore[attr-defined]
                (public_id, patient.full_name) for public_id, patient in self.patients.items()
            ]
            self.fields["patient"].error_messages["required"] = _(
                "Choose for whom the appointment is."
            )

    @property
    def chosen_patient(self) -> Patient:
        """The chosen patient; the only one when there is no choice."""
        chosen = self.cleaned_data.get("patient") or next(iter(self.patients))
        return self.patients[chosen]


class CancelForm(forms.Form):
    reason = forms.CharField(
        label=_("Why do you cancel?"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"max_length": _("Write at most 300 characters.")},
    )
