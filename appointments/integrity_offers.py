"""Checks over the whole database what the waiting list promises: what is offered is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.db import transaction

from appointments import locks
from appointments.integrity import Breach, chunks
from appointments.models import Hold, WaitingListEntry, WaitingOffer

Status = WaitingListEntry.Status
Answer = WaitingOffer.Answer
#: What the offer and its hold have to agree on.
SAME = ("practitioner_id", "service_id", "location_id", "start", "end", "expires_at")


def breaches(counts: Counter[str]) -> Iterator[Breach]:
    for chunk in chunks(WaitingOffer.objects.select_related("hold", "entry")):
        counts["offers"] += len(chunk)
        for offer in chunk:
            if _of_offer(offer):
                yield from _offer_once_more(offer)
    # Whatever counts for nobody's places is kept for an offer.
    for chunk in chunks(Hold.objects.filter(place=None, offer=None)):
        for hold in chunk:
            yield from _hold_once_more(hold)


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
    return found


def _offer_once_more(offer: WaitingOffer) -> list[Breach]:
    with transaction.atomic():
        locks.hold(practitioners=[offer.practitioner_id])
        fresh = WaitingOffer.objects.select_related("hold", "entry").get(pk=offer.pk)
        return [Breach("offers are kept", f"offer {fresh.pk}", what) for what in _of_offer(fresh)]


def _hold_once_more(hold: Hold) -> list[Breach]:
    with transaction.atomic():
        locks.hold(practitioners=[hold.practitioner_id])
        alone = Hold.objects.filter(pk=hold.pk, place=None, offer=None).exists()
        what = "keeps time for no offer"
        return [Breach("offers are kept", f"hold {hold.pk}", what)] if alone else []
