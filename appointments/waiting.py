"""The waiting list: who wants to be told when a time becomes free, and what becomes free.

Offering it is the work of ``appointments.freed``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Patient, PatientAccess, Practitioner, Relation, User
from accounts.roles import Actor, Role
from appointments import asked, locks, offers
from appointments.exceptions import (
    MoveNotAllowed,
    PatientWaitsTooMuch,
    TooLateToMove,
    TooManyWaiting,
)
from appointments.models import (
    Appointment,
    AppointmentEvent,
    FreedTime,
    WaitingListEntry,
    WaitingOffer,
    WaitingQuerySet,
)
from appointments.timetable import PartOfDay
from appointments.transitions import OCCUPYING, UPCOMING, Status, Verb
from clinic import audit
from clinic.models import Location, Service, Specialty
from scheduling.intervals import to_instant

#: So many wishes an account has at once.
MOST = 5
#: So long a wish without a last day lives.
LIVES = dt.timedelta(days=90)


def bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in set(numbers))


def would_do(entry: WaitingListEntry, start: dt.datetime) -> bool:
    """Whether they want to come then. ``start`` is on the clock of the location."""
    if not entry.first_day <= start.date() <= entry.last_day:
        return False
    if not entry.weekdays >> start.weekday() & 1:
        return False
    old = entry.instead_of
    is_earlier = old is None or old.status == Status.CANCELLED or start < old.start
    return bool(entry.parts >> _part(start) & 1) and is_earlier


def _part(start: dt.datetime) -> int:
    """0 morning, 1 afternoon, 2 evening, as the search names them."""
    return sum(start.time() >= part.value[0] for part in PartOfDay) - 1


@locks.retrying
def join(
    *,
    user: User | None,
    patient: Patient,
    by: Actor | None = None,
    service: Service | None = None,
    specialty: Specialty | None = None,
    practitioner: Practitioner | None = None,
    location: Location | None = None,
    weekdays: Iterable[int] = (),
    parts: Iterable[int] = (),
    first_day: dt.date | None = None,
    last_day: dt.date | None = None,
    instead_of: Appointment | None = None,
    now: dt.datetime | None = None,
) -> WaitingListEntry:
    """Wait for a time that becomes free; the same wish again is the same entry.

    Also on a later day: days that meet those of the entry are added to it.

    For a service, or for any of a specialty. Weekdays are numbered from Monday, parts from the
    morning; none are all. Without days, from now on for ninety days; never later than the
    appointment that it replaces, which is the one they have if they have just one for this.
    Without a ``user`` the desk calls the patient. ``by``: whoever enters it for somebody else,
    which is noted. Refuses: TooManyWaiting, MoveNotAllowed, TooLateToMove.
    """
    now = now or timezone.now()
    today = timezone.localdate(now)
    first_day, last_day = max(first_day or today, today), last_day or today + LIVES
    old = instead_of or _has_already(patient, service, specialty, (first_day, last_day), now)
    with transaction.atomic():
        # The new row points at all of these, and pointing locks them, too.
        locks.hold(
            practitioners=[one.pk for one in (practitioner, old and old.practitioner) if one],
            patients=[patient.pk],
            accounts=[user.pk] if user else [],
        )
        if not patients_of(user).filter(pk=patient.pk).exists():
            raise MoveNotAllowed
        if instead_of:
            _check_old(instead_of, patient, service.pk if service else None, now)
        elif old != _has_already(patient, service, specialty, (first_day, last_day), now):
            raise locks.ChangedMeanwhile
        if old:
            last_day = min(last_day, old.start.astimezone(old.zone).date())
        wish = {
            "patient": patient,
            "service": service,
            "specialty": specialty,
            "practitioner": practitioner,
            "location": location,
            "weekdays": bits(weekdays) or 127,
            "parts": bits(parts) or 7,
            "instead_of": old,
        }
        mine = WaitingListEntry.objects.live().filter(user=user)
        mine = mine if user else mine.filter(patient=patient)
        if same := _same_wish(mine.filter(**wish), first_day, last_day):
            return same
        if mine.count() >= MOST:
            raise (PatientWaitsTooMuch if by else TooManyWaiting)(MOST)
        made = WaitingListEntry.objects.create(
            user=user, created_at=now, first_day=first_day, last_day=last_day, **wish
        )
        if by:
            audit.record(actor=str(by), action="waiting.join", target=made)
        return made


def account_for(patient: Patient) -> User | None:
    """Who is written to for a patient: their own account, else the first that acts for them."""
    live = PatientAccess.objects.live().filter(patient=patient, user__is_active=True)
    found = sorted(live.select_related("user"), key=lambda a: (a.relation != Relation.SELF, a.pk))
    return found[0].user if found else None


def patients_of(user: User | None) -> models.QuerySet[Patient]:
    """For whom this account may wait; without one, for whom the desk may."""
    return Patient.objects.of(user) if user else Patient.objects.active()


def _same_wish(
    mine: WaitingQuerySet, first_day: dt.date, last_day: dt.date
) -> WaitingListEntry | None:
    """The one whose days these meet, which from now on waits for the days of both."""
    near = dt.timedelta(days=1)
    same = mine.filter(first_day__lte=last_day + near, last_day__gte=first_day - near).first()
    if same:
        same.first_day = min(same.first_day, first_day)
        same.last_day = max(same.last_day, last_day)
        same.save(update_fields=["first_day", "last_day"])
    return same


def _has_already(
    patient: Patient,
    service: Service | None,
    specialty: Specialty | None,
    days: tuple[dt.date, dt.date],
    now: dt.datetime,
) -> Appointment | None:
    """Their one appointment for this within these days: no later time would be better.

    With several it is a series, and the wish may be for one more.
    """
    theirs = Appointment.objects.upcoming(now).filter(patient=patient)
    theirs = theirs.exclude(asked.open_moves(now))
    theirs = theirs.select_related("practitioner", "location")
    what = Q(service=service) if service else Q(service__specialty=specialty)
    found = list(theirs.filter(what).order_by("start")[:2])
    if len(found) != 1 or not days[0] <= found[0].local_date <= days[1]:
        return None
    return found[0] if _may_move(found[0], now) else None


def _may_move(old: Appointment, now: dt.datetime) -> bool:
    return old.state != Status.BOOKED or now <= old.cancellable_until


def _check_old(old: Appointment, patient: Patient, service: int | None, now: dt.datetime) -> None:
    fresh = Appointment.objects.get(pk=old.pk)
    mine = (fresh.patient_id, fresh.service_id) == (patient.pk, service)
    if fresh.state not in UPCOMING or not mine or asked.to_replace(fresh, now):
        raise MoveNotAllowed
    if not _may_move(fresh, now):
        raise TooLateToMove


@locks.retrying
def end(
    *, entry: WaitingListEntry, by: Actor | None = None, now: dt.datetime | None = None
) -> None:
    """Wait no longer; what is offered at this moment is declined. Twice is once.

    ``by``: whoever ends it for somebody else, which is noted.
    """
    now = now or timezone.now()
    with transaction.atomic():
        open_ = WaitingOffer.objects.filter(entry=entry, is_open=True)
        asked = list(open_.values_list("practitioner_id", flat=True))
        locks.hold(practitioners=asked, accounts=[entry.user_id] if entry.user_id else [])
        ended = WaitingListEntry.objects.live().filter(pk=entry.pk)
        if ended.update(status=WaitingListEntry.Status.ENDED) and by:
            audit.record(actor=str(by), action="waiting.end", target=entry)
        for offer in open_.filter(practitioner__in=asked):
            offers.close(offer, WaitingOffer.Answer.DECLINED, now=now)


def time_of(appointment: Appointment, **row: dt.datetime) -> FreedTime:
    """The practitioner's time that it gives up, with its buffers; not yet written."""
    begins, ends = appointment.occupied
    return FreedTime(
        practitioner_id=appointment.practitioner_id,
        location_id=appointment.location_id,
        start=to_instant(begins),
        end=to_instant(ends),
        **row,
    )


def follow(
    appointment: Appointment,
    event: AppointmentEvent,
    *,
    was: str | None,
    tell_at: dt.datetime | None,
) -> None:
    """What a change of an appointment means here. In its transaction; ``was``: the state before.

    The time that it gives up is noted. Whoever waits and has booked meanwhile waits for an
    earlier time from then on. Such a wish goes along with a move, and ends with a patient's own
    cancelling. After the clinic's, which may be undone, it goes on.
    """
    if was in OCCUPYING and not appointment.is_occupying and appointment.end > event.at:
        time_of(appointment, due_at=tell_at or event.at).save()
    verb = Verb(event.verb)
    old = event.before.get("rescheduled_from_id"), event.after.get("rescheduled_from_id")
    if old[1] and old[0] is None:
        _replaced(old[1]).update(instead_of=appointment)
    elif old[0] and old[1] is None:
        _replaced(appointment.pk).update(instead_of=old[0])
    elif verb == Verb.BOOK and appointment.replaces_id is None:
        # First looked for, then written: most bookings meet no wish. The patient is locked.
        met = list(WaitingListEntry.objects.met_by(appointment).values_list("pk", flat=True))
        if met:
            WaitingListEntry.objects.filter(pk__in=met).update(instead_of=appointment)
    elif verb == Verb.CANCEL and event.role == Role.PATIENT:
        _replaced(appointment.pk).update(status=WaitingListEntry.Status.ENDED)


def _replaced(appointment: int) -> WaitingQuerySet:
    return WaitingListEntry.objects.live().filter(instead_of=appointment)
