"""Checks the promises over the whole database, while the clinic goes on working.

The guard lets nothing wrong in; this finds what came in past it: raw SQL, a restored
backup, a bug. Reads in chunks; what looks wrong is looked at once more under the lock,
so that a change in between is not mistaken for a breach.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from django.db import models, transaction
from django.db.models import Q

from accounts.models import Patient, PatientAccess, Practitioner, Relation
from appointments import busy_days, locks
from appointments.imports import TOLD_ELSEWHERE
from appointments.models import (
    Appointment,
    AppointmentEvent,
    BusyDay,
    Hold,
    OccupancyCell,
    Resource,
)
from appointments.occupancy import CellKey, wanted, wanted_by_hold
from appointments.store import plain
from appointments.transitions import MOVES, REMARKS, Status, Verb
from clinic.models import Room
from scheduling.intervals import Interval, to_minute

CHUNK = 500
#: Verbs look at the clock before they wait for the lock: of two, the later may carry
#: the earlier time, by as long as a lock can take.
CLOCK_SLACK = dt.timedelta(minutes=1)
#: So long a request may outlive its time: somebody has to come by and end it.
EXPIRY_SLACK = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Breach:
    """A promise that does not hold. ``of`` says where, without saying who."""

    promise: str
    of: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.of}: {self.what}"


def breaches(counts: Counter[str]) -> Iterator[Breach]:
    """Every breach of what appointments promise; ``counts`` learns how much was looked at."""
    yield from overlaps(counts)
    for chunk in chunks(Appointment.objects.select_related("location")):
        counts["appointments"] += len(chunk)
        suspects = {a.pk for a, _breach in _of_each(chunk, counts)}
        for pk in sorted(suspects):
            yield from _once_more(pk)


def own_records(counts: Counter[str]) -> Iterator[Breach]:
    """A record is one account's own, and an account has one own record."""
    owned = PatientAccess.objects.live().filter(relation=Relation.SELF)
    counts["own records"] += owned.count()
    said = {
        "patient": "is the own record of several accounts",
        "user": "has several own records",
    }
    for of, what in said.items():
        twice = owned.values(of).annotate(n=models.Count("pk")).filter(n__gt=1).order_by(of)
        for row in twice.iterator():
            yield Breach("one own record", f"{of} {row[of]}", what)


def chunks(rows: models.QuerySet[Any], size: int = CHUNK) -> Iterator[Sequence[Any]]:
    """By ascending key, a question for each chunk: no memory for it all, nothing skipped."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:size]):
        yield chunk
        last = chunk[-1].pk


# --- what is kept for the search ------------------------------------------------------


def busy(counts: Counter[str]) -> Iterator[Breach]:
    """The busy days say what the appointments say; ``rebuild_busy_days`` mends them."""
    for practitioner in Practitioner.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            locks.hold(practitioners=[practitioner])
            kept = {
                (row.practitioner_id, row.location_id, row.day): int.from_bytes(row.cells, "little")
                for row in BusyDay.objects.filter(practitioner=practitioner)
            }
            due = busy_days.expected([practitioner], 0, 50_000)
        counts["busy days"] += len(kept)
        for key in sorted(kept.keys() | due.keys()):
            if kept.get(key, 0) != due.get(key, 0):
                of = f"practitioner {key[0]}, location {key[1]}, day {key[2]}"
                yield Breach("busy days", of, "not what the appointments occupy")


# --- holds --------------------------------------------------------------------------


def held(counts: Counter[str]) -> Iterator[Breach]:
    """Each hold has its cells. Like all cells they have one taker: that is the key's promise."""
    for chunk in chunks(Hold.objects.all()):
        counts["holds"] += len(chunk)
        for pk in [hold.pk for hold, _breach in _of_holds(chunk)]:
            yield from _held_once_more(pk)


def _of_holds(chunk: Sequence[Hold]) -> Iterator[tuple[Hold, Breach]]:
    kept: dict[int, set[CellKey]] = defaultdict(set)
    rows = OccupancyCell.objects.filter(hold__in=[hold.pk for hold in chunk])
    for pk, *key in rows.values_list("hold_id", "resource", "resource_id", "cell"):
        kept[pk].add((key[0], key[1], key[2]))
    for hold in chunk:
        if what := _difference(wanted_by_hold(hold), kept[hold.pk]):
            yield hold, Breach("cells are true", f"hold {hold.pk}", "; ".join(what))


def _held_once_more(pk: int) -> list[Breach]:
    with transaction.atomic():
        hold = Hold.objects.filter(pk=pk).first()
        if hold is None:
            return []
        locks.hold(practitioners=[hold.practitioner_id])
        return [breach for _h, breach in _of_holds(list(Hold.objects.filter(pk=pk)))]


# --- no overlap -------------------------------------------------------------------


def overlaps(counts: Counter[str]) -> Iterator[Breach]:
    """Two live appointments in the same time of a practitioner, a room or a patient.

    Read from the appointments alone: the cells may be what is wrong. One question for
    each group, so that the answer is one moment's.
    """
    live = Appointment.objects.occupying()
    groups: tuple[tuple[str, type[models.Model], models.QuerySet[Appointment], int], ...] = (
        ("practitioner", Practitioner, live.filter(overbooked=False), 1),
        ("room", Room, live, 1),
        ("patient", Patient, live, CHUNK),
    )
    for name, model, rows, size in groups:
        for owners in chunks(model._default_manager.only("pk"), size):
            counts[f"{name}s"] += len(owners)
            times = rows.filter(**{f"{name}__in": owners}).order_by(f"{name}_id", "start", "pk")
            yield from _overlaps_of(name, times)


def _overlaps_of(name: str, rows: models.QuerySet[Appointment]) -> Iterator[Breach]:
    columns = (f"{name}_id", "start", "end", "buffer_before", "buffer_after", "reference")
    for owner, group in groupby(rows.values_list(*columns).iterator(), key=itemgetter(0)):
        spans = sorted(_span(name, *row[1:]) for row in group)
        last_end, holder = 0, ""
        for (start, end), reference in spans:
            if start < last_end:
                what = f"{holder} and {reference} overlap"
                yield Breach("no overlap", f"{name} {owner}", what)
            if end > last_end:
                last_end, holder = end, reference


def _span(
    name: str, start: dt.datetime, end: dt.datetime, before: int, after: int, reference: str
) -> tuple[Interval, str]:
    """A patient is there for the visit, the others for its buffers too."""
    if name == "patient":
        before = after = 0
    return (to_minute(start) - before, to_minute(end) + after), reference


# --- requests ---------------------------------------------------------------------


def unanswered(counts: Counter[str], *, now: dt.datetime) -> Iterator[Breach]:
    """A request keeps its time until somebody answers it or it expires, and no longer."""
    requests = Appointment.objects.filter(status=Status.PENDING)
    counts["requests"] += requests.count()
    stale = requests.filter(Q(expires_at=None) | Q(expires_at__lt=now - EXPIRY_SLACK))
    for chunk in chunks(stale):
        for appointment in chunk:
            yield from _unanswered_once_more(appointment, stale)


def _unanswered_once_more(
    appointment: Appointment, stale: models.QuerySet[Appointment]
) -> list[Breach]:
    with transaction.atomic():
        locks.hold(practitioners=[appointment.practitioner_id])
        still = stale.filter(pk=appointment.pk).first()
        if still is None:
            return []
        until = f"expired at {plain(still.expires_at)}" if still.expires_at else "never expires"
        of = f"appointment {still.reference}"
        return [Breach("requests expire", of, f"{until} and still keeps its time")]


# --- each appointment -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of an appointment besides its row."""

    cells: set[CellKey]
    #: In the order they were written, which is the order of the locks.
    events: list[AppointmentEvent]
    #: The appointment that names it as the one it was moved from. Its key lets no two do so.
    moved_to: str


Check = Callable[[Appointment, Facts], Iterator[tuple[str, str]]]


def _of_each(
    chunk: Sequence[Appointment], counts: Counter[str] | None = None
) -> Iterator[tuple[Appointment, Breach]]:
    cells, events, successors = _cells(chunk), _events(chunk), _successors(chunk)
    for appointment in chunk:
        pk = appointment.pk
        facts = Facts(cells[pk], events[pk], successors.get(pk, ""))
        if counts is not None:
            counts["cells"] += len(facts.cells)
            counts["events"] += len(facts.events)
            counts["moves"] += bool(facts.moved_to)
        for check in CHECKS:
            for promise, what in check(appointment, facts):
                yield appointment, Breach(promise, f"appointment {appointment.reference}", what)


def _once_more(pk: int) -> list[Breach]:
    """The breaches that are still there while nobody can change the appointment."""
    with transaction.atomic():
        locks.hold(practitioners=[Appointment.objects.get(pk=pk).practitioner_id])
        appointment = Appointment.objects.select_related("location").get(pk=pk)
        return [breach for _a, breach in _of_each([appointment])]


def _cells(chunk: Sequence[Appointment]) -> dict[int, set[CellKey]]:
    held: dict[int, set[CellKey]] = defaultdict(set)
    rows = OccupancyCell.objects.filter(appointment__in=[a.pk for a in chunk])
    for pk, *key in rows.values_list("appointment_id", "resource", "resource_id", "cell"):
        held[pk].add((key[0], key[1], key[2]))
    return held


def _events(chunk: Sequence[Appointment]) -> dict[int, list[AppointmentEvent]]:
    told: dict[int, list[AppointmentEvent]] = defaultdict(list)
    for event in AppointmentEvent.objects.filter(appointment__in=[a.pk for a in chunk]).order_by(
        "pk"
    ):
        told[event.appointment_id].append(event)
    return told


def _successors(chunk: Sequence[Appointment]) -> dict[int, str]:
    rows = Appointment.objects.filter(rescheduled_from__in=[a.pk for a in chunk])
    return dict(rows.values_list("rescheduled_from_id", "reference"))


def _cells_are_true(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    for what in _difference(wanted(appointment), facts.cells):
        yield "cells are true", what


def _difference(want: set[CellKey], cells: set[CellKey]) -> list[str]:
    found = []
    for word, keys in (("lacks", want - cells), ("should not hold", cells - want)):
        if keys:
            kinds = Counter(Resource(resource).name.lower() for resource, _id, _cell in keys)
            listed = ", ".join(f"{n} of the {kind}" for kind, n in sorted(kinds.items()))
            found.append(f"{word} cells: {listed}")
    return found


def _day_is_right(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    day = appointment.start.astimezone(appointment.zone).date()
    if appointment.local_date != day:
        yield "day is right", f"says {appointment.local_date}, starts on {day}"


def _history_is_whole(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    """From ``book`` to today's state, each step along the table of moves."""
    events = facts.events
    if not events or events[0].verb != Verb.BOOK:
        yield "history is whole", "does not begin with book"
        return
    state = events[0].after.get("status")
    for before, event in pairwise(events):
        if event.at < before.at - CLOCK_SLACK:
            yield "history is whole", f"{event.verb} is noted before {before.verb}"
        if event.before.get("status", state) != state:
            yield "history is whole", f"{event.verb} starts from another state than {state}"
        reached = event.after.get("status", state)
        if not _is_move(state, event.verb, reached):
            yield "history is whole", f"{event.verb} does not lead from {state} to {reached}"
        state = reached
    changes = sum(event.verb not in REMARKS for event in events) - 1
    if appointment.sequence != changes:
        yield "history is whole", f"{changes} changes noted, {appointment.sequence} made"


def _is_move(state: str, verb: str, reached: str) -> bool:
    try:
        return MOVES.get((Status(state), Verb(verb))) == reached
    except ValueError:
        return False


def _history_tells_the_present(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    """What the events say, one on top of the other, is what the row says."""
    last: dict[str, Any] = {}
    for event in facts.events:
        last.update(event.after)
    last.pop(TOLD_ELSEWHERE, None)
    for name, value in sorted(last.items()):
        present = plain(getattr(appointment, name, None))
        if present != value:
            yield "history tells the present", f"{name} is {present!r}, last noted {value!r}"


def _remarks_are_noted(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    """A remark leaves no version by which one would miss its event.

    Where the event is there and the row says nothing, the history does not tell the present.
    """
    if appointment.coming_since and not any(e.verb == Verb.SAY_COMING for e in facts.events):
        yield "history is whole", "nobody noted that the patient comes"


def _move_is_whole(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    """Whoever was moved has the new time and no longer the old one: never neither, never both."""
    steps = [event.verb for event in facts.events if event.verb not in REMARKS]
    last, to = (steps or [""])[-1], facts.moved_to
    if last == Verb.RESCHEDULE and not to:
        yield "a move is whole", "was given up for another time, and there is none"
    if to and last != Verb.RESCHEDULE:
        yield "a move is whole", f"was moved to {to}, and its last step is {last or 'none'}"
    if to and appointment.is_occupying:
        yield "a move is whole", f"was moved to {to}, and still keeps its time"


def _request_is_whole(appointment: Appointment, facts: Facts) -> Iterator[tuple[str, str]]:
    """Whoever asks to move has one open question about one own appointment that can be moved."""
    if appointment.replaces_id is None or appointment.state != Status.PENDING:
        return
    # Each in one question: what it would replace may be moved at this moment.
    same = Appointment.objects.filter(pk=appointment.pk, status=Status.PENDING)
    if same.exclude(replaces__patient=models.F("patient")).exists():
        yield "a request is whole", "would replace an appointment of another patient"
    if same.filter(replaces__rescheduled_to__isnull=False).exists():
        yield "a request is whole", "would replace an appointment that was moved"
    others = models.Q(replaces__asked_moves__status=Status.PENDING)
    others &= ~models.Q(replaces__asked_moves=models.F("pk"))
    if same.filter(others).exists():
        yield "a request is whole", "is not the only one that would replace an appointment"


CHECKS: Iterable[Check] = (
    _cells_are_true,
    _day_is_right,
    _history_is_whole,
    _history_tells_the_present,
    _remarks_are_noted,
    _move_is_whole,
    _request_is_whole,
)
