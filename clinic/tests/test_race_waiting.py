"""Offers of freed time that meet what others do: one allowed end, nothing lost.

Ten rounds each on MariaDB; ``make race`` runs 100, and 500 of the marked pairs (RACE_PAIRS).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Patient, User
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import freed, services, waiting
from appointments.exceptions import OfferOver, SlotHeld, SlotTaken
from appointments.models import (
    Appointment,
    FreedTime,
    Hold,
    OccupancyCell,
    WaitingListEntry,
    WaitingOffer,
)
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.race import duels, happened, meet, problems, rounds, together
from appointments.tests.race import told as told_of
from appointments.tests.waiting import frees, left, waits
from clinic.models import Organization
from notifications.models import Kind, Notification, State
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

#: To whoever has a time now, and to whoever has another one than before.
BOOKED = {Kind.BOOKED: 1, Kind.REMINDER: 1}
MOVED = {Kind.MOVED: 1, Kind.REMINDER: 1}
OVER = NOW + dt.timedelta(hours=1)
Answer = WaitingOffer.Answer


@pytest.fixture(autouse=True)
def _organization() -> None:
    Organization.objects.update_or_create(
        pk=1, defaults={"most_ahead": 0, "horizon_days": 120, "reminders": "24"}
    )


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering()


def starts() -> Iterator[dt.datetime]:
    """Times that do not touch each other, some on each day, and none of tomorrow."""
    for n in range(rounds()):
        yield at(9 + n % 8, days=2 + n // 8)


def offers() -> list[WaitingOffer]:
    """One open offer for each round, each to an account and of a practitioner of its own."""
    for start in starts():
        offering = open_offering()
        waits(offering)
        frees(offering, start)
        offer_latest()
    return list(WaitingOffer.objects.filter(is_open=True).select_related("entry__user"))


def offers_of(offering: ServiceOffering) -> Iterator[WaitingOffer]:
    """An open offer of this practitioner in each round, to an account of its own."""
    for start in starts():
        user = patient_user()
        waits(offering, user)
        frees(offering, start)
        offer_latest()
        yield WaitingOffer.objects.get(entry__user=user, is_open=True)


def offer_latest() -> None:
    """What the next sweep would do, which looks at all that became free before."""
    assert freed.offer_next(FreedTime.objects.latest("pk").pk, now=NOW)


def book_it(offer: WaitingOffer, patient: Patient, **more: Any) -> Any:
    """Somebody else books what is offered."""
    offering = freed.offering_of(offer)
    return functools.partial(book, offering=offering, patient=patient, start=offer.start, **more)


def accept(offer: WaitingOffer, **more: Any) -> Any:
    more.setdefault("now", NOW)
    by = Actor.patient(offer.entry.user)
    return functools.partial(freed.accept, offer=offer, by=by, **more)


def told(state: State) -> int:
    return Notification.objects.filter(kind=Kind.OFFER, state=state).count()


def all_are_told() -> None:
    """Whoever has a time that nobody moved there."""
    live = Appointment.objects.occupying()
    assert [visit.pk for visit in live if told_of(visit) != BOOKED] == []


@pytest.mark.pair
def test_accepting_and_booking_by_somebody_else():
    """While the offer lives it is for its own account, whoever comes first."""
    other = patient_user().patient_accesses.get().patient
    meetings = [(accept(o), book_it(o, other)) for o in offers()]
    ends = Counter((type(mine), type(theirs)) for mine, theirs in duels(meetings))
    happened(ends, (Appointment, SlotHeld), (Appointment, SlotTaken))
    all_are_told()
    assert Appointment.objects.occupying().count() == rounds()
    assert (Hold.objects.count(), told(State.VOID)) == (0, rounds())
    assert problems() == []


@pytest.mark.pair
def test_accepting_at_the_last_moment_and_booking_just_after():
    """The clock of one says open, of the other over: one of them has it."""
    other = patient_user().patient_accesses.get().patient
    meetings = [(accept(o), book_it(o, other, now=OVER)) for o in offers()]
    results = duels(meetings)
    ends = Counter((type(a), type(b)) for a, b in results)
    happened(ends, (Appointment, SlotTaken), (OfferOver, Appointment))
    all_are_told()
    accepted = sum(isinstance(a, Appointment) for a, _b in results)
    answers = Counter(WaitingOffer.objects.values_list("answer", flat=True))
    assert answers == Counter({Answer.ACCEPTED: accepted, Answer.LAPSED: rounds() - accepted})
    assert Appointment.objects.occupying().count() == rounds()
    assert problems() == []


def test_two_workers_make_one_offer(offering):
    for start in starts():
        for _n in range(2):
            day = start.date()
            waits(offering, first_day=day, last_day=day)
        frees(offering, start)
    pks = list(FreedTime.objects.order_by("start").values_list("pk", flat=True))
    meetings = [(functools.partial(freed.offer_next, pk, now=NOW),) * 2 for pk in pks]
    for pair in duels(meetings):
        assert sorted(type(one).__name__ for one in pair) == ["NoneType", "WaitingOffer"], pair
    assert WaitingOffer.objects.filter(is_open=True).count() == rounds()
    assert (Hold.objects.count(), told(State.PENDING)) == (rounds(), rounds())
    assert problems() == []


def test_one_who_waits_for_anybody_is_asked_once(offering):
    """Two practitioners' times become free at once; one account waits for either."""
    other = open_offering(service=offering.service)
    meetings: list[Any] = []
    for start in starts():
        day, part = start.date(), 0 if start.hour < 12 else 1
        user = patient_user()
        entry = waits(offering, user, first_day=day, last_day=day, parts=[part])
        pks = []
        for one in (offering, other):
            frees(one, start)
            pks.append(FreedTime.objects.latest("pk").pk)
        made = together([functools.partial(freed.offer_next, pk, now=NOW) for pk in pks])
        assert sorted(type(m).__name__ for m in made) == ["NoneType", "WaitingOffer"], made
        waiting.end(entry=entry, now=NOW)
        freed.sweep(now=NOW)
        meetings.append(made)
    assert len(meetings) == told(State.VOID) == rounds()
    assert problems() == []


def test_accepting_and_lapsing():
    """Nobody has it twice; who is too late is told so."""
    meetings = [
        (accept(o), functools.partial(freed.offer_next, o.freed_id, now=OVER)) for o in offers()
    ]
    Notification.objects.update(state=State.SENT)
    results = duels(meetings)
    happened(Counter(type(answer) for answer, _lapsed in results), Appointment, OfferOver)
    all_are_told()
    assert {lapsed for _answer, lapsed in results} == {None}
    accepted = sum(isinstance(answer, Appointment) for answer, _lapsed in results)
    assert Appointment.objects.occupying().count() == accepted
    assert WaitingOffer.objects.filter(answer=Answer.LAPSED).count() == rounds() - accepted
    freed.sweep(now=OVER)
    assert (left(), Hold.objects.count()) == (0, 0)
    assert problems() == []


def test_accepting_twice_and_declining_at_once():
    """A double click is one appointment; a no that comes too late changes nothing."""
    ends: Counter[Any] = Counter()
    for o in offers():
        refuse = functools.partial(freed.decline, offer=o, now=NOW)
        one, other, declined = together([accept(o), accept(o), refuse])
        ends[type(one)] += 1
        if isinstance(one, Appointment):
            assert (other, type(declined)) == (one, OfferOver)
        else:
            assert (type(one), type(other), declined) == (OfferOver, OfferOver, None)
    happened(ends, Appointment, OfferOver)
    all_are_told()
    accepted = WaitingOffer.objects.filter(answer=Answer.ACCEPTED).count()
    assert Appointment.objects.occupying().count() == accepted
    assert problems() == []


def test_two_cancel_at_once(offering):
    """Two times become free in the same moment: both are noted, each is offered once."""
    meetings = []
    for start in starts():
        visits = [
            book(offering=offering, start=s) for s in (start, start + dt.timedelta(minutes=30))
        ]
        meetings.append(tuple(functools.partial(_cancel, visit) for visit in visits))
    for pair in duels(meetings):  # type: ignore[arg-type]
        assert {type(one) for one in pair} == {Appointment}
    assert FreedTime.objects.count() == 2 * rounds()
    everybody = [patient_user() for _n in range(3)]
    for user in everybody:
        waits(offering, user)
    assert freed.sweep(now=NOW) == 3
    assert set(WaitingOffer.objects.values_list("entry__user", flat=True)) == {
        user.pk for user in everybody
    }
    assert problems() == []


def _cancel(visit: Appointment) -> Appointment:
    return services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)


def test_accepting_an_earlier_time_while_the_old_one_is_cancelled(offering):
    """Whoever is first: one appointment or none, never two, and the old time is not lost."""
    ends: Counter[Any] = Counter()
    for number, start in enumerate(starts()):
        user = patient_user()
        o, old = _earlier(offering, user, start)
        taken, cancelled = meet(number, accept(o), functools.partial(_cancel, old))
        assert isinstance(taken, Appointment), taken
        live = Appointment.objects.occupying().filter(patient=old.patient)
        assert [a.pk for a in live] == [taken.pk]
        moved = taken.rescheduled_from_id == old.pk
        ends["moved" if moved else "booked"] += 1
        assert told_of(taken) == (MOVED if moved else BOOKED)
        assert told_of(old) == ({} if moved else {Kind.CANCELLED: 1})
        assert moved is not isinstance(cancelled, Appointment)
    happened(ends, "moved", "booked")
    assert OccupancyCell.objects.filter(hold__isnull=False).count() == 0
    assert problems() == []


def test_waiting_and_booking_the_same_at_once(offering):
    """Whoever is first: the wish is for an earlier time than what was booked."""
    for start in starts():
        user = patient_user()
        patient = user.patient_accesses.get().patient
        entry, visit = together(
            [
                functools.partial(waits, offering, user, patient=patient),
                functools.partial(book, offering=offering, patient=patient, start=start),
            ]
        )
        assert isinstance(entry, WaitingListEntry), entry
        assert isinstance(visit, Appointment), visit
        entry.refresh_from_db()
        assert entry.instead_of == visit
        assert told_of(visit) == BOOKED
    assert problems() == []


def test_accepting_while_they_book_another_time(offering):
    """Booked first, it is moved; accepted first, they have asked for both."""
    elsewhere = open_offering(service=offering.service)
    ends: Counter[Any] = Counter()
    for number, (o, start) in enumerate(zip(offers_of(offering), starts(), strict=True)):
        patient = o.entry.patient
        other = functools.partial(
            book, offering=elsewhere, patient=patient, start=start + dt.timedelta(days=40)
        )
        taken, booked = meet(number, accept(o), other)
        assert isinstance(taken, Appointment), taken
        assert isinstance(booked, Appointment), booked
        is_moved = taken.rescheduled_from_id is not None
        ends["moved" if is_moved else "both"] += 1
        assert told_of(taken) == (MOVED if is_moved else BOOKED)
        assert told_of(booked) == ({} if is_moved else BOOKED)
        live = set(Appointment.objects.occupying().filter(patient=patient))
        assert live == ({taken} if is_moved else {taken, booked})
    happened(ends, "moved", "both")
    assert problems() == []


def _earlier(
    offering: ServiceOffering, user: User, start: dt.datetime
) -> tuple[WaitingOffer, Appointment]:
    old = book(
        offering=open_offering(service=offering.service),
        patient=user.patient_accesses.get().patient,
        start=start + dt.timedelta(days=40),
    )
    waits(offering, user, practitioner=offering.practitioner, instead_of=old)
    frees(offering, start)
    offer_latest()
    return WaitingOffer.objects.get(entry__user=user, is_open=True), old
