"""Reads that cross the models of time: what is open, what is closed and why."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from clinic.models import Closure, Confirmation, OnlineFor, Organization
from scheduling.intervals import (
    Interval,
    clip,
    merge,
    minute_from,
    overlaps,
    subtract,
    to_instant,
    to_minute,
)
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff, WorkingHours
from scheduling.slots import Need
from scheduling.wallclock import day_bounds, each_day, shift_on

_DAY = dt.timedelta(days=1)
BlockKind = Literal["closure", "time_off"]


@dataclass(frozen=True, slots=True)
class Block:
    """Closed time inside a schedule, with the row that closes it."""

    interval: Interval
    kind: BlockKind
    label: str
    row_id: int

    @property
    def starts_at(self) -> dt.datetime:
        return to_instant(self.interval[0])

    @property
    def ends_at(self) -> dt.datetime:
        return to_instant(self.interval[1])


@dataclass(slots=True)
class OpenTime:
    """What the rules of one schedule say about a window, before any appointment."""

    #: Merged: what touches is one stretch.
    shifts: list[Interval] = field(default_factory=list)
    #: The shifts of each date by itself: with each of them the grid begins anew.
    by_day: list[Interval] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def closed(self) -> list[Interval]:
        return merge(block.interval for block in self.blocks)

    @property
    def free_of_blocks(self) -> list[Interval]:
        return subtract(self.shifts, self.closed)


def open_time(
    schedules: Sequence[Schedule], start: dt.datetime, end: dt.datetime
) -> dict[int, OpenTime]:
    """The shifts and blocks of each schedule (by id) around [start, end).

    Four queries whatever the number of schedules. ``schedules`` come with
    their location (``select_related``). Shifts that reach over the window are
    not cut, and blocks reach a day further on both sides: a visit that begins
    in the window can end beyond it. The caller filters starts.
    """
    if not schedules or start >= end:
        return {schedule.pk: OpenTime() for schedule in schedules}
    rules = read_rules(schedules, start, end)
    return {s.pk: expand(s, rules[s.pk], start, end) for s in schedules}


@dataclass(frozen=True, slots=True)
class Rules:
    """What says when one schedule is open. Rows of other locations do no harm."""

    week: Week
    overrides: Sequence[DateOverride]
    closures: Sequence[Closure]
    time_off: Sequence[TimeOff]


def expand(schedule: Schedule, rules: Rules, start: dt.datetime, end: dt.datetime) -> OpenTime:
    """The rules on the clock of the location, around [start, end). Asks no database."""
    window = (to_minute(start), to_minute(end))
    wider = (to_minute(start - _DAY), to_minute(end + _DAY))
    zone = schedule.location.zone
    # The day before too: a shift may end after midnight.
    days = each_day(start.astimezone(zone).date() - _DAY, end.astimezone(zone).date())
    around = [days[0] - _DAY, *days, days[-1] + _DAY]
    by_day: list[Interval] = []
    for day in days:
        by_day += merge(_shifts_on(day, zone, rules.week, rules.overrides))
    return OpenTime(
        shifts=[shift for shift in merge(by_day) if overlaps(shift, window)],
        by_day=by_day,
        blocks=[
            *_closure_blocks(rules, schedule, around, wider),
            *_time_off_blocks(rules.time_off, schedule, around, wider),
        ],
    )


class HoursLine(NamedTuple):
    """A line of the weekly hours. Not a model: a search reads a thousand of them."""

    start: dt.time
    end: dt.time
    valid_from: dt.date | None
    valid_until: dt.date | None

    def holds_on(self, day: dt.date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


Week = dict[int, list[HoursLine]]


def read_rules(
    schedules: Sequence[Schedule], start: dt.datetime, end: dt.datetime
) -> dict[int, Rules]:
    """By schedule, every rule that ``expand`` may need for a window within [start, end)."""
    ids = [schedule.pk for schedule in schedules]
    overrides: dict[int, list[DateOverride]] = defaultdict(list)
    for override in DateOverride.objects.filter(
        schedule__in=ids, date__range=(start.date() - 2 * _DAY, end.date() + 2 * _DAY)
    ):
        overrides[override.schedule_id].append(override)
    closures = list(
        Closure.objects.filter(
            Q(location=None) | Q(location__in={s.location_id for s in schedules}),
            first_day__lte=end.date() + 2 * _DAY,
            last_day__gte=start.date() - 2 * _DAY,
        )
    )
    time_off: dict[int, list[TimeOff]] = defaultdict(list)
    theirs = TimeOff.objects.filter(practitioner__in={s.practitioner_id for s in schedules})
    for row in theirs.touching(start - _DAY, end + _DAY):
        time_off[row.practitioner_id].append(row)
    weeks = _weeks(ids)
    return {
        s.pk: Rules(weeks[s.pk], overrides[s.pk], closures, time_off[s.practitioner_id])
        for s in schedules
    }


def _weeks(schedules: Iterable[int]) -> dict[int, Week]:
    """The weekly hours of each schedule by weekday."""
    weeks: dict[int, Week] = defaultdict(lambda: defaultdict(list))
    rows = WorkingHours.objects.filter(schedule__in=schedules).values_list(
        "schedule", "weekday", "start", "end", "valid_from", "valid_until"
    )
    for schedule, weekday, start, end, valid_from, valid_until in rows:
        weeks[schedule][weekday].append(HoursLine(start, end, valid_from, valid_until))
    return weeks


def _shifts_on(
    day: dt.date,
    zone: ZoneInfo,
    week: Week,
    overrides: Iterable[DateOverride],
) -> list[Interval]:
    """An exception for the date wins over the week; "closed" wins over everything."""
    today = [o for o in overrides if o.date == day]
    if any(o.kind == DateOverride.Kind.CLOSED for o in today):
        return []
    spans = [(o.start, o.end) for o in today]
    if not any(o.kind == DateOverride.Kind.INSTEAD for o in today):
        spans += [(h.start, h.end) for h in week.get(day.weekday(), ()) if h.holds_on(day)]
    return [shift_on(day, start, end, zone) for start, end in spans if start and end]


def _closure_blocks(
    rules: Rules, schedule: Schedule, days: Sequence[dt.date], window: Interval
) -> Iterable[Block]:
    zone = schedule.location.zone
    for closure in rules.closures:
        if closure.location_id not in (None, schedule.location_id):
            continue
        # Only these days are asked about, however far from here it begins or ends.
        first, last = max(closure.first_day, days[0]), min(closure.last_day, days[-1])
        if first > last:
            continue
        whole = day_bounds(first, zone)[0], day_bounds(last, zone)[1]
        parts = clip([whole], window)
        if parts and closure.can_be_worked:
            parts = subtract(parts, _worked(closure, rules.overrides, zone))
        for interval in parts:
            yield Block(interval, "closure", closure.name, closure.pk)


def _worked(
    closure: Closure, overrides: Iterable[DateOverride], zone: ZoneInfo
) -> Iterable[Interval]:
    """The hours that exceptions give to its days. Each opens its own date: after midnight
    it is another one.
    """
    rows = [row for row in overrides if closure.first_day <= row.date <= closure.last_day]
    for day in {row.date for row in rows}:
        yield from clip(_shifts_on(day, zone, {}, rows), day_bounds(day, zone))


def _time_off_blocks(
    rows: Iterable[TimeOff], schedule: Schedule, days: Sequence[dt.date], window: Interval
) -> Iterable[Block]:
    for row in rows:
        if row.location_id not in (None, schedule.location_id):
            continue
        for interval in clip(_time_off_intervals(row, schedule, days), window):
            yield Block(interval, "time_off", row.reason, row.pk)


def _time_off_intervals(
    row: TimeOff, schedule: Schedule, days: Sequence[dt.date]
) -> Iterable[Interval]:
    if row.starts_at and row.ends_at:
        return [(to_minute(row.starts_at), to_minute(row.ends_at))]
    if row.start is None or row.end is None:
        return []
    zone = schedule.location.zone
    return [shift_on(day, row.start, row.end, zone) for day in days if day.weekday() == row.weekday]


class Origin(models.TextChoices):
    """Where the value of a rule comes from: the nearest place that sets it."""

    OFFERING = "offering", _("this service")
    SCHEDULE = "schedule", _("the schedule")
    PRACTITIONER = "practitioner", _("the practitioner")
    CLINIC = "clinic", _("the clinic")


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """A value that holds, and who says so."""

    value: T
    origin: Origin


@dataclass(frozen=True, slots=True)
class BookingRules:
    """The rules that hold for one offering, each from the nearest place that sets it."""

    #: Minutes.
    min_notice_rule: Rule[int]
    #: Days.
    horizon_rule: Rule[int]
    #: Hours.
    cancel_notice_rule: Rule[int]
    #: Minutes between two appointments at different locations.
    travel_rule: Rule[int]
    #: Minutes from one time that is offered to the next.
    step_rule: Rule[int]
    #: Minutes that stay free before and after a visit.
    before_rule: Rule[int]
    after_rule: Rule[int]
    #: One of ``OnlineFor``.
    online_rule: Rule[str]
    #: One of ``Confirmation``.
    confirmation_rule: Rule[str]
    #: Whether patients see the price, if there is one.
    price_rule: Rule[bool]

    @property
    def min_notice(self) -> dt.timedelta:
        return dt.timedelta(minutes=self.min_notice_rule.value)

    @property
    def horizon(self) -> dt.timedelta:
        return dt.timedelta(days=self.horizon_rule.value)

    @property
    def cancel_notice(self) -> dt.timedelta:
        return dt.timedelta(hours=self.cancel_notice_rule.value)

    @property
    def is_online(self) -> bool:
        return self.online_rule.value != OnlineFor.STAFF

    @property
    def known_only(self) -> bool:
        """Online only for patients whom the practitioner has seen before."""
        return self.online_rule.value == OnlineFor.KNOWN

    @property
    def is_automatic(self) -> bool:
        return self.confirmation_rule.value == Confirmation.AUTOMATIC

    @property
    def shows_price(self) -> bool:
        return self.price_rule.value

    def window(self, now: dt.datetime) -> Interval:
        """The minutes at which a patient's visit may start, as far as notice and horizon go.

        Asked by all: what is shown, what may be booked, and why not.
        """
        return minute_from(now + self.min_notice), minute_from(now + self.horizon)


def booking_rules(offering: ServiceOffering, organization: Organization) -> BookingRules:
    schedule = offering.schedule
    return BookingRules(
        min_notice_rule=_nearest(
            organization.min_notice_minutes,
            (offering.min_notice_minutes, Origin.OFFERING),
            (schedule.min_notice_minutes, Origin.SCHEDULE),
        ),
        horizon_rule=_nearest(
            organization.horizon_days,
            (offering.horizon_days, Origin.OFFERING),
            (schedule.horizon_days, Origin.SCHEDULE),
        ),
        cancel_notice_rule=_nearest(
            organization.cancel_notice_hours, (offering.cancel_notice_hours, Origin.OFFERING)
        ),
        travel_rule=travel_rule(schedule.practitioner, organization),
        step_rule=step_rule(schedule, organization),
        before_rule=_of_offering(organization.buffer_before, offering.buffer_before),
        after_rule=_of_offering(organization.buffer_after, offering.buffer_after),
        online_rule=online_rule(offering, organization),
        confirmation_rule=_of_offering(organization.confirmation, offering.confirmation),
        price_rule=_of_offering(organization.show_prices, offering.show_price),
    )


def travel_rule(practitioner: Practitioner, organization: Organization) -> Rule[int]:
    own = practitioner.travel_minutes
    return _nearest(organization.travel_minutes, (own, Origin.PRACTITIONER))


def step_rule(schedule: Schedule, organization: Organization) -> Rule[int]:
    """Minutes from one time that is offered to the next."""
    return _nearest(organization.slot_step, (schedule.slot_step, Origin.SCHEDULE))


def online_rule(offering: ServiceOffering, organization: Organization) -> Rule[str]:
    """Who may book it online: ``ServiceOffering.objects.online()`` says the same of many."""
    return _of_offering(organization.booked_online_by, offering.booked_online_by)


def need_of(offering: ServiceOffering, organization: Organization) -> Need:
    """How much time a visit takes, what stays free around it included."""
    return Need(
        offering.minutes,
        _of_offering(organization.buffer_before, offering.buffer_before).value,
        _of_offering(organization.buffer_after, offering.buffer_after).value,
    )


def _of_offering(usual: T, own: T | None) -> Rule[T]:
    return _nearest(usual, (own, Origin.OFFERING))


def _nearest(fallback: T, *places: tuple[T | None, Origin]) -> Rule[T]:
    """An empty text says nothing of its own; 0 and False do."""
    for value, origin in places:
        if value is not None and value != "":
            return Rule(value, origin)
    return Rule(fallback, Origin.CLINIC)
