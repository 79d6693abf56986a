"""What the staff asks to give an appointment: for what, when, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.fields import day_in_reach
from clinic.forms import LineField, LooseDateField, LooseTimeField
from clinic.templatetags.clinic_times import duration
from clinic.text import MAX_QUERY
from scheduling.models import ServiceOffering


class GivingForm(forms.Form):
    """A GET form: each step has an address, and Back leads to the one before."""

    is_search = True

    q = LineField(
        label=_("Patient"),
        max_length=MAX_QUERY,
        required=False,
        help_text=_("Beginning of the names, document number or phone."),
        widget=forms.TextInput({"type": "search", "autocomplete": "off"}),
    )
    servicio = forms.ChoiceField(label=_("With whom and for what"))
    dia = LooseDateField(label=_("Day"), required=False, validators=[day_in_reach])
    hora = LooseTimeField(
        label=_("Time"), required=False, help_text=_("Empty: the first free one from that day on.")
    )

    def __init__(
        self,
        *args: Any,
        offerings: Sequence[ServiceOffering],
        is_here: bool,
        is_desk: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not is_desk:
            several = len({offering.schedule_id for offering in offerings}) > 1
            self.fields["servicio"].label = _("Where and for what") if several else _("For what")
        self.fields["servicio"].choices = _by_schedule(offerings)  # type: ignore[attr-defined]
        if is_here:
            del self.fields["dia"], self.fields["hora"]


def _by_schedule(offerings: Sequence[ServiceOffering]) -> list[Any]:
    """Grouped by practitioner and location, in the order they come in."""
    return [
        (str(schedule), [(str(o.pk), f"{o.service}, {duration(o.minutes)}") for o in group])
        for schedule, group in groupby(offerings, key=lambda o: o.schedule)
    ]
