"""What every answer carries, and where a visitor without a login is led."""

import pytest
from django.urls import reverse

from appointments.tests.factories import NOW
from clinic.tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.mark.parametrize("path", ["/", "/nada/", "/turnos/", "/static/css/clinic.css"])
def test_every_answer_is_cautious(client, path):
    response = client.get(path)
    response.close()
    headers = response.headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_no_script_reads_a_cookie(client):
    client.get("/cuenta/ingresar/")
    client.post("/idioma/", {"language": "en"})
    cookies = {name: morsel["httponly"] for name, morsel in client.cookies.items()}
    assert cookies == {"csrftoken": True, "django_language": True}


def test_a_button_after_the_end_of_the_session_leads_through_the_login_to_the_start(
    client, time_machine
):
    time_machine.move_to(NOW, tick=False)
    response = client.post(World().url("appointments:agenda_action"))
    assert response.url == f"/cuenta/ingresar/?next={reverse('start')}"
