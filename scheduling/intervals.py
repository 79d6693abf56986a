"""Half-open intervals of whole minutes since 1970 (UTC): ``a.start < b.end and b.start < a.end``.

Plain integers because they compare and sort fastest; instants become
``datetime`` again only for the slots that somebody will see.
"""

import functools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

#: (start, end) with start < end.
Interval = tuple[int, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def to_minute(instant: datetime) -> int:
    """Whole minutes since 1970; seconds are cut off."""
    return (instant - _EPOCH) // _MINUTE


def minute_from(instant: datetime) -> int:
    """The first whole minute that is not before this instant."""
    return -((_EPOCH - instant) // _MINUTE)


def first_to_come(now: datetime) -> int:
    """The first minute that has not begun: what begins at this very moment is past."""
    return to_minute(now) + 1


@functools.lru_cache(maxsize=16384)
def to_instant(minute: int) -> datetime:
    return _EPOCH + minute * _MINUTE


def overlaps(a: Interval, b: Interval) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted, without overlaps; intervals that touch become one."""
    merged: list[Interval] = []
    for start, end in sorted(i for i in intervals if i[0] < i[1]):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def subtract(whole: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """What is left of ``whole`` outside every hole."""
    cuts = merge(holes)
    left: list[Interval] = []
    first = 0
    for start, end in merge(whole):
        while first < len(cuts) and cuts[first][1] <= start:
            first += 1
        at = start
        for cut_start, cut_end in cuts[first:]:
            if cut_start >= end:
                break
            if cut_start > at:
                left.append((at, cut_start))
            at = max(at, cut_end)
        if at < end:
            left.append((at, end))
    return left


def clip(intervals: Iterable[Interval], window: Interval) -> list[Interval]:
    clipped = ((max(i[0], window[0]), min(i[1], window[1])) for i in intervals)
    return [i for i in clipped if i[0] < i[1]]
