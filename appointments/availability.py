"""Free time: the rules of the schedules minus the appointments.

One function, ``free_slots``, decides what is shown; ``check`` asks the same
arithmetic about a single start and says why not.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence

from appointments.exceptions import (
    OfferingWithdrawn,
    SlotClosed,
    SlotPast,
    SlotTaken,
    SlotTooFar,
    SlotTooSoon,
)
from appointments.models import Appointment
from clinic.fields import CELL_MINUTES
from clinic.models import Organization
from scheduling.intervals import Interval, merge, overlaps, to_instant, to_minute
from scheduling.models import ServiceOffering
from scheduling.selectors import OpenTime, booking_rules, open_time
from scheduling.slots import Slot, starts

_DAY = dt.timedelta(days=1)


def busy_time(
    practitioners: Iterable[int], start: dt.datetime, end: dt.datetime
) -> dict[int, list[Interval]]:
    """What each practitioner's appointments occupy around [start, end), buffers included."""
    busy: dict[int, list[Interval]] = defaultdict(list)
    rows = (
        Appointment.objects.occupying()
        .filter(practitioner__in=set(practitioners), start__gte=start - _DAY, start__lt=end + _DAY)
        .values_list("practitioner_id", "start", "end", "buffer_before", "buffer_after")
    )
    for practitioner, begins, ends, before, after in rows:
        busy[practitioner].append((to_minute(begins) - before, to_minute(ends) + after))
    return busy


def free_slots(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None = None,
) -> list[Slot]:
    """Every slot a patient can book that starts in [start, end), earliest first.

    ``offerings`` come ``with_parts()``. A constant number of queries whatever
    their number and the length of the window.
    """
    if not offerings or start >= end:
        return []
    organization = organization or Organization.current()
    schedules = list({o.schedule_id: o.schedule for o in offerings}.values())
    opened = open_time(schedules, start, end)
    busy = busy_time((s.practitioner_id for s in schedules), start, end)
    found: list[Slot] = []
    for offering in offerings:
        rules = booking_rules(offering, organization)
        first = max(to_minute(start), _ceil_minute(now + rules.min_notice))
        last = min(to_minute(end), to_minute(now + rules.horizon))
        length = dt.timedelta(minutes=offering.minutes)
        for minute in _starts(offering, opened, busy, offering.schedule.slot_step):
            if first <= minute < last:
                at = to_instant(minute)
                found.append(Slot(at, at + length, offering.pk))
    return sorted(found)


def _starts(
    offering: ServiceOffering,
    opened: dict[int, OpenTime],
    busy: dict[int, list[Interval]],
    step: int,
) -> list[int]:
    time = opened[offering.schedule_id]
    return starts(
        shifts=time.shifts,
        closed=time.closed,
        busy=busy[offering.practitioner.pk],
        need=offering.need,
        step=step,
    )


def _ceil_minute(instant: dt.datetime) -> int:
    return -(-int(instant.timestamp()) // 60)


def check(offering: ServiceOffering, *, start: dt.datetime, now: dt.datetime, online: bool) -> Slot:
    """The slot at this start, or the refusal that says why there is none.

    ``online``: as a patient. Staff may use any start on the five-minute grid,
    closer and further away than patients, but never outside the hours.
    """
    door = ServiceOffering.objects.online() if online else ServiceOffering.objects.bookable()
    fresh = door.with_parts().filter(pk=offering.pk).first()
    if fresh is None:
        raise OfferingWithdrawn
    end = start + dt.timedelta(minutes=fresh.minutes)
    _check_notice(fresh, start=start, now=now, online=online)
    opened = open_time([fresh.schedule], start, end)
    busy = busy_time([fresh.practitioner.pk], start, end)
    step = fresh.schedule.slot_step if online else CELL_MINUTES
    minute = to_minute(start)
    aligned = start.second == start.microsecond == 0 and minute % CELL_MINUTES == 0
    if aligned and minute in _starts(fresh, opened, busy, step):
        return Slot(start, end, fresh.pk)
    need = fresh.need
    wanted = (minute - need.before, minute + need.duration + need.after)
    if any(overlaps(wanted, taken) for taken in merge(busy[fresh.practitioner.pk])):
        raise SlotTaken
    raise SlotClosed


def _check_notice(
    offering: ServiceOffering, *, start: dt.datetime, now: dt.datetime, online: bool
) -> None:
    if start <= now:
        raise SlotPast
    if not online:
        return
    rules = booking_rules(offering, Organization.current())
    if start < now + rules.min_notice:
        raise SlotTooSoon
    if start >= now + rules.horizon:
        raise SlotTooFar
