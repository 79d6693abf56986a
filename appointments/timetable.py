"""Free times as people look at them: by practitioner, by day, the first one, the nearest."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from accounts.models import Practitioner, User
from appointments.availability import FreeTime, free_slots, free_time
from clinic.models import Organization
from scheduling.intervals import Interval, to_instant
from scheduling.models import ServiceOffering
from scheduling.slots import DAY_CELLS, Mask, Ruler, Slot
from scheduling.wallclock import day_bounds, each_day, local_day, shift_on

#: How many days one page of times shows.
WINDOW_DAYS = 7


class PartOfDay(enum.Enum):
    """From one clock time to the next, on the wall of the location. Midnight ends the evening."""

    MORNING = dt.time(0), dt.time(12)
    AFTERNOON = dt.time(12), dt.time(18)
    EVENING = dt.time(18), dt.time(0)

    def on(self, ruler: Ruler, zone: ZoneInfo) -> Mask:
        """This part of each day that the ruler touches."""
        return _part_on(self, ruler, zone)


@functools.lru_cache(maxsize=64)
def _part_on(part: PartOfDay, ruler: Ruler, zone: ZoneInfo) -> Mask:
    first = local_day(to_instant(ruler.minute(0)), zone)
    days = each_day(first, first + dt.timedelta(days=ruler.cells // DAY_CELLS + 1))
    return ruler.touched(shift_on(day, *part.value, zone) for day in days)


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


@dataclass(frozen=True, slots=True)
class Day:
    date: dt.date
    slots: list[OfferedSlot]


@dataclass(slots=True)
class PractitionerTimes:
    """One practitioner's free times in a window; they become slots when somebody looks."""

    practitioner: Practitioner
    free: list[FreeTime] = field(default_factory=list)
    #: The first free slot after the window, when the window has none.
    later: OfferedSlot | None = None

    @property
    def first(self) -> OfferedSlot | None:
        return next(self._slots(), None)

    def days(self, *, most_times: int | None = None) -> Iterator[Day]:
        """Day by day, earliest first; of each day at most so many times."""
        for date, slots in itertools.groupby(self._slots(), key=lambda offered: offered.day):
            yield Day(date, list(itertools.islice(slots, most_times)))

    def _slots(self) -> Iterator[OfferedSlot]:
        return heapq.merge(*map(_offered, self.free), key=when)


def _offered(free: FreeTime) -> Iterator[OfferedSlot]:
    return (OfferedSlot(slot, free.offering) for slot in free.slots())


def when(offered: OfferedSlot) -> tuple[dt.datetime, int]:
    return offered.start, offered.offering.pk


def times(
    offerings: Sequence[ServiceOffering],
    *,
    first: dt.date,
    now: dt.datetime,
    organization: Organization,
    last: dt.date | None = None,
    part: PartOfDay | None = None,
    holder: User | None = None,
) -> list[PractitionerTimes]:
    """Free times of a window of days by practitioner, the earliest first.

    Those without any in the window follow, with their first later slot. ``last``, the last
    day, is not before ``first``; it can shorten the window, never what comes later.
    ``holder`` sees what they hold themselves as free.
    """
    days = WINDOW_DAYS if last is None else min(WINDOW_DAYS, (last - first).days + 1)
    start, end = window(offerings, first, days)
    people: dict[int, PractitionerTimes] = {}
    found_time = free_time(
        offerings, start=start, end=end, now=now, organization=organization, holder=holder
    )
    for free in in_part(found_time, part):
        if free.starts:
            practitioner = free.offering.practitioner
            people.setdefault(practitioner.pk, PractitionerTimes(practitioner)).free.append(free)
    found = sorted(people.values(), key=_earliest)
    others = [o for o in offerings if o.practitioner.pk not in people]
    return [*found, *_later(others, end, now, organization, part, holder)]


def in_part(found: Iterable[FreeTime], part: PartOfDay | None) -> Iterator[FreeTime]:
    """Only what starts in this part of the day, each on the clock of its location."""
    for free in found:
        if part is None:
            yield free
        else:
            kept = free.starts & part.on(free.ruler, free.offering.location.zone)
            yield FreeTime(free.offering, free.ruler, kept)


def _earliest(person: PractitionerTimes) -> tuple[int, int]:
    first = min(free.ruler.minute(_lowest(free.starts)) for free in person.free)
    return first, person.practitioner.pk


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def window(
    offerings: Iterable[ServiceOffering], first: dt.date, days: int
) -> tuple[dt.datetime, dt.datetime]:
    """From the earliest midnight to the latest, over the zones of the locations."""
    last = first + dt.timedelta(days=days - 1)
    zones = {o.location.zone for o in offerings} or {ZoneInfo("UTC")}
    bounds: list[Interval] = [
        (day_bounds(first, zone)[0], day_bounds(last, zone)[1]) for zone in zones
    ]
    return to_instant(min(b[0] for b in bounds)), to_instant(max(b[1] for b in bounds))


def _later(
    offerings: Sequence[ServiceOffering],
    after: dt.datetime,
    now: dt.datetime,
    organization: Organization,
    part: PartOfDay | None,
    holder: User | None,
) -> list[PractitionerTimes]:
    firsts = first_slots(
        offerings, start=after, now=now, organization=organization, part=part, holder=holder
    )
    people = {o.practitioner.pk: o.practitioner for o in offerings}
    rest = [PractitionerTimes(person, [], firsts.get(pk)) for pk, person in people.items()]
    return sorted(
        rest,
        key=lambda p: (p.later is None, p.later.start if p.later else now, p.practitioner.pk),
    )


def first_slots(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    now: dt.datetime,
    organization: Organization,
    part: PartOfDay | None = None,
    holder: User | None = None,
) -> dict[int, OfferedSlot]:
    """Each practitioner's first free slot from ``start`` on, by practitioner id.

    Looks two weeks ahead first and at the whole horizon only for those who
    have nothing there.
    """
    firsts: dict[int, OfferedSlot] = {}
    near = max(start, now) + dt.timedelta(days=14)
    far = now + dt.timedelta(days=_horizon(offerings, organization))
    for begin, end in ((start, near), (near, far)):
        missing = [o for o in offerings if o.practitioner.pk not in firsts]
        found: dict[int, list[OfferedSlot]] = defaultdict(list)
        time = free_time(
            missing, start=begin, end=end, now=now, organization=organization, holder=holder
        )
        for free in in_part(time, part):
            if slot := free.first:
                found[free.offering.practitioner.pk].append(OfferedSlot(slot, free.offering))
        firsts |= {pk: min(offered, key=when) for pk, offered in found.items()}
    return firsts


def _horizon(offerings: Iterable[ServiceOffering], organization: Organization) -> int:
    own = [o.horizon_days or o.schedule.horizon_days or 0 for o in offerings]
    return max([organization.horizon_days, *own])


def nearest(
    offering: ServiceOffering,
    *,
    around: dt.datetime,
    now: dt.datetime,
    same: int = 3,
    others: int = 2,
    holder: User | None = None,
) -> tuple[list[OfferedSlot], list[OfferedSlot]]:
    """What else there is near a time that is gone: with the same practitioner, and with others."""
    candidates = list(
        ServiceOffering.objects.online().with_parts().filter(service=offering.service)
    )
    around = max(around, now)
    slots = free_slots(
        candidates,
        start=max(now, around - dt.timedelta(days=3)),
        end=around + dt.timedelta(days=21),
        now=now,
        holder=holder,
    )
    by_id = {o.pk: o for o in candidates}
    ranked = sorted(slots, key=lambda s: (abs(s.start - around), s.start, s.offering_id))
    offered = [OfferedSlot(s, by_id[s.offering_id]) for s in ranked]
    me = offering.practitioner
    here = [o for o in offered if o.offering.practitioner == me and o.start != around]
    there = _one_each(o for o in offered if o.offering.practitioner != me)
    return sorted(here[:same], key=when), sorted(there[:others], key=when)


def _one_each(offered: Iterable[OfferedSlot]) -> list[OfferedSlot]:
    """The first of each practitioner."""
    firsts: dict[int, OfferedSlot] = {}
    for one in offered:
        firsts.setdefault(one.offering.practitioner.pk, one)
    return list(firsts.values())
