"""The beginning and the end of an offer: row, hold and signal together.

Nothing here locks; whoever calls holds the practitioner.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from appointments.models import Hold, WaitingOffer
from appointments.signals import offer_changed

Answer = WaitingOffer.Answer


def open_(offer: WaitingOffer) -> WaitingOffer:
    """IntegrityError when the time or the entry has an open one already."""
    offer.save(force_insert=True)
    offer_changed.send(sender=WaitingOffer, offer=offer)
    return offer


def close(offer: WaitingOffer, answer: WaitingOffer.Answer, *, now: dt.datetime) -> None:
    """The offer is over, and its time is kept no longer."""
    hold = offer.hold_id
    offer.is_open, offer.answer, offer.answered_at, offer.hold = None, answer, now, None
    offer.save(update_fields=["is_open", "answer", "answered_at", "hold"])
    if hold:
        Hold.objects.filter(pk=hold).delete()
    offer_changed.send(sender=WaitingOffer, offer=offer)


def mark_never_told(offer: WaitingOffer) -> None:
    """Its message had not left when it lapsed: whoever waits may be asked once more."""
    WaitingOffer.objects.filter(pk=offer.pk, answer=Answer.LAPSED).update(never_told=True)


def lose(holds: Iterable[int], *, now: dt.datetime) -> None:
    """These holds are about to go: whoever they were offered to has them no longer."""
    for offer in WaitingOffer.objects.filter(hold__in=list(holds), is_open=True):
        close(offer, Answer.WITHDRAWN if offer.is_live(now) else Answer.LAPSED, now=now)
