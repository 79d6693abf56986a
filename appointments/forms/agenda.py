"""What a practitioner writes about an appointment."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from appointments.blocking import Hit


class StaffCancelForm(forms.Form):
    """``version`` is the state of the appointment that was on the screen."""

    reason = forms.CharField(
        label=_("Reason for cancelling"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The patient reads it in the notice."),
        error_messages={
            "required": _("Write why: the patient reads it in the notice."),
            "max_length": _("Write at most 300 characters."),
        },
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class HitsForm(forms.Form):
    """What becomes of the appointments that a change of time hits."""

    hit = forms.ChoiceField(
        label=_("Appointments affected"),
        widget=forms.RadioSelect,
        choices=[
            (Hit.KEEP, _("They stay as they are")),
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

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("hit") == Hit.CANCEL and "note" in cleaned and not cleaned["note"]:
            self.add_error("note", _("Write why: the patients read it in the notice."))
        return cleaned

    @property
    def choice(self) -> Hit:
        return Hit(self.cleaned_data["hit"])
