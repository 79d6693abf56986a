"""The same races through the pages: what people see who press the button at one moment."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.factories import administrator, patient_user
from appointments.models import Appointment, AppointmentEvent, Hold
from appointments.tests.factories import NOW, at, book
from appointments.tests.race import overlaps_in_database, problems, together
from clinic.models import Organization
from notifications.models import Kind, Notification
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture(autouse=True)
def _monday(time_machine) -> None:
    time_machine.move_to(NOW, tick=False)
    Organization.current()


def crowd() -> int:
    return 20 if connection.vendor == "mysql" else 6


def press(
    user: User, offering: ServiceOffering, *, key: uuid.UUID | None = None, **more: str
) -> Any:
    """The button of the confirm page, ready to be pressed."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    start = at(10).astimezone(dt.UTC)
    url = f"/reservar/?offering={offering.pk}&start={start:%Y-%m-%dT%H:%MZ}"
    return functools.partial(client.post, url, {"key": str(key or uuid.uuid4()), **more})


def press_in_the_administration(user: User, offering: ServiceOffering, patient: User) -> Any:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    typed = {
        "patient": patient.patient_accesses.get().patient_id,
        "practitioner": offering.practitioner.pk,
        "service": offering.service_id,
        "location": "",
        "day": f"{at(10):%Y-%m-%d}",
        "time": f"{at(10):%H:%M}",
        "reason": "",
        "request_key": str(uuid.uuid4()),
    }
    return functools.partial(client.post, "/admin/appointments/appointment/add/", typed)


def statuses(answers: list[Any]) -> Counter[int]:
    strange = [a for a in answers if isinstance(a, Exception)]
    assert strange == []
    return Counter(answer.status_code for answer in answers)


def test_patients_and_administrators_at_one_slot():
    offering, boss = open_offering(), administrator()
    buttons = [press(patient_user(), offering) for _n in range(crowd())]
    buttons += [press_in_the_administration(boss, offering, patient_user()) for _n in range(4)]
    answers = statuses(together(buttons))
    assert answers == {302: 1, 409: len(buttons) - 1}
    assert Appointment.objects.count() == AppointmentEvent.objects.count() == 1
    assert overlaps_in_database() == {"practitioner": 0, "patient": 0, "room": 0}
    assert Notification.objects.filter(kind=Kind.BOOKED).count() == 1
    assert problems() == []


def test_a_time_that_many_press_is_kept_for_one_and_booked_by_that_one():
    offering = open_offering()
    people = [patient_user() for _n in range(crowd())]
    answers = together([press(user, offering, hold="1") for user in people])
    assert statuses(answers) == {302: 1, 409: crowd() - 1}
    owner = Hold.objects.get().user
    answers = together([press(user, offering) for user in people])
    assert statuses(answers) == {302: 1, 409: crowd() - 1}
    assert Appointment.objects.get().events.get().by == owner
    assert Hold.objects.count() == 0
    assert problems() == []


def test_one_form_pressed_many_times_leads_everybody_to_the_one_appointment():
    button = {"user": patient_user(), "offering": open_offering(), "key": uuid.uuid4()}
    answers = together([press(**button) for _n in range(crowd())])
    assert statuses(answers) == {302: crowd()}
    appointment = Appointment.objects.get()
    assert {a.url for a in answers} == {f"/turnos/{appointment.public_id}/"}
    assert Counter(Notification.objects.values_list("kind", flat=True)) == {
        Kind.BOOKED: 1,
        Kind.REMINDER: 1,
        Kind.PRACTITIONER_NEW: 1,
    }
    assert problems() == []


def test_cancelling_many_times_at_once_is_one_change_and_one_mail():
    user = patient_user()
    appointment = book(patient=user.patient_accesses.get().patient, start=at(10, days=3))

    def button() -> Any:
        client = Client(raise_request_exception=False)
        client.force_login(user)
        url = f"/turnos/{appointment.public_id}/cancelar/"
        return functools.partial(client.post, url, {"reason": ""})

    answers = statuses(together([button() for _n in range(8)]))
    assert answers[302] == 1
    assert set(answers) <= {302, 409}
    assert appointment.events.filter(verb="cancel").count() == 1
    assert appointment.notifications.filter(kind=Kind.CANCELLED).count() == 1
    assert problems() == []
