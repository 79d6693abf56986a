"""The calendar to subscribe to: its address, what it says, and what it must not say."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from icalendar import Calendar

from accounts.exceptions import NotAllowed
from accounts.models import Patient, PatientAccess, User
from accounts.roles import Actor
from accounts.tests.factories import (
    PatientAccessFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from appointments import feeds, services
from appointments.feeds import hash_of
from appointments.models import Appointment, CalendarFeed
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import account_of, browser, main_part, new_practice, words
from clinic.models import AuditEvent
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

PAGE = "/mis-datos/calendario/"
PATIENT, PRACTICE = CalendarFeed.Kind.PATIENT, CalendarFeed.Kind.PRACTICE


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def ana() -> User:
    return patient_user(first_name="Anacleta", last_name="Pajaroff", document_number="30111222")


def own(user: User) -> Patient:
    found: Patient = Patient.objects.of(user).get()
    return found


def address(user: User, kind: CalendarFeed.Kind = PATIENT) -> str:
    """The path of a new address."""
    url = feeds.renew(user=user, kind=kind, by=Actor.patient(user))
    assert url.startswith("http")
    return "/" + url.split("/", 3)[3]


def read(path: str, **headers: str):
    return Client(headers=headers).get(path)


def events(path: str):
    """What a parser that is not ours finds, by UID."""
    found = Calendar.from_ical(read(path).content).walk("VEVENT")
    assert len({str(e["uid"]) for e in found}) == len(found)
    return {str(e["uid"]): e for e in found}


def move(visit: Appointment, start: dt.datetime) -> Appointment:
    offering = visit.practitioner.schedules.get().offerings.get()
    return services.reschedule(
        appointment=visit, offering=offering, start=start, by=desk(), now=NOW
    )


# --- the file


def test_a_program_reads_it_without_a_login(ana):
    visit = book(offering=new_practice(), patient=own(ana), start=at(10))
    response = read(address(ana))
    assert response.status_code == 200
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert "Set-Cookie" not in response.headers
    assert (response["Cache-Control"], response["X-Robots-Tag"]) == ("private, no-cache", "noindex")
    event = Calendar.from_ical(response.content).walk("VEVENT")[0]
    assert event.decoded("dtstart") == at(10).astimezone(dt.UTC)
    assert b"DTSTART:20261124T130000Z" in response.content
    assert event.decoded("dtend") == visit.end.astimezone(dt.UTC)
    assert (str(event["uid"]), event["sequence"]) == (str(visit.public_id), 0)
    assert (str(event["class"]), str(event["status"])) == ("PRIVATE", "CONFIRMED")
    assert str(event["url"]).endswith(f"/turnos/{visit.public_id}/")


def test_its_lines_are_those_of_the_standard(ana):
    book(offering=new_practice(schedule__location__name="Ñ" * 70), patient=own(ana))
    data = read(address(ana)).content
    assert data.startswith(b"BEGIN:VCALENDAR\r\n")
    assert data.endswith(b"END:VCALENDAR\r\n")
    assert data.replace(b"\r\n", b"").count(b"\n") == data.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(len(line) for line in data.split(b"\r\n")) <= 75
    assert b"\r\n " in data, "nothing was long enough to be folded"
    lines = data.replace(b"\r\n ", b"").decode().split("\r\n")
    for line in ("VERSION:2.0", "METHOD:PUBLISH", "REFRESH-INTERVAL;VALUE=DURATION:PT1H"):
        assert lines.count(line) == 1, line
    for name in ("UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "CLASS"):
        assert sum(line.startswith(f"{name}:") for line in lines) == 1, name


def test_it_names_nobody_and_nothing(ana):
    offering = new_practice(
        service__name="Canary Biopsy", service__specialty__name="Canary Oncology"
    )
    visit = book(offering=offering, patient=own(ana), reason="canary-reason")
    for path in (address(ana), address(account_of(offering), PRACTICE)):
        text = read(path).content.replace(b"\r\n ", b"").decode()
        assert str(visit.public_id) in text
        for word in (
            *("Anacleta", "Pajaroff", "30111222", "Canary", "canary", "Ferreyra"),
            *(visit.reference, ana.email, "ORGANIZER", "ATTENDEE", "DESCRIPTION"),
        ):
            assert word not in text, word


def test_a_move_is_the_same_entry_and_counts_on(ana):
    visit = book(offering=new_practice(), patient=own(ana), start=at(10))
    path = address(ana)
    before = events(path)[str(visit.public_id)]["sequence"]
    moved = move(visit, at(12))
    (event,) = events(path).values()
    assert str(event["uid"]) == str(visit.public_id)
    assert event["sequence"] == moved.calendar_sequence > before
    assert event.decoded("dtstart") == at(12).astimezone(dt.UTC)
    assert str(event["status"]) == "CONFIRMED"


def test_what_was_cancelled_is_sent_as_cancelled_for_a_month(ana, time_machine):
    visit = book(offering=new_practice(), patient=own(ana), start=at(10))
    path = address(ana)
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    event = events(path)[str(visit.public_id)]
    assert (str(event["status"]), str(event["transp"])) == ("CANCELLED", "TRANSPARENT")
    assert event["sequence"] == 1
    time_machine.move_to(at(10) + dt.timedelta(days=30), tick=False)
    assert len(events(path)) == 1
    time_machine.move_to(at(10) + dt.timedelta(days=30, seconds=1), tick=False)
    assert events(path) == {}


def test_a_request_is_tentative(ana):
    offering = new_practice(confirmation="manual")
    book(offering=offering, patient=own(ana), by=Actor.patient(ana))
    (event,) = events(address(ana)).values()
    assert str(event["status"]) == "TENTATIVE"


def test_the_whole_family_and_nobody_elses(ana):
    mother = own(ana)
    child = PatientAccessFactory.create(user=ana, relation="child").patient
    mine = [book(offering=open_offering(), patient=p) for p in (mother, child)]
    book(offering=open_offering())
    path = address(ana)
    assert set(events(path)) == {str(v.public_id) for v in mine}
    PatientAccess.objects.filter(patient=child).update(ended_at=NOW)
    assert set(events(path)) == {str(mine[0].public_id)}


def test_a_practice_is_busy_at_its_own_times_only():
    offering, other = new_practice(), new_practice()
    visit = book(offering=offering)
    book(offering=other)
    event = events(address(account_of(offering), PRACTICE))[str(visit.public_id)]
    assert str(event["summary"]) == "Consulta"
    assert str(event["url"]).endswith(f"/agenda/turnos/{visit.public_id}/")


def test_what_went_to_another_practitioner_is_cancelled_here_and_new_there():
    offering = new_practice()
    other = new_practice(service=offering.service)
    here, there = (address(account_of(o), PRACTICE) for o in (offering, other))
    visit = book(offering=offering)
    services.reschedule(appointment=visit, offering=other, start=at(12), by=desk(), now=NOW)
    uid = str(visit.public_id)
    gone, new = events(here)[uid], events(there)[uid]
    assert (str(gone["status"]), str(new["status"])) == ("CANCELLED", "CONFIRMED")
    assert new["sequence"] > gone["sequence"]


def test_in_the_language_of_the_account(ana):
    book(offering=new_practice(), patient=own(ana))
    path = address(ana)
    assert b"SUMMARY:Turno m" in read(path).content
    User.objects.filter(pk=ana.pk).update(language="en")
    assert b"SUMMARY:Medical appointment" in read(path).content


# --- asking again


def test_nothing_new_costs_nothing(ana, time_machine):
    visit = book(offering=new_practice(), patient=own(ana))
    path = address(ana)
    first = read(path)
    tag = first["ETag"]
    assert first["Last-Modified"] == "Mon, 23 Nov 2026 11:00:00 GMT"
    time_machine.move_to(NOW + dt.timedelta(hours=1), tick=False)
    again = read(path, **{"If-None-Match": tag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert read(path).content == first.content
    services.cancel(appointment=visit, by=desk(), reason="x", now=at(9))
    changed = read(path, **{"If-None-Match": tag})
    assert (changed.status_code, changed["ETag"] != tag) == (200, True)


def test_a_place_that_moved_is_news(ana):
    visit = book(offering=new_practice(), patient=own(ana))
    path = address(ana)
    tag = read(path)["ETag"]
    visit.location.address = "Otra calle 1"
    visit.location.save()
    assert read(path, **{"If-None-Match": tag}).status_code == 200


def test_whole_files_are_limited_and_asking_for_news_is_not(ana, monkeypatch):
    monkeypatch.setattr(feeds, "WHOLE_FILES", 3)
    path = address(ana)
    answers = [read(path) for _n in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[-1]["Retry-After"] == "3600"
    assert read(path, **{"If-None-Match": answers[0]["ETag"]}).status_code == 304
    assert read(address(ana)).status_code == 200


def test_it_asks_as_often_for_thirty(ana, django_assert_num_queries):
    path, offering = address(ana), new_practice()
    book(offering=offering, patient=own(ana))
    tag = read(path)["ETag"]
    with django_assert_num_queries(3):  # the address, what its person is, the rows
        assert read(path, **{"If-None-Match": tag}).status_code == 304
    for days in range(2, 32):
        book(offering=offering, patient=own(ana), start=at(10, days=days))
    tag = read(path)["ETag"]
    assert len(events(path)) == 31
    with django_assert_num_queries(3):
        assert read(path, **{"If-None-Match": tag}).status_code == 304


def test_it_never_grows_past_its_size(ana, monkeypatch):
    monkeypatch.setattr(feeds, "MOST", 2)
    offering = new_practice()
    made = [
        book(offering=offering, patient=own(ana), start=at(10, days=days)) for days in range(1, 5)
    ]
    assert list(events(address(ana))) == [str(visit.public_id) for visit in made[2:]]


# --- the address


def test_only_a_hash_is_kept(ana):
    path = address(ana)
    token = path.removeprefix("/calendario/").removesuffix(".ics")
    assert len(token) == 43  # 256 bits
    row = CalendarFeed.objects.get()
    assert (row.user, row.token_hash) == (ana, hash_of(token))
    kept = str(list(CalendarFeed.objects.values())) + str(list(AuditEvent.objects.values()))
    assert token not in kept


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "x" * 5000, "é"])
def test_an_unknown_address_is_no_page(ana, token):
    address(ana)
    assert read(f"/calendario/{token}.ics").status_code == 404


def test_the_hash_itself_opens_nothing(ana):
    address(ana)
    assert read(f"/calendario/{CalendarFeed.objects.get().token_hash}.ics").status_code == 404


def test_a_new_address_ends_the_old_one(ana):
    old = address(ana)
    new = address(ana)
    assert (read(old).status_code, read(new).status_code) == (404, 200)
    assert CalendarFeed.objects.count() == 1


def test_revoking_ends_it_and_twice_is_once(ana):
    path, by = address(ana), Actor.patient(ana)
    assert feeds.revoke(user=ana, kind=PATIENT, by=by) is True
    assert feeds.revoke(user=ana, kind=PATIENT, by=by) is False
    assert read(path).status_code == 404


def test_it_ends_with_the_account_and_with_the_role(ana):
    path = address(ana)
    PatientAccess.objects.update(ended_at=NOW)
    assert read(path).status_code == 404
    PatientAccess.objects.update(ended_at=None)
    User.objects.update(is_active=False)
    assert read(path).status_code == 404


def test_a_practitioner_who_left_has_none():
    offering = new_practice()
    path = address(account_of(offering), PRACTICE)
    offering.practitioner.is_active = False
    offering.practitioner.save()
    assert read(path).status_code == 404


def test_nobody_gets_a_calendar_of_what_they_are_not(ana):
    with pytest.raises(NotAllowed):
        address(ana, PRACTICE)
    with pytest.raises(NotAllowed):
        address(UserFactory.create())


def test_reading_writes_no_row_of_the_clinic(ana):
    path = address(ana)
    before = (list(CalendarFeed.objects.values()), AuditEvent.objects.count())
    read(path)
    assert (list(CalendarFeed.objects.values()), AuditEvent.objects.count()) == before
    assert Client().post(path).status_code == 405


# --- the page


def shown(response) -> str:
    found = re.search(r'value="http[^"]*(/calendario/[^"]*\.ics)"', main_part(response))
    return found[1] if found else ""


def test_the_address_is_shown_once(ana):
    client = browser(ana)
    assert "There is no address yet." in words(client.get(PAGE))
    made = client.post(PAGE, {"kind": "patient", "do": "make"})
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    assert read(shown(made)).status_code == 200
    assert re.search(r'href="webcal://[^"]*\.ics"', main_part(made))
    later = client.get(PAGE)
    assert shown(later) == ""
    assert "There is an address since Monday 23 November 2026." in words(later)
    renewed = client.post(PAGE, {"kind": "patient", "do": "make"})
    assert read(shown(made)).status_code == 404
    client.post(PAGE, {"kind": "patient", "do": "end"})
    assert read(shown(renewed)).status_code == 404
    assert not CalendarFeed.objects.exists()


def test_somebody_who_is_both_has_two(ana):
    offering = new_practice()
    user = account_of(offering)
    PatientAccessFactory.create(user=user)
    page = words(browser(user).get(PAGE))
    assert page.index("My appointments") < page.index("My agenda")
    assert "My agenda" not in words(browser(ana).get(PAGE))


def test_nobody_makes_one_for_what_they_are_not(ana):
    for kind in ("practice", "", "x"):
        assert browser(ana).post(PAGE, {"kind": kind, "do": "make"}).status_code == 404
    assert not CalendarFeed.objects.exists()


def test_the_page_is_for_patients_and_practitioners(ana):
    address(ana)
    stranger = browser(patient_user()).get(PAGE)
    assert "There is no address yet." in words(stranger)
    receptionist = ReceptionistFactory.create().user
    for user in (UserFactory.create(), receptionist, administrator()):
        assert browser(user).get(PAGE).status_code == 403
    assert browser().get(PAGE)["Location"] == f"/cuenta/ingresar/?next={PAGE}"
