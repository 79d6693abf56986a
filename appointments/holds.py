"""A slot kept for whoever fills in the form: taken, let go, and ended by the clock."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from appointments import availability, locks, occupancy, offers, overdue
from appointments.exceptions import MoveNotAllowed, SlotTaken
from appointments.models import Appointment, Hold, HoldQuerySet
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.slots import Slot

#: So many times an account keeps at once; one more, and the oldest is let go.
MOST = 2


@locks.retrying
def take(
    *, offering: ServiceOffering, start: dt.datetime, user: User, now: dt.datetime | None = None
) -> Hold:
    """Keep this start for the account, as long as the clinic says, or refuse as ``book`` does.

    Asked for again it is the same hold: asking makes it no longer. Only accounts with a
    patient can hold, which are those whose e-mail somebody has read.
    """
    now = now or timezone.now()
    if Role.PATIENT not in user.roles:
        raise MoveNotAllowed
    try:
        with transaction.atomic():
            # Also of what may have to be let go. One more from another tab in this moment is
            # not among them; if that should end in a deadlock, it is tried again.
            others = _counted(user).values_list("practitioner", flat=True)
            late = _overdue(offering, start, now)
            locks.hold(
                practitioners=[offering.schedule.practitioner_id, *others], accounts=[user.pk]
            )
            if held := held_by(user, offering, start, now):
                return held
            overdue.end(late, now=now)
            slot = availability.check(offering, start=start, now=now, online=True, holder=user)
            organization = Organization.current()
            length = dt.timedelta(minutes=organization.hold_minutes)
            until = min(now + length, slot.start)
            hold = _new(offering, slot, user, organization, now=now, until=until)
            keys = occupancy.wanted_by_hold(hold)
            occupancy.push_aside(keys, now=now, taker=user)
            hold.place = _make_place(user, now)
            hold.save(force_insert=True)
            occupancy.claim(hold, keys)
            return hold
    except IntegrityError as error:
        raise SlotTaken from error


def _overdue(offering: ServiceOffering, start: dt.datetime, now: dt.datetime) -> list[Appointment]:
    end = start + dt.timedelta(minutes=offering.minutes)
    return overdue.in_the_way(start, end, now=now, practitioner=offering.schedule.practitioner_id)


def held_by(
    user: User, offering: ServiceOffering, start: dt.datetime, now: dt.datetime
) -> Hold | None:
    """The account's own live hold on exactly this time."""
    return Hold.objects.live(now).at(offering, start).filter(user=user).first()


def keep_for_offer(
    *,
    offering: ServiceOffering,
    slot: Slot,
    user: User | None,
    until: dt.datetime,
    now: dt.datetime,
) -> Hold:
    """Keep what is being offered: it takes none of the account's places. None: for the desk.

    Under the caller's lock of the practitioner; IntegrityError when the time is taken.
    """
    overdue.end(_overdue(offering, slot.start, now), now=now)
    hold = _new(offering, slot, user, Organization.current(), now=now, until=until)
    keys = occupancy.wanted_by_hold(hold)
    occupancy.push_aside(keys, now=now, taker=None)
    hold.save(force_insert=True)
    occupancy.claim(hold, keys)
    return hold


def _new(
    offering: ServiceOffering,
    slot: Slot,
    user: User | None,
    organization: Organization,
    *,
    now: dt.datetime,
    until: dt.datetime,
) -> Hold:
    where = availability.placed(offering, slot, organization)
    return Hold(user=user, expires_at=until, created_at=now, **where)


def _counted(user: User) -> HoldQuerySet:
    """Those that have one of the account's places."""
    return Hold.objects.filter(user=user, place__isnull=False)


def _make_place(user: User, now: dt.datetime) -> int | None:
    """A place of the account that is free, the oldest hold's if none is."""
    mine = _counted(user).order_by("created_at", "pk")
    mine.expired(now).delete()
    live = list(mine)
    taken = {hold.place for hold in live}
    for place in range(MOST):
        if place not in taken:
            return place
    oldest = live[0].place
    live[0].delete()
    return oldest


@locks.retrying
def release(*, hold: Hold) -> bool:
    """Let it go before its time; whether it was still there."""
    with transaction.atomic():
        locks.hold(practitioners=[hold.practitioner_id])
        there = Hold.objects.filter(pk=hold.pk)
        was_there = there.exists()
        offers.lose([hold.pk], now=timezone.now())
        there.delete()
        return was_there


@locks.retrying
def sweep(*, now: dt.datetime | None = None) -> int:
    """Remove what is over; how many. Only housekeeping: nobody waits for it.

    What is kept for an offer goes with the offer, under the lock (``freed.sweep``).
    """
    over = Hold.objects.expired(now or timezone.now()).filter(offer=None).order_by("pk")
    due = list(over.values_list("pk", flat=True)[:500])
    _total, by_model = Hold.objects.filter(pk__in=due).delete()
    return by_model.get(Hold._meta.label, 0)
