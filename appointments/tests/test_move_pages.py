"""The patient's way to another time: choose, see old and new, one button."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import at, book, desk
from appointments.tests.practice import browser, new_practice, words
from scheduling.models import ServiceOffering

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


def test_another_practitioners_time_is_not_offered_here():
    case = Case()
    other = new_practice(service=case.offering.service)
    assert case.client.post(case.to(at(12, days=3), other)).status_code == 404


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
