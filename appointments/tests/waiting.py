"""People who wait, and times that become free."""

from __future__ import annotations

import datetime as dt
from typing import Any

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import PatientFactory, patient_user
from appointments import freed, services, waiting
from appointments.models import Appointment, FreedTime, WaitingListEntry, WaitingOffer
from appointments.tests.factories import NOW, book, desk
from scheduling.models import ServiceOffering


def waits(offering: ServiceOffering, user: User | None = None, **wish: Any) -> WaitingListEntry:
    """An account that waits for the service of this offering since NOW."""
    user = user or patient_user()
    wish.setdefault("now", NOW)
    wish.setdefault("patient", user.patient_accesses.order_by("pk")[0].patient)
    if "specialty" not in wish:
        wish.setdefault("service", offering.service)
    return waiting.join(user=user, **wish)


def waits_for_a_call(offering: ServiceOffering, **wish: Any) -> WaitingListEntry:
    """A patient without an account, put on the list by the desk since NOW."""
    wish.setdefault("now", NOW)
    wish.setdefault("by", desk())
    wish["patient"] = wish.get("patient") or PatientFactory.create()
    if "specialty" not in wish:
        wish.setdefault("service", offering.service)
    return waiting.join(user=None, **wish)


def to_be_called(offering: ServiceOffering, **wish: Any) -> WaitingOffer:
    """An open offer for a call, of tomorrow at ten."""
    entry = waits_for_a_call(offering, **wish)
    frees(offering)
    assert freed.sweep(now=NOW) == 1
    return WaitingOffer.objects.get(entry=entry, is_open=True)


def frees(offering: ServiceOffering, start: dt.datetime | None = None, **more: Any) -> Appointment:
    """Somebody else's appointment there, cancelled by the clinic."""
    visit = book(offering=offering, start=start)
    more.setdefault("now", NOW)
    return services.cancel(appointment=visit, by=desk(), reason="x", **more)


def offered(offering: ServiceOffering, user: User | None = None, **wish: Any) -> WaitingOffer:
    """An open offer to this account, of tomorrow at ten."""
    entry = waits(offering, user, **wish)
    frees(offering)
    assert freed.sweep(now=NOW) == 1
    return WaitingOffer.objects.get(entry=entry, is_open=True)


def all_told() -> None:
    """Every message of an offer has left."""
    for offer in WaitingOffer.objects.all():
        offer.notifications.update(state="sent")


def actor(offer: WaitingOffer) -> Actor:
    return Actor.patient(offer.entry.user)


def left() -> int:
    """Freed times still to be offered."""
    return FreedTime.objects.filter(done_at=None).count()
