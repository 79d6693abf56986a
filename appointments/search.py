"""What a visitor looks for, and what the clinic can offer: reads for the public pages."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count

from accounts.models import Patient, Practitioner
from appointments.availability import free_slots
from appointments.models import Appointment
from clinic.models import Location, Organization, Service, Specialty
from scheduling.intervals import to_instant
from scheduling.models import ServiceOffering, ServiceOfferingQuerySet
from scheduling.slots import Slot
from scheduling.wallclock import day_bounds, local_day

#: How many days one page of times shows.
WINDOW_DAYS = 7


@dataclass(frozen=True, slots=True)
class Wish:
    """A search as its address says it; whatever is not known is empty."""

    specialty: Specialty | None = None
    service: Service | None = None
    practitioner: Practitioner | None = None
    name: str = ""
    location: Location | None = None
    first: dt.date | None = None


@dataclass(frozen=True, slots=True)
class OfferedSlot:
    """A free slot with the offering it belongs to: what a link needs."""

    slot: Slot
    offering: ServiceOffering

    @property
    def start(self) -> dt.datetime:
        return self.slot.start

    @property
    def day(self) -> dt.date:
        return local_day(self.slot.start, self.offering.location.zone)


@dataclass(slots=True)
class Day:
    date: dt.date
    slots: list[OfferedSlot] = field(default_factory=list)


@dataclass(slots=True)
class PractitionerTimes:
    """One practitioner's free times in the window, by day."""

    practitioner: Practitioner
    days: list[Day]
    #: The first free slot after the window, when the window has none.
    later: OfferedSlot | None = None

    @property
    def first(self) -> OfferedSlot | None:
        return self.days[0].slots[0] if self.days else None


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
    return found


def times(
    offerings: Sequence[ServiceOffering],
    *,
    first: dt.date,
    now: dt.datetime,
    organization: Organization,
) -> list[PractitionerTimes]:
    """Free times of a window of days by practitioner, the earliest first.

    Those without any in the window follow, with their first later slot.
    """
    start, end = _window(offerings, first, WINDOW_DAYS)
    found = _by_practitioner(
        offerings, free_slots(offerings, start=start, end=end, now=now, organization=organization)
    )
    with_times = {p.practitioner.pk for p in found}
    others = [o for o in offerings if o.practitioner.pk not in with_times]
    return [*found, *_later(others, end, now, organization)]


def _window(
    offerings: Iterable[ServiceOffering], first: dt.date, days: int
) -> tuple[dt.datetime, dt.datetime]:
    """From the earliest midnight to the latest, over the zones of the locations."""
    zones = {o.location.zone for o in offerings}
    last = first + dt.timedelta(days=days - 1)
    if not zones:
        zero = dt.datetime.combine(first, dt.time.min, tzinfo=dt.UTC)
        return zero, zero
    return (
        to_instant(min(day_bounds(first, zone)[0] for zone in zones)),
        to_instant(max(day_bounds(last, zone)[1] for zone in zones)),
    )


def _by_practitioner(
    offerings: Sequence[ServiceOffering], slots: Iterable[Slot]
) -> list[PractitionerTimes]:
    by_id = {o.pk: o for o in offerings}
    days: dict[int, dict[dt.date, Day]] = defaultdict(dict)
    people: dict[int, Practitioner] = {}
    for slot in slots:
        offered = OfferedSlot(slot, by_id[slot.offering_id])
        practitioner = offered.offering.practitioner
        people[practitioner.pk] = practitioner
        day = days[practitioner.pk].setdefault(offered.day, Day(offered.day))
        day.slots.append(offered)
    # Slots come earliest first, so practitioners do too.
    return [PractitionerTimes(people[pk], list(days[pk].values())) for pk in people]


def _later(
    offerings: Sequence[ServiceOffering],
    after: dt.datetime,
    now: dt.datetime,
    organization: Organization,
) -> list[PractitionerTimes]:
    if not offerings:
        return []
    firsts = first_slots(offerings, start=after, now=now, organization=organization)
    nobody: dict[int, PractitionerTimes] = {}
    for offering in offerings:
        pk = offering.practitioner.pk
        slot = firsts.get(pk)
        nobody.setdefault(pk, PractitionerTimes(offering.practitioner, [], slot))
    return sorted(
        nobody.values(),
        key=lambda p: (p.later is None, p.later.start if p.later else now, str(p.practitioner)),
    )


def first_slots(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    now: dt.datetime,
    organization: Organization,
) -> dict[int, OfferedSlot]:
    """Each practitioner's first free slot from ``start`` on, by practitioner id.

    Looks two weeks ahead first and at the whole horizon only for those who
    have nothing there.
    """
    by_id = {o.pk: o for o in offerings}
    firsts: dict[int, OfferedSlot] = {}
    near = max(start, now) + dt.timedelta(days=14)
    far = now + dt.timedelta(days=_horizon(offerings, organization))
    for begin, end in ((start, near), (near, far)):
        missing = [o for o in offerings if o.practitioner.pk not in firsts]
        for slot in free_slots(missing, start=begin, end=end, now=now, organization=organization):
            offered = OfferedSlot(slot, by_id[slot.offering_id])
            firsts.setdefault(offered.offering.practitioner.pk, offered)
    return firsts


def _horizon(offerings: Iterable[ServiceOffering], organization: Organization) -> int:
    own = [o.schedule.horizon_days or 0 for o in offerings]
    return max([organization.horizon_days, *own])


def nearest(
    offering: ServiceOffering,
    *,
    around: dt.datetime,
    now: dt.datetime,
    same: int = 3,
    others: int = 2,
) -> tuple[list[OfferedSlot], list[OfferedSlot]]:
    """What else there is near a time that is gone: with the same practitioner, and with others."""
    organization = Organization.current()
    candidates = list(
        ServiceOffering.objects.online().with_parts().filter(service=offering.service)
    )
    around = max(around, now)
    slots = free_slots(
        candidates,
        start=max(now, around - dt.timedelta(days=3)),
        end=around + dt.timedelta(days=21),
        now=now,
        organization=organization,
    )
    by_id = {o.pk: o for o in candidates}
    ranked = sorted(slots, key=lambda s: (abs(s.start - around), s.start, s.offering_id))
    offered = [OfferedSlot(s, by_id[s.offering_id]) for s in ranked if s.start != around]
    here = [o for o in offered if o.offering.practitioner == offering.practitioner]
    there = [OfferedSlot(s, by_id[s.offering_id]) for s in ranked]
    there = [o for o in there if o.offering.practitioner != offering.practitioner]
    return sorted(here[:same], key=_when), sorted(_one_each(there)[:others], key=_when)


def _when(offered: OfferedSlot) -> tuple[dt.datetime, int]:
    return offered.start, offered.offering.pk


def _one_each(offered: Iterable[OfferedSlot]) -> list[OfferedSlot]:
    """The first of each practitioner."""
    firsts: dict[int, OfferedSlot] = {}
    for one in offered:
        firsts.setdefault(one.offering.practitioner.pk, one)
    return list(firsts.values())


def book_again(
    patients: Iterable[Patient], *, now: dt.datetime, organization: Organization, most: int = 3
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
    firsts = first_slots(offerings, start=now, now=now, organization=organization)
    return sorted(firsts.values(), key=lambda o: o.start)
