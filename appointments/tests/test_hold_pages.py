"""Keeping a time through the pages, and what makes booking twice by accident impossible."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest

from accounts.models import Relation
from accounts.roles import Actor
from accounts.tests.factories import (
    PASSWORD,
    PatientAccessFactory,
    administrator,
    patient_user,
    verified,
)
from appointments import services
from appointments.models import Appointment, Hold
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import browser, doctor_of, words
from clinic.models import AuditEvent, Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.usefixtures("this_morning"),
]

HOLD = {"hold": "1"}
KEPT = "We keep this time for you until 8:10."


def address(offering: ServiceOffering, start: dt.datetime | None = None) -> str:
    moment = (start or at(10)).astimezone(dt.UTC)
    return f"/reservar/?offering={offering.pk}&start={moment:%Y-%m-%dT%H}%3A{moment:%M}Z"


def pressable(response: Any) -> list[str]:
    """The addresses of the times on a page that are buttons."""
    found = re.findall(r'formaction="([^"]+)" name="hold"', response.content.decode())
    return [url.replace("&amp;", "&") for url in found]


def key_on(response: Any) -> str:
    found = re.search(r'name="key" value="([^"]+)"', response.content.decode())
    assert found
    return found[1]


def test_pressing_a_time_keeps_it_and_the_page_says_until_when(offering, user):
    client = browser(user)
    times = client.get(f"/horarios/?who={offering.practitioner.slug}")
    assert address(offering) in pressable(times)
    assert '<form id="hold" method="post">' in times.content.decode()
    response = client.post(address(offering), HOLD)
    assert (response.status_code, response["Location"]) == (302, address(offering))
    page = client.get(response["Location"])
    assert page.status_code == 200
    assert KEPT in words(page)
    assert Hold.objects.get().user == user
    done = client.post(address(offering), {"key": key_on(page)})
    assert done["Location"] == f"/turnos/{Appointment.objects.get().public_id}/"
    assert Hold.objects.count() == 0


def test_looking_keeps_nothing(offering, user):
    page = browser(user).get(address(offering))
    assert page.status_code == 200
    assert "We keep this time" not in words(page)
    assert Hold.objects.count() == 0


def test_without_an_account_times_are_links_and_hold_nothing(offering):
    client = browser()
    times = client.get(f"/horarios/?who={offering.practitioner.slug}")
    assert pressable(times) == []
    assert f'href="{address(offering)}"'.replace("&", "&amp;") in times.content.decode()
    response = client.post(address(offering), HOLD)
    assert response["Location"].startswith("/cuenta/ingresar/?next=/reservar/")
    assert Hold.objects.count() == 0


def test_staff_sees_links(offering):
    client = browser(offering.practitioner.user)
    assert pressable(client.get(f"/horarios/?who={offering.practitioner.slug}")) == []
    assert client.post(address(offering), HOLD).status_code == 403
    assert Hold.objects.count() == 0


@pytest.mark.parametrize("path", ["/", "/profesionales/", "/profesionales/{slug}/"])
def test_every_time_on_a_patients_pages_is_kept_when_pressed(offering, user, path):
    patient = user.patient_accesses.get().patient
    book(offering=offering, patient=patient, start=at(9, days=-3), now=at(9, days=-4))
    client = browser(user)
    page = client.get(path.format(slug=offering.practitioner.slug))
    (url,) = pressable(page)
    assert client.post(url, HOLD)["Location"] == url
    assert Hold.objects.get().user == user
    assert page.content.decode().count('id="hold"') == 1


def test_the_login_keeps_the_time_that_was_chosen_before_it(offering, user):
    verified(user, "en")
    client = browser()
    to = client.get(address(offering))["Location"]
    response = client.post(to, {"login": user.email, "password": PASSWORD})
    assert response["Location"] == address(offering)
    assert Hold.objects.get().user == user
    assert KEPT in words(client.get(response["Location"]))


def test_a_login_elsewhere_keeps_nothing(offering, user):
    verified(user, "en")
    response = browser().post("/cuenta/ingresar/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302
    assert Hold.objects.count() == 0


def test_others_do_not_find_it_and_are_offered_what_is_near(offering, user):
    browser(user).post(address(offering), HOLD)
    client = browser(patient_user())
    times = client.get(f"/horarios/?who={offering.practitioner.slug}")
    assert address(offering) not in pressable(times)
    for response in (
        client.get(address(offering)),
        client.post(address(offering), HOLD),
        client.post(address(offering), {"key": str(uuid.uuid4())}),
    ):
        assert response.status_code == 409
        assert "Somebody else is booking this time right now." in words(response)
        assert f'value="{offering.pk}@2026-11-24T12:30Z"' in response.content.decode()
    assert Appointment.objects.count() == 0


def test_over_time_the_owner_loses_the_promise_and_not_the_time(offering, user, time_machine):
    client = browser(user)
    client.post(address(offering), HOLD)
    time_machine.move_to(NOW + dt.timedelta(minutes=10), tick=False)
    page = client.get(address(offering))
    assert page.status_code == 200
    assert "We keep this time" not in words(page)
    assert client.post(address(offering), {"key": key_on(page)}).status_code == 302
    assert Appointment.objects.count() == 1


def test_what_has_to_be_corrected_keeps_the_time(offering, user):
    response = browser(user).post(
        address(offering), {"key": str(uuid.uuid4()), "reason": "x" * 501}
    )
    assert response.status_code == 422
    assert KEPT in words(response)


@pytest.mark.parametrize(("hour", "kept"), [(15, 1), (10, 0)])
def test_it_is_kept_while_one_is_asked_and_not_where_one_is_elsewhere(user, hour, kept):
    """On the same day the button stays; at the same hour there is none to press."""
    offering = open_offering()
    book(patient=user.patient_accesses.get().patient, start=at(hour))
    response = browser(user).post(address(offering), {"key": str(uuid.uuid4())})
    assert response.status_code == 409
    assert Hold.objects.count() == kept


def test_book_again_remembers_whom_it_is_for(offering, user):
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    book(offering=offering, patient=child, start=at(9, days=-3), now=at(9, days=-4))
    client = browser(user)
    (url,) = pressable(client.get("/"))
    page = client.get(client.post(url, HOLD)["Location"])
    assert re.search(rf'value="{child.public_id}"[^>]* checked', page.content.decode())


# --- moving -----------------------------------------------------------------------


def test_a_move_keeps_its_new_time(offering, user):
    patient = user.patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, start=at(9, days=3))
    client = browser(user)
    here = f"/turnos/{visit.public_id}/mover/"
    url = pressable(client.get(here))[0]
    assert url.startswith(here)
    response = client.post(url, HOLD)
    assert response["Location"] == url
    assert KEPT in words(client.get(url))
    hold = Hold.objects.get()
    assert browser(patient_user()).post(address(offering, hold.start), HOLD).status_code == 409
    client.post(url)
    assert Appointment.objects.get(rescheduled_from=visit).start == hold.start
    assert Hold.objects.count() == 0


def test_a_move_to_what_another_holds_shows_the_times_again(offering, user):
    patient = user.patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, start=at(9, days=3))
    browser(patient_user()).post(address(offering, at(10, days=2)), HOLD)
    start = at(10, days=2).astimezone(dt.UTC)
    here = f"/turnos/{visit.public_id}/mover/?offering={offering.pk}&start={start:%Y-%m-%dT%H:%MZ}"
    for data in (HOLD, {}):
        response = browser(user).post(here, data)
        assert response.status_code == 409
        assert "Somebody else is booking this time right now." in words(response)


def test_a_move_that_overlaps_its_own_old_time_needs_no_hold(user):
    offering = open_offering(schedule__slot_step=15)
    patient = user.patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, start=at(9, days=3))
    start = at(9, 15, days=3).astimezone(dt.UTC)
    here = f"/turnos/{visit.public_id}/mover/?offering={offering.pk}&start={start:%Y-%m-%dT%H:%MZ}"
    client = browser(user)
    assert client.post(here, HOLD).status_code == 302
    assert Hold.objects.count() == 0
    assert client.post(here).status_code == 302
    assert Appointment.objects.get(rescheduled_from=visit).start == at(9, 15, days=3)


def test_a_strangers_move_holds_nothing(offering, user):
    visit = book(offering=offering, start=at(9, days=3))
    start = at(10, days=3).astimezone(dt.UTC)
    here = f"/turnos/{visit.public_id}/mover/?offering={offering.pk}&start={start:%Y-%m-%dT%H:%MZ}"
    assert browser(user).post(here, HOLD).status_code == 404
    assert Hold.objects.count() == 0


# --- twice by accident --------------------------------------------------------------


def test_a_double_click_makes_one_appointment(offering, user):
    client = browser(user)
    data = {"key": key_on(client.get(address(offering)))}
    urls = {client.post(address(offering), data)["Location"] for _n in range(2)}
    assert urls == {f"/turnos/{Appointment.objects.get().public_id}/"}


def test_back_leads_to_what_was_booked(offering, user):
    """The page is not kept by the browser: going back asks for it anew."""
    client = browser(user)
    page = client.get(address(offering))
    assert "no-store" in page["Cache-Control"]
    done = client.post(address(offering), {"key": key_on(page)})["Location"]
    assert client.get(address(offering))["Location"] == done
    assert client.post(address(offering), HOLD)["Location"] == done
    assert Appointment.objects.count() == 1
    assert Hold.objects.count() == 0


def test_reloading_the_result_books_nothing(offering, user):
    client = browser(user)
    data = {"key": key_on(client.get(address(offering)))}
    done = client.post(address(offering), data)
    assert [client.get(done["Location"]).status_code for _n in range(3)] == [200] * 3
    assert Appointment.objects.count() == 1


def test_two_tabs_lead_to_the_one_appointment(offering, user):
    client = browser(user)
    keys = [key_on(client.get(address(offering))) for _tab in range(2)]
    assert keys[0] != keys[1]
    urls = {client.post(address(offering), {"key": key})["Location"] for key in keys}
    assert urls == {f"/turnos/{Appointment.objects.get().public_id}/"}


def test_the_same_key_later_and_for_another_time_makes_no_second_one(offering, user):
    client = browser(user)
    data = {"key": key_on(client.get(address(offering)))}
    done = client.post(address(offering), data)["Location"]
    assert client.post(address(offering, at(11)), data)["Location"] == done
    assert Appointment.objects.count() == 1


def test_what_was_cancelled_can_be_booked_again(offering, user):
    client = browser(user)
    client.post(address(offering), {"key": key_on(client.get(address(offering)))})
    services.cancel(appointment=Appointment.objects.get(), by=desk(), reason="x")
    page = client.get(address(offering))
    assert client.post(address(offering), {"key": key_on(page)}).status_code == 302
    assert Appointment.objects.filter(status="booked").count() == 1


# --- limits on the pages ---------------------------------------------------------------


def test_whoever_has_enough_ahead_is_told_before_and_given_the_phone(offering, user):
    Organization.objects.update(most_ahead=1)
    book(offering=offering, patient=user.patient_accesses.get().patient, start=at(9, days=5))
    client = browser(user)
    for response in (
        client.get(address(offering)),
        client.post(address(offering), HOLD),
        client.post(address(offering), {"key": str(uuid.uuid4())}),
        client.post(address(offering), {"key": str(uuid.uuid4()), "reason": "x" * 501}),
    ):
        assert Hold.objects.count() == 0
        if response.status_code == 422:
            continue
        assert response.status_code == 409
        assert "There is already 1 appointment ahead for this patient" in words(response)
        assert "Call us: +54 11 4865-0000" in words(response)
        assert 'name="slot"' not in response.content.decode()
        assert "See all free times" not in words(response)


def test_whoever_cancelled_too_often_holds_nothing(offering, user):
    Organization.objects.update(most_cancelled=1, most_cancelled_days=30)
    visit = book(offering=offering, patient=user.patient_accesses.get().patient, start=at(9))
    services.cancel(appointment=visit, by=Actor.patient(user), reason="x")
    response = browser(user).post(address(offering), HOLD)
    assert response.status_code == 409
    assert "has been cancelled here. To find a time that suits, call" in words(response)
    assert Hold.objects.count() == 0
    other = open_offering()
    assert browser(user).post(address(other), HOLD).status_code == 302


def test_a_family_holds_while_one_of_them_may_book(offering, user):
    Organization.objects.update(most_ahead=1)
    mother = user.patient_accesses.get().patient
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    book(offering=offering, patient=mother, start=at(9, days=5))
    client = browser(user)
    assert client.post(address(offering), HOLD).status_code == 302
    assert Hold.objects.count() == 1
    Hold.objects.all().delete()
    book(offering=offering, patient=child, start=at(9, days=6))
    for response in (client.post(address(offering), HOLD), client.get(address(offering))):
        assert response.status_code == 409
        assert "There is already 1 appointment ahead for this patient" in words(response)
    assert Hold.objects.count() == 0


def test_of_a_family_only_who_is_known_there_counts(offering, user):
    """The child may book more, but not with this practitioner."""
    Organization.objects.update(most_ahead=1)
    ServiceOffering.objects.update(booked_online_by="known")
    mother = user.patient_accesses.get().patient
    PatientAccessFactory.create(user=user, relation=Relation.CHILD)
    old = book(offering=offering, patient=mother, start=at(9, days=-3), now=at(9, days=-4))
    services.mark_fulfilled(appointment=old, by=doctor_of(offering))
    assert browser(user).post(address(offering), HOLD).status_code == 302
    Hold.objects.all().delete()
    book(offering=offering, patient=mother, start=at(9, days=5))
    assert browser(user).post(address(offering), HOLD).status_code == 409
    assert Hold.objects.count() == 0


def test_the_login_keeps_nothing_for_whoever_has_enough_ahead(offering, user):
    Organization.objects.update(most_ahead=1)
    book(offering=offering, patient=user.patient_accesses.get().patient, start=at(9, days=5))
    verified(user, "en")
    client = browser()
    to = client.get(address(offering))["Location"]
    response = client.post(to, {"login": user.email, "password": PASSWORD})
    assert response["Location"] == address(offering)
    assert Hold.objects.count() == 0
    assert "There is already 1 appointment ahead" in words(client.get(response["Location"]))


def test_whoever_did_not_come_is_told_that_they_ask(offering, user):
    Organization.objects.update(approval_after_no_shows=1)
    patient = user.patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, start=at(9, days=-9), now=at(9, days=-10))
    services.mark_no_show(appointment=visit, by=desk())
    client = browser(user)
    page = client.get(address(offering))
    assert "This is a request: the clinic confirms it by e-mail." in words(page)
    assert "Ask for the appointment" in words(page)
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    page = client.get(address(offering))
    assert f"For {patient.full_name} this is a request" in words(page)
    assert child.full_name not in words(page).partition("this is a request")[0][-80:]
    assert "Book the appointment" in words(page)


# --- the administration ------------------------------------------------------------------


def test_the_administration_sees_what_is_live_and_lets_it_go(offering, user, time_machine):
    browser(patient_user()).post(address(offering, at(9)), HOLD)
    time_machine.move_to(NOW + dt.timedelta(minutes=9), tick=False)
    browser(user).post(address(offering), HOLD)
    time_machine.move_to(NOW + dt.timedelta(minutes=10), tick=False)
    boss = browser(administrator())
    url = "/admin/appointments/hold/"
    page = boss.get(url)
    assert [hold.user for hold in page.context["cl"].result_list] == [user]
    hold = Hold.objects.get(user=user)
    assert boss.get(f"{url}{hold.pk}/change/").status_code == 200
    assert boss.get(f"{url}add/").status_code == 403
    done = boss.post(url, {"action": "release", "_selected_action": [hold.pk]}, follow=True)
    assert "1 time let go." in done.content.decode()
    assert not Hold.objects.filter(pk=hold.pk).exists()
    assert AuditEvent.objects.filter(action="hold.release").count() == 1
    assert browser(user).get(url).status_code == 403


@pytest.mark.parametrize("number", [1, 30])
def test_the_list_of_the_administration_asks_as_often_for_thirty(
    offering, number, django_assert_max_num_queries
):
    for n in range(number):
        start = at(9 + n % 8, days=1 + n // 8)
        browser(patient_user()).post(address(offering, start), HOLD)
    boss = browser(administrator())
    boss.get("/admin/appointments/hold/")
    with django_assert_max_num_queries(14):
        boss.get("/admin/appointments/hold/")
