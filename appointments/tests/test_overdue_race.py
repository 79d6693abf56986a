"""A request at the end of its time: the task, an answer and whoever wants the time, at once."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import services
from appointments.exceptions import MoveNotAllowed, RequestLapsed, SlotTaken
from appointments.models import Appointment
from appointments.tests.factories import NOW, SYSTEM, at, book, desk
from appointments.tests.race import duels, overlaps_in_database, problems, rounds
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

NOBODY = {"practitioner": 0, "patient": 0, "room": 0}
LATE = NOW + dt.timedelta(hours=50)


@pytest.fixture(autouse=True)
def _no_limits() -> None:
    Organization.objects.update_or_create(
        pk=1, defaults={"most_ahead": 0, "horizon_days": 120, "request_expiry_hours": 48}
    )


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering(start=dt.time(9), end=dt.time(17), confirmation="manual")


def starts(number: int) -> Iterator[dt.datetime]:
    for n in range(number):
        yield at(9 + n % 8, days=4 + n // 8)


def ask(
    offering: ServiceOffering, start: dt.datetime, user: User | None = None, now: dt.datetime = NOW
) -> Appointment:
    user = user or patient_user()
    patient = user.patient_accesses.get().patient
    return book(offering=offering, patient=patient, start=start, by=Actor.patient(user), now=now)


def press(offering: ServiceOffering, start: dt.datetime, user: User | None = None) -> Any:
    """Another patient, after the deadline."""
    return functools.partial(ask, offering, start, user or patient_user(), LATE)


def each_ended_once(requests: list[Appointment]) -> None:
    for request in requests:
        assert Appointment.objects.get(pk=request.pk).status == "cancelled"
        verbs = list(request.events.order_by("pk").values_list("verb", flat=True))
        assert verbs == ["book", "expire"]
        told = request.notifications.filter(kind="expired")
        assert told.count() == 1
    assert overlaps_in_database() == NOBODY
    assert problems(now=LATE) == []


def test_the_task_and_somebody_who_books_the_time(offering):
    requests = [ask(offering, start) for start in starts(rounds())]
    results = duels(
        [
            (
                functools.partial(services.expire, appointment=one, by=SYSTEM, now=LATE),
                press(offering, one.start),
            )
            for one in requests
        ]
    )
    for ended, booked in results:
        assert isinstance(ended, Appointment | MoveNotAllowed), ended
        assert isinstance(booked, Appointment), booked
        assert booked.status == "pending"
    each_ended_once(requests)


def test_a_late_answer_and_somebody_who_books_the_time(offering):
    requests = [ask(offering, start) for start in starts(rounds())]
    results = duels(
        [
            (
                functools.partial(services.confirm, appointment=one, by=desk(), now=LATE),
                press(offering, one.start),
            )
            for one in requests
        ]
    )
    for answered, booked in results:
        assert isinstance(answered, RequestLapsed | MoveNotAllowed), answered
        assert isinstance(booked, Appointment), booked
    each_ended_once(requests)


def test_two_who_book_the_time(offering):
    requests = [ask(offering, start) for start in starts(rounds())]
    for pair in duels([(press(offering, r.start), press(offering, r.start)) for r in requests]):
        assert sum(isinstance(one, Appointment) for one in pair) == 1, pair
        assert sum(isinstance(one, SlotTaken) for one in pair) == 1, pair
    each_ended_once(requests)


def test_two_who_asked_crosswise(offering):
    """Each wants the other's practitioner at the hour at which they had asked their own."""
    other = open_offering(start=dt.time(9), end=dt.time(17), confirmation="manual")
    requests, meetings = [], []
    for start in starts(rounds()):
        one, two = patient_user(), patient_user()
        requests += [ask(offering, start, one), ask(other, start, two)]
        meetings.append((press(other, start, one), press(offering, start, two)))
    for pair in duels(meetings):
        assert [type(one) for one in pair] == [Appointment, Appointment], pair
    each_ended_once(requests)
