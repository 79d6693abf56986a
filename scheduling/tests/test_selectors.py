"""What the rules say about a window must not depend on where the window begins or ends."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from scheduling.intervals import to_instant
from scheduling.models import Schedule, TimeOff
from scheduling.selectors import OpenTime, open_time
from scheduling.tests.factories import ScheduleFactory, open_week

pytestmark = pytest.mark.django_db

ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
MONDAY = dt.date(2026, 11, 23)


def clock(hour: int, minute: int = 0, *, day: dt.date = MONDAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), tzinfo=ZONE)


def read(schedule: Schedule, start: dt.datetime, end: dt.datetime) -> OpenTime:
    return open_time([schedule], start, end)[schedule.pk]


def local(interval: tuple[int, int]) -> str:
    begins, ends = (to_instant(minute).astimezone(ZONE) for minute in interval)
    return f"{begins:%d %H:%M}–{ends:%d %H:%M}"


def test_a_block_that_begins_where_the_window_ends_is_known():
    schedule = ScheduleFactory.create()
    open_week(schedule)
    TimeOff.objects.create(
        practitioner=schedule.practitioner, starts_at=clock(12), ends_at=clock(13)
    )
    opened = read(schedule, clock(10), clock(12))
    assert [local(block.interval) for block in opened.blocks] == ["23 12:00–23 13:00"]
    assert [local(shift) for shift in opened.shifts] == ["23 09:00–23 17:00"]


def test_a_weekly_block_of_the_next_day_is_known():
    schedule = ScheduleFactory.create()
    open_week(schedule, dt.time(20), dt.time(4))
    TimeOff.objects.create(
        practitioner=schedule.practitioner, weekday=1, start=dt.time(0), end=dt.time(1)
    )
    opened = read(schedule, clock(21), clock(22))
    assert "24 00:00–24 01:00" in [local(block.interval) for block in opened.blocks]


def test_hours_round_the_clock_begin_anew_each_day():
    schedule = ScheduleFactory.create()
    open_week(schedule, dt.time(0), dt.time(12))
    open_week(schedule, dt.time(12), dt.time(0))
    opened = read(schedule, clock(8), clock(9))
    assert [local(shift) for shift in opened.by_day] == ["22 00:00–23 00:00", "23 00:00–24 00:00"]
    assert [local(shift) for shift in opened.shifts] == ["22 00:00–24 00:00"]
