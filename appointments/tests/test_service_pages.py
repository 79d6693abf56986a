"""The services of a practice and the rules of booking them."""

import pytest

from accounts.tests.factories import ReceptionistFactory
from appointments.models import Appointment
from appointments.tests.factories import book
from appointments.tests.practice import (
    account_of,
    browser,
    new_practice,
    second_place,
    sent_again,
    status,
    words,
)
from clinic.models import Organization
from clinic.tests.factories import ServiceFactory
from scheduling.models import ServiceOffering

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

LIST = "/agenda/servicios/"


@pytest.fixture
def offering():
    return new_practice(schedule__location__slug="centro")


@pytest.fixture
def ecg(offering):
    """A service of the same specialty that is not offered yet."""
    return ServiceFactory.create(
        specialty=offering.service.specialty, slug="ecg", name="Electro", default_duration=20
    )


def one(offering):
    return f"{LIST}centro/{offering.service.slug}/"


#: What the form of an offered service sends when nothing is filled in.
PLAIN = {"is_active": "on"}


def test_the_services_of_my_specialties_at_each_location(doctor, offering, ecg):
    strange = ServiceFactory.create(name="Vacunación")
    text = words(doctor.get(LIST))
    assert f"{offering.service.name} {offering.service.specialty} 30 min · booked at once" in text
    assert f"Electro {ecg.specialty} Not offered here Offer" in text
    assert strange.name not in text


def test_every_rule_says_where_it_comes_from(doctor, offering):
    clinic = Organization.current()
    clinic.min_notice_minutes, clinic.cancel_notice_hours = 60, 24
    clinic.save()
    offering.schedule.horizon_days = 45
    offering.schedule.save()
    offering.cancel_notice_hours = 1
    offering.price, offering.show_price, offering.buffer_after = 1500, True, 10
    offering.save()
    text = words(doctor.get(LIST))
    assert "Length 30 min(the usual length)" in text
    assert "Free after 10 min(this service)" in text
    assert "Price $ 1,500.00 · patients see it(this service)" in text
    assert "Minimum notice 60 minutes(the clinic)" in text
    assert "Can be booked ahead 45 days(the schedule)" in text
    assert "Notice for cancelling or moving 1 hour(this service)" in text
    assert "A time every 30 min(the schedule)" in text
    assert "To travel from another location 30 minutes(the clinic)" in text
    assert "Free before 0 min(the clinic)" in text
    assert "Online patients book it(the clinic)" in text
    assert "Booking booked at once(the clinic)" in text
    offering.booked_online_by = "known"
    offering.save()
    assert "Online patients seen before book it(this service)" in words(doctor.get(LIST))


def test_the_form_says_what_holds_when_a_box_is_empty(doctor, offering):
    offering.min_notice_minutes = 15
    offering.schedule.min_notice_minutes = 120
    offering.schedule.save()
    offering.save()
    text = words(doctor.get(one(offering)))
    assert "Empty: 120 minutes (the schedule)." in text
    assert "Empty: 30 min (the usual length)." in text
    assert "Empty: 24 hours (the clinic)." in text


def test_a_service_is_offered_with_its_rules(doctor, offering, ecg):
    data = {
        "is_active": "on",
        "duration": "45",
        "buffer_before": "5",
        "buffer_after": "10",
        "booked_online_by": "known",
        "confirmation": "manual",
        "min_notice_minutes": "120",
        "horizon_days": "30",
        "cancel_notice_hours": "48",
        "price": "1500.50",
        "show_price": "True",
    }
    assert doctor.post(f"{LIST}centro/ecg/", data).url == LIST
    made = ServiceOffering.objects.get(service=ecg)
    assert (made.schedule, made.minutes) == (offering.schedule, 45)
    assert (made.buffer_before, made.buffer_after, made.confirmation) == (5, 10, "manual")
    assert (made.min_notice_minutes, made.horizon_days, made.cancel_notice_hours) == (120, 30, 48)
    assert (str(made.price), made.show_price) == ("1500.50", True)
    assert made.booked_online_by == "known"
    text = words(doctor.get(LIST))
    assert "“Electro” is saved." in text
    assert "45 min · each request is confirmed" in text


def test_a_price_is_written_with_a_comma_in_spanish(doctor, offering):
    doctor.cookies["django_language"] = "es"
    assert doctor.post(one(offering), {**PLAIN, "price": "1500,50"}).status_code == 302
    offering.refresh_from_db()
    assert str(offering.price) == "1500.50"


def test_empty_boxes_leave_it_to_the_schedule_and_the_clinic(doctor, offering):
    offering.min_notice_minutes = 15
    offering.buffer_before, offering.price = 10, 20
    offering.save()
    assert doctor.post(one(offering), PLAIN).status_code == 302
    offering.refresh_from_db()
    assert (offering.min_notice_minutes, offering.buffer_before, offering.price) == (None,) * 3


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("duration", "7", "Use a multiple of 5 minutes."),
        ("duration", "x", "Write the length in minutes, for example 30."),
        ("duration", "9" * 5000, None),
        ("duration", "-5", None),
        ("duration", "0", None),
        ("duration", "485", None),
        ("buffer_before", "3", "Use a multiple of 5 minutes."),
        ("buffer_after", "125", None),
        ("min_notice_minutes", "-1", None),
        ("horizon_days", "0", None),
        ("horizon_days", "1e3", "Write a whole number."),
        ("cancel_notice_hours", "9999", None),
        ("price", "mucho", "Write an amount, for example 1500."),
        ("price", "NaN", None),
        ("price", "1" * 400, None),
        ("price", "-1", None),
        ("show_price", "True", "Write the price that patients shall see."),
    ],
)
def test_a_rule_that_cannot_be_is_refused(doctor, ecg, field, value, sentence):
    data = {"is_active": "on", "confirmation": "manual", field: value}
    response = doctor.post(f"{LIST}centro/ecg/", data)
    assert response.status_code == 422
    assert sentence is None or sentence in words(response)
    assert not ServiceOffering.objects.filter(service=ecg).exists()


def test_a_service_of_another_specialty_is_not_found(doctor):
    strange = ServiceFactory.create()
    assert doctor.get(f"{LIST}centro/{strange.slug}/").status_code == 404


# --- appointments that it hits

WITHDRAWN = {"confirmation": "automatic"}


def test_withdrawing_a_service_asks_about_its_appointments(doctor, offering):
    visit = book(offering=offering)
    asked = doctor.post(one(offering), WITHDRAWN)
    assert "This change affects 1 appointment" in words(asked)
    assert ServiceOffering.objects.get().is_active
    answer = {**sent_again(asked), "hit": "cancel", "note": "Ya no se hace"}
    assert doctor.post(one(offering), answer).url == LIST
    visit = Appointment.objects.get(pk=visit.pk)
    assert (visit.status, visit.cancellation_reason) == ("cancelled", "Ya no se hace")
    assert not ServiceOffering.objects.get().is_active
    assert "Not offered here" in words(doctor.get(LIST))


def test_a_withdrawn_service_can_keep_its_appointments(doctor, offering):
    visit = book(offering=offering)
    asked = doctor.post(one(offering), WITHDRAWN)
    assert doctor.post(one(offering), {**sent_again(asked), "hit": "keep"}).status_code == 302
    assert (status(visit), ServiceOffering.objects.get().is_active) == ("booked", False)


def test_what_is_booked_already_stays_when_only_the_staff_books(doctor, offering):
    visit = book(offering=offering)
    data = {**PLAIN, "booked_online_by": "staff"}
    assert doctor.post(one(offering), data).status_code == 302
    assert (status(visit), ServiceOffering.objects.get().booked_online_by) == ("booked", "staff")


def test_withdrawing_at_one_location_asks_for_that_one_only(doctor, offering):
    second_place(offering, location__slug="norte")
    book(offering=offering)
    url = f"{LIST}norte/{offering.service.slug}/"
    assert doctor.post(url, WITHDRAWN).status_code == 302


# --- how often it asks, and who may


def test_services_ask_as_often_for_thirty(offering, django_assert_max_num_queries):
    doctor = browser(account_of(offering))
    with django_assert_max_num_queries(20) as few:
        doctor.get(LIST)
    for _n in range(29):
        service = ServiceFactory.create(specialty=offering.service.specialty)
        ServiceOffering.objects.create(schedule=offering.schedule, service=service)
    with django_assert_max_num_queries(20) as many:
        doctor.get(LIST)
    assert len(many) == len(few)


def test_the_desk_sets_the_rules_of_its_location_only(offering):
    norte = second_place(offering, location__slug="norte")
    desk = browser(ReceptionistFactory.create(locations=[norte.location]).user)
    base = f"/recepcion/profesionales/{offering.practitioner.slug}/servicios/"
    text = words(desk.get(base))
    assert str(norte.location) in text
    assert str(offering.location) not in text
    assert desk.get(f"{base}centro/{offering.service.slug}/").status_code == 404
    data = {**PLAIN, "horizon_days": "7"}
    assert desk.post(f"{base}norte/{offering.service.slug}/", data)["Location"] == base
    assert ServiceOffering.objects.get(schedule=norte.schedule).horizon_days == 7
