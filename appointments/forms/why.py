"""The question “why are there no times?”: whose, for what, on which day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from clinic.fields import day_in_reach
from clinic.forms import LooseDateField
from scheduling.models import ServiceOffering


class WhyForm(forms.Form):
    """A GET form: the answer has an address. Choices are what this person may see."""

    is_search = True

    profesional = forms.ChoiceField(label=_("Practitioner"))
    servicio = forms.ChoiceField(label=_("Service"))
    dia = LooseDateField(
        label=_("Day"), validators=[day_in_reach], help_text=_("For example 8 December 2026.")
    )

    def __init__(
        self,
        *args: Any,
        practitioners: Iterable[Practitioner] | None,
        offerings: Sequence[ServiceOffering],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if practitioners is None:
            del self.fields["profesional"]
        else:
            self.fields["profesional"].choices = [  # type: ignore[attr-defined]
                ("", _("Choose a practitioner")),
                *((row.slug, str(row)) for row in practitioners),
            ]
        if offerings:
            several = len({o.schedule_id for o in offerings}) > 1
            self.fields["servicio"].choices = [  # type: ignore[attr-defined]
                (str(o.pk), f"{o.service} · {o.location}" if several else str(o.service))
                for o in offerings
            ]
        else:
            del self.fields["servicio"]
