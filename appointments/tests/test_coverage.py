"""Coverage in the search and on the way to a booking: it helps, and never refuses."""

from __future__ import annotations

import datetime as dt

import pytest
from icalendar import Calendar

from accounts.models import Coverage, Patient
from accounts.tests.factories import (
    PatientAccessFactory,
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, new_practice, words
from clinic.models import AuditEvent, Insurer
from clinic.tests.factories import ServiceFactory
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

NUMBER = "canary-62-001234"
WARNING = "does not work with OSDE. The visit would be private."


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def osde() -> Insurer:
    return Insurer.objects.create(name="OSDE", slug="osde")


def insured(patient: Patient, insurer: Insurer | None) -> Patient:
    Coverage.objects.create(
        patient=patient, insurer=insurer, plan="210", member_number=NUMBER if insurer else ""
    )
    return patient


def mother(insurer: Insurer | None):
    user = patient_user(first_name="Ana", last_name="Gómez")
    insured(Patient.objects.of(user).get(), insurer)
    return user


def child_of(user, insurer: Insurer | None = None) -> Patient:
    child: Patient = PatientAccessFactory.create(
        user=user, relation="child", patient__first_name="Tomás"
    ).patient
    return insured(child, insurer) if insurer else child


class Two:
    """Two practitioners of one service; one of them works with the insurer."""

    def __init__(self, insurer: Insurer) -> None:
        self.with_it = new_practice(schedule__practitioner__last_name="Conve")
        self.without = new_practice(service=self.with_it.service)
        self.with_it.practitioner.insurers.add(insurer)
        self.url = f"/horarios/?what={self.with_it.service.specialty.slug}"

    def links(self, response) -> set[bool]:
        page = response.content.decode()
        rows = {True: self.with_it, False: self.without}
        return {key for key, row in rows.items() if f"/reservar/?offering={row.pk}&amp;" in page}


def book_page(user, offering):
    start = at(10, days=3).astimezone(dt.UTC)
    return browser(user).get(f"/reservar/?offering={offering.pk}&start={start:%Y-%m-%dT%H:%M}Z")


# --- the search


def test_the_search_begins_with_the_coverage_of_who_searches(osde):
    two, user = Two(osde), mother(osde)
    response = browser(user).get(two.url)
    assert two.links(response) == {True}
    page = response.content.decode()
    assert '<option value="osde" selected>' in page
    assert "With practitioners who work with OSDE." in words(response)
    assert f'href="?{two.url.partition("?")[2]}&amp;coverage="' in page


def test_another_service_is_never_shown_as_the_one_asked_for(osde):
    """The one who works with the coverage gives something else of the specialty."""
    two, user = Two(osde), mother(osde)
    specialty = two.with_it.service.specialty
    vaccine = two.without
    vaccine.service = ServiceFactory.create(specialty=specialty, name="Vaccine", slug="vaccine")
    vaccine.save()
    asked = f"/horarios/?what={specialty.slug}/vaccine"
    response = browser(user).get(asked)
    assert two.links(response) == set()
    text = words(response)
    assert "Nobody matches this search" in text
    assert "Only practitioners who work with OSDE were looked for." in text
    assert f"With the rest of this search there is: {two.with_it.service.name}" in text
    assert two.links(browser(user).get(f"{asked}&coverage=")) == {False}


def test_whoever_chooses_otherwise_gets_it(osde):
    two, client = Two(osde), browser(mother(osde))
    everybody = client.get(f"{two.url}&coverage=")
    assert two.links(everybody) == {True, False}
    assert "work with OSDE" not in words(everybody)
    named = client.get(f"{two.url}&who={two.without.practitioner.slug}")
    assert two.links(named) == {False}


def test_nobody_is_narrowed_who_has_not_said_or_pays_or_is_a_visitor(osde):
    two = Two(osde)
    for user in (None, patient_user(), mother(None)):
        assert two.links(browser(user).get(two.url)) == {True, False}


def test_a_family_with_two_coverages_sees_everybody(osde):
    two, user = Two(osde), mother(osde)
    child_of(user)
    assert two.links(browser(user).get(two.url)) == {True, False}


def test_a_family_with_one_coverage_is_narrowed(osde):
    two, user = Two(osde), mother(osde)
    child_of(user, osde)
    assert two.links(browser(user).get(two.url)) == {True}


def test_where_nobody_works_with_it_the_way_to_all_is_shown(osde):
    two, user = Two(osde), mother(osde)
    other = open_offering()
    response = browser(user).get(f"/horarios/?what={other.service.specialty.slug}")
    assert "Only practitioners who work with OSDE were looked for." in words(response)
    assert two.links(response) == set()
    assert "coverage=" in response.content.decode()


def test_an_insurer_of_nobody_narrows_nothing(osde):
    offering = open_offering()
    url = f"/horarios/?what={offering.service.specialty.slug}"
    assert f"offering={offering.pk}&amp;" in browser(mother(osde)).get(url).content.decode()


# --- the confirm page


def test_a_warning_and_no_refusal(osde):
    offering, user = new_practice(), mother(osde)
    page = book_page(user, offering)
    assert page.status_code == 200
    assert f"Dra. Lucía Ferreyra {WARNING}" in words(page)
    start = at(10, days=3).astimezone(dt.UTC)
    key = "00000000-0000-0000-0000-000000000001"
    browser(user).post(
        f"/reservar/?offering={offering.pk}&start={start:%Y-%m-%dT%H:%M}Z", {"key": key}
    )
    assert Appointment.objects.get().patient == Patient.objects.of(user).get()


def test_no_warning_where_there_is_nothing_to_warn_of(osde):
    offering = new_practice()
    offering.practitioner.insurers.add(osde)
    assert "private" not in words(book_page(mother(osde), offering))
    other = new_practice()
    assert "private" not in words(book_page(patient_user(), other))
    assert "private" not in words(book_page(mother(None), other))


def test_an_insurer_that_was_closed_is_nobodys(osde):
    offering = new_practice()
    offering.practitioner.insurers.add(osde)
    user = mother(osde)
    Insurer.objects.update(is_active=False)
    assert WARNING in words(book_page(user, offering))


def test_the_warning_says_whose_it_is(osde):
    user = mother(None)
    child_of(user, osde)
    said = words(book_page(user, new_practice()))
    assert f"Tomás {Patient.objects.get(first_name='Tomás').last_name}: " in said
    assert said.count(WARNING) == 1


def test_a_family_of_which_all_would_pay_is_told_once(osde):
    user = mother(osde)
    child_of(user, osde)
    said = words(book_page(user, new_practice()))
    assert said.count(f"Dra. Lucía Ferreyra {WARNING}") == said.count(WARNING) == 1
    assert "Gómez: " not in said


def test_the_confirm_page_asks_as_often_for_a_large_family(osde, django_assert_max_num_queries):
    offering, user = new_practice(), mother(osde)
    child_of(user, osde)
    book_page(user, offering)
    with django_assert_max_num_queries(40) as one:
        book_page(user, offering)
    for _n in range(12):
        child_of(user, osde)
    with django_assert_max_num_queries(40) as many:
        book_page(user, offering)
    assert len(many) == len(one)


# --- where the staff gives an appointment

DESK, AGENDA = "/recepcion/dar-turno/", "/agenda/dar-turno/"


def giver(url, offering):
    """Whoever stands at this page."""
    if url == AGENDA:
        return browser(account_of(offering))
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def asked(offering, **more):
    return {"servicio": offering.pk, "dia": "2026-11-24", "hora": "11:00", **more}


def seen_by(offering, insurer: Insurer | None, **fields) -> Patient:
    visit = book(offering=offering, patient=PatientFactory.create(**fields), start=at(9))
    return insured(visit.patient, insurer)


@pytest.mark.parametrize("url", [DESK, AGENDA])
def test_who_gives_an_appointment_reads_the_coverage_first(osde, url):
    offering = new_practice()
    patient = seen_by(offering, osde, first_name="Ana", last_name="Zárate")
    client = giver(url, offering)
    for query in ({"q": "zarate"}, {"paciente": patient.public_id}):
        page = client.get(url, asked(offering, **query))
        said = words(page)
        assert "OSDE, 210 plan" in said
        assert NUMBER not in page.content.decode()
        assert said.count(f"{offering.practitioner} {WARNING}") == 1
        assert said.index(WARNING) < said.index("Give the appointment")
    action = f"{url}?servicio={offering.pk}&dia=2026-11-24&hora=11:00"
    assert client.post(action, {"paciente": patient.public_id}).status_code == 302
    assert Appointment.objects.filter(patient=patient, start=at(11)).count() == 1


@pytest.mark.parametrize("url", [DESK, AGENDA])
def test_no_warning_to_the_staff_where_there_is_nothing_to_warn_of(osde, url):
    offering = new_practice()
    offering.practitioner.insurers.add(osde)
    patient = seen_by(offering, osde, last_name="Zárate")
    client = giver(url, offering)
    for query in ({"q": "zarate"}, {"paciente": patient.public_id}):
        said = words(client.get(url, asked(offering, **query)))
        assert "OSDE, 210 plan" in said
        assert "private" not in said


def test_of_several_the_warning_stands_with_whom_it_is_about(osde):
    offering = new_practice()
    seen_by(offering, osde, first_name="Ana", last_name="Zárate")
    insured(PatientFactory.create(first_name="Eva", last_name="Zárate"), None)
    PatientFactory.create(first_name="Inés", last_name="Zárate")
    said = words(giver(DESK, offering).get(DESK, asked(offering, q="zarate")))
    ana, eva, ines = (said.index(f"{name} Zárate Born") for name in ("Ana", "Eva", "Inés"))
    assert ana < said.index(WARNING) < eva < said.index("Pays the visit") < ines
    assert said.count(WARNING) == 1


def test_a_slip_in_the_time_keeps_the_coverage_in_sight(osde):
    offering = new_practice()
    patient = seen_by(offering, osde)
    page = giver(DESK, offering).get(
        DESK, asked(offering, hora="25:00", paciente=patient.public_id)
    )
    assert page.status_code == 422
    assert "OSDE, 210 plan" in words(page)


@pytest.mark.parametrize("url", [DESK, AGENDA])
def test_the_giving_pages_ask_as_often_for_twenty(osde, url, django_assert_max_num_queries):
    offering = new_practice()
    insured(
        book(offering=offering, patient=PatientFactory.create(last_name="Zárate")).patient, osde
    )
    client = giver(url, offering)
    query = asked(offering, q="zarate", hora="16:00")
    client.get(url, query)
    with django_assert_max_num_queries(30) as one:
        client.get(url, query)
    for n in range(19):
        patient = PatientFactory.create(last_name="Zárate")
        insured(
            book(offering=offering, patient=patient, start=at(9 + n % 6, days=2 + n)).patient, osde
        )
    with django_assert_max_num_queries(30) as many:
        page = client.get(url, query)
    assert page.content.decode().count("OSDE, 210 plan") == 20
    assert len(many) == len(one)


def test_the_list_of_patients_at_the_desk_names_it_in_as_many_questions(
    osde, django_assert_max_num_queries
):
    offering = new_practice()
    insured(PatientFactory.create(last_name="Zárate"), osde)
    client, url = giver(DESK, offering), "/recepcion/pacientes/?q=zarate"
    client.get(url)
    with django_assert_max_num_queries(15) as one:
        client.get(url)
    for _n in range(19):
        insured(PatientFactory.create(last_name="Zárate"), osde)
    with django_assert_max_num_queries(15) as many:
        assert words(client.get(url)).count("OSDE, 210 plan") == 20
    assert len(many) == len(one)


def test_the_giving_pages_show_it_to_nobody_else(osde):
    offering = new_practice()
    patient = seen_by(offering, osde, last_name="Zárate")
    stranger = browser(account_of(new_practice()))
    query = asked(offering, paciente=patient.public_id)
    assert "OSDE" not in words(stranger.get(AGENDA, {**query, "q": "zarate"}))
    assert "OSDE" not in words(stranger.get(AGENDA, query))
    for url in (DESK, AGENDA):
        assert browser(patient_user()).get(url, query).status_code == 403
    assert stranger.get(DESK, query).status_code == 403


def test_an_administrator_who_booked_is_told(osde):
    offering, patient = new_practice(), insured(PatientFactory.create(), osde)
    day = at(11)
    data = {
        "patient": patient.pk,
        "practitioner": offering.practitioner.pk,
        "service": offering.service_id,
        "day": f"{day:%Y-%m-%d}",
        "time": f"{day:%H:%M}",
    }
    url = "/admin/appointments/appointment/add/"
    page = browser(administrator()).post(url, data, follow=True)
    assert Appointment.objects.get().patient == patient
    assert f"{offering.practitioner} {WARNING}" in page.content.decode()


# --- who sees it


def test_the_practitioner_sees_it(osde):
    visit = book(offering=new_practice(), patient=Patient.objects.of(mother(osde)).get())
    doctor = browser(visit.practitioner.user)
    for url in (
        f"/agenda/turnos/{visit.public_id}/",
        f"/agenda/pacientes/{visit.patient.public_id}/",
    ):
        assert f"Coverage OSDE, 210 planNumber {NUMBER}" in words(doctor.get(url))


def test_nobody_else_does(osde):
    visit = book(offering=new_practice(), patient=Patient.objects.of(mother(osde)).get())
    url = f"/agenda/turnos/{visit.public_id}/"
    answers = [
        browser(account_of(new_practice())).get(url),
        browser(patient_user()).get(url),
        browser(ReceptionistFactory.create(locations=[visit.location]).user).get(url),
    ]
    assert [a.status_code for a in answers] == [404, 403, 403]
    assert all(NUMBER not in a.content.decode() for a in answers)


def test_the_administration_sees_whose_visit_it_is(osde):
    visit = book(offering=new_practice(), patient=Patient.objects.of(mother(osde)).get())
    page = browser(administrator()).get(f"/admin/appointments/appointment/{visit.pk}/change/")
    assert "OSDE, 210 plan" in page.content.decode()


def test_the_number_is_in_no_file_and_no_log(osde, caplog):
    user = mother(osde)
    visit = book(offering=new_practice(), patient=Patient.objects.of(user).get())
    browser(user).get(f"/turnos/{visit.public_id}/")
    file = browser(user).get(f"/turnos/{visit.public_id}/turno.ics").content
    assert Calendar.from_ical(file)
    assert NUMBER not in file.decode()
    assert NUMBER not in caplog.text
    assert NUMBER not in str(list(AuditEvent.objects.values()))
