"""Wall-clock rules become instants here, and only here.

The zone data is Python's (the pinned tzdata package), never the database's.
"""

import functools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduling.intervals import Interval, to_minute


def instant_of(day: date, clock: time, zone: ZoneInfo, *, again: bool = False) -> int:
    """The minute at which the clock on that wall shows this time.

    A time that a clock change skips means the end of the gap; a time that
    occurs twice means its first occurrence, or with ``again`` its second.
    """
    local = datetime.combine(day, clock, tzinfo=zone)
    if again:
        second = to_minute(local.replace(fold=1).astimezone(UTC))
        if _shows(second, zone) == local.replace(tzinfo=None):
            return second
    minute = to_minute(local.astimezone(UTC))
    if _shows(minute, zone) == local.replace(tzinfo=None):
        return minute
    return _end_of_gap(minute, zone)


def _shows(minute: int, zone: ZoneInfo) -> datetime:
    from_epoch = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return from_epoch.astimezone(zone).replace(tzinfo=None)


def _end_of_gap(after: int, zone: ZoneInfo) -> int:
    """The first minute of the new offset; ``after`` is less than a gap's length beyond it."""
    new_offset = _shows(after, zone) - _shows(after, ZoneInfo("UTC"))
    low, high = after - 24 * 60, after
    while low < high:
        middle = (low + high) // 2
        if _shows(middle, zone) - _shows(middle, ZoneInfo("UTC")) == new_offset:
            high = middle
        else:
            low = middle + 1
    return low


def shift_on(day: date, start: time, end: time, zone: ZoneInfo) -> Interval:
    """From start to end; an end that is not later than the start lies on the next day.

    May be empty (start == end) on a day whose clock change swallows it.
    """
    if end > start and (midnight := _plain_midnight(day, zone)) is not None:
        return midnight + start.hour * 60 + start.minute, midnight + end.hour * 60 + end.minute
    last = day if end > start else day + timedelta(days=1)
    return instant_of(day, start, zone), instant_of(last, end, zone)


@functools.lru_cache(maxsize=8192)
def _plain_midnight(day: date, zone: ZoneInfo) -> int | None:
    """The minute of midnight on a day of 24 hours; None on a day whose clock changes."""
    start, end = day_bounds(day, zone)
    return start if end - start == 24 * 60 else None


@functools.lru_cache(maxsize=8192)
def day_bounds(day: date, zone: ZoneInfo) -> Interval:
    """From midnight to midnight on that wall: 23, 24 or 25 hours."""
    return instant_of(day, time.min, zone), instant_of(day + timedelta(days=1), time.min, zone)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def each_day(first: date, last: date) -> list[date]:
    """Every date from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
