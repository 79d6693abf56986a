"""The history of an appointment in plain words."""

import pytest
from django.utils import translation

from accounts.roles import Actor, Role
from accounts.tests.factories import UserFactory, patient_user
from appointments import history, services
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, doctor_of, new_practice

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english():
    with translation.override("en"):
        yield


def told(appointment, reader):
    return [history.line(event, reader).deed for event in appointment.events.all()]


def test_the_whole_life_in_order():
    offering = new_practice(confirmation="manual")
    user = patient_user()
    visit = book(
        offering=offering,
        by=Actor.patient(user),
        patient=user.patient_accesses.get().patient,
    )
    marta = Actor(UserFactory.create(name="Marta Ruiz"), Role.RECEPTION)
    services.confirm(appointment=visit, by=doctor_of(offering), now=NOW)
    services.mark_arrived(appointment=visit, by=marta, now=at(10))
    services.mark_fulfilled(appointment=visit, by=doctor_of(offering), now=at(10))
    assert told(visit, account_of(offering)) == [
        "Requested by the patient",
        "Confirmed by you",
        "Arrived by reception (Marta Ruiz)",
        "Seen by you",
    ]


def test_a_cancellation_keeps_its_reason():
    offering = new_practice()
    visit = book(offering=offering)
    services.cancel(appointment=visit, by=doctor_of(offering), reason="Congreso", now=NOW)
    line = history.last_line(visit, UserFactory.create())
    assert line
    assert (line.what, line.who) == ("Cancelled", "by the practitioner (Lucía Ferreyra)")
    assert (line.note, line.at) == ("Congreso", NOW)


def test_what_nobody_did_names_nobody():
    offering = new_practice(confirmation="manual")
    user = patient_user()
    visit = book(
        offering=offering, by=Actor.patient(user), patient=user.patient_accesses.get().patient
    )
    services.expire(appointment=visit, by=Actor.system(), now=at(10))
    assert told(visit, user) == [
        "Requested by you",
        "Cancelled, because nobody answered the request in time",
    ]
