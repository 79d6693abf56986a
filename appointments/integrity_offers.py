"""Checks over the whole database what the waiting list promises: what is offered is kept."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from django.db import transaction

from appointments import freed, locks
from appointments.integrity import CLOCK_SLACK, Breach, chunks
from appointments.models import (
    Appointment,
    AppointmentEvent,
    FreedTime,
    Hold,
    WaitingListEntry,
    WaitingOffer,
)
from appointments.transitions import OCCUPYING
from appointments.waiting import time_of

Status = WaitingListEntry.Status
Answer = WaitingOffer.Answer
#: What the offer and its hold have to agree on.
SAME = ("practitioner_id", "service_id", "location_id", "start", "end", "expires_at")


def breaches(counts: Counter[str], *, now: dt.datetime) -> Iterator[Breach]:
    for chunk in chunks(WaitingOffer.objects.select_related("hold", "entry", "appointment")):
        counts["offers"] += len(chunk)
        for offer in chunk:
            if _of_offer(offer):
                yield from _offer_once_more(offer)
    # Whatever counts for nobody's places is kept for an offer.
    for chunk in chunks(Hold.objects.filter(place=None, offer=None)):
        for hold in chunk:
            yield from _hold_once_more(hold)
    yield from _overlooked(counts, now)


def _of_offer(offer: WaitingOffer) -> list[str]:
    found = []
    if offer.is_open:
        hold = offer.hold
        if hold is None:
            found.append("is open, and nothing keeps its time")
        elif hold.user_id != offer.entry.user_id:
            found.append("is kept for another account")
        elif any(getattr(hold, name) != getattr(offer, name) for name in SAME):
            found.append("its hold keeps another time")
    elif offer.hold_id:
        found.append("is over, and its time is still kept")
    if bool(offer.is_open) == bool(offer.answer):
        found.append(f"open is {offer.is_open}, answer {offer.answer or 'none'}")
    if (offer.answer == Answer.ACCEPTED) != bool(offer.appointment_id):
        found.append(f"answer {offer.answer or 'none'}, appointment {offer.appointment_id}")
    if offer.answer == Answer.ACCEPTED and offer.entry.status != Status.ACCEPTED:
        found.append("is accepted, and its wish still waits")
    if (made := offer.appointment) and (
        (made.patient_id, made.practitioner_id, made.start)
        != (offer.entry.patient_id, offer.practitioner_id, offer.start)
    ):
        found.append("became another visit than was offered")
    return found


def _offer_once_more(offer: WaitingOffer) -> list[Breach]:
    with transaction.atomic():
        locks.hold(practitioners=[offer.practitioner_id])
        fresh = WaitingOffer.objects.select_related("hold", "entry", "appointment").get(pk=offer.pk)
        return [Breach("offers are kept", f"offer {fresh.pk}", what) for what in _of_offer(fresh)]


def _hold_once_more(hold: Hold) -> list[Breach]:
    with transaction.atomic():
        locks.hold(practitioners=[hold.practitioner_id])
        alone = Hold.objects.filter(pk=hold.pk, place=None, offer=None).exists()
        what = "keeps time for no offer"
        return [Breach("offers are kept", f"hold {hold.pk}", what)] if alone else []


# --- what becomes free ------------------------------------------------------------


def _overlooked(counts: Counter[str], now: dt.datetime) -> Iterator[Breach]:
    """Time that a visit gave up is noted until it is over, for those who waited for it then."""
    given_up = Appointment.objects.exclude(status__in=OCCUPYING).filter(end__gt=now)
    for chunk in chunks(given_up):
        counts["times given up"] += len(chunk)
        for visit, _since in _not_noted(chunk):
            yield from _overlooked_once_more(visit, now)


def _not_noted(chunk: Sequence[Appointment]) -> list[tuple[Appointment, dt.datetime]]:
    """With when each gave its time up. What was dealt with before that is not about it."""
    since, noted = _given_up_at(chunk), defaultdict(list)
    rows = FreedTime.objects.filter(
        practitioner__in={visit.practitioner_id for visit in chunk},
        end__gt=min(visit.start for visit in chunk),
    )
    for *key, done_at in rows.values_list(
        "practitioner_id", "location_id", "start", "end", "done_at"
    ):
        noted[tuple(key)].append(done_at)
    found = []
    for visit in chunk:
        at = since.get(visit.pk)
        if at is None or visit.end <= at:
            continue
        time = time_of(visit)
        same = noted[time.practitioner_id, time.location_id, time.start, time.end]
        if not any(done is None or done >= at - CLOCK_SLACK for done in same):
            found.append((visit, at))
    return found


def _given_up_at(chunk: Sequence[Appointment]) -> dict[int, dt.datetime]:
    events = AppointmentEvent.objects.filter(appointment__in=[visit.pk for visit in chunk])
    return {
        event.appointment_id: event.at
        for event in events.order_by("pk")
        if event.before.get("status") in OCCUPYING and event.after.get("status") not in OCCUPYING
    }


def _overlooked_once_more(visit: Appointment, now: dt.datetime) -> list[Breach]:
    with transaction.atomic():
        locks.hold(practitioners=[visit.practitioner_id])
        fresh = Appointment.objects.exclude(status__in=OCCUPYING).filter(pk=visit.pk)
        of, what = f"appointment {visit.reference}", "gave up time, and nobody is asked"
        return [
            Breach("freed time is offered", of, what)
            for one, since in (_not_noted(list(fresh)) if fresh else [])
            if freed.is_wanted(time_of(one), since=since, now=now)
        ]
