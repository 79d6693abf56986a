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
ASUNCION = ZoneInfo("America/Asuncion")
MEXICO = ZoneInfo("America/Mexico_City")
CANARY = ZoneInfo("Atlantic/Canary")
CASABLANCA = ZoneInfo("Africa/Casablanca")


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def instant(day: str, clock: str, zone: ZoneInfo) -> dt.datetime:
    return to_instant(instant_of(dt.date.fromisoformat(day), dt.time.fromisoformat(clock), zone))


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        ("2026-10-25", "02:30", "2026-10-25T01:30"),
        ("2026-10-25", "03:00", "2026-10-25T02:00"),
        ("2026-10-25", "01:55", "2026-10-24T23:55"),
        ("2026-03-29", "02:30", "2026-03-29T01:00"),
        ("2026-12-08", "10:30", "2026-12-08T09:30"),
    ],
)
def test_the_second_of_two_or_the_only_one(day: str, clock: str, expected: str) -> None:
    wall = dt.date.fromisoformat(day), dt.time.fromisoformat(clock)
    assert to_instant(instant_of(*wall, MADRID, again=True)) == utc(expected)


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
        # So it was in Asunción, until it kept its summer time for good.
        ("2024-10-06", "00:30", ASUNCION, "2024-10-06T04:00"),
        ("2024-03-23", "23:30", ASUNCION, "2024-03-24T02:30"),
        ("2026-10-04", "00:30", ASUNCION, "2026-10-04T03:30"),
        ("2022-04-03", "02:30", MEXICO, "2022-04-03T08:00"),
        ("2022-10-30", "01:30", MEXICO, "2022-10-30T06:30"),
        ("2026-04-05", "02:30", MEXICO, "2026-04-05T08:30"),
        # An hour before Madrid's wall, at the same instant.
        ("2026-03-29", "01:30", CANARY, "2026-03-29T01:00"),
        ("2026-10-25", "01:30", CANARY, "2026-10-25T00:30"),
        # Ramadan is an hour earlier, and ends with a gap.
        ("2026-02-15", "02:30", CASABLANCA, "2026-02-15T01:30"),
        ("2026-03-22", "02:30", CASABLANCA, "2026-03-22T02:00"),
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
        ("2024-10-06", ASUNCION, 23),
        ("2024-03-23", ASUNCION, 25),
        ("2026-10-04", ASUNCION, 24),
        ("2022-04-03", MEXICO, 23),
        ("2022-10-30", MEXICO, 25),
        ("2026-04-05", MEXICO, 24),
        ("2026-03-29", CANARY, 23),
        ("2026-10-25", CANARY, 25),
        ("2026-02-15", CASABLANCA, 25),
        ("2026-03-22", CASABLANCA, 23),
        ("2028-02-29", MADRID, 24),
        ("2026-12-31", SANTIAGO, 24),
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
        # Over the gap at midnight, and over the midnight that comes twice.
        ("2026-09-05", "22:00", "02:00", SANTIAGO, 180),
        ("2026-04-04", "22:00", "02:00", SANTIAGO, 300),
        ("2024-10-05", "22:00", "02:00", ASUNCION, 180),
        ("2024-03-23", "22:00", "02:00", ASUNCION, 300),
        # It ends at the first 23:30; it begins at the first one, too.
        ("2026-04-04", "22:00", "23:30", SANTIAGO, 90),
        ("2026-04-04", "23:30", "00:30", SANTIAGO, 120),
        ("2026-10-24", "22:00", "06:00", CANARY, 540),
        ("2026-02-14", "22:00", "06:00", CASABLANCA, 540),
        ("2026-03-21", "22:00", "06:00", CASABLANCA, 420),
        ("2022-10-29", "22:00", "06:00", MEXICO, 540),
        ("2028-02-28", "22:00", "02:00", MADRID, 240),
        ("2028-02-29", "22:00", "02:00", MADRID, 240),
        ("2026-12-31", "22:00", "02:00", BUENOS_AIRES, 240),
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
