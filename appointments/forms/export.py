"""Which days are exported."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from appointments.export import MOST_DAYS
from clinic.fields import in_reach
from clinic.forms import LooseDateField


class ExportForm(forms.Form):
    """From one day to another, both included."""

    desde = LooseDateField(
        label=_("First day"),
        help_text=_("For example 8 December 2026."),
        error_messages={"required": _("Write the first day.")},
    )
    hasta = LooseDateField(
        label=_("Last day"), error_messages={"required": _("Write the last day.")}
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        first, last = data.get("desde"), data.get("hasta")
        if not (first and last):
            return data
        if last < first:
            self.add_error("hasta", _("The last day cannot be before the first."))
        elif (last - first).days >= MOST_DAYS or not (in_reach(first) and in_reach(last)):
            sentence = _("Choose at most %(days)s days, one after the other.")
            self.add_error("hasta", sentence % {"days": MOST_DAYS})
        return data
