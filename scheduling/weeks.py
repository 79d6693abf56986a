"""The weekly hours of a schedule as sets that hold from a day, until a day. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

_DAY = dt.timedelta(days=1)


class Validity(NamedTuple):
    """Both days belong to it; None is open."""

    first: dt.date | None = None
    last: dt.date | None = None

    def holds_on(self, day: dt.date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def overlaps(self, other: Validity) -> bool:
        """Whether both hold on some day."""
        begins = self.first is None or other.last is None or self.first <= other.last
        return begins and (other.first is None or self.last is None or other.first <= self.last)

    def without(self, hole: Validity) -> list[Validity]:
        """What is left before and after it."""
        parts = []
        if hole.first and (self.first is None or self.first < hole.first):
            parts.append(Validity(self.first, _least(self.last, hole.first - _DAY)))
        if hole.last and (self.last is None or self.last > hole.last):
            parts.append(Validity(_most(self.first, hole.last + _DAY), self.last))
        return parts


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """One line of the weekly hours."""

    weekday: int
    start: dt.time
    end: dt.time
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None

    @property
    def validity(self) -> Validity:
        return Validity(self.valid_from, self.valid_until)

    def during(self, validity: Validity) -> Hours:
        return replace(self, valid_from=validity.first, valid_until=validity.last)


def validities(hours: Iterable[Hours]) -> list[Validity]:
    """Each set once, in the order in which they begin."""
    return sorted({line.validity for line in hours}, key=_order)


def current(hours: Iterable[Hours], today: dt.date) -> Validity:
    """The set that one means by "my hours": the one that holds today, the latest begun."""
    holding = [v for v in validities(hours) if v.holds_on(today)]
    lasting = [v for v in holding if v.last is None]
    return (lasting or holding or [Validity()])[-1]


def of(hours: Iterable[Hours], validity: Validity) -> list[Hours]:
    return [line for line in hours if line.validity == validity]


def worked_on(hours: Iterable[Hours], day: dt.date) -> list[Hours]:
    """The week as it is worked around this day, whatever sets its lines belong to."""
    return sorted({line.during(Validity()) for line in hours if line.validity.holds_on(day)})


def beside(hours: Iterable[Hours], validity: Validity) -> list[Validity]:
    """The other sets that hold on some of the same days."""
    return [v for v in validities(hours) if v != validity and v.overlaps(validity)]


def with_set(hours: Iterable[Hours], validity: Validity, lines: Iterable[Hours]) -> list[Hours]:
    """These lines in place of that set; the other sets stay."""
    others = [line for line in hours if line.validity != validity]
    return [*others, *(line.during(validity) for line in lines)]


def between(hours: Iterable[Hours], span: Validity, lines: Iterable[Hours]) -> list[Hours]:
    """In these days exactly these lines hold; before and after, what held there."""
    outside = [line.during(part) for line in hours for part in _outside(line.validity, span)]
    return joined([*outside, *(line.during(span) for line in lines)])


def _outside(validity: Validity, span: Validity) -> list[Validity]:
    return validity.without(span) if validity.overlaps(span) else [validity]


def dropped(hours: Sequence[Hours], validity: Validity) -> list[Hours]:
    """Without that set: what held the day before it goes on. Only of a set that begins."""
    if validity.first is None:
        return list(hours)
    eve = validity.first - _DAY
    rest = [line for line in hours if line.validity != validity]
    before = [line for line in rest if line.valid_until == eve]
    return joined([*rest, *(line.during(validity) for line in before)])


def joined(hours: Iterable[Hours]) -> list[Hours]:
    """Sets that say the same week one after the other become one.

    Whole sets, never single lines: a set that is edited is a week.
    """
    lines = sorted(hours, key=lambda h: (*_order(h.validity), h.weekday, h.start))
    for earlier in validities(lines):
        for later in validities(lines):
            follows = earlier.last and later.first and earlier.last + _DAY == later.first
            if follows and _week(lines, earlier) == _week(lines, later):
                whole = Validity(earlier.first, later.last)
                rest = [line for line in lines if line.validity not in (earlier, later)]
                return joined([*rest, *(one.during(whole) for one in of(lines, earlier))])
    return lines


def _week(hours: Iterable[Hours], validity: Validity) -> set[tuple[int, dt.time, dt.time]]:
    return {(line.weekday, line.start, line.end) for line in of(hours, validity)}


def _order(validity: Validity) -> tuple[dt.date, dt.date]:
    return validity.first or dt.date.min, validity.last or dt.date.max


def _least(one: dt.date | None, other: dt.date) -> dt.date:
    return other if one is None else min(one, other)


def _most(one: dt.date | None, other: dt.date) -> dt.date:
    return other if one is None else max(one, other)
