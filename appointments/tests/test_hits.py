"""Whom a change of the rules hits, and that nothing happens to them in silence."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from appointments import hits, services
from appointments.hits import newly_hit, obstacles, upcoming
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import admin_form, admin_page
from appointments.transitions import Status
from clinic.models import Closure
from clinic.tests.factories import LocationFactory, RoomFactory
from scheduling.models import DateOverride, Schedule, TimeOff
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]


@pytest.fixture
def client(admin: Client) -> Client:
    return admin


# --- what is in the way


def in_the_way(appointment: Appointment) -> set[str]:
    return {name for name, _row in obstacles(list(upcoming()))[appointment.pk]}


def test_nothing_is_in_the_way_of_what_could_be_booked() -> None:
    assert in_the_way(book()) == set()


@pytest.mark.parametrize("part", ["patient", "practitioner", "service", "location"])
def test_what_is_switched_off_is(part: str) -> None:
    appointment = book()
    row = getattr(appointment, part)
    row.is_active = False
    row.save()
    assert in_the_way(appointment) == {part}


def test_an_inactive_room_specialty_schedule_and_service_offered_are() -> None:
    offering = open_offering()
    room = RoomFactory.create(location=offering.location)
    appointment = book(offering=offering, room=room)
    room.is_active = False
    room.save()
    offering.is_active = False
    offering.save()
    offering.service.specialty.is_active = False
    offering.service.specialty.save()
    assert in_the_way(appointment) == {"room", "specialty", "offering"}
    offering.schedule.is_active = False
    offering.schedule.save()
    assert in_the_way(appointment) == {"room", "specialty", "schedule"}


def test_closed_time_is() -> None:
    appointment = book()
    day = appointment.local_date
    Closure.objects.create(name="Feriado", first_day=day, last_day=day)
    TimeOff.objects.create(
        practitioner=appointment.practitioner, starts_at=at(10, 25), ends_at=at(11)
    )
    assert in_the_way(appointment) == {"closure", "time_off"}


@pytest.mark.parametrize(("can_be_worked", "expected"), [(True, set()), (False, {"closure"})])
def test_a_holiday_is_not_in_the_way_of_who_works_on_it(
    can_be_worked: bool, expected: set[str]
) -> None:
    appointment = book()
    day = appointment.local_date
    DateOverride.objects.create(
        schedule=Schedule.objects.get(practitioner=appointment.practitioner),
        date=day,
        kind="instead",
        start=dt.time(10),
        end=dt.time(11),
    )
    Closure.objects.create(name="Feriado", first_day=day, last_day=day, can_be_worked=can_be_worked)
    assert in_the_way(appointment) == expected


def test_neighbours_are_not_in_the_way() -> None:
    appointment = book()
    next_day = appointment.local_date + dt.timedelta(days=1)
    Closure.objects.create(name="Feriado", first_day=next_day, last_day=next_day)
    TimeOff.objects.create(
        practitioner=appointment.practitioner, starts_at=at(10, 30), ends_at=at(11)
    )
    assert in_the_way(appointment) == set()


def test_only_what_is_new_hits() -> None:
    before = {1: frozenset({("hours", 0)}), 2: frozenset({("closure", 1)}), 3: frozenset[Any]()}
    after = {1: frozenset({("hours", 0)}), 2: frozenset({("closure", 2)}), 3: frozenset[Any]()}
    assert newly_hit(before, after) == {2}


def test_the_questions_do_not_grow_with_the_appointments(
    django_assert_num_queries: Any,
) -> None:
    for n in range(5):
        book(offering=open_offering(), start=at(9 + n))
    rows = list(upcoming())
    with django_assert_num_queries(6):
        obstacles(rows)


def test_the_past_and_the_cancelled_are_not_asked_about() -> None:
    gone = book()
    services.cancel(appointment=gone, by=desk(), reason="x")
    book(start=at(9, days=-2), now=NOW - dt.timedelta(days=3))
    assert not hits.upcoming().exists()


# --- the pages that ask


def switched_off(client: Client, row: Any) -> tuple[str, dict[str, Any]]:
    data = admin_form(client, admin_page(row))
    del data["is_active"]
    return admin_page(row), data


@pytest.mark.parametrize(
    "path", ["patient", "practitioner", "service", "service.specialty", "location", "schedule"]
)
def test_switching_something_off_lists_whom_it_hits(client: Client, path: str) -> None:
    offering = open_offering()
    appointment = book(offering=offering)
    row: Any = appointment
    if path == "schedule":
        row = offering.schedule
    else:
        for name in path.split("."):
            row = getattr(row, name)
    url, data = switched_off(client, row)
    response = client.post(url, data)
    assert response.status_code == 422
    assert response.context["hits"] == [appointment]
    assert str(appointment.patient) in response.content.decode()
    row.refresh_from_db()
    assert row.is_active

    seen = {"ask": "1", "seen": str(appointment.public_id)}
    response = client.post(url, data | seen | {"hit": "keep"})
    assert response.status_code == 302
    row.refresh_from_db()
    assert not row.is_active
    assert Appointment.objects.get().status == Status.BOOKED


def test_cancelling_them_is_told_with_the_reason(client: Client) -> None:
    appointment = book()
    url, data = switched_off(client, appointment.practitioner)
    data |= {"ask": "1", "seen": str(appointment.public_id), "hit": "cancel"}
    response = client.post(url, data)
    assert response.status_code == 422
    assert "note" in response.context["question"].errors
    assert Appointment.objects.get().status == Status.BOOKED

    assert client.post(url, data | {"note": "La doctora se jubila"}).status_code == 302
    appointment = Appointment.objects.get()
    assert appointment.status == Status.CANCELLED
    assert appointment.cancellation_reason == "La doctora se jubila"
    event = appointment.events.last()
    assert event is not None
    assert event.by == User.objects.get(is_staff=True)


@pytest.mark.parametrize("choice", ["", "delete", "KEEP"])
def test_a_choice_is_one_of_the_two(client: Client, choice: str) -> None:
    appointment = book()
    url, data = switched_off(client, appointment.practitioner)
    data |= {"ask": "1", "seen": str(appointment.public_id), "hit": choice}
    assert client.post(url, data).status_code == 422
    appointment.practitioner.refresh_from_db()
    assert appointment.practitioner.is_active


def test_the_choice_holds_for_what_was_listed_only(client: Client) -> None:
    offering = open_offering()
    first = book(offering=offering)
    url, data = switched_off(client, offering.practitioner)
    second = book(offering=offering, start=at(12))
    data |= {"ask": "1", "seen": str(first.public_id), "hit": "cancel", "note": "x"}
    response = client.post(url, data)
    assert response.status_code == 422
    assert response.context["hits"] == [first, second]
    assert {a.status for a in Appointment.objects.all()} == {Status.BOOKED}


def test_what_hits_nobody_asks_nothing(client: Client) -> None:
    offering = open_offering()
    url, data = switched_off(client, offering.practitioner)
    assert client.post(url, data).status_code == 302
    appointment = book()
    page = admin_page(appointment.practitioner)
    assert client.post(page, admin_form(client, page) | {"title": "Lic."}).status_code == 302


def test_a_holiday_asks(client: Client) -> None:
    appointment = book()
    other = book(start=at(10, days=3))
    day = appointment.local_date.isoformat()
    data = {"name": "Feriado", "first_day": day, "last_day": day, "location": ""}
    response = client.post("/admin/clinic/closure/add/", data)
    assert response.context["hits"] == [appointment]
    assert not Closure.objects.exists()
    elsewhere = data | {"location": LocationFactory.create().pk}
    assert client.post("/admin/clinic/closure/add/", elsewhere).status_code == 302
    decided = {"ask": "1", "seen": str(appointment.public_id), "hit": "cancel", "note": "Feriado"}
    assert client.post("/admin/clinic/closure/add/", data | decided).status_code == 302
    status = dict(Appointment.objects.values_list("pk", "status"))
    assert status == {appointment.pk: Status.CANCELLED, other.pk: Status.BOOKED}


def test_a_holiday_asks_about_who_comes_on_its_eve_and_stays_into_it(client: Client) -> None:
    offering = open_offering(start=dt.time(20), end=dt.time(4))
    into_it = book(offering=offering, start=at(23, 45, days=2))
    until_then = book(offering=offering, start=at(23, 15, days=2))
    day = at(0, days=3).date()
    data = {"name": "Feriado", "first_day": day, "last_day": day, "location": ""}
    response = client.post("/admin/clinic/closure/add/", data)
    assert response.context["hits"] == [into_it]
    assert until_then.end == at(23, 45, days=2)
    assert not Closure.objects.exists()


def test_a_longer_holiday_asks_about_what_it_adds(client: Client) -> None:
    first = book()
    closure = Closure.objects.create(
        name="Feriado", first_day=first.local_date, last_day=first.local_date
    )
    second = book(start=at(10, days=2))
    data = admin_form(client, admin_page(closure)) | {"last_day": second.local_date.isoformat()}
    assert client.post(admin_page(closure), data).context["hits"] == [second]


@pytest.mark.parametrize("inline", ["hours", "overrides", "offerings"])
def test_changing_a_schedule_asks(client: Client, inline: str) -> None:
    offering = open_offering()
    appointment = book(offering=offering)
    url = admin_page(offering.schedule)
    data = admin_form(client, url)
    if inline == "hours":
        # The Tuesday now begins at eleven.
        data["hours-1-start"] = "11:00"
    elif inline == "overrides":
        data |= {
            "overrides-TOTAL_FORMS": 1,
            "overrides-0-schedule": offering.schedule_id,
            "overrides-0-date": appointment.local_date.isoformat(),
            "overrides-0-kind": DateOverride.Kind.CLOSED,
        }
    else:
        del data["offerings-0-is_active"]
    response = client.post(url, data)
    assert response.status_code == 422
    assert response.context["hits"] == [appointment]
    assert offering.schedule.overrides.count() == 0
    decided = {"ask": "1", "seen": str(appointment.public_id), "hit": "keep"}
    assert client.post(url, data | decided).status_code == 302


def test_removing_hours_asks(client: Client) -> None:
    offering = open_offering()
    appointment = book(offering=offering)
    url = admin_page(offering.schedule)
    response = client.post(url, admin_form(client, url) | {"hours-1-DELETE": "on"})
    assert response.context["hits"] == [appointment]
    assert offering.schedule.hours.count() == 7


def weekly(appointment: Appointment) -> dict[str, Any]:
    return {
        "practitioner": appointment.practitioner_id,
        "location": "",
        "reason": "Almuerzo",
        "starts_at_0": "",
        "starts_at_1": "",
        "ends_at_0": "",
        "ends_at_1": "",
        "weekday": 1,
        "start": "10:00",
        "end": "11:00",
    }


def test_time_off_asks(client: Client) -> None:
    appointment = book()
    add = "/admin/scheduling/timeoff/add/"
    assert client.post(add, weekly(appointment)).context["hits"] == [appointment]
    assert not TimeOff.objects.exists()
    decided = {"ask": "1", "seen": str(appointment.public_id), "hit": "keep"}
    assert client.post(add, weekly(appointment) | decided).status_code == 302
    row = TimeOff.objects.get()
    delete = reverse("admin:scheduling_timeoff_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not TimeOff.objects.exists()


def test_time_off_is_typed_on_the_clock_of_the_place(client: Client) -> None:
    appointment = book()
    location = appointment.location
    location.time_zone = "America/Mexico_City"
    location.save()
    data = weekly(appointment) | {"weekday": "", "start": "", "end": ""}
    data |= {"starts_at_0": "2026-12-01", "starts_at_1": "09:00:00"}
    data |= {"ends_at_0": "2026-12-01", "ends_at_1": "10:00:00"}
    assert client.post("/admin/scheduling/timeoff/add/", data).status_code == 302
    row = TimeOff.objects.get()
    assert row.starts_at == dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC)
    shown = client.get(admin_page(row)).content.decode()
    assert 'value="09:00:00"' in shown
    assert 'value="12:00:00"' not in shown
