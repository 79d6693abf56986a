"""What the staff writes about an appointment."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


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


class StaffMoveForm(forms.Form):
    note = forms.CharField(
        label=_("Message to the patient"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For example why. The patient reads it in the notice of the new time."),
        error_messages={"max_length": _("Write at most 300 characters.")},
    )
