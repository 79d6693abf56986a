"""What the clinic says for all, until a schedule or a service says otherwise."""

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from accounts.roles import Actor
from accounts.tests.factories import administrator, patient_user
from appointments import availability, holds
from appointments.exceptions import OfferingWithdrawn, OnlyKnownPatients, SlotClosed
from appointments.models import Appointment
from appointments.offering_rules import lines
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    admin_form,
    admin_page,
    browser,
    new_practice,
    words,
)
from clinic.models import Organization
from scheduling.catalogue import catalogue
from scheduling.models import ServiceOffering
from scheduling.selectors import need_of, step_rule
from scheduling.services import ScheduleRules

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

HALF_HOURS = ["09:00", "09:30", "10:00", "10:30"]


def clinic(**says: Any) -> None:
    organization = Organization.current()
    for name, value in says.items():
        setattr(organization, name, value)
    organization.save()


def morning(**fields: Any) -> ServiceOffering:
    """From nine to eleven, half an hour a visit; it says nothing of its own."""
    fields.setdefault("schedule__slot_step", None)
    return new_practice(start=dt.time(9), end=dt.time(11), **fields)


def shown(offering: ServiceOffering) -> list[str]:
    offerings = list(ServiceOffering.objects.online().with_parts().filter(pk=offering.pk))
    slots = availability.free_slots(offerings, start=at(0), end=at(0, days=2), now=NOW)
    return [f"{slot.start.astimezone(offering.location.zone):%H:%M}" for slot in slots]


def ask(offering: ServiceOffering, start: dt.datetime) -> Appointment:
    user = patient_user()
    return book(
        offering=offering,
        patient=user.patient_accesses.get().patient,
        by=Actor.patient(user),
        start=start,
    )


# --- shown and booked


def test_the_step_of_the_clinic_is_shown_and_booked_and_a_change_is_seen_at_once():
    offering = morning()
    assert len(shown(offering)) == 7
    clinic(slot_step=60)
    assert shown(offering) == ["09:00", "10:00"]
    with pytest.raises(SlotClosed):
        ask(offering, at(9, 30))
    Organization.objects.update(slot_step=30)
    assert shown(offering) == HALF_HOURS
    assert ask(offering, at(9, 30)).status == "booked"


def test_a_step_of_its_own_wins():
    clinic(slot_step=60)
    assert shown(morning(schedule__slot_step=30)) == HALF_HOURS


def test_the_buffers_of_the_clinic_keep_time_free_and_are_written_down():
    offering = morning()
    clinic(slot_step=5, buffer_before=5, buffer_after=10)
    visit = ask(offering, at(9, 45))
    assert (visit.buffer_before, visit.buffer_after) == (5, 10)
    assert shown(offering) == ["09:00", "10:30"]
    hold = holds.take(offering=offering, start=at(10, 30), user=patient_user(), now=NOW)
    assert (hold.buffer_before, hold.buffer_after) == (5, 10)


def test_no_buffer_of_its_own_wins():
    clinic(slot_step=30, buffer_before=60, buffer_after=60)
    offering = morning(buffer_before=0, buffer_after=0)
    visit = ask(offering, at(9, 30))
    assert (visit.buffer_before, visit.buffer_after) == (0, 0)
    assert shown(offering) == ["09:00", "10:00", "10:30"]


def test_another_buffer_moves_nothing_that_is_booked():
    offering = morning()
    clinic(slot_step=30)
    visits = [ask(offering, at(9, 30)), ask(offering, at(10))]
    before = [(v.pk, v.start, v.end, sorted(cells_of(v))) for v in visits]
    clinic(buffer_before=30, buffer_after=30)
    kept = list(Appointment.objects.order_by("start"))
    assert [(v.pk, v.start, v.end, sorted(cells_of(v))) for v in kept] == before
    assert {(v.buffer_before, v.buffer_after, v.status) for v in kept} == {(0, 0, "booked")}
    assert shown(offering) == []


def cells_of(visit: Appointment) -> list[int]:
    return list(visit.cells.values_list("cell", flat=True))


def test_the_clinic_says_whether_a_time_is_asked_for():
    clinic(confirmation="manual")
    assert ask(morning(), at(9)).status == "pending"
    assert ask(morning(confirmation="automatic"), at(9)).status == "booked"


def test_the_clinic_can_leave_booking_to_the_staff():
    offering, own = morning(), morning(booked_online_by="everybody")
    assert {*catalogue(Organization.current()).online} == {offering, own}
    clinic(booked_online_by="staff")
    assert shown(offering) == []
    assert shown(own) != []
    assert catalogue(Organization.current()).online == [own]
    assert list(ServiceOffering.objects.online()) == [own]
    with pytest.raises(OfferingWithdrawn):
        ask(offering, at(9))
    assert book(offering=offering, start=at(9)).status == "booked"
    assert ask(own, at(9)).status == "booked"


def test_the_clinic_can_keep_booking_to_patients_seen_before():
    offering = morning()
    clinic(booked_online_by="known")
    with pytest.raises(OnlyKnownPatients):
        ask(offering, at(9))
    assert ask(morning(booked_online_by="everybody"), at(9)).status == "booked"
    page = browser().get(reverse("appointments:practitioner", args=[offering.practitioner.slug]))
    assert "Online only for patients seen before" in words(page)


def test_the_clinic_says_whether_patients_see_prices():
    offering = morning(price="1500.00")
    own = morning(price="1500.00", show_price=False)
    url = reverse("appointments:practitioner", args=[offering.practitioner.slug])
    assert "1,500" not in words(browser().get(url))
    clinic(show_prices=True)
    assert "1,500" in words(browser().get(url))
    theirs = reverse("appointments:practitioner", args=[own.practitioner.slug])
    assert "1,500" not in words(browser().get(theirs))


# --- the pages say where a value comes from


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Free before 5 min(the clinic)",
                "Free after 10 min(this service)",
                "Price $ 1,500.00 · patients see it(the clinic)",
                "Online patients seen before book it(the clinic)",
                "Booking asked for; somebody confirms(the clinic)",
                "A time every 20 min(the clinic)",
            ],
        ),
        (
            "es",
            [
                "Libre antes 5 min(la clínica)",
                "Libre después 10 min(este servicio)",
                "Precio $ 1 500,00 · lo ven los pacientes(la clínica)",
                "Por internet lo piden los pacientes ya atendidos(la clínica)",
                "Reserva se solicita y alguien confirma(la clínica)",
                "Un horario cada 20 min(la clínica)",
            ],
        ),
    ],
)
def test_every_rule_says_that_the_clinic_sets_it(language, sentences):
    offering = morning(price=1500, buffer_after=10)
    clinic(
        slot_step=20,
        buffer_before=5,
        buffer_after=60,
        booked_online_by="known",
        confirmation="manual",
        show_prices=True,
    )
    doctor = browser(account_of(offering))
    doctor.cookies["django_language"] = language
    text = words(doctor.get(reverse("appointments:services")))
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_the_form_of_a_service_says_what_an_empty_answer_means():
    offering = morning()
    clinic(buffer_after=10, booked_online_by="known", confirmation="manual", show_prices=True)
    doctor = browser(account_of(offering))
    url = f"/agenda/servicios/{offering.location.slug}/{offering.service.slug}/"
    text = words(doctor.get(url))
    assert "For notes or cleaning: nobody can book it. Empty: 10 min (the clinic)." in text
    assert "As the clinic: patients seen before book it" in text
    assert "As the clinic: asked for; somebody confirms" in text
    assert "As the clinic: patients see it" in text
    own = {"booked_online_by": "staff", "confirmation": "automatic", "show_price": "False"}
    data = {"is_active": "on", "buffer_after": "0", **own}
    assert doctor.post(url, data).status_code == 302
    offering.refresh_from_db()
    assert (offering.buffer_before, offering.buffer_after, offering.show_price) == (None, 0, False)
    assert (offering.booked_online_by, offering.confirmation) == ("staff", "automatic")
    assert doctor.post(url, {"is_active": "on"}).status_code == 302
    offering.refresh_from_db()
    assert (offering.buffer_after, offering.show_price) == (None, None)
    assert (offering.booked_online_by, offering.confirmation) == ("", "")


@pytest.mark.parametrize("field", ["booked_online_by", "confirmation", "show_price"])
@pytest.mark.parametrize("value", ["x" * 10_000, "a\0b", "-1"])
def test_a_choice_that_is_none_is_refused(field, value):
    offering = morning()
    doctor = browser(account_of(offering))
    url = f"/agenda/servicios/{offering.location.slug}/{offering.service.slug}/"
    assert doctor.post(url, {"is_active": "on", field: value}).status_code == 422


def test_the_week_can_leave_its_step_to_the_clinic():
    offering = morning(schedule__slot_step=30)
    clinic(slot_step=20)
    doctor = browser(account_of(offering))
    url = f"/agenda/horarios/{offering.location.slug}/"
    assert "As the clinic: 20 minutes" in words(doctor.get(url))
    hours = {"d0_0_from": "9", "d0_0_to": "11"}
    assert doctor.post(url, {**hours, "slot_step": "", "save": "1"}).status_code == 302
    offering.schedule.refresh_from_db()
    assert ScheduleRules(
        offering.schedule.slot_step,
        offering.schedule.min_notice_minutes,
        offering.schedule.horizon_days,
    ) == (None, None, None)
    assert step_rule(offering.schedule, Organization.current()).value == 20


# --- why, and the administration


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        ({"booked_online_by": "staff"}, "cannot be booked online (set by the clinic)."),
        ({"booked_online_by": "known"}, "Offered only to patients seen before (set by the clinic)"),
    ],
)
def test_why_leads_the_administrator_to_the_page_of_the_clinic(says, sentence):
    offering = morning()
    clinic(**says)
    admin = browser(administrator())
    query = {"profesional": offering.practitioner.slug, "dia": at(0).date().isoformat()}
    response = admin.get(reverse("appointments:desk_why"), query)
    row = next(r for r in response.context["rows"] if sentence in r["stretch"].reason.sentence)
    assert row["url"] == admin_page(Organization.current())
    form = admin.get(row["url"]).content.decode()
    assert all(f'name="{name}"' in form for name in says)


def test_the_administration_shows_what_the_clinic_says():
    offering = morning()
    clinic(slot_step=20, buffer_after=10, confirmation="manual", show_prices=True)
    admin = browser(administrator())
    page = admin.get(admin_page(offering.schedule)).content.decode()
    assert "Empty: 20 minutes (the clinic)." in page
    assert "Empty: 10 min (the clinic)." in page
    assert "As the clinic: asked for; somebody confirms" in page
    assert "As the clinic: patients see it" in page
    listed = admin.get(reverse("admin:scheduling_schedule_changelist")).content.decode()
    assert "20 (the clinic)" in listed
    assert "20 (the clinic)" in admin.get(admin_page(offering.practitioner)).content.decode()
    same = admin_form(admin, admin_page(offering.schedule))
    assert admin.post(admin_page(offering.schedule), same).status_code == 302
    offering.refresh_from_db()
    assert (offering.buffer_after, offering.confirmation, offering.show_price) == (None, "", None)


def test_the_clinic_sets_all_of_it_on_its_page():
    admin = browser(administrator())
    page = admin_page(Organization.current())
    data = admin_form(admin, page)
    says = {"slot_step": "25", "buffer_before": "5", "buffer_after": "10", "show_prices": "on"}
    says |= {"booked_online_by": "known", "confirmation": "manual"}
    assert admin.post(page, {**data, **says}).status_code == 302
    row = Organization.current()
    assert (row.slot_step, row.buffer_before, row.buffer_after) == (25, 5, 10)
    assert (row.booked_online_by, row.confirmation, row.show_prices) == ("known", "manual", True)
    for wrong in ({"slot_step": "7"}, {"slot_step": ""}, {"buffer_after": "125"}):
        assert admin.post(page, {**data, **wrong}).status_code == 422


# --- one place that resolves


@pytest.mark.parametrize("own", ["", "everybody", "known", "staff"])
@pytest.mark.parametrize("usual", ["everybody", "known", "staff"])
def test_the_row_and_the_query_agree_on_who_books_online(own, usual):
    offering = morning(booked_online_by=own)
    clinic(booked_online_by=usual)
    found = list(ServiceOffering.objects.online())
    assert catalogue(Organization.current()).online == found
    assert bool(found) == ((own or usual) != "staff")
    assert found in ([], [offering])


def test_zero_and_no_are_values_of_ones_own():
    clinic(buffer_before=5, buffer_after=10, show_prices=True)
    organization = Organization.current()
    need = need_of(morning(buffer_before=0), organization)
    assert (need.duration, need.before, need.after) == (30, 0, 10)
    with override("en"):
        said = lines(morning(price=1, show_price=False), organization)
    (price,) = [line for line in said if str(line.term) == "Price"]
    assert "only the staff" in price.value
    assert price.origin == "this service"
