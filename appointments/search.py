"""What a visitor looks for, and which offerings answer it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import Patient, Practitioner, User
from appointments.models import Appointment
from appointments.timetable import OfferedSlot, PartOfDay, first_slots
from clinic.models import Insurer, Location, Organization, Service, Specialty
from clinic.text import search_words
from scheduling.catalogue import Catalogue
from scheduling.models import ServiceOffering


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


def specialties_online(known: Catalogue) -> list[BookableSpecialty]:
    """Specialties that can be booked now."""
    return [
        BookableSpecialty(specialty, [s for s in known.services if s.specialty_id == specialty.pk])
        for specialty in known.specialties
    ]


def practitioners_online(known: Catalogue, text: str = "") -> set[int]:
    """The ids of those who can be booked for what these words say."""
    words = search_words(text)
    return {o.schedule.practitioner_id for o in known.online if _answers(o, words)}


def services_for(wish: Wish, known: Catalogue) -> list[Service]:
    """The services this wish may mean, the one most practitioners give first."""
    givers: dict[int, set[int]] = defaultdict(set)
    for offering in offerings_for(wish, known, any_service=True):
        ids = known.ids[offering.id]
        givers[ids.service].add(ids.practitioner)
    meant = [service for service in known.services if service.pk in givers]
    # In order of name already.
    return sorted(meant, key=lambda service: -len(givers[service.pk]))


def offerings_for(
    wish: Wish, known: Catalogue, *, any_service: bool = False
) -> list[ServiceOffering]:
    """In order of id."""
    ids = known.ids
    if wish.practitioner:
        found = known.online_with[wish.practitioner.pk]
        if wish.specialty:
            found = [o for o in found if o.service.specialty_id == wish.specialty.pk]
    else:
        found = known.online_in[wish.specialty.pk] if wish.specialty else known.online
        if wish.name:
            words = search_words(wish.name)
            found = [o for o in found if _answers(o, words)]
    if wish.service and not any_service:
        found = [o for o in found if ids[o.id].service == wish.service.pk]
    if wish.location:
        found = [o for o in found if ids[o.id].location == wish.location.pk]
    if wish.insurer:
        seen_by = known.practitioners_of[wish.insurer.pk]
        found = [o for o in found if ids[o.id].practitioner in seen_by]
    return found


def by_service(
    offerings: Iterable[ServiceOffering], services: Iterable[Service], known: Catalogue
) -> list[ServiceOffering]:
    """In the order of these services: of two times at once the first one is offered."""
    place = {service.pk: place for place, service in enumerate(services)}
    return sorted(offerings, key=lambda o: place[known.ids[o.id].service])


def _answers(offering: ServiceOffering, words: list[str]) -> bool:
    """Whether each word is of the practitioner, the specialty or the service."""
    service = offering.service
    rows = (offering.schedule.practitioner, service.specialty, service)
    return all(any(word in row.search_text for row in rows) for word in words)


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
