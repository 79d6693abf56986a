"""When a reminder leaves: on the wall clock of the place, never at night."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from notifications import timing
from scheduling.quiet import QuietHours

pytestmark = pytest.mark.once

NIGHT = QuietHours(dt.time(21), dt.time(8))
NEVER = QuietHours(dt.time(0), dt.time(0))
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)

MADRID, SANTIAGO, ASUNCION, MEXICO, BUENOS_AIRES = (
    ZoneInfo(name)
    for name in (
        "Europe/Madrid",
        "America/Santiago",
        "America/Asuncion",
        "America/Mexico_City",
        "America/Argentina/Buenos_Aires",
    )
)


def leaves(start, hours, quiet=NIGHT, now=LONG_AGO):
    """On the clock of the place, as ``2026-03-28 10:00``."""
    due = timing.reminder(start, start.tzinfo, hours, quiet, now=now)
    return due and f"{due.at.astimezone(start.tzinfo):%Y-%m-%d %H:%M}"


def on(day, clock, zone=BUENOS_AIRES):
    return dt.datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        ("2026-03-29", MADRID, "2026-03-28 10:00"),  # 23 hours before
        ("2026-10-25", MADRID, "2026-10-24 10:00"),  # 25 hours before
        ("2026-04-05", SANTIAGO, "2026-04-04 10:00"),
        ("2026-09-06", SANTIAGO, "2026-09-05 10:00"),
        ("2024-10-06", ASUNCION, "2024-10-05 10:00"),
        ("2022-04-03", MEXICO, "2022-04-02 10:00"),
        ("2026-10-25", BUENOS_AIRES, "2026-10-24 10:00"),
    ],
)
def test_a_day_before_is_the_same_hour_whatever_the_clock_did(day, zone, expected):
    assert leaves(on(day, "10:00", zone), 24) == expected


def test_hours_that_are_no_whole_days_are_real_hours():
    start = on("2026-03-29", "10:00", MADRID)
    assert leaves(start, 12, NEVER) == "2026-03-28 21:00"
    assert leaves(start, 36, NEVER) == "2026-03-27 22:00"


def test_an_hour_that_the_clock_skips_is_the_end_of_the_gap():
    assert leaves(on("2026-03-30", "02:30", MADRID), 24, NEVER) == "2026-03-29 03:00"


def test_an_hour_that_comes_twice_leaves_with_the_first():
    due = timing.reminder(on("2026-10-26", "02:30", MADRID), MADRID, 24, NEVER, now=LONG_AGO)
    assert due.at == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("clock", "hours", "expected"),
    [
        ("08:00", 24, "2026-11-25 08:00"),  # the quiet hours are just over
        ("07:55", 24, "2026-11-24 20:30"),
        ("20:55", 24, "2026-11-25 20:55"),
        ("21:00", 24, "2026-11-25 20:30"),
        ("23:30", 24, "2026-11-25 20:30"),
        ("00:30", 24, "2026-11-24 20:30"),
        ("10:00", 12, "2026-11-25 20:30"),
    ],
)
def test_what_would_leave_at_night_leaves_on_the_evening_before(clock, hours, expected):
    assert leaves(on("2026-11-26", clock), hours) == expected


def test_when_that_evening_is_over_it_leaves_in_the_morning():
    start = on("2026-11-26", "07:00")
    assert leaves(start, 24, now=on("2026-11-24", "22:00")) == "2026-11-25 08:00"


def test_not_in_the_morning_when_that_helps_nobody():
    start = on("2026-11-26", "08:30")
    assert leaves(start, 10, now=on("2026-11-25", "22:00")) is None


def test_quiet_hours_within_one_day():
    siesta = QuietHours(dt.time(13), dt.time(16))
    assert leaves(on("2026-11-26", "14:00"), 24, siesta) == "2026-11-25 12:30"
    assert leaves(on("2026-11-26", "16:00"), 24, siesta) == "2026-11-25 16:00"


def test_the_evening_is_the_wall_clocks_when_it_changes_that_night():
    assert leaves(on("2026-03-30", "07:00", MADRID), 24) == "2026-03-28 20:30"


@pytest.mark.parametrize(("hours", "useful"), [(1, 0.5), (2, 1), (24, 1), (48, 1)])
def test_of_use_until_an_hour_before_or_half_way_there(hours, useful):
    start = on("2026-11-26", "16:00")
    due = timing.reminder(start, BUENOS_AIRES, hours, NIGHT, now=LONG_AGO)
    assert start - due.useful_until == useful * HOUR


def test_not_on_the_heels_of_the_booking():
    start = on("2026-11-26", "16:00")
    assert leaves(start, 24, now=start - 24 * HOUR) is None
    assert leaves(start, 24, now=start - 24.01 * HOUR) == "2026-11-25 16:00"


@pytest.mark.parametrize("zone", [MADRID, SANTIAGO, ASUNCION, MEXICO, BUENOS_AIRES])
def test_a_year_of_half_hours_in_five_zones(zone):
    """Each at its local time, or at half past eight on the evening before the night."""
    day, last = dt.date(2024, 1, 1), dt.date(2025, 1, 1)
    while day < last:
        for number in range(48):
            clock = dt.time(number // 2, number % 2 * 30)
            start = dt.datetime.combine(day, clock, tzinfo=zone)
            if start.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) != start.replace(
                tzinfo=None
            ):
                continue  # the clock skips it
            due = timing.reminder(start, zone, 24, NIGHT, now=LONG_AGO)
            local = due.at.astimezone(zone)
            ahead = (day - local.date()).days
            if 8 <= clock.hour < 21:
                assert (ahead, local.time()) == (1, clock), start
            else:
                assert (ahead, local.time()) == (2 - (clock.hour >= 21), dt.time(20, 30)), start
        day += dt.timedelta(days=1)
