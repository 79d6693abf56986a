"""Two at one time, one of whom fills in the form, as often as RACE_PAIRS says."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import PatientFactory, patient_user
from appointments import holds, locks, occupancy, services
from appointments.exceptions import Refusal, SlotHeld, SlotTaken, TooManyAhead
from appointments.models import Appointment, Hold, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.race import (
    duels,
    happened,
    overlaps_in_database,
    problems,
    rounds,
    split,
    together,
    told,
)
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

#: Who booked tomorrow or later: that it is booked, and the one reminder.
BOOKED = {"booked": 1, "reminder": 1}
NOBODY = {"practitioner": 0, "patient": 0, "room": 0}
OVER = NOW + dt.timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _no_limits() -> None:
    Organization.objects.update_or_create(
        pk=1, defaults={"most_ahead": 0, "horizon_days": 120, "reminders": "1"}
    )


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering(start=dt.time(9), end=dt.time(17), buffer_after=5)


def starts(number: int) -> Iterator[dt.datetime]:
    """Times that do not touch each other, some on each day."""
    for n in range(number):
        yield at(9 + n % 8, days=1 + n // 8)


def keep(user: User, offering: ServiceOffering, start: dt.datetime, **more: Any) -> Any:
    more.setdefault("now", NOW)
    return functools.partial(holds.take, offering=offering, start=start, user=user, **more)


def press(user: User, offering: ServiceOffering, start: dt.datetime, **more: Any) -> Any:
    patient = user.patient_accesses.get().patient
    wish = {"patient": patient, "start": start, "same_day_ok": True, **more}
    return functools.partial(book, offering=offering, by=Actor.patient(user), **wish)


def everything_is_true() -> None:
    """Cells are those of the appointments and of the holds, and nobody overlaps."""
    assert overlaps_in_database() == NOBODY
    assert problems() == []
    live = Appointment.objects.occupying()
    assert [visit.pk for visit in live if told(visit) != BOOKED] == []
    wanted = {key for a in Appointment.objects.all() for key in occupancy.wanted(a)}
    kept = [key for hold in Hold.objects.all() for key in occupancy.wanted_by_hold(hold)]
    assert len(wanted) + len(kept) == OccupancyCell.objects.count()


def winners(results: list[tuple[Any, Any]]) -> Counter[Any]:
    """Who got it in each round; anything but one success and one refusal fails."""
    found: Counter[Any] = Counter()
    for left, right in results:
        kinds = [isinstance(one, Appointment | Hold) for one in (left, right)]
        refused = [one for one in (left, right) if not isinstance(one, Appointment | Hold)]
        assert sum(kinds) == 1, (left, right)
        assert isinstance(refused[0], SlotTaken), refused
        found["left" if kinds[0] else "right"] += 1
    return found


@pytest.mark.pair
def test_holding_and_booking_one_time(offering):
    one, other = patient_user(), patient_user()
    meetings = [(keep(one, offering, s), press(other, offering, s)) for s in starts(rounds())]
    results = duels(meetings)
    happened(winners(results), "left", "right")
    booked = sum(isinstance(right, Appointment) for _left, right in results)
    assert Appointment.objects.count() == booked
    assert Hold.objects.count() == min(holds.MOST, rounds() - booked)
    everything_is_true()


def test_holding_and_holding_one_time(offering):
    one, other = patient_user(), patient_user()
    meetings = [(keep(one, offering, s), keep(other, offering, s)) for s in starts(rounds())]
    happened(winners(duels(meetings)), "left", "right")
    assert {type(r) for pair in duels(meetings[-1:]) for r in pair} == {Hold, SlotHeld}
    everything_is_true()


@pytest.mark.pair
def test_at_the_end_of_a_hold_its_owner_and_another_are_equals(offering):
    """Each round has a hold of its own account, or there would be no more than two."""
    meetings = []
    for start in starts(rounds()):
        owner, other = patient_user(), patient_user()
        keep(owner, offering, start)()
        meetings.append(
            (press(owner, offering, start, now=OVER), press(other, offering, start, now=OVER))
        )
    happened(winners(duels(meetings)), "left", "right")
    assert Appointment.objects.count() == rounds()
    assert Hold.objects.count() == 0
    everything_is_true()


@pytest.mark.pair
def test_a_hold_that_is_over_never_refuses_a_booking_while_it_is_swept(offering):
    other, meetings = patient_user(), []
    for start in starts(rounds()):
        keep(patient_user(), offering, start)()
        sweep = functools.partial(holds.sweep, now=OVER)
        meetings.append((press(other, offering, start, now=OVER), sweep))
    results = duels(meetings)
    assert {type(booked) for booked, _swept in results} == {Appointment}
    assert {type(swept) for _booked, swept in results} == {int}
    assert Hold.objects.count() == 0
    everything_is_true()


def test_an_owner_books_while_another_asks(offering):
    """Before its end a hold is for its owner, whoever comes first."""
    other, meetings = patient_user(), []
    for start in starts(rounds()):
        owner = patient_user()
        keep(owner, offering, start)()
        meetings.append((press(owner, offering, start), press(other, offering, start)))
    assert winners(duels(meetings)) == {"left": rounds()}
    everything_is_true()


def test_the_key_alone_holds_when_the_lock_is_gone(offering, monkeypatch):
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    meetings = [
        (keep(patient_user(), offering, start), press(patient_user(), offering, start))
        for start in starts(rounds())
    ]
    for pair in duels(meetings):
        assert sum(isinstance(one, Appointment | Hold) for one in pair) <= 1
        assert all(isinstance(r, Appointment | Hold | Refusal | OperationalError) for r in pair)
    everything_is_true()


@pytest.mark.mariadb
def test_without_lock_and_key_both_would_get_it(offering, monkeypatch):
    """The red twin: these pairs do meet."""
    monkeypatch.setattr(locks, "hold", lambda **kwargs: None)
    monkeypatch.setattr(occupancy, "claim", lambda taker, keys: None)
    meetings = [
        (keep(patient_user(), offering, start), press(patient_user(), offering, start))
        for start in starts(60)
    ]
    both = [pair for pair in duels(meetings) if isinstance(pair[0], Hold)]
    assert any(isinstance(booked, Appointment) for _held, booked in both)


def test_one_account_at_many_practitioners_holds_two(offering):
    user = patient_user()
    deeds = [keep(user, open_offering(), at(10)) for _n in range(10)]
    assert {type(r) for r in together(deeds)} == {Hold}
    assert Hold.objects.count() == holds.MOST
    everything_is_true()


@pytest.mark.pair
def test_the_limit_holds_with_twenty_at_once():
    """Twenty practitioners, and in each round an account of its own."""
    Organization.objects.update(most_ahead=3)
    places = [(open_offering(), at(9 + n % 3, days=1 + n)) for n in range(20)]
    for _round in range(rounds(2)):
        user = patient_user()
        made, refused = split(together([press(user, *place) for place in places]))
        assert len(made) == 3
        assert [type(r) for r in refused] == [TooManyAhead] * 17
        assert set(made) == set(Appointment.objects.occupying())
        assert [told(visit) for visit in made] == [BOOKED] * 3
        for visit in made:
            services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
        assert [told(visit) for visit in made] == [{"cancelled": 1}] * 3
    everything_is_true()


def test_two_tabs_at_once_lead_to_the_one_appointment(offering):
    """Two forms with keys of their own, or none, for the same visit."""
    user = patient_user()
    results = together([press(user, offering, at(10)) for _n in range(6)])
    assert {r.pk for r in results} == {Appointment.objects.get().pk}


def test_strangers_do_not_share_an_appointment(offering):
    deeds = [press(patient_user(), offering, at(10)) for _n in range(6)]
    deeds += [functools.partial(book, offering=offering, patient=PatientFactory.create())]
    made, refused = split(together(deeds))
    assert (len(made), len(refused)) == (1, 6)
