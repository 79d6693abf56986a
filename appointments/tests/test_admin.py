"""No path of the administration goes round a promise."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import threading
from html import unescape
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import PatientFactory
from appointments import services
from appointments.export import safe
from appointments.models import Appointment, AppointmentEvent, OccupancyCell
from appointments.tests.factories import NOW, at, book
from appointments.transitions import Status
from clinic.models import AuditEvent
from clinic.tests.factories import LocationFactory, RoomFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import (
    ScheduleFactory,
    ServiceOfferingFactory,
    open_offering,
    open_week,
)

LIST = "/admin/appointments/appointment/"
ADD = f"{LIST}add/"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]


@pytest.fixture
def client(admin: Client) -> Client:
    return admin


def page(appointment: Appointment) -> str:
    return reverse("admin:appointments_appointment_change", args=[appointment.pk])


def typed(
    offering: ServiceOffering, start: dt.datetime | None = None, **other: Any
) -> dict[str, Any]:
    """The booking form as an administrator fills it in."""
    start = start or at(10)
    return {
        "patient": PatientFactory.create().pk,
        "practitioner": offering.practitioner.pk,
        "service": offering.service.pk,
        "location": "",
        "day": f"{start:%Y-%m-%d}",
        "time": f"{start:%H:%M}",
        "reason": "",
        "request_key": "",
    } | other


def errors(response: Any) -> str:
    return str(response.context["adminform"].form.errors)


# --- booking


def test_booking_goes_through_the_verb(client: Client, boss: User) -> None:
    offering = open_offering(confirmation="manual")
    response = client.post(ADD, typed(offering, reason="Control"))
    made = Appointment.objects.get()
    assert response["Location"] == page(made)
    assert (made.start, made.status, made.reason) == (at(10), Status.BOOKED, "Control")
    assert OccupancyCell.objects.filter(appointment=made).count() == 12
    event = AppointmentEvent.objects.get()
    assert (event.verb, event.by, event.role, event.source) == (
        "book",
        boss,
        "administrator",
        "admin",
    )


def test_the_time_is_the_one_on_the_wall_of_the_location(client: Client) -> None:
    schedule = ScheduleFactory.create(location__time_zone="America/Mexico_City")
    open_week(schedule)
    offering = ServiceOfferingFactory.create(schedule=schedule)
    client.post(ADD, typed(offering))
    assert Appointment.objects.get().start == at(10) + dt.timedelta(hours=3)


def test_an_occupied_time_is_an_error_of_the_form(client: Client) -> None:
    offering = open_offering()
    book(offering=offering)
    response = client.post(ADD, typed(offering, start=at(10, 15)))
    assert response.status_code == 409
    assert "This time has just been taken." in errors(response)
    assert response.context["adminform"].form["time"].value() == "10:15"
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (at(20), "There are no appointments at this time any more"),
        (at(10, days=-1), "This time has already passed."),
    ],
)
def test_other_refusals_are_too(client: Client, start: dt.datetime, sentence: str) -> None:
    response = client.post(ADD, typed(open_offering(), start=start))
    assert response.status_code == 409
    assert sentence in errors(response)
    assert not Appointment.objects.exists()


def test_a_room_is_given_to_one_at_a_time(client: Client) -> None:
    offering = open_offering()
    room = RoomFactory.create(location=offering.location)
    client.post(ADD, typed(offering, room=room.pk))
    assert Appointment.objects.get().room == room
    other = open_offering(schedule__location=offering.location)
    response = client.post(ADD, typed(other, start=at(10, 15), room=room.pk))
    assert response.status_code == 409
    assert "Somebody else has this room at that time." in errors(response)
    assert Appointment.objects.count() == 1


def test_a_room_is_where_the_practitioner_is(client: Client) -> None:
    room = RoomFactory.create()
    response = client.post(ADD, typed(open_offering(), room=room.pk))
    assert response.status_code == 422
    assert "This room is at another location." in response.content.decode()
    assert f"{room.location} · {room.name}" in response.content.decode()
    assert not Appointment.objects.exists()


def test_a_patient_cannot_be_in_two_places(client: Client) -> None:
    elsewhere = book()
    response = client.post(ADD, typed(open_offering(), patient=elsewhere.patient_id))
    assert response.status_code == 409
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize("field", ["patient", "practitioner", "service", "day", "time"])
def test_a_booking_needs_each_part(client: Client, field: str) -> None:
    response = client.post(ADD, typed(open_offering(), **{field: ""}))
    assert response.status_code == 422
    assert field in response.context["adminform"].form.errors


def test_what_is_not_given_there_is_said(client: Client) -> None:
    response = client.post(
        ADD, typed(open_offering(), practitioner=open_offering().practitioner.pk)
    )
    assert response.status_code == 422
    assert "does not give this service there." in errors(response)


def test_several_places_are_asked_about(client: Client) -> None:
    first = open_offering()
    second = ScheduleFactory.create(
        practitioner=first.practitioner, location=LocationFactory.create(name="Sede Sur")
    )
    open_week(second)
    ServiceOfferingFactory.create(schedule=second, service=first.service)
    response = client.post(ADD, typed(first))
    assert "Sede Sur" in errors(response)
    client.post(ADD, typed(first, location=second.location_id))
    assert Appointment.objects.get().location == second.location


def test_a_time_off_the_grid_is_no_time(client: Client) -> None:
    response = client.post(ADD, typed(open_offering(), time="10:03"))
    assert response.status_code == 422
    assert not Appointment.objects.exists()


def test_the_same_form_twice_is_one_appointment(client: Client) -> None:
    data = typed(open_offering(), request_key="7f6a4a0e-5b0f-4f64-8a39-0d7a6f5b5a11")
    first, second = (client.post(ADD, data)["Location"] for _n in range(2))
    assert first == second
    assert Appointment.objects.count() == 1


def test_the_key_alone_is_an_error_of_the_form_too(client: Client, monkeypatch: Any) -> None:
    """Somebody wrote past the lock: the database refuses, and nothing answers 500."""
    offering = open_offering()
    book(offering=offering)
    monkeypatch.setattr(
        "appointments.availability.busy_time", lambda *a: {offering.practitioner.pk: []}
    )
    response = client.post(ADD, typed(offering))
    assert response.status_code == 409
    assert "This time has just been taken." in errors(response)
    assert Appointment.objects.count() == 1


def test_a_deadlock_that_does_not_pass_asks_to_save_again(client: Client, monkeypatch: Any) -> None:
    def deadlock(**kwargs: Any) -> None:
        raise OperationalError(1213, "Deadlock found")

    monkeypatch.setattr(services, "book", deadlock)
    response = client.post(ADD, typed(open_offering()))
    assert response.status_code == 409
    assert "Save again." in errors(response)


@pytest.mark.django_db(transaction=True)
def test_two_administrators_at_one_time(boss: User) -> None:
    offering = open_offering()
    forms = [typed(offering), typed(offering)]
    clients = [Client(), Client()]
    for one in clients:
        one.force_login(boss)
    start, codes = threading.Barrier(2), []

    def save(one: Client, data: dict[str, Any]) -> None:
        start.wait()
        codes.append(one.post(ADD, data).status_code)
        connection.close()

    threads = [
        threading.Thread(target=save, args=pair) for pair in zip(clients, forms, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [302, 409]
    assert Appointment.objects.count() == 1


# --- looking, and nothing else


def test_a_posted_change_form_has_no_effect(client: Client) -> None:
    appointment = book()
    before = Appointment.objects.values().get()
    data = {"status": "cancelled", "start_0": "2026-12-01", "start_1": "9:00", "patient": "1"}
    assert client.post(page(appointment), data).status_code == 403
    assert client.post(LIST, {"form-0-status": "cancelled", "_save": "1"}).status_code in {
        200,
        302,
        403,
    }
    assert Appointment.objects.values().get() == before


def test_nobody_deletes(client: Client) -> None:
    appointment = book()
    url = reverse("admin:appointments_appointment_delete", args=[appointment.pk])
    assert client.get(url).status_code == 403
    assert client.post(url, {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": appointment.pk, "post": "yes"}
    client.post(LIST, data)
    assert Appointment.objects.count() == 1
    assert AppointmentEvent.objects.count() == 1


def test_reading_is_logged(client: Client, boss: User) -> None:
    appointment = book()
    client.get(page(appointment))
    client.get(reverse("admin:accounts_patient_change", args=[appointment.patient_id]))
    assert list(AuditEvent.objects.order_by("pk").values_list("actor", "action", "target")) == [
        (boss.email, "appointment.read", f"appointments.appointment:{appointment.pk}"),
        (boss.email, "patient.read", f"accounts.patient:{appointment.patient_id}"),
    ]


@pytest.mark.parametrize("rows", [1, 30])
def test_the_list_asks_a_constant_number_of_questions(
    client: Client, django_assert_max_num_queries: Any, rows: int
) -> None:
    for n in range(rows):
        book(offering=open_offering(), start=at(9 + n % 8))
    client.get(LIST)
    with django_assert_max_num_queries(19):
        assert client.get(LIST).context["cl"].result_count == rows


@pytest.fixture
def some_days(this_morning: Any) -> dict[int, Appointment]:
    """A visit of each of these days, counted from today; today's began an hour ago."""
    offering = open_offering()
    patient = PatientFactory.create(last_name="Pérez")
    long_ago = NOW - dt.timedelta(days=60)
    days = (9, -40, 0, 1, -1)
    visits = {
        d: book(offering=offering, patient=patient, start=at(9, days=d), now=long_ago) for d in days
    }
    this_morning.move_to(at(10, days=0), tick=False)
    return visits


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 9]),
        ("day=from_today", [0, 1, 9]),
        ("day=week", [0, 1]),
        ("day=last30", [0, -1]),
        ("day=past", [-1, -40]),
        ("day=all", [9, 1, 0, -1, -40]),
        ("q=perez", [9, 1, 0, -1, -40]),
        ("q=perez&day=past", [-1, -40]),
        ("local_date__year=2026&local_date__month=10", [-40]),
        ("status__exact=booked", [0, 1, 9]),
        ("o=-1", [9, 1, 0]),
    ],
)
def test_the_list_opens_on_today_and_what_comes(
    client: Client, some_days: dict[int, Appointment], query: str, expected: list[int]
) -> None:
    """A search, and a year that is chosen, find what has been as well."""
    found = client.get(f"{LIST}?{query}").context["cl"].result_list
    day_of = {visit.pk: days for days, visit in some_days.items()}
    assert [day_of[row.pk] for row in found] == expected


@pytest.mark.parametrize(
    ("query", "chosen"), [("", "from_today"), ("q=x", "all"), ("day=past", "past"), ("day=x", None)]
)
def test_the_list_says_which_days_it_shows(client: Client, query: str, chosen: str | None) -> None:
    cl = client.get(f"{LIST}?{query}").context["cl"]
    choices = list(cl.filter_specs[0].choices(cl))
    # From today on, where that is usual, is no choice.
    days = [parse_qs(c["query_string"][1:]).get("day", ["from_today"])[0] for c in choices]
    assert [day for day, c in zip(days, choices, strict=True) if c["selected"]] == (
        [chosen] if chosen else []
    )
    assert days == ["from_today", "today", "tomorrow", "week", "last30", "past", "all"]
    assert ("day" in choices[0]["query_string"]) is query.startswith("q=")


def test_to_show_all_shows_all(client: Client, some_days: dict[int, Appointment]) -> None:
    shown = client.get(f"{LIST}?q=nobody").content.decode()
    link = re.search(r'class="small quiet">[^<]*<a href="([^"]+)"', shown)
    assert client.get(LIST + unescape(link[1])).context["cl"].result_count == 5


def test_what_was_ticked_is_meant_whatever_its_day(
    client: Client, some_days: dict[int, Appointment]
) -> None:
    """A page that was opened yesterday; and all that the list shows are those from today on."""
    answer = act(client, "no_show", some_days[-1])
    assert answer.context["possible"] == [some_days[-1]]
    answer = act(client, "cancel", some_days[1], select_across="1")
    assert answer.context["possible"] == [some_days[days] for days in (0, 1, 9)]


def test_the_appointments_of_somebody_are_all_of_them(
    client: Client, some_days: dict[int, Appointment]
) -> None:
    patient = some_days[0].patient
    shown = client.get(reverse("admin:accounts_patient_change", args=[patient.pk]))
    link = re.search(rf'href="({LIST}[^"]+)"[^>]*>[^<]*\(5\)', shown.content.decode())
    assert client.get(unescape(link[1])).context["cl"].result_count == 5


def test_pages_of_people_do_not_become_selects(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    PatientFactory.create_batch(200)
    appointment = book()
    patient = reverse("admin:accounts_patient_change", args=[appointment.patient_id])
    for url in (patient, page(appointment), ADD):
        client.get(url)
        with django_assert_max_num_queries(14):
            response = client.get(url)
        assert response.content.count(b"<option") < 40


@pytest.mark.parametrize("query", ["perez", "PÉREZ", "josé perez", "{reference}", "ferreyra"])
def test_people_are_found_accents_and_case_aside(client: Client, query: str) -> None:
    wanted = book(patient=PatientFactory.create(first_name="José", last_name="Pérez"))
    book(patient=PatientFactory.create(first_name="Ana", last_name="López"), start=at(12))
    q = query.format(reference=wanted.reference.lower())
    found = client.get(LIST, {"q": q}).context["cl"].result_list
    assert wanted in found
    assert len(found) == (2 if query == "ferreyra" else 1)


def test_autocomplete_offers_who_can_still_be_booked(client: Client) -> None:
    PatientFactory.create(last_name="Pérez")
    PatientFactory.create(last_name="Pérez", is_active=False)
    query = {"app_label": "appointments", "model_name": "appointment", "field_name": "patient"}
    found = client.get("/admin/autocomplete/", query | {"term": "perez"}).json()["results"]
    assert [row["text"] for row in found] == ["Pérez, Ana"]


# --- moving


def act(client: Client, name: str, *rows: Appointment, **more: Any) -> Any:
    data = {"action": name, "_selected_action": [row.pk for row in rows], **more}
    return client.post(LIST, data, follow="decided" in more)


@pytest.mark.parametrize(
    ("name", "hours", "status"),
    [
        ("arrived", 10, Status.ARRIVED),
        ("attended", 10, Status.FULFILLED),
        ("no_show", 9, Status.NOSHOW),
        ("cancel", 10, Status.CANCELLED),
    ],
)
def test_actions_name_the_rows_and_then_call_the_verb(
    client: Client, boss: User, name: str, hours: int, status: Status
) -> None:
    appointment = book(start=at(hours, days=0))
    with time_machine.travel(NOW + dt.timedelta(hours=1, minutes=5)):
        asked = act(client, name, appointment)
        assert asked.status_code == 200
        assert asked.context["possible"] == [appointment]
        assert str(appointment.patient) in asked.content.decode()
        assert Appointment.objects.get().status == Status.BOOKED
        act(client, name, appointment, decided="yes", reason="Se enfermó la médica")
    assert Appointment.objects.get().status == status
    event = AppointmentEvent.objects.last()
    assert event is not None
    assert (event.by, event.source) == (boss, "admin")


def test_confirming(client: Client, boss: User) -> None:
    offering = open_offering(confirmation="manual")
    asked = book(offering=offering, by=Actor.patient(boss))
    assert asked.status == Status.PENDING
    act(client, "confirm", asked, decided="yes")
    assert Appointment.objects.get().status == Status.BOOKED


def test_cancelling_needs_a_reason(client: Client) -> None:
    appointment = book()
    response = act(client, "cancel", appointment, decided="yes", reason=" ")
    assert response.status_code == 422
    assert "the patient will read it." in response.content.decode()
    assert Appointment.objects.get().status == Status.BOOKED


def test_what_cannot_be_done_is_named_and_left_alone(client: Client) -> None:
    early = book()
    response = act(client, "arrived", early)
    assert response.context["possible"] == []
    assert [row for row, _why in response.context["impossible"]] == [early]
    followed = act(client, "arrived", early, decided="yes")
    assert [early.reference in str(message) for message in followed.context["messages"]] == [True]
    assert Appointment.objects.get().status == Status.BOOKED


def test_the_page_of_an_appointment_shows_what_can_be_done_now(client: Client) -> None:
    appointment = book()
    buttons = [name for name, _move in client.get(page(appointment)).context["buttons"]]
    assert buttons == ["cancel"]
    with time_machine.travel(at(11)):
        client.force_login(User.objects.get(is_staff=True))
        buttons = [name for name, _move in client.get(page(appointment)).context["buttons"]]
    assert buttons == ["arrived", "attended", "no_show", "cancel"]


# --- the file


def test_the_file_opens_safely_in_a_spreadsheet(client: Client, boss: User) -> None:
    patient = PatientFactory.create(first_name="Zoë", last_name="=HYPERLINK(1)")
    appointment = book(patient=patient, reason="secret")
    response = act(client, "export", appointment)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = response.getvalue().decode()  # type: ignore[attr-defined]
    assert text.startswith("\ufeff")
    assert "secret" not in text
    heading, row = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert len(heading) == len(row) == 10
    assert row[:6] == [
        appointment.reference,
        "2026-11-24",
        "10:00",
        "10:30",
        "America/Argentina/Buenos_Aires",
        "'=HYPERLINK(1), Zoë",
    ]
    assert AuditEvent.objects.get().details == {"rows": 1}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\tx", "\rx", "\nx"])
def test_a_cell_is_never_a_formula(text: str) -> None:
    assert safe(text) == f"'{text}"


def test_other_cells_stay_as_they_are() -> None:
    assert safe("Pérez-García = 1") == "Pérez-García = 1"
