"""A role is a fact: when the fact ends, an open session ends with it, at the next request."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import PatientAccess
from accounts.roles import Role
from appointments.models import AppointmentEvent
from appointments.tests.factories import NOW
from clinic.tests.world import World

pytestmark = pytest.mark.django_db


def inside(world: World, role: Role) -> Client:
    client = Client()
    client.force_login(world.users[role])
    return client


def switch_off(row: Any, field: str = "is_active") -> None:
    setattr(row, field, False)
    row.save(update_fields=[field])


@pytest.mark.parametrize(
    ("role", "page"),
    [
        (Role.PATIENT, "/turnos/"),
        (Role.PRACTITIONER, "/agenda/"),
        (Role.RECEPTION, "/recepcion/"),
        (Role.ADMINISTRATOR, "/admin/"),
    ],
)
def test_a_closed_account_is_out(world, role, page):
    client = inside(world, role)
    assert client.get(page).status_code == 200
    switch_off(world.users[role])
    assert client.get(page)["Location"] == f"/cuenta/ingresar/?next={page}"


@pytest.mark.parametrize(
    ("role", "fact", "field", "page"),
    [
        (Role.PRACTITIONER, "practitioner", "is_active", "/agenda/"),
        (Role.RECEPTION, "receptionist", "is_active", "/recepcion/"),
        (Role.ADMINISTRATOR, "", "is_staff", "/admin/"),
    ],
)
def test_who_no_longer_works_here_is_out(world, role, fact, field, page):
    client, user = inside(world, role), world.users[role]
    assert client.get(page).status_code == 200
    switch_off(getattr(user, fact) if fact else user, field)
    assert client.get(page).status_code == 403


def test_a_practitioner_who_left_moves_nothing(world):
    client = inside(world, Role.PRACTITIONER)
    switch_off(world.appointment.practitioner)
    before = AppointmentEvent.objects.count()
    for name in ("appointments:agenda_action", "appointments:agenda_cancel"):
        assert client.post(world.url(name), {"reason": "x"}).status_code == 403
    assert AppointmentEvent.objects.count() == before


def test_a_care_that_ended_while_the_form_was_open_cancels_nothing(world):
    client = inside(world, Role.PATIENT)
    url = world.url("appointments:cancel")
    assert client.get(url).status_code == 200
    PatientAccess.objects.filter(patient=world.appointment.patient).update(ended_at=NOW)
    assert client.post(url, {"reason": ""}).status_code == 404
    world.appointment.refresh_from_db()
    assert world.appointment.status == "booked"


def test_a_record_that_was_closed_shows_nothing_of_itself(world):
    client = inside(world, Role.PATIENT)
    switch_off(world.appointment.patient)
    names = ("detail", "cancel", "calendar")
    answers = {client.get(world.url(f"appointments:{name}")).status_code for name in names}
    assert answers == {404}
