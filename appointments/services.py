"""The verbs of an appointment's life: lock, look, write, in one transaction.

Every verb names its actor and takes ``now`` only from tests and tasks.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Patient
from accounts.roles import Actor, Role
from accounts.rules import may_overbook
from appointments import asked, availability, limits, locks, overdue, store
from appointments.exceptions import (
    AskedAlready,
    DayOver,
    MoveNotAllowed,
    NotYet,
    OnlyKnownPatients,
    OverbookingNotAllowed,
    OverbookingReasonNeeded,
    PatientBusy,
    ReasonNeeded,
    Refusal,
    RequestLapsed,
    RoomTaken,
    SameDay,
    SameTime,
    SlotTaken,
    TimeGivenAway,
    TooLateToCallOff,
    TooLateToCancel,
    TooLateToMove,
    TooNearElsewhere,
    TouchesTheOld,
    VisitOver,
)
from appointments.models import (
    Appointment,
    AppointmentQuerySet,
    OccupancyCell,
    Resource,
    cells_of,
)
from appointments.transitions import (
    IN_TIME,
    MAY,
    OCCUPYING,
    REMARKS,
    SEEN,
    UPCOMING,
    Status,
    Verb,
    is_time_for,
    target,
)
from clinic.models import Organization, Room
from scheduling.intervals import overlaps, to_minute
from scheduling.models import ServiceOffering
from scheduling.selectors import booking_rules, need_of
from scheduling.slots import Slot

log = logging.getLogger(__name__)


@locks.retrying
def book(
    *,
    offering: ServiceOffering,
    patient: Patient,
    start: dt.datetime,
    by: Actor,
    reason: str = "",
    room: Room | None = None,
    request_key: uuid.UUID | None = None,
    same_day_ok: bool = False,
    now: dt.datetime | None = None,
) -> Appointment:
    """Book this start for this patient, or refuse with a sentence.

    The same ``request_key`` again returns the appointment it made the first time, and so
    does a patient's second form for the same visit. Refuses: SlotTaken, SlotHeld, SlotPast,
    SlotTooSoon, SlotTooFar, SlotClosed, OfferingWithdrawn, PatientBusy, RoomTaken, SameDay
    (unless ``same_day_ok``); patients also OnlyKnownPatients, TooManyAhead, TooManyCancelled.
    """
    now = now or timezone.now()
    if by.role not in MAY[Verb.BOOK]:
        raise MoveNotAllowed
    online = by.role == Role.PATIENT

    def draft() -> Appointment:
        if online:
            if made := booked_at(offering, start, [patient]):
                return made
            organization = Organization.current()
            limits.check(patient, offering.practitioner, now=now, organization=organization)
        slot = availability.check(offering, start=start, now=now, online=online, holder=by.user)
        if online and not may_book_online(offering, patient, organization):
            raise OnlyKnownPatients
        _check_patient(patient, slot, same_day_ok=same_day_ok or not online)
        return _new(offering, patient, slot, by, now)

    wish = _Wish(offering, patient, start, room, reason, request_key)
    return _write(wish, draft, by=by, now=now)


def may_book_online(
    offering: ServiceOffering, patient: Patient, organization: Organization
) -> bool:
    """Whether it is open to this patient: to everybody, or only to those seen before."""
    if not booking_rules(offering, organization).known_only:
        return True
    return _seen(patient).filter(practitioner=offering.schedule.practitioner_id).exists()


def who_has_seen(patient: Patient) -> set[int]:
    """The practitioners to whom this patient is known."""
    return set(_seen(patient).order_by().values_list("practitioner", flat=True))


def _seen(patient: Patient) -> AppointmentQuerySet:
    return Appointment.objects.filter(patient=patient, status__in=SEEN)


def check_anybody(
    offering: ServiceOffering, patients: Iterable[Patient], *, now: dt.datetime
) -> None:
    """Before a time is kept: whether it could be booked for one of these at all.

    Refuses: OnlyKnownPatients, TooManyAhead, TooManyCancelled. ``book`` decides.
    """
    organization = Organization.current()
    welcome = [patient for patient in patients if may_book_online(offering, patient, organization)]
    if not welcome:
        raise OnlyKnownPatients
    limits.check_any(welcome, offering.practitioner, now=now, organization=organization)


@locks.retrying
def overbook(
    *,
    offering: ServiceOffering,
    patient: Patient,
    start: dt.datetime,
    why: str,
    by: Actor,
    reason: str = "",
    room: Room | None = None,
    request_key: uuid.UUID | None = None,
    now: dt.datetime | None = None,
) -> Appointment:
    """Book on top of other appointments of this location, on purpose; ``why`` stays with it.

    It takes nothing of the practitioner's time, but the patient's and the room's: nobody
    is in two places. A time that is free is simply booked. Refuses as ``book`` does, and
    OverbookingNotAllowed, OverbookingReasonNeeded.
    """
    now, why = now or timezone.now(), why.strip()
    if not may_overbook(by, offering.practitioner):
        raise OverbookingNotAllowed
    if not why:
        raise OverbookingReasonNeeded

    def draft() -> Appointment:
        slot = availability.check(offering, start=start, now=now, online=False, over=True)
        _check_patient(patient, slot, same_day_ok=True)
        appointment = _new(offering, patient, slot, by, now)
        if _is_taken(offering, start, now):
            appointment.overbooked, appointment.overbooking_reason = True, why
        return appointment

    wish = _Wish(offering, patient, start, room, reason, request_key)
    return _write(wish, draft, by=by, now=now)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a new appointment is to be, before anybody looks whether it can."""

    offering: ServiceOffering
    patient: Patient
    start: dt.datetime
    room: Room | None
    reason: str
    request_key: uuid.UUID | None


def _write(
    wish: _Wish, draft: Callable[[], Appointment], *, by: Actor, now: dt.datetime
) -> Appointment:
    """Under the locks: what was made of this wish before, or what ``draft`` makes of it now."""
    try:
        with transaction.atomic():
            _hold(wish.offering, wish.patient, wish.room, wish.start, now)
            if made := _made_before(wish.request_key, wish.patient):
                return made
            appointment = draft()
            if appointment.pk:
                return appointment
            if wish.room and not _is_free(wish.room, appointment):
                raise RoomTaken
            appointment.reason = wish.reason
            appointment.room = wish.room
            appointment.request_key = wish.request_key
            store.insert(appointment, by=by, now=now)
            return appointment
    except IntegrityError as error:
        # The key has spoken: somebody wrote past the lock, or the form came twice at once.
        if made := _made_before(wish.request_key, wish.patient):
            return made
        raise _who_was_first(wish.patient, wish.start, wish.offering) from error


def _hold(
    offering: ServiceOffering,
    patient: Patient,
    room: Room | None,
    start: dt.datetime,
    now: dt.datetime,
) -> None:
    """Lock what a new appointment takes, and end the requests in its way that are overdue."""
    late = _overdue(offering, start, now, patient=patient.pk, room=room.pk if room else None)
    locks.hold(
        practitioners=[offering.schedule.practitioner_id, *overdue.practitioners(late)],
        rooms=[room.pk] if room else [],
        patients=[patient.pk],
    )
    overdue.end(late, now=now)


def _overdue(
    offering: ServiceOffering, start: dt.datetime, now: dt.datetime, **whose: int | None
) -> list[Appointment]:
    end = start + dt.timedelta(minutes=offering.minutes)
    practitioner = offering.schedule.practitioner_id
    return overdue.in_the_way(start, end, now=now, practitioner=practitioner, **whose)


def _is_taken(offering: ServiceOffering, start: dt.datetime, now: dt.datetime) -> bool:
    try:
        availability.check(offering, start=start, now=now, online=False)
    except SlotTaken:
        return True
    return False


@locks.retrying
def walk_in(
    *,
    offering: ServiceOffering,
    patient: Patient,
    by: Actor,
    why: str = "",
    reason: str = "",
    request_key: uuid.UUID | None = None,
    now: dt.datetime | None = None,
) -> Appointment:
    """Somebody is here without an appointment: booked from this very step on, and arrived.

    With ``why`` on top of whoever has the time. Refuses as ``book`` and ``overbook`` do.
    """
    now = now or timezone.now()
    what = {
        "offering": offering,
        "patient": patient,
        "start": availability.present_step(now),
        "by": by,
        "reason": reason,
        "request_key": request_key,
        "now": now,
    }
    with transaction.atomic():
        made = overbook(why=why, **what) if why.strip() else book(**what)  # type: ignore[arg-type]
        if made.state != Status.BOOKED:
            return made
        return mark_arrived(appointment=made, by=by, now=now)


def _made_before(request_key: uuid.UUID | None, patient: Patient) -> Appointment | None:
    if request_key is None:
        return None
    made = Appointment.objects.filter(request_key=request_key).first()
    if made and made.patient_id != patient.pk:
        raise MoveNotAllowed
    return made


def booked_at(
    offering: ServiceOffering, start: dt.datetime, patients: Iterable[Patient]
) -> Appointment | None:
    """The appointment that one of these patients has there already."""
    theirs = Appointment.objects.filter(
        patient__in=list(patients),
        practitioner=offering.schedule.practitioner_id,
        location=offering.schedule.location_id,
        service=offering.service_id,
        start=start,
        status__in=UPCOMING,
    )
    return theirs.first()


def _check_patient(
    patient: Patient, slot: Slot, *, same_day_ok: bool, instead_of: Appointment | None = None
) -> None:
    if not Patient.objects.filter(pk=patient.pk, is_active=True).exists():
        raise MoveNotAllowed
    theirs = Appointment.objects.occupying().filter(patient=patient)
    if clash := theirs.overlapping(slot.start, slot.end).first():
        raise PatientBusy(clash)
    if same_day_ok:
        return
    near = theirs.filter(status__in=UPCOMING).overlapping(
        slot.start - dt.timedelta(days=1), slot.end + dt.timedelta(days=1)
    )
    for other in near.with_parts():
        if other == instead_of:
            continue
        if slot.start.astimezone(other.zone).date() == other.local_date:
            raise SameDay(other)


def _new(
    offering: ServiceOffering, patient: Patient, slot: Slot, by: Actor, now: dt.datetime
) -> Appointment:
    # What staff books is agreed already; only a patient's request can wait for an answer.
    asks = by.role == Role.PATIENT and needs_answer(offering, patient, now)
    return _draft(offering, patient, slot, now, asks=asks)


def needs_answer(offering: ServiceOffering, patient: Patient, now: dt.datetime) -> bool:
    """Whether what this patient books here is a request until the clinic confirms it."""
    organization = Organization.current()
    automatic = booking_rules(offering, organization).is_automatic
    return not automatic or _needs_approval(patient, organization, now)


def _needs_approval(patient: Patient, organization: Organization, now: dt.datetime) -> bool:
    return bool(limits.who_needs_approval([patient], now=now, organization=organization))


def _draft(
    offering: ServiceOffering, patient: Patient, slot: Slot, now: dt.datetime, *, asks: bool
) -> Appointment:
    organization = Organization.current()
    expiry = now + dt.timedelta(hours=organization.request_expiry_hours)
    return Appointment(
        **availability.placed(offering, slot, organization),
        patient=patient,
        status=Status.PENDING if asks else Status.BOOKED,
        # So long the patient may cancel or move it online.
        cancellable_until=slot.start - booking_rules(offering, organization).cancel_notice,
        expires_at=min(expiry, slot.start) if asks else None,
    )


def _who_was_first(
    patient: Patient, start: dt.datetime, offering: ServiceOffering
) -> SlotTaken | PatientBusy:
    end = start + dt.timedelta(minutes=offering.minutes)
    theirs = Appointment.objects.occupying().filter(patient=patient)
    clash = theirs.overlapping(start, end).first()
    return PatientBusy(clash) if clash else SlotTaken()


@locks.retrying
def reschedule(
    *,
    appointment: Appointment,
    offering: ServiceOffering,
    start: dt.datetime,
    by: Actor,
    note: str = "",
    same_day_ok: bool = False,
    tell_at: dt.datetime | None = None,
    now: dt.datetime | None = None,
) -> Appointment:
    """Take the new time and give the old one back, both or neither; the new appointment.

    Free first, then take: the new time may overlap the old one. What was asked for
    stays asked for, what was confirmed stays confirmed. Where a patient's move needs an
    answer (``asks_first``) the new time is a request, and what is confirmed stands until
    ``confirm`` makes the move; a practitioner who hands it to a colleague (``hands_over``)
    who confirms by hand gives it up for a request. The same move again
    returns what it made the first time.
    ``note``: why, which the patient reads; ``tell_at``: not before then. Refuses as
    ``book`` does, of the limits only those of ``check_elsewhere``, and MoveNotAllowed,
    TooLateToMove, SameTime, AskedAlready, TouchesTheOld.
    """
    now = now or timezone.now()
    try:
        with transaction.atomic():
            late = _overdue(
                offering, start, now, patient=appointment.patient_id, room=appointment.room_id
            )
            locks.hold(
                practitioners=[
                    appointment.practitioner_id,
                    offering.schedule.practitioner_id,
                    *overdue.practitioners(late),
                ],
                rooms=[appointment.room_id] if appointment.room_id else [],
                patients=[appointment.patient_id],
            )
            old = Appointment.objects.select_for_update().get(pk=appointment.pk)
            if made := _moved_there(old, offering, start):
                return made
            status = _check_move(old, offering, start, by, now)
            overdue.end(late, now=now)
            if by.role == Role.PATIENT:
                if made := _asked_there(old, offering, start):
                    return made
                check_elsewhere(old, offering, now)
                check_request(old, offering, start, now)
                if asks_first(old, offering, now):
                    return _ask(old, offering, start, by, now, same_day_ok=same_day_ok)
            elif hands_over(old, offering, by):
                _check_open_to(old.patient, offering)
            was = old.state
            deadline = old.expires_at
            gone: dict[str, Any] = {
                "status": status,
                "cancellation_reason": note,
                "expires_at": None,
            }
            store.change(old, verb=Verb.RESCHEDULE, by=by, now=now, tell_at=tell_at, **gone)
            online = by.role == Role.PATIENT or hands_over(old, offering, by)
            slot = availability.check(offering, start=start, now=now, online=online, holder=by.user)
            _check_patient(old.patient, slot, same_day_ok=same_day_ok or by.role != Role.PATIENT)
            moved = _successor(old, was, offering, slot, by, now)
            if deadline and by.role == Role.PATIENT:
                # Whoever moves a request again and again keeps no time for ever.
                moved.expires_at = min(deadline, slot.start)
            store.insert(moved, by=by, now=now, tell_at=tell_at)
            store.follow(old=old.pk, to=moved.pk)
            return moved
    except IntegrityError as error:
        raise _who_was_first(appointment.patient, start, offering) from error


def _is_there(appointment: Appointment, offering: ServiceOffering, start: dt.datetime) -> bool:
    return appointment.start == start and (
        appointment.practitioner_id,
        appointment.location_id,
        appointment.service_id,
    ) == (offering.schedule.practitioner_id, offering.schedule.location_id, offering.service_id)


def _moved_there(
    old: Appointment, offering: ServiceOffering, start: dt.datetime
) -> Appointment | None:
    made = Appointment.objects.filter(rescheduled_from=old).first()
    return made if made and _is_there(made, offering, start) else None


def _asked_there(
    old: Appointment, offering: ServiceOffering, start: dt.datetime
) -> Appointment | None:
    made = asked.requests_of(old).first()
    return made if made and _is_there(made, offering, start) else None


def _ask(
    old: Appointment,
    offering: ServiceOffering,
    start: dt.datetime,
    by: Actor,
    now: dt.datetime,
    *,
    same_day_ok: bool,
) -> Appointment:
    """The new time as a request, beside the old one."""
    slot = availability.check(offering, start=start, now=now, online=True, holder=by.user)
    _check_patient(old.patient, slot, same_day_ok=same_day_ok, instead_of=old)
    request = _draft(offering, old.patient, slot, now, asks=True)
    request.reason = old.reason
    request.room = _room_for(old, request)
    request.replaces = old
    store.insert(request, by=by, now=now)
    return request


def _check_move(
    old: Appointment, offering: ServiceOffering, start: dt.datetime, by: Actor, now: dt.datetime
) -> Status:
    status = target(old.state, Verb.RESCHEDULE, by.role)
    # A request to move is answered or withdrawn, and not moved: what it replaces has one.
    if status is None or asked.to_replace(old, now):
        raise MoveNotAllowed
    if by.role == Role.PATIENT and not can_move(old, now):
        raise TooLateToMove
    if refusal := untimely(old, Verb.RESCHEDULE, now):
        raise refusal
    if _is_there(old, offering, start):
        raise SameTime
    return status


def _successor(
    old: Appointment,
    was: Status,
    offering: ServiceOffering,
    slot: Slot,
    by: Actor,
    now: dt.datetime,
) -> Appointment:
    """What is known of the old appointment, at the new time; one entry in a calendar."""
    anew = by.role == Role.PATIENT and asks_anew(old, offering, now)
    anew = anew or asks_colleague(old, offering, by)
    moved = _draft(offering, old.patient, slot, now, asks=was == Status.PENDING or anew)
    moved.reason = old.reason
    moved.room = _room_for(old, moved)
    moved.rescheduled_from = old
    moved.calendar_uid = old.calendar_name
    moved.calendar_base = old.calendar_sequence + 1
    return moved


def hands_over(old: Appointment, offering: ServiceOffering, by: Actor) -> bool:
    """Whether a practitioner moves it into a colleague's agenda, where they are a guest.

    As patients could ask for it there: online, with the colleague's notice, and as a request
    where the colleague confirms by hand.
    """
    elsewhere = offering.schedule.practitioner_id != old.practitioner_id
    return by.role == Role.PRACTITIONER and elsewhere


def asks_colleague(old: Appointment, offering: ServiceOffering, by: Actor) -> bool:
    """Whether the colleague to whom a practitioner hands it over confirms by hand."""
    if not hands_over(old, offering, by):
        return False
    return not booking_rules(offering, Organization.current()).is_automatic


def asks_anew(old: Appointment, offering: ServiceOffering, now: dt.datetime) -> bool:
    """Whether a patient who takes it there asks.

    Another practitioner or location may want to answer, and whom the clinic has to approve
    it approves for each time.
    """
    there = offering.schedule.practitioner_id, offering.schedule.location_id
    if there != (old.practitioner_id, old.location_id):
        return needs_answer(offering, old.patient, now)
    return _needs_approval(old.patient, Organization.current(), now)


def asks_first(old: Appointment, offering: ServiceOffering, now: dt.datetime) -> bool:
    """Whether the old time stands until the answer: what is confirmed is given up for an answer.

    What itself waits for an answer is not: one request takes the place of another.
    """
    return old.state == Status.BOOKED and asks_anew(old, offering, now)


def check_request(
    old: Appointment, offering: ServiceOffering, start: dt.datetime, now: dt.datetime
) -> None:
    """What stands in the way of a patient's move as long as the old time stands.

    Refuses AskedAlready, and TouchesTheOld.
    """
    if waiting := asked.requests_of(old).standing(now).first():
        raise AskedAlready(waiting)
    if asks_first(old, offering, now) and _touches(old, offering, start):
        raise TouchesTheOld


def _touches(old: Appointment, offering: ServiceOffering, start: dt.datetime) -> bool:
    """Whether the patient, or the practitioner with all that they need around, is there still."""
    visit = to_minute(start), to_minute(start) + offering.minutes
    if old.practitioner_id != offering.schedule.practitioner_id:
        return overlaps(visit, (to_minute(old.start), to_minute(old.end)))
    need = need_of(offering, Organization.current())
    return overlaps((visit[0] - need.before, visit[1] + need.after), old.occupied)


def check_elsewhere(old: Appointment, offering: ServiceOffering, now: dt.datetime) -> None:
    """A patient comes to another practitioner as to book there.

    Refuses OnlyKnownPatients and TooManyCancelled.
    """
    if old.practitioner_id == offering.schedule.practitioner_id:
        return
    organization = Organization.current()
    _check_open_to(old.patient, offering)
    limits.check_cancelled(old.patient, offering.practitioner, now=now, organization=organization)


def _check_open_to(patient: Patient, offering: ServiceOffering) -> None:
    if not may_book_online(offering, patient, Organization.current()):
        raise OnlyKnownPatients


def _room_for(old: Appointment, moved: Appointment) -> Room | None:
    """The room goes along if it is in the same place and free."""
    room = old.room
    if room is None or not room.is_active or moved.location_id != old.location_id:
        return None
    return room if _is_free(room, moved) else None


def _is_free(room: Room, appointment: Appointment) -> bool:
    cells = cells_of(appointment.occupied)
    taken = OccupancyCell.objects.filter(
        resource=Resource.ROOM, resource_id=room.pk, cell__range=(cells[0], cells[-1])
    )
    return not taken.exists()


@locks.retrying
def confirm(*, appointment: Appointment, by: Actor, now: dt.datetime | None = None) -> Appointment:
    """Answer a request with yes. Was it for a move, then the old time is given back."""
    now = now or timezone.now()
    with transaction.atomic():
        values: dict[str, Any] = {"expires_at": None}
        if old := _given_up_for(appointment, by, now):
            values["rescheduled_from_id"] = old.pk
        return _move(appointment, Verb.CONFIRM, by, now, **values)


def _given_up_for(request: Appointment, by: Actor, now: dt.datetime) -> Appointment | None:
    """What this request replaces, cancelled as by any other move; None: it stands on its own."""
    asks = Appointment.objects.filter(pk=request.pk)
    named = asks.values_list("replaces", flat=True).get()
    if named is None:
        return None
    old = asked.hold_with(request, named)
    current = asks.select_related("replaces").get()
    if current.replaces_id != named:
        raise locks.ChangedMeanwhile
    if old is None or not asked.to_replace(current, now):
        return None
    status = target(old.state, Verb.RESCHEDULE, by.role)
    if status is None:
        raise MoveNotAllowed
    gone: dict[str, Any] = {"status": status, "cancellation_reason": "", "expires_at": None}
    store.change(old, verb=Verb.RESCHEDULE, by=by, now=now, **gone)
    return old


def cancel(
    *,
    appointment: Appointment,
    by: Actor,
    reason: str = "",
    tell_at: dt.datetime | None = None,
    away: bool = False,
    now: dt.datetime | None = None,
) -> Appointment:
    """Give the time back. Patients within the notice; staff with a reason.

    ``tell_at``: people are not told before then. ``away``: a change of the rules left no
    time for it.
    """
    reason = reason.strip()
    if by.role != Role.PATIENT and not reason:
        raise ReasonNeeded
    gone = {"cancellation_reason": reason, "expires_at": None}
    return _move(appointment, Verb.CANCEL, by, now, tell_at=tell_at, away=away, **gone)


@locks.retrying
def say_coming(
    *, appointment: Appointment, by: Actor, now: dt.datetime | None = None
) -> Appointment:
    """The patient will be there. Twice is once; refuses MoveNotAllowed, also once it has begun."""
    now = now or timezone.now()
    with transaction.atomic():
        locks.hold(practitioners=[appointment.practitioner_id])
        current = Appointment.objects.select_for_update().get(pk=appointment.pk)
        if target(current.state, Verb.SAY_COMING, by.role) is None or now >= current.start:
            raise MoveNotAllowed
        if current.coming_since is None:
            store.remark(current, verb=Verb.SAY_COMING, by=by, now=now, coming_since=now)
        return current


def mark_arrived(
    *, appointment: Appointment, by: Actor, now: dt.datetime | None = None
) -> Appointment:
    """Also, on the same day, who was noted as not having come: the time is taken again.

    Refuses then TimeGivenAway, PatientBusy and TooNearElsewhere.
    """
    try:
        return _move(appointment, Verb.ARRIVE, by, now)
    except IntegrityError as error:
        raise TimeGivenAway from error


def mark_fulfilled(
    *, appointment: Appointment, by: Actor, now: dt.datetime | None = None
) -> Appointment:
    return _move(appointment, Verb.FULFIL, by, now)


def mark_no_show(
    *, appointment: Appointment, by: Actor, now: dt.datetime | None = None
) -> Appointment:
    return _move(appointment, Verb.NO_SHOW, by, now)


def expire(*, appointment: Appointment, by: Actor, now: dt.datetime | None = None) -> Appointment:
    """End a request that nobody answered in time."""
    return _move(appointment, Verb.EXPIRE, by, now, expires_at=None)


def expire_overdue(*, now: dt.datetime) -> int:
    """End the requests whose time for an answer is over; how many, a batch at a time."""
    due = Appointment.objects.filter(status=Status.PENDING, expires_at__lte=now)
    expired = 0
    for appointment in due[:500]:
        try:
            expire(appointment=appointment, by=Actor.system(), now=now)
            expired += 1
        except Refusal as refusal:
            log.info("Request %s was answered meanwhile: %s", appointment.pk, refusal.code)
    return expired


@locks.retrying
def _move(
    appointment: Appointment,
    verb: Verb,
    by: Actor,
    now: dt.datetime | None,
    *,
    tell_at: dt.datetime | None = None,
    away: bool = False,
    **values: object,
) -> Appointment:
    """One line of the table of moves; refuses MoveNotAllowed, NotYet, TooLateToCancel."""
    now = now or timezone.now()
    may_take = verb == Verb.ARRIVE
    with transaction.atomic():
        locks.hold(
            practitioners=[appointment.practitioner_id],
            rooms=[appointment.room_id] if may_take and appointment.room_id else [],
            patients=[appointment.patient_id] if may_take else [],
        )
        current = Appointment.objects.select_for_update().get(pk=appointment.pk)
        status = target(current.state, verb, by.role)
        if status is None:
            raise MoveNotAllowed
        if verb == Verb.CANCEL and by.role == Role.PATIENT and not can_cancel(current, now):
            raise TooLateToCancel
        if refusal := untimely(current, verb, now):
            raise refusal
        if verb == Verb.EXPIRE and (current.expires_at is None or current.expires_at > now):
            raise NotYet
        if status in OCCUPYING and not current.is_occupying:
            _check_still_theirs(current)
        store.change(
            current,
            verb=verb,
            by=by,
            now=now,
            tell_at=tell_at,
            away=away,
            status=status,
            **values,
        )
        return current


def untimely(appointment: Appointment, verb: Verb, now: dt.datetime) -> NotYet | None:
    """Why this has to wait, or comes too late; None at its time."""
    row = appointment
    if is_time_for(verb, status=row.state, times=row.timing, now=now):
        return None
    if verb in IN_TIME and row.is_lapsed(now):
        return RequestLapsed()
    if verb == Verb.RESCHEDULE:
        return VisitOver()
    if verb == Verb.CANCEL:
        return TooLateToCallOff()
    return DayOver() if row.state == Status.NOSHOW else NotYet()


def _check_still_theirs(appointment: Appointment) -> None:
    """What the key of the database does not tell apart, or does not know."""
    theirs = Appointment.objects.occupying().filter(patient=appointment.patient_id)
    if clash := theirs.overlapping(appointment.start, appointment.end).first():
        raise PatientBusy(clash)
    last = appointment.events.exclude(verb__in=REMARKS).order_by("-pk").first()
    if last and availability.is_elsewhere_since(appointment, last.pk):
        raise TooNearElsewhere


def can_cancel(appointment: Appointment, now: dt.datetime) -> bool:
    """Whether the patient may still cancel. A request that nobody answered: until it starts."""
    if appointment.state == Status.PENDING:
        return now < appointment.start
    return appointment.state == Status.BOOKED and now <= appointment.cancellable_until


def can_move(appointment: Appointment, now: dt.datetime) -> bool:
    """Whether the patient may still move it: as long as they may cancel it.

    A request that nobody answered in time is over: another can be made. A request to move is
    not moved itself: it is withdrawn, or answered.
    """
    is_open = can_cancel(appointment, now) and not appointment.is_lapsed(now)
    return is_open and not asked.to_replace(appointment, now)
