"""A service as one practitioner gives it at one location: every rule of booking it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from appointments.offering_rules import inherited
from clinic.models import Organization
from scheduling.models import ServiceOffering

#: What may be left empty because a wider rule holds then.
_INHERITS = ("duration", "min_notice_minutes", "horizon_days", "cancel_notice_hours")
_MINUTES = _("Write the length in minutes, for example 30.")


class OfferingForm(forms.ModelForm):
    class Meta:
        model = ServiceOffering
        fields = [
            "is_active",
            "duration",
            "buffer_before",
            "buffer_after",
            "is_online",
            "known_only",
            "confirmation",
            "min_notice_minutes",
            "horizon_days",
            "cancel_notice_hours",
            "price",
            "show_price",
        ]
        labels = {
            "is_active": _("Offered here"),
            "confirmation": _("When a patient books it online"),
            "horizon_days": _("How far ahead it can be booked (days)"),
            "show_price": _("Patients see the price"),
        }
        help_texts = {
            "buffer_before": _("For preparing: nobody can book it."),
            "buffer_after": _("For notes or cleaning: nobody can book it."),
            "is_online": _("Without this only the staff books it. What is booked already stays."),
        }
        widgets = {"confirmation": forms.RadioSelect}

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        holds = inherited(self.instance, organization)
        for name in (*_INHERITS, "buffer_before", "buffer_after", "price"):
            field = self.fields[name]
            field.required = False
            mode = "decimal" if name == "price" else "numeric"
            field.widget = forms.TextInput(
                attrs={"inputmode": mode, "class": "input-short", "maxlength": 12}
            )
            field.widget.is_required = False
            if name in holds:
                field.help_text = gettext("Empty: %(value)s (%(origin)s).") % {
                    "value": holds[name].value,
                    "origin": holds[name].origin,
                }
        for name in ("duration", "buffer_before", "buffer_after", "min_notice_minutes"):
            self.fields[name].error_messages["invalid"] = _MINUTES
        self.fields["price"].error_messages["invalid"] = _("Write an amount, for example 1500.")
        self.fields["price"].localize = True
        self.fields["price"].widget.is_localized = True
        self.fields["confirmation"].choices = [  # type: ignore[attr-defined]
            (value, capfirst(label)) for value, label in ServiceOffering.Confirmation.choices
        ]

    def clean_buffer_before(self) -> int:
        return self.cleaned_data["buffer_before"] or 0

    def clean_buffer_after(self) -> int:
        return self.cleaned_data["buffer_after"] or 0

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (
            cleaned.get("show_price")
            and cleaned.get("price") is None
            and "price" not in self.errors
        ):
            self.add_error("price", _("Write the price that patients shall see."))
        return cleaned
