"""The verbs of an appointment's life: lock, look, write, in one transaction.

Every verb names its actor and takes ``now`` only from tests and tasks.
"""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Patient
from accounts.roles import Actor, Role
from appointments import availability, locks, store
from appointments.exceptions import (
    MoveNotAllowed,
    NotYet,
    PatientBusy,
    ReasonNeeded,
    SameDay,
    SlotTaken,
    TooLateToCancel,
)
from appointments.models import Appointment
from appointments.transitions import MAY, UPCOMING, Status, Verb, is_time_for, target
from clinic.models import Organization, Room
from scheduling.models import ServiceOffering
from scheduling.selectors import booking_rules
from scheduling.slots import Slot


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

    The same ``request_key`` again returns the appointment it made the first time.
    Refuses: SlotTaken, SlotPast, SlotTooSoon, SlotTooFar, SlotClosed,
    OfferingWithdrawn, PatientBusy, SameDay (unless ``same_day_ok``).
    """
    now = now or timezone.now()
    if by.role not in MAY[Verb.BOOK]:
        raise MoveNotAllowed
    try:
        with transaction.atomic():
            locks.hold(
                practitioners=[offering.schedule.practitioner_id],
                rooms=[room.pk] if room else [],
                patients=[patient.pk],
            )
            if made := _made_before(request_key, patient):
                return made
            slot = availability.check(
                offering, start=start, now=now, online=by.role == Role.PATIENT
            )
            _check_patient(patient, slot, same_day_ok=same_day_ok or by.role != Role.PATIENT)
            appointment = _new(offering, patient, slot, by, now)
            appointment.reason = reason
            appointment.room = room
            appointment.request_key = request_key
            store.insert(appointment, by=by, now=now)
            return appointment
    except IntegrityError as error:
        # The key has spoken: somebody wrote past the lock, or the form came twice at once.
        if made := _made_before(request_key, patient):
            return made
        raise _who_was_first(patient, start, offering) from error


def _made_before(request_key: uuid.UUID | None, patient: Patient) -> Appointment | None:
    if request_key is None:
        return None
    made = Appointment.objects.filter(request_key=request_key).first()
    if made and made.patient_id != patient.pk:
        raise MoveNotAllowed
    return made


def _check_patient(patient: Patient, slot: Slot, *, same_day_ok: bool) -> None:
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
        if slot.start.astimezone(other.zone).date() == other.local_date:
            raise SameDay(other)


def _new(
    offering: ServiceOffering, patient: Patient, slot: Slot, by: Actor, now: dt.datetime
) -> Appointment:
    organization = Organization.current()
    rules = booking_rules(offering, organization)
    # What staff books is agreed already; only a patient's request can wait for an answer.
    asks = by.role == Role.PATIENT and not offering.is_automatic
    expiry = now + dt.timedelta(hours=organization.request_expiry_hours)
    return Appointment(
        patient=patient,
        practitioner=offering.practitioner,
        service=offering.service,
        location=offering.location,
        start=slot.start,
        end=slot.end,
        buffer_before=offering.buffer_before,
        buffer_after=offering.buffer_after,
        status=Status.PENDING if asks else Status.BOOKED,
        cancellable_until=slot.start - rules.cancel_notice,
        expires_at=min(expiry, slot.start) if asks else None,
    )


def _who_was_first(
    patient: Patient, start: dt.datetime, offering: ServiceOffering
) -> SlotTaken | PatientBusy:
    end = start + dt.timedelta(minutes=offering.minutes)
    theirs = Appointment.objects.occupying().filter(patient=patient)
    clash = theirs.overlapping(start, end).first()
    return PatientBusy(clash) if clash else SlotTaken()


def confirm(*, appointment: Appointment, by: Actor, now: dt.datetime | None = None) -> Appointment:
    """Answer a request with yes."""
    return _move(appointment, Verb.CONFIRM, by, now, expires_at=None)


def cancel(
    *, appointment: Appointment, by: Actor, reason: str = "", now: dt.datetime | None = None
) -> Appointment:
    """Give the time back. Patients within the notice; staff with a reason."""
    reason = reason.strip()
    if by.role != Role.PATIENT and not reason:
        raise ReasonNeeded
    return _move(appointment, Verb.CANCEL, by, now, cancellation_reason=reason, expires_at=None)


def mark_arrived(
    *, appointment: Appointment, by: Actor, now: dt.datetime | None = None
) -> Appointment:
    return _move(appointment, Verb.ARRIVE, by, now)


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


@locks.retrying
def _move(
    appointment: Appointment, verb: Verb, by: Actor, now: dt.datetime | None, **values: object
) -> Appointment:
    """One line of the table of moves; refuses MoveNotAllowed, NotYet, TooLateToCancel."""
    now = now or timezone.now()
    with transaction.atomic():
        locks.hold(practitioners=[appointment.practitioner_id])
        current = Appointment.objects.select_for_update().get(pk=appointment.pk)
        status = target(current.state, verb, by.role)
        if status is None:
            raise MoveNotAllowed
        if not is_time_for(verb, start=current.start, zone=current.zone, now=now):
            raise NotYet
        if verb == Verb.EXPIRE and (current.expires_at is None or current.expires_at > now):
            raise NotYet
        if verb == Verb.CANCEL and by.role == Role.PATIENT and not can_cancel(current, now):
            raise TooLateToCancel
        store.change(current, verb=verb, by=by, now=now, status=status, **values)
        return current


def can_cancel(appointment: Appointment, now: dt.datetime) -> bool:
    """Whether the patient may still cancel. A request that nobody answered: until it starts."""
    if appointment.state == Status.PENDING:
        return now < appointment.start
    return appointment.state == Status.BOOKED and now <= appointment.cancellable_until
