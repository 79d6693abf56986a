"""Where appointments that have to leave their time could go."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from appointments.availability import FreeTime, free_time
from appointments.models import Appointment
from appointments.timetable import OfferedSlot
from scheduling.intervals import Interval, overlaps, to_minute
from scheduling.models import ServiceOffering
from scheduling.slots import Need, Slot

#: So far before its old time, and so far after it, a new time is looked for.
EARLIER, LATER = dt.timedelta(days=3), dt.timedelta(days=60)
#: Nobody is asked to come earlier than planned at shorter notice than this.
NOTICE = dt.timedelta(days=1)

_Taken = dict[int, list[Interval]]


def propose(
    appointments: Sequence[Appointment], *, now: dt.datetime, own_only: bool = False
) -> dict[int, OfferedSlot]:
    """By appointment, the nearest free time under the rules as they are now.

    With the same practitioner, here or else at another location; only then, unless
    ``own_only``, with another one here. No two get the same time, and no patient two at once.
    """
    search = _Search(appointments, now)
    own = _free(appointments, now, others=False)
    search.give(own, lambda a, o: _theirs(a, o) and _here(a, o))
    search.give(own, _theirs)
    missing = [] if own_only else [a for a in appointments if a.pk not in search.found]
    search.give(_free(missing, now, others=True), _here)
    return search.found


def _here(appointment: Appointment, offering: ServiceOffering) -> bool:
    return offering.schedule.location_id == appointment.location_id


def _theirs(appointment: Appointment, offering: ServiceOffering) -> bool:
    return offering.schedule.practitioner_id == appointment.practitioner_id


class _Search:
    """What has been found so far, and what that takes away from the others."""

    def __init__(self, appointments: Sequence[Appointment], now: dt.datetime) -> None:
        self.appointments = appointments
        self.now = now
        self.found: dict[int, OfferedSlot] = {}
        self.practitioners: _Taken = defaultdict(list)
        self.patients = _elsewhere(appointments)

    def give(
        self, frees: list[FreeTime], fits: Callable[[Appointment, ServiceOffering], bool]
    ) -> None:
        for appointment in self.appointments:
            if appointment.pk in self.found:
                continue
            rows = [
                free
                for free in frees
                if free.offering.service_id == appointment.service_id
                and fits(appointment, free.offering)
            ]
            patient = self.patients[appointment.pk]
            since = max(appointment.start - EARLIER, min(appointment.start, self.now + NOTICE))
            if best := _nearest(appointment, rows, since, self.practitioners, patient):
                self._take(appointment, *best)

    def _take(self, appointment: Appointment, slot: Slot, free: FreeTime) -> None:
        self.found[appointment.pk] = OfferedSlot(slot, free.offering)
        visit = (to_minute(slot.start), to_minute(slot.end))
        theirs = self.practitioners[free.offering.schedule.practitioner_id]
        theirs.append(_occupied(visit, free.need))
        for other in self.appointments:
            if other.patient_id == appointment.patient_id:
                self.patients[other.pk].append(visit)


def _occupied(visit: Interval, need: Need) -> Interval:
    return visit[0] - need.before, visit[1] + need.after


def _elsewhere(appointments: Sequence[Appointment]) -> _Taken:
    """By appointment, where its patient is at other times."""
    busy: _Taken = defaultdict(list)
    patients = {a.patient_id for a in appointments}
    first = min((a.start for a in appointments), default=None)
    if first is None:
        return busy
    rows = Appointment.objects.occupying().filter(patient__in=patients, end__gt=first - EARLIER)
    for pk, patient, start, end in rows.values_list("pk", "patient_id", "start", "end"):
        for appointment in appointments:
            if appointment.patient_id == patient and appointment.pk != pk:
                busy[appointment.pk].append((to_minute(start), to_minute(end)))
    return busy


def _free(appointments: Sequence[Appointment], now: dt.datetime, *, others: bool) -> list[FreeTime]:
    if not appointments:
        return []
    offerings = ServiceOffering.objects.bookable().with_parts()
    offerings = offerings.filter(service__in={a.service_id for a in appointments})
    if others:
        places = {a.location_id for a in appointments}
        offerings = offerings.filter(schedule__location__in=places)
    else:
        people = {a.practitioner_id for a in appointments}
        offerings = offerings.filter(schedule__practitioner__in=people)
    return free_time(
        list(offerings),
        start=max(now, min(a.start for a in appointments) - EARLIER),
        end=max(a.start for a in appointments) + LATER,
        now=now,
    )


def _nearest(
    appointment: Appointment,
    frees: Iterable[FreeTime],
    since: dt.datetime,
    taken: _Taken,
    patient: list[Interval],
) -> tuple[Slot, FreeTime] | None:
    best: tuple[Slot, FreeTime] | None = None
    until = appointment.start + LATER
    for free in frees:
        busy = taken[free.offering.schedule.practitioner_id]
        for slot in free.between(to_minute(since), to_minute(until)).slots():
            distance = slot.start - appointment.start
            if best and distance >= abs(best[0].start - appointment.start):
                break
            if _is_free(slot, free.need, busy, patient) and _nearer(slot, best, appointment):
                best = slot, free
    return best


def _nearer(slot: Slot, best: tuple[Slot, FreeTime] | None, appointment: Appointment) -> bool:
    return best is None or abs(slot.start - appointment.start) < abs(
        best[0].start - appointment.start
    )


def _is_free(slot: Slot, need: Need, busy: list[Interval], patient: list[Interval]) -> bool:
    visit = (to_minute(slot.start), to_minute(slot.end))
    occupied = _occupied(visit, need)
    return not any(overlaps(occupied, other) for other in busy) and not any(
        overlaps(visit, other) for other in patient
    )
