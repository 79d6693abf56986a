"""A session that ended while a form was open: what was typed comes back to who typed it."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import Patient
from accounts.tests.factories import PASSWORD, patient_user, verified
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, new_practice, sent_again, status, words
from clinic import unsent

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ADD = "/familia/agregar/"
AGAIN = "/enviar-otra-vez/"
CHILD = {
    "relation": "child",
    "first_name": "Tomás",
    "last_name": "Gómez",
    "birth_date_day": "3",
    "birth_date_month": "4",
    "birth_date_year": "2019",
}


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def mother():
    return verified(patient_user(), "en")


def opened(user, url=ADD) -> Client:
    """A browser with a form open, in which the session has then ended."""
    client = browser(user)
    assert client.get(url).status_code == 200
    client.session.flush()
    return client


def log_in(client, user, to):
    wanted = re.search(r"next=([^&]*)", to)
    assert wanted
    return client.post(to, {"login": user.email, "password": PASSWORD})


def test_it_comes_back_after_the_login_and_is_sent_with_one_button(mother):
    client = opened(mother)
    lost = client.post(ADD, CHILD)
    assert lost["Location"] == (
        "/cuenta/ingresar/?next=/enviar-otra-vez/%3Fnext%3D%252Ffamilia%252Fagregar%252F"
    )
    assert Patient.objects.count() == 1
    inside = log_in(client, mother, lost["Location"])
    page = client.get(inside["Location"])
    assert page.status_code == 200
    assert f'action="{ADD}"' in page.content.decode()
    assert "Now it can be sent. Tomás Gómez Send it again" in words(page)
    assert sent_again(page) == {name: [value] for name, value in CHILD.items()}
    assert client.post(ADD, sent_again(page))["Location"] == "/familia/"
    assert Patient.objects.get(first_name="Tomás").accesses.get().user == mother


def test_looking_does_not_use_it_up_and_sending_does(mother):
    client = opened(mother)
    log_in(client, mother, client.post(ADD, CHILD)["Location"])
    for _n in range(2):
        assert client.get(AGAIN).status_code == 200
    client.post(ADD, {"first_name": ""})
    assert client.get(AGAIN)["Location"] == "/inicio/"


def test_the_session_lives_as_long_as_usual_after_the_login(mother):
    client = opened(mother)
    lost = client.post(ADD, CHILD)
    assert client.session.get_expiry_age() == unsent.LIVES_FOR
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    log_in(client, mother, lost["Location"])
    assert client.session.get_expiry_age() == settings.SESSION_COOKIE_AGE
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_another_person_at_the_same_computer_never_sees_it(mother):
    client = opened(mother)
    lost = client.post(ADD, CHILD)
    other = verified(patient_user(), "en")
    log_in(client, other, lost["Location"])
    assert unsent.KEY not in client.session
    answer = client.get(f"{AGAIN}?next=/familia/agregar/")
    assert answer["Location"] == "/familia/agregar/"
    # Nor does it come back when the first one logs in afterwards.
    log_in(client, mother, lost["Location"])
    assert client.get(AGAIN)["Location"] == "/inicio/"


def test_who_logged_out_has_left_nothing_behind(mother):
    client = browser(mother)
    client.get(ADD)
    assert client.cookies[unsent.MARK_COOKIE].value == unsent.mark_of(mother)
    client.post("/cuenta/salir/")
    assert client.cookies[unsent.MARK_COOKIE].value == ""
    assert client.post(ADD, CHILD)["Location"] == f"/cuenta/ingresar/?next={ADD}"
    assert unsent.KEY not in client.session


def test_an_invented_mark_opens_nothing(mother):
    client = browser()
    client.cookies[unsent.MARK_COOKIE] = "x" * 5000
    lost = client.post(ADD, CHILD)
    log_in(client, mother, lost["Location"])
    assert unsent.KEY not in client.session


def test_after_an_hour_it_is_gone(mother, time_machine):
    client = opened(mother)
    lost = client.post(ADD, CHILD)
    log_in(client, mother, lost["Location"])
    time_machine.move_to(NOW + dt.timedelta(minutes=59), tick=False)
    assert client.get(AGAIN).status_code == 200
    time_machine.move_to(NOW + dt.timedelta(minutes=61), tick=False)
    assert client.get(f"{AGAIN}?next={ADD}")["Location"] == ADD
    assert unsent.KEY not in client.session


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_what_another_site_sent_is_not_kept(mother, headers):
    client = opened(mother)
    client.post(ADD, CHILD, headers=headers)
    assert unsent.KEY not in client.session


def test_without_the_token_nothing_is_kept(mother):
    client = browser(mother, csrf=True)
    client.get(ADD)
    client.session.flush()
    assert client.post(ADD, CHILD).status_code == 403
    assert unsent.KEY not in client.session


@pytest.mark.parametrize("url", ["/cuenta/clave/", "/cuenta/correo/", "/admin/"])
def test_the_doors_own_forms_are_never_kept(mother, url):
    client = opened(mother)
    client.post(url, {"oldpassword": "secret", "email": "new@example.org"})
    assert unsent.KEY not in client.session


def test_a_password_is_never_kept(mother):
    client = opened(mother)
    client.post(ADD, {**CHILD, "password1": "secret"})
    assert "secret" not in str(client.session[unsent.KEY])


@pytest.mark.parametrize("much", [{"first_name": "x" * 20_001}, {f"f{n}": "x" for n in range(201)}])
def test_what_no_person_types_is_not_kept(mother, much):
    client = opened(mother)
    client.post(ADD, much)
    assert unsent.KEY not in client.session


def test_a_button_of_the_agenda_comes_back_too():
    offering = new_practice(confirmation="manual")
    user = patient_user()
    visit = book(offering=offering, start=at(10, days=0), patient=Patient.objects.of(user).get())
    doctor = verified(account_of(offering), "en")
    day = f"/agenda/{visit.local_date}/"
    client = opened(doctor, day)
    lost = client.post(f"/agenda/turnos/{visit.public_id}/llego/", {"volver": "turno"})
    page = client.get(log_in(client, doctor, lost["Location"])["Location"])
    assert status(visit) == "booked"
    action = re.search(r'<main.*?action="([^"]*)"', page.content.decode(), re.DOTALL)
    assert action
    client.post(action[1], sent_again(page))
    assert status(visit) == "arrived"


def test_a_visitor_is_sent_to_the_login(client):
    assert client.get(AGAIN)["Location"] == f"/cuenta/ingresar/?next={AGAIN}"


def test_whoever_logs_in_over_an_open_session_takes_nothing_along(mother):
    client = opened(mother)
    log_in(client, mother, client.post(ADD, CHILD)["Location"])
    assert unsent.KEY in client.session
    client.force_login(patient_user())
    assert unsent.KEY not in client.session


@pytest.mark.parametrize(
    ("value", "is_shown"),
    [
        ("Tomás", True),
        ("dolor de rodilla desde el 3", True),
        ("child", False),
        ("2019", False),
        ("7@2026-11-24T13:00Z", False),
        ("0f9a3c1e-7d57-4c86-9a4e-6f1d1f6d2c11", False),
        ("", False),
    ],
)
def test_the_page_shows_what_a_person_wrote(value, is_shown):
    kept = unsent.Unsent("/x/", [("name", value)], "mark", 0)
    assert kept.words == ([value] if is_shown else [])
