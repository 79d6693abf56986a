"""Freed time goes to those who wait for it: one offer at a time, the best match first.

The rows of ``FreedTime`` say what is left to do, so a worker that dies and a broker that is
away delay and lose nothing. All steps lock the practitioner, look and write.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.roles import Actor, Role
from appointments import availability, holds, limits, locks, offers, services, waiting
from appointments.exceptions import (
    LimitReached,
    MoveNotAllowed,
    OfferingWithdrawn,
    OfferOver,
    Refusal,
)
from appointments.models import Appointment, FreedTime, Hold, WaitingListEntry, WaitingOffer
from appointments.signals import nobody_can_be_told
from appointments.transitions import MAY, UPCOMING, Verb
from clinic import audit
from clinic.models import Location, Organization
from scheduling.models import ServiceOffering
from scheduling.selectors import booking_rules
from scheduling.slots import Slot

log = logging.getLogger(__name__)

#: On the clock of the location: nobody is written to at night.
DAYTIME = (dt.time(8), dt.time(21))
#: A shorter time to answer is not worth a mail.
LEAST = dt.timedelta(minutes=10)

#: So many rows one sweep looks at.
BATCH = 500
#: Whoever was not told of the first offer of a time is asked again; of the second no more.
TRIES = 2

Answer = WaitingOffer.Answer


def sweep(*, now: dt.datetime | None = None) -> int:
    """Offer what waits to be offered, end what nobody answered; how many offers were made."""
    now = now or timezone.now()
    over = WaitingListEntry.objects.live().filter(last_day__lt=now.date() - dt.timedelta(days=1))
    over.update(status=WaitingListEntry.Status.ENDED)
    WaitingListEntry.objects.overtaken(now).update(status=WaitingListEntry.Status.ENDED)
    asked = WaitingOffer.objects.filter(freed=OuterRef("pk"), is_open=True, expires_at__gt=now)
    due = FreedTime.objects.filter(~Exists(asked), done_at=None, due_at__lte=now)
    # What cannot be offered yet must not fill the batch.
    now_or_never = Q(end__lte=now) | ~Q(location__in=_asleep(now))
    rows = due.filter(now_or_never).order_by("due_at", "start", "pk")
    found = list(rows.values_list("pk", flat=True)[:BATCH])
    silent = any(answer for _who, answer in nobody_can_be_told.send(sender=FreedTime, now=now))
    made = sum(_offer_quietly(pk, now, may_ask=not silent) for pk in found)
    _forget(now)
    return made


def _asleep(now: dt.datetime) -> list[int]:
    """The locations where it is night."""
    return [place.pk for place in Location.objects.all() if not _is_day(place, now)]


def _is_day(location: Location, now: dt.datetime) -> bool:
    return DAYTIME[0] <= now.astimezone(location.zone).time() < DAYTIME[1]


def _offer_quietly(freed: int, now: dt.datetime, *, may_ask: bool) -> bool:
    """One that goes wrong is left for the next sweep, behind all others, and delays none."""
    try:
        return offer_next(freed, now=now, may_ask=may_ask) is not None
    except Exception:
        log.exception("Freed time %s could not be offered", freed)
        FreedTime.objects.filter(pk=freed).update(due_at=now)
        return False


@locks.retrying
def offer_next(
    freed: int, *, now: dt.datetime | None = None, may_ask: bool = True
) -> WaitingOffer | None:
    """Offer this time to the next who waits for it, or None: asked already, or nobody left.

    Unless it ``may_ask``, what is over is ended and the time waits, if it is the turn of
    somebody who is asked by mail and not by the desk.
    """
    now = now or timezone.now()
    try:
        with transaction.atomic():
            time = FreedTime.objects.select_related("location").filter(pk=freed).first()
            if time is None:
                return None
            locks.hold(practitioners=[time.practitioner_id])
            if not FreedTime.objects.filter(pk=freed, done_at=None, due_at__lte=now).exists():
                return None
            for open_ in time.offers.filter(is_open=True).select_related("location"):
                if open_.is_live(now):
                    return None
                offers.close(open_, Answer.LAPSED, now=now)
            return _offer(time, now, may_ask=may_ask)
    except IntegrityError:
        # The key has spoken: somebody wrote past the lock. The next sweep looks again.
        return None


def _offer(time: FreedTime, now: dt.datetime, *, may_ask: bool) -> WaitingOffer | None:
    if time.end > now and not _is_day(time.location, now):
        return None
    answers: list[dt.datetime] = []
    for entry, offering, slot in _matches(time, now):
        if entry.asked_until:
            answers.append(entry.asked_until)
            continue
        until = _until(offering, slot, now)
        if until < now + LEAST or not _is_still_wanted(entry, offering, slot, now):
            continue
        if entry.user_id and not may_ask:
            # It is their turn all the same: nobody goes before them because of that.
            return None
        # One account, and the last lock of all: those passed over are not held.
        whose = account_of(entry)
        locks.hold(patients=[] if whose else [entry.patient_id], accounts=whose)
        if not _is_still_wanted(entry, offering, slot, now):
            return None
        hold = holds.keep_for_offer(
            offering=offering, slot=slot, user=entry.user, until=until, now=now
        )
        return offers.open_(
            WaitingOffer(
                entry=entry,
                freed=time,
                hold=hold,
                practitioner=offering.practitioner,
                service=offering.service,
                location=offering.location,
                start=slot.start,
                end=slot.end,
                offered_at=now,
                expires_at=until,
            )
        )
    if answers:
        # An account answers for one of its family at a time.
        FreedTime.objects.filter(pk=time.pk).update(due_at=min(answers))
    elif not _is_being_booked(time, now):
        _leave(time, now)
    return None


def _until(offering: ServiceOffering, slot: Slot, now: dt.datetime) -> dt.datetime:
    """Not so long that it could no longer be booked online."""
    organization = Organization.current()
    length = dt.timedelta(minutes=organization.offer_minutes)
    return min(now + length, slot.start - booking_rules(offering, organization).min_notice)


def _matches(
    time: FreedTime, now: dt.datetime
) -> Iterator[tuple[WaitingListEntry, ServiceOffering, Slot]]:
    """Who could have it, first come first; each with the first time that would do.

    Whoever waits for any service of a specialty, with the first of each. No account is asked
    twice for the same time and patient, whatever it answered; once more if it was not told.
    """
    offerings = list(
        ServiceOffering.objects.online()
        .with_parts()
        .filter(schedule__practitioner=time.practitioner_id, schedule__location=time.location_id)
    )
    if not offerings or time.end <= now:
        return
    entries = _asking_for(time, offerings, now)
    if not entries:
        return
    slots = _slots(time, offerings, now)
    accepted = set(offerings[0].practitioner.insurers.active().values_list("pk", flat=True))
    for entry in entries:
        wanted = {o.pk: o for o in offerings if entry.would_be(o.service)}
        if not wanted or not _would_be_covered(entry, time.practitioner_id, accepted):
            continue
        asked = _asked(entry, time)
        for slot in slots:
            if slot.offering_id not in wanted or slot.start in asked:
                continue
            if waiting.would_do(entry, slot.start.astimezone(time.location.zone)):
                yield entry, wanted.pop(slot.offering_id), slot


def _asked(entry: WaitingListEntry, time: FreedTime) -> set[dt.datetime]:
    """The starts there that this account was asked about for this patient."""
    made = WaitingOffer.objects.filter(
        entry__user=entry.user_id,
        entry__patient=entry.patient_id,
        practitioner=time.practitioner_id,
        location=time.location_id,
    ).values_list("start", "never_told")
    untold = Counter(start for start, never_told in made if never_told)
    return {start for start, never_told in made if not never_told or untold[start] >= TRIES}


def _would_be_covered(
    entry: WaitingListEntry, practitioner: int, accepted: Collection[int]
) -> bool:
    """As the search begins: whoever named the practitioner knows that they would pay."""
    coverage = entry.patient.known_coverage
    if entry.practitioner_id or coverage is None or coverage.insurer_id is None:
        return True
    if entry.instead_of and entry.instead_of.practitioner_id == practitioner:
        return True
    return coverage.insurer_id in accepted


def _asking_for(
    time: FreedTime, offerings: Sequence[ServiceOffering], now: dt.datetime
) -> list[WaitingListEntry]:
    """Not those who are asked for the same patient at this moment, or were for this row.

    Whoever has no account is one with their patient.
    """
    day = time.start.astimezone(time.location.zone).date()
    near = dt.timedelta(days=1)
    asked = WaitingOffer.objects.filter(
        Q(freed=time.pk, never_told=False) | Q(is_open=True),
        Q(entry__user=OuterRef("user")) | Q(entry__user=None),
        entry__patient=OuterRef("patient"),
    )
    return list(
        WaitingListEntry.objects.live()
        .with_questions(now)
        .filter(
            ~Exists(asked),
            Q(practitioner=None) | Q(practitioner=time.practitioner_id),
            Q(location=None) | Q(location=time.location_id),
            Q(service__in=[offering.service_id for offering in offerings])
            | Q(specialty__in=[offering.service.specialty_id for offering in offerings]),
            first_day__lte=day + near,
            last_day__gte=day - near,
        )
        .select_related("user", "patient__coverage", "instead_of")
        .order_by("created_at", "pk")
    )


def _slots(time: FreedTime, offerings: Sequence[ServiceOffering], now: dt.datetime) -> list[Slot]:
    """What the search shows to everybody and could not show before this time was free.

    What begins where the freed time does comes first.
    """
    longest = dt.timedelta(minutes=max(offering.minutes for offering in offerings))
    found = availability.free_slots(offerings, start=time.start - longest, end=time.end, now=now)
    touching = [slot for slot in found if slot.end > time.start]
    return sorted(touching, key=lambda slot: (abs(slot.start - time.start), slot.start))


def _is_still_wanted(
    entry: WaitingListEntry, offering: ServiceOffering, slot: Slot, now: dt.datetime
) -> bool:
    """Still waiting, and nothing that accepting would stumble over.

    The search has found the time; that it is free the guard decides.
    """
    try:
        availability.check(offering, start=slot.start, now=now, online=True)
    except Refusal:
        return False
    if not WaitingListEntry.objects.free_to_be_asked(now).filter(pk=entry.pk).exists():
        return False
    patient = waiting.patients_of(entry.user).filter(pk=entry.patient_id, is_active=True).first()
    if patient is None or (entry.user and not entry.user.is_active):
        return False
    theirs = Appointment.objects.standing(now).filter(patient=patient)
    theirs = theirs.overlapping(slot.start, slot.end)
    old = to_give_back(entry)
    if old:
        return _could_move(old, offering, slot, now) and not theirs.exclude(pk=old.pk).exists()
    organization = Organization.current()
    if not services.may_book_online(offering, patient, organization):
        return False
    try:
        limits.check(patient, offering.practitioner, now=now, organization=organization)
    except LimitReached:
        return False
    return not theirs.exists()


def to_give_back(entry: WaitingListEntry) -> Appointment | None:
    """Nothing, if the clinic has cancelled it meanwhile."""
    old = entry.instead_of
    return old if old and old.state in UPCOMING else None


def _could_move(old: Appointment, offering: ServiceOffering, slot: Slot, now: dt.datetime) -> bool:
    try:
        services.check_elsewhere(old, offering, now)
        services.check_request(old, offering, slot.start, now)
    except Refusal:
        return False
    return services.can_move(old, now)


def _is_being_booked(time: FreedTime, now: dt.datetime) -> bool:
    """Somebody fills in the form for it; if they let it go, it is still to be offered."""
    around = Hold.objects.live(now).filter(practitioner=time.practitioner_id)
    return around.filter(start__lt=time.end, end__gt=time.start).exists()


def _leave(time: FreedTime, now: dt.datetime) -> None:
    """Nobody is left who waits for it: it is free for everybody.

    The row stays until its time is over, and tells that this time was not overlooked.
    """
    FreedTime.objects.filter(pk=time.pk).update(done_at=now)


@locks.retrying
def _forget(now: dt.datetime) -> None:
    """What is done, over, and was offered to nobody."""
    over = FreedTime.objects.filter(done_at__isnull=False, end__lte=now, offers=None)
    if found := list(over.values_list("pk", flat=True)[:BATCH]):
        FreedTime.objects.filter(pk__in=found).delete()


def is_wanted(time: FreedTime, *, since: dt.datetime, now: dt.datetime) -> bool:
    """Whether it would be offered to somebody who waits since before then. Writes nothing."""
    return any(
        entry.created_at < since
        and not entry.asked_until
        and _until(offering, slot, now) >= now + LEAST
        and _is_still_wanted(entry, offering, slot, now)
        for entry, offering, slot in _matches(time, now)
    )


# --- the answer -----------------------------------------------------------------------


@locks.retrying
def accept(*, offer: WaitingOffer, by: Actor, now: dt.datetime | None = None) -> Appointment:
    """Take what is offered, and give the later appointment back; both or neither.

    By them, or by the staff to whom they say yes. Again returns what it made the first time.
    Refuses OfferOver, and as ``services.book`` and ``services.reschedule`` do; MoveNotAllowed
    also to any other account.
    """
    now = now or timezone.now()
    with transaction.atomic():
        current = _locked(offer)
        if current.appointment:
            return current.appointment
        if not current.is_live(now):
            raise OfferOver
        entry = WaitingListEntry.objects.select_for_update().get(pk=current.entry_id)
        if entry.status != WaitingListEntry.Status.WAITING:
            raise OfferOver
        theirs = waiting.patients_of(entry.user).filter(pk=entry.patient_id)
        is_staff = by.role in MAY[Verb.BOOK] - {Role.PATIENT}
        is_own = by.user is not None and by.user == entry.user
        if not (is_staff or is_own) or not theirs.exists():
            raise MoveNotAllowed
        offers.close(current, Answer.ACCEPTED, now=now)
        # Before the booking, which other wishes of this patient follow.
        WaitingListEntry.objects.filter(pk=entry.pk).update(status=WaitingListEntry.Status.ACCEPTED)
        made = _take(current, entry, by, now)
        WaitingOffer.objects.filter(pk=current.pk).update(appointment=made)
        return made


def account_of(entry: WaitingListEntry) -> list[int]:
    """For ``locks.hold``: none where the desk answers for the patient."""
    return [entry.user_id] if entry.user_id else []


def _locked(offer: WaitingOffer) -> WaitingOffer:
    """As it is now, with everything held that answering it may touch, in the order of locks."""
    entry = WaitingListEntry.objects.select_related("instead_of").get(pk=offer.entry_id)
    old = entry.instead_of
    locks.hold(
        practitioners=[offer.practitioner_id, *([old.practitioner_id] if old else [])],
        rooms=[old.room_id] if old and old.room_id else [],
        patients=[entry.patient_id],
        accounts=account_of(entry),
    )
    if not WaitingListEntry.objects.filter(pk=entry.pk, instead_of=entry.instead_of_id).exists():
        raise locks.ChangedMeanwhile
    found: WaitingOffer = WaitingOffer.objects.select_related("location", "appointment").get(
        pk=offer.pk
    )
    return found


def offering_of(offer: WaitingOffer) -> ServiceOffering | None:
    """What is offered as it can be booked now."""
    online = ServiceOffering.objects.online().with_parts()
    return online.filter(
        service=offer.service_id,
        schedule__practitioner=offer.practitioner_id,
        schedule__location=offer.location_id,
    ).first()


def _take(offer: WaitingOffer, entry: WaitingListEntry, by: Actor, now: dt.datetime) -> Appointment:
    offering = offering_of(offer)
    if offering is None:
        raise OfferingWithdrawn
    if old := to_give_back(entry):
        return services.reschedule(
            appointment=old,
            offering=offering,
            start=offer.start,
            by=by,
            same_day_ok=True,
            now=now,
        )
    return services.book(
        offering=offering,
        patient=entry.patient,
        start=offer.start,
        by=by,
        same_day_ok=True,
        now=now,
    )


@locks.retrying
def decline(
    *, offer: WaitingOffer, by: Actor | None = None, now: dt.datetime | None = None
) -> None:
    """No, thank you: the next one is asked. Refuses OfferOver; twice is once.

    ``by``: whoever says it for somebody else, which is noted.
    """
    now = now or timezone.now()
    with transaction.atomic():
        locks.hold(practitioners=[offer.practitioner_id])
        current = WaitingOffer.objects.select_related("location").get(pk=offer.pk)
        if current.answer == Answer.DECLINED:
            return
        if not current.is_live(now):
            raise OfferOver
        offers.close(current, Answer.DECLINED, now=now)
        if by:
            audit.record(actor=str(by), action="waiting.decline", target=current)
