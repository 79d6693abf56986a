"""What a visitor looks for, and which offerings answer it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from accounts.models import Patient, Practitioner, User
from appointments.models import Appointment
from appointments.timetable import OfferedSlot, PartOfDay, first_slots
from clinic.models import Insurer, Location, Organization, Service, Specialty
from scheduling.models import ServiceOffering, ServiceOfferingQuerySet


@dataclass(frozen=True, slots=True)
class Wish:
    """A search as its address says it; whatever is not known is empty."""

    specialty: Specialty | None = None
    service: Service | None = None
    practitioner: Practitioner | None = None
    name: str = ""
    location: Location | None = None
    first: dt.date | None = None
    #: The last day wanted. Without one, whatever comes.
    last: dt.date | None = None
    part: PartOfDay | None = None
    #: None also for who pays the visit: every practitioner takes that.
    insurer: Insurer | None = None


@dataclass(frozen=True, slots=True)
class BookableSpecialty:
    """A specialty with the services of it that can be booked now."""

    specialty: Specialty
    services: list[Service]


def specialties_online() -> list[BookableSpecialty]:
    """Specialties that can be booked now, in two queries."""
    services: dict[int, list[Service]] = defaultdict(list)
    online = Service.objects.filter(offerings__in=ServiceOffering.objects.online()).distinct()
    for service in online.order_by("search_text"):
        services[service.specialty_id].append(service)
    found = Specialty.objects.filter(pk__in=services).order_by("search_text")
    return [BookableSpecialty(specialty, services[specialty.pk]) for specialty in found]


def locations_online() -> list[Location]:
    online = ServiceOffering.objects.online().values("schedule__location")
    return list(Location.objects.filter(pk__in=online).order_by("search_text"))


def insurers_online() -> list[Insurer]:
    """Those that somebody who can be booked works with."""
    online = ServiceOffering.objects.online().values("schedule__practitioner")
    found = Insurer.objects.filter(is_active=True, practitioners__in=online)
    return list(found.distinct().order_by("search_text"))


def practitioners_online() -> list[int]:
    online = ServiceOffering.objects.online().values_list("schedule__practitioner", flat=True)
    return list(online.distinct())


def services_for(wish: Wish) -> list[Service]:
    """The services this wish may mean, the one most practitioners give first."""
    offered = offerings_for(wish, any_service=True)
    ids = offered.values("service").annotate(n=Count("schedule__practitioner", distinct=True))
    rank = {row["service"]: row["n"] for row in ids}
    services = Service.objects.filter(pk__in=rank).select_related("specialty")
    return sorted(services, key=lambda s: (-rank[s.pk], s.search_text))


def offerings_for(wish: Wish, *, any_service: bool = False) -> ServiceOfferingQuerySet:
    found = ServiceOffering.objects.online().with_parts()
    if wish.service and not any_service:
        found = found.filter(service=wish.service)
    if wish.specialty:
        found = found.filter(service__specialty=wish.specialty)
    if wish.practitioner:
        found = found.filter(schedule__practitioner=wish.practitioner)
    elif wish.name:
        named = Practitioner.objects.search(wish.name)
        found = found.filter(schedule__practitioner__in=named)
    if wish.location:
        found = found.filter(schedule__location=wish.location)
    if wish.insurer:
        found = found.filter(schedule__practitioner__insurers=wish.insurer)
    return found


def book_again(
    patients: Iterable[Patient],
    *,
    now: dt.datetime,
    organization: Organization,
    most: int = 3,
    holder: User | None = None,
) -> list[OfferedSlot]:
    """First free time of the services these patients had last, each practitioner once."""
    recent = (
        Appointment.objects.filter(patient__in=patients, start__lt=now)
        .order_by("-start")
        .values_list("practitioner", "service", "location")[:20]
    )
    wanted: dict[int, tuple[int, int]] = {}
    for practitioner, service, location in recent:
        wanted.setdefault(practitioner, (service, location))
    if not wanted:
        return []
    offerings = [
        o
        for o in ServiceOffering.objects.online()
        .with_parts()
        .filter(schedule__practitioner__in=list(wanted)[:most])
        if wanted[o.practitioner.pk] == (o.service_id, o.schedule.location_id)
    ]
    firsts = first_slots(offerings, start=now, now=now, organization=organization, holder=holder)
    return sorted(firsts.values(), key=lambda o: o.start)
