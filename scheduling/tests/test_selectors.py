"""What the rules say about a window must not depend on where the window begins or ends."""

import datetime as dt
import importlib
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import connection

from scheduling.intervals import to_instant
from scheduling.models import DateOverride, Schedule, TimeOff
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


def test_a_closed_day_has_no_hours_to_compare():
    closed = DateOverride(schedule=ScheduleFactory.create(), date=MONDAY, kind="closed")
    closed.full_clean()
    closed.save()


UNCHECKED = {
    "sqlite": "PRAGMA ignore_check_constraints = %d",
    "mysql": "SET SESSION check_constraint_checks = %d",
}


@pytest.mark.parametrize(("hour", "end"), [(9, dt.time(8, 55)), (0, dt.time(23, 55))])
def test_what_opened_twenty_four_hours_keeps_them_but_for_five_minutes(hour, end):
    """Rows from before they were refused."""
    shorten = importlib.import_module("scheduling.migrations.0009_override_not_empty").shorten
    rows, start = ScheduleFactory.create().overrides, dt.time(hour)
    switch, checks_off = UNCHECKED[connection.vendor], connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(switch % checks_off)
        try:
            rows.create(date=dt.date.max, kind="instead", start=start, end=start)
            rows.create(date=MONDAY, kind="extra", start=dt.time(9), end=dt.time(10))
            rows.create(date=MONDAY, kind="closed")
        finally:
            cursor.execute(switch % (not checks_off))
    shorten(apps, None)
    kept = rows.order_by("pk").values_list("start", "end")
    assert list(kept) == [(start, end), (dt.time(9), dt.time(10)), (None, None)]
