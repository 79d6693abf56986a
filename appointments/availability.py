"""Free time: the rules of the schedules minus the appointments.

One arithmetic (``scheduling.slots``) serves three questions: what is shown (``free_time``,
fed by the busy days kept beside the appointments), whether one start may be booked now
(``check``, fed by the appointments themselves, under the lock), and why not. Holds that
are live by the clock take time too, except from the account that has them (``holder``).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from accounts.models import User
from appointments import busy_days
from appointments.exceptions import (
    OfferingWithdrawn,
    SlotClosed,
    SlotHeld,
    SlotPast,
    SlotTaken,
    SlotTooFar,
    SlotTooSoon,
)
from appointments.models import Appointment, Hold
from clinic.fields import CELL_MINUTES
from clinic.models import Organization
from scheduling.intervals import Interval, to_instant, to_minute
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import OpenTime, booking_rules, open_time, travel_rule
from scheduling.slots import Mask, Ruler, Slot, bits, choose, places, widen

_DAY = dt.timedelta(days=1)
#: Practitioner, location, from when to when.
_Taken = tuple[int, int, Interval]
_STEP = dt.timedelta(minutes=CELL_MINUTES)


def present_step(now: dt.datetime) -> dt.datetime:
    """The start of the five minutes that are running."""
    return to_instant(to_minute(now) // CELL_MINUTES * CELL_MINUTES)


@dataclass(frozen=True, slots=True)
class FreeTime:
    """The free starts of one offering in a window, as bits on a ruler."""

    offering: ServiceOffering
    ruler: Ruler
    starts: Mask

    @property
    def first(self) -> Slot | None:
        return next(self.slots(), None)

    def slots(self) -> Iterator[Slot]:
        """Earliest first, one by one: whoever needs only some stops asking."""
        length = dt.timedelta(minutes=self.offering.minutes)
        for bit in bits(self.starts):
            at = to_instant(self.ruler.minute(bit))
            yield Slot(at, at + length, self.offering.pk)

    def between(self, start: int, end: int) -> FreeTime:
        """Only what starts in these minutes [start, end)."""
        kept = self.starts & self.ruler.from_(start) & self.ruler.before(end)
        return FreeTime(self.offering, self.ruler, kept)


def free_time(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None = None,
    holder: User | None = None,
    online: bool = True,
) -> list[FreeTime]:
    """What a patient can book of each offering, starting in [start, end).

    ``offerings`` come ``with_parts()``. A constant number of queries whatever
    their number and the length of the window. Without ``online`` as the staff: closer
    and further away, at the same steps.
    """
    if not offerings or start >= end:
        return []
    organization = organization or Organization.current()
    ruler = Ruler.of_days(to_minute(start), to_minute(end))
    schedules = {o.schedule_id: o.schedule for o in offerings}
    opened = open_time(list(schedules.values()), start, end)
    people = {s.practitioner_id for s in schedules.values()}
    by_place = busy_days.read(people, ruler)
    for practitioner, location, interval in _held(people, start, end, now=now, holder=holder):
        by_place[practitioner][location] |= ruler.touched([interval])
    lines = {
        pk: _Line.of(schedule, opened[pk], by_place[schedule.practitioner_id], ruler, organization)
        for pk, schedule in schedules.items()
    }
    return [
        FreeTime(
            offering,
            ruler,
            lines[offering.schedule_id].starts(offering, offering.schedule.slot_step)
            & _window(offering, ruler, start, end, now, organization if online else None),
        )
        for offering in offerings
    ]


def free_slots(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None = None,
    holder: User | None = None,
) -> list[Slot]:
    """Every slot of ``free_time``, earliest first."""
    found = free_time(
        offerings, start=start, end=end, now=now, organization=organization, holder=holder
    )
    return sorted(slot for free in found for slot in free.slots())


@dataclass(frozen=True, slots=True)
class _Line:
    """One schedule on a ruler: its shifts, what of them is open, and what is taken."""

    ruler: Ruler
    shifts: Sequence[Interval]
    open_: Mask
    busy: Mask

    @classmethod
    def of(
        cls,
        schedule: Schedule,
        time: OpenTime,
        busy: dict[int, Mask],
        ruler: Ruler,
        organization: Organization,
    ) -> _Line:
        """``busy`` by location: elsewhere takes the time to travel on both sides too."""
        taken = 0
        for location, mask in busy.items():
            away = location != schedule.location_id
            cells = travel_rule(schedule, organization).value // CELL_MINUTES if away else 0
            taken |= widen(mask, cells)
        open_ = ruler.inside(time.shifts) & ~ruler.touched(time.closed)
        return cls(ruler, time.by_day, open_, taken)

    def starts(self, offering: ServiceOffering, step: int) -> Mask:
        possible = places(open_=self.open_, busy=self.busy, need=offering.need, ruler=self.ruler)
        return choose(possible, self.ruler.grid(self.shifts, step))


def _window(
    offering: ServiceOffering,
    ruler: Ruler,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None,
) -> Mask:
    """The starts that were asked for, as far as notice and horizon, if any, allow them."""
    if organization is None:
        return ruler.from_(max(to_minute(start), to_minute(now) + 1)) & ruler.before(to_minute(end))
    rules = booking_rules(offering, organization)
    soonest = -(-int((now + rules.min_notice).timestamp()) // 60)
    # What begins at this very moment is past.
    first = max(to_minute(start), soonest, to_minute(now) + 1)
    last = min(to_minute(end), to_minute(now + rules.horizon))
    return ruler.from_(first) & ruler.before(last)


def busy_time(
    practitioners: Iterable[int], start: dt.datetime, end: dt.datetime
) -> dict[int, list[Interval]]:
    """What each practitioner's appointments occupy around [start, end), buffers included."""
    busy: dict[int, list[Interval]] = defaultdict(list)
    for practitioner, _location, interval in _appointments(practitioners, start, end):
        busy[practitioner].append(interval)
    return busy


def _appointments(
    practitioners: Iterable[int], start: dt.datetime, end: dt.datetime
) -> Iterator[_Taken]:
    return _taken(Appointment.objects.occupying(), practitioners, start, end)


def _held(
    practitioners: Iterable[int],
    start: dt.datetime,
    end: dt.datetime,
    *,
    now: dt.datetime,
    holder: User | None,
) -> Iterator[_Taken]:
    """What others than this account are booking at this moment."""
    others = Hold.objects.live(now).exclude(user=holder)
    return _taken(others, practitioners, start, end)


def _taken(
    rows: models.QuerySet[Any], practitioners: Iterable[int], start: dt.datetime, end: dt.datetime
) -> Iterator[_Taken]:
    around = rows.filter(
        practitioner__in=set(practitioners), start__gte=start - _DAY, start__lt=end + _DAY
    ).values_list("practitioner_id", "location_id", "start", "end", "buffer_before", "buffer_after")
    for practitioner, location, begins, ends, before, after in around:
        yield practitioner, location, (to_minute(begins) - before, to_minute(ends) + after)


def check(
    offering: ServiceOffering,
    *,
    start: dt.datetime,
    now: dt.datetime,
    online: bool,
    holder: User | None = None,
    over: bool = False,
) -> Slot:
    """The slot at this start, or the refusal that says why there is none.

    ``online``: as a patient. Staff may use any start on the five-minute grid, the step
    that is running included, closer and further away than patients, but never outside
    the hours. ``holder``: the account whose own holds are not in the way. ``over``: on
    top of what is booked at this location; not of what somebody is booking now.
    """
    door = ServiceOffering.objects.online() if online else ServiceOffering.objects.bookable()
    fresh = door.with_parts().filter(pk=offering.pk).first()
    if fresh is None:
        raise OfferingWithdrawn
    organization = Organization.current()
    end = start + dt.timedelta(minutes=fresh.minutes)
    _check_notice(fresh, organization, start=start, now=now, online=online)
    minute = to_minute(start)
    ruler = Ruler.of_days(minute, to_minute(end))
    busy: dict[int, Mask] = defaultdict(int)
    for _practitioner, location, interval in _appointments([fresh.practitioner.pk], start, end):
        if not (over and location == fresh.schedule.location_id):
            busy[location] |= ruler.touched([interval])
    opened = open_time([fresh.schedule], start, end)[fresh.schedule_id]
    line = _Line.of(fresh.schedule, opened, busy, ruler, organization)
    step = fresh.schedule.slot_step if online else CELL_MINUTES
    aligned = start.second == start.microsecond == 0 and minute % CELL_MINUTES == 0
    this = ruler.from_(minute) & ruler.before(minute + 1)
    if aligned and line.starts(fresh, step) & this:
        for _p, where, held in _held([fresh.practitioner.pk], start, end, now=now, holder=holder):
            busy[where] |= ruler.touched([held])
        line = _Line.of(fresh.schedule, opened, busy, ruler, organization)
        if line.starts(fresh, step) & this:
            return Slot(start, end, fresh.pk)
        raise SlotHeld
    need = fresh.need
    wanted = (minute - need.before, minute + need.duration + need.after)
    raise SlotTaken if ruler.touched([wanted]) & line.busy else SlotClosed


def _check_notice(
    offering: ServiceOffering,
    organization: Organization,
    *,
    start: dt.datetime,
    now: dt.datetime,
    online: bool,
) -> None:
    if start <= (now if online else now - _STEP):
        raise SlotPast
    if not online:
        return
    rules = booking_rules(offering, organization)
    if start < now + rules.min_notice:
        raise SlotTooSoon
    if start >= now + rules.horizon:
        raise SlotTooFar
