"""The confirm page: what it shows, books, refuses and keeps."""

import datetime as dt
import re
import uuid
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import Patient, PatientAccess, Relation, User
from accounts.tests.factories import (
    PatientAccessFactory,
    PatientFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import account_of, admin_page, new_practice
from appointments.views.booking import DRAFT
from clinic.models import Confirmation, Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]


@pytest.fixture(autouse=True)
def _in_english(client: Client) -> None:
    client.cookies["django_language"] = "en"


@pytest.fixture
def user(client: Client) -> User:
    """Somebody with a patient record, logged in."""
    user = patient_user(first_name="Ana", last_name="Gómez")
    client.force_login(user)
    return user


def patient_of(user: User) -> Patient:
    return user.patient_accesses.order_by("pk").first().patient


def address(offering: ServiceOffering, start: dt.datetime | None = None) -> str:
    moment = (start or at(10)).astimezone(dt.UTC)
    return f"/reservar/?offering={offering.pk}&start={moment:%Y-%m-%dT%H:%MZ}"


def send(client: Client, offering: ServiceOffering, **data: Any) -> Any:
    start = data.pop("start", None)
    data.setdefault("key", str(uuid.uuid4()))
    return client.post(address(offering, start), data)


def test_without_an_account_the_slot_waits_behind_the_login(client):
    offering = open_offering()
    response = client.get(address(offering))
    assert response.status_code == 302
    assert response.url == (
        f"/cuenta/ingresar/?next=/reservar/%3Foffering%3D{offering.pk}%26start%3D2026-11-24T13%253A00Z"
    )


def test_what_was_typed_survives_a_login_that_ended(client):
    offering = open_offering()
    response = send(client, offering, reason="Dolor de rodilla")
    assert response.status_code == 302
    user = patient_user()
    client.force_login(user)
    page = client.get(address(offering)).content.decode()
    assert "Dolor de rodilla" in page
    assert Appointment.objects.count() == 0
    send(client, offering, reason="Dolor de rodilla")
    assert DRAFT not in client.session


def test_what_was_typed_waits_for_the_time_it_was_typed_for(client):
    offering = open_offering()
    send(client, offering, reason="Dolor de rodilla")
    client.force_login(patient_user())
    page = client.get(address(offering, at(11))).content.decode()
    assert "Dolor de rodilla" not in page


def test_the_page_says_what_when_where_and_until_when(client, user):
    offering = open_offering(price="1500.00", show_price=True)
    Organization.current()
    response = client.get(address(offering, at(10, days=3)))
    page = response.content.decode()
    assert response.status_code == 200
    for words in (
        "Thursday 26 November 2026, 10:00",
        "Buenos Aires time",
        "30 min",
        str(offering.practitioner),
        offering.service.name,
        offering.location.address,
        "1,500.00",
        "Until Wednesday 25 November 2026, 10:00",
        "Ana Gómez",
    ):
        assert words in page, words
    assert Appointment.objects.count() == 0


def test_booking_leads_to_the_appointments_own_page(client, user):
    offering = open_offering()
    response = send(client, offering, reason="Control anual")
    appointment = Appointment.objects.get()
    assert response.status_code == 302
    assert response.url == f"/turnos/{appointment.public_id}/"
    assert (appointment.patient, appointment.reason) == (patient_of(user), "Control anual")
    assert appointment.events.get().by == user
    page = client.get(response.url).content.decode()
    assert "Appointment booked" in page
    assert appointment.reference in page


def test_double_click_reload_and_back_make_one_appointment(client, user):
    offering, key = open_offering(), str(uuid.uuid4())
    urls = {send(client, offering, key=key).url for _n in range(3)}
    assert len(urls) == 1
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize("field", ["patient", "key", "reason"])
def test_a_mistake_keeps_the_slot_and_every_value(client, user, field):
    PatientAccessFactory.create(user=user, relation=Relation.CHILD)
    wrong = {"patient": "nobody", "key": "not a key", "reason": "x" * 501}
    data = {
        "patient": str(patient_of(user).public_id),
        "reason": "Control",
        "key": str(uuid.uuid4()),
    }
    response = send(client, open_offering(), **{**data, field: wrong[field]})
    page = response.content.decode()
    assert response.status_code == 422
    assert "<title>Error:" in re.sub(r"\s+", " ", page)
    assert "Tuesday 24 November 2026, 10:00" in page
    assert ("x" * 501 if field == "reason" else "Control") in page
    assert Appointment.objects.count() == 0


def test_a_taken_slot_offers_what_is_near_and_keeps_the_reason(client, user):
    offering = open_offering()
    other = open_offering(service=offering.service)
    book(offering=offering, start=at(10))
    response = send(client, offering, reason="Control")
    page = response.content.decode()
    assert response.status_code == 409
    assert "This time has just been taken." in page
    assert 'name="reason" value="Control"' in page
    slots = re.findall(r'name="slot" value="([^"]+)"', page)
    assert slots == [
        f"{offering.pk}@2026-11-24T12:00Z",
        f"{offering.pk}@2026-11-24T12:30Z",
        f"{offering.pk}@2026-11-24T13:30Z",
        f"{other.pk}@2026-11-24T13:00Z",
    ]
    response = client.post(
        "/reservar/", {"slot": slots[0], "reason": "Control", "key": str(uuid.uuid4())}
    )
    assert response.status_code == 302
    mine = Appointment.objects.get(patient=patient_of(user))
    assert (mine.start, mine.reason) == (at(9), "Control")


def test_a_slot_that_went_before_the_page_opened_says_so(client, user):
    offering = open_offering()
    book(offering=offering, start=at(10))
    assert client.get(address(offering)).status_code == 409


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda o: o.schedule.hours.all().delete(), "the hours have changed"),
        (
            lambda o: ServiceOffering.objects.update(booked_online_by="staff"),
            "This service can no longer be booked here.",
        ),
    ],
)
def test_a_rule_that_changed_says_its_own_sentence(client, user, change, sentence):
    offering = open_offering()
    change(offering)
    response = send(client, offering)
    assert response.status_code == 409
    assert sentence in response.content.decode()


def test_a_time_that_passed_says_so(client, user):
    response = send(client, open_offering(), start=at(10, days=-1))
    assert response.status_code == 409
    assert "This time has already passed." in response.content.decode()


def test_the_same_hour_links_to_what_is_there(client, user):
    mine = book(patient=patient_of(user), start=at(10))
    response = send(client, open_offering())
    assert response.status_code == 409
    assert f"/turnos/{mine.public_id}/" in response.content.decode()
    assert Appointment.objects.count() == 1


def test_the_same_day_is_asked_about_and_then_booked(client, user):
    book(patient=patient_of(user), start=at(15))
    offering, key = open_offering(), str(uuid.uuid4())
    response = send(client, offering, key=key, reason="Control")
    page = response.content.decode()
    assert response.status_code == 409
    assert "Book it all the same" in page
    assert "Control" in page
    assert send(client, offering, key=key, same_day="on").status_code == 302
    assert Appointment.objects.count() == 2


def test_a_parent_books_for_a_child_and_for_nobody_elses(client, user):
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    stranger = PatientFactory.create()
    offering = open_offering()
    page = client.get(address(offering)).content.decode()
    assert str(child.public_id) in page
    assert send(client, offering, patient=str(stranger.public_id)).status_code == 422
    assert send(client, offering, patient=str(child.public_id)).status_code == 302
    assert Appointment.objects.get().patient == child


def test_an_access_that_ended_books_no_more(client, user):
    access = PatientAccessFactory.create(user=user, relation=Relation.CHILD)
    PatientAccess.objects.filter(pk=access.pk).update(ended_at=NOW)
    response = send(client, open_offering(), patient=str(access.patient.public_id))
    # One patient is left, but not the one that was chosen: nobody is booked for in their place.
    assert response.status_code == 422
    assert "Choose another one" in response.content.decode()
    assert Appointment.objects.count() == 0


def test_an_account_without_a_patient_is_told_how(client):
    client.force_login(open_offering().practitioner.user)
    offering = open_offering()
    for response in (client.get(address(offering)), send(client, offering)):
        assert response.status_code == 403
        assert "This account cannot book for itself yet" in response.content.decode()
    assert Appointment.objects.count() == 0


def test_a_practice_that_confirms_is_asked(client, user):
    offering = open_offering(confirmation=Confirmation.MANUAL)
    assert "This is a request" in client.get(address(offering)).content.decode()
    response = send(client, offering)
    assert "the clinic still has to confirm" in client.get(response.url).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "offering=1",
        "offering=x&start=y",
        "offering=999999&start=2026-11-24T13:00Z",
        "offering=" + "9" * 5000 + "&start=2026-11-24T13:00Z",
        "offering=٣&start=2026-11-24T13:00Z",
        "offering={pk}&start=9999-12-31T23:59Z",
        "offering={pk}&start=0000-00-00T00:00Z",
        "offering={pk}&start=2026-02-30T10:00Z",
        "offering={pk}&start=2026-11-24T13:00",
        "offering={pk}&start=%00",
        "offering={pk}&start=" + "1" * 10_000,
    ],
)
def test_an_address_that_makes_no_sense_is_not_found(client, user, query):
    url = "/reservar/?" + query.format(pk=open_offering().pk)
    assert client.get(url).status_code == 404
    assert client.post(url, {"slot": "x@y"}).status_code == 404


# --- the appointment's own pages ---------------------------------------------


def words(response: Any) -> str:
    """A page without its tokens, which differ each time."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


@pytest.mark.parametrize("part", ["", "cancelar/", "turno.ics"])
def test_an_appointment_is_its_patients_alone(client, user, part):
    mine = book(patient=patient_of(user))
    url = f"/turnos/{mine.public_id}/{part}"
    missing = f"/turnos/{uuid.uuid4()}/{part}"
    assert client.get(url).status_code == 200
    client.force_login(patient_user())
    stranger, nobody = client.get(url), client.get(missing)
    assert stranger.status_code == nobody.status_code == 404
    assert words(stranger).replace(url, missing) == words(nobody)
    client.force_login(mine.practitioner.user)
    assert client.get(url).status_code == 403
    client.logout()
    assert client.get(url).url.startswith("/cuenta/ingresar/?next=/turnos/")


def test_cancelling_asks_once_and_shows_the_result(client, user):
    mine = book(patient=patient_of(user), start=at(10, days=3))
    url = f"/turnos/{mine.public_id}/cancelar/"
    assert client.get(url).status_code == 200
    assert Appointment.objects.get().status == "booked"
    response = client.post(url, {"reason": "Viajo"})
    assert response.url == f"/turnos/{mine.public_id}/"
    cancelled = Appointment.objects.get()
    assert (cancelled.status, cancelled.cancellation_reason) == ("cancelled", "Viajo")
    assert "Appointment cancelled" in client.get(response.url).content.decode()
    assert client.post(url, {}).status_code == 409


def test_too_late_to_cancel_shows_the_phone(client, user):
    mine = book(patient=patient_of(user), start=at(7, days=1), offering=early())
    url = f"/turnos/{mine.public_id}/cancelar/"
    for response in (client.get(url), client.post(url, {})):
        assert "+54 11 4865-0000" in response.content.decode()
    assert response.status_code == 409
    assert Appointment.objects.get().status == "booked"


def early() -> ServiceOffering:
    return open_offering(start=dt.time(6), end=dt.time(8))


def test_a_reason_that_is_too_long_is_kept(client, user):
    mine = book(patient=patient_of(user), start=at(10, days=3))
    response = client.post(f"/turnos/{mine.public_id}/cancelar/", {"reason": "y" * 301})
    assert response.status_code == 422
    assert "y" * 301 in response.content.decode()


def test_the_list_has_upcoming_first_and_the_rest_below(client, user):
    patient = patient_of(user)
    later = book(patient=patient, start=at(10, days=5))
    soon = book(patient=patient, start=at(10, days=2))
    gone = book(patient=patient, start=at(10, days=4))
    services.cancel(appointment=gone, by=desk(), reason="x")
    book(patient=PatientFactory.create())
    response = client.get("/turnos/")
    assert [row[0] for row in response.context["upcoming"]] == [soon, later]
    assert list(response.context["page"]) == [gone]


@pytest.mark.parametrize("number", [1, 30])
def test_the_list_costs_the_same_whatever_its_length(
    client, user, number, django_assert_max_num_queries
):
    offering = open_offering()
    for n in range(number):
        book(patient=patient_of(user), offering=offering, start=at(10, days=n + 1))
    client.get("/turnos/")
    with django_assert_max_num_queries(10):
        client.get("/turnos/")


def test_the_calendar_file_names_no_specialty_and_no_reason(client, user):
    mine = book(patient=patient_of(user), reason="Dolor")
    response = client.get(f"/turnos/{mine.public_id}/turno.ics")
    content = response.content.decode()
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert "DTSTART:20261124T130000Z" in content
    for private in ("Dolor", mine.service.name, mine.service.specialty.name):
        assert private not in content


def test_personal_pages_are_not_kept_by_the_browser(client, user):
    book(patient=patient_of(user))
    for url in ("/turnos/", f"/turnos/{Appointment.objects.get().public_id}/", "/"):
        assert "no-store" in client.get(url)["Cache-Control"]


def giving_link(client: Client, offering: ServiceOffering) -> str:
    page = client.get(address(offering))
    assert page.status_code == 403
    found = re.search(r'href="([^"]*)">Give an appointment to a patient<', page.content.decode())
    return unescape(found[1]) if found else ""


def test_a_practitioner_goes_on_to_their_own_page_with_the_time(client):
    mine, other = new_practice(), open_offering()
    client.force_login(account_of(mine))
    link = giving_link(client, mine)
    assert link.startswith("/agenda/dar-turno/?")
    page = client.get(link)
    assert (page.context["asked"].offering, page.context["asked"].start) == (mine, at(10))
    # A colleague's time is not theirs to give.
    assert giving_link(client, other) == "/agenda/dar-turno/"


@pytest.mark.parametrize("role", ["reception", "administrator"])
def test_who_works_at_the_desk_goes_on_to_it_with_the_time(client, role):
    here, elsewhere = open_offering(), open_offering()
    if role == "reception":
        staff = ReceptionistFactory.create(locations=[here.location]).user
    else:
        staff = administrator()
    client.force_login(staff)
    page = client.get(giving_link(client, here))
    assert (page.context["asked"].offering, page.context["asked"].start) == (here, at(10))
    assert page.request["PATH_INFO"] == "/recepcion/dar-turno/"
    link = giving_link(client, elsewhere)
    assert (link == "/recepcion/dar-turno/") is (role == "reception")
    assert client.get(link).status_code == 200


def test_who_has_no_work_here_is_not_said_to_have(client):
    client.force_login(UserFactory.create())
    assert giving_link(client, offering := open_offering()) == ""
    assert "works at the clinic" not in client.get(address(offering)).content.decode()


def test_who_reads_the_reason_is_said_truly(client, user, admin_client):
    """The administration can, with each read logged; the desk cannot."""
    visit = book(patient=patient_of(user), reason="Dolor de pecho")
    page = client.get(address(open_offering())).content.decode()
    assert "only your practitioner and the administration can read it" in page
    assert "Dolor de pecho" in admin_client.get(admin_page(visit)).content.decode()
    reception = ReceptionistFactory.create(locations=[visit.location]).user
    client.force_login(reception)
    at_desk = client.get(f"/recepcion/turnos/{visit.public_id}/")
    assert at_desk.status_code == 200
    assert "Dolor de pecho" not in at_desk.content.decode()


def test_a_user_without_anything_sees_no_patient_pages(client):
    client.force_login(UserFactory.create())
    assert client.get("/turnos/").status_code == 403


@pytest.mark.parametrize(
    ("reminders", "hour", "says"),
    [("48, 24", 10, True), ("48, 24", 8, False), ("24, 2", 8, True), ("", 10, False)],
)
def test_a_reminder_is_promised_only_while_one_is_to_come(client, user, reminders, hour, says):
    """It is eight: tomorrow at ten is more than a day ahead, at eight it is not."""
    Organization.current()
    Organization.objects.update(reminders=reminders)
    visit = book(offering=open_offering(start=dt.time(8)), patient=patient_of(user), start=at(hour))
    page = client.get(f"/turnos/{visit.public_id}/").content.decode()
    assert ("a reminder before the appointment" in page) is says
    assert ("You get an e-mail with these details." in page) is not says


@pytest.mark.parametrize(
    ("at_location", "shown"),
    [("+541148651111", "+54 11 4865-1111"), ("", "+54 11 4865-2222")],
)
def test_what_only_the_phone_can_change_says_which(client, user, at_location, shown):
    """The location's; the clinic's where the location has none."""
    Organization.current()
    Organization.objects.update(phone="+541148652222")
    offering = open_offering(schedule__location__phone=at_location)
    patient = user.patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, start=at(9, days=0))
    page = client.get(f"/turnos/{visit.public_id}/").content.decode()
    assert f'Only by phone now<span class="note">{shown}</span>' in page
