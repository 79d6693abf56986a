"""Rules on the wall clock, against a reference that walks minute by minute.

The reference looks at the clock on the wall at every minute. A rule begins to hold at the first
minute at which the clock shows its time or a later one: so a time that a clock change skips is
the end of the gap, and one that comes twice is its first coming.
"""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Practitioner
from clinic.models import Closure, Location
from scheduling.intervals import Interval, to_instant
from scheduling.models import DateOverride, Schedule, TimeOff
from scheduling.selectors import HoursLine, Rules, Week, expand
from scheduling.tests.examples import part, schedules
from scheduling.wallclock import day_bounds

ZONES = [
    "Europe/Madrid",
    "America/Santiago",
    "America/Asuncion",
    "America/Mexico_City",
    "America/Argentina/Buenos_Aires",
    "Atlantic/Canary",
    "Africa/Casablanca",
]
#: Of each zone its part of the random schedules of a run.
EXAMPLES = part(schedules(few=140), len(ZONES))

DAY = dt.timedelta(days=1)
Walk = list[tuple[int, dt.datetime]]


# --- the reference ---------------------------------------------------------------


@functools.lru_cache(maxsize=32)
def walk(zone: ZoneInfo, around: dt.date) -> Walk:
    """Every minute from two days before to three days after, with what the wall shows."""
    first = dt.datetime.combine(around - 2 * DAY, dt.time.min, tzinfo=dt.UTC)
    base = int(first.timestamp()) // 60
    return [
        (base + n, (first + dt.timedelta(minutes=n)).astimezone(zone).replace(tzinfo=None))
        for n in range(5 * 24 * 60)
    ]


@functools.lru_cache(maxsize=100_000)
def first_minute(zone: ZoneInfo, around: dt.date, wanted: dt.datetime) -> int:
    return next(minute for minute, shown in walk(zone, around) if shown >= wanted)


@functools.lru_cache(maxsize=1000)
def minutes_of(zone: ZoneInfo, around: dt.date, day: dt.date) -> frozenset[int]:
    """A day on the wall. Where the clock jumps back over midnight it stays one stretch."""
    shown = [minute for minute, shown in walk(zone, around) if shown.date() == day]
    return frozenset(range(min(shown), max(shown) + 1)) if shown else frozenset()


def span(world: World, day: dt.date, start: dt.time, end: dt.time) -> set[int]:
    """From one clock time to the other; an end that is not later is the next day's."""
    last = day if end > start else day + DAY
    begins, ends = (
        first_minute(world.zone, world.day, dt.datetime.combine(*when))
        for when in ((day, start), (last, end))
    )
    return set(range(begins, ends))


def reference(world: World) -> tuple[set[int], set[int]]:
    """The minutes of the day that lie in a shift, and those that something closes."""
    works: set[int] = set()
    for day in (world.day - DAY, world.day):
        for start, end in hours_on(world, day):
            works |= span(world, day, start, end)
    shut = [set[int]()]
    for row in world.rules.closures:
        if row.location_id in {None, HERE} and row.first_day <= world.day <= row.last_day:
            worked = worked_on_a_holiday(world) if row.can_be_worked else set()
            shut.append(minutes_of(world.zone, world.day, world.day) - worked)
    closed = set().union(*shut)
    for absence in world.rules.time_off:
        if absence.location_id in {None, HERE}:
            closed |= off(world, absence)
    today = minutes_of(world.zone, world.day, world.day)
    return works & today, closed & today


def worked_on_a_holiday(world: World) -> set[int]:
    """The hours of the exceptions of this very date."""
    of_day = [row for row in world.rules.overrides if row.date == world.day]
    if any(row.kind == "closed" for row in of_day):
        return set()
    spans = [span(world, world.day, row.start, row.end) for row in of_day if row.start and row.end]
    return set().union(*spans)


def hours_on(world: World, day: dt.date) -> list[tuple[dt.time, dt.time]]:
    of_day = [row for row in world.rules.overrides if row.date == day]
    kinds = {row.kind for row in of_day}
    if "closed" in kinds:
        return []
    spans = [(row.start, row.end) for row in of_day if row.start and row.end]
    if "instead" not in kinds:
        week = world.rules.week[day.weekday()]
        spans += [(line.start, line.end) for line in week if is_valid(line, day)]
    return spans


def off(world: World, row: TimeOff) -> set[int]:
    if row.starts_at:
        begins, ends = (int(at.timestamp()) // 60 for at in (row.starts_at, row.ends_at))
        return set(range(begins, ends))
    found: set[int] = set()
    for day in (world.day - DAY, world.day):
        if row.weekday == day.weekday():
            found |= span(world, day, row.start, row.end)
    return found


def is_valid(row: HoursLine, day: dt.date) -> bool:
    if row.valid_from and day < row.valid_from:
        return False
    return not (row.valid_until and day > row.valid_until)


# --- the worlds ------------------------------------------------------------------

HERE, ELSEWHERE = 1, 2


@dataclass(frozen=True)
class World:
    zone: ZoneInfo
    day: dt.date
    schedule: Schedule
    rules: Rules


@functools.cache
def days_of(name: str) -> list[dt.date]:
    """Days on which the clock of this zone changes, leap days, the ends of years."""
    zone = ZoneInfo(name)
    found = [dt.date(2024, 2, 29), dt.date(2028, 2, 29), dt.date(2026, 12, 31), dt.date(2027, 1, 1)]
    day = dt.date(2015, 1, 1)
    while day.year < 2031:
        noons = [dt.datetime.combine(d, dt.time(12), tzinfo=zone) for d in (day - DAY, day)]
        if noons[0].utcoffset() != noons[1].utcoffset():
            found.append(day)
        day += DAY
    return found


five = st.integers(0, 287).map(lambda n: dt.time(n // 12, n % 12 * 5))
#: Every second time near midnight or where clocks change.
clock = five | st.sampled_from([dt.time(n // 12, n % 12 * 5) for n in range(48)])
pair = st.tuples(clock, clock).filter(lambda p: p[0] != p[1])
near = st.integers(-2, 2)
somewhere = st.sampled_from([None, HERE, ELSEWHERE])


@st.composite
def worlds(draw: st.DrawFn, name: str) -> World:
    zone = ZoneInfo(name)
    around = st.sampled_from(days_of(name))
    day = draw(around) + draw(st.integers(-1, 1)) * DAY
    return World(
        zone,
        day,
        Schedule(
            pk=1,
            location=Location(pk=HERE, time_zone=name),
            practitioner=Practitioner(pk=1),
        ),
        Rules(
            week=week(draw, day),
            overrides=[override(draw, day) for _n in range(draw(st.integers(0, 2)))],
            closures=[closure(draw, day) for _n in range(draw(st.integers(0, 2)))],
            time_off=[time_off(draw, day, zone) for _n in range(draw(st.integers(0, 3)))],
        ),
    )


def week(draw: st.DrawFn, day: dt.date) -> Week:
    lines: Week = {n: [] for n in range(7)}
    for _n in range(draw(st.integers(0, 5))):
        weekday = (day + draw(st.integers(-1, 1)) * DAY).weekday()
        first, last = draw(st.none() | near), draw(st.none() | near)
        line = HoursLine(
            *draw(pair),
            valid_from=None if first is None else day + first * DAY,
            valid_until=None if last is None else day + last * DAY,
        )
        lines[weekday].append(line)
    return lines


def override(draw: st.DrawFn, day: dt.date) -> DateOverride:
    date, kind = day + draw(st.integers(-1, 1)) * DAY, draw(st.sampled_from(DateOverride.Kind))
    if kind == DateOverride.Kind.CLOSED:
        return DateOverride(date=date, kind=kind)
    start, end = draw(pair)
    return DateOverride(date=date, kind=kind, start=start, end=end)


def closure(draw: st.DrawFn, day: dt.date) -> Closure:
    first = day + draw(near) * DAY
    return Closure(
        location_id=draw(somewhere),
        first_day=first,
        last_day=first + draw(st.integers(0, 2)) * DAY,
        name="Feriado",
        can_be_worked=draw(st.booleans()),
    )


def time_off(draw: st.DrawFn, day: dt.date, zone: ZoneInfo) -> TimeOff:
    place = draw(somewhere)
    if draw(st.booleans()):
        start, end = draw(pair)
        weekday = (day + draw(st.integers(-1, 1)) * DAY).weekday()
        return TimeOff(location_id=place, weekday=weekday, start=start, end=end)
    begins = dt.datetime.combine(day, dt.time.min, tzinfo=dt.UTC) + dt.timedelta(
        minutes=draw(st.integers(-1440, 2880))
    )
    length = dt.timedelta(minutes=draw(st.integers(1, 2000)))
    return TimeOff(location_id=place, starts_at=begins, ends_at=begins + length)


def minutes(intervals: list[Interval]) -> set[int]:
    return {minute for start, end in intervals for minute in range(start, end)}


def found(world: World, window: Interval) -> tuple[set[int], set[int], set[int]]:
    """The minutes in the window that are worked, closed, and left."""
    inside = set(range(*window))
    opened = expand(world.schedule, world.rules, to_instant(window[0]), to_instant(window[1]))
    assert minutes(opened.shifts) & inside == minutes(opened.by_day) & inside
    return (
        minutes(opened.shifts) & inside,
        minutes(opened.closed) & inside,
        minutes(opened.free_of_blocks) & inside,
    )


@pytest.mark.parametrize("name", ZONES)
def test_the_rules_of_a_day_are_those_of_the_reference(name):
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(worlds(name), st.data())
    def run(world: World, data: st.DataObject) -> None:
        works, closed = reference(world)
        whole = day_bounds(world.day, world.zone)
        assert found(world, whole) == (works, closed, works - closed)
        # A part of the day says the same about itself.
        cut = data.draw(st.integers(whole[0] + 1, whole[1] - 1))
        rest = set(range(cut, whole[1]))
        expected = (works & rest, closed & rest, (works - closed) & rest)
        assert found(world, (cut, whole[1])) == expected

    run()


@pytest.mark.parametrize("name", ZONES)
def test_nine_oclock_is_nine_oclock_on_every_day_around_a_change(name):
    zone = ZoneInfo(name)
    schedule = Schedule(location=Location(pk=HERE, time_zone=name), practitioner=Practitioner())
    line = HoursLine(dt.time(9), dt.time(17), None, None)
    rules = Rules({n: [line] for n in range(7)}, [], [], [])
    for change in days_of(name):
        for day in (change - DAY, change, change + DAY):
            begin, end = day_bounds(day, zone)
            opened = expand(schedule, rules, to_instant(begin), to_instant(end))
            clocks = [
                [to_instant(minute).astimezone(zone).replace(tzinfo=None) for minute in shift]
                for shift in opened.shifts
            ]
            nine, five_pm = dt.time(9), dt.time(17)
            assert clocks == [[dt.datetime.combine(day, nine), dt.datetime.combine(day, five_pm)]]


def test_the_days_around_which_is_drawn_have_clock_changes():
    assert {name: len(days_of(name)) > 12 for name in ZONES} == {
        "Europe/Madrid": True,
        "America/Santiago": True,
        "America/Asuncion": True,
        "America/Mexico_City": True,
        "America/Argentina/Buenos_Aires": False,
        "Atlantic/Canary": True,
        "Africa/Casablanca": True,
    }
