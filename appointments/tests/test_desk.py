"""The day at the desk: contact, nothing clinical, only one's own locations."""

import pytest
from django.urls import reverse

from accounts.tests.factories import (
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, doctor_of, new_practice, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

TOMORROW = "/recepcion/?dia=2026-11-24"


@pytest.fixture
def offering():
    return new_practice()


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def visit_of(offering, **fields):
    patient = PatientFactory.create(first_name="Ana", last_name="Gómez", phone="+541148650001")
    return book(offering=offering, patient=patient, reason="Dolor de rodilla", **fields)


def test_the_desk_sees_contact_and_nothing_clinical(desk, offering):
    visit_of(offering)
    text = words(desk.get(TOMORROW))
    assert (
        f"10:00 Ana Gómez +54 11 4865-0001 Dra. Lucía Ferreyra {offering.service} ● Confirmed"
    ) in text
    assert "1 appointment" in text
    assert "Dolor" not in text


def test_a_reason_of_cancelling_is_not_shown_either(desk, offering):
    visit = visit_of(offering)
    services.cancel(appointment=visit, by=doctor_of(offering), reason="Espera un análisis", now=NOW)
    text = words(desk.get(TOMORROW))
    assert "Cancelled" in text
    assert "análisis" not in text
    assert "0 appointments" in text


def test_all_practitioners_of_the_location_and_no_other(desk, offering):
    visit_of(offering)
    colleague = new_practice(schedule__location=offering.location)
    theirs = book(
        offering=colleague, start=at(9), patient=PatientFactory.create(last_name="Zárate")
    )
    elsewhere = book(
        offering=new_practice(), start=at(11), patient=PatientFactory.create(last_name="Ibarra")
    )
    text = words(desk.get(TOMORROW))
    assert text.index(theirs.patient.full_name) < text.index("Ana Gómez")
    assert elsewhere.patient.full_name not in text


def test_the_administrator_sees_every_location(offering):
    visit_of(offering)
    elsewhere = book(offering=new_practice(), start=at(11))
    text = words(browser(administrator()).get(TOMORROW))
    assert "Ana Gómez" in text
    assert f"{elsewhere.location}" in text


def test_today_and_the_days_around(desk, offering):
    response = desk.get("/recepcion/")
    assert "Reception · today" in words(response)
    page = response.content.decode()
    assert 'href="?dia=2026-11-22"' in page
    assert 'href="?dia=2026-11-24"' in page


@pytest.mark.parametrize(
    "day", ["0000-00-00", "2026-02-30", "9999-12-31", "x" * 10_000, "%00", "1" * 5000]
)
def test_what_is_no_day_shows_today(desk, day):
    response = desk.get(f"/recepcion/?dia={day}")
    assert response.status_code == 200
    assert "Monday 23 November 2026" in words(response)


def test_an_empty_day_says_what_will_be_here(desk):
    assert "What is booked for this day will be here." in words(desk.get("/recepcion/"))


def test_a_desk_without_a_location_says_so():
    client = browser(ReceptionistFactory.create().user)
    assert "Your desk has no location yet." in words(client.get("/recepcion/"))


def test_the_desk_asks_as_often_for_thirty(offering, django_assert_max_num_queries):
    desk = browser(ReceptionistFactory.create(locations=[offering.location]).user)
    visit_of(offering)
    with django_assert_max_num_queries(15) as one:
        desk.get(TOMORROW)
    for _n in range(29):
        colleague = new_practice(schedule__location=offering.location)
        book(offering=colleague)
    with django_assert_max_num_queries(15) as many:
        desk.get(TOMORROW)
    assert len(many) == len(one)


def test_nobody_else_comes_in(offering):
    assert browser(account_of(offering)).get("/recepcion/").status_code == 403
    assert browser(patient_user()).get("/recepcion/").status_code == 403
    response = browser().get("/recepcion/")
    assert response["Location"] == f"{reverse('account_login')}?next=/recepcion/"


def test_the_desk_only_reads(desk):
    assert desk.post("/recepcion/").status_code == 405
