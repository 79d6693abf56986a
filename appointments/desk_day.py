"""The day of a location: all its practitioners side by side. Contact, nothing clinical."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import Practitioner
from accounts.roles import Role
from appointments.agenda import Gap, OpenDays, Shut, Visit, actions_for
from appointments.models import Appointment
from appointments.steps import undoable
from appointments.transitions import Status
from clinic.models import Location
from scheduling.models import Schedule


@dataclass(frozen=True, slots=True)
class Column:
    """What one practitioner has on this day at this location."""

    practitioner: Practitioner
    #: None when they do not work here any more, but are still expected.
    schedule: Schedule | None
    visits: list[Visit]
    gaps: list[Gap]
    shut: list[Shut]
    works: bool

    @property
    def rows(self) -> list[Visit | Gap | Shut]:
        rows: list[Visit | Gap | Shut] = [*self.visits, *self.gaps, *self.shut]
        return sorted(rows, key=lambda row: row.starts_at)

    @property
    def total(self) -> int:
        """Appointments that were not cancelled."""
        return sum(visit.appointment.status != Status.CANCELLED for visit in self.visits)

    @property
    def is_off(self) -> bool:
        """Nothing to do here today: no hours, or all of them closed, and nobody comes."""
        return not self.visits and (not self.works or any(row.whole_day for row in self.shut))


def columns(location: Location, day: dt.date, *, role: Role, now: dt.datetime) -> list[Column]:
    """By practitioner, in a constant number of queries. The reason of a visit is not read."""
    schedules = list(
        Schedule.objects.active()
        .filter(location=location)
        .select_related("practitioner", "location")
        .order_by("practitioner__search_text", "pk")
    )
    open_days = OpenDays(schedules, day, day)
    visits = _visits(_appointments(location, day), role, now)
    found = []
    for schedule in schedules:
        practitioner = schedule.practitioner
        column = Column(
            practitioner,
            schedule,
            visits.pop(practitioner.pk, []),
            open_days.gaps_of(schedule, day, now),
            open_days.shut_of([schedule], day),
            open_days.works_at(schedule, day),
        )
        found.append(column)
    left = [
        Column(rows[0].appointment.practitioner, None, rows, [], [], False)
        for rows in visits.values()
    ]
    return [*found, *left]


def _appointments(location: Location, day: dt.date) -> list[Appointment]:
    rows = Appointment.objects.filter(location=location, local_date=day)
    return list(rows.for_desk().with_parts().order_by("start", "pk"))


def _visits(rows: Iterable[Appointment], role: Role, now: dt.datetime) -> dict[int, list[Visit]]:
    """By practitioner."""
    rows = list(rows)
    back = undoable(rows, role, now)
    found: dict[int, list[Visit]] = defaultdict(list)
    for row in rows:
        actions = actions_for(row, now, role)
        visit = Visit(
            row, None, False, actions, can_move=row.is_upcoming(now), can_undo=row.pk in back
        )
        found[row.practitioner_id].append(visit)
    return found
