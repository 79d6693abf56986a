"""Clock changes: gaps, folds, days of 23 and 25 hours, shifts across midnight."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from scheduling.intervals import to_instant
from scheduling.wallclock import day_bounds, each_day, instant_of, shift_on

pytestmark = pytest.mark.once

MADRID = ZoneInfo("Europe/Madrid")
SANTIAGO = ZoneInfo("America/Santiago")
BUENOS_AIRES = ZoneInfo("America/Argentina/Buenos_Aires")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def instant(day: str, clock: str, zone: ZoneInfo) -> dt.datetime:
    return to_instant(instant_of(dt.date.fromisoformat(day), dt.time.fromisoformat(clock), zone))


@pytest.mark.parametrize(
    ("day", "clock", "zone", "expected"),
    [
        ("2026-12-08", "10:30", BUENOS_AIRES, "2026-12-08T13:30"),
        ("2026-03-28", "09:00", MADRID, "2026-03-28T08:00"),
        ("2026-03-30", "09:00", MADRID, "2026-03-30T07:00"),
        # 2:00–3:00 does not exist on 29 March: the end of the gap is 3:00 (1:00 UTC).
        ("2026-03-29", "01:55", MADRID, "2026-03-29T00:55"),
        ("2026-03-29", "02:00", MADRID, "2026-03-29T01:00"),
        ("2026-03-29", "02:30", MADRID, "2026-03-29T01:00"),
        ("2026-03-29", "03:00", MADRID, "2026-03-29T01:00"),
        ("2026-03-29", "03:05", MADRID, "2026-03-29T01:05"),
        # 2:00–3:00 comes twice on 25 October: the first one counts.
        ("2026-10-25", "02:30", MADRID, "2026-10-25T00:30"),
        ("2026-10-25", "03:00", MADRID, "2026-10-25T02:00"),
        # In Santiago the gap is at midnight itself.
        ("2026-09-06", "00:00", SANTIAGO, "2026-09-06T04:00"),
        ("2026-09-06", "00:30", SANTIAGO, "2026-09-06T04:00"),
        ("2026-09-06", "01:00", SANTIAGO, "2026-09-06T04:00"),
        ("2026-12-31", "23:55", BUENOS_AIRES, "2027-01-01T02:55"),
        ("2028-02-29", "09:00", BUENOS_AIRES, "2028-02-29T12:00"),
    ],
)
def test_a_wall_clock_time_is_one_instant(day, clock, zone, expected):
    assert instant(day, clock, zone) == utc(expected)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-29", MADRID, 23),
        ("2026-10-25", MADRID, 25),
        ("2026-09-06", SANTIAGO, 23),
        ("2026-04-04", SANTIAGO, 25),
        ("2026-11-23", BUENOS_AIRES, 24),
    ],
)
def test_a_day_has_as_many_hours_as_its_clock_shows(day, zone, hours):
    start, end = day_bounds(dt.date.fromisoformat(day), zone)
    assert end - start == hours * 60


@pytest.mark.parametrize(
    ("day", "start", "end", "zone", "minutes"),
    [
        ("2026-11-23", "09:00", "17:00", BUENOS_AIRES, 480),
        ("2026-11-23", "22:00", "02:00", BUENOS_AIRES, 240),
        ("2026-11-23", "20:00", "00:00", BUENOS_AIRES, 240),
        ("2026-03-28", "22:00", "06:00", MADRID, 420),
        ("2026-10-24", "22:00", "06:00", MADRID, 540),
        ("2026-03-29", "02:10", "02:50", MADRID, 0),
    ],
)
def test_a_shift_lasts_what_passes_between_its_clock_times(day, start, end, zone, minutes):
    begins, ends = shift_on(
        dt.date.fromisoformat(day), dt.time.fromisoformat(start), dt.time.fromisoformat(end), zone
    )
    assert ends - begins == minutes


def test_each_day_has_both_ends():
    assert each_day(dt.date(2026, 12, 31), dt.date(2027, 1, 1)) == [
        dt.date(2026, 12, 31),
        dt.date(2027, 1, 1),
    ]
