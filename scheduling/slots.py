"""The arithmetic of free time. Pure: busy time is handed in.

A stretch of time is one integer: bit n is its n-th five-minute cell. Weeks of
free time are then found with a few shifts and ANDs, whatever lies in them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from clinic.fields import CELL_MINUTES
from scheduling.intervals import Interval

Mask = int
DAY_CELLS = 24 * 60 // CELL_MINUTES


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


@dataclass(frozen=True, slots=True)
class Ruler:
    """Says which bit is which time: bit 0 is the cell ``first`` (counted since 1970)."""

    first: int
    cells: int

    @classmethod
    def of_days(cls, start: int, end: int) -> Ruler:
        """Whole UTC days around the minutes [start, end), and one more on each side.

        The margin holds what begins before or ends after: shifts, visits, buffers.
        """
        day = DAY_CELLS * CELL_MINUTES
        first, last = start // day - 1, -(-end // day) + 1
        return cls(first * DAY_CELLS, (last - first) * DAY_CELLS)

    @property
    def full(self) -> Mask:
        return (1 << self.cells) - 1

    def touched(self, intervals: Iterable[Interval]) -> Mask:
        """The cells that the intervals touch: for closed and busy time."""
        mask = 0
        for start, end in intervals:
            mask |= self._between(start // CELL_MINUTES, -(-end // CELL_MINUTES))
        return mask

    def inside(self, intervals: Iterable[Interval]) -> Mask:
        """The cells that lie wholly inside the intervals: for open time."""
        mask = 0
        for start, end in intervals:
            mask |= self._between(-(-start // CELL_MINUTES), end // CELL_MINUTES)
        return mask

    def grid(self, shifts: Iterable[Interval], step: int) -> Mask:
        """Of each shift, its beginning and every ``step`` minutes after it."""
        mask, apart = 0, step // CELL_MINUTES
        for start, end in shifts:
            low = -(-start // CELL_MINUTES)
            teeth = -(-(end // CELL_MINUTES - low) // apart)
            mask |= self._place(_comb(max(teeth, 0), apart), low)
        return mask

    def minute(self, bit: int) -> int:
        """The minute since 1970 at which the cell of this bit begins."""
        return (self.first + bit) * CELL_MINUTES

    def bit(self, minute: int) -> int:
        """The first bit that does not begin before this minute."""
        return -(-minute // CELL_MINUTES) - self.first

    def from_(self, minute: int) -> Mask:
        """Every cell that begins at this minute or later."""
        return self.full & ~((1 << max(self.bit(minute), 0)) - 1)

    def before(self, minute: int) -> Mask:
        """Every cell that begins before this minute."""
        return self.full & ((1 << max(self.bit(minute), 0)) - 1)

    def span(self, start: int, end: int) -> Mask:
        """Every cell that begins in the minutes [start, end)."""
        return self._between(-(-start // CELL_MINUTES), -(-end // CELL_MINUTES))

    def _between(self, low: int, high: int) -> Mask:
        return self._place((1 << max(high - low, 0)) - 1, low)

    def _place(self, pattern: Mask, cell: int) -> Mask:
        shift = cell - self.first
        moved = pattern << shift if shift >= 0 else pattern >> -shift
        return moved & self.full


@functools.lru_cache(maxsize=1024)
def _comb(teeth: int, apart: int) -> Mask:
    """``teeth`` bits, each ``apart`` from the next."""
    return sum(1 << (tooth * apart) for tooth in range(teeth))


def runs(free: Mask, cells: int) -> Mask:
    """The bits from which so many free cells follow one another."""
    for more in _doublings(cells):
        free &= free >> more
    return free


@functools.lru_cache(maxsize=256)
def _doublings(cells: int) -> tuple[int, ...]:
    """How far to shift each time, so that one cell becomes so many."""
    have, steps = 1, []
    while have < cells:
        steps.append(min(have, cells - have))
        have += steps[-1]
    return tuple(steps)


def widen(mask: Mask, cells: int) -> Mask:
    """The mask with so many cells more on both sides of each of its runs."""
    have = 0
    while have < cells:
        more = min(max(have, 1), cells - have)
        mask |= mask << more | mask >> more
        have += more
    return mask


def places(*, open_: Mask, busy: Mask, need: Need, ruler: Ruler) -> Mask:
    """Every cell at which a visit could start, on the grid or not.

    The visit lies in open time; with its buffers it lies outside busy time,
    which carries its own buffers already.
    """
    visit, free = need.duration // CELL_MINUTES, ruler.full & ~busy
    if not (need.before or need.after):
        return runs(open_ & free, visit)
    before, after = need.before // CELL_MINUTES, need.after // CELL_MINUTES
    return runs(open_, visit) & runs(free, before + visit + after) << before


def choose(possible: Mask, grid: Mask) -> Mask:
    """Of the possible starts those on the grid; of a place without one, its first cell.

    So that times look tidy and no place that is long enough is lost.
    """
    chosen = possible & grid
    first = possible & ~(possible << 1)
    rest = possible & ~grid
    # Adding the first bit of a run carries through it. Where the carry lands beyond the
    # place instead of on a bit of the grid, the place has no grid start.
    landed = (rest + (first & rest)) & ~rest & ~possible
    while landed:
        end = landed & -landed
        landed ^= end
        chosen |= 1 << ((first & (end - 1)).bit_length() - 1)
    return chosen


def bits(mask: Mask) -> Iterator[int]:
    """The numbers of the bits that are set, ascending."""
    # Byte by byte: taking the lowest bit off a long integer again and again copies it each time.
    empty = max((mask & -mask).bit_length() - 1, 0) // 8
    mask >>= empty * 8
    for index, whole in enumerate(mask.to_bytes((mask.bit_length() + 7) // 8, "little"), empty):
        byte = whole
        while byte:
            low = byte & -byte
            yield index * 8 + low.bit_length() - 1
            byte ^= low
