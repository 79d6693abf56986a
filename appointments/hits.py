"""Whom a change of the rules hits: what stands in the way of an appointment, before and after.

One question for every kind of change. Hours, exceptions, time off, closures,
whatever is switched off: each is an obstacle, and an appointment is hit when it
has one that it did not have before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.utils import timezone

from appointments.models import Appointment, AppointmentQuerySet
from scheduling.intervals import overlaps, to_minute
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import OpenTime, open_time

#: What is in the way, and the row it comes from (0 where there is only one).
Obstacle = tuple[str, int]
Obstacles = dict[int, frozenset[Obstacle]]


def upcoming(now: dt.datetime | None = None) -> AppointmentQuerySet:
    """What a change can hit, with everything that ``obstacles`` looks at."""
    rows = Appointment.objects.upcoming(now or timezone.now())
    return rows.with_parts().with_replaced().select_related("service__specialty")


def obstacles(appointments: Sequence[Appointment]) -> Obstacles:
    """By appointment, everything in the way of it under today's rules. Constant queries."""
    if not appointments:
        return {}
    schedules = {
        (schedule.practitioner_id, schedule.location_id): schedule
        for schedule in Schedule.objects.filter(
            practitioner__in={a.practitioner_id for a in appointments}
        ).select_related("practitioner", "location")
    }
    offered = set(
        ServiceOffering.objects.filter(
            schedule__in=[s.pk for s in schedules.values()], is_active=True
        ).values_list("schedule_id", "service_id")
    )
    opened = open_time(
        list(schedules.values()),
        min(a.start for a in appointments),
        max(a.end for a in appointments),
    )
    found: Obstacles = {}
    for appointment in appointments:
        schedule = schedules.get((appointment.practitioner_id, appointment.location_id))
        in_the_way = set(_switched_off(appointment))
        if schedule is None or not schedule.is_active:
            in_the_way.add(("schedule", 0))
        elif (schedule.pk, appointment.service_id) not in offered:
            in_the_way.add(("offering", 0))
        if schedule is not None:
            in_the_way.update(_closed(appointment, opened[schedule.pk]))
        found[appointment.pk] = frozenset(in_the_way)
    return found


def _switched_off(appointment: Appointment) -> Iterable[Obstacle]:
    parts = {
        "patient": appointment.patient,
        "practitioner": appointment.practitioner,
        "service": appointment.service,
        "specialty": appointment.service.specialty,
        "location": appointment.location,
        "room": appointment.room,
    }
    return [(name, 0) for name, part in parts.items() if part and not part.is_active]


def _closed(appointment: Appointment, time: OpenTime) -> Iterable[Obstacle]:
    visit = (to_minute(appointment.start), to_minute(appointment.end))
    if not any(start <= visit[0] and visit[1] <= end for start, end in time.shifts):
        yield "hours", 0
    for block in time.blocks:
        if overlaps(visit, block.interval):
            yield block.kind, block.row_id


def newly_hit(before: Obstacles, after: Obstacles) -> set[int]:
    """The appointments that have an obstacle they did not have."""
    return {pk for pk, now in after.items() if now - before.get(pk, frozenset())}
