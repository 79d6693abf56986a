"""What the staff writes about an appointment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner


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


class WithWhomForm(forms.Form):
    """A GET form: whose free times are shown."""

    is_search = True

    con = forms.ChoiceField(label=_("With whom"))

    def __init__(self, *args: Any, people: Iterable[Practitioner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(one.slug, str(one)) for one in people]
        self.fields["con"].choices = choices  # type: ignore[attr-defined]


class StaffMoveForm(forms.Form):
    note = forms.CharField(
        label=_("Message to the patient"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For example why. The patient reads it in the notice of the new time."),
        error_messages={"max_length": _("Write at most 300 characters.")},
    )
