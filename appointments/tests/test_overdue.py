"""A request whose time for an answer is over stands in nobody's way, with or without a worker."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Actor, Role
from accounts.tests.factories import PatientFactory
from appointments import availability, holds, services
from appointments.exceptions import PatientBusy, SlotTaken, TooManyAhead
from appointments.models import Appointment, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk, patient_user
from appointments.tests.practice import second_place
from appointments.tests.race import overlaps_in_database, problems
from clinic.models import Organization
from clinic.tests.factories import RoomFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering, open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HOUR = dt.timedelta(hours=1)
START = at(10, days=9)


@pytest.fixture
def offering() -> ServiceOffering:
    Organization.current()
    return open_offering(confirmation="manual")


def ask(offering: ServiceOffering, start: dt.datetime = START, **fields: Any) -> Appointment:
    user = fields.pop("user", None) or patient_user()
    patient = user.patient_accesses.get().patient
    return book(offering=offering, patient=patient, start=start, by=Actor.patient(user), **fields)


def deadline(request: Appointment) -> dt.datetime:
    assert request.expires_at
    return request.expires_at


@pytest.fixture
def lapsed(offering: ServiceOffering) -> Appointment:
    return ask(offering)


@pytest.fixture
def late(lapsed: Appointment) -> dt.datetime:
    """Two hours after the deadline; no worker has run."""
    return deadline(lapsed) + 2 * HOUR


def ends(request: Appointment) -> tuple[str, list[str]]:
    """The state, and the steps that led to it."""
    found = Appointment.objects.get(pk=request.pk)
    return found.status, list(found.events.order_by("pk").values_list("verb", flat=True))


ENDED = ("cancelled", ["book", "expire"])


def is_shown(offering: ServiceOffering, start: dt.datetime, now: dt.datetime) -> bool:
    found = availability.free_slots([offering], start=start, end=start + HOUR, now=now)
    return start in {slot.start for slot in found}


def test_until_the_deadline_it_keeps_its_time(offering, lapsed):
    almost = lapsed.expires_at - dt.timedelta(minutes=1)
    assert not is_shown(offering, START, almost)
    with pytest.raises(SlotTaken):
        ask(offering, now=almost)


def test_another_patient_books_it_and_the_task_has_nothing_left_to_do(offering, lapsed, late):
    assert is_shown(offering, START, lapsed.expires_at)
    assert is_shown(offering, START, late)
    made = ask(offering, now=late)
    assert ends(lapsed) == ENDED
    assert made.status == "pending"
    event = lapsed.events.get(verb="expire")
    assert (event.role, event.at, event.by) == (Role.SYSTEM, late, None)
    told = lapsed.notifications.filter(kind="expired")
    assert told.count() == 1
    assert services.expire_overdue(now=late) == 0
    assert ends(lapsed) == ENDED
    assert told.count() == 1
    assert overlaps_in_database()["practitioner"] == 0
    assert problems(now=late) == []


def test_the_task_writes_the_same(offering, lapsed, late):
    other = ask(open_offering(confirmation="manual"))
    ask(offering, now=late)
    services.expire_overdue(now=late)
    assert ends(other) == ends(lapsed) == ENDED
    kinds = [sorted(one.notifications.values_list("kind", "state")) for one in (other, lapsed)]
    assert kinds[0] == kinds[1]


def test_a_refusal_ends_nothing(offering, lapsed, late):
    busy = book(start=START).patient
    with pytest.raises(PatientBusy):
        book(offering=offering, patient=busy, start=START, now=late)
    assert ends(lapsed) == ("pending", ["book"])


def test_it_is_held(offering, lapsed, late):
    hold = holds.take(offering=offering, start=START, user=patient_user(), now=late)
    assert hold.start == START
    assert ends(lapsed) == ENDED


def test_it_is_moved_to(offering, lapsed, late):
    visit = book(offering=offering, start=at(12, days=9))
    moved = services.reschedule(
        appointment=visit, offering=offering, start=START, by=desk(), now=late
    )
    assert moved.start == START
    assert ends(lapsed) == ENDED


def test_it_is_free_for_the_desk_and_not_overbooked(offering, lapsed, late):
    patient = PatientFactory.create()
    by = Actor(None, Role.ADMINISTRATOR)
    made = services.overbook(
        offering=offering, patient=patient, start=START, why="x", by=by, now=late
    )
    assert not made.overbooked
    assert ends(lapsed) == ENDED


def test_half_of_it_is_enough(offering, lapsed, late):
    start = START + dt.timedelta(minutes=15)
    assert book(offering=offering, start=start, now=late).start == start
    assert ends(lapsed) == ENDED


def test_the_patients_own_with_somebody_else(offering, late):
    """Their hour is free again; the other practitioner is locked for it and told of it."""
    user = patient_user()
    elsewhere = ask(open_offering(confirmation="manual"), user=user)
    ask(offering, user=user, now=late)
    assert ends(elsewhere) == ENDED
    assert overlaps_in_database()["patient"] == 0
    assert problems(now=late) == []


def test_its_room(offering, late):
    room = RoomFactory.create(location=offering.location)
    colleague = open_offering(confirmation="manual", schedule__location=offering.location)
    request = ask(colleague, room=room)
    assert book(offering=offering, start=START, room=room, now=late).room == room
    assert ends(request) == ENDED


def test_from_another_location_there_is_time_to_get_here_again(offering, lapsed, late):
    """Nobody is there: no time for the way is needed. It has no cells here, so it stays."""
    here = second_place(offering)
    open_week(here.schedule)
    start = START + dt.timedelta(minutes=30)
    assert is_shown(here, start, late)
    assert book(offering=here, start=start, now=late).start == start


def test_what_is_overbooked_on_it_stays_busy(offering, lapsed, late):
    services.overbook(
        offering=offering, patient=PatientFactory.create(), start=START, why="x",
        by=Actor(None, Role.ADMINISTRATOR), now=NOW,
    )  # fmt: skip
    assert Appointment.objects.filter(overbooked=True).count() == 1
    assert not is_shown(offering, START, late)
    with pytest.raises(SlotTaken):
        book(offering=offering, start=START, now=late)
    assert is_shown(offering, at(11, days=9), late)


def test_it_is_no_appointment_ahead(offering, late):
    Organization.objects.update(most_ahead=1)
    user = patient_user()
    ask(offering, start=at(15, days=9), user=user)
    with pytest.raises(TooManyAhead):
        ask(offering, start=at(16, days=10), user=user)
    assert ask(offering, start=at(16, days=10), user=user, now=late).status == "pending"


def test_what_is_shown_can_be_booked(offering, late):
    """The same hours, by the same clock, before and after the deadline."""
    for hour in (11, 13, 16):
        ask(offering, start=at(hour, days=9))
    day = {"start": at(0, days=9), "end": at(0, days=10)}
    for now in (late - 3 * HOUR, late):
        shown = {s.start for s in availability.free_slots([offering], now=now, **day)}
        for start in (at(9, days=9) + dt.timedelta(minutes=30 * n) for n in range(16)):
            try:
                availability.check(offering, start=start, now=now, online=True)
            except SlotTaken:
                assert start not in shown
            else:
                assert start in shown
    assert len(shown) == 16


@pytest.mark.parametrize("number", [1, 12])
def test_the_search_asks_one_question_more_however_many_there_are(offering, late, number):
    def questions(now: dt.datetime) -> int:
        with CaptureQueriesContext(connection) as asked:
            availability.free_slots([offering], start=now, end=at(0, days=20), now=now)
        return len(asked)

    for n in range(number):
        ask(offering, start=at(9 + n % 6, days=10 + n // 6))
    questions(NOW)
    assert questions(late) == questions(NOW) + 1


def test_a_patient_who_moves_a_request_keeps_its_deadline(offering):
    user = patient_user()
    request = ask(offering, user=user)
    until = deadline(request)
    for hour, now in ((12, NOW + HOUR), (14, until - HOUR)):
        request = services.reschedule(
            appointment=request, offering=offering, start=at(hour, days=9),
            by=Actor.patient(user), now=now,
        )  # fmt: skip
        assert request.status == "pending"
        assert request.expires_at == until
    sooner = services.reschedule(
        appointment=request, offering=offering, start=at(9, days=1),
        by=Actor.patient(user), now=NOW + HOUR,
    )  # fmt: skip
    assert sooner.expires_at == min(until, sooner.start)


def test_the_desk_that_moves_a_request_has_its_time_to_answer_anew(offering):
    request = ask(offering)
    moved = services.reschedule(
        appointment=request, offering=offering, start=at(12, days=9), by=desk(), now=NOW + HOUR
    )
    assert moved.expires_at == deadline(request) + HOUR


def test_no_cells_are_left_behind(offering, lapsed, late):
    ask(offering, now=late)
    services.expire_overdue(now=late)
    live = Appointment.objects.occupying().values("pk")
    assert not OccupancyCell.objects.exclude(appointment__in=live).exists()
