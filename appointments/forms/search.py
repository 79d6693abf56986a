"""The search form of the home page: a GET form, so that its result has an address."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Sequence
from typing import Any

from crispy_forms.templatetags.crispy_forms_filters import as_crispy_field
from django import forms
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms.coverage import PRIVATE
from accounts.models import Practitioner
from appointments.forms.agenda import WithWhomForm
from appointments.search import Wish, specialties_online
from appointments.timetable import PartOfDay
from clinic.forms import LooseDateField
from clinic.models import Insurer, Location, Service, Specialty
from scheduling.catalogue import Catalogue

#: So many drawn fields are kept at most.
MOST_DRAWN = 512


@functools.lru_cache(maxsize=2)
def _drawings(edition: uuid.UUID) -> dict[tuple[str, ...], str]:
    """By what decides how they look. The text alone: a field would keep its form and all that
    the form knows of an edition that is over."""
    return {}


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
        help_text=_("A name or a specialty, or part of it. Leave it empty for any practitioner."),
    )
    where = forms.ChoiceField(label=_("Where?"), required=False)
    since = LooseDateField(
        label=_("From which day?"),
        required=False,
        help_text=_("Leave it empty for the first free time. For example 8 December 2026."),
    )

    def __init__(self, *args: Any, known: Catalogue, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = known
        self.specialties = specialties_online(known)
        self.locations = known.locations
        self.fields["what"].choices = self._what_choices()  # type: ignore[attr-defined]
        if len(self.locations) > 1:
            anywhere = ("", gettext("Any location"))
            self.fields["where"].choices = [  # type: ignore[attr-defined]
                anywhere,
                *((place.slug, place.name) for place in self.locations),
            ]
        else:
            del self.fields["where"]

    def drawn(self) -> SafeString:
        """The fields as ``components/fields.html`` draws them.

        What was chosen from a list, the name of a practitioner, or nothing, looks the same each
        time: it is drawn once for each edition and language. What else somebody typed is drawn
        anew and not kept.
        """
        if self.is_bound and self.errors:
            return mark_safe("\n".join(map(as_crispy_field, self)))  # noqa: S308 (a template's)
        return mark_safe("\n".join(map(self._drawn, self)))  # noqa: S308 (the same)

    def _drawn(self, field: forms.BoundField) -> str:
        value = field.value()
        is_listed = isinstance(field.field, forms.ChoiceField) or value in self.known.names
        if value and not is_listed:
            return as_crispy_field(field)
        drawings = _drawings(self.known.edition)
        looks = (str(get_language()), type(self).__name__, field.name, value or "")
        if (drawn := drawings.get(looks)) is None:
            if len(drawings) >= MOST_DRAWN:
                drawings.clear()
            drawn = drawings[looks] = str(as_crispy_field(field))
        return drawn

    def _what_choices(self) -> list[Any]:
        groups: list[Any] = [("", gettext("Choose a specialty or a service"))]
        for row in self.specialties:
            specialty = row.specialty
            services = [
                (f"{specialty.slug}/{service.slug}", service.name) for service in row.services
            ]
            every = (specialty.slug, specialty.any_service)
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
            practitioner=self._by_slug(clean.get("who", "")),
            name=clean.get("who", ""),
            location=location,
            first=clean.get("since"),
        )

    def _by_slug(self, value: str) -> Practitioner | None:
        """Links carry the practitioner's short name, which no other one shares."""
        people = self.known.people.values()
        return next((person for person in people if person.slug == value), None)


#: What the full form asks besides.
NARROWING = ("until", "part", "coverage")


class FullSearchForm(SearchForm):
    """The search with what narrows it: last day, part of the day, coverage."""

    until = LooseDateField(
        label=_("Until which day?"),
        required=False,
        help_text=_("Leave it empty for no end. For example 18 December 2026."),
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

    def __init__(self, *args: Any, known: Catalogue, **kwargs: Any) -> None:
        super().__init__(*args, known=known, **kwargs)
        self.insurers = known.insurers
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


class OtherTimesForm(WithWhomForm):
    """The search from an appointment that is being moved: its service is known."""

    where = forms.ChoiceField(label=_("Where?"), required=False)
    since = LooseDateField(label=_("From which day?"), required=False)
    part = FullSearchForm.base_fields["part"]

    field_order = ["con", "where", "since", "part"]

    def __init__(
        self,
        *args: Any,
        people: Sequence[Practitioner],
        places: Sequence[Location],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, people=people, **kwargs)
        every = [("", gettext("Any location")), *((place.slug, place.name) for place in places)]
        self.fields["where"].choices = every  # type: ignore[attr-defined]
        if len(people) < 2:
            del self.fields["con"]
        if len(places) < 2:
            del self.fields["where"]
