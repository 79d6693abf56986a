"""A service as one practitioner gives it at one location: every rule of booking it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from appointments.offering_rules import as_the_clinic, if_empty, inherited
from clinic.models import Organization
from scheduling.models import ServiceOffering

#: What may be left empty because a wider rule holds then.
_INHERITS = (
    "duration",
    "buffer_before",
    "buffer_after",
    "min_notice_minutes",
    "horizon_days",
    "cancel_notice_hours",
)
#: What is chosen: by the clinic, or here.
_CHOSEN = ("booked_online_by", "confirmation", "show_price")
_SAYS = {
    "buffer_before": _("For preparing: nobody can book it."),
    "buffer_after": _("For notes or cleaning: nobody can book it."),
}
_MINUTES = _("Write the length in minutes, for example 30.")


class OfferingForm(forms.ModelForm):
    class Meta:
        model = ServiceOffering
        fields = [
            "is_active",
            "duration",
            "buffer_before",
            "buffer_after",
            "booked_online_by",
            "confirmation",
            "min_notice_minutes",
            "horizon_days",
            "cancel_notice_hours",
            "price",
            "show_price",
        ]
        labels = {
            "is_active": _("Offered here"),
            "booked_online_by": _("Who books it online"),
            "confirmation": _("When a patient books it online"),
            "horizon_days": _("How far ahead it can be booked (days)"),
            "show_price": _("Who sees the price"),
        }
        help_texts = {
            "booked_online_by": _(
                "Whoever cannot book it online calls the clinic. What is booked already stays."
            ),
        }
        widgets = dict.fromkeys(_CHOSEN, forms.RadioSelect)

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        holds = inherited(self.instance, organization)
        for name in (*_INHERITS, "price"):
            field = self.fields[name]
            field.required = False
            mode = "decimal" if name == "price" else "numeric"
            field.widget = forms.TextInput(
                attrs={"inputmode": mode, "class": "input-short", "maxlength": 12}
            )
            field.widget.is_required = False
            if name in holds:
                field.help_text = f"{_SAYS.get(name, '')} {if_empty(holds[name])}".strip()
        for name in ("duration", "buffer_before", "buffer_after", "min_notice_minutes"):
            self.fields[name].error_messages["invalid"] = _MINUTES
        self.fields["price"].error_messages["invalid"] = _("Write an amount, for example 1500.")
        self.fields["price"].localize = True
        self.fields["price"].widget.is_localized = True
        for name in _CHOSEN:
            _clinic, *own = self.fields[name].choices  # type: ignore[attr-defined]
            self.fields[name].choices = [  # type: ignore[attr-defined]
                ("", as_the_clinic(holds[name])),
                *((value, capfirst(str(label))) for value, label in own),
            ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (
            cleaned.get("show_price")
            and cleaned.get("price") is None
            and "price" not in self.errors
        ):
            self.add_error("price", _("Write the price that patients shall see."))
        return cleaned
