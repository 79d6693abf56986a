"""Who gives what where, as this process remembers it for one edition.

The rows are shared by every request of the process: they are for reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from accounts.models import Practitioner
from clinic.editions import remembered
from clinic.models import (
    CatalogueModel,
    Insurer,
    Location,
    OnlineFor,
    Organization,
    Service,
    Specialty,
)
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import online_rule

T = TypeVar("T", bound=CatalogueModel)


class Ids(NamedTuple):
    """What an offering is of. A search asks for them hundreds of times, and asking a row for
    the id of another takes longer than the arithmetic.
    """

    service: int
    practitioner: int
    location: int


@remembered
def catalogue(organization: Organization) -> Catalogue:
    return Catalogue(organization)


class Catalogue:
    """Read when somebody asks for it first, each kind of row with one query.

    Whoever began before a change may read some rows after it: what is new then is left out.
    """

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.edition = organization.edition

    @cached_property
    def people(self) -> dict[int, Practitioner]:
        """Every active practitioner by id."""
        return {p.pk: p for p in Practitioner.objects.active()}

    @cached_property
    def names(self) -> set[str]:
        return {person.full_name for person in self.people.values()}

    @cached_property
    def places(self) -> dict[int, Location]:
        """Every location by id, active or not."""
        return {place.pk: place for place in Location.objects.all()}

    @cached_property
    def every_service(self) -> dict[int, Service]:
        """Every service by id, active or not, with its specialty."""
        services = {service.pk: service for service in Service.objects.all()}
        specialties = {specialty.pk: specialty for specialty in Specialty.objects.all()}
        for service in services.values():
            service.specialty = specialties[service.specialty_id]
        return services

    @cached_property
    def schedules(self) -> dict[int, Schedule]:
        """Every active schedule by id, in their order, with its practitioner and location."""
        found = {}
        for row in Schedule.objects.filter(is_active=True).order_by("pk"):
            place = self.places.get(row.location_id)
            if row.practitioner_id in self.people and place and place.is_active:
                row.practitioner, row.location = self.people[row.practitioner_id], place
                found[row.pk] = row
        return found

    @cached_property
    def offerings(self) -> list[ServiceOffering]:
        """What ``ServiceOffering.objects.bookable().with_parts()`` finds, in order of id."""
        found = []
        for row in ServiceOffering.objects.filter(is_active=True).order_by("pk"):
            service = self.every_service.get(row.service_id)
            if row.schedule_id in self.schedules and service and _is_given(service):
                row.schedule, row.service = self.schedules[row.schedule_id], service
                found.append(row)
        return found

    @cached_property
    def online(self) -> list[ServiceOffering]:
        """Of these, what a patient may find and book."""
        return [offering for offering in self.offerings if self._is_online(offering)]

    def _is_online(self, offering: ServiceOffering) -> bool:
        return online_rule(offering, self.organization).value != OnlineFor.STAFF

    @cached_property
    def online_in(self) -> dict[int, list[ServiceOffering]]:
        """The same by the id of the specialty."""
        found: dict[int, list[ServiceOffering]] = defaultdict(list)
        for offering in self.online:
            found[offering.service.specialty_id].append(offering)
        return found

    @cached_property
    def ids(self) -> dict[int, Ids]:
        """What each bookable offering is of, by its id."""
        return {
            o.pk: Ids(o.service_id, o.schedule.practitioner_id, o.schedule.location_id)
            for o in self.offerings
        }

    @cached_property
    def shortest(self) -> dict[int, int]:
        """The minutes of the shortest service by the id of the schedule that offers any."""
        found: dict[int, int] = {}
        for offering in self.offerings:
            best = found.get(offering.schedule_id, offering.minutes)
            found[offering.schedule_id] = min(best, offering.minutes)
        return found

    @cached_property
    def online_with(self) -> dict[int, list[ServiceOffering]]:
        """The same by the id of the practitioner."""
        found: dict[int, list[ServiceOffering]] = defaultdict(list)
        for offering in self.online:
            found[offering.schedule.practitioner_id].append(offering)
        return found

    def zones_of(self, offerings: Iterable[ServiceOffering]) -> set[ZoneInfo]:
        """The zones of the places where these bookable ones are given."""
        return {self.places[place].zone for place in {self.ids[o.id].location for o in offerings}}

    @cached_property
    def insurers(self) -> list[Insurer]:
        """Those that somebody who can be booked works with, in order of name."""
        online = {o.schedule.practitioner_id for o in self.online}
        rows = Insurer.objects.active().order_by("search_text")
        return [row for row in rows if self.practitioners_of[row.pk] & online]

    @cached_property
    def practitioners_of(self) -> dict[int, set[int]]:
        """The ids of the practitioners by the id of the insurer they work with."""
        found: dict[int, set[int]] = defaultdict(set)
        links = Practitioner.insurers.through.objects.values_list("insurer_id", "practitioner_id")
        for insurer, practitioner in links:
            found[insurer].add(practitioner)
        return found

    @cached_property
    def services(self) -> list[Service]:
        """Those that can be booked online, in order of name."""
        return _each_once(offering.service for offering in self.online)

    @cached_property
    def specialties(self) -> list[Specialty]:
        return _each_once(service.specialty for service in self.services)

    @cached_property
    def locations(self) -> list[Location]:
        return _each_once(offering.location for offering in self.online)

    def schedules_of(self, practitioner: int) -> list[Schedule]:
        return [s for s in self.schedules.values() if s.practitioner_id == practitioner]


def _is_given(service: Service) -> bool:
    return service.is_active and service.specialty.is_active


def _each_once(rows: Iterable[T]) -> list[T]:
    return sorted({row.pk: row for row in rows}.values(), key=lambda row: row.search_text)
