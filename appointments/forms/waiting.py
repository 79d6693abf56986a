"""Which freed times somebody wants to be told of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Patient, Practitioner
from appointments import search
from appointments.models import Appointment
from appointments.search import BookableSpecialty
from clinic.forms import LooseDateField
from clinic.models import Location, Organization
from scheduling.catalogue import catalogue
from scheduling.models import ServiceOffering

PARTS = [
    (0, _("Morning, before 12:00")),
    (1, _("Afternoon, from 12:00 to 18:00")),
    (2, _("Evening, from 18:00")),
]
#: Nobody waits longer.
YEAR = dt.timedelta(days=366)


class WaitingForm(forms.Form):
    """``what`` is "specialty-slug/service-slug", or the specialty's alone, as in the search.

    With ``instead_of`` the patient and the service are those of that appointment. At the desk
    ``places`` are its locations: nobody is put on the list for another one.
    """

    patient = forms.ChoiceField(label=_("For whom?"), widget=forms.RadioSelect)
    what = forms.ChoiceField(label=_("For what?"))
    who = forms.ChoiceField(
        label=_("With whom?"),
        required=False,
        help_text=_(
            "Any practitioner means those who work with the patient's coverage, if you have told us"
            " of one."
        ),
    )
    where = forms.ChoiceField(label=_("Where?"), required=False)
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On which days of the week?"),
        required=False,
        coerce=int,
        choices=[(number, capfirst(name)) for number, name in WEEKDAYS.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Tick none if any day will do."),
    )
    parts = forms.TypedMultipleChoiceField(
        label=_("At what time of day?"),
        required=False,
        coerce=int,
        choices=PARTS,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Tick none if any time will do."),
    )
    since = LooseDateField(
        label=_("From which day?"),
        required=False,
        help_text=_("Leave it empty for any day from now on. For example 8 December 2026."),
    )
    until = LooseDateField(
        label=_("Until which day?"),
        required=False,
        help_text=_("Leave it empty for the next three months. For example 18 December 2026."),
    )

    def __init__(
        self,
        *args: Any,
        patients: Sequence[Patient],
        instead_of: Appointment | None = None,
        places: Collection[Location] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.patients = {str(patient.public_id): patient for patient in patients}
        self.instead_of = instead_of
        known = catalogue(Organization.current())
        self.specialties = {row.specialty.slug: row for row in search.specialties_online(known)}
        self.places = {
            place.slug: place for place in known.locations if places is None or place in places
        }
        is_everywhere = len(self.places) == len(known.locations)
        self.people = _people(instead_of, None if is_everywhere else self.places.values())
        self.only_place = None
        self._choose("patient", [(key, p.full_name) for key, p in self.patients.items()])
        self._choose("what", _by_specialty(self.specialties.values()))
        anybody = ("", _("Any practitioner"))
        self._choose("who", [anybody, *((slug, str(p)) for slug, p in self.people.items())])
        anywhere = ("", _("Any location")) if is_everywhere else ("", _("Choose a location"))
        self._choose("where", [anywhere, *((slug, p.name) for slug, p in self.places.items())])
        self.fields["where"].required = not is_everywhere
        if len(self.places) < 2:
            self.only_place = None if is_everywhere else next(iter(self.places.values()), None)
            del self.fields["where"]
        if places is not None:
            who = self.fields["who"]
            who.help_text = _(
                "Any practitioner means those who work with the patient's coverage, if it is known."
            )
        if instead_of:
            for name in ("patient", "what", "until"):
                del self.fields[name]
        elif len(patients) == 1 and self.data.get("patient", "") in {"", *self.patients}:
            del self.fields["patient"]

    def _choose(self, name: str, choices: list[Any]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        today = timezone.localdate()
        since, until = data.get("since"), data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day and day < today:
                self.add_error(name, _("This day is over. Write today or a later day."))
            elif day and day > today + YEAR:
                self.add_error(name, _("Write a day within the next twelve months."))
        if since and until and until < since:
            self.add_error("until", _("The last day cannot be before the first."))
        if not self.errors and not self._is_offered():
            self.add_error("who", _("This is not offered there. Choose another one, or any."))
        return data

    def _is_offered(self) -> bool:
        """Whether what is wished can be booked online at all."""
        wish = self.wish()
        online = ServiceOffering.objects.online()
        if wish["service"]:
            online = online.filter(service=wish["service"])
        else:
            online = online.filter(service__specialty=wish["specialty"])
        if wish["practitioner"]:
            online = online.filter(schedule__practitioner=wish["practitioner"])
        if wish["location"]:
            online = online.filter(schedule__location=wish["location"])
        return online.exists()

    def wish(self) -> dict[str, Any]:
        """What ``waiting.join`` takes, of a form without errors."""
        data, old = self.cleaned_data, self.instead_of
        return {
            "patient": old.patient if old else self._patient(data.get("patient")),
            **({"service": old.service, "specialty": None} if old else self._what(data["what"])),
            "practitioner": self.people.get(data.get("who", "")),
            "location": self.only_place or self.places.get(data.get("where", "")),
            "weekdays": data.get("weekdays", []),
            "parts": data.get("parts", []),
            "first_day": data.get("since"),
            "last_day": data.get("until"),
            "instead_of": old,
        }

    def _what(self, chosen: str) -> dict[str, Any]:
        """A service, or else the specialty of which any will do."""
        slug, _slash, service = chosen.partition("/")
        row = self.specialties[slug]
        one = next((s for s in row.services if s.slug == service), None)
        return {"service": one, "specialty": None if one else row.specialty}

    def _patient(self, chosen: str | None) -> Patient:
        return self.patients[chosen or next(iter(self.patients))]


def _by_specialty(specialties: Iterable[BookableSpecialty]) -> list[Any]:
    groups: list[Any] = [("", gettext("Choose a specialty or a service"))]
    for row in specialties:
        specialty = row.specialty
        each = [(f"{specialty.slug}/{service.slug}", service.name) for service in row.services]
        groups.append((specialty.name, [(specialty.slug, specialty.any_service), *each]))
    return groups


def _people(
    instead_of: Appointment | None, places: Iterable[Location] | None
) -> dict[str, Practitioner]:
    """Who can be booked online, at these places; for an appointment, for its service."""
    online = ServiceOffering.objects.online()
    if places is not None:
        online = online.filter(schedule__location__in=list(places))
    if instead_of:
        online = online.filter(service=instead_of.service)
    found = Practitioner.objects.filter(pk__in=online.values("schedule__practitioner"))
    return {person.slug: person for person in found.order_by("search_text")}
