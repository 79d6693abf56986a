"""The pages of the house itself: starts, health, and forms whose token is too old."""

import uuid

import pytest
from django.test import Client

from accounts.roles import Role
from appointments.models import Appointment
from appointments.tests.factories import at
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.mark.parametrize(
    ("role", "page"),
    [
        (Role.PATIENT, "/"),
        (Role.PRACTITIONER, "/agenda/"),
        (Role.RECEPTION, "/recepcion/"),
        (Role.ADMINISTRATOR, "/admin/"),
    ],
)
def test_each_role_starts_on_its_own_page(client, world, role, page):
    client.force_login(world.users[role])
    assert client.get("/inicio/").url == page


def test_health_is_for_anybody_and_says_little(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_an_old_token_gives_the_form_back_with_its_values(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users[Role.PATIENT])
    start = at(11, days=5)
    url = f"/reservar/?offering={open_offering().pk}&start={start:%Y-%m-%dT%H:%M}Z"
    typed = {"reason": "Dolor de rodilla", "key": str(uuid.uuid4()), "password": "secret"}
    response = client.post(url, typed)
    page = response.content.decode()
    assert response.status_code == 403
    assert 'name="reason" value="Dolor de rodilla"' in page
    assert f'action="{url.replace("&", "&amp;")}"' in page
    assert "secret" not in page
    assert Appointment.objects.filter(start=start).count() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_another_site_sent_is_not_offered_to_be_sent_again(world, headers):
    client = Client(enforce_csrf_checks=True, headers=headers)
    client.force_login(world.users[Role.PATIENT])
    response = client.post("/familia/agregar/", {"first_name": "Malinda"})
    assert response.status_code == 403
    assert "Malinda" not in response.content.decode()


@pytest.mark.parametrize(
    ("url", "page"), [("/idioma/", "/inicio/"), ("/familia/agregar/", "/familia/agregar/")]
)
def test_an_old_token_leads_to_a_page_that_opens(world, url, page):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users[Role.PATIENT])
    assert f'btn-primary" href="{page}"' in client.post(url).content.decode()


@pytest.mark.parametrize("url", ["/cuenta/ingresar/", "/cuenta/crear/", "/admin/"])
def test_an_old_token_at_a_door_gives_nothing_back(world, url):
    response = Client(enforce_csrf_checks=True).post(url, {"login": "a@example.org"})
    assert response.status_code == 403
    assert "a@example.org" not in response.content.decode()


@pytest.mark.parametrize("path", ["/nada/", "/turnos/x/", "/agenda/2026-02-30/", "/%00/"])
def test_what_does_not_exist_has_a_page_that_says_so(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert b"<h1" in response.content
