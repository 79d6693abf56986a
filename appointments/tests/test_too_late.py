"""What comes too late: answering after the deadline, moving and cancelling what is over."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.roles import Actor
from accounts.tests.factories import ReceptionistFactory, administrator
from appointments import services
from appointments.exceptions import (
    MoveNotAllowed,
    RequestLapsed,
    TooLateToCallOff,
    TooLateToMove,
    VisitOver,
)
from appointments.models import Appointment
from appointments.tests.factories import at, book, desk, patient_user
from appointments.tests.practice import (
    account_of,
    admin_page,
    browser,
    doctor_of,
    main_part,
    new_practice,
    row_of,
    status,
    words,
)
from scheduling.models import ServiceOffering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning"), pytest.mark.once]

LAPSED = "The time to answer this request is over"
ENDED = "The time of this appointment is over, so it can no longer be moved"
DAY_OVER = "The day of this appointment is over, so it can no longer be cancelled"
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice(confirmation="manual")


@pytest.fixture
def visit(offering: ServiceOffering) -> Appointment:
    """Confirmed, tomorrow from ten to half past."""
    return book(offering=offering)


def ask(offering: ServiceOffering, **fields: Any) -> Appointment:
    user = fields.pop("user", None) or patient_user()
    patient = user.patient_accesses.get().patient
    return book(offering=offering, patient=patient, by=Actor.patient(user), **fields)


def browsers(offering: ServiceOffering) -> dict[str, Client]:
    receptionist = ReceptionistFactory.create(locations=[offering.location])
    return {"agenda": browser(account_of(offering)), "desk": browser(receptionist.user)}


@pytest.mark.parametrize("late", [dt.timedelta(0), dt.timedelta(hours=2)])
def test_nobody_confirms_after_the_deadline(offering, late):
    request = ask(offering, start=at(10, days=9))
    assert request.expires_at
    assert request.expires_at < request.start
    with pytest.raises(RequestLapsed):
        services.confirm(appointment=request, by=doctor_of(offering), now=request.expires_at + late)
    services.confirm(appointment=request, by=doctor_of(offering), now=request.expires_at - MINUTE)
    assert status(request) == "booked"


@pytest.mark.parametrize("door", ["agenda", "desk"])
def test_the_button_goes_with_the_deadline_and_pressing_it_says_why(door, offering, time_machine):
    request, client = ask(offering, start=at(16)), browsers(offering)[door]
    day = (
        "/agenda/2026-11-24/"
        if door == "agenda"
        else f"/recepcion/{offering.location.slug}/2026-11-24/"
    )
    page = reverse(f"appointments:{door}_appointment", args=[request.public_id])
    action = reverse(f"appointments:{door}_action", args=[request.public_id, "confirmar"])
    assert f'action="{action}"' in main_part(client.get(page))
    time_machine.move_to(request.expires_at, tick=False)
    shown = client.get(page)
    assert action not in main_part(shown)
    assert "/mover/" not in main_part(shown)
    assert "Nobody answered in time: it can no longer be confirmed." in words(shown)
    if door == "agenda":
        assert action not in row_of(client.get(day), request.reference)
    done = client.post(action, {"volver": "turno"}, follow=True)
    assert LAPSED in words(done)
    assert status(request) == "pending"


def test_the_administration_refuses_it_too(offering, time_machine):
    request, client = ask(offering), browser(administrator())
    confirm = {"action": "confirm", "_selected_action": [request.pk]}
    url = reverse("admin:appointments_appointment_changelist")
    time_machine.move_to(request.expires_at, tick=False)
    assert LAPSED in client.post(url, confirm).content.decode()
    done = client.post(url, {**confirm, "decided": "1"}, follow=True)
    assert LAPSED in done.content.decode()
    page = client.get(admin_page(request)).content.decode()
    assert "/mover/" not in page
    assert status(request) == "pending"


def test_a_request_that_lapsed_is_moved_by_nobody(offering):
    user = patient_user()
    request = ask(offering, user=user, start=at(10, days=9))
    move = {"appointment": request, "offering": offering, "start": at(12, days=9)}
    with pytest.raises(RequestLapsed):
        services.reschedule(**move, by=desk(), now=request.expires_at)
    with pytest.raises(TooLateToMove):
        services.reschedule(**move, by=Actor.patient(user), now=request.expires_at)
    assert request.expires_at
    assert not services.can_move(request, request.expires_at)
    assert services.can_move(request, request.expires_at - MINUTE)
    assert status(request) == "pending"


def test_what_is_over_is_not_moved(visit, offering):
    move = {"appointment": visit, "offering": offering, "start": at(12, days=9), "by": desk()}
    with pytest.raises(VisitOver):
        services.reschedule(**move, now=visit.end)
    assert services.reschedule(**move, now=visit.end - MINUTE).rescheduled_from == visit


@pytest.mark.parametrize("door", ["agenda", "desk"])
def test_the_form_to_move_that_was_open_for_too_long(door, visit, offering, time_machine):
    client = browsers(offering)[door]
    start = at(12, days=9).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    url = reverse(f"appointments:{door}_move", args=[visit.public_id])
    form = f"{url}?offering={offering.pk}&start={start}"
    assert client.get(form).status_code == 200
    time_machine.move_to(visit.end, tick=False)
    for done in (client.post(form, {"note": ""}, follow=True), client.get(form, follow=True)):
        assert ENDED in words(done)
    assert status(visit) == "booked"
    assert Appointment.objects.count() == 1


def test_the_staff_cancels_until_the_day_is_over(visit):
    gone = {"appointment": visit, "by": desk(), "reason": "x"}
    with pytest.raises(TooLateToCallOff):
        services.cancel(**gone, now=at(0, days=2))
    assert services.cancel(**gone, now=at(23, 59)).status == "cancelled"


@pytest.mark.parametrize("door", ["agenda", "desk"])
def test_the_day_after_it_is_noted_and_not_cancelled(door, visit, offering, time_machine):
    client = browsers(offering)[door]
    url = reverse(f"appointments:{door}_cancel", args=[visit.public_id])
    page = reverse(f"appointments:{door}_appointment", args=[visit.public_id])
    time_machine.move_to(at(23, 59), tick=False)
    assert url in main_part(client.get(page))
    assert client.get(url).status_code == 200
    time_machine.move_to(at(0, days=2), tick=False)
    assert url not in main_part(client.get(page))
    for done in (client.get(url, follow=True), client.post(url, {"reason": "x"}, follow=True)):
        assert DAY_OVER in words(done)
        assert "Note whether the patient came." in words(done)
    assert status(visit) == "booked"
    services.mark_no_show(appointment=visit, by=desk(), now=at(9, days=2))
    assert status(visit) == "noshow"


def test_the_administration_cancels_nothing_of_yesterday(visit, time_machine):
    client = browser(administrator())
    url = reverse("admin:appointments_appointment_changelist")
    cancel = {"action": "cancel", "_selected_action": [visit.pk], "decided": "1", "reason": "x"}
    time_machine.move_to(at(0, days=2), tick=False)
    assert DAY_OVER in client.post(url, cancel, follow=True).content.decode()
    assert status(visit) == "booked"


def test_nobody_wipes_a_no_show_by_cancelling(visit):
    services.mark_no_show(appointment=visit, by=desk(), now=at(10, 30))
    for now in (at(11), at(9, days=2)):
        with pytest.raises(MoveNotAllowed):
            services.cancel(appointment=visit, by=desk(), reason="x", now=now)
    assert status(visit) == "noshow"


def test_in_spanish_too(visit, offering, time_machine):
    client = browsers(offering)["desk"]
    client.cookies["django_language"] = "es"
    time_machine.move_to(at(0, days=2), tick=False)
    url = reverse("appointments:desk_cancel", args=[visit.public_id])
    text = words(client.get(url, follow=True))
    assert "El día de este turno ya terminó, así que ya no se puede cancelar." in text
