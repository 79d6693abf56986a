"""The staff moves one appointment: from the agenda, from the desk, with a message."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from accounts.models import Coverage
from accounts.roles import Actor, Role
from accounts.tests.factories import (
    PatientFactory,
    PractitionerFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.exceptions import Refusal
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import (
    account_of,
    browser,
    main_part,
    new_practice,
    row_of,
    second_place,
    status,
    words,
)
from clinic.models import OnlineFor
from clinic.tests.factories import InsurerFactory
from scheduling.models import ServiceOffering, TimeOff
from scheduling.tests.factories import open_offering, open_week

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]


class Case:
    """An appointment of tomorrow at ten, the practitioner's browser and the desk's."""

    def __init__(self, **fields: Any) -> None:
        self.offering: ServiceOffering = new_practice(**fields)
        self.visit: Appointment = book(
            offering=self.offering, patient=patient_user().patient_accesses.get().patient
        )
        self.doctor: Client = browser(account_of(self.offering))
        self.desk: Client = browser(
            ReceptionistFactory.create(locations=[self.offering.location]).user
        )
        self.own_url = f"/agenda/turnos/{self.visit.public_id}/mover/"
        self.desk_url = f"/recepcion/turnos/{self.visit.public_id}/mover/"

    def doors(self) -> list[tuple[Client, str]]:
        return [(self.doctor, self.own_url), (self.desk, self.desk_url)]


def to(url: str, start: dt.datetime, offering: ServiceOffering) -> str:
    instant = start.astimezone(dt.UTC).strftime("%Y-%m-%dT%H%%3A%MZ")
    return f"{url}?offering={offering.pk}&start={instant}"


def test_the_practitioner_moves_with_a_message():
    case = Case()
    name = case.visit.patient.full_name
    page = case.doctor.get(f"/agenda/turnos/{case.visit.public_id}/")
    assert f'href="{case.own_url}"' in main_part(page)
    assert f'href="{case.own_url}"' in row_of(
        case.doctor.get("/agenda/2026-11-24/"), case.visit.reference
    )
    times = case.doctor.get(case.own_url)
    assert f"{name} comes on Tuesday 24 November 2026, 10:00." in words(times)
    link = to(case.own_url, at(15), case.offering)
    assert f'href="{escape(link)}"' in times.content.decode()
    check = words(case.doctor.get(link))
    assert "Until now Tuesday 24 November 2026, 10:00" in check
    assert "New time Tuesday 24 November 2026, 15:00" in check
    assert "Message to the patient (optional)" in check
    assert status(case.visit) == "booked"

    answer = case.doctor.post(link, {"note": "Me llaman del hospital"})
    moved = Appointment.objects.get(rescheduled_from=case.visit)
    assert (answer.status_code, answer["Location"]) == (302, f"/agenda/turnos/{moved.public_id}/")
    assert (moved.start, moved.status) == (at(15), "booked")
    assert Appointment.objects.get(pk=case.visit.pk).cancellation_reason == "Me llaman del hospital"
    assert [e.role for e in moved.events.all()] == [Role.PRACTITIONER]
    said = f"Moved: {name} comes on Tuesday 24 November 2026, 15:00, and gets a notice."
    assert said in case.doctor.get(answer["Location"]).content.decode()


def test_a_time_is_a_link_to_the_question_and_takes_nothing():
    """Only patients keep a time by pressing it; the staff takes it with the last button."""
    case = Case()
    for client, url in case.doors():
        assert 'name="hold"' not in main_part(client.get(url))
        assert client.get(to(url, at(15), case.offering)).status_code == 200
    assert status(case.visit) == "booked"


def test_the_desk_moves_and_lands_on_the_new_day():
    case = Case()
    page = case.desk.get("/recepcion/?dia=2026-11-24")
    assert f'href="{case.desk_url}"' in main_part(page)
    answer = case.desk.post(to(case.desk_url, at(9, days=3), case.offering))
    moved = Appointment.objects.get(rescheduled_from=case.visit)
    day = f"/recepcion/?sede={moved.location.slug}&dia=2026-11-26#turno-{moved.reference}"
    assert answer["Location"] == day
    assert [e.role for e in moved.events.all()] == [Role.RECEPTION]
    assert f'href="{case.desk_url}"' not in main_part(page := case.desk.get(answer["Location"]))
    assert f"/recepcion/turnos/{moved.public_id}/mover/" in main_part(page)


def test_an_administrator_moves_from_the_administration():
    case = Case()
    client = browser(administrator())
    page = client.get(f"/admin/appointments/appointment/{case.visit.pk}/change/")
    assert f'href="{case.desk_url}"' in page.content.decode()
    client.post(to(case.desk_url, at(11), case.offering))
    assert Appointment.objects.get(rescheduled_from=case.visit).events.get().role == "administrator"


def test_the_windows_of_the_patients_do_not_count():
    """In half an hour, and in eleven months: both too near and too far for patients."""
    case = Case(min_notice_minutes=60 * 24 * 30, horizon_days=31, cancel_notice_hours=24 * 30)
    for client, url in case.doors():
        near = to(url, at(9, days=0), case.offering)
        assert f'href="{escape(near)}"' in client.get(url).content.decode()
        far = client.get(f"{url}?since=2027-10-20").content.decode()
        assert escape(to(url, at(9, days=331), case.offering)) in far
    client, url = case.doors()[0]
    assert client.post(to(url, at(9, days=0), case.offering)).status_code == 302
    assert Appointment.objects.get(rescheduled_from=case.visit).start == at(9, days=0)


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (at(12), "This time has just been taken."),
        (at(11, 45), "This time has just been taken."),
        (at(14), "There are no appointments at this time any more"),
        (at(20), "There are no appointments at this time any more"),
        (at(7, days=0), "This time has already passed."),
        (at(10), "The appointment has this time already."),
    ],
)
def test_never_onto_taken_or_closed_time(start, sentence):
    case = Case()
    book(offering=case.offering, start=at(12))
    TimeOff.objects.create(
        practitioner=case.offering.practitioner, starts_at=at(14), ends_at=at(15)
    )
    for client, url in case.doors():
        answer = client.post(to(url, start, case.offering))
        assert answer.status_code == 409
        assert sentence in words(answer)
        assert escape(to(url, at(13), case.offering)) in answer.content.decode()
        assert escape(to(url, at(12), case.offering)) not in main_part(answer)
    assert status(case.visit) == "booked"
    assert Appointment.objects.count() == 2


def test_where_the_patient_is_else_stays_theirs():
    case = Case()
    elsewhere = book(patient=case.visit.patient, start=at(15))
    for client, url in case.doors():
        answer = client.post(to(url, at(15), case.offering), {"note": "Se corre"})
        assert answer.status_code == 409
        assert "There is already an appointment for this patient at that time." in words(answer)
        assert str(elsewhere.practitioner) not in words(answer)
        assert "Se corre" in words(answer)


def test_a_message_that_is_too_long_is_kept_and_refused():
    case = Case()
    for client, url in case.doors():
        answer = client.post(to(url, at(15), case.offering), {"note": "x" * 301})
        assert answer.status_code == 422
        assert "Write at most 300 characters." in words(answer)
        assert "x" * 301 in answer.content.decode()
    assert Appointment.objects.count() == 1


def test_the_button_twice_is_one_move():
    case = Case()
    link = to(case.own_url, at(15), case.offering)
    first, second = case.doctor.post(link), case.doctor.post(link)
    assert first["Location"] == second["Location"]
    assert Appointment.objects.count() == 2


@pytest.mark.parametrize("start", [at(15), at(16)])
def test_what_somebody_else_has_moved_leads_to_what_it_became(start):
    case = Case()
    moved = services.reschedule(
        appointment=case.visit, offering=case.offering, start=at(15), by=desk()
    )
    where = f"/agenda/turnos/{moved.public_id}/"
    assert case.doctor.get(case.own_url)["Location"] == where
    assert case.doctor.post(to(case.own_url, start, case.offering))["Location"] == where
    assert Appointment.objects.count() == 2


def test_what_is_cancelled_or_over_is_not_moved():
    case = Case()
    over = book(offering=case.offering, start=at(9, days=-3), now=NOW - dt.timedelta(days=4))
    services.cancel(appointment=case.visit, by=desk(), reason="x")
    sentences = "this is no longer possible.", "is over, so it can no longer be moved."
    for visit, sentence in zip((case.visit, over), sentences, strict=True):
        url = f"/agenda/turnos/{visit.public_id}/mover/"
        answer = case.doctor.get(url)
        assert answer["Location"] == f"/agenda/turnos/{visit.public_id}/"
        page = case.doctor.get(answer["Location"])
        assert sentence in page.content.decode()
        assert url not in main_part(page)
    assert case.doctor.post(to(case.own_url, at(15), case.offering)).status_code == 302
    assert Appointment.objects.count() == 2


def test_the_desk_moves_to_its_own_locations_only():
    case = Case()
    other = second_place(case.offering)
    open_week(other.schedule)
    link = to(case.desk_url, at(15, days=2), other)
    assert escape(link) not in case.desk.get(case.desk_url).content.decode()
    assert case.desk.post(link).status_code == 404
    own = to(case.own_url, at(15, days=2), other)
    assert escape(own) in case.doctor.get(case.own_url).content.decode()
    assert case.doctor.post(own).status_code == 302


def test_to_another_practitioner_who_offers_it():
    case = Case()
    place = case.offering.location
    colleague = PractitionerFactory.create(last_name="Sosa")
    other = open_offering(
        service=case.offering.service,
        schedule__practitioner=colleague,
        schedule__location=place,
    )
    Coverage.objects.create(patient=case.visit.patient, insurer=InsurerFactory.create(name="OSDE"))
    link = to(case.desk_url, at(12), other)
    first = case.desk.get(case.desk_url)
    assert f'<option value="{colleague.slug}">' in main_part(first)
    assert escape(link) not in main_part(first)
    times = main_part(case.desk.get(case.desk_url, {"con": colleague.slug}))
    assert escape(link) in times
    assert escape(to(case.desk_url, at(12), case.offering)) not in times
    assert f"?since=2026-11-30&amp;con={colleague.slug}" in times
    check = words(case.desk.get(link))
    assert f"With {colleague}" in check
    assert f"Until now with {case.offering.practitioner}" in check
    assert f"{colleague} does not work with OSDE. The visit would be private." in check
    answer = case.desk.post(link)
    moved = Appointment.objects.get(rescheduled_from=case.visit)
    assert (moved.practitioner, moved.start) == (colleague, at(12))
    assert answer["Location"].endswith(f"#turno-{moved.reference}")


def test_whoever_hands_a_visit_over_sees_it_no_longer():
    case = Case()
    other = new_practice(service=case.offering.service)
    answer = case.doctor.post(to(case.own_url, at(12), other))
    assert Appointment.objects.get(rescheduled_from=case.visit).practitioner == other.practitioner
    assert answer["Location"] == f"/agenda/turnos/{case.visit.public_id}/"
    assert case.doctor.get(answer["Location"]).status_code == 200


def colleague_of(case: Case, **fields: Any) -> ServiceOffering:
    return new_practice(service=case.offering.service, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"min_notice_minutes": 60 * 24 * 3},
        {"booked_online_by": OnlineFor.KNOWN},
        {"booked_online_by": OnlineFor.STAFF},
    ],
)
def test_a_colleague_is_reached_as_by_patients(fields):
    case = Case()
    other = colleague_of(case, **fields)
    by = Actor.practitioner(account_of(case.offering))
    with pytest.raises(Refusal):
        services.reschedule(appointment=case.visit, offering=other, start=at(12), by=by)
    assert case.doctor.post(to(case.own_url, at(12), other)).status_code in {404, 409}
    assert status(case.visit) == "booked"


def test_handed_over_to_who_confirms_by_hand_it_is_a_request():
    case = Case()
    other = colleague_of(case, confirmation="manual")
    link = to(case.own_url, at(12), other)
    said = f"{other.practitioner} confirms by hand: this is a request until they answer it."
    assert said in words(case.doctor.get(link))
    assert case.doctor.post(link).status_code == 302
    assert Appointment.objects.get(rescheduled_from=case.visit).status == "pending"


def test_the_desk_moves_into_every_agenda_of_its_location():
    case = Case()
    other = open_offering(
        service=case.offering.service,
        schedule__location=case.offering.location,
        min_notice_minutes=60 * 24 * 3,
        confirmation="manual",
    )
    assert case.desk.post(to(case.desk_url, at(12), other)).status_code == 302
    assert Appointment.objects.get(rescheduled_from=case.visit).status == "booked"


def test_who_has_no_address_is_to_be_called():
    """Nobody writes to them, and the page says so."""
    for phone, told in (("+541144440000", "call +54 11 4444-0000."), ("", "no phone here.")):
        case = Case()
        patient = PatientFactory.create(email="", phone=phone)
        visit = book(offering=case.offering, patient=patient, start=at(14))
        url = f"/agenda/turnos/{visit.public_id}/mover/"
        answer = case.doctor.post(to(url, at(16), case.offering))
        said = words(case.doctor.get(answer["Location"]))
        assert told in said
        assert "gets a notice" not in said


def test_another_service_or_a_withdrawn_one_is_not_offered():
    case = Case()
    place = {"schedule__location": case.offering.location}
    for other in (
        new_practice(**place),
        new_practice(service=case.offering.service, is_active=False, **place),
    ):
        for client, url in case.doors():
            assert client.post(to(url, at(12), other)).status_code == 404


def test_what_was_moved_out_of_sight_leads_back():
    """The practitioner took it to a location that is not this desk's."""
    case = Case()
    far = second_place(case.offering)
    open_week(far.schedule)
    services.reschedule(appointment=case.visit, offering=far, start=at(15, days=2), by=desk())
    answer = case.desk.get(case.desk_url)
    assert far.location.slug not in answer["Location"]
    page = case.desk.get(answer["Location"])
    assert (page.status_code, "this is no longer possible." in words(page)) == (200, True)


@pytest.mark.parametrize("since", ["0000-00-00", "2026-02-30", "9999-12-31", "\0", "x" * 10_000])
def test_any_day_gives_an_answer(since):
    case = Case()
    for client, url in case.doors():
        assert client.get(url, {"since": since}).status_code == 200


@pytest.mark.parametrize(
    "query", ["start=nonsense", "start=2026-02-30T10:00Z&offering=1", "start="]
)
def test_nonsense_is_not_found(query):
    case = Case()
    for client, url in case.doors():
        assert client.get(f"{url}?{query}").status_code == 404


def test_strangers_and_other_roles():
    case = Case()
    link = to(case.own_url, at(15), case.offering)
    at_desk = to(case.desk_url, at(15), case.offering)
    other_doctor = browser(account_of(new_practice()))
    other_desk = browser(ReceptionistFactory.create().user)
    assert (other_doctor.get(link).status_code, other_doctor.post(link).status_code) == (404, 404)
    assert (other_desk.get(at_desk).status_code, other_desk.post(at_desk).status_code) == (404, 404)
    patient = browser(case.visit.patient.accesses.get().user)
    assert (patient.post(link).status_code, patient.post(at_desk).status_code) == (403, 403)
    assert (case.desk.post(link).status_code, case.doctor.post(at_desk).status_code) == (403, 403)
    assert browser().get(link).status_code == 302
    assert Appointment.objects.count() == 1


def test_the_desk_never_reads_the_reason():
    case = Case()
    secret = book(offering=case.offering, start=at(13), reason="Dolor de rodilla")
    url = f"/recepcion/turnos/{secret.public_id}/mover/"
    for page in (case.desk.get(url), case.desk.get(to(url, at(15), case.offering))):
        assert "rodilla" not in page.content.decode()
    case.desk.post(to(url, at(15), case.offering))
    assert Appointment.objects.get(rescheduled_from=secret).reason == "Dolor de rodilla"


def test_a_full_practitioner_says_so():
    case = Case()
    TimeOff.objects.create(
        practitioner=case.offering.practitioner, starts_at=at(0, days=0), ends_at=at(0, days=500)
    )
    for client, url in case.doors():
        assert "Every time of this practitioner for this service is taken." in words(
            client.get(url)
        )


@pytest.mark.parametrize("taken", [1, 30])
def test_the_times_ask_a_constant_number_of_questions(taken, django_assert_max_num_queries):
    case = Case()
    for n in range(taken):
        book(offering=case.offering, start=at(9 + n % 8, days=2 + n // 8))
    case.doctor.get(case.own_url)
    with django_assert_max_num_queries(22):
        case.doctor.get(case.own_url)
