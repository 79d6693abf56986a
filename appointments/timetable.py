"""Free times as people look at them: by practitioner, by day, the first one, the nearest."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload
from zoneinfo import ZoneInfo

from accounts.models import Practitioner, User
from appointments.availability import (
    FreeTime,
    Moment,
    Stretch,
    at_this_moment,
    schedules_of,
    stretch,
)
from clinic.models import Organization, Service
from scheduling.catalogue import catalogue
from scheduling.intervals import Interval, to_instant, to_minute
from scheduling.models import Schedule, ServiceOffering
from scheduling.slots import DAY_CELLS, Mask, Ruler, Slot, bits
from scheduling.wallclock import day_bounds, each_day, local_day, shift_on

#: How many days one page of times shows.
WINDOW_DAYS = 7
#: With more practitioners than these, the first days are looked at before the whole window.
MANY, LOOK_DAYS = 100, dt.timedelta(days=3)
#: Around a time that is gone so far ahead and so far back; among many practitioners nearer first.
_REACH, _BACK = dt.timedelta(days=21), dt.timedelta(days=3)
_NEARER, _SEVERAL = dt.timedelta(days=1), 25
#: For so few, everything up to the horizon is looked at in one go.
A_FEW = 3


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

    @property
    def service(self) -> Service | None:
        """What all these times are for; None when there are none."""
        one = self.free[0] if self.free else self.later
        return one.offering.service if one else None

    def days(self, *, most_times: int | None = None) -> Iterator[Day]:
        """Day by day, earliest first; of each day at most so many times."""
        ends = [end for free in self.free for end in _ends(free)]
        for date in each_day(min(ends), max(ends)) if ends else ():
            bounds = [day_bounds(date, free.offering.location.zone) for free in self.free]
            today = [free.between(*day) for free, day in zip(self.free, bounds, strict=True)]
            if found := list(itertools.islice(_in_order(today), most_times)):
                yield Day(date, found)

    def _slots(self) -> Iterator[OfferedSlot]:
        return _in_order(self.free)


def _in_order(frees: Sequence[FreeTime]) -> Iterator[OfferedSlot]:
    if len(frees) == 1:
        return _offered(frees[0])
    return heapq.merge(*map(_offered, frees), key=when)


def _ends(free: FreeTime) -> tuple[dt.date, dt.date]:
    """The days of its first and its last start on the calendar of the location."""
    zone = free.offering.location.zone
    bits = _lowest(free.starts), free.starts.bit_length() - 1
    first, last = (local_day(to_instant(free.ruler.minute(bit)), zone) for bit in bits)
    return first, last


def _lowest(mask: Mask) -> int:
    return (mask & -mask).bit_length() - 1


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
) -> Lineup:
    """Free times of a window of days by practitioner, the earliest first.

    Of each the times of one service: the one with the first free time; of two that begin at
    once, the one that comes first in ``offerings``.

    Those without any in the window follow, with their first later slot. ``last``, the last
    day, is not before ``first``; it can shorten the window, never what comes later.
    ``holder`` sees what they hold themselves as free.
    """
    days = WINDOW_DAYS if last is None else min(WINDOW_DAYS, (last - first).days + 1)
    ask = _Question(schedules_of(offerings), now, organization, part, holder)
    return Lineup(ask, offerings, window(ask.schedules.values(), first, days))


@dataclass
class _Question:
    """What is asked of each stretch of time."""

    #: Of all the offerings that it can be about, by id.
    schedules: Mapping[int, Schedule]
    now: dt.datetime
    organization: Organization
    part: PartOfDay | None
    holder: User | None

    @functools.cached_property
    def whose(self) -> dict[int, int]:
        """The id of the practitioner by the id of the schedule."""
        return {pk: schedule.practitioner_id for pk, schedule in self.schedules.items()}

    def far(self, offerings: Iterable[ServiceOffering]) -> dt.datetime:
        """Nothing is free any more from then on: the longest horizon that anything has."""
        own = {o.horizon_days or 0 for o in offerings}
        theirs = {schedule.horizon_days or 0 for schedule in self.schedules.values()}
        return self.now + dt.timedelta(days=max({self.organization.horizon_days, *own, *theirs}))

    @functools.cached_property
    def moment(self) -> Moment:
        """The same for every stretch."""
        return at_this_moment(self.now, self.holder)

    def over(
        self, offerings: Sequence[ServiceOffering], start: dt.datetime, end: dt.datetime
    ) -> Stretch | None:
        return stretch(
            offerings,
            start=start,
            end=end,
            now=self.now,
            organization=self.organization,
            moment=self.moment,
        )

    def soonest(self, there: Stretch, offerings: Sequence[ServiceOffering]) -> list[FreeTime]:
        """Their free time in a stretch, of the service that begins first; none of it is empty.

        Of two that begin at once it is the one that comes first.
        """
        starts = there.starts(offerings)
        if self.part:
            parts = [self._part(there, offering.schedule_id) for offering in offerings]
            starts = [(m & part, need) for (m, need), part in zip(starts, parts, strict=True)]
        # The lowest bit alone, as a number: the smaller the sooner.
        firsts = [mask & -mask for mask, _need in starts]
        first = min(filter(None, firsts), default=0)
        if not first:
            return []
        service = offerings[firsts.index(first)].service_id
        return [
            FreeTime(offering, there.ruler, mask, need)
            for offering, (mask, need) in zip(offerings, starts, strict=True)
            if mask and offering.service_id == service
        ]

    def _part(self, there: Stretch, schedule: int) -> Mask:
        """The part of the day that is wanted, on the clock of this schedule."""
        zone = self.schedules[schedule].location.zone
        return self.part.on(there.ruler, zone) if self.part else there.ruler.full

    def not_before(self, there: Stretch, offerings: Iterable[ServiceOffering]) -> int:
        """The first cell in which something is free; -1: in none. Nothing of theirs begins sooner,
        and to say so takes far less than to reckon where it begins.
        """
        free = 0
        for pk in {offering.schedule_id for offering in offerings}:
            cells = there.not_taken(pk)
            if self.part:
                cells &= self._part(there, pk)
            free |= cells
        return _lowest(free)

    def free(
        self, offerings: Sequence[ServiceOffering], start: dt.datetime, end: dt.datetime
    ) -> dict[int, list[FreeTime]]:
        """By practitioner; only those who have some."""
        people: dict[int, list[FreeTime]] = defaultdict(list)
        if there := self.over(offerings, start, end):
            for free in in_part(there.free(offerings), self.part):
                if free.starts:
                    people[self.whose[free.offering.schedule_id]].append(free)
        return people


class Lineup(Sequence[PractitionerTimes]):
    """Practitioners by their first free time, then by id; those who have none come last.

    Looks no further ahead than it takes to fill the places somebody asks for: with many
    practitioners the first days are enough for the first page.
    """

    def __init__(
        self,
        question: _Question,
        offerings: Sequence[ServiceOffering],
        window: tuple[dt.datetime, dt.datetime],
    ) -> None:
        self._ask, self._window = question, window
        self._offerings: dict[int, list[ServiceOffering]] = defaultdict(list)
        for offering in offerings:
            self._offerings[question.whose[offering.schedule_id]].append(offering)
        #: Everybody whose place is known, in order, with the times that place them; and the rest.
        self._placed: dict[int, list[FreeTime]] = {}
        self._missing = dict(self._offerings)
        self._in_window: dict[int, list[FreeTime]] = {}
        #: The whole window for everybody, once it was read.
        self._whole: Stretch | None = None
        self._stretches = self._far_enough()
        self._coming: Iterator[tuple[int, list[FreeTime]]] = iter(())

    def _far_enough(self) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """Ever longer stretches of time, one after the other, up to the horizon.

        So few that a search asks the database eight times at most: see docs/performance.md.
        """
        (start, end), now = self._window, self._ask.now
        far = self._ask.far(o for offerings in self._offerings.values() for o in offerings)
        if len(self._offerings) <= A_FEW:
            yield start, max(end, far)
            return
        if len(self._offerings) > MANY:
            near = max(start, now) + LOOK_DAYS
            if near < end:
                yield start, near
        yield start, end
        yield end, far

    def __len__(self) -> int:
        return len(self._offerings)

    @property
    def first(self) -> OfferedSlot | None:
        """The first free time of them all."""
        self._fill(1)
        return next(map(_first, self._placed.values()), None)

    @overload
    def __getitem__(self, place: int) -> PractitionerTimes: ...

    @overload
    def __getitem__(self, place: slice) -> list[PractitionerTimes]: ...

    def __getitem__(self, place: int | slice) -> PractitionerTimes | list[PractitionerTimes]:
        if isinstance(place, int):
            return self._times([range(len(self))[place]])[0]
        return self._times(range(len(self))[place])

    def _times(self, places: Sequence[int]) -> list[PractitionerTimes]:
        self._fill(max(places, default=-1) + 1)
        order = list(self._placed.items())
        chosen = {pk: _first(frees) for pk, frees in (order[place] for place in places)}
        end = self._window[1]
        within = {pk for pk, first in chosen.items() if first and first.start < end}
        self._show(within)
        return [
            PractitionerTimes(
                self._offerings[pk][0].practitioner,
                self._in_window[pk] if pk in within else [],
                None if pk in within else first,
            )
            for pk, first in chosen.items()
        ]

    def _show(self, people: Iterable[int]) -> None:
        """All their times in the window, of the service that begins first."""
        unread = [pk for pk in people if pk not in self._in_window]
        offerings = [offering for pk in unread for offering in self._offerings[pk]]
        there = self._whole or self._ask.over(offerings, *self._window)
        start, end = map(to_minute, self._window)
        for pk in unread:
            # Somebody may have booked between two questions.
            frees = self._ask.soonest(there, self._offerings[pk]) if there else []
            cut = (free.between(start, end) for free in frees)
            self._in_window[pk] = [free for free in cut if free.starts]

    def _fill(self, places: int) -> None:
        while len(self._placed) < places and self._missing:
            pk, frees = next(self._coming, (None, []))
            if pk is not None:
                self._place(pk, frees)
            elif bounds := next(self._stretches, None):
                self._coming = self._look(bounds)
            else:
                for nobody in sorted(self._missing):
                    self._place(nobody, [])

    def _look(
        self, bounds: tuple[dt.datetime, dt.datetime]
    ) -> Iterator[tuple[int, list[FreeTime]]]:
        """Who has free time in this stretch, by the first of it, then by id.

        Whoever has nothing free before everybody on the page has their time cannot stand on it,
        and is not reckoned.
        """
        holds_window = bounds[0] <= self._window[0] and self._window[1] <= bounds[1]
        # The window of those who have their place already is shown too.
        asked = self._offerings if holds_window else self._missing
        there = self._ask.over([o for rows in asked.values() for o in rows], *bounds)
        if there is None:
            return
        if holds_window:
            self._whole = there
        soonest = [(self._ask.not_before(there, self._offerings[pk]), pk) for pk in self._missing]
        waiting = [(bit, pk) for bit, pk in soonest if bit >= 0]
        heapq.heapify(waiting)
        known: dict[int, list[FreeTime]] = {}
        while waiting:
            _bit, pk = heapq.heappop(waiting)
            if pk in known:
                yield pk, known[pk]
            elif frees := self._ask.soonest(there, self._offerings[pk]):
                known[pk] = frees
                heapq.heappush(waiting, (_soonest(frees), pk))

    def _place(self, pk: int, frees: list[FreeTime]) -> None:
        self._placed[pk] = frees
        del self._missing[pk]


def _first(frees: Iterable[FreeTime]) -> OfferedSlot | None:
    return min((offered for free in frees for offered in _only_first(free)), key=when, default=None)


def _only_first(free: FreeTime) -> Iterator[OfferedSlot]:
    return itertools.islice(_offered(free), 1)


def _soonest(frees: Iterable[FreeTime]) -> int:
    """The cell of the first start of times that are not empty, all on one ruler."""
    return min(_lowest(free.starts) for free in frees)


def in_part(found: Iterable[FreeTime], part: PartOfDay | None) -> Iterator[FreeTime]:
    """Only what starts in this part of the day, each on the clock of its location."""
    for free in found:
        if part is None:
            yield free
        else:
            kept = free.starts & part.on(free.ruler, free.offering.location.zone)
            yield FreeTime(free.offering, free.ruler, kept, free.need)


def window(
    schedules: Iterable[Schedule], first: dt.date, days: int
) -> tuple[dt.datetime, dt.datetime]:
    """From the earliest midnight to the latest, over the zones of the locations."""
    last = first + dt.timedelta(days=days - 1)
    zones = _zones(schedules) or {ZoneInfo("UTC")}
    bounds: list[Interval] = [
        (day_bounds(first, zone)[0], day_bounds(last, zone)[1]) for zone in zones
    ]
    return to_instant(min(b[0] for b in bounds)), to_instant(max(b[1] for b in bounds))


def _zones(schedules: Iterable[Schedule]) -> set[ZoneInfo]:
    return {schedule.location.zone for schedule in schedules}


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
    ask = _Question(schedules_of(offerings), now, organization, part, holder)
    firsts: dict[int, OfferedSlot] = {}
    near = max(start, now) + dt.timedelta(days=14)
    far = ask.far(offerings)
    for begin, end in ((start, near), (near, far)):
        missing = [o for o in offerings if ask.whose[o.schedule_id] not in firsts]
        found = ask.free(missing, begin, end)
        firsts |= {pk: first for pk, frees in found.items() if (first := _first(frees))}
    return firsts


def nearest(
    offering: ServiceOffering,
    *,
    around: dt.datetime,
    now: dt.datetime,
    same: int = 3,
    others: int = 2,
    holder: User | None = None,
) -> tuple[list[OfferedSlot], list[OfferedSlot]]:
    """What else there is near a time that is gone: with the same practitioner, and with others.

    From three days before to three weeks after it. Looks no further away than it takes: what
    lies beyond a stretch of time is no nearer than what was found in it.
    """
    organization = Organization.current()
    me, around = offering.schedule.practitioner_id, max(around, now)
    online = catalogue(organization).online
    giving = [o for o in online if o.service_id == offering.service_id]
    ask = _Question(schedules_of(giving), now, organization, None, holder)
    here: list[_Near] = []
    there: list[_Near] = []
    for reach in (_NEARER, _REACH) if len(giving) > _SEVERAL else (_REACH,):
        missing = {True: len(here) < same, False: len(there) < others}
        asked = [o for o in giving if missing[ask.whose[o.schedule_id] == me]]
        found = ask.free(asked, max(now, around - min(reach, _BACK)), around + reach)
        # A longer stretch holds what a shorter one held: whoever is not asked keeps what they have.
        mine = [near for free in found.pop(me, []) for near in _around(free, around, same + 1)]
        here = sorted(near for near in mine if near[1] != around)[:same] or here
        firsts = (
            min(n for free in frees for n in _around(free, around, 1)) for frees in found.values()
        )
        there = sorted(firsts)[:others] or there
    return _by_time(here), _by_time(there)


#: How far away, where that is, the offering's id, and the times it comes from.
_Near = tuple[dt.timedelta, dt.datetime, int, FreeTime]


def _around(free: FreeTime, around: dt.datetime, most: int) -> Iterator[_Near]:
    """The starts next to a moment, at most so many on each side of it."""
    before = free.starts & free.ruler.before(math.ceil(around.timestamp() / 60))
    earlier = itertools.islice(_downwards(before), most)
    later = itertools.islice(bits(free.starts ^ before), most)
    for bit in itertools.chain(earlier, later):
        start = to_instant(free.ruler.minute(bit))
        yield abs(start - around), start, free.offering.pk, free


def _downwards(mask: Mask) -> Iterator[int]:
    while mask:
        highest = mask.bit_length() - 1
        yield highest
        mask ^= 1 << highest


def _by_time(near: Iterable[_Near]) -> list[OfferedSlot]:
    slots = [OfferedSlot(free.slot_at(start), free.offering) for _far, start, _pk, free in near]
    return sorted(slots, key=when)
