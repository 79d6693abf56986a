"""The bulk way in: appointments that have a history already, many in one transaction.

For the book of the system a clinic leaves behind, and for the demo. The promises
are those of ``store.insert``: rows, cells and events go together or not at all,
and each history is a walk along the table of moves.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from accounts.models import Patient, Practitioner
from accounts.roles import Actor
from appointments import busy_days, locks, occupancy, waiting
from appointments.models import (
    Appointment,
    AppointmentEvent,
    FreedTime,
    OccupancyCell,
    Resource,
    cells_of,
)
from appointments.occupancy import CellKey, wanted
from appointments.signals import appointment_changed
from appointments.store import TRACKED, plain
from appointments.transitions import (
    AFTER_START,
    MAY,
    ON_THE_DAY,
    REMARKS,
    Status,
    Verb,
    is_time_for,
    target,
)
from clinic import audit
from clinic.fields import CELL_MINUTES
from clinic.models import Location, Room, Service
from scheduling.intervals import to_instant, to_minute

T = TypeVar("T")

#: How many ids one question names at most; SQLite has a limit.
CHUNK = 500
#: Stands in the last change of an appointment whose people know of it already.
TOLD_ELSEWHERE = "told_elsewhere"
_DAY = dt.timedelta(days=1)


class ImportRefusedError(ValueError):
    """Nothing was imported. ``problems``: (number of the row from 0, what is wrong with it)."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = list(problems)
        shown = "; ".join(f"row {number}: {what}" for number, what in self.problems[:20])
        more = f"; and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
        super().__init__(f"Nothing was imported. {shown}{more}")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an appointment, when, and by whom."""

    verb: Verb
    at: dt.datetime
    by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An appointment as it came to be. ``steps`` starts with ``book``; its state follows.

    ``expires_at`` makes the booking a request: it starts as pending.
    """

    patient: Patient
    practitioner: Practitioner
    service: Service
    location: Location
    start: dt.datetime
    end: dt.datetime
    steps: Sequence[Step]
    room: Room | None = None
    buffer_before: int = 0
    buffer_after: int = 0
    reason: str = ""
    cancellable_until: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    cancellation_reason: str = ""
    overbooked: bool = False
    overbooking_reason: str = ""


def import_appointments(
    rows: Iterable[Row], by: Actor, *, tell: bool = True, now: dt.datetime | None = None
) -> list[Appointment]:
    """Write these appointments with their cells and their history, all of them or none.

    Raises ImportRefusedError with the numbers of the rows that overlap each other or what
    is booked or overbooked already, or whose history cannot have happened. An overbooking
    and what it lies on come together. Working hours are not asked: the past had its own.

    ``tell`` sends ``appointment_changed`` with the last step of every appointment that has
    not ended, so that it gets its messages as if that step had just been taken. Those that
    have ended are never told of. With ``tell=False`` nobody hears of anything, because they
    have been told elsewhere (or, in the demo, because hundreds of mails on the first start
    would bury the one that the newcomer is looking for); reminders are then the caller's.
    """
    batch = list(rows)
    if not batch:
        return []
    now = now or timezone.now()
    drafts = _drafts(batch, now)
    try:
        with transaction.atomic():
            locks.hold(
                practitioners={row.practitioner.pk for row in batch},
                rooms={row.room.pk for row in batch if row.room},
                patients={row.patient.pk for row in batch},
            )
            # What somebody is about to book weighs less than what was agreed elsewhere.
            keys = [key for draft in drafts for key in draft.cells]
            occupancy.push_aside(keys, now=now, taker=None, before_any_hold=True)
            _refuse_taken(drafts)
            if not tell:
                for draft in drafts:
                    changes = [e for e in draft.events if e.verb not in REMARKS]
                    changes[-1].after[TOLD_ELSEWHERE] = True
            _write(drafts)
            _note_done(drafts, now)
            audit.record(
                actor=str(by), action="appointments.import", target="appointments", rows=len(batch)
            )
            if tell:
                _tell(drafts, now)
    except IntegrityError as error:
        # The key has spoken: somebody wrote past the lock. Find out where.
        _refuse_taken(drafts)
        raise ImportRefusedError([(0, str(error))]) from error
    return [draft.appointment for draft in drafts]


@dataclass(slots=True)
class _Draft:
    appointment: Appointment
    events: list[AppointmentEvent]
    cells: set[CellKey]


# --- reading the rows -------------------------------------------------------------


def _drafts(batch: Sequence[Row], now: dt.datetime) -> list[_Draft]:
    drafts: list[_Draft] = []
    problems: list[tuple[int, str]] = []
    for number, row in enumerate(batch):
        try:
            drafts.append(_draft(row, now))
        except ValueError as error:
            problems.append((number, str(error)))
    if problems:
        raise ImportRefusedError(problems)
    return drafts


def _draft(row: Row, now: dt.datetime) -> _Draft:
    """The appointment as it is now, with the events that led there; ValueError if none can."""
    _check_times(row)
    appointment = Appointment(
        patient=row.patient,
        practitioner=row.practitioner,
        service=row.service,
        location=row.location,
        room=row.room,
        start=row.start,
        end=row.end,
        local_date=row.start.astimezone(row.location.zone).date(),
        buffer_before=row.buffer_before,
        buffer_after=row.buffer_after,
        reason=row.reason,
        status=Status.PENDING if row.expires_at else Status.BOOKED,
        cancellable_until=row.cancellable_until or row.start,
        expires_at=row.expires_at,
        overbooked=row.overbooked,
        overbooking_reason=row.overbooking_reason,
    )
    events = list(_walk(appointment, row, now))
    return _Draft(appointment, events, wanted(appointment))


def _check_times(row: Row) -> None:
    for instant in (row.start, row.end):
        if instant.second or instant.microsecond or to_minute(instant) % CELL_MINUTES:
            raise ValueError(f"{instant} is not on the grid of {CELL_MINUTES} minutes")
    if row.end <= row.start:
        raise ValueError("it ends before it starts")
    if row.overbooked and not row.overbooking_reason:
        raise ValueError("an overbooking needs a reason")
    if row.expires_at and row.expires_at > row.start:
        raise ValueError("the request expires after the start")


def _walk(appointment: Appointment, row: Row, now: dt.datetime) -> Iterator[AppointmentEvent]:
    """Take the appointment from step to step, as ``store.change`` would have."""
    if not row.steps or row.steps[0].verb != Verb.BOOK:
        raise ValueError("its history does not begin with book")
    first, *rest = row.steps
    if first.by.role not in MAY[Verb.BOOK]:
        raise ValueError(f"{first.by.role} cannot book")
    if first.at > min(now, row.start):
        raise ValueError("it was booked after its start or in the future")
    yield _event(appointment, first, {}, {name: getattr(appointment, name) for name in TRACKED})
    last = first.at
    for step in rest:
        values = _values(appointment, row, step)
        if not last <= step.at <= now:
            raise ValueError(f"{step.verb} is out of order or in the future")
        last = step.at
        before = {name: getattr(appointment, name) for name in values}
        for name, value in values.items():
            setattr(appointment, name, value)
        appointment.sequence += step.verb not in REMARKS
        yield _event(appointment, step, before, values)


def _values(appointment: Appointment, row: Row, step: Step) -> dict[str, object]:
    """What this step changes; ValueError if the table of moves does not know it."""
    status = target(appointment.state, step.verb, step.by.role)
    if status is None:
        raise ValueError(f"{step.by.role} cannot {step.verb} what is {appointment.status}")
    was, times = appointment.state, appointment.timing
    if not is_time_for(step.verb, status=was, times=times, now=step.at):
        waits = step.verb in ON_THE_DAY | AFTER_START and was != Status.NOSHOW
        when = "early" if waits else "late"
        raise ValueError(f"{step.verb} came too {when}")
    if step.verb == Verb.RESCHEDULE:
        # Nothing here can name the appointment that took its place.
        raise ValueError("a move is imported as a cancelled one and another one")
    if step.verb == Verb.SAY_COMING:
        return {"coming_since": step.at}
    values: dict[str, object] = {"status": status}
    if step.verb == Verb.CANCEL:
        values["cancellation_reason"] = row.cancellation_reason
    if step.verb in {Verb.CONFIRM, Verb.CANCEL, Verb.EXPIRE}:
        values["expires_at"] = None
    return values


def _event(
    appointment: Appointment, step: Step, before: dict[str, object], after: dict[str, object]
) -> AppointmentEvent:
    return AppointmentEvent(
        appointment=appointment,
        verb=step.verb,
        by=step.by.user,
        role=step.by.role,
        source=step.by.source,
        at=step.at,
        before={name: plain(value) for name, value in before.items()},
        after={name: plain(value) for name, value in after.items()},
    )


# --- looking and writing ----------------------------------------------------------


def _refuse_taken(drafts: Sequence[_Draft]) -> None:
    """ImportRefusedError for every row whose time another row or an appointment has."""
    problems: set[tuple[int, str]] = set()
    takers: dict[CellKey, int] = {}
    for number, draft in enumerate(drafts):
        for key in draft.cells:
            if (other := takers.setdefault(key, number)) != number:
                problems.add((number, f"overlaps row {other}"))
    for key, reference in _held(takers):
        problems.add((takers[key], f"overlaps appointment {reference}"))
    problems.update(_under_overbookings(takers))
    problems.update(_overbooked_elsewhere(drafts))
    if problems:
        raise ImportRefusedError(sorted(problems))


def _held(takers: dict[CellKey, int]) -> Iterator[tuple[CellKey, str]]:
    """Which of these cells the database holds for somebody else, and for which appointment."""
    for resource in {key[0] for key in takers}:
        cells = [key[2] for key in takers if key[0] == resource]
        for ids in _chunks(sorted({key[1] for key in takers if key[0] == resource})):
            rows = OccupancyCell.objects.filter(
                resource=resource,
                resource_id__in=ids,
                cell__range=(min(cells), max(cells)),
                appointment__isnull=False,
            ).values_list("resource_id", "cell", "appointment__reference")
            for resource_id, cell, reference in rows.iterator():
                if (key := (resource, resource_id, cell)) in takers:
                    yield key, reference


def _under_overbookings(takers: dict[CellKey, int]) -> Iterator[tuple[int, str]]:
    """The time of an overbooking is not free, although it takes no cells of the practitioner's."""
    mine = {key: number for key, number in takers.items() if key[0] == Resource.PRACTITIONER}
    for visit in _around(mine, overbooked=True):
        for key in _times(visit):
            if key in mine:
                yield mine[key], f"overlaps overbooking {visit.reference}"


def _overbooked_elsewhere(drafts: Sequence[_Draft]) -> Iterator[tuple[int, str]]:
    """An overbooking goes on top of what is at its own location: nobody is in two places."""
    live = [(n, d.appointment) for n, d in enumerate(drafts) if d.appointment.is_occupying]
    over = [(number, visit) for number, visit in live if visit.overbooked]
    wanted_keys = {key for _number, visit in over for key in _times(visit)}
    there = [(f"appointment {visit.reference}", visit) for visit in _around(wanted_keys)]
    there += [(f"row {number}", visit) for number, visit in live]
    places: dict[CellKey, list[tuple[str, int]]] = defaultdict(list)
    for name, visit in there:
        for key in wanted_keys.intersection(_times(visit)):
            places[key].append((name, visit.location_id))
    for number, visit in over:
        for name, location in (place for key in _times(visit) for place in places[key]):
            if location != visit.location_id:
                yield number, f"overlaps {name} at another location"


def _times(visit: Appointment) -> list[CellKey]:
    """The practitioner's time that it is in, whether it takes it or not."""
    cells = cells_of(visit.occupied)
    return [(int(Resource.PRACTITIONER), visit.practitioner_id, cell) for cell in cells]


def _around(keys: Collection[CellKey], **only: Any) -> Iterator[Appointment]:
    """The live appointments of the practitioners, as long as these cells reach."""
    if not keys:
        return
    cells = [key[2] for key in keys]
    first, last = (to_instant(cell * CELL_MINUTES) for cell in (min(cells), max(cells)))
    for ids in _chunks(sorted({key[1] for key in keys})):
        live = Appointment.objects.occupying().filter(practitioner__in=ids, **only)
        yield from live.overlapping(first - _DAY, last + _DAY).iterator()


def _note_done(drafts: Sequence[_Draft], now: dt.datetime) -> None:
    """What was given up before it came here was never taken here: nobody is asked."""
    gone = [draft.appointment for draft in drafts if not draft.appointment.is_occupying]
    FreedTime.objects.bulk_create(
        waiting.time_of(visit, due_at=now, done_at=now) for visit in gone if visit.end > now
    )


def _write(drafts: Sequence[_Draft]) -> None:
    """Rows, then cells in sorted order, then events and busy days."""
    appointments = [draft.appointment for draft in drafts]
    # Appointment.objects closes bulk_create, because cells and events would be left out.
    # This module writes both, so it takes Django's own, on purpose and nowhere else.
    models.QuerySet[Appointment](Appointment).bulk_create(appointments, batch_size=CHUNK)
    _learn_keys(appointments)
    occupancy.claim_many((key, draft.appointment) for draft in drafts for key in draft.cells)
    events = [event for draft in drafts for event in draft.events]
    AppointmentEvent.objects.bulk_create(events, batch_size=CHUNK)
    days = {day for a in appointments for _p, _l, day in busy_days.keys_of(a)}
    busy_days.rebuild((a.practitioner_id for a in appointments), min(days), max(days))
    _backdate(appointments)


def _learn_keys(appointments: Sequence[Appointment]) -> None:
    """MySQL, unlike MariaDB and SQLite, gives no keys back for many rows at once."""
    if connection.features.can_return_rows_from_bulk_insert:
        return
    for chunk in _chunks(appointments):
        names = [appointment.public_id for appointment in chunk]
        found = Appointment.objects.filter(public_id__in=names).values_list("public_id", "pk")
        keys = dict(found)
        for appointment in chunk:
            appointment.pk = keys[appointment.public_id]


def _backdate(appointments: Sequence[Appointment]) -> None:
    """The day it was asked on is when it was booked, not when it was imported."""
    booked = AppointmentEvent.objects.filter(appointment=models.OuterRef("pk"), verb=Verb.BOOK)
    for chunk in _chunks([a.pk for a in appointments]):
        # Past the closed manager again: a date that no promise depends on.
        models.QuerySet[Appointment](Appointment).filter(pk__in=chunk).update(
            created_at=models.Subquery(booked.values("at")[:1])
        )


def _tell(drafts: Sequence[_Draft], now: dt.datetime) -> None:
    for draft in drafts:
        if draft.appointment.end > now:
            appointment_changed.send(
                sender=Appointment, appointment=draft.appointment, event=draft.events[-1]
            )


def _chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
