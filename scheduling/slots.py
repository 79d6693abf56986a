"""The arithmetic of free time. Pure: busy time and ``now`` are handed in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduling.intervals import Interval, merge


@dataclass(frozen=True, slots=True)
class Need:
    """How much time a visit takes, in minutes: itself and what must stay free around it."""

    duration: int
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A start that can be booked now. Computed, never stored."""

    start: datetime
    end: datetime
    offering_id: int


def starts(
    *,
    shifts: Iterable[Interval],
    closed: Iterable[Interval],
    busy: Iterable[Interval],
    need: Need,
    step: int,
) -> list[int]:
    """Every minute at which a visit can start, ascending.

    The visit lies inside one shift and outside closed time. With its buffers it
    lies outside busy time, which carries its own buffers already. Starts stand
    on the shift's grid (its beginning plus multiples of ``step``); a free place
    that is long enough but misses the grid is offered from its first minute, so
    that no place is lost.
    """
    shut, taken = merge(closed), merge(busy)
    found: set[int] = set()
    for shift in merge(shifts):
        found.update(_in_shift(shift, shut, taken, need, step))
    return sorted(found)


def _in_shift(
    shift: Interval, closed: Sequence[Interval], busy: Sequence[Interval], need: Need, step: int
) -> Iterable[int]:
    for first, last in _places(shift, closed, busy, need):
        on_grid = shift[0] + -(-(first - shift[0]) // step) * step
        if on_grid <= last:
            yield from range(on_grid, last + 1, step)
        else:
            yield first


def _places(
    shift: Interval, closed: Sequence[Interval], busy: Sequence[Interval], need: Need
) -> Iterable[Interval]:
    """The ranges [first, last] of starts at which nothing is in the way."""
    # A start s is blocked by closed [a, b) when a - duration < s < b,
    # and by busy [a, b) when a - duration - after < s < b + before.
    blocked = merge(
        [(a - need.duration + 1, b) for a, b in _near(closed, shift, need)]
        + [
            (a - need.duration - need.after + 1, b + need.before)
            for a, b in _near(busy, shift, need)
        ]
    )
    at, last = shift[0], shift[1] - need.duration
    for block_start, block_end in blocked:
        if block_start > last:
            break
        if at < block_start:
            yield at, block_start - 1
        at = max(at, block_end)
    if at <= last:
        yield at, last


def _near(intervals: Sequence[Interval], shift: Interval, need: Need) -> Sequence[Interval]:
    """Those of the merged intervals that can touch the shift."""
    margin = need.duration + need.before + need.after
    low = bisect_right(intervals, shift[0] - margin, key=lambda i: i[1])
    high = bisect_left(intervals, shift[1] + margin, key=lambda i: i[0])
    return intervals[low:high]
