"""Time that a change of the rules opens is offered to those who wait, like what becomes free.

Looked at before and after the change, under its locks; what was not open before becomes rows
of ``FreedTime``. Only for services that somebody waits for, and no further than they wait.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import Q

from appointments.models import FreedTime, WaitingListEntry
from clinic.models import Organization
from scheduling.intervals import Interval, clip, merge, subtract, to_instant, to_minute
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import booking_rules, open_time

#: So many stretches of one change at most, the soonest: who opens a year opens no flood.
MOST = 100

#: A service, or else any of a specialty.
Wanted = tuple[int | None, int | None]
#: By practitioner and location, service by service.
Open = Mapping[tuple[int, int], Mapping[int, list[Interval]]]


def look(practitioners: Iterable[int], *, now: dt.datetime) -> Open:
    """When those of these services can be booked online that somebody waits for."""
    people = set(practitioners)
    waiting = WaitingListEntry.objects.live().filter(
        Q(practitioner=None) | Q(practitioner__in=people),
        last_day__gte=now.date() - dt.timedelta(days=1),
    )
    days: dict[Wanted, dt.date] = {}
    for service, specialty, last in waiting.values_list("service", "specialty", "last_day"):
        days[service, specialty] = max(last, days.get((service, specialty), last))
    if not days:
        return {}
    organization = Organization.current()
    offerings = list(
        ServiceOffering.objects.online()
        .with_parts()
        .filter(
            Q(service__in=[service for service, _any in days if service])
            | Q(service__specialty__in=[specialty for _one, specialty in days if specialty]),
            schedule__practitioner__in=people,
        )
    )
    ends = {o.pk: _end(o, _last(o, days), organization, now) for o in offerings}
    schedules: dict[int, Schedule] = {o.schedule_id: o.schedule for o in offerings}
    opened = open_time(list(schedules.values()), now, max(ends.values(), default=now))
    found: dict[tuple[int, int], dict[int, list[Interval]]] = defaultdict(dict)
    for offering in offerings:
        schedule, window = offering.schedule, (to_minute(now), to_minute(ends[offering.pk]))
        place = found[schedule.practitioner_id, schedule.location_id]
        place[offering.service_id] = clip(opened[schedule.pk].free_of_blocks, window)
    return found


def _last(offering: ServiceOffering, days: Mapping[Wanted, dt.date]) -> dt.date:
    service = offering.service
    keys: list[Wanted] = [(service.pk, None), (None, service.specialty_id)]
    return max(days[key] for key in keys if key in days)


def _end(
    offering: ServiceOffering, last: dt.date, organization: Organization, now: dt.datetime
) -> dt.datetime:
    day_after = dt.datetime.combine(last + dt.timedelta(days=2), dt.time(), tzinfo=dt.UTC)
    return min(day_after, now + booking_rules(offering, organization).horizon)


def note(
    before: Open, *, now: dt.datetime, practitioners: Iterable[int], due_at: dt.datetime
) -> None:
    """What is open now and was not before. ``due_at``: not sooner is anybody asked."""
    rows = [
        FreedTime(
            practitioner_id=practitioner,
            location_id=location,
            start=to_instant(start),
            end=to_instant(end),
            due_at=due_at,
        )
        for (practitioner, location), services in look(practitioners, now=now).items()
        for start, end in _new(before.get((practitioner, location), {}), services)
    ]
    FreedTime.objects.bulk_create(sorted(rows, key=lambda row: row.start)[:MOST])


def _new(
    before: Mapping[int, list[Interval]], after: Mapping[int, list[Interval]]
) -> list[Interval]:
    return merge(
        interval
        for service, opened in after.items()
        for interval in subtract(opened, before.get(service, []))
    )
