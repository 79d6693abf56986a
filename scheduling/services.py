"""Verbs that change a practitioner's time. Each holds the practitioner's row.

Bookings hold the same row, so that a change of hours and a booking come one
after the other (see docs/decisions/0002-the-guard.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import transaction

from accounts.models import Practitioner
from accounts.roles import Actor
from clinic import audit
from clinic.models import Location
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff, WorkingHours
from scheduling.weeks import Hours


class ScheduleRules(NamedTuple):
    """At which steps, how soon and how far ahead patients book. None: as the clinic says."""

    slot_step: int | None
    min_notice_minutes: int | None
    horizon_days: int | None


@transaction.atomic
def set_week(
    *,
    schedule: Schedule,
    hours: Sequence[Hours],
    by: Actor,
    rules: ScheduleRules | None = None,
) -> None:
    """Replace the weekly hours of a schedule by these, and its own rules if they are given.

    Does not look at appointments: ``appointments.blocking.change_week`` does.
    """
    Practitioner.objects.lock(schedule.practitioner_id)
    before = [str(h) for h in schedule.hours.all()]
    schedule.hours.all().delete()
    rows = [
        WorkingHours(
            schedule=schedule,
            weekday=line.weekday,
            start=line.start,
            end=line.end,
            valid_from=line.valid_from,
            valid_until=line.valid_until,
        )
        for line in sorted(hours, key=lambda h: (h.weekday, h.start))
    ]
    WorkingHours.objects.bulk_create(rows)
    if rules is not None:
        for name, value in rules._asdict().items():
            setattr(schedule, name, value)
        schedule.save(update_fields=ScheduleRules._fields)
    audit.record(
        actor=str(by),
        action="schedule.set_week",
        target=schedule,
        slot_step=schedule.slot_step,
        min_notice_minutes=schedule.min_notice_minutes,
        horizon_days=schedule.horizon_days,
        before=before,
        after=[str(row) for row in rows],
    )


@transaction.atomic
def set_overrides(
    *,
    schedule: Schedule,
    dates: Iterable[dt.date],
    kind: DateOverride.Kind,
    spans: Sequence[tuple[dt.time, dt.time]] = (),
    by: Actor,
) -> None:
    """On these dates it is closed, or these hours hold; instead of what was said of them before.

    Does not look at appointments: ``appointments.changes`` does.
    """
    Practitioner.objects.lock(schedule.practitioner_id)
    days = sorted(set(dates))
    schedule.overrides.filter(date__in=days).delete()
    hours: Sequence[tuple[dt.time | None, dt.time | None]] = sorted(spans)
    if kind == DateOverride.Kind.CLOSED:
        hours = [(None, None)]
    DateOverride.objects.bulk_create(
        DateOverride(schedule=schedule, date=day, kind=kind, start=start, end=end)
        for day in days
        for start, end in hours
    )
    audit.record(
        actor=str(by),
        action="schedule.set_overrides",
        target=schedule,
        dates=[day.isoformat() for day in days],
        kind=str(kind),
        hours=[f"{start:%H:%M}–{end:%H:%M}" for start, end in spans],
    )


@transaction.atomic
def remove_overrides(*, schedule: Schedule, date: dt.date, by: Actor) -> None:
    """The week holds on this date again. Looks at no appointments either."""
    Practitioner.objects.lock(schedule.practitioner_id)
    schedule.overrides.filter(date=date).delete()
    audit.record(
        actor=str(by),
        action="schedule.remove_overrides",
        target=schedule,
        dates=[date.isoformat()],
    )


@transaction.atomic
def add_time_off(
    *,
    practitioner: Practitioner,
    by: Actor,
    location: Location | None = None,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
    weekday: int | None = None,
    start: dt.time | None = None,
    end: dt.time | None = None,
    reason: str = "",
) -> TimeOff:
    """Block time once (two instants) or weekly (a weekday and its hours).

    Does not look at appointments: ``appointments.blocking.block_time`` does.
    """
    Practitioner.objects.lock(practitioner.pk)
    row = TimeOff.objects.create(
        practitioner=practitioner,
        location=location,
        starts_at=starts_at,
        ends_at=ends_at,
        weekday=weekday,
        start=start,
        end=end,
        reason=reason,
    )
    audit.record(actor=str(by), action="time_off.add", target=row, practitioner=practitioner.pk)
    return row


@transaction.atomic
def remove_time_off(*, time_off: TimeOff, by: Actor) -> None:
    Practitioner.objects.lock(time_off.practitioner_id)
    audit.record(
        actor=str(by),
        action="time_off.remove",
        target=time_off,
        practitioner=time_off.practitioner_id,
    )
    time_off.delete()


@transaction.atomic
def set_offering(*, offering: ServiceOffering, by: Actor) -> ServiceOffering:
    """Save a service as this practitioner gives it, new or changed."""
    Practitioner.objects.lock(offering.schedule.practitioner_id)
    if offering._state.adding:
        _adopt(offering)
    offering.save()
    audit.record(
        actor=str(by),
        action="offering.set",
        target=offering,
        minutes=offering.minutes,
        is_active=offering.is_active,
        booked_online_by=offering.booked_online_by,
    )
    return offering


def _adopt(offering: ServiceOffering) -> None:
    """A form that came twice: the second time changes the row that the first one made."""
    made = ServiceOffering.objects.filter(schedule=offering.schedule, service=offering.service)
    offering.pk = made.values_list("pk", flat=True).first()
    offering._state.adding = offering.pk is None
