"""Days as a file for a spreadsheet: one's own places, no reasons, no formulas, noted."""

from __future__ import annotations

import csv
import io

import pytest

from accounts.tests.factories import PatientFactory, ReceptionistFactory, patient_user
from appointments import services
from appointments.export import safe
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, doctor_of, new_practice, words
from clinic.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.once]

DESK, AGENDA = "/recepcion/exportar/", "/agenda/exportar/"
TOMORROW = {"desde": "24/11/2026", "hasta": "24/11/2026"}


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def offering():
    return new_practice()


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def rows_of(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    assert all(line.endswith("\r\n") for line in text.splitlines(keepends=True))
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_a_day_with_contact_and_without_reasons(desk, offering):
    patient = PatientFactory.create(
        first_name="=Ana",
        last_name='Gó"mez, A',
        phone="+5491155551001",
        email="ana@example.org",
        document_number="@30",
    )
    visit = book(offering=offering, patient=patient, reason="Dolor de rodilla")
    response = desk.post(DESK, TOMORROW)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == ('attachment; filename="appointments-2026-11-24.csv"')
    (row,) = rows_of(response)
    assert row == {
        "Reference": visit.reference,
        "Date": "2026-11-24",
        "From": "10:00",
        "To": "10:30",
        "Time zone": "America/Argentina/Buenos_Aires",
        "Patient": "Gó\"mez, A, '=Ana",
        "Practitioner": "Dra. Lucía Ferreyra",
        "Service": str(visit.service),
        "Location": str(visit.location),
        "State": "Confirmed",
        "Document number": "'@30",
        "Phone": "'+54 9 11 5555-1001",
        "E-mail": "ana@example.org",
        "Overbooked": "",
    }


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1"]


def cells_of(text: str, delimiter: str) -> list[str]:
    """As a spreadsheet reads the file that splits at this sign."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    return [cell for line in lines for cell in line]


def calculates(cell: str) -> bool:
    return cell.lstrip(' "\xa0\t\r\n').startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("filler", ["", " ", '"', '" "', "\xa0"])
def test_no_cell_calculates_wherever_a_spreadsheet_splits(desk, offering, language, filler):
    for n, delimiter in enumerate([";", ",", "\t", "\n", "\r", "|"]):
        hostile = "x".join(f"{delimiter}{filler}{formula}" for formula in FORMULAS)
        patient = PatientFactory.create(
            first_name="Ana", last_name=f"x{hostile}", document_number=f"{filler}=1{delimiter}-1"
        )
        book(offering=offering, patient=patient, start=at(9 + n))
    desk.cookies["django_language"] = language
    text = b"".join(desk.post(DESK, TOMORROW).streaming_content).decode()
    for delimiter in (";", ",", "\t", "|"):
        cells = cells_of(text, delimiter)
        assert len(cells) > 6
        assert [cell for cell in cells if calculates(cell)] == []


@pytest.mark.parametrize(
    "text",
    ["Gómez-Paz, Ana", "O'Higgins", "a@b.org", "2026-11-24", "Control 40+", "9:30; 10:00", ""],
)
def test_what_calculates_nothing_stays_as_it_is(text):
    assert safe(text) == text


def test_a_spanish_file_opens_in_columns_where_the_comma_is_for_decimals(desk, offering):
    visit = book(offering=offering, patient=PatientFactory.create(last_name="Gómez; Paz"))
    desk.cookies["django_language"] = "es"
    text = b"".join(desk.post(DESK, TOMORROW).streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";")
    assert row["Referencia"] == visit.reference
    assert row["Paciente"] == str(visit.patient)
    assert row["Sobreturno"] == ""


def test_the_desk_exports_its_locations_only(desk, offering):
    mine = book(offering=offering)
    book(offering=new_practice())
    rows = rows_of(desk.post(DESK, TOMORROW))
    assert [row["Reference"] for row in rows] == [mine.reference]
    elsewhere = new_practice().location.slug
    assert len(rows_of(desk.post(DESK, {**TOMORROW, "sede": elsewhere}))) == 1


def test_the_practitioner_their_own_only(offering):
    mine = book(offering=offering)
    book(offering=new_practice(schedule__location=offering.location))
    doctor = browser(account_of(offering))
    (row,) = rows_of(doctor.post(AGENDA, TOMORROW))
    assert row["Reference"] == mine.reference


def test_a_period_in_the_order_of_the_clock(desk, offering):
    days = [3, 1, 2]
    visits = {day: book(offering=offering, start=at(10, days=day)) for day in days}
    response = desk.post(DESK, {"desde": "24/11/2026", "hasta": "25/11/2026"})
    assert "appointments-2026-11-24-2026-11-25.csv" in response["Content-Disposition"]
    references = [row["Reference"] for row in rows_of(response)]
    assert references == [visits[1].reference, visits[2].reference]


def test_overbooking_is_marked(desk, offering):
    book(offering=offering)
    patient = PatientFactory.create()
    services.overbook(
        offering=offering,
        patient=patient,
        start=at(10),
        why="Urgencia",
        by=doctor_of(offering),
        now=NOW,
    )
    assert [r["Overbooked"] for r in rows_of(desk.post(DESK, TOMORROW))] == ["", "Yes"]


def test_each_export_is_noted_and_looking_is_none(desk, offering):
    book(offering=offering)
    assert "Each export is noted" in words(desk.get(DESK, {"dia": "2026-11-24"}))
    assert AuditEvent.objects.count() == 0
    desk.post(DESK, TOMORROW)
    line = AuditEvent.objects.get()
    assert line.action == "appointment.export"
    assert line.details == {"first": "2026-11-24", "last": "2026-11-24", "rows": 1}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"desde": "24/11/2026", "hasta": "23/11/2026"}, "cannot be before the first"),
        ({"desde": "1/1/2026", "hasta": "3/4/2026"}, "at most 92 days"),
        ({"desde": "1/1/1950", "hasta": "2/1/1950"}, "at most 92 days"),
        ({"desde": "", "hasta": ""}, "Write the first day."),
    ],
)
def test_a_period_that_cannot_be_exported(desk, data, sentence):
    response = desk.post(DESK, data)
    assert response.status_code == 422
    assert sentence in words(response)
    assert AuditEvent.objects.count() == 0


def test_ninety_two_days_are_few_enough(desk):
    assert desk.post(DESK, {"desde": "1/1/2026", "hasta": "2/4/2026"}).status_code == 200


def test_a_thousand_lines_ask_as_often_as_one(desk, offering, django_assert_max_num_queries):
    book(offering=offering)
    with django_assert_max_num_queries(12) as one:
        rows_of(desk.post(DESK, TOMORROW))
    for hour in range(11, 16):
        book(offering=offering, start=at(hour))
    with django_assert_max_num_queries(12) as many:
        rows_of(desk.post(DESK, TOMORROW))
    assert len(one) == len(many)


def test_wrong_roles_are_refused(offering):
    assert browser(account_of(offering)).post(DESK, TOMORROW).status_code == 403
    for url in (DESK, AGENDA):
        assert browser(patient_user()).post(url, TOMORROW).status_code == 403
        assert browser().post(url, TOMORROW)["Location"].startswith("/cuenta/ingresar/")
    desk = browser(ReceptionistFactory.create(locations=[offering.location]).user)
    assert desk.post(AGENDA, TOMORROW).status_code == 403
