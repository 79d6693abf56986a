"""Reception finds, registers and corrects patients, and learns who is known already."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from accounts.models import Patient
from accounts.tests.factories import (
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    main_part,
    new_practice,
    sent_again,
    words,
)
from appointments.views import searches
from clinic.models import AuditEvent
from clinic.tests.factories import InsurerFactory

pytestmark = pytest.mark.django_db

FIND, NEW = "/recepcion/pacientes/", "/recepcion/pacientes/nuevo/"
NEWCOMER = {
    "first_name": "Elsa",
    "last_name": "Núñez",
    "birth_date_day": "3",
    "birth_date_month": "4",
    "birth_date_year": "1951",
    "document_number": "6.543.210",
    "phone": "11 4865-0001",
}


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def offering():
    return new_practice()


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def known(**fields) -> Patient:
    fields = {"first_name": "Elsa", "last_name": "Núñez", "phone": "", **fields}
    return PatientFactory.create(**fields)


# --- finding ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("nunez", True),
        ("NÚÑ els", True),
        ("elsa nu", True),
        ("lsa", False),
        ("elsa perez", False),
        ("6.543.210", True),
        ("6543210", True),
        ("11 5555-1001", True),
        ("011 15-5555-1001", True),
        ("+54 9 11 5555 1001", True),
        ("15 5555-1001", True),
        ("99999999", False),
        ("000", False),
        ("%", False),
    ],
)
def test_by_the_beginnings_of_names_by_document_or_phone(desk, q, found):
    known(document_number="6.543.210", phone="+5491155551001")
    response = desk.post(FIND, {"q": q}, follow=True)
    assert ("Elsa Núñez" in main_part(response)) is found
    assert ("Nobody matches this search" in words(response)) is not found


NUMBERS = ["30111222", "30.111.222", "+54 9 11 5555-1001", "Elsa 30111222"]


@pytest.mark.parametrize("number", NUMBERS)
def test_no_address_carries_the_number_that_was_looked_for(desk, number):
    for n in range(21):
        known(document_number="30111222", phone="+5491155551001", last_name=f"Núñez {n}")
    answer = desk.post(FIND, {"q": number})
    assert re.fullmatch(rf"{FIND}\?s=[\w-]{{8}}", answer["Location"])
    page = desk.get(answer["Location"])
    assert f'value="{number}"' in page.content.decode()
    links = re.findall(r'(?:href|action)="([^"]*)"', main_part(page))
    typed = [re.sub(r"[\w-]{36}", "", link) for link in links]
    assert not [link for link in typed if "1222" in link or "1001" in link or "?q=" in link]
    assert "Núñez" in main_part(page)
    new = next(link for link in links if link.startswith(NEW))
    assert desk.get(new).status_code == 200
    for url in (FIND, NEW, "/recepcion/dar-turno/"):
        assert "?s=" in desk.get(url, {"q": number})["Location"]


def test_the_next_page_of_a_number_has_its_key(desk):
    for n in range(21):
        known(last_name=f"Núñez {n}", phone="+5491155551001")
    page = desk.post(FIND, {"q": "1155551001"}, follow=True)
    assert "21 patients found." in words(page)
    following = re.search(r'rel="next" href="([^"]+)"', main_part(page))
    assert following
    assert re.fullmatch(r"\?s=[\w-]{8}&amp;page=2", following[1])
    assert "Page 2 of 2" in words(desk.get(FIND + following[1].replace("&amp;", "&")))


def test_a_search_by_name_can_be_shared(desk):
    assert desk.post(FIND, {"q": "elsa"})["Location"] == f"{FIND}?q=elsa"


@pytest.mark.parametrize("key", ["nothing", "x" * 5000, "\0", "", "{}"])
def test_a_key_that_nobody_knows_finds_nothing(desk, key):
    known()
    for url in (FIND, NEW, "/recepcion/dar-turno/"):
        page = desk.get(url, {"s": key})
        assert page.status_code == 200
        assert "Elsa" not in words(page)


def test_another_browser_does_not_know_the_search(desk, offering):
    known(document_number="30111222")
    url = desk.post(FIND, {"q": "30111222"})["Location"]
    other = browser(ReceptionistFactory.create(locations=[offering.location]).user)
    assert "Elsa" not in words(other.get(url))


def test_only_the_last_searches_are_kept(desk):
    first = desk.post(FIND, {"q": "1000"})["Location"]
    for n in range(searches.MOST):
        desk.post(FIND, {"q": str(2000 + n)})
    assert len(desk.session["searches"]) == searches.MOST
    assert 'value="1000"' not in desk.get(first).content.decode()


def test_nobody_is_listed_without_a_question(desk):
    known()
    assert "Elsa" not in words(desk.get(FIND))


def test_who_is_no_longer_active_is_not_found(desk):
    known(is_active=False)
    assert "Nobody matches" in words(desk.get(FIND, {"q": "elsa"}))


def test_the_list_asks_as_often_for_thirty(desk, django_assert_max_num_queries):
    known()
    with django_assert_max_num_queries(15) as one:
        desk.get(FIND, {"q": "nunez"})
    PatientFactory.create_batch(29, last_name="Núñez")
    with django_assert_max_num_queries(15) as many:
        response = desk.get(FIND, {"q": "nunez"})
    assert len(one) == len(many)
    assert "30 patients found." in words(response)
    assert "Page 1 of 2" in words(response)


# --- one patient --------------------------------------------------------------


def test_a_record_shows_contact_and_the_visits_of_these_locations(desk, offering):
    patient = known(document_number="6543210", phone="+5491155551001")
    here = book(offering=offering, patient=patient, reason="Dolor de rodilla")
    elsewhere = book(offering=new_practice(), patient=patient, start=at(15), reason="Piel")
    response = desk.get(f"{FIND}{patient.public_id}/")
    text = words(response)
    assert "+54 9 11 5555-1001" in text
    assert "6543210" in text
    assert str(here.service) in text
    assert str(elsewhere.location) not in text
    for hidden in ("Dolor", "Piel"):
        assert hidden not in text
    assert AuditEvent.objects.get().action == "patient.read"


def test_an_administrator_sees_the_visits_of_all_locations(offering):
    visit = book(offering=offering)
    text = words(browser(administrator()).get(f"{FIND}{visit.patient.public_id}/"))
    assert str(visit.location) in text


def test_contact_is_corrected(desk):
    patient = known()
    url = f"{FIND}{patient.public_id}/datos/"
    assert 'value="Núñez"' in main_part(desk.get(url))
    data = {**NEWCOMER, "first_name": "Elsa Inés", "email": "elsa@example.org"}
    assert desk.post(url, data)["Location"] == f"{FIND}{patient.public_id}/"
    patient.refresh_from_db()
    assert patient.first_name == "Elsa Inés"
    assert str(patient.phone) == "+541148650001"
    assert patient.email == "elsa@example.org"
    line = AuditEvent.objects.get(action="patient.update")
    assert line.details["fields"] == [
        "first_name",
        "birth_date",
        "document_number",
        "phone",
        "email",
    ]
    assert desk.post(url, {**data, "last_name": ""}).status_code == 422


def test_a_phone_that_was_wrong_can_be_taken_out(desk):
    patient = known(phone="+5491155551001")
    desk.post(f"{FIND}{patient.public_id}/datos/", {**NEWCOMER, "phone": ""})
    patient.refresh_from_db()
    assert str(patient.phone or "") == ""


def test_nobody_there_is_not_found(desk):
    for end in ("", "datos/"):
        assert desk.get(f"{FIND}{uuid.UUID(int=1)}/{end}").status_code == 404
        assert desk.get(f"{FIND}{known(is_active=False).public_id}/{end}").status_code == 404


# --- registering --------------------------------------------------------------


def test_a_new_patient_needs_no_mail(desk):
    response = desk.post(NEW, NEWCOMER)
    patient = Patient.objects.get()
    assert response["Location"] == f"{FIND}{patient.public_id}/"
    assert (patient.full_name, patient.birth_date.isoformat()) == ("Elsa Núñez", "1951-04-03")
    assert patient.email == ""
    assert patient.accesses.count() == 0
    line = AuditEvent.objects.get()
    assert (line.action, line.target) == ("patient.register", f"accounts.patient:{patient.pk}")


def test_a_double_click_registers_once(desk):
    key = re.search(r'name="key" value="([-0-9a-f]{36})"', main_part(desk.get(NEW)))
    assert key is not None
    answers = [desk.post(NEW, {**NEWCOMER, "key": key[1]}) for _click in range(2)]
    patient = Patient.objects.get()
    assert [a["Location"] for a in answers] == [f"{FIND}{patient.public_id}/"] * 2
    asked = main_part(desk.post(NEW, {**NEWCOMER, "key": str(uuid.UUID(int=7))}))
    assert f'name="key" value="{uuid.UUID(int=7)}"' in asked
    assert desk.post(NEW, {**NEWCOMER, "key": "x", "conocido": "y"}).status_code == 409


def test_nor_a_phone(desk):
    desk.post(NEW, {**NEWCOMER, "phone": "", "document_number": ""})
    assert Patient.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"last_name": "Otra", "document_number": "6543210"}, "the same document number"),
        ({"last_name": "Nuñez", "birth_date": "1951-04-03"}, "the same name and birth date"),
        ({"last_name": "Otra", "phone": "+541148650001"}, "the same phone"),
        ({"last_name": "Otra", "birth_date": "1951-04-03"}, None),
        ({"birth_date": "1960-01-01"}, None),
        ({"last_name": "Otra", "document_number": "16543210"}, None),
    ],
)
def test_who_may_be_the_same_is_offered_first(desk, fields, why):
    patient = known(**fields)
    response = desk.post(NEW, NEWCOMER)
    if why is None:
        assert response.status_code == 302
        return
    assert response.status_code == 409
    assert Patient.objects.count() == 1
    assert f"{patient.full_name} · {why}" in words(response)
    assert f'href="{FIND}{patient.public_id}/"' in main_part(response)
    assert "Register all the same" in words(response)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"last_name": "Otra", "document_number": "6543210"}, "the same document number"),
        ({"last_name": "Nuñez", "birth_date": "1951-04-03"}, "the same name and birth date"),
        ({"last_name": "Otra", "phone": "+541148650001"}, "the same phone"),
    ],
)
def test_a_correction_asks_once_about_others_too(desk, fields, why):
    other, patient = known(**fields), known(first_name="Elza", last_name="Nunes")
    url = f"{FIND}{patient.public_id}/"
    asked = desk.post(f"{url}datos/", NEWCOMER)
    assert asked.status_code == 409
    patient.refresh_from_db()
    assert patient.first_name == "Elza"
    assert f"{other.full_name} · {why}" in words(asked)
    assert "Save all the same" in words(asked)
    page = main_part(asked)
    assert f'href="{FIND}{other.public_id}/"' in page
    assert str(patient.public_id) not in page.partition("<ul")[2].partition("</ul>")[0]
    again = {**NEWCOMER, **{n: v for n, v in sent_again(asked).items() if n == "conocido"}}
    assert desk.post(f"{url}datos/", again)["Location"] == url
    patient.refresh_from_db()
    assert patient.full_name == "Elsa Núñez"
    # From now on it is known: what it has in common is not asked again.
    more = {**NEWCOMER, "email": "elsa@example.org"}
    assert desk.post(f"{url}datos/", more)["Location"] == url
    assert AuditEvent.objects.filter(action="patient.update").count() == 2


def test_a_correction_asks_again_about_what_else_they_have_in_common(desk):
    """A family has one telephone, and that is known; the document is new."""
    known(last_name="Otra", phone="+541148650001", document_number="6543210")
    patient = known(phone="+541148650001")
    url = f"{FIND}{patient.public_id}/datos/"
    assert desk.post(url, {**NEWCOMER, "document_number": ""}).status_code == 302
    asked = desk.post(url, NEWCOMER)
    assert asked.status_code == 409
    assert "Elsa Otra · the same document number" in words(asked)


def test_a_correction_of_nothing_that_names_anybody_asks_nothing(desk):
    patient = known(document_number="6543210")
    data = {**NEWCOMER, "document_number": "6543210"}
    assert desk.post(f"{FIND}{patient.public_id}/datos/", data).status_code == 302


def test_all_the_same_means_those_that_were_shown(desk):
    first = known(document_number="6543210")
    again: dict[str, Any] = {**NEWCOMER, "conocido": str(first.public_id)}
    second = known(last_name="Otra", phone="+541148650001")
    assert desk.post(NEW, again).status_code == 409
    again["conocido"] = [str(first.public_id), str(second.public_id)]
    assert desk.post(NEW, again).status_code == 302
    assert Patient.objects.count() == 3


def test_what_was_looked_for_in_vain_is_filled_in(desk):
    page = main_part(desk.get(NEW, {"q": "elsa inés núñez"}))
    assert re.search(r'name="first_name" value="elsa inés"', page)
    assert re.search(r'name="last_name" value="núñez"', page)
    assert re.search(
        r'name="document_number" value="6543210"',
        desk.get(NEW, {"q": "6543210"}, follow=True).content.decode(),
    )


def test_on_with_the_appointment_that_is_being_given(desk, offering):
    query = f"?servicio={offering.pk}&dia=2026-11-24&hora=10%3A00"
    response = desk.post(f"{NEW}{query}&q=elsa", NEWCOMER)
    patient = Patient.objects.get()
    assert response["Location"] == (f"/recepcion/dar-turno/{query}&paciente={patient.public_id}")
    page = desk.get(response["Location"])
    assert "Give the appointment" in words(page)
    assert "Elsa Núñez" in words(page)
    known_already = desk.post(f"{NEW}{query}", NEWCOMER)
    assert f"&amp;paciente={patient.public_id}" in main_part(known_already)


def test_wrong_roles_are_refused(offering):
    patient = known()
    for user in (account_of(offering), patient_user()):
        client = browser(user)
        for url in (FIND, NEW, f"{FIND}{patient.public_id}/", f"{FIND}{patient.public_id}/datos/"):
            assert client.get(url).status_code == 403
        assert client.post(NEW, NEWCOMER).status_code == 403
    assert Patient.objects.filter(document_number="6.543.210").count() == 0
    assert browser().get(FIND)["Location"].startswith("/cuenta/ingresar/")


def test_who_pays_is_noted_and_corrected(desk):
    osde = InsurerFactory.create(name="OSDE", slug="osde")
    said = {"insurance": "osde", "plan": "210", "member_number": "12-34"}
    desk.post(NEW, {**NEWCOMER, **said})
    patient = Patient.objects.get()
    assert (patient.coverage.insurer, patient.coverage.plan) == (osde, "210")
    url = f"{FIND}{patient.public_id}/"
    text = words(desk.get(url))
    assert "OSDE, 210 plan" in text
    assert "Number 12-34" in text
    desk.post(f"{url}datos/", {**NEWCOMER, "insurance": "private"})
    assert "Pays the visit" in words(desk.get(url))
    assert desk.post(f"{url}datos/", {**NEWCOMER, "plan": "210"}).status_code == 422
