"""A service that only patients whom the practitioner has seen may book online."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.models import Patient, User
from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory, patient_user
from appointments import services
from appointments.exceptions import OnlyKnownPatients
from appointments.models import Appointment, Hold
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import browser, doctor_of, new_practice, words
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

SENTENCE = "Online this is for patients seen before. Call the clinic for the first visit."
NOTE = "Online only for patients seen before"


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice(booked_online_by="known")


@pytest.fixture
def user() -> User:
    return patient_user()


def own(user: User) -> Patient:
    return user.patient_accesses.order_by("pk")[0].patient


def seen_by(offering: ServiceOffering, patient: Patient) -> Appointment:
    """Last week they were there."""
    before = NOW - dt.timedelta(days=8)
    visit = book(offering=offering, patient=patient, start=at(10, days=-7), now=before)
    return services.mark_fulfilled(appointment=visit, by=doctor_of(offering), now=NOW)


def url(offering: ServiceOffering, start: dt.datetime | None = None) -> str:
    instant = (start or at(10)).astimezone(dt.UTC)
    return f"/reservar/?offering={offering.pk}&start={instant:%Y-%m-%dT%H:%MZ}"


def test_a_new_patient_is_sent_to_the_telephone(offering, user):
    with pytest.raises(OnlyKnownPatients):
        book(offering=offering, patient=own(user), by=Actor.patient(user))
    other = open_offering(service=offering.service)
    client = browser(user)
    for answer in (client.get(url(offering)), client.post(url(offering))):
        assert answer.status_code in {409, 422}
    page = client.get(url(offering))
    assert SENTENCE in words(page)
    assert f"Call us: {offering.location.phone.as_international}" in words(page)
    # Another time of the same practitioner would be refused as well; another one's would not.
    assert f"{offering.pk}@" not in page.content.decode()
    assert f"{other.pk}@" in page.content.decode()
    assert not Appointment.objects.exists()


def test_a_new_patient_keeps_no_time_from_others(offering, user):
    page = browser(user).post(url(offering), {"hold": "1"})
    assert (page.status_code, SENTENCE in words(page)) == (409, True)
    assert not Hold.objects.exists()


def test_whoever_was_there_books(offering, user):
    seen_by(offering, own(user))
    assert browser(user).get(url(offering)).status_code == 200
    made = book(offering=offering, patient=own(user), by=Actor.patient(user))
    assert made.status == "booked"


@pytest.mark.parametrize("how", ["only booked", "cancelled", "elsewhere"])
def test_having_been_seen_means_having_been_there_with_them(offering, user, how):
    patient = own(user)
    if how == "elsewhere":
        seen_by(open_offering(), patient)
    else:
        visit = book(offering=offering, patient=patient, start=at(15, days=3))
        if how == "cancelled":
            services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    with pytest.raises(OnlyKnownPatients):
        book(offering=offering, patient=patient, by=Actor.patient(user))


def test_the_staff_books_the_first_visit_and_the_patient_may_move_it(offering, user):
    visit = book(offering=offering, patient=own(user), start=at(10, days=3))
    moved = services.reschedule(
        appointment=visit, offering=offering, start=at(12, days=3), by=Actor.patient(user), now=NOW
    )
    assert moved.start == at(12, days=3)


def test_of_a_family_only_who_was_there(offering, user):
    child = PatientAccessFactory.create(user=user, relation="child").patient
    seen_by(offering, child)
    client = browser(user)
    page = client.get(url(offering))
    assert page.status_code == 200
    form = {"key": "7f6a4a0e-5b0f-4f64-8a39-0d7a6f5b5a11", "reason": ""}
    refused = client.post(url(offering), form | {"patient": str(own(user).public_id)})
    assert (refused.status_code, SENTENCE in words(refused)) == (409, True)
    done = client.post(url(offering), form | {"patient": str(child.public_id)})
    assert done.status_code == 302
    assert Appointment.objects.get(status="booked").patient == child


def test_it_is_said_before_anybody_logs_in(offering):
    what = f"what={offering.service.specialty.slug}/{offering.service.slug}"
    visitor = browser()
    assert NOTE in words(visitor.get(f"/horarios/?{what}"))
    assert NOTE in words(visitor.get(f"/profesionales/{offering.practitioner.slug}/"))
    open_offering(service=offering.service)
    cards = words(visitor.get(f"/horarios/?{what}"))
    assert cards.count(NOTE) == 1


def test_nothing_is_said_of_a_service_for_everybody(user):
    offering = new_practice()
    what = f"what={offering.service.specialty.slug}/{offering.service.slug}"
    pages = [f"/horarios/?{what}", f"/profesionales/{offering.practitioner.slug}/", url(offering)]
    assert [NOTE in words(browser(user).get(page)) for page in pages] == [False] * 3
