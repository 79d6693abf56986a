"""The question with its free times, the offer after saving, and the page that undoes."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine

from accounts.tests.factories import ReceptionistFactory, administrator, patient_user
from appointments.models import Appointment, RuleChange
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, new_practice, words
from notifications.models import Kind, Notification
from scheduling.models import TimeOff

pytestmark = [pytest.mark.django_db, pytest.mark.once]

DAYS = "/agenda/bloqueos/dias/"
TUESDAY = {"first_day": "24/11/2026", "reason": "Congreso"}


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def hidden(response: Any) -> dict[str, Any]:
    """What the question sends again by itself."""
    found = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)">', response.content.decode()
    )
    data: dict[str, Any] = {}
    for name, value in found:
        if name != "csrfmiddlewaretoken":
            data.setdefault(name, []).append(value)
    return data


def asked(offering: Any) -> tuple[Any, dict[str, Any]]:
    client = browser(account_of(offering))
    page = client.post(DAYS, TUESDAY)
    assert page.status_code == 200
    return client, hidden(page)


def test_the_question_shows_a_free_time_for_each():
    offering = new_practice()
    visit = book(offering=offering)
    client = browser(account_of(offering))
    page = client.post(DAYS, TUESDAY)
    assert "Free time: Wednesday 25 November 2026, 9:00" in words(page)
    assert "The notices leave in ten minutes." in words(page)
    answer = {**hidden(page), "hit": "move"}
    assert client.post(DAYS, answer).status_code == 302
    moved = Appointment.objects.get(rescheduled_from=visit)
    assert moved.start == at(9, days=2)


def test_each_may_differ():
    offering = new_practice()
    one, other = book(offering=offering), book(offering=offering, start=at(12))
    client, sent = asked(offering)
    answer = {**sent, "hit": "keep", f"own-{other.public_id}": "cancel", "note": "Congreso"}
    assert client.post(DAYS, answer).status_code == 302
    states = dict(Appointment.objects.values_list("pk", "status"))
    assert states == {one.pk: "booked", other.pk: "cancelled"}


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("", "No free time was found for this one. Keep it or cancel it."),
        ("nonsense", "No free time was found for this one. Keep it or cancel it."),
        ("1@9999-99-99T00:00Z", "No free time was found for this one. Keep it or cancel it."),
    ],
)
def test_without_a_time_nothing_moves(place, sentence):
    offering = new_practice()
    visit = book(offering=offering)
    client, sent = asked(offering)
    page = client.post(DAYS, {**sent, f"place-{visit.public_id}": place, "hit": "move"})
    assert page.status_code == 422
    assert sentence in words(page)
    assert not TimeOff.objects.exists()


def test_a_time_that_is_gone_is_asked_about_again():
    offering = new_practice()
    visit = book(offering=offering)
    client, sent = asked(offering)
    book(offering=offering, start=at(9, days=2))
    page = client.post(DAYS, {**sent, "hit": "move"})
    assert page.status_code == 409
    assert "A proposed time is no longer free." in words(page)
    assert "Free time: Wednesday 25 November 2026, 9:30" in words(page)
    visit.refresh_from_db()
    assert visit.status == "booked"
    assert client.post(DAYS, {**hidden(page), "hit": "move"}).status_code == 302


def test_somebody_elses_appointment_in_the_list_is_not_touched():
    offering = new_practice()
    book(offering=offering)
    foreign = book()
    client, sent = asked(offering)
    sent["seen"] = [*sent["seen"], str(foreign.public_id), "nonsense"]
    page = client.post(DAYS, {**sent, "hit": "cancel", "note": "x"})
    assert page.status_code == 409
    assert foreign.patient.full_name not in words(page)
    foreign.refresh_from_db()
    assert foreign.status == "booked"


def test_the_page_after_saving_offers_to_undo(clock):
    offering = new_practice()
    user = patient_user()
    visit = book(offering=offering, patient=user.patient_accesses.get().patient)
    client, sent = asked(offering)
    saved = client.post(DAYS, {**sent, "hit": "cancel", "note": "Congreso"}, follow=True)
    assert "This change can be undone for another 10 minutes." in words(saved)
    assert "Until then no notice leaves." in words(saved)
    change = RuleChange.objects.get()
    url = f"/agenda/cambios/{change.public_id}/"
    assert f'href="{url}"' in saved.content.decode()
    assert "Undo the change" in words(client.get(url))
    assert TimeOff.objects.exists()

    done = client.post(url, follow=True)
    assert "The change is undone. Everything is as it was before." in words(done) or (
        "1 appointment stands again." in done.content.decode()
    )
    visit.refresh_from_db()
    assert visit.status == "booked"
    assert not TimeOff.objects.exists()
    assert Notification.objects.get(kind=Kind.AWAY).state == "void"
    assert "can be undone" not in words(client.get("/agenda/bloqueos/"))


def test_after_ten_minutes_it_is_too_late(clock):
    offering = new_practice()
    book(offering=offering)
    client, sent = asked(offering)
    client.post(DAYS, {**sent, "hit": "cancel", "note": "Congreso"})
    clock.shift(dt.timedelta(minutes=10))
    url = f"/agenda/cambios/{RuleChange.objects.get().public_id}/"
    assert "can be undone" not in words(client.get("/agenda/bloqueos/"))
    assert "It can no longer be undone" in words(client.get(url))
    client.post(url)
    assert TimeOff.objects.count() == 1


def test_only_who_made_it_undoes_it():
    offering = new_practice()
    client, _sent = None, None
    client = browser(account_of(offering))
    client.post(DAYS, TUESDAY)
    change = RuleChange.objects.get()
    own, theirs = (f"/{d}/cambios/{change.public_id}/" for d in ("agenda", "recepcion"))
    assert client.get(own).status_code == 200
    stranger = browser(account_of(new_practice()))
    assert (stranger.get(own).status_code, stranger.post(own).status_code) == (404, 404)
    desk = browser(ReceptionistFactory.create(locations=[offering.location]).user)
    assert (desk.get(own).status_code, desk.get(theirs).status_code) == (403, 404)
    assert browser(administrator()).post(theirs).status_code == 404
    assert browser(patient_user()).post(own).status_code == 403
    assert browser().get(own).status_code == 302
    assert TimeOff.objects.count() == 1


def test_a_look_changes_nothing():
    offering = new_practice()
    client = browser(account_of(offering))
    client.post(DAYS, TUESDAY)
    client.get(f"/agenda/cambios/{RuleChange.objects.get().public_id}/")
    assert TimeOff.objects.count() == 1
    assert RuleChange.objects.get().undone_at is None


def test_the_desk_undoes_what_it_changed():
    offering = new_practice()
    desk = browser(ReceptionistFactory.create(locations=[offering.location]).user)
    url = f"/recepcion/profesionales/{offering.practitioner.slug}/bloqueos/dias/"
    saved = desk.post(url, TUESDAY, follow=True)
    change = RuleChange.objects.get()
    assert f"/recepcion/cambios/{change.public_id}/" in saved.content.decode()
    desk.post(f"/recepcion/cambios/{change.public_id}/")
    assert not TimeOff.objects.exists()
