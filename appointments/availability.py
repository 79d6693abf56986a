"""Free time: the rules of the schedules minus the appointments.

One arithmetic (``scheduling.slots``) serves three questions: what is shown (``free_time``,
fed by the busy days kept beside the appointments), whether one start may be booked now
(``check``, fed by the appointments themselves, under the lock), and why not. Holds that
are live by the clock take time too, except from the account that has them (``holder``).
A request whose deadline has passed takes none, whether somebody has ended it or not.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, models
from django.db.models import Exists, OuterRef, Q

from accounts.models import Practitioner, User
from appointments import busy_days
from appointments.exceptions import (
    OfferingWithdrawn,
    SlotClosed,
    SlotHeld,
    SlotPast,
    SlotTaken,
    SlotTooFar,
    SlotTooSoon,
)
from appointments.models import Appointment, AppointmentEvent, Hold
from appointments.transitions import RESTORING, Status, Verb
from clinic.fields import CELL_MINUTES
from clinic.models import Organization
from scheduling.almanac import Line, OpenMask, almanac
from scheduling.intervals import Interval, first_to_come, overlaps, to_instant, to_minute
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import booking_rules, need_of, open_time, step_rule, travel_rule
from scheduling.slots import Mask, Need, Ruler, Slot, bits

_DAY = dt.timedelta(days=1)
#: Length and buffers, as an offering has them.
Says = tuple[int, int | None, int | None]
#: Practitioner, location, from when to when.
Taken = tuple[int, int, Interval]
_STEP = dt.timedelta(minutes=CELL_MINUTES)
_PLACE = ("practitioner_id", "location_id", "start", "end", "buffer_before", "buffer_after")


def present_step(now: dt.datetime) -> dt.datetime:
    """The start of the five minutes that are running."""
    return to_instant(to_minute(now) // CELL_MINUTES * CELL_MINUTES)


class FreeTime(NamedTuple):
    """The free starts of one offering in a window, as bits on a ruler.

    A tuple: a search makes hundreds of them.
    """

    offering: ServiceOffering
    ruler: Ruler
    starts: Mask
    need: Need

    @property
    def first(self) -> Slot | None:
        return next(self.slots(), None)

    def slots(self) -> Iterator[Slot]:
        """Earliest first, one by one: whoever needs only some stops asking."""
        length = dt.timedelta(minutes=self.offering.minutes)
        for bit in bits(self.starts):
            at = to_instant(self.ruler.minute(bit))
            yield Slot(at, at + length, self.offering.pk)

    def slot_at(self, start: dt.datetime) -> Slot:
        """The slot of a start that is one of these."""
        return Slot(start, start + dt.timedelta(minutes=self.offering.minutes), self.offering.pk)

    def between(self, start: int, end: int) -> FreeTime:
        """Only what starts in these minutes [start, end)."""
        kept = self.starts & self.ruler.span(start, end)
        return FreeTime(self.offering, self.ruler, kept, self.need)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time with all that the free time of some offerings in it depends on."""

    ruler: Ruler
    organization: Organization
    #: By the id of the schedule.
    lines: Mapping[int, Line]
    #: Where each may start, by the id of the offering; and where any of them may.
    windows: Mapping[int, Mask]
    widest: Mask
    _needs: dict[Says, Need] = field(default_factory=dict)

    def free(self, offerings: Sequence[ServiceOffering]) -> list[FreeTime]:
        """What can be booked of each of these, in their order."""
        starts = zip(offerings, self.starts(offerings), strict=True)
        return [FreeTime(one, self.ruler, mask, need) for one, (mask, need) in starts]

    def starts(self, offerings: Iterable[ServiceOffering]) -> list[tuple[Mask, Need]]:
        """The same as bits on the ruler, for whoever asks for hundreds and shows ten."""
        # Those that say the same are reckoned once at one schedule.
        known: dict[tuple[int, Says], Mask] = {}
        found = []
        for offering in offerings:
            says = offering.minutes, offering.buffer_before, offering.buffer_after
            need = self._needs.get(says)
            if need is None:
                need = self._needs[says] = need_of(offering, self.organization)
            schedule = offering.schedule_id
            mask = known.get((schedule, says))
            if mask is None:
                mask = known[schedule, says] = self.lines[schedule].starts(need)
            found.append((mask & self.windows[offering.id], need))
        return found

    def not_taken(self, schedule: int) -> Mask:
        """The cells that are open and free: nothing can start anywhere else."""
        line = self.lines[schedule]
        return line.opened.open_ & ~line.busy & self.widest


def stretch(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None = None,
    holder: User | None = None,
    online: bool = True,
    moment: Moment | None = None,
) -> Stretch | None:
    """[start, end) for these offerings, which come ``with_parts()``; None if none may start there.

    A constant number of queries whatever their number and the length of the window. Without
    ``online`` as the staff: closer and further away, at the same steps. ``moment``: what
    ``at_this_moment`` says, for whoever asks several times.
    """
    if not offerings or start >= end:
        return None
    organization = organization or Organization.current()
    # Of each the id of its schedule, asked for once.
    at = [offering.schedule_id for offering in offerings]
    one_of_each = dict(zip(at, offerings, strict=True))
    schedules = {pk: offering.schedule for pk, offering in one_of_each.items()}
    clinic = organization if online else None
    windows = _windows(offerings, at, schedules, clinic, start, end, now)
    first, last = min(w[0] for w in windows), max(w[1] for w in windows)
    if first >= last:
        return None
    ruler = Ruler.of_days(first, last)
    opened = almanac(organization).masks(list(schedules.values()), ruler)
    people = {s.practitioner_id for s in schedules.values()}
    by_place = busy_days.read(people, ruler)
    if moment is None:
        moment = at_this_moment(now, holder)
    busy_days.forget(by_place, [one for one in moment.lapsed if one[0] in people], ruler, now=now)
    for practitioner, location, interval in moment.held:
        if practitioner in people:
            by_place[practitioner][location] |= ruler.touched([interval])
    lines = {
        pk: _line(schedule, opened[pk], by_place[schedule.practitioner_id], ruler, organization)
        for pk, schedule in schedules.items()
    }
    spans = {window: ruler.span(*window) for window in set(windows)}
    may_start = {o.id: spans[window] for o, window in zip(offerings, windows, strict=True)}
    return Stretch(ruler, organization, lines, may_start, ruler.span(first, last))


def free_time(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None = None,
    holder: User | None = None,
    online: bool = True,
) -> list[FreeTime]:
    """What can be booked of each offering, starting in [start, end): see ``stretch``."""
    found = stretch(
        offerings,
        start=start,
        end=end,
        now=now,
        organization=organization,
        holder=holder,
        online=online,
    )
    return found.free(offerings) if found else []


def schedules_of(offerings: Iterable[ServiceOffering]) -> dict[int, Schedule]:
    """By id. What hangs on the schedule is asked of each once: a search has four times as many
    offerings, and asking a row for its parts takes longer than the arithmetic.
    """
    one_of_each = {offering.schedule_id: offering for offering in offerings}
    return {pk: offering.schedule for pk, offering in one_of_each.items()}


def free_slots(
    offerings: Sequence[ServiceOffering],
    *,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
    organization: Organization | None = None,
    holder: User | None = None,
) -> list[Slot]:
    """Every slot of ``free_time``, earliest first."""
    found = free_time(
        offerings, start=start, end=end, now=now, organization=organization, holder=holder
    )
    return sorted(slot for free in found for slot in free.slots())


def _line(
    schedule: Schedule,
    opened: OpenMask,
    busy: dict[int, Mask],
    ruler: Ruler,
    organization: Organization,
) -> Line:
    here = schedule.location_id
    is_elsewhere = any(location != here for location in busy)
    way = travel_rule(schedule.practitioner, organization).value if is_elsewhere else 0
    return Line.of(opened, ruler, busy=busy, here=here, travel=way)


def _windows(
    offerings: Sequence[ServiceOffering],
    at: Sequence[int],
    schedules: Mapping[int, Schedule],
    organization: Organization | None,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
) -> list[Interval]:
    """The window of each; those that say the same share one."""
    theirs = {pk: (s.min_notice_minutes, s.horizon_days) for pk, s in schedules.items()}
    known: dict[tuple[int | None, ...], Interval] = {}
    windows = []
    for offering, schedule in zip(offerings, at, strict=True):
        own = offering.min_notice_minutes, offering.horizon_days
        says = own + theirs[schedule]
        if says not in known:
            known[says] = _window(offering, organization, start, end, now)
        windows.append(known[says])
    return windows


def _window(
    offering: ServiceOffering,
    organization: Organization | None,
    start: dt.datetime,
    end: dt.datetime,
    now: dt.datetime,
) -> Interval:
    """The minutes that were asked for, as far as notice and horizon, if any, allow them."""
    first, last = max(to_minute(start), first_to_come(now)), to_minute(end)
    if organization is None:
        return first, last
    soonest, beyond = booking_rules(offering, organization).window(now)
    return max(first, soonest), min(last, beyond)


def busy_time(
    practitioners: Iterable[int], start: dt.datetime, end: dt.datetime
) -> dict[int, list[Interval]]:
    """What each practitioner's appointments occupy around [start, end), buffers included."""
    busy: dict[int, list[Interval]] = defaultdict(list)
    rows = Appointment.objects.occupying().filter(practitioner__in=set(practitioners))
    for practitioner, _location, interval in _taken(rows, start, end):
        busy[practitioner].append(interval)
    return busy


@dataclass(frozen=True, slots=True)
class Moment:
    """What the busy days do not know: they have no clock."""

    #: Being booked by others.
    held: list[Taken]
    #: Requests that nobody answered in time, and that nobody has ended yet.
    lapsed: list[Taken]


def at_this_moment(now: dt.datetime, holder: User | None) -> Moment:
    """Of the whole clinic: little, and one question for both.

    Whose a hold is, is looked at here. The words of the question would take longer than all
    of these rows: they are made once.
    """
    at = connection.ops.adapt_datetimefield_value(now)
    held: list[Taken] = []
    lapsed: list[Taken] = []
    for row in Hold.objects.raw(_this_moment(connection.vendor), [at, Status.PENDING, at]):
        if row.expires_at <= now:
            lapsed.append(_one([getattr(row, name) for name in _PLACE]))
        elif holder is None or row.user_id != holder.pk:
            held.append(_one([getattr(row, name) for name in _PLACE]))
    return Moment(held, lapsed)


@functools.cache
def _this_moment(_vendor: str) -> str:
    """Live holds, and overdue requests as if they were holds that are over."""
    quote = connection.ops.quote_name
    place = ", ".join(quote(name) for name in (*_PLACE, "expires_at"))
    holds, requests = (quote(model._meta.db_table) for model in (Hold, Appointment))
    return (
        f"SELECT id, user_id, {place} FROM {holds} WHERE expires_at > %s"  # noqa: S608 (names only)
        f" UNION ALL SELECT id, NULL, {place} FROM {requests}"
        " WHERE status = %s AND expires_at <= %s"
    )


def _held(
    practitioners: Iterable[int],
    start: dt.datetime,
    end: dt.datetime,
    *,
    now: dt.datetime,
    holder: User | None,
) -> Iterator[Taken]:
    """What others than this account are booking at this moment."""
    others = Hold.objects.live(now).not_of(holder)
    wanted = set(practitioners)
    # In the whole clinic there are few: shorter to read them all than to name everybody.
    return (taken for taken in _taken(others, start, end) if taken[0] in wanted)


def _taken(rows: models.QuerySet[Any], start: dt.datetime, end: dt.datetime) -> Iterator[Taken]:
    return _rows(rows.filter(start__gte=start - _DAY, start__lt=end + _DAY))


def _rows(rows: models.QuerySet[Any]) -> Iterator[Taken]:
    return (_one(row) for row in rows.values_list(*_PLACE))


def _one(row: Sequence[Any]) -> Taken:
    practitioner, location, begins, ends, before, after = row
    return practitioner, location, (to_minute(begins) - before, to_minute(ends) + after)


def is_elsewhere_since(appointment: Appointment, event: int) -> bool:
    """Whether the practitioner has since got a visit at another location, too near to travel.

    What was there at this event already stood beside the appointment, whatever the rule.
    """
    late = Q(verb=Verb.ARRIVE, before__status=Status.NOSHOW)
    came = AppointmentEvent.objects.filter(
        late | Q(verb__in={Verb.BOOK, *RESTORING}), appointment=OuterRef("pk"), pk__gt=event
    )
    others = Appointment.objects.occupying().exclude(location=appointment.location_id)
    theirs = others.filter(Exists(came), practitioner=appointment.practitioner_id)
    since = _taken(theirs, appointment.start, appointment.end)
    practitioner = Practitioner.objects.get(pk=appointment.practitioner_id)
    way = travel_rule(practitioner, Organization.current()).value
    begins, ends = appointment.occupied
    here = begins - way, ends + way
    return any(overlaps(here, interval) for _p, _location, interval in since)


def placed(offering: ServiceOffering, slot: Slot, organization: Organization) -> dict[str, Any]:
    """What a row in this slot, appointment or hold, says of who, where and when."""
    need = need_of(offering, organization)
    return {
        "practitioner": offering.practitioner,
        "service": offering.service,
        "location": offering.location,
        "start": slot.start,
        "end": slot.end,
        "buffer_before": need.before,
        "buffer_after": need.after,
    }


def check(
    offering: ServiceOffering,
    *,
    start: dt.datetime,
    now: dt.datetime,
    online: bool,
    holder: User | None = None,
    over: bool = False,
) -> Slot:
    """The slot at this start, or the refusal that says why there is none.

    ``online``: as a patient. Staff may use any start on the five-minute grid, the step
    that is running included, closer and further away than patients, but never outside
    the hours. ``holder``: the account whose own holds are not in the way. ``over``: on
    top of what is booked at this location; not of what somebody is booking now.
    """
    door = ServiceOffering.objects.online() if online else ServiceOffering.objects.bookable()
    fresh = door.with_parts().filter(pk=offering.pk).first()
    if fresh is None:
        raise OfferingWithdrawn
    organization = Organization.current()
    need = need_of(fresh, organization)
    end = start + dt.timedelta(minutes=need.duration)
    _check_notice(fresh, organization, start=start, now=now, online=online)
    minute = to_minute(start)
    ruler = Ruler.of_days(minute, to_minute(end))
    busy: dict[int, Mask] = defaultdict(int)
    booked = Appointment.objects.standing(now).filter(practitioner=fresh.practitioner.pk)
    for _practitioner, location, interval in _taken(booked, start, end):
        if not (over and location == fresh.schedule.location_id):
            busy[location] |= ruler.touched([interval])
    opened = open_time([fresh.schedule], start, end)[fresh.schedule_id]
    step = step_rule(fresh.schedule, organization).value if online else CELL_MINUTES
    mask = OpenMask.of(opened, ruler, step)
    line = _line(fresh.schedule, mask, busy, ruler, organization)
    aligned = start.second == start.microsecond == 0 and minute % CELL_MINUTES == 0
    this = ruler.span(minute, minute + 1)
    if aligned and line.starts(need) & this:
        for _p, where, held in _held([fresh.practitioner.pk], start, end, now=now, holder=holder):
            busy[where] |= ruler.touched([held])
        line = _line(fresh.schedule, mask, busy, ruler, organization)
        if line.starts(need) & this:
            return Slot(start, end, fresh.pk)
        raise SlotHeld
    wanted = (minute - need.before, minute + need.duration + need.after)
    raise SlotTaken if ruler.touched([wanted]) & line.busy else SlotClosed


def _check_notice(
    offering: ServiceOffering,
    organization: Organization,
    *,
    start: dt.datetime,
    now: dt.datetime,
    online: bool,
) -> None:
    minute = to_minute(start)
    if minute < first_to_come(now if online else now - _STEP):
        raise SlotPast
    if not online:
        return
    soonest, beyond = booking_rules(offering, organization).window(now)
    if minute < soonest:
        raise SlotTooSoon
    if minute >= beyond:
        raise SlotTooFar
