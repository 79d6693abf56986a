"""Who waits, at the desk: what concerns its locations, how to reach them, and nothing else."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import ReceptionistFactory, administrator, patient_user
from appointments import waiting
from appointments.models import WaitingListEntry
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, main_part, words
from appointments.tests.waiting import waits
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("this_morning"),
    pytest.mark.once,
]

URL = "/recepcion/avisos/"


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def wait(offering: ServiceOffering, name: str = "Gómez", **wish) -> WaitingListEntry:
    user = patient_user()
    patient = user.patient_accesses.get().patient
    patient.first_name, patient.last_name, patient.phone = "Ana", name, "+541148650001"
    patient.save()
    return waits(offering, user, patient=patient, **wish)


def test_who_since_when_for_what_and_how_to_reach_them(desk, offering):
    entry = wait(offering, weekdays=[0, 4], parts=[2], practitioner=offering.practitioner)
    page = desk.get(URL)
    said = words(page)
    assert "1 alert, whoever" in said
    assert f"{offering.service} · {offering.practitioner}" in said
    for part in (
        "Ana Gómez",
        "Waiting since Monday 23 November 2026",
        "From Monday 23 November 2026 to Sunday 21 February 2027",
        "Monday; Friday",
        "Evening, from 18:00",
        "+54 11 4865-0001",
    ):
        assert part in said
    assert f'href="/recepcion/pacientes/{entry.patient.public_id}/"' in main_part(page)


def test_in_the_order_of_the_queue_and_only_who_waits(desk, offering):
    wait(offering, "Zárate")
    wait(offering, "Ibarra", now=NOW + dt.timedelta(minutes=5))
    waiting.end(entry=wait(offering, "Gómez"), now=NOW)
    said = words(desk.get(URL))
    assert said.index("Ana Zárate") < said.index("Ana Ibarra")
    assert "Ana Gómez" not in said


def test_only_what_concerns_its_locations(desk, offering):
    elsewhere = open_offering()
    wait(elsewhere, "Acosta")
    wait(offering, "Benítez", location=elsewhere.location)
    colleague = open_offering(service=offering.service).practitioner
    wait(offering, "Castro", practitioner=colleague)
    wait(elsewhere, "Duarte", specialty=elsewhere.service.specialty)
    wait(offering, "Echeverría", specialty=offering.service.specialty)
    wait(offering, "Funes", location=offering.location)
    said = words(desk.get(URL))
    assert [name for name in ("Echeverría", "Funes") if name in said] == ["Echeverría", "Funes"]
    assert not [name for name in ("Acosta", "Benítez", "Castro", "Duarte") if name in said]
    assert "2 alerts, whoever" in said
    assert "6 alerts, whoever" in words(browser(administrator()).get(URL))


def test_the_appointment_to_come_before_if_it_is_here(desk, offering):
    user, away = patient_user(), open_offering(service=offering.service)
    patient = user.patient_accesses.get().patient
    here = book(offering=offering, patient=patient, start=at(10, days=9))
    there = book(offering=away, patient=patient, start=at(10, days=8))
    for visit in (here, there):
        waits(offering, user, instead_of=visit)
    page = main_part(desk.get(URL))
    assert f"/recepcion/turnos/{here.public_id}/" in page
    assert "Wednesday 2 December 2026, 10:00" in page
    assert str(there.public_id) not in page
    assert "Tuesday 1 December 2026, 10:00" not in page


def test_nobody_waits(desk, offering):
    assert "Nobody waits" in words(desk.get(URL))
    wait(open_offering())
    assert "Nobody waits" in words(desk.get(URL))


def test_who_may_not(offering):
    for user in (patient_user(), account_of(offering)):
        assert browser(user).get(URL).status_code == 403
    assert browser().get(URL).status_code == 302
    assert browser(administrator()).post(URL).status_code == 405


def test_the_day_leads_there(desk):
    assert f'href="{URL}"' in main_part(desk.get("/recepcion/"))


@pytest.mark.parametrize("page", ["0", "99", "x", "1" + "0" * 30, "\x00"])
def test_odd_pages(desk, offering, page):
    wait(offering)
    assert "Ana Gómez" in words(desk.get(URL, {"page": page}))


def test_as_many_questions_for_a_page_as_for_one(desk, offering):
    first = wait(offering)

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert desk.get(URL).status_code == 200
        return len(asked)

    questions()
    one = questions()
    for _n in range(40):
        first.pk, first.public_id = None, WaitingListEntry().public_id
        first.save(force_insert=True)
    assert questions() == one
    assert "41 alerts" in words(desk.get(URL))
    assert "page=2" in main_part(desk.get(URL))
