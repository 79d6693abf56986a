"""What becomes of the hours that practitioners have of their own on days that are closed."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from scheduling.closed_days import OwnHours


class Own(enum.StrEnum):
    KEEP = "keep"
    CLOSE = "close"


class OwnHoursForm(forms.Form):
    """Made for the hours that are shown; which ones those were, the form itself carries.

    Where nobody can work on the closure there is nothing to choose: it is only said.
    """

    own_hours = forms.ChoiceField(
        label=_("What holds on these days"),
        widget=forms.RadioSelect,
        choices=[
            (Own.KEEP, _("They keep working in these hours")),
            (Own.CLOSE, _("Close these too: their exceptions are removed")),
        ],
        error_messages={"required": _("Choose what becomes of these hours.")},
    )

    def __init__(self, data: QueryDict, *, hours: Sequence[OwnHours], can_be_worked: bool) -> None:
        super().__init__(data if "own_seen" in data else None)
        self.hours, self.can_be_worked = hours, can_be_worked
        if not can_be_worked:
            del self.fields["own_hours"]

    @property
    def seen(self) -> str:
        """The rows of these hours, as they travel through the form."""
        return ",".join(str(row.pk) for one in self.hours for row in one.rows)

    def is_answered(self) -> bool:
        """Somebody has seen all of these, and chosen if there is a choice."""
        seen = set(str(self.data.get("own_seen", "")).split(","))
        return self.is_valid() and set(self.seen.split(",")) <= seen

    @property
    def closes(self) -> bool:
        return self.cleaned_data.get("own_hours") == Own.CLOSE
