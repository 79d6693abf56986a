"""Changes of a practitioner's time that may hit appointments: listed first, then done.

The caller shows ``hit_by_…``; the verb is handed what was shown and refuses if
another appointment has come or gone in the meantime.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import locks, services
from appointments.exceptions import Refusal
from appointments.models import Appointment
from clinic.models import Location
from scheduling.intervals import Interval, merge, overlaps, to_minute
from scheduling.models import Schedule, TimeOff
from scheduling.services import Hours, add_time_off, set_week
from scheduling.wallclock import shift_on


class Hit(enum.StrEnum):
    """What becomes of the appointments that a change hits."""

    KEEP = "keep"
    CANCEL = "cancel"


class HitsChanged(Refusal):
    code = "hits_changed"
    sentence = _("The appointments affected have changed in the meantime. Look at the list again.")


@dataclass(frozen=True, slots=True)
class Block:
    """Time off as a form gives it: two instants, or a weekday with its hours."""

    location: Location | None = None
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    weekday: int | None = None
    start: dt.time | None = None
    end: dt.time | None = None
    reason: str = ""


def hit_by_blocks(
    practitioner: Practitioner, blocks: Sequence[Block], now: dt.datetime
) -> list[Appointment]:
    """Upcoming appointments that any of the blocks would cover, soonest first."""
    return [a for a in _upcoming(practitioner, now) if any(_covers(block, a) for block in blocks)]


def _covers(block: Block, appointment: Appointment) -> bool:
    if block.location and block.location.pk != appointment.location_id:
        return False
    visit = (to_minute(appointment.start), to_minute(appointment.end))
    if block.starts_at and block.ends_at:
        return overlaps(visit, (to_minute(block.starts_at), to_minute(block.ends_at)))
    if block.weekday is None or block.start is None or block.end is None:
        return False
    return any(
        overlaps(visit, shift_on(day, block.start, block.end, appointment.zone))
        for day in _days_around(appointment)
        if day.weekday() == block.weekday
    )


def hit_by_week(schedule: Schedule, hours: Sequence[Hours], now: dt.datetime) -> list[Appointment]:
    """Upcoming appointments that lie inside today's weekly hours and outside these."""
    current = [
        Hours(h.weekday, h.start, h.end, h.valid_from, h.valid_until) for h in schedule.hours.all()
    ]
    return [
        a
        for a in _upcoming(schedule.practitioner, now)
        if a.location_id == schedule.location_id and _inside(current, a) and not _inside(hours, a)
    ]


def _inside(hours: Sequence[Hours], appointment: Appointment) -> bool:
    visit = (to_minute(appointment.start), to_minute(appointment.end))
    return any(s <= visit[0] and visit[1] <= e for s, e in _shifts(hours, appointment))


def _shifts(hours: Iterable[Hours], appointment: Appointment) -> list[Interval]:
    return merge(
        shift_on(day, line.start, line.end, appointment.zone)
        for day in _days_around(appointment)
        for line in hours
        if line.weekday == day.weekday()
        and (line.valid_from is None or line.valid_from <= day)
        and (line.valid_until is None or day <= line.valid_until)
    )


def _days_around(appointment: Appointment) -> list[dt.date]:
    """Its own day and its neighbours: a shift may cross midnight."""
    return [appointment.local_date + dt.timedelta(days=n) for n in (-1, 0, 1)]


def _upcoming(practitioner: Practitioner, now: dt.datetime) -> list[Appointment]:
    return list(practitioner.appointments.upcoming(now).with_parts())


@locks.retrying
def block_time(
    *,
    practitioner: Practitioner,
    blocks: Sequence[Block],
    by: Actor,
    seen: Iterable[int] = (),
    hit: Hit = Hit.KEEP,
    note: str = "",
    now: dt.datetime | None = None,
) -> tuple[list[TimeOff], list[Appointment]]:
    """Block the time, and keep or cancel (with notice and ``note``) what it hits.

    All blocks or none: lunch from Monday to Friday is one change of five blocks.
    ``seen``: the ids of the appointments that were shown. Refuses HitsChanged.
    Returns the rows written and the appointments they hit.
    """
    now = now or timezone.now()
    with transaction.atomic():
        locks.hold(practitioners=[practitioner.pk])
        hits = hit_by_blocks(practitioner, blocks, now)
        rows = [_add(practitioner, block, by) for block in blocks]
        return rows, _settle(hits, seen, hit, by, note, now)


def _add(practitioner: Practitioner, block: Block, by: Actor) -> TimeOff:
    return add_time_off(
        practitioner=practitioner,
        by=by,
        location=block.location,
        starts_at=block.starts_at,
        ends_at=block.ends_at,
        weekday=block.weekday,
        start=block.start,
        end=block.end,
        reason=block.reason,
    )


@locks.retrying
def change_week(
    *,
    schedule: Schedule,
    hours: Sequence[Hours],
    by: Actor,
    slot_step: int | None = None,
    seen: Iterable[int] = (),
    hit: Hit = Hit.KEEP,
    note: str = "",
    now: dt.datetime | None = None,
) -> list[Appointment]:
    """Replace the weekly hours, and the step if one is given.

    ``seen``, ``hit`` and ``note`` as in ``block_time``.
    """
    now = now or timezone.now()
    with transaction.atomic():
        locks.hold(practitioners=[schedule.practitioner_id])
        hits = hit_by_week(schedule, hours, now)
        set_week(schedule=schedule, hours=hours, by=by, slot_step=slot_step)
        return _settle(hits, seen, hit, by, note, now)


def _settle(
    hits: list[Appointment],
    seen: Iterable[int],
    hit: Hit,
    by: Actor,
    note: str,
    now: dt.datetime,
) -> list[Appointment]:
    if {a.pk for a in hits} != set(seen):
        raise HitsChanged(appointments=hits)
    if hit is Hit.CANCEL:
        for appointment in hits:
            services.cancel(appointment=appointment, by=by, reason=note, now=now)
    return hits
