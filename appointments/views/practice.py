"""Whose time is worked on, and through which door.

The same pages stand twice: under /agenda/ for the practitioner's own practice, and
under /recepcion/profesionales/<slug>/ for the desk, on their behalf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.doors import person
from accounts.models import Practitioner, User
from accounts.roles import Actor, Role
from appointments.views.doors import as_practitioner, own_practice, places_of
from scheduling.models import Schedule, TimeOff

#: The pages of a practice: name of the address and what it is called.
PAGES: list[tuple[str, Any]] = [
    ("coming", _("Calendar")),
    ("hours", _("Working hours")),
    ("overrides", _("Exceptions")),
    ("time_off", pgettext_lazy("several", "Time off")),
    ("services", _("Services")),
]


@dataclass(frozen=True, slots=True)
class Practice:
    """A practitioner's time, as far as the person who asks may work on it."""

    practitioner: Practitioner
    #: Where this person may change it, the first location first.
    schedules: Sequence[Schedule]
    by: Actor
    is_own: bool
    #: Whether these are all the places: else nothing may be closed "everywhere".
    is_whole: bool

    def url(self, name: str, *args: Any) -> str:
        """The address of a page of this practice, through the same door."""
        if self.is_own:
            return reverse(f"appointments:{name}", args=args)
        return reverse(f"appointments:desk_{name}", args=[self.practitioner.slug, *args])

    def tabs(self, current: str) -> list[dict[str, Any]]:
        return [
            {"url": self.url(name), "label": label, "current": name == current, "count": None}
            for name, label in PAGES
        ]

    def at(self, location: str) -> Schedule:
        """The schedule at this location, or 404."""
        found = next((s for s in self.schedules if s.location.slug == location), None)
        if found is None:
            raise Http404
        return found

    def time_off(self) -> QuerySet[TimeOff]:
        """What closes time at these places, elsewhere only if it closes them too."""
        rows = self.practitioner.time_off.all()
        if self.is_whole:
            return rows
        here = [schedule.location_id for schedule in self.schedules]
        return rows.filter(Q(location=None) | Q(location__in=here))


def practice_of(request: HttpRequest, slug: str) -> Practice:
    """One's own practice without a slug; with one, that of a practitioner of this desk."""
    if not slug:
        own = own_practice(request)
        return Practice(own, schedules_of(own), as_practitioner(request), True, True)
    user = person(request)
    practitioner = get_object_or_404(Practitioner, slug=slug, is_active=True)
    schedules = schedules_of(practitioner)
    if Role.ADMINISTRATOR in user.roles:
        return Practice(practitioner, schedules, at_the_desk(user), False, True)
    places = {place.pk for place in places_of(user)}
    mine = [schedule for schedule in schedules if schedule.location_id in places]
    if not mine:
        raise Http404
    return Practice(practitioner, mine, Actor.reception(user), False, len(mine) == len(schedules))


def at_the_desk(user: User) -> Actor:
    """As what somebody works on these pages: not their own time, their own patients."""
    if Role.ADMINISTRATOR in user.roles:
        return Actor(user, Role.ADMINISTRATOR)
    return Actor.reception(user)


def schedules_of(practitioner: Practitioner) -> Sequence[Schedule]:
    """Where they work, the first location first."""
    rows = practitioner.schedules.active().select_related("location", "practitioner")
    return list(rows.order_by("pk"))
