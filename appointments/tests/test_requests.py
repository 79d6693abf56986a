"""The list of requests: all that waits for this person's answer, and nothing of others."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Actor
from accounts.tests.factories import (
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import browser, doctor_of, new_practice, words
from scheduling.models import ServiceOffering

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("this_morning"),
    pytest.mark.once,
]

DESK, PRACTICE = "/recepcion/solicitudes/", "/agenda/solicitudes/"


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice(confirmation="manual")


@pytest.fixture
def doctor(offering):
    return browser(offering.practitioner.user)


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def ask(offering, name="Gómez", hour=10, days=1, **fields) -> Appointment:
    patient = PatientFactory.create(first_name="Ana", last_name=name, phone="+541148650001")
    by = Actor.patient(patient_user())
    return book(
        offering=offering, patient=patient, start=at(hour, days=days), by=by,
        reason="Dolor de rodilla", **fields,
    )  # fmt: skip


@pytest.mark.parametrize("url", [DESK, PRACTICE])
def test_all_days_in_the_order_of_the_clock(url, desk, doctor, offering):
    client = desk if url == DESK else doctor
    ask(offering, "Ibarra", days=9)
    ask(offering, "Zárate", hour=12)
    ask(offering)
    page = client.get(url).content.decode()
    found = [page.index(f">Ana {name}</a>") for name in ("Gómez", "Zárate", "Ibarra")]
    assert found == sorted(found)
    assert page.count("<h2") == 2
    text = words(client.get(url))
    assert "3 wait for an answer" in text
    assert "10:00– to 10:30" in text
    assert "Asked on Monday 23 November" in text


def test_what_is_answered_over_or_lapsed_is_not_here(desk, doctor, offering, time_machine):
    confirmed, cancelled, lapsing = (ask(offering, hour=hour) for hour in (9, 10, 11))
    services.confirm(appointment=confirmed, by=doctor_of(offering), now=NOW)
    services.cancel(appointment=cancelled, by=doctor_of(offering), reason="Congreso", now=NOW)
    assert words(desk.get(DESK)).count("Ana Gómez") > 0
    time_machine.move_to(lapsing.expires_at, tick=False)
    for client, url in ((desk, DESK), (doctor, PRACTICE)):
        text = words(client.get(url))
        assert "Ana Gómez" not in text
        assert "Nothing waits for an answer" in text


def test_the_reason_is_the_practitioners_alone(desk, doctor, offering):
    ask(offering)
    assert "Dolor de rodilla" in words(doctor.get(PRACTICE))
    text = words(desk.get(DESK))
    assert "Dolor" not in text
    assert "+54 11 4865-0001" in text
    assert str(offering.practitioner) in text


def test_nothing_of_other_desks_and_other_practitioners(desk, doctor, offering):
    colleague = new_practice(confirmation="manual", schedule__location=offering.location)
    ask(colleague, "Ibarra")
    ask(new_practice(confirmation="manual"), "Zárate")
    assert ">Ana Ibarra</a>" in desk.get(DESK).content.decode()
    assert "Zárate" not in words(desk.get(DESK))
    assert "Nothing waits for an answer" in words(doctor.get(PRACTICE))
    assert ">Ana Zárate</a>" in browser(administrator()).get(DESK).content.decode()


def test_who_may_not(desk, doctor, offering):
    patient = browser(patient_user())
    for client, url in ((patient, DESK), (patient, PRACTICE), (doctor, DESK), (desk, PRACTICE)):
        assert client.get(url).status_code == 403
    assert browser().get(DESK).status_code == browser().get(PRACTICE).status_code == 302


@pytest.mark.parametrize("door", ["desk", "agenda"])
def test_an_answer_leads_back_to_the_list(door, desk, doctor, offering):
    client, url = (desk, DESK) if door == "desk" else (doctor, PRACTICE)
    visit, other = ask(offering), ask(offering, "Ibarra", hour=12)
    action = reverse(f"appointments:{door}_action", args=[visit.public_id, "confirmar"])
    assert f'action="{action}"' in client.get(url).content.decode()
    done = client.post(action, {"volver": "solicitudes"}, follow=True)
    assert done.redirect_chain == [(url, 302)]
    text = words(done)
    assert "Confirmed: Ana Gómez at 10:00." in text
    assert "1 waits for an answer" in text

    cancel = reverse(f"appointments:{door}_cancel", args=[other.public_id])
    assert f'href="{cancel}?volver=solicitudes"' in client.get(url).content.decode()
    form = client.get(f"{cancel}?volver=solicitudes")
    assert f'href="{url}"' in form.content.decode()
    done = client.post(f"{cancel}?volver=solicitudes", {"reason": "Congreso"}, follow=True)
    assert done.redirect_chain == [(url, 302)]
    assert "Cancelled. Ana Ibarra has no e-mail here: call" in words(done)
    assert set(Appointment.objects.values_list("status", flat=True)) == {"booked", "cancelled"}


def test_somebody_was_faster(desk, offering):
    visit = ask(offering)
    services.confirm(appointment=visit, by=doctor_of(offering), now=NOW)
    action = reverse("appointments:desk_action", args=[visit.public_id, "confirmar"])
    done = desk.post(action, {"volver": "solicitudes"}, follow=True)
    assert "This was done already" in words(done)


@pytest.mark.parametrize("page", ["0", "99", "x", "1" + "0" * 30, "\x00"])
def test_odd_pages(desk, offering, page):
    ask(offering)
    response = desk.get(DESK, {"page": page})
    assert response.status_code == 200
    assert "Ana Gómez" in words(response)


@pytest.mark.parametrize("url", [DESK, PRACTICE])
def test_as_many_questions_for_thirty_as_for_one(url, desk, doctor, offering):
    client = desk if url == DESK else doctor
    ask(offering, days=1)

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(url).status_code == 200
        return len(asked)

    questions()
    one = questions()
    for number in range(29):
        ask(offering, hour=9 + number % 6, days=2 + number // 6)
    assert questions() == one
