"""What the rules of a practice come to on each of the next days, and how much is booked."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

from django.db.models import Count

from accounts.models import Practitioner
from appointments.models import Appointment
from clinic.models import Location
from scheduling.intervals import Interval, clip, to_instant
from scheduling.models import DateOverride, Schedule
from scheduling.selectors import Block, OpenTime, open_time
from scheduling.wallclock import day_bounds, each_day

Kind = Literal["open", "break", "time_off", "closure"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Open or closed time of one day. ``label`` is the reason of a block, or the holiday."""

    kind: Kind
    starts_at: dt.datetime
    ends_at: dt.datetime
    zone: ZoneInfo
    location: Location
    label: str = ""
    row_id: int = 0
    whole_day: bool = False
    #: Whether it holds at every location that is shown; else its own has to be named.
    everywhere: bool = True


@dataclass(frozen=True, slots=True)
class Outlook:
    """One date: what is open, what closes time, which exceptions hold, how many are booked."""

    date: dt.date
    open: list[Stretch]
    closed: list[Stretch]
    exceptions: list[tuple[Schedule, DateOverride.Kind]]
    booked: int


def outlook(
    practitioner: Practitioner, schedules: Sequence[Schedule], first: dt.date, last: dt.date
) -> list[Outlook]:
    """Every day from first to last, both included, in a constant number of queries."""
    bounds = [(day_bounds(d, s.location.zone)) for s in schedules for d in (first, last)]
    if not bounds:
        return [Outlook(day, [], [], [], 0) for day in each_day(first, last)]
    start, end = min(b[0] for b in bounds), max(b[1] for b in bounds)
    opened = open_time(schedules, to_instant(start), to_instant(end))
    weekly = set(practitioner.time_off.filter(weekday__isnull=False).values_list("pk", flat=True))
    exceptions = _exceptions(schedules, first, last)
    booked = _booked(practitioner, schedules, first, last)
    return [
        Outlook(
            date=day,
            open=sorted(_open(schedules, opened, day), key=lambda s: s.starts_at),
            closed=sorted(_closed(schedules, opened, weekly, day), key=lambda s: s.starts_at),
            exceptions=exceptions[day],
            booked=booked.get(day, 0),
        )
        for day in each_day(first, last)
    ]


def _open(
    schedules: Sequence[Schedule], opened: dict[int, OpenTime], day: dt.date
) -> Iterator[Stretch]:
    for schedule in schedules:
        location = schedule.location
        for part in clip(opened[schedule.pk].free_of_blocks, day_bounds(day, location.zone)):
            yield _stretch("open", part, location)


def _closed(
    schedules: Sequence[Schedule], opened: dict[int, OpenTime], weekly: set[int], day: dt.date
) -> list[Stretch]:
    """Each block once, also when it closes several locations. A day off has no breaks."""
    found: dict[tuple[str, int, Interval], list[Stretch]] = defaultdict(list)
    for schedule in schedules:
        location = schedule.location
        whole = day_bounds(day, location.zone)
        open_ = opened[schedule.pk]
        off = whole in [part for b in open_.blocks for part in clip([b.interval], whole)]
        shifts = [] if off else clip(open_.shifts, whole)
        for block in open_.blocks:
            kind = _kind(block, weekly)
            for part in clip([block.interval], whole):
                if kind != "break" or clip(shifts, part):
                    row = _stretch(kind, part, location, block, whole_day=part == whole)
                    found[kind, block.row_id, part].append(row)
    return [replace(rows[0], everywhere=len(rows) == len(schedules)) for rows in found.values()]


def _kind(block: Block, weekly: set[int]) -> Kind:
    if block.kind == "closure":
        return "closure"
    return "break" if block.row_id in weekly else "time_off"


def _stretch(
    kind: Kind,
    part: Interval,
    location: Location,
    block: Block | None = None,
    *,
    whole_day: bool = False,
) -> Stretch:
    return Stretch(
        kind=kind,
        starts_at=to_instant(part[0]),
        ends_at=to_instant(part[1]),
        zone=location.zone,
        location=location,
        label=block.label if block else "",
        row_id=block.row_id if block else 0,
        whole_day=whole_day,
    )


def _exceptions(
    schedules: Sequence[Schedule], first: dt.date, last: dt.date
) -> dict[dt.date, list[tuple[Schedule, DateOverride.Kind]]]:
    by_id = {schedule.pk: schedule for schedule in schedules}
    rows = DateOverride.objects.filter(schedule__in=by_id, date__range=(first, last))
    found: dict[dt.date, list[tuple[Schedule, DateOverride.Kind]]] = defaultdict(list)
    for day, schedule, kind in (
        rows.order_by("date", "schedule").values_list("date", "schedule", "kind").distinct()
    ):
        found[day].append((by_id[schedule], DateOverride.Kind(kind)))
    return found


def _booked(
    practitioner: Practitioner, schedules: Sequence[Schedule], first: dt.date, last: dt.date
) -> dict[dt.date, int]:
    rows = Appointment.objects.occupying().filter(
        practitioner=practitioner,
        location__in=[schedule.location_id for schedule in schedules],
        local_date__range=(first, last),
    )
    counted = rows.order_by().values_list("local_date").annotate(count=Count("pk"))
    return dict(counted)
