"""A practitioner's days as rows in the order of the clock: visits, gaps, blocks and now."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
from accounts.roles import Role
from appointments import asked
from appointments.availability import busy_time
from appointments.models import LONGEST_BUFFER, Appointment
from appointments.steps import undoable
from appointments.transitions import UPCOMING, Status, Verb, verbs_for
from clinic.fields import CELL_MINUTES
from clinic.models import Location, Organization
from scheduling.almanac import almanac
from scheduling.catalogue import Catalogue, catalogue
from scheduling.intervals import Interval, clip, merge, overlaps, subtract, to_instant, to_minute
from scheduling.models import Schedule
from scheduling.selectors import Block, OpenTime, step_rule
from scheduling.wallclock import day_bounds, each_day

#: How a button, or the page that cancels, says that it was pressed in the list of requests.
FROM_REQUESTS = "solicitudes"


@dataclass(frozen=True, slots=True)
class Action:
    """A verb as the agenda offers it: ``slug`` stands in the address, ``label`` on the button."""

    verb: Verb
    slug: str
    label: Any


ACTIONS = {
    action.verb: action
    for action in (
        Action(Verb.CONFIRM, "confirmar", _("Confirm")),
        Action(Verb.ARRIVE, "llego", _("Arrived")),
        Action(Verb.FULFIL, "atendido", _("Seen")),
        Action(Verb.NO_SHOW, "no-asistio", _("Did not come")),
        Action(Verb.CANCEL, "cancelar", _("Cancel the appointment")),
        Action(Verb.UNDO, "deshacer", _("Undo the last step")),
    )
}


def actions_for(
    appointment: Appointment, now: dt.datetime, role: Role = Role.PRACTITIONER
) -> list[Action]:
    """What this role can do now. First the next state, last the cancellation."""
    can = verbs_for(
        appointment.state,
        role,
        times=appointment.timing,
        now=now,
    )
    order = list(ACTIONS)
    if now.astimezone(appointment.zone).date() > appointment.local_date:
        # On a day that is over nobody arrives any more: either seen or not.
        order.remove(Verb.ARRIVE)
    return [ACTIONS[verb] for verb in order if verb in can]


def may_move(appointment: Appointment, now: dt.datetime) -> bool:
    """Whether the staff can give it another time. A request to move is answered first."""
    return appointment.is_upcoming(now) and not asked.to_replace(appointment, now)


def anchor(appointment: Appointment) -> str:
    """The id of the appointment's row: where its day page opens again after a change."""
    return f"turno-{appointment.reference}"


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment as a row."""

    kind: ClassVar[str] = "visit"
    appointment: Appointment
    age: int | None
    is_first: bool
    actions: list[Action]
    can_move: bool = False
    #: Whether the last step can still be taken back.
    can_undo: bool = False

    @property
    def starts_at(self) -> dt.datetime:
        return self.appointment.start

    @property
    def location(self) -> Location:
        return self.appointment.location

    @property
    def anchor(self) -> str:
        return anchor(self.appointment)

    @property
    def main(self) -> Action | None:
        """The one button: the next state. Nobody is expected any more who did not come."""
        if self.appointment.status == Status.NOSHOW:
            return None
        return next((a for a in self.actions[:1] if a.verb not in _ASIDE), None)

    @property
    def more(self) -> list[Action]:
        main = self.main
        return [action for action in self.actions if action is not main]

    @property
    def undo(self) -> Action | None:
        return ACTIONS[Verb.UNDO] if self.can_undo else None


#: Never the main button: nobody is expected to stay away.
_ASIDE = frozenset({Verb.CANCEL, Verb.NO_SHOW})


@dataclass(frozen=True, slots=True)
class Gap:
    """Free time in which at least the shortest service fits."""

    kind: ClassVar[str] = "gap"
    starts_at: dt.datetime
    ends_at: dt.datetime
    schedule: Schedule

    @property
    def location(self) -> Location:
        return self.schedule.location

    @property
    def minutes(self) -> int:
        return to_minute(self.ends_at) - to_minute(self.starts_at)


@dataclass(frozen=True, slots=True)
class Shut:
    """A block: lunch, vacation, holiday. ``location`` is None when it holds everywhere."""

    kind: ClassVar[str] = "shut"
    starts_at: dt.datetime
    ends_at: dt.datetime
    zone: zoneinfo.ZoneInfo
    label: str
    location: Location | None
    whole_day: bool


@dataclass(frozen=True, slots=True)
class Now:
    kind: ClassVar[str] = "now"
    starts_at: dt.datetime
    zone: zoneinfo.ZoneInfo
    location: None = None


Row = Visit | Gap | Shut | Now
_ORDER = {"shut": 0, "visit": 1, "gap": 2, "now": 3}


@dataclass(frozen=True, slots=True)
class Day:
    """One date of the agenda. ``now`` only on the day itself."""

    date: dt.date
    visits: list[Visit]
    gaps: list[Gap]
    shut: list[Shut]
    works: bool
    now: Now | None

    @property
    def rows(self) -> list[Row]:
        rows: list[Row] = [*self.visits, *self.gaps, *self.shut]
        if self.now and rows:
            rows.append(self.now)
        return sorted(rows, key=lambda row: (row.starts_at, _ORDER[row.kind]))

    @property
    def counts(self) -> Counter[str]:
        return Counter(visit.appointment.status for visit in self.visits)

    @property
    def total(self) -> int:
        """Appointments that were not cancelled."""
        return len(self.visits) - self.counts[Status.CANCELLED]

    @property
    def to_confirm(self) -> int:
        return self.counts[Status.PENDING]

    @property
    def places(self) -> list[Location]:
        """Where this day takes place, each once."""
        rows: list[Visit | Gap] = [*self.visits, *self.gaps]
        return list({row.location.pk: row.location for row in rows}.values())

    @property
    def off(self) -> Shut | None:
        """What takes the whole day, if something does."""
        return next((row for row in self.shut if row.whole_day), None)

    @property
    def next_visit(self) -> Visit | None:
        """Who waits already, else who comes next; only on the day itself."""
        if self.now is None:
            return None
        waiting = [v for v in self.visits if v.appointment.status == Status.ARRIVED]
        coming = [
            v
            for v in self.visits
            if v.appointment.status in UPCOMING and v.appointment.end > self.now.starts_at
        ]
        return next(iter([*waiting, *coming]), None)


def home_zone(practitioner: Practitioner) -> zoneinfo.ZoneInfo:
    """The zone of the practitioner's first location: whose clock "today" follows."""
    first = practitioner.schedules.active().select_related("location").order_by("pk").first()
    return first.location.zone if first else zoneinfo.ZoneInfo(timezone.get_default_timezone_name())


def days(
    practitioner: Practitioner,
    first: dt.date,
    last: dt.date,
    *,
    now: dt.datetime,
    organization: Organization | None = None,
    details: bool = True,
) -> list[Day]:
    """Every day from first to last, both included, in a constant number of queries.

    ``details``: age, first visit, what can be done and taken back; a week shows none of it.
    """
    organization = organization or Organization.current()
    known = catalogue(organization)
    schedules = known.schedules_of(practitioner.pk)
    around = _appointments(practitioner, first, last, known, details)
    rows = [row for row in around if first <= row.local_date <= last]
    back = undoable(rows, Role.PRACTITIONER, now) if details else set()
    visits = [
        _visit(a, now, can_undo=a.pk in back) if details else Visit(a, None, False, [])
        for a in rows
    ]
    busy = {practitioner.pk: [row.occupied for row in around if row.is_occupying]}
    free = OpenDays(schedules, first, last, organization, busy)
    zone = schedules[0].location.zone if schedules else _any_zone(visits)
    today = now.astimezone(zone).date()
    return [
        Day(
            date=day,
            visits=[v for v in visits if v.appointment.local_date == day],
            gaps=free.gaps(day, now),
            shut=free.shut(day),
            works=free.works(day),
            now=Now(now, zone) if day == today else None,
        )
        for day in each_day(first, last)
    ]


def _any_zone(visits: Sequence[Visit]) -> zoneinfo.ZoneInfo:
    if visits:
        return visits[0].appointment.zone
    return zoneinfo.ZoneInfo(timezone.get_default_timezone_name())


def _appointments(
    practitioner: Practitioner, first: dt.date, last: dt.date, known: Catalogue, details: bool
) -> list[Appointment]:
    """What begins on these days, and what takes time of them from the day before or after."""
    if not known.places:
        return []
    start, end = _reach(first, last, known.places.values())
    rows = (_with_first_visits() if details else _with_patients()).filter(
        practitioner=practitioner,
        start__gte=start - dt.timedelta(days=1),
        start__lt=end + LONGEST_BUFFER,
        end__gt=start - LONGEST_BUFFER,
    )
    found = list(rows)
    for row in found:
        row.practitioner = practitioner
        row.service = known.every_service[row.service_id]
        row.location = known.places[row.location_id]
    return found


def _reach(
    first: dt.date, last: dt.date, places: Iterable[Location]
) -> tuple[dt.datetime, dt.datetime]:
    """From the earliest midnight to the latest, on all the clocks of the clinic."""
    zones = {place.time_zone: place.zone for place in places}.values()
    bounds = [(day_bounds(first, zone)[0], day_bounds(last, zone)[1]) for zone in zones]
    return to_instant(min(b[0] for b in bounds)), to_instant(max(b[1] for b in bounds))


#: What these pages read of a visit and its patient: of a week, and of a day besides.
_BARE = ["reference", "start", "end", "local_date", "buffer_before", "buffer_after", "status"]
_BARE += ["overbooked", "practitioner", "service", "location"]
_BARE += ["patient__first_name", "patient__last_name"]
_DETAILS = ["public_id", "reason", "overbooking_reason", "cancellation_reason"]
_DETAILS += ["coming_since", "expires_at", "patient__birth_date", "patient__phone"]


@functools.cache
def _with_patients() -> models.QuerySet[Appointment]:
    """Put together once: only narrowed down, never read itself. A week shows names."""
    rows = Appointment.objects.select_related("patient").order_by("start", "pk")
    return rows.only(*_BARE)


@functools.cache
def _with_first_visits() -> models.QuerySet[Appointment]:
    earlier = Appointment.objects.occupying().filter(
        patient=OuterRef("patient"),
        practitioner=OuterRef("practitioner"),
        start__lt=OuterRef("start"),
    )
    return _with_patients().only(*_BARE, *_DETAILS).annotate(is_first=~Exists(earlier))


def _visit(appointment: Appointment, now: dt.datetime, *, can_undo: bool) -> Visit:
    return Visit(
        appointment=appointment,
        age=appointment.patient.age_on(appointment.local_date),
        is_first=getattr(appointment, "is_first", False),
        actions=actions_for(appointment, now),
        can_move=appointment.is_upcoming(now),
        can_undo=can_undo,
    )


class OpenDays:
    """What the schedules leave open in the window, asked once and cut into days."""

    def __init__(
        self,
        schedules: Sequence[Schedule],
        first: dt.date,
        last: dt.date,
        organization: Organization | None = None,
        busy: Mapping[int, list[Interval]] | None = None,
    ) -> None:
        """``busy``: by practitioner, where it is known already."""
        self.schedules = schedules
        self.opened: dict[int, OpenTime] = {}
        self.free: dict[int, list[Interval]] = {}
        if not schedules:
            return
        bounds = [
            (day_bounds(first, s.location.zone)[0], day_bounds(last, s.location.zone)[1])
            for s in schedules
        ]
        start, end = to_instant(min(b[0] for b in bounds)), to_instant(max(b[1] for b in bounds))
        organization = organization or Organization.current()
        self.opened = almanac(organization).open_time(schedules, start, end)
        if busy is None:
            busy = busy_time({s.practitioner_id for s in schedules}, start, end)
        self.free = {
            s.pk: subtract(self.opened[s.pk].free_of_blocks, merge(busy[s.practitioner_id]))
            for s in schedules
        }
        #: The length of the shortest service of each schedule; its step where it offers none.
        shortest = catalogue(organization).shortest
        self.shortest = {
            s.pk: shortest.get(s.pk) or step_rule(s, organization).value for s in schedules
        }

    def works(self, day: dt.date) -> bool:
        """Whether any hours are set for this day, blocked or not."""
        return any(self.works_at(schedule, day) for schedule in self.schedules)

    def works_at(self, schedule: Schedule, day: dt.date) -> bool:
        return bool(self._shifts(schedule, day))

    def _shifts(self, schedule: Schedule, day: dt.date) -> list[Interval]:
        return clip(self.opened[schedule.pk].shifts, day_bounds(day, schedule.location.zone))

    def gaps(self, day: dt.date, now: dt.datetime) -> list[Gap]:
        return [gap for schedule in self.schedules for gap in self.gaps_of(schedule, day, now)]

    def gaps_of(self, schedule: Schedule, day: dt.date, now: dt.datetime) -> list[Gap]:
        """Only what is still to come: yesterday's gaps are nobody's business."""
        # Up to the grid on which a visit can start.
        soonest = -(-to_minute(now) // CELL_MINUTES) * CELL_MINUTES
        begins, ends = day_bounds(day, schedule.location.zone)
        return [
            Gap(to_instant(start), to_instant(end), schedule)
            for start, end in clip(self.free[schedule.pk], (max(begins, soonest), ends))
            if end - start >= self.shortest[schedule.pk]
        ]

    def shut(self, day: dt.date) -> list[Shut]:
        """Blocks that take all of the day, or else time from its hours; each once."""
        return self.shut_of(self.schedules, day)

    def shut_of(self, schedules: Iterable[Schedule], day: dt.date) -> list[Shut]:
        found: dict[tuple[int, str, Interval], Shut] = {}
        for schedule in schedules:
            whole = day_bounds(day, schedule.location.zone)
            blocks = self.opened[schedule.pk].blocks
            parts = [(block, part) for block in blocks for part in clip([block.interval], whole)]
            # Nobody has lunch on a day that is closed.
            for block, part in [one for one in parts if one[1] == whole] or parts:
                row = self._shut_row(schedule, block, part, day)
                if row:
                    found.setdefault((block.row_id, block.kind, part), row)
        return list(found.values())

    def _shut_row(
        self, schedule: Schedule, block: Block, part: Interval, day: dt.date
    ) -> Shut | None:
        whole = part == day_bounds(day, schedule.location.zone)
        if not whole and not any(overlaps(part, shift) for shift in self._shifts(schedule, day)):
            return None
        return Shut(
            starts_at=to_instant(part[0]),
            ends_at=to_instant(part[1]),
            zone=schedule.location.zone,
            label=block.label,
            location=None if self._everywhere(block) else schedule.location,
            whole_day=whole,
        )

    def _everywhere(self, block: Block) -> bool:
        """Whether the row closes every schedule; then its place need not be said."""
        return all(
            any((b.row_id, b.kind) == (block.row_id, block.kind) for b in opened.blocks)
            for opened in self.opened.values()
        )
