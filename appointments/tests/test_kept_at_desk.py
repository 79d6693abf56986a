"""What reception meets at a time that is kept: for whom, until when, and a yes by telephone."""

from __future__ import annotations

import re

import pytest

from accounts.roles import Actor, Role
from accounts.tests.factories import PatientFactory, ReceptionistFactory, patient_user
from appointments import freed, holds
from appointments.exceptions import MoveNotAllowed
from appointments.models import Appointment, WaitingListEntry, WaitingOffer
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, main_part, new_practice, words
from appointments.tests.race import problems
from appointments.tests.test_giving_pages import AGENDA, DESK, press, where
from appointments.tests.waiting import offered
from scheduling.models import ServiceOffering

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.usefixtures("this_morning"),
]


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice()


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


@pytest.fixture
def offer(offering):
    return offered(offering, patient_user(first_name="Ana", last_name="Muñoz"))


def test_reception_reads_for_whom_and_until_when(desk, offering, offer):
    other = PatientFactory.create()
    page = desk.get(DESK, where(offering, paciente=other.public_id))
    text = words(page)
    assert "This time is offered to somebody on the waiting list." in text
    assert "We keep it for Ana Muñoz until 9:00." in text
    assert "Give the appointment" not in re.findall(r"<button.*?</button>", main_part(page))
    refused = desk.post(
        f"{DESK}?servicio={offering.pk}&dia=2026-11-24&hora=10:00", {"paciente": other.public_id}
    )
    assert refused.status_code == 409
    assert "We keep it for Ana Muñoz until 9:00." in words(refused)
    assert WaitingOffer.objects.get().is_open


def test_who_was_asked_says_yes_by_telephone(desk, offering, offer):
    page = main_part(desk.get(DESK, where(offering)))
    link = re.search(r'href="([^"]+)">Give it to Ana Muñoz', page)
    assert link
    ready = desk.get(link[1].replace("&amp;", "&"))
    assert "It is offered to Ana Muñoz, from the waiting list." in words(ready)
    ana = offer.entry.patient
    done = [press(desk, ready, ana) for _click in range(2)]
    visit = Appointment.objects.get(patient=ana)
    assert [one.status_code for one in done] == [302, 302]
    assert visit.events.get().role == Role.RECEPTION
    offer.refresh_from_db()
    assert (offer.answer, offer.appointment) == (WaitingOffer.Answer.ACCEPTED, visit)
    assert WaitingListEntry.objects.get().status == WaitingListEntry.Status.ACCEPTED
    assert problems() == []


def test_the_later_appointment_goes_back(desk, offering):
    user = patient_user(first_name="Ana", last_name="Muñoz")
    ana = user.patient_accesses.get().patient
    later = book(offering=offering, patient=ana, start=at(10, days=9))
    offered(offering, user, instead_of=later)
    ready = desk.get(DESK, where(offering, paciente=ana.public_id))
    assert "The appointment of Wednesday 2 December 2026, 10:00 is given back." in words(ready)
    press(desk, ready, ana)
    assert Appointment.objects.get(rescheduled_from=later).start == at(10)


def test_when_a_visit_with_somebody_else_is_stays_theirs(desk, offering):
    """Neither another practitioner nor another desk reads when the patient is elsewhere."""
    user = patient_user(first_name="Ana", last_name="Muñoz")
    ana = user.patient_accesses.get().patient
    far = new_practice(service=offering.service)
    later = book(offering=far, patient=ana, start=at(10, days=9))
    book(offering=offering, patient=ana, start=at(15))
    offered(offering, user, instead_of=later)
    for client, url in ((desk, DESK), (browser(account_of(offering)), AGENDA)):
        said = words(client.get(url, where(offering, paciente=ana.public_id)))
        assert "A later appointment is given back." in said
        assert "2 December" not in said


def test_where_the_patient_is_at_that_hour_stays_theirs(desk, offering):
    ana = PatientFactory.create()
    book(offering=new_practice(), patient=ana)
    url = f"{DESK}?servicio={offering.pk}&dia=2026-11-24&hora=10:10"
    said = words(desk.post(url, {"paciente": ana.public_id}))
    assert "There is already an appointment for this patient at that time." in said
    assert "24 November 2026, 10:00" not in said


def test_a_practitioner_reads_no_name_that_is_not_theirs(offering, offer):
    text = words(browser(account_of(offering)).get(AGENDA, where(offering)))
    assert "This time is offered to somebody on the waiting list." in text
    assert "We keep it until 9:00." in text
    assert "Muñoz" not in text


def test_somebody_who_fills_in_the_form_is_not_named(desk, offering):
    user = patient_user(last_name="Muñoz")
    holds.take(offering=offering, start=at(10), user=user, now=NOW)
    text = words(desk.get(DESK, where(offering)))
    assert "Somebody else is booking this time right now." in text
    assert "We keep it until 8:10." in text
    assert "Muñoz" not in text


def test_nobody_but_them_and_the_staff_takes_it(offer):
    with pytest.raises(MoveNotAllowed):
        freed.accept(offer=offer, by=Actor.patient(patient_user()), now=NOW)
    with pytest.raises(MoveNotAllowed):
        freed.accept(offer=offer, by=Actor.system(), now=NOW)
    assert Appointment.objects.occupying().count() == 0
