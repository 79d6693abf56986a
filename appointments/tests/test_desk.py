"""The day at the desk: contact, nothing clinical, only one's own locations."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.urls import reverse

from accounts.roles import Actor
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
    new_practice,
    row_of,
    status,
    words,
)
from clinic.models import AuditEvent
from clinic.tests.factories import LocationFactory
from scheduling.models import TimeOff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

TOMORROW = "/recepcion/?dia=2026-11-24"


@pytest.fixture
def offering():
    return new_practice()


@pytest.fixture
def receptionist(offering):
    return ReceptionistFactory.create(locations=[offering.location])


@pytest.fixture
def desk(receptionist):
    return browser(receptionist.user)


def visit_of(offering, **fields) -> Appointment:
    patient = PatientFactory.create(first_name="Ana", last_name="Gómez", phone="+541148650001")
    return book(offering=offering, patient=patient, reason="Dolor de rodilla", **fields)


def act(client, visit, verb, **data):
    return client.post(f"/recepcion/turnos/{visit.public_id}/{verb}/", data)


def moved(visit, offering, start, **more) -> Appointment:
    return services.reschedule(appointment=visit, offering=offering, start=start, now=NOW, **more)


# --- the day ------------------------------------------------------------------


def test_the_desk_sees_contact_and_nothing_clinical(desk, offering):
    visit_of(offering)
    text = words(desk.get(TOMORROW))
    assert f"10:00– to 10:30 ● Confirmed Ana Gómez {offering.service} +54 11 4865-0001" in text
    assert "1 appointment" in text
    assert "Dolor" not in text


def test_a_reason_of_cancelling_is_not_shown_either(desk, offering):
    visit = visit_of(offering)
    services.cancel(appointment=visit, by=doctor_of(offering), reason="Espera un análisis", now=NOW)
    for url in (TOMORROW, f"/recepcion/turnos/{visit.public_id}/"):
        text = words(desk.get(url))
        assert "Cancelled" in text
        assert "análisis" not in text
    assert "0 appointments" in words(desk.get(TOMORROW))


def test_the_story_of_a_visit_says_from_where_and_through_which_moves(desk, receptionist, offering):
    marta = Actor.reception(receptionist.user)
    first = visit_of(offering, by=doctor_of(offering))
    second = moved(first, offering, at(12), by=marta)
    third = moved(second, offering, at(15), by=doctor_of(offering), note="Espera un análisis")
    said = (
        "Lucía Ferreyra (practitioner) booked it: Tuesday 24 November 2026, 10:00."
        "Monday 23 November 2026, 8:00 · from the agenda "
        "You moved it from Tuesday 24 November 2026, 10:00 to Tuesday 24 November 2026, 12:00."
        "Monday 23 November 2026, 8:00 · from the desk "
        "Lucía Ferreyra (practitioner) moved it from Tuesday 24 November 2026, 12:00"
        " to Tuesday 24 November 2026, 15:00."
        "Monday 23 November 2026, 8:00 · from the agenda"
    )
    for part in (first, second, third):
        text = words(desk.get(f"/recepcion/turnos/{part.public_id}/"))
        assert said in text
        assert not re.search("análisis|Dolor", text)


def test_the_story_ends_where_another_desk_begins(desk, offering):
    """What happened elsewhere is not told: only from which time it came back."""
    elsewhere = new_practice(service=offering.service, schedule__location__name="Norte")
    here = visit_of(offering)
    there = moved(here, elsewhere, at(12), by=doctor_of(offering))
    back = moved(there, offering, at(15), by=doctor_of(offering))
    gone = words(desk.get(f"/recepcion/turnos/{here.public_id}/"))
    assert "Lucía Ferreyra (practitioner) moved it to another time." in gone
    assert not re.search("12:00|15:00|Norte", gone)
    again = words(desk.get(f"/recepcion/turnos/{back.public_id}/"))
    assert f"15:00. Now with {offering.practitioner}. Now at {offering.location}." in again
    assert not re.search("booked it|Norte", again)
    everywhere = browser(administrator())
    both = words(everywhere.get(f"/recepcion/turnos/{back.public_id}/"))
    assert "booked it: Tuesday 24 November 2026, 10:00." in both
    assert "Now at Norte." in both
    stranger = ReceptionistFactory.create(locations=[LocationFactory.create()])
    assert browser(stranger.user).get(f"/recepcion/turnos/{back.public_id}/").status_code == 404
    doctor = browser(account_of(offering))
    assert doctor.get(f"/recepcion/turnos/{back.public_id}/").status_code == 403


def test_each_practitioner_of_the_location_has_a_column_and_no_other(desk, offering):
    visit_of(offering)
    colleague = new_practice(schedule__location=offering.location)
    theirs = book(
        offering=colleague, start=at(9), patient=PatientFactory.create(last_name="Zárate")
    )
    elsewhere = book(
        offering=new_practice(), start=at(11), patient=PatientFactory.create(last_name="Ibarra")
    )
    response = desk.get(TOMORROW)
    text = words(response)
    assert response.content.decode().count('class="desk-column"') == 2
    assert theirs.patient.full_name in text
    assert "Ana Gómez" in text
    assert elsewhere.patient.full_name not in text


def test_gaps_and_blocks_stand_in_their_place(desk, offering):
    visit_of(offering)
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(12), ends_at=at(13), reason="Ateneo"
    )
    response = desk.get(TOMORROW)
    rows = [
        " ".join(re.sub(r"<[^>]+>", " ", row).split())
        for row in re.findall(r'<li class="desk-row.*?</li>', response.content.decode(), re.DOTALL)
    ]
    assert [row[:5].strip() for row in rows] == ["9:00", "10:00", "10:30", "12:00", "13:00"]
    assert "Free, 1 h" in rows[0]
    assert "Ateneo" in rows[3]
    page = response.content.decode()
    assert f"?horario={offering.schedule_id}&amp;dia=2026-11-24&amp;hora=10:30" in page


def test_who_is_not_here_is_named_and_has_no_column(desk, offering):
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0), ends_at=at(0, days=2)
    )
    response = desk.get(TOMORROW)
    assert "desk-column" not in response.content.decode()
    assert f"Not here on this day: {offering.practitioner}." in words(response)


def test_who_left_but_is_expected_has_a_column_still(desk, offering):
    visit_of(offering)
    offering.schedule.is_active = False
    offering.schedule.save()
    assert "Ana Gómez" in words(desk.get(TOMORROW))


def test_a_desk_of_two_places_switches_between_them(offering):
    visit_of(offering)
    other = new_practice()
    book(offering=other, patient=PatientFactory.create(last_name="Ibarra"))
    client = browser(ReceptionistFactory.create(locations=[offering.location, other.location]).user)
    page = client.get(f"{TOMORROW}&sede={other.location.slug}")
    assert "Ibarra" in words(page)
    assert "Gómez" not in words(page)
    switch = f"?sede={offering.location.slug}&amp;dia=2026-11-24"
    assert switch in page.content.decode()


def test_a_place_of_another_desk_shows_ones_own(desk, offering):
    elsewhere = new_practice()
    response = desk.get(f"{TOMORROW}&sede={elsewhere.location.slug}")
    assert str(offering.location) in words(response)
    assert str(elsewhere.location) not in words(response)


def test_the_administrator_sees_every_location(offering):
    visit_of(offering)
    elsewhere = book(offering=new_practice(), start=at(11))
    client = browser(administrator())
    for visit in (elsewhere, Appointment.objects.get(patient__last_name="Gómez")):
        page = client.get(f"{TOMORROW}&sede={visit.location.slug}")
        assert visit.patient.full_name in words(page)


def test_today_and_the_days_around(desk, offering):
    response = desk.get("/recepcion/")
    assert "Reception · today" in words(response)
    page = response.content.decode()
    assert f'href="?sede={offering.location.slug}&amp;dia=2026-11-22"' in page
    assert f'href="?sede={offering.location.slug}&amp;dia=2026-11-24"' in page


@pytest.mark.parametrize(
    "day", ["0000-00-00", "2026-02-30", "9999-12-31", "x" * 10_000, "%00", "1" * 5000]
)
def test_what_is_no_day_shows_today(desk, day):
    response = desk.get(f"/recepcion/?dia={day}")
    assert response.status_code == 200
    assert "Monday 23 November 2026" in words(response)


def test_a_desk_without_a_location_says_so():
    client = browser(ReceptionistFactory.create().user)
    assert "Your desk has no location yet." in words(client.get("/recepcion/"))


def test_the_desk_asks_as_often_for_thirty(desk, offering, django_assert_max_num_queries):
    visit_of(offering)
    with django_assert_max_num_queries(24) as one:
        desk.get(TOMORROW)
    for _n in range(29):
        colleague = new_practice(schedule__location=offering.location)
        book(offering=colleague)
    with django_assert_max_num_queries(24) as many:
        desk.get(TOMORROW)
    assert len(many) == len(one)


def test_nobody_else_comes_in(offering):
    assert browser(account_of(offering)).get("/recepcion/").status_code == 403
    assert browser(patient_user()).get("/recepcion/").status_code == 403
    response = browser().get("/recepcion/")
    assert response["Location"] == f"{reverse('account_login')}?next=/recepcion/"


def test_the_day_only_reads(desk):
    assert desk.post("/recepcion/").status_code == 405


# --- the buttons --------------------------------------------------------------


def test_a_visit_moves_on_by_buttons_and_back_by_one(desk, offering, time_machine):
    visit = visit_of(offering)
    time_machine.move_to(at(9, 55), tick=False)
    row = row_of(desk.get(TOMORROW), visit.reference)
    assert re.findall(r'<button class="btn btn-primary[^>]*>([^<]+)', row) == ["Arrived"]
    response = act(desk, visit, "llego")
    assert response["Location"] == (
        f"/recepcion/?sede={offering.location.slug}&dia=2026-11-24#turno-{visit.reference}"
    )
    assert status(visit) == "arrived"
    row = row_of(desk.get(TOMORROW), visit.reference)
    assert "Ana Gómez is in the waiting room." in row
    assert "Undo the last step" in row
    act(desk, visit, "deshacer")
    assert status(visit) == "booked"
    assert "is as before" in row_of(desk.get(TOMORROW), visit.reference)


def test_no_undo_once_ten_minutes_have_passed(desk, offering, time_machine):
    visit = visit_of(offering)
    time_machine.move_to(at(9, 55), tick=False)
    act(desk, visit, "llego")
    time_machine.move_to(at(10, 5), tick=False)
    assert "Undo the last step" not in row_of(desk.get(TOMORROW), visit.reference)
    act(desk, visit, "deshacer")
    assert status(visit) == "arrived"
    assert "There is no step" in row_of(desk.get(TOMORROW), visit.reference)


def test_who_came_late_is_here_after_all(desk, offering, time_machine):
    visit = visit_of(offering)
    time_machine.move_to(at(10, 10), tick=False)
    act(desk, visit, "no-asistio")
    time_machine.move_to(at(10, 25), tick=False)
    row = row_of(desk.get(TOMORROW), visit.reference)
    assert re.findall(r'<button class="btn[^>]*>([^<]+)', row) == ["Arrived"]
    for other in (account_of(offering), patient_user()):
        assert act(browser(other), visit, "llego").status_code == 403
    elsewhere = ReceptionistFactory.create().user
    assert act(browser(elsewhere), visit, "llego").status_code == 404
    assert status(visit) == "noshow"
    act(desk, visit, "llego")
    assert status(visit) == "arrived"
    assert "is in the waiting room" in row_of(desk.get(TOMORROW), visit.reference)


def test_reception_does_not_say_who_was_seen(desk, offering, time_machine):
    visit = visit_of(offering)
    time_machine.move_to(at(10, 30), tick=False)
    act(desk, visit, "atendido")
    assert status(visit) == "booked"


def test_cancelling_needs_a_reason(desk, offering):
    visit = visit_of(offering)
    url = f"/recepcion/turnos/{visit.public_id}/cancelar/"
    assert "Dolor" not in words(desk.get(url))
    assert desk.post(url, {"reason": ""}).status_code == 422
    assert status(visit) == "booked"
    assert desk.post(url, {"reason": "Se enfermó la doctora"}).status_code == 302
    assert status(visit) == "cancelled"
    event = visit.events.last()
    assert (event.verb, event.role) == ("cancel", "reception")


def test_an_appointment_of_another_location_is_not_there(desk):
    visit = visit_of(new_practice())
    assert desk.get(f"/recepcion/turnos/{visit.public_id}/").status_code == 404
    assert act(desk, visit, "llego").status_code == 404
    assert desk.post(f"/recepcion/turnos/{visit.public_id}/cancelar/").status_code == 404
    assert status(visit) == "booked"


def test_the_page_of_an_appointment_shows_contact_and_notes_who_read_it(desk, offering):
    visit = visit_of(offering)
    text = words(desk.get(f"/recepcion/turnos/{visit.public_id}/"))
    assert "+54 11 4865-0001" in text
    assert "Reception booked it: Tuesday 24 November 2026, 10:00." in text
    assert "Dolor" not in text
    assert AuditEvent.objects.get().action == "patient.read"


def test_wrong_roles_have_no_buttons_here(offering):
    visit = visit_of(offering)
    for user in (account_of(offering), patient_user()):
        assert act(browser(user), visit, "llego").status_code == 403
        assert browser(user).get(f"/recepcion/turnos/{visit.public_id}/").status_code == 403


# --- what else a row offers ---------------------------------------------------


def chat(response) -> list[str]:
    return re.findall(r'href="(https://wa\.me/[^"]+)" rel="noreferrer"', response.content.decode())


def test_a_mobile_gets_a_prefilled_reminder(desk, offering):
    visit = visit_of(offering)
    assert chat(desk.get(TOMORROW)) == []
    visit.patient.phone = "+5491155551001"
    visit.patient.save()
    (url,) = chat(desk.get(TOMORROW))
    assert url.startswith("https://wa.me/5491155551001?text=Hola%2C%20Ana.")
    assert "martes%2024%20de%20noviembre%20de%202026%2C%2010%3A00" in url
    for hidden in ("Dolor", str(offering.service), str(offering.practitioner.last_name)):
        assert hidden not in url


def test_no_reminder_for_what_is_over_or_cancelled(desk, offering, time_machine):
    visit = visit_of(offering)
    visit.patient.phone = "+5491155551001"
    visit.patient.save()
    time_machine.move_to(at(10), tick=False)
    assert chat(desk.get(TOMORROW)) == []
    time_machine.move_to(NOW, tick=False)
    assert len(chat(desk.get(TOMORROW))) == 1
    services.cancel(appointment=visit, by=doctor_of(offering), reason="x", now=NOW)
    assert chat(desk.get(TOMORROW)) == []


@pytest.mark.parametrize("given", [True, False])
def test_overbooking_is_offered_to_whom_it_was_given(desk, receptionist, offering, given):
    visit_of(offering)
    receptionist.may_overbook = given
    receptionist.save()
    assert ("Overbook this time" in words(desk.get(TOMORROW))) == given


@pytest.mark.parametrize("at_desk", [True, False])
def test_an_overbooked_appointment_is_marked_with_what_the_desk_wrote(desk, offering, at_desk):
    """What a practitioner wrote may be clinical."""
    visit_of(offering)
    clerk = ReceptionistFactory.create(locations=[offering.location], may_overbook=True).user
    over = services.overbook(
        offering=offering,
        patient=PatientFactory.create(),
        start=at(10),
        why="Urgencia",
        by=Actor.reception(clerk) if at_desk else doctor_of(offering),
        now=NOW,
    )
    page = f"/recepcion/turnos/{over.public_id}/"
    for url in (TOMORROW, page, f"{page}cancelar/"):
        said = words(desk.get(url))
        assert "⇈ Overbooked" in said
        assert ("Urgencia" in said) == at_desk
    own = browser(account_of(offering)).get(f"/agenda/turnos/{over.public_id}/")
    assert "⇈ Overbooked Urgencia" in words(own)
    agenda = browser(account_of(offering)).get("/agenda/2026-11-24/")
    assert "⇈ Overbooked" in words(agenda)
    assert "⇈ Overbooked" in words(browser(account_of(offering)).get("/agenda/semana/2026-W48/"))


def test_walking_in_is_offered_today_only(desk, offering):
    assert "Is here without an appointment" in words(desk.get("/recepcion/"))
    assert "Is here without an appointment" not in words(desk.get(TOMORROW))
    assert dt.date(2026, 11, 23) == NOW.date()
