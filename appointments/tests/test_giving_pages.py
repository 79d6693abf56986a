"""Giving an appointment: from a gap to done in three pages, at the desk and in the agenda."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest

from accounts.roles import Role
from accounts.tests.factories import (
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    doctor_of,
    main_part,
    new_practice,
    words,
)
from scheduling.models import ServiceOffering
from scheduling.tests.factories import ServiceOfferingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]

DESK, AGENDA = "/recepcion/dar-turno/", "/agenda/dar-turno/"


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice()


@pytest.fixture
def receptionist(offering):
    return ReceptionistFactory.create(locations=[offering.location])


@pytest.fixture
def desk(receptionist):
    return browser(receptionist.user)


@pytest.fixture
def ana():
    return PatientFactory.create(first_name="Ana", last_name="Muñoz", document_number="30.123.456")


def where(offering: ServiceOffering, hour: str = "10:00", **more: Any) -> dict[str, Any]:
    return {"servicio": offering.pk, "dia": "2026-11-24", "hora": hour, **more}


def test_a_number_stays_out_of_every_address(desk, offering, ana):
    """The search is sent; reloading, other times and registering keep it by its key."""
    answer = desk.post(DESK, {"find": "1", "q": "30123456", **where(offering)})
    assert (answer.status_code, "30123456" in answer["Location"]) == (302, False)
    page = desk.get(answer["Location"])
    assert ana.full_name in words(page)
    links = re.findall(r'(?:href|action)="([^"]*)"', main_part(page))
    assert not [link for link in links if "30123456" in link]
    slot = next(link for link in links if "hora=11%3A00" in link).replace("&amp;", "&")
    assert ana.full_name in words(desk.get(slot))
    new = next(link for link in links if "nuevo" in link).replace("&amp;", "&")
    assert 'name="document_number" value="30123456"' in desk.get(new).content.decode()
    press(desk, page, ana)
    assert Appointment.objects.get().patient == ana


def test_a_search_that_makes_no_sense_keeps_what_was_typed(desk, offering):
    sent = {"find": "1", "q": "ana", **where(offering, hour="25:99")}
    page = desk.post(DESK, sent, follow=True)
    assert (page.status_code, 'value="25:99"' in page.content.decode()) == (422, True)


def press(client, response, patient) -> Any:
    """The button with this patient's name, as the page carries it."""
    page = main_part(response)
    assert f'value="{patient.public_id}"' in page
    found = re.search(r'<form method="post" action="([^"]+)"', page)
    assert found
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key
    data = {"paciente": patient.public_id, "key": key[1]}
    return client.post(found[1].replace("&amp;", "&"), data)


def test_from_a_gap_to_done_in_two_clicks_and_a_name(desk, offering, ana):
    day = desk.get("/recepcion/?dia=2026-11-24")
    gap = re.search(r'href="(/recepcion/dar-turno/\?horario=[^"]+)"', main_part(day))
    assert gap
    first = desk.get(gap[1].replace("&amp;", "&"))
    assert "Tuesday 24 November 2026, 9:00" in words(first)
    second = desk.get(DESK, where(offering, "9:00", q="munoz a"))
    done = press(desk, second, ana)
    visit = Appointment.objects.get()
    assert (visit.start, visit.patient, visit.status) == (at(9), ana, "booked")
    assert visit.events.get().role == Role.RECEPTION
    assert done["Location"] == (
        f"/recepcion/?sede={offering.location.slug}&dia=2026-11-24#turno-{visit.reference}"
    )
    assert "Given: Ana Muñoz" in words(desk.get(done["Location"]))


def test_the_hour_that_comes_twice_is_given_twice(ana):
    """In the last October night in Madrid the clock shows 2:00 to 3:00 again."""
    night = new_practice(
        schedule__location__time_zone="Europe/Madrid", start=dt.time(1), end=dt.time(5)
    )
    client = browser(administrator())
    day = {"servicio": night.pk, "dia": "2027-10-31"}
    links = re.findall(r'class="slot" href="([^"]+)"', main_part(client.get(DESK, day)))
    assert [link.replace("&amp;", "&").split("dia=")[1] for link in links][2:6] == [
        "2027-10-31&hora=02%3A00",
        "2027-10-31&hora=02%3A30",
        "2027-10-31&hora=02%3A00&vez=2",
        "2027-10-31&hora=02%3A30&vez=2",
    ]
    first = {**day, "hora": "2:30", "paciente": ana.public_id}
    page = client.get(DESK, first)
    assert "31 October 2027, 2:30 (before the clock change) Consulta" in words(page)
    press(client, page, ana)
    gaps = main_part(client.get(f"/recepcion/?sede={night.location.slug}&dia=2027-10-31"))
    assert "&amp;hora=2:00&amp;vez=2" in gaps
    page = client.get(DESK, {**first, "vez": "2"})
    assert "31 October 2027, 2:30 (after the clock change) Consulta" in words(page)
    press(client, page, ana)
    starts = [visit.start for visit in Appointment.objects.order_by("start")]
    assert starts == [dt.datetime(2027, 10, 31, hour, 30, tzinfo=dt.UTC) for hour in (0, 1)]


def test_the_first_free_time_is_filled_in(desk, offering):
    book(offering=offering, start=at(9, days=0))
    text = words(desk.get(DESK))
    assert "Monday 23 November 2026, 9:30" in text


def test_what_is_given_most_often_is_filled_in(desk, offering):
    other = ServiceOfferingFactory.create(schedule=offering.schedule)
    for hour in (9, 10):
        book(offering=other, start=at(hour))
    text = words(desk.get(DESK, {"horario": offering.schedule_id}))
    assert f"{other.service}, 30 min · {offering.practitioner}" in text


def test_what_the_patient_had_last_is_filled_in(desk, offering, ana):
    colleague = new_practice(schedule__location=offering.location)
    for one, days in ((offering, 1), (colleague, 2), (new_practice(), 3)):
        book(offering=one, patient=ana, start=at(10, days=days))
    text = words(desk.get(DESK, {"paciente": ana.public_id}))
    assert f"{colleague.service}, 30 min · {colleague.practitioner}" in text


def test_the_free_times_of_the_day_are_links(desk, offering):
    book(offering=offering)
    page = main_part(desk.get(DESK, where(offering, "11:00")))
    times = re.findall(r'class="slot" href="[^"]+"[^>]*>([^<]+)', page)
    assert "10:00" not in times
    assert times[:3] == ["9:00", "9:30", "10:30"]


def test_the_same_form_twice_is_one_appointment(desk, offering, ana):
    data = {"paciente": ana.public_id, "key": uuid.uuid4()}
    url = f"{DESK}?servicio={offering.pk}&dia=2026-11-24&hora=10:00"
    first, second = desk.post(url, data), desk.post(url, data)
    assert first["Location"] == second["Location"]
    assert Appointment.objects.count() == 1


def test_who_only_looks_has_lost_nothing(desk, offering, ana):
    book(offering=offering)
    looked = words(desk.get(DESK, where(offering, q="ana")))
    assert "This time is taken. Choose another time below." in looked
    assert "Choose a free time first." in looked
    closed = words(desk.get(DESK, where(offering, "18:00")))
    assert "This time is outside the hours." in closed


def test_who_walks_in_outside_the_hours_is_led_to_the_next_time(desk, offering, ana):
    page = desk.get(DESK, {"servicio": offering.pk, "ahora": "1", "paciente": ana.public_id})
    assert "This time is outside the hours. See the next free time" in words(page)
    link = re.search(r'href="([^"]+)">See the next free time', main_part(page))
    assert link
    later = words(desk.get(link[1].replace("&amp;", "&")))
    assert "Monday 23 November 2026, 9:00" in later
    assert "Ana Muñoz" in later


def test_a_taken_time_says_so_and_keeps_the_patient(desk, offering, ana):
    book(offering=offering)
    url = f"{DESK}?servicio={offering.pk}&dia=2026-11-24&hora=10:00"
    response = desk.post(url, {"paciente": ana.public_id, "key": uuid.uuid4()})
    assert response.status_code == 409
    assert "This time has just been taken." in words(response)
    assert "Ana Muñoz" in words(response)
    assert "Overbook" not in words(response)
    assert desk.post(url, {"paciente": ana.public_id, "motivo": "x"}).status_code == 409
    assert Appointment.objects.count() == 1


def test_overbooking_asks_why(desk, receptionist, offering, ana):
    receptionist.may_overbook = True
    receptionist.save()
    book(offering=offering)
    url = f"{DESK}?servicio={offering.pk}&dia=2026-11-24&hora=10:00"
    asked = desk.get(f"{url}&paciente={ana.public_id}")
    assert "Why on top of another appointment?" in words(asked)
    data = {"paciente": ana.public_id, "key": uuid.uuid4(), "motivo": " "}
    empty = desk.post(url, data)
    assert empty.status_code == 422
    assert "<title>Error: " in empty.content.decode()
    assert 'href="#id_motivo"' in empty.content.decode()
    assert desk.post(url, {**data, "motivo": "Fiebre"}).status_code == 302
    visit = Appointment.objects.get(patient=ana)
    assert (visit.overbooked, visit.overbooking_reason) == (True, "Fiebre")


def test_who_is_here_is_booked_and_arrived(desk, offering, ana, time_machine):
    time_machine.move_to(at(11, 7, days=0), tick=False)
    page = desk.get(
        DESK, {"horario": offering.schedule_id, "ahora": "1", "q": "30123456"}, follow=True
    )
    assert "Give it, is here" in words(page)
    assert 'name="hora"' not in main_part(page)
    press(desk, page, ana)
    visit = Appointment.objects.get()
    assert (visit.start, visit.status) == (at(11, 5, days=0), "arrived")


def test_the_next_visit_is_the_same_four_weeks_later(desk, offering, ana):
    visit = book(offering=offering, patient=ana)
    response = desk.get(DESK, {"despues": visit.public_id})
    assert response["Location"] == (
        f"{DESK}?paciente={ana.public_id}&dia=2026-12-22&servicio={offering.pk}"
    )
    text = words(desk.get(response["Location"]))
    assert "Tuesday 22 December 2026, 9:00" in text
    assert "Ana Muñoz" in text


def test_the_next_visit_of_a_strangers_appointment_is_not_there(desk, offering):
    visit = book(offering=new_practice())
    assert desk.get(DESK, {"despues": visit.public_id}).status_code == 404
    assert desk.get(DESK, {"despues": "x"}).status_code == 404
    doctor = browser(account_of(offering))
    assert doctor.get(AGENDA, {"despues": visit.public_id}).status_code == 404


@pytest.mark.parametrize(
    "query", [{"dia": "31/2/2026"}, {"dia": "1/1/9999"}, {"hora": "25:00"}, {"dia": "x" * 300}]
)
def test_what_cannot_be_read_is_asked_again(desk, offering, query):
    response = desk.get(DESK, {"servicio": offering.pk, **query})
    assert response.status_code == 422
    assert "There is something to correct" in words(response)


def test_a_day_that_is_over_has_no_other_times(desk, offering):
    response = desk.get(DESK, {"servicio": offering.pk, "dia": "2026-11-20", "hora": "10:00"})
    assert response.status_code == 200
    assert response.context["times"] == []


def test_a_slip_in_the_time_keeps_the_patient(desk, offering, ana):
    response = desk.get(DESK, where(offering, "25:00", paciente=ana.public_id))
    assert response.status_code == 422
    assert "Ana Muñoz" in words(response)
    assert f'name="paciente" value="{ana.public_id}"' in response.content.decode()
    assert 'name="q"' not in response.content.decode()


def test_an_offering_of_another_location_cannot_be_chosen(desk, offering, ana):
    elsewhere = new_practice()
    response = desk.get(DESK, where(elsewhere))
    assert str(elsewhere.location) not in words(response)
    assert str(offering.location) in words(response)
    url = f"{DESK}?servicio={elsewhere.pk}&dia=2026-11-24&hora=10:00"
    desk.post(url, {"paciente": ana.public_id})
    assert not Appointment.objects.filter(location=elsewhere.location).exists()


def test_nobody_is_booked_without_a_patient(desk, offering):
    url = f"{DESK}?servicio={offering.pk}&dia=2026-11-24&hora=10:00"
    for data in ({}, {"paciente": "x"}, {"paciente": uuid.UUID(int=1)}):
        assert desk.post(url, data).status_code == 404
    assert Appointment.objects.count() == 0


def test_looking_books_nothing(desk, offering, ana):
    desk.get(DESK, where(offering, paciente=ana.public_id))
    assert Appointment.objects.count() == 0


def test_a_search_asks_as_often_for_thirty(desk, offering, django_assert_max_num_queries):
    PatientFactory.create(last_name="Zárate")
    desk.get(DESK, where(offering, q="zarate"))  # reads the rules of this edition
    with django_assert_max_num_queries(22) as one:
        desk.get(DESK, where(offering, q="zarate"))
    PatientFactory.create_batch(29, last_name="Zárate")
    with django_assert_max_num_queries(22) as many:
        response = desk.get(DESK, where(offering, q="zarate"))
    assert len(one) == len(many)
    assert "Page 1 of 2" in words(response)


# --- in the agenda ------------------------------------------------------------


def test_a_practitioner_finds_only_their_own_patients(offering, ana):
    doctor = browser(account_of(offering))
    stranger = PatientFactory.create(first_name="Eva", last_name="Muñoz")
    book(offering=new_practice(), patient=stranger)
    book(offering=offering, patient=ana)
    page = doctor.get(AGENDA, where(offering, "11:00", q="muñoz"))
    assert "Ana Muñoz" in words(page)
    assert "Eva Muñoz" not in words(page)
    done = press(doctor, page, ana)
    assert done["Location"].startswith("/agenda/2026-11-24/#turno-")
    url = f"{AGENDA}?servicio={offering.pk}&dia=2026-11-24&hora=12:00"
    assert doctor.post(url, {"paciente": stranger.public_id}).status_code == 404
    visit = Appointment.objects.get(start=at(11))
    assert visit.events.get().role == Role.PRACTITIONER


def test_a_practitioner_overbooks_their_own_time(offering, ana):
    book(offering=offering, patient=ana)
    patient = PatientFactory.create()
    visit = book(offering=offering, patient=patient, start=at(14))
    assert visit.patient == patient
    doctor = browser(account_of(offering))
    url = f"{AGENDA}?servicio={offering.pk}&dia=2026-11-24&hora=10:00"
    doctor.post(url, {"paciente": patient.public_id, "motivo": "La veo entre dos"})
    assert Appointment.objects.get(start=at(10), patient=patient).overbooked


def test_gaps_and_visits_of_the_agenda_lead_here(offering, ana, time_machine):
    visit = book(offering=offering, patient=ana)
    doctor = browser(account_of(offering))
    page = main_part(doctor.get("/agenda/2026-11-24/"))
    assert f"{AGENDA}?horario={offering.schedule_id}&amp;dia=2026-11-24&amp;hora=9:00" in page
    time_machine.move_to(at(10, 30), tick=False)
    services.mark_fulfilled(appointment=visit, by=doctor_of(offering))
    page = main_part(doctor.get("/agenda/2026-11-24/"))
    assert f"{AGENDA}?despues={visit.public_id}" in page


def test_a_practitioner_without_services_is_told_where_they_are(offering):
    ServiceOffering.objects.all().delete()
    assert "You offer no service yet" in words(browser(account_of(offering)).get(AGENDA))


def test_a_desk_where_nobody_offers_anything(offering):
    client = browser(ReceptionistFactory.create().user)
    assert "Nobody offers anything here yet" in words(client.get(DESK))


def test_wrong_roles_are_refused(offering):
    assert browser(account_of(offering)).get(DESK).status_code == 403
    assert browser(patient_user()).get(DESK).status_code == 403
    assert browser(patient_user()).get(AGENDA).status_code == 403
    assert browser(administrator()).get(DESK).status_code == 200
    assert browser().get(DESK)["Location"].startswith("/cuenta/ingresar/")
