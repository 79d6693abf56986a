"""The form with which an administrator books."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.models import Patient, Practitioner
from appointments.models import Appointment
from clinic.admin.base import Choice, joined
from clinic.fields import day_in_reach, time_on_the_grid
from clinic.models import Location, Room, Service
from scheduling.intervals import to_instant
from scheduling.models import ServiceOffering
from scheduling.wallclock import instant_of


def _choose(name: str, queryset: Any, **options: Any) -> forms.ModelChoiceField:
    """A person or a service by typing: there are too many for a list."""
    field = Appointment._meta.get_field(name)
    return forms.ModelChoiceField(
        queryset=queryset,
        label=capfirst(field.verbose_name),  # type: ignore[union-attr]
        widget=Choice(field, admin.site),
        **options,
    )


class RoomField(forms.ModelChoiceField):
    """Rooms are called alike at two locations."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.location} · {obj}"


class BookingForm(forms.ModelForm):
    """Asks for what ``services.book`` needs; the service itself looks and refuses."""

    patient = _choose("patient", Patient.objects.active())
    practitioner = _choose("practitioner", Practitioner.objects.active())
    service = _choose("service", Service.objects.active())
    location = forms.ModelChoiceField(
        label=_("Location"),
        queryset=Location.objects.active(),
        required=False,
        help_text=_("Needed if the practitioner gives this service at several locations."),
    )
    day = forms.DateField(label=_("Day"), widget=widgets.AdminDateWidget, validators=[day_in_reach])
    time = forms.TimeField(
        label=_("Time"),
        widget=widgets.AdminTimeWidget(format="%H:%M"),
        validators=[time_on_the_grid],
        help_text=_("On the clock of the location."),
    )
    room = RoomField(
        label=_("Room (optional)"),
        queryset=Room.objects.filter(is_active=True).select_related("location"),
        required=False,
    )
    reason = forms.CharField(
        label=_("Reason for the visit (optional)"), max_length=500, required=False
    )
    #: The same form twice is one appointment.
    request_key = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid.uuid4)

    class Meta:
        model = Appointment
        fields: list[str] = []

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            data["offering"] = offering = self._offering(data)
            if data["room"] and data["room"].location_id != offering.location.pk:
                raise ValidationError({"room": _("This room is at another location.")})
            day, time = data["day"], data["time"]
            data["start"] = to_instant(instant_of(day, time, offering.location.zone))
        return data

    def _offering(self, data: dict[str, Any]) -> ServiceOffering:
        offerings = (
            ServiceOffering.objects.bookable()
            .with_parts()
            .filter(schedule__practitioner=data["practitioner"], service=data["service"])
        )
        if data["location"]:
            offerings = offerings.filter(schedule__location=data["location"])
        found = list(offerings)
        if not found:
            raise ValidationError(
                {"service": _("%(practitioner)s does not give this service there.") % data}
            )
        if len(found) > 1:
            places = joined(offering.location for offering in found)
            raise ValidationError(
                {"location": _("Choose one of: %(places)s.") % {"places": places}}
            )
        return found[0]

    def _post_clean(self) -> None:
        """The row is written, and its constraints kept, by ``services.book``."""
