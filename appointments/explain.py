"""Why a time is not offered: each candidate of a day with the rule that removed it.

Reads the same rules as the search (``open_time``, ``booking_rules``, ``travel_rule``) and asks
the same arithmetic (``slots.places``, ``slots.choose``), so that what is called offered here is
what patients see. A test holds the two side by side.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from appointments.models import Appointment, Hold
from clinic.fields import CELL_MINUTES
from clinic.models import Closure, Organization
from clinic.templatetags.clinic_times import duration, local_time
from scheduling.intervals import Interval, first_to_come, overlaps, to_instant, to_minute
from scheduling.models import DateOverride, ServiceOffering, TimeOff
from scheduling.selectors import (
    Block,
    OpenTime,
    Origin,
    Rule,
    booking_rules,
    need_of,
    open_time,
)
from scheduling.slots import Mask, Ruler, bits, choose, places
from scheduling.wallclock import day_bounds

_DAY = dt.timedelta(days=1)


class Code(enum.StrEnum):
    """What became of a candidate: offered, or which kind of rule removed it."""

    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    NOT_ONLINE = "not_online"
    PAST = "past"
    NO_HOURS = "no_hours"
    EXCEPTION = "exception"
    OUTSIDE_HOURS = "outside_hours"
    CLOSURE = "closure"
    TIME_OFF = "time_off"
    TAKEN = "taken"
    TRAVEL = "travel"
    TOO_SHORT = "too_short"
    HELD = "held"
    NOTICE = "notice"
    HORIZON = "horizon"
    OFF_GRID = "off_grid"


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule in words, and the row that sets it (none when no row can be changed).

    ``visit``: what the rule keeps a distance to, when the row is not the appointment itself.
    """

    code: Code
    sentence: str
    row: models.Model | None = None
    visit: Appointment | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A candidate time and what became of it."""

    start: dt.datetime
    reason: Reason

    @property
    def code(self) -> Code:
        return self.reason.code


@dataclass(frozen=True, slots=True)
class Stretch:
    """Candidates in a row with the same reason, from the first one to the next reason."""

    start: dt.datetime
    end: dt.datetime
    reason: Reason
    count: int


@dataclass(frozen=True, slots=True)
class _Visit:
    """An appointment and the cells it takes, ``away`` with the time to travel."""

    appointment: Appointment
    taken: Interval
    with_travel: Interval


def explain(
    offering: ServiceOffering,
    *,
    day: dt.date,
    now: dt.datetime,
    organization: Organization | None = None,
) -> list[Verdict]:
    """Every candidate of the day on the location's calendar, the earliest first.

    ``offering`` comes ``with_parts()``; it may be switched off. A constant number of queries.
    """
    reasons = Reasons(offering, day, now, organization or Organization.current())
    return [
        Verdict(to_instant(minute), reasons.of(minute)) for minute in sorted(reasons.candidates())
    ]


def stretches(verdicts: Sequence[Verdict], end: dt.datetime) -> Iterator[Stretch]:
    """The verdicts with equal neighbours joined; the last one reaches to ``end``."""
    groups = [list(group) for _r, group in itertools.groupby(verdicts, key=lambda v: v.reason)]
    starts = [*(group[0].start for group in groups), end]
    for group, until in zip(groups, starts[1:], strict=True):
        yield Stretch(group[0].start, until, group[0].reason, len(group))


def _cells(interval: Interval) -> Interval:
    """Outwards to whole cells: who takes a minute takes its cell."""
    start, end = interval
    return start // CELL_MINUTES * CELL_MINUTES, -(-end // CELL_MINUTES) * CELL_MINUTES


class Reasons:
    """One offering on one day: its rules read once, then asked minute by minute."""

    def __init__(
        self,
        offering: ServiceOffering,
        day: dt.date,
        now: dt.datetime,
        organization: Organization,
    ) -> None:
        self.offering, self.day, self.now = offering, day, now
        self.organization = organization
        self.zone = offering.location.zone
        self.bounds = day_bounds(day, self.zone)
        start, end = to_instant(self.bounds[0]), to_instant(self.bounds[1])
        self.rules = booking_rules(offering, organization)
        self.need = need_of(offering, organization)
        self.step = self.rules.step_rule.value
        self.time: OpenTime = open_time([offering.schedule], start, end)[offering.schedule_id]
        self.visits = list(self._visits(start, end))
        self.held = list(self._held_time(start, end))
        self.ruler = Ruler.of_days(*self.bounds)

    def _visits(self, start: dt.datetime, end: dt.datetime) -> Iterator[_Visit]:
        rows = (
            Appointment.objects.standing(self.now)
            .filter(
                practitioner=self.offering.practitioner,
                start__gte=start - _DAY,
                start__lt=end + _DAY,
            )
            .select_related("location")
            .defer("reason")
            .order_by("start")
        )
        for row in rows:
            taken = _cells(row.occupied)
            travel = self._travel_to(row)
            yield _Visit(row, taken, (taken[0] - travel, taken[1] + travel))

    def _held_time(self, start: dt.datetime, end: dt.datetime) -> Iterator[Interval]:
        """What somebody is booking at this moment, with the time to travel."""
        for hold in Hold.objects.live(self.now).filter(
            practitioner=self.offering.practitioner, start__gte=start - _DAY, start__lt=end + _DAY
        ):
            taken, travel = _cells(hold.occupied), self._travel_to(hold)
            yield taken[0] - travel, taken[1] + travel

    def _travel_to(self, row: Appointment | Hold) -> int:
        away = row.location_id != self.offering.schedule.location_id
        return self.rules.travel_rule.value // CELL_MINUTES * CELL_MINUTES if away else 0

    @functools.cached_property
    def offered(self) -> Mask:
        """The starts of the day that the arithmetic of the search offers, notice aside."""
        ruler, time = self.ruler, self.time
        possible = places(
            open_=ruler.inside(time.shifts) & ~ruler.touched(time.closed),
            busy=ruler.touched([*(visit.with_travel for visit in self.visits), *self.held]),
            need=self.need,
            ruler=ruler,
        )
        return self._of_the_day(choose(possible, self._grid))

    @functools.cached_property
    def _grid(self) -> Mask:
        return self.ruler.grid(self.time.by_day, self.step)

    def _of_the_day(self, mask: Mask) -> Mask:
        return mask & self.ruler.from_(self.bounds[0]) & self.ruler.before(self.bounds[1])

    def candidates(self) -> set[int]:
        """The grid inside the hours, the same steps outside them, and what else is offered."""
        inside = self.ruler.inside(self.time.shifts)
        ends = {end for _start, end in self.time.shifts}
        edges = {*range(*self.bounds, self.step), *ends}
        outside = {
            minute
            for minute in edges
            if self.bounds[0] <= minute < self.bounds[1]
            and not inside >> self.ruler.bit(minute) & 1
        }
        on_grid = self._of_the_day(self._grid & inside)
        return outside | {self.ruler.minute(bit) for bit in bits(on_grid | self.offered)}

    def of(self, minute: int) -> Reason:
        """The first rule that removes a visit at this minute, in the order of the search."""
        found: Iterable[Reason | None] = (
            ask(minute)
            for ask in (
                self._switched_off,
                self._past,
                self._hours,
                self._block,
                self._taken,
                self._too_short,
                self._too_close,
                self._being_booked,
                self._window,
            )
        )
        reason = next((reason for reason in found if reason), None)
        if reason:
            return reason
        if self.offered >> self.ruler.bit(minute) & 1:
            return self._offered_to
        return self._off_grid

    @functools.cached_property
    def _off_grid(self) -> Reason:
        sentence = _(
            "Free, but times are offered every %(length)s min from the start of a shift"
            " (set by %(origin)s)."
        )
        return self._by_rule(Code.OFF_GRID, sentence, self.rules.step_rule, str(self.step))

    @functools.cached_property
    def _offered_to(self) -> Reason:
        if self.rules.known_only:
            sentence = _(
                "Offered only to patients seen before (set by %(origin)s); others call the clinic."
            )
            return self._by_rule(Code.OFFERED, sentence, self.rules.online_rule)
        return Reason(Code.OFFERED, _("Offered to patients."))

    def _switched_off(self, _minute: int) -> Reason | None:
        return self._withdrawn

    @functools.cached_property
    def _withdrawn(self) -> Reason | None:
        offering = self.offering
        schedule, service = offering.schedule, offering.service
        parts: list[tuple[models.Model, bool, str]] = [
            (schedule.practitioner, schedule.practitioner.is_active, _("Switched off: %s.")),
            (schedule.location, schedule.location.is_active, _("Switched off: %s.")),
            (schedule, schedule.is_active, _("The schedule at %s is switched off.")),
            (service.specialty, service.specialty.is_active, _("Switched off: %s.")),
            (service, service.is_active, _("Switched off: %s.")),
            (offering, offering.is_active, _("“%s” is not offered here.")),
        ]
        names = {id(schedule): schedule.location, id(offering): service}
        for row, is_active, sentence in parts:
            if not is_active:
                return Reason(Code.WITHDRAWN, sentence % names.get(id(row), row), row)
        if not self.rules.is_online:
            sentence = _("“%(service)s” cannot be booked online (set by %(origin)s).")
            return self._by_rule(Code.NOT_ONLINE, sentence, self.rules.online_rule)
        return None

    def _past(self, minute: int) -> Reason | None:
        is_past = minute < first_to_come(self.now)
        return Reason(Code.PAST, _("Already past.")) if is_past else None

    def _hours(self, minute: int) -> Reason | None:
        if any(start <= minute < end for start, end in self.time.shifts):
            return None
        return self._no_hours

    @functools.cached_property
    def _no_hours(self) -> Reason:
        schedule = self.offering.schedule
        exceptions = list(schedule.overrides.filter(date=self.day))
        by_kind = {row.kind: row for row in exceptions}
        if row := by_kind.get(DateOverride.Kind.CLOSED):
            return Reason(Code.EXCEPTION, _("An exception closes this date."), row)
        if row := by_kind.get(DateOverride.Kind.INSTEAD):
            return Reason(Code.EXCEPTION, _("Outside the hours of this date."), row)
        works = any(hours.holds_on(self.day) for hours in schedule.hours.all())
        if works or exceptions:
            return Reason(Code.OUTSIDE_HOURS, _("Outside the working hours."), schedule)
        return Reason(Code.NO_HOURS, _("No working hours on this day."), schedule)

    def _block(self, minute: int) -> Reason | None:
        cell = (minute, minute + CELL_MINUTES)
        block = next((b for b in self.time.blocks if overlaps(cell, _cells(b.interval))), None)
        if block is None:
            return None
        code = Code.CLOSURE if block.kind == "closure" else Code.TIME_OFF
        row = self._row_of(block)
        if isinstance(row, Closure) and row.can_be_worked:
            sentence = _("%(name)s. An exception for this date can open it.")
            return Reason(code, sentence % {"name": block.label}, row)
        return Reason(code, f"{_name(block)}.", row)

    def _row_of(self, block: Block) -> models.Model | None:
        kind = "closure" if block.kind == "closure" else "time_off"
        return self._rows.get((kind, block.row_id))

    @functools.cached_property
    def _rows(self) -> dict[tuple[str, int], models.Model]:
        """The rows behind the blocks."""
        ids = {kind: {b.row_id for b in self.time.blocks if b.kind == kind} for kind in _KINDS}
        return {
            (kind, pk): row
            for kind, model in _KINDS.items()
            for pk, row in model._default_manager.in_bulk(ids[kind]).items()
        }

    def _taken(self, minute: int) -> Reason | None:
        cell = (minute, minute + CELL_MINUTES)
        for visit in self.visits:
            if overlaps(cell, visit.taken):
                return self._because_of(visit, Code.TAKEN, _("Taken by the appointment at %s."))
        for visit in self.visits:
            if overlaps(cell, visit.with_travel):
                return self._way_to(visit)
        return None

    def _way_to(self, visit: _Visit) -> Reason:
        rule = self.rules.travel_rule
        sentence = _(
            "Time to travel, %(length)s (set by %(origin)s): appointment in %(place)s at %(time)s."
        ) % {
            "length": duration(rule.value),
            "origin": rule.origin.label,
            "place": visit.appointment.location,
            "time": self._clock(to_minute(visit.appointment.start)),
        }
        return Reason(Code.TRAVEL, sentence, self._setter(rule), visit.appointment)

    def _too_short(self, minute: int) -> Reason | None:
        """The visit begins in open time and runs out of it."""
        visit = (minute, minute + self.need.duration)
        shift = next(s for s in self.time.shifts if s[0] <= minute < s[1])
        after = [b for b in self.time.blocks if overlaps(visit, _cells(b.interval))]
        block = min(after, key=lambda b: b.interval, default=None)
        if block and block.interval[0] < shift[1]:
            what, at, row = _name(block), block.interval[0], self._row_of(block)
        elif visit[1] > shift[1]:
            what, at, row = _("the end of the hours"), shift[1], self.offering.schedule
        else:
            return None
        sentence = _("Too short for %(minutes)s before %(what)s at %(time)s.") % {
            "minutes": duration(self.offering.minutes),
            "what": what,
            "time": self._clock(at),
        }
        return Reason(Code.TOO_SHORT, sentence, row)

    def _too_close(self, minute: int) -> Reason | None:
        """The visit, or what has to stay free around it, runs into an appointment."""
        need = self.need
        around = (minute - need.before, minute + need.duration + need.after)
        for visit in self.visits:
            if overlaps(around, visit.with_travel):
                if not overlaps(around, visit.taken):
                    return self._way_to(visit)
                if visit.taken[0] > minute:
                    sentence = _("Too short before the appointment at %s.")
                else:
                    sentence = _("Too close after the appointment at %s.")
                return self._because_of(visit, Code.TOO_SHORT, sentence)
        return None

    def _being_booked(self, minute: int) -> Reason | None:
        need = self.need
        around = (minute - need.before, minute + need.duration + need.after)
        if not any(overlaps(around, held) for held in self.held):
            return None
        return Reason(Code.HELD, _("Somebody is booking a time here right now."))

    def _because_of(self, visit: _Visit, code: Code, sentence: str) -> Reason:
        at = self._clock(to_minute(visit.appointment.start))
        return Reason(code, sentence % at, visit.appointment)

    def _window(self, minute: int) -> Reason | None:
        rules = self.rules
        soonest, beyond = rules.window(self.now)
        if minute < soonest:
            sentence = _("Sooner than the minimum notice of %(length)s (set by %(origin)s).")
            length = duration(rules.min_notice_rule.value)
            return self._by_rule(Code.NOTICE, sentence, rules.min_notice_rule, length)
        if minute >= beyond:
            sentence = _("Further ahead than %(length)s days (set by %(origin)s).")
            length = str(rules.horizon_rule.value)
            return self._by_rule(Code.HORIZON, sentence, rules.horizon_rule, length)
        return None

    def _by_rule(self, code: Code, sentence: str, rule: Rule[Any], length: str = "") -> Reason:
        words = {
            "length": length,
            "origin": rule.origin.label,
            "service": self.offering.service,
        }
        return Reason(code, sentence % words, self._setter(rule))

    def _setter(self, rule: Rule[Any]) -> models.Model:
        """The row that says it."""
        rows: dict[Origin, models.Model] = {
            Origin.OFFERING: self.offering,
            Origin.SCHEDULE: self.offering.schedule,
            Origin.PRACTITIONER: self.offering.practitioner,
            Origin.CLINIC: self.organization,
        }
        return rows[rule.origin]

    def _clock(self, minute: int) -> str:
        return local_time(to_instant(minute), self.zone)


_KINDS: dict[str, type[models.Model]] = {"closure": Closure, "time_off": TimeOff}


def _name(block: Block) -> str:
    if block.kind == "closure":
        return block.label
    return block.label or _("Time off")
