"""The patient's way to another time: choose, see old and new, one button."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils.html import escape

from accounts.models import Coverage, User
from accounts.roles import Actor
from accounts.tests.factories import PractitionerFactory, ReceptionistFactory, patient_user
from appointments import services
from appointments.models import Appointment, Hold
from appointments.tests.factories import at, book, desk
from appointments.tests.practice import account_of, browser, new_practice, second_place, words
from appointments.tests.race import problems
from clinic.models import Organization
from clinic.tests.factories import InsurerFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]


class Case:
    """One appointment in three days at ten, and the browser of the one whose it is."""

    def __init__(self, **fields: Any) -> None:
        self.offering: ServiceOffering = new_practice(**fields)
        self.user: User = patient_user()
        self.patient = self.user.patient_accesses.get().patient
        self.visit: Appointment = book(
            offering=self.offering, patient=self.patient, start=at(10, days=3)
        )
        self.client: Client = browser(self.user)
        self.url = f"/turnos/{self.visit.public_id}/mover/"

    def to(self, start: Any, offering: ServiceOffering | None = None) -> str:
        instant = start.astimezone(dt.UTC).strftime("%Y-%m-%dT%H%%3A%MZ")
        return f"{self.url}?offering={(offering or self.offering).pk}&start={instant}"


def test_a_time_that_cannot_be_changed_again_says_so_before():
    case = Case()
    warning = "The new time is so near that it can no longer be changed or cancelled here"
    assert warning in words(case.client.get(case.to(at(16, days=0))))
    assert warning not in words(case.client.get(case.to(at(16, days=2))))


def test_the_whole_way():
    case = Case()
    page = case.client.get(f"/turnos/{case.visit.public_id}/")
    assert f'href="{case.url}"' in page.content.decode()
    times = case.client.get(case.url)
    assert "You keep this time until you have the new one." in words(times)
    link = case.to(at(12, days=3))
    assert f'formaction="{escape(link)}"' in times.content.decode()
    assert escape(case.to(at(10, days=3))) not in times.content.decode()
    check = case.client.get(link)
    assert "Until now Thursday 26 November 2026, 10:00" in words(check)
    assert "New time Thursday 26 November 2026, 12:00" in words(check)
    assert Appointment.objects.get().status == "booked"

    answer = case.client.post(link)
    moved = Appointment.objects.get(status="booked")
    assert (answer.status_code, answer["Location"]) == (302, f"/turnos/{moved.public_id}/")
    assert (moved.start, moved.rescheduled_from) == (at(12, days=3), case.visit)
    assert [e.role for e in moved.events.all()] == ["patient"]
    done = words(case.client.get(answer["Location"]))
    assert "The appointment has the new time. The old one is given back." in done
    assert "Before Thursday 26 November 2026, 10:00" in done
    old = words(case.client.get(f"/turnos/{case.visit.public_id}/"))
    assert "It is now on Thursday 26 November 2026, 12:00." in old
    assert "Book again" not in old


def test_the_button_twice_is_one_move():
    case = Case()
    link = case.to(at(12, days=3))
    first, second = case.client.post(link), case.client.post(link)
    assert first["Location"] == second["Location"]
    assert Appointment.objects.count() == 2


def test_a_time_that_is_gone_shows_the_others():
    case = Case()
    book(offering=case.offering, start=at(12, days=3))
    answer = case.client.post(case.to(at(12, days=3)))
    assert answer.status_code == 409
    assert "This time has just been taken." in words(answer)
    assert escape(case.to(at(13, days=3))) in answer.content.decode()
    case.visit.refresh_from_db()
    assert case.visit.status == "booked"


def test_the_same_day_is_asked_about_once():
    case = Case()
    book(patient=case.patient, start=at(15, days=4))
    link = case.to(at(12, days=4))
    answer = case.client.post(link)
    assert answer.status_code == 409
    assert "Take the new time all the same" in words(answer)
    assert case.client.post(link, {"same_day": "on"}).status_code == 302


def test_the_same_hour_is_refused():
    case = Case()
    book(patient=case.patient, start=at(12, days=4))
    answer = case.client.post(case.to(at(12, days=4)))
    assert answer.status_code == 409
    assert "all the same" not in words(answer)


def test_too_late_says_whom_to_call():
    case = Case(cancel_notice_hours=100)
    page = words(case.client.get(f"/turnos/{case.visit.public_id}/"))
    assert "Change the time" not in page
    assert case.client.get(case.url).status_code == 200
    assert "This appointment cannot be moved here" in words(case.client.get(case.url))
    answer = case.client.post(case.to(at(12, days=3)))
    assert answer.status_code == 409
    assert Appointment.objects.get().start == at(10, days=3)


def test_what_is_cancelled_is_not_moved():
    case = Case()
    services.cancel(appointment=case.visit, by=desk(), reason="x")
    answer = case.client.post(case.to(at(12, days=3)))
    assert (answer.status_code, Appointment.objects.count()) == (409, 1)


@pytest.mark.parametrize(
    "query",
    [
        "?start=nonsense",
        "?start=2026-02-30T10:00Z&offering=1",
        "?offering=99999&start=2026-11-26T15:00Z",
    ],
)
def test_nonsense_is_not_found(query):
    case = Case()
    assert case.client.get(case.url + query).status_code == 404


@pytest.mark.parametrize("since", ["", "9999-12-31", "0000-00-00", "x" * 500, "2026-02-30", "\0"])
def test_any_day_gives_an_answer(since):
    case = Case()
    assert case.client.get(case.url, {"since": since}).status_code == 200


def another(case: Case, name: str = "Bruno", **fields: Any) -> ServiceOffering:
    """The same service with somebody else, elsewhere."""
    person = PractitionerFactory.create(first_name=name, last_name="Paz")
    fields.setdefault("schedule__practitioner", person)
    return new_practice(service=case.offering.service, **fields)


def test_to_another_practitioner():
    case = Case()
    other = another(case)
    slug = other.practitioner.slug
    mine = case.client.get(case.url).content.decode()
    assert f'<option value="{slug}"' in mine
    assert escape(case.to(at(12, days=3), other)) not in mine
    theirs = case.client.get(case.url, {"con": slug})
    link = case.to(at(12, days=3), other)
    assert f'formaction="{escape(link)}"' in theirs.content.decode()
    assert escape(case.to(at(12, days=3))) not in theirs.content.decode()
    assert f"con={slug}" in re.findall(r'rel="next" href="([^"]*)"', theirs.content.decode())[0]
    assert case.client.post(link, {"hold": ""}).status_code == 302
    check = case.client.get(link)
    assert f"Until now with {case.offering.practitioner}" in words(check)
    assert f'href="{case.url}?con={slug}"' in check.content.decode()
    assert case.client.post(link).status_code == 302
    moved = Appointment.objects.get(status="booked")
    assert (moved.practitioner, moved.location) == (other.practitioner, other.location)
    assert moved.rescheduled_from == case.visit
    assert problems() == []


def test_a_search_with_place_day_and_part_of_the_day():
    case = Case()
    north = second_place(case.offering, location__name="Norte", location__slug="norte")
    open_week(north.schedule)
    there = {"where": "norte", "part": "afternoon", "since": "27/11/2026"}
    page = case.client.get(case.url, there).content.decode()
    assert escape(case.to(at(12, days=4), north)) in page
    assert escape(case.to(at(11, days=4), north)) not in page
    assert escape(case.to(at(12, days=3), north)) not in page
    assert escape(case.to(at(12, days=4))) not in page
    assert 'value="27/11/2026"' in page
    assert '<details class="more mb-3" open>' in page
    assert '<details class="more mb-3">' in case.client.get(case.url).content.decode()
    (later,) = re.findall(r'rel="next" href="([^"]*)"', page)
    assert later == f"{case.url}?since=2026-12-04&amp;where=norte&amp;part=afternoon"


@pytest.mark.parametrize("query", ["con=nobody", "where=x", "part=night", "con=&where=&part="])
def test_what_cannot_be_chosen_counts_as_not_chosen(query):
    case = Case()
    another(case)
    page = case.client.get(f"{case.url}?{query}")
    assert escape(case.to(at(12, days=3))) in page.content.decode()


def test_only_what_can_be_booked_online_is_offered():
    case = Case()
    offline = another(case, "Carla", booked_online_by="staff")
    gone = another(case, "Dora")
    gone.practitioner.is_active = False
    gone.practitioner.save()
    known = another(case, "Elsa", booked_online_by="known")
    other_service = new_practice()
    page = case.client.get(case.url).content.decode()
    for hidden in (offline, gone, known, other_service):
        assert f'<option value="{hidden.practitioner.slug}"' not in page
        link = case.to(at(12, days=3), hidden)
        assert case.client.get(link).status_code == 404
        assert case.client.post(link, {"hold": ""}).status_code == 404
        assert case.client.post(link).status_code == 404
    assert Hold.objects.count() == 0
    seen = book(offering=known, patient=case.patient, start=at(10), by=desk())
    services.mark_arrived(appointment=seen, by=desk(), now=at(10))
    assert case.client.post(case.to(at(12, days=3), known)).status_code == 302


def test_ones_own_practitioner_stays_open_to_whoever_the_desk_has_booked():
    case = Case(booked_online_by="known")
    assert case.client.post(case.to(at(12, days=3))).status_code == 302


def test_who_cancelled_too_often_there_calls():
    Organization.current()
    Organization.objects.update(most_cancelled=1)
    case = Case()
    other = another(case)
    gone = book(offering=other, patient=case.patient, start=at(10, days=9))
    services.cancel(appointment=gone, by=Actor.patient(case.user))
    link = case.to(at(12, days=3), other)
    for answer in (case.client.get(link), case.client.post(link, {"hold": ""})):
        assert answer.status_code == 409
        assert "has been cancelled here. To find a time that suits, call the clinic." in words(
            answer
        )
        assert escape(case.to(at(12, days=3))) in answer.content.decode()
    assert case.client.post(link).status_code == 409
    assert (Hold.objects.count(), Appointment.objects.filter(status="booked").count()) == (0, 1)
    assert case.client.post(case.to(at(12, days=3))).status_code == 302


def test_a_move_makes_no_appointment_more():
    Organization.current()
    Organization.objects.update(most_ahead=1)
    case = Case()
    assert case.client.post(case.to(at(12, days=3), another(case))).status_code == 302


def test_who_confirms_by_hand_is_asked_and_the_page_says_so_before():
    case = Case()
    other = another(case, confirmation="manual")
    link = case.to(at(12, days=3), other)
    page = case.client.get(link)
    assert "This is a request: the clinic confirms it by e-mail." in words(page)
    assert "The old time stays yours until the new one is confirmed" in words(page)
    assert "becomes free for somebody else" not in words(page)
    assert "Ask for the new time" in words(page)
    answer = case.client.post(link)
    moved = Appointment.objects.get(replaces=case.visit)
    assert (moved.status, moved.expires_at is not None) == ("pending", True)
    case.visit.refresh_from_db()
    assert case.visit.status == "booked"
    assert answer["Location"] == f"/turnos/{moved.public_id}/"
    said = "The new time is asked for. The old one stays until then."
    assert said in words(case.client.get(answer["Location"]))
    assert problems() == []


def test_at_another_location_that_confirms_by_hand_it_is_asked_for():
    case = Case()
    north = second_place(case.offering)
    open_week(north.schedule)
    ServiceOffering.objects.filter(pk=north.pk).update(confirmation="manual")
    link = case.to(at(12, days=3), north)
    assert "This is a request" in words(case.client.get(link))
    case.client.post(link)
    assert Appointment.objects.get(replaces=case.visit).status == "pending"


@pytest.mark.parametrize("elsewhere", [True, False])
def test_who_did_not_come_before_asks_for_each_other_time(elsewhere):
    Organization.current()
    Organization.objects.update(approval_after_no_shows=1)
    case = Case()
    other = another(case)
    missed = book(offering=other, patient=case.patient, start=at(9, days=0), by=desk())
    link = case.to(at(12, days=3), other if elsewhere else case.offering)
    assert "This is a request" not in words(case.client.get(link))
    services.mark_no_show(appointment=missed, by=desk(), now=at(9, 5, days=0))
    with time_machine.travel(at(10, days=0), tick=False):
        assert "This is a request" in words(case.client.get(link))
        case.client.post(link)
    assert Appointment.objects.get(replaces=case.visit).status == "pending"


def test_the_staff_moves_without_asking_whoever_did_not_come():
    Organization.current()
    Organization.objects.update(approval_after_no_shows=1)
    case = Case()
    missed = book(offering=another(case), patient=case.patient, start=at(9, days=0), by=desk())
    services.mark_no_show(appointment=missed, by=desk(), now=at(9, 5, days=0))
    moved = services.reschedule(
        appointment=case.visit, offering=case.offering, start=at(12, days=3), by=desk(),
        now=at(10, days=0),
    )  # fmt: skip
    assert moved.status == "booked"


def test_what_would_be_private_is_said_before():
    case = Case()
    other = another(case)
    insurer = InsurerFactory.create(name="OSDE")
    case.offering.practitioner.insurers.add(insurer)
    Coverage.objects.create(patient=case.patient, insurer=insurer)
    warning = f"{other.practitioner} does not work with OSDE."
    assert warning in words(case.client.get(case.to(at(12, days=3), other)))
    assert "does not work with" not in words(case.client.get(case.to(at(12, days=3))))


def test_the_price_there_is_shown_before():
    case = Case()
    other = another(case, price=12500, show_price=True)
    assert "12,500" in case.client.get(case.to(at(12, days=3), other)).content.decode()


def test_a_time_that_is_gone_there_shows_their_others():
    case = Case()
    other = another(case)
    book(offering=other, start=at(12, days=3))
    answer = case.client.post(case.to(at(12, days=3), other))
    assert answer.status_code == 409
    assert escape(case.to(at(13, days=3), other)) in answer.content.decode()
    case.visit.refresh_from_db()
    assert case.visit.status == "booked"


def test_strangers_get_no_other_practitioner_either():
    case = Case()
    other = another(case)
    link = case.to(at(12, days=3), other)
    for client, status in (
        (browser(patient_user()), 404),
        (browser(account_of(other)), 403),
        (browser(ReceptionistFactory.create(locations=[other.location]).user), 403),
    ):
        assert client.get(case.url, {"con": other.practitioner.slug}).status_code == status
        assert client.post(link).status_code == status
        assert client.post(link, {"hold": ""}).status_code == status
    assert browser().post(link).status_code == 302
    assert Appointment.objects.get().status == "booked"


@pytest.mark.parametrize("others", [1, 8])
def test_more_practitioners_ask_no_more(others, django_assert_max_num_queries):
    case = Case()
    for n in range(others):
        another(case, f"Nora{n}", booked_online_by="" if n % 2 else "known")
    case.client.get(case.url)
    with django_assert_max_num_queries(25):
        case.client.get(case.url)


def test_strangers_get_404():
    case = Case()
    stranger = browser(patient_user())
    assert stranger.get(case.url).status_code == 404
    assert stranger.post(case.to(at(12, days=3))).status_code == 404
    assert browser().get(case.url).status_code == 302
    doctor = browser(case.offering.practitioner.user)
    assert doctor.get(case.url).status_code == 403


def test_a_request_is_moved_as_a_request():
    user = patient_user()
    patient = user.patient_accesses.get().patient
    offering = new_practice(confirmation="manual")
    visit = book(offering=offering, patient=patient, by=Actor.patient(user), start=at(10, days=3))
    start = at(12, days=3).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    url = f"/turnos/{visit.public_id}/mover/?offering={offering.pk}&start={start}"
    assert browser(user).post(url).status_code == 302
    assert Appointment.objects.get(rescheduled_from=visit).status == "pending"


def test_the_calendar_of_what_was_moved_is_that_of_what_it_became():
    case = Case()
    case.client.post(case.to(at(12, days=3)))
    moved = Appointment.objects.get(status="booked")
    old = case.client.get(f"/turnos/{case.visit.public_id}/turno.ics")
    assert old["Location"] == f"/turnos/{moved.public_id}/turno.ics"
    file = case.client.get(old["Location"]).content.decode()
    assert f"UID:{case.visit.public_id}" in file
    assert "SEQUENCE:2" in file
