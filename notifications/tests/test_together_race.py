"""Several workers, schedulers and people at once: each told exactly once, a family in one mail."""

from __future__ import annotations

import datetime as dt
import functools
import random
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from django.core import mail

from accounts.models import User
from accounts.tests.factories import PatientFactory, ReceptionistFactory
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.race import rounds, together
from clinic.models import Organization
from clinic.tests.factories import LocationFactory
from notifications import delivery, digests
from notifications import integrity as messages
from notifications import together as bundles
from notifications.models import Kind, Notification, State
from notifications.tests.factories import chooses, family
from notifications.tests.test_digests import asking
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

#: All that is at nine or ten in three days is due.
ELEVEN = at(11, days=2)
WORKERS = 6


@pytest.fixture(autouse=True)
def _plain() -> None:
    Organization.objects.update_or_create(pk=1, defaults={"most_ahead": 0, "reminders": "24"})


def families(number: int, *, hours: tuple[int, ...] = (9, 10, 10)) -> list[User]:
    """Each with children who come on the same day, to practitioners of their own."""
    made = []
    offerings = [open_offering() for _hour in hours]
    for n in range(number):
        user, _patient = family()
        for hour, offering in zip(hours, offerings, strict=True):
            child = PatientFactory.create()
            user.patient_accesses.create(patient=child, relation="child")
            book(
                patient=child,
                offering=offering,
                start=at(hour, 30 * (n % 2), days=3 + n // 2),
            )
        made.append(user)
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    return made


def due_for(days: int) -> list[int]:
    rows = Notification.objects.filter(kind=Kind.REMINDER, day=at(0, days=days).date())
    return list(rows.values_list("pk", flat=True))


def working(ids: list[int], now: dt.datetime) -> Any:
    """A worker that was woken with all of them, in an order of its own."""

    def work() -> int:
        mine = random.sample(ids, len(ids))
        return sum(delivery.deliver([pk], now=now).sent for pk in mine)

    return work


def told() -> Counter[str]:
    """How often each reference was in a mail."""
    references = Appointment.objects.values_list("reference", flat=True)
    return Counter(ref for sent in mail.outbox for ref in references if ref in sent.body)


def problems(now: dt.datetime = NOW) -> list[str]:
    return [str(breach) for breach in messages.breaches(Counter(), now=now)]


def days_of(number: int) -> range:
    return range(3, 3 + (number + 1) // 2)


def test_workers_at_one_time_tell_each_family_in_one_mail() -> None:
    number = min(rounds(), 12)
    families(number)
    for days in days_of(number):
        now = at(11, days=days - 1)
        ids = due_for(days)
        results = together([working(ids, now) for _n in range(WORKERS)])
        assert all(isinstance(result, int) for result in results), results
    assert len(mail.outbox) == number
    counts = told()
    assert len(counts) == 3 * number
    assert set(counts.values()) == {1}
    assert set(reminder_states()) == {State.SENT}
    assert problems() == []


def reminder_states() -> list[str]:
    return list(Notification.objects.filter(kind=Kind.REMINDER).values_list("state", flat=True))


def test_two_that_claim_of_one_family_at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second does not get as far as taking the others along: nobody has to be rolled back."""
    families(1)
    gate, whole, calls = threading.Barrier(2), bundles._that_go_along, []

    def meet(*args: Any) -> Any:
        calls.append(args)
        with suppress(threading.BrokenBarrierError):
            gate.wait(timeout=0.5)
        return whole(*args)

    monkeypatch.setattr(bundles, "_that_go_along", meet)
    claims = [functools.partial(delivery.claim, pk, now=ELEVEN) for pk in due_for(3)[:2]]
    results = together(claims)
    [claimed] = [row for row in results if row is not None]
    assert len(claimed.companions) == 2
    assert len(calls) == 1


def test_cancelled_while_workers_claim() -> None:
    """The rest of the family is told, once; nothing of what was cancelled afterwards."""
    number = min(rounds(), 12)
    users = families(number)
    for n, days in enumerate(days_of(number)):
        now, ids = at(11, days=days - 1), due_for(days)
        gone = [
            Appointment.objects.filter(patient__accesses__user=user).order_by("start", "pk")[1]
            for user in users[2 * n : 2 * n + 2]
        ]
        cancelling = [
            functools.partial(services.cancel, appointment=visit, by=desk(), reason="x", now=now)
            for visit in gone
        ]
        results = together([*(working(ids, now) for _n in range(3)), *cancelling])
        assert not [result for result in results if isinstance(result, Exception)], results
        delivery.deliver_due(now=now)
    counts = told()
    stands = Appointment.objects.filter(status="booked").values_list("reference", flat=True)
    assert {counts[reference] for reference in stands} == {1}
    assert set(reminder_states()) <= {State.SENT, State.VOID}


def test_workers_that_die_after_the_claim_lose_nothing() -> None:
    number = min(rounds(), 12)
    families(number)
    for days in days_of(number):
        now, ids = at(11, days=days - 1), due_for(days)

        def claim_and_die(ids: list[int] = ids, now: dt.datetime = now) -> None:
            for pk in random.sample(ids, len(ids)):
                delivery.claim(pk, now=now)

        together([claim_and_die] * 3)
        assert delivery.deliver(ids, now=now).sent == 0, "their leases hold"
        later = now + delivery.LEASE
        together([working(ids, later) for _n in range(WORKERS)])
    assert len(mail.outbox) == number
    assert set(told().values()) == {1}
    assert set(reminder_states()) == {State.SENT}


def test_schedulers_at_one_time_owe_each_list_and_each_word_once() -> None:
    place = LocationFactory.create()
    desks = [ReceptionistFactory.create(locations=[place]).user for _n in range(4)]
    for _n in range(4):
        offering = open_offering(confirmation="manual", schedule__location=place)
        chooses(offering.practitioner.user, day_list_at=dt.time(7))
        book(offering=offering, start=at(15), by=asking())
    Notification.objects.update(state=State.SENT)
    nine = NOW + dt.timedelta(hours=1)
    for now in (nine, at(7), at(8)):
        results = together(
            [
                functools.partial(digests.owe, now=now + dt.timedelta(seconds=n))
                for n in range(WORKERS)
            ]
        )
        assert all(isinstance(result, int) for result in results), results
    lists = Notification.objects.filter(kind=Kind.PRACTITIONER_DAY)
    assert lists.count() == 4
    words = Notification.objects.filter(kind=Kind.REQUESTS)
    assert sorted(words.values_list("user", flat=True)) == sorted(user.pk for user in desks)
