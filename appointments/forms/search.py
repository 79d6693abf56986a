"""The search form of the home page: a GET form, so that its result has an address."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from appointments.search import Wish, insurers_online, locations_online, specialties_online
from appointments.timetable import PartOfDay
from clinic.forms import LooseDateField
from clinic.models import Insurer, Location, Service, Specialty

#: In the address, the patient who pays the visit.
PRIVATE = "private"


class SearchForm(forms.Form):
    """``what`` is "specialty-slug" or "specialty-slug/service-slug"."""

    #: Nothing has to be filled in, so nothing is marked "(optional)".
    is_search = True

    field_order = ["what", "where", "who", "since"]

    what = forms.ChoiceField(label=_("What do you need?"), required=False)
    who = forms.CharField(
        label=_("With whom?"),
        required=False,
        max_length=100,
        help_text=_("A name or part of it. Leave it empty for any practitioner."),
    )
    where = forms.ChoiceField(label=_("Where?"), required=False)
    since = LooseDateField(
        label=_("From which day?"),
        required=False,
        help_text=_("Leave it empty for the first free time. For example 8/12/2026."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.specialties = specialties_online()
        self.locations = locations_online()
        self.fields["what"].choices = self._what_choices()  # type: ignore[attr-defined]
        if len(self.locations) > 1:
            anywhere = ("", gettext("Any location"))
            self.fields["where"].choices = [  # type: ignore[attr-defined]
                anywhere,
                *((place.slug, place.name) for place in self.locations),
            ]
        else:
            del self.fields["where"]

    def _what_choices(self) -> list[Any]:
        groups: list[Any] = [("", gettext("Choose a specialty or a service"))]
        for row in self.specialties:
            specialty = row.specialty
            services = [
                (f"{specialty.slug}/{service.slug}", service.name) for service in row.services
            ]
            every = (
                specialty.slug,
                gettext("%(specialty)s: any service") % {"specialty": specialty},
            )
            groups.append((specialty.name, [every, *services]))
        return groups

    def wish(self) -> Wish:
        """The search as far as it makes sense."""
        clean = self.cleaned_data
        specialty_slug, _slash, service_slug = clean.get("what", "").partition("/")
        specialty: Specialty | None = None
        service: Service | None = None
        for row in self.specialties:
            if row.specialty.slug == specialty_slug:
                specialty = row.specialty
                service = next((s for s in row.services if s.slug == service_slug), None)
        location: Location | None = next(
            (place for place in self.locations if place.slug == clean.get("where")), None
        )
        return Wish(
            specialty=specialty,
            service=service,
            practitioner=_by_slug(clean.get("who", "")),
            name=clean.get("who", ""),
            location=location,
            first=clean.get("since"),
        )


class FullSearchForm(SearchForm):
    """The search with what narrows it: last day, part of the day, coverage."""

    until = LooseDateField(
        label=_("Until which day?"),
        required=False,
        help_text=_("Leave it empty for no end. For example 18/12/2026."),
    )
    part = forms.ChoiceField(
        label=_("At what time of day?"),
        required=False,
        choices=[
            ("", _("Any time")),
            ("morning", _("Morning, before 12:00")),
            ("afternoon", _("Afternoon, from 12:00 to 18:00")),
            ("evening", _("Evening, from 18:00")),
        ],
    )
    coverage = forms.ChoiceField(label=_("With which coverage?"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.insurers = insurers_online()
        if self.insurers:
            self.fields["coverage"].choices = [  # type: ignore[attr-defined]
                ("", _("Any coverage")),
                (PRIVATE, _("I pay the visit myself")),
                *((insurer.slug, insurer.name) for insurer in self.insurers),
            ]
        else:
            del self.fields["coverage"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day cannot be before the first."))
        return data

    def wish(self) -> Wish:
        clean = self.cleaned_data
        insurer: Insurer | None = next(
            (one for one in self.insurers if one.slug == clean.get("coverage")), None
        )
        part = clean.get("part")
        return dataclasses.replace(
            super().wish(),
            last=clean.get("until"),
            part=PartOfDay[part.upper()] if part else None,
            insurer=insurer,
        )


def _by_slug(value: str) -> Practitioner | None:
    """Links carry the practitioner's short name, which no other one shares."""
    if not value:
        return None
    found: Practitioner | None = Practitioner.objects.active().filter(slug=value).first()
    return found
