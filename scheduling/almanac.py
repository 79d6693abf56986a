"""What the rules say about the coming days, as this process remembers it for one edition.

It answers as ``selectors.open_time`` does, from the same ``expand``, without asking the
database again. For finding and showing: what is booked is checked against the rows themselves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from django.utils import timezone

from clinic.editions import remembered
from clinic.fields import CELL_MINUTES
from clinic.models import Organization
from scheduling.intervals import to_instant
from scheduling.models import Schedule
from scheduling.selectors import OpenTime, Rules, expand, open_time, read_rules, step_rule
from scheduling.slots import DAY_CELLS, Mask, Need, Ruler, choose, places, widen

#: So far back, and so far ahead, the rules are remembered; other days are read each time.
BACK, AHEAD = dt.timedelta(days=30), dt.timedelta(days=3 * 365)
#: How many cells one page of masks has: a week, counted since 1970.
_PAGE = 7 * DAY_CELLS


@remembered
def almanac(organization: Organization) -> Almanac:
    return Almanac(timezone.now(), organization)


@dataclass(frozen=True, slots=True)
class OpenMask:
    """One schedule on a ruler: the cells that are open, and where a visit may start."""

    open_: Mask
    grid: Mask

    @classmethod
    def of(cls, time: OpenTime, ruler: Ruler, step: int) -> Self:
        open_ = ruler.inside(time.shifts) & ~ruler.touched(time.closed)
        return cls(open_, ruler.grid(time.by_day, step))


@dataclass(frozen=True, slots=True)
class Line:
    """One schedule on a ruler: what is open, where a visit may start, and what is taken."""

    ruler: Ruler
    opened: OpenMask
    busy: Mask

    @classmethod
    def of(
        cls, opened: OpenMask, ruler: Ruler, *, busy: Mapping[int, Mask], here: int, travel: int
    ) -> Self:
        """``busy`` by location: elsewhere takes the minutes of ``travel`` on both sides too."""
        taken = 0
        for location, mask in busy.items():
            taken |= widen(mask, 0 if location == here else travel // CELL_MINUTES)
        return cls(ruler, opened, taken)

    def starts(self, need: Need) -> Mask:
        """Every start of such a visit."""
        opened = self.opened
        possible = places(open_=opened.open_, busy=self.busy, need=need, ruler=self.ruler)
        return choose(possible, opened.grid)


class Almanac:
    """Learns the rules of a schedule when somebody asks for it first. Threads may share it:
    at worst two of them learn the same."""

    def __init__(self, now: dt.datetime, organization: Organization) -> None:
        self.organization = organization
        self.first, self.last = now - BACK, now + AHEAD
        self._rules: dict[int, Rules] = {}
        self._pages: dict[tuple[int, int], OpenMask] = {}
        #: The last ruler and what lay on it: most searches begin today.
        self._recent: tuple[Ruler, dict[int, OpenMask]] = (Ruler(0, 0), {})

    def open_time(
        self, schedules: Sequence[Schedule], start: dt.datetime, end: dt.datetime
    ) -> dict[int, OpenTime]:
        """As ``selectors.open_time``."""
        if not self.first <= start < end <= self.last:
            return open_time(schedules, start, end)
        self._learn(schedules)
        return {s.pk: expand(s, self._rules[s.pk], start, end) for s in schedules}

    def masks(self, schedules: Sequence[Schedule], ruler: Ruler) -> dict[int, OpenMask]:
        """What is open of the ruler's days, by schedule."""
        first, last = ruler.first // _PAGE, (ruler.first + ruler.cells - 1) // _PAGE
        start, end = _instant(first * _PAGE), _instant((last + 1) * _PAGE)
        if not self.first <= start < end <= self.last:
            opened = open_time(
                schedules, _instant(ruler.first), _instant(ruler.first + ruler.cells)
            )
            return {s.pk: self._mask(s, opened[s.pk], ruler) for s in schedules}
        self._learn(schedules)
        known, bound = self._recent
        if known != ruler:
            bound = {}
            self._recent = ruler, bound
        numbers = range(first, last + 1)
        for schedule in schedules:
            if schedule.pk not in bound:
                bound[schedule.pk] = self._bound(schedule, ruler, numbers)
        return {schedule.pk: bound[schedule.pk] for schedule in schedules}

    def _bound(self, schedule: Schedule, ruler: Ruler, numbers: range) -> OpenMask:
        """The pages one after the other, cut to the ruler."""
        open_ = grid = 0
        for number in reversed(numbers):
            page = self._pages.get((schedule.pk, number)) or self._page(schedule, number)
            open_, grid = open_ << _PAGE | page.open_, grid << _PAGE | page.grid
        before = ruler.first - numbers[0] * _PAGE
        return OpenMask(open_ >> before & ruler.full, grid >> before & ruler.full)

    def _page(self, schedule: Schedule, number: int) -> OpenMask:
        ruler = Ruler(number * _PAGE, _PAGE)
        start, end = _instant(ruler.first), _instant(ruler.first + _PAGE)
        time = expand(schedule, self._rules[schedule.pk], start, end)
        page = self._pages[schedule.pk, number] = self._mask(schedule, time, ruler)
        return page

    def _mask(self, schedule: Schedule, time: OpenTime, ruler: Ruler) -> OpenMask:
        return OpenMask.of(time, ruler, step_rule(schedule, self.organization).value)

    def _learn(self, schedules: Sequence[Schedule]) -> None:
        new = [schedule for schedule in schedules if schedule.pk not in self._rules]
        if new:
            self._rules |= read_rules(new, self.first, self.last)


def _instant(cell: int) -> dt.datetime:
    return to_instant(Ruler(cell, 0).minute(0))
