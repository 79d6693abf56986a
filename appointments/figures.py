"""The manager's figures. The start page counts and the lists filter with these same definitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils import formats, timezone

from appointments.availability import busy_time
from appointments.models import Appointment
from appointments.transitions import Status
from scheduling.intervals import clip, subtract, to_instant, to_minute
from scheduling.models import Schedule
from scheduling.selectors import open_time
from scheduling.wallclock import instant_of

WAITING_HOURS = 24
NO_SHOW_DAYS = 30


def days(period: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """The first and the last day of a period, both included."""
    return {
        "today": (today, today),
        "tomorrow": (today + dt.timedelta(days=1), today + dt.timedelta(days=1)),
        "week": (today, today + dt.timedelta(days=6)),
        "last30": (today - dt.timedelta(days=NO_SHOW_DAYS), today),
        "from_today": (today, dt.date.max),
        "past": (dt.date.min, today - dt.timedelta(days=1)),
    }[period]


def within(period: str) -> QuerySet[Appointment]:
    """By the date on the wall of the location: no time zone tables of the database needed."""
    return Appointment.objects.filter(local_date__range=days(period, timezone.localdate()))


def waiting() -> QuerySet[Appointment]:
    """Requests that nobody has answered for a day."""
    since = timezone.now() - dt.timedelta(hours=WAITING_HOURS)
    return Appointment.objects.filter(status=Status.PENDING, created_at__lt=since)


def end_of_week(now: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Midnight after Sunday, on the wall of the place."""
    today = now.astimezone(zone).date()
    monday = today + dt.timedelta(days=7 - today.weekday())
    return to_instant(instant_of(monday, dt.time.min, zone))  # type: ignore[arg-type]


def free_minutes(schedules: Sequence[Schedule], now: dt.datetime) -> dict[int, int]:
    """By schedule, the minutes left until Sunday night. Constant queries.

    ``schedules`` come with practitioner and location. What is switched off has none.
    """
    free = {schedule.pk: 0 for schedule in schedules}
    active = [
        s for s in schedules if s.is_active and s.practitioner.is_active and s.location.is_active
    ]
    ends = {s.pk: end_of_week(now, s.location.zone) for s in active}
    if not active:
        return free
    opened = open_time(active, now, max(ends.values()))
    busy = busy_time((s.practitioner_id for s in active), now, max(ends.values()))
    for schedule in active:
        left = (to_minute(now), to_minute(ends[schedule.pk]))
        places = subtract(opened[schedule.pk].free_of_blocks, busy[schedule.practitioner_id])
        free[schedule.pk] = sum(end - start for start, end in clip(places, left))
    return free


def in_hours(minutes: int) -> str:
    return str(formats.number_format(minutes / 60, decimal_pos=1))


def all_free_minutes(now: dt.datetime) -> dict[int, int]:
    schedules = Schedule.objects.active().select_related("practitioner", "location")
    return {pk: minutes for pk, minutes in free_minutes(list(schedules), now).items() if minutes}
