"""“Why are there no times?”: who may ask about whom, and where the answer leads."""

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse

from accounts.tests.factories import ReceptionistFactory, administrator, patient_user
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    admin_page,
    browser,
    new_practice,
    second_place,
    words,
)
from clinic.models import Closure, Organization
from scheduling.models import DateOverride, ServiceOffering, TimeOff
from scheduling.tests.factories import ServiceOfferingFactory, open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

TOMORROW = NOW.date() + dt.timedelta(days=1)


@pytest.fixture
def offering():
    return new_practice()


@pytest.fixture
def desk(offering):
    return browser(ReceptionistFactory.create(locations=[offering.location]).user)


def own(day: str = "2026-11-24", **query: object) -> str:
    return "/agenda/por-que/?" + "&".join(f"{k}={v}" for k, v in {"dia": day, **query}.items())


def at_desk(offering: ServiceOffering, day: str = "2026-11-24") -> str:
    slug = offering.practitioner.slug
    return f"/recepcion/por-que/?profesional={slug}&servicio={offering.pk}&dia={day}"


def links(response) -> list[str]:
    return [row["url"] for row in response.context["rows"]]


def lunch(offering: ServiceOffering) -> TimeOff:
    return TimeOff.objects.create(
        practitioner=offering.practitioner,
        weekday=TOMORROW.weekday(),
        start=dt.time(13),
        end=dt.time(14),
        reason="Almuerzo",
    )


def test_the_day_is_told_in_stretches_with_their_rules(doctor, offering):
    lunch(offering)
    visit = book(offering=offering, start=at(10))
    response = doctor.get(own())
    hours = reverse("appointments:hours_at", args=[offering.location.slug])
    assert links(response) == [
        hours,
        "",
        reverse("appointments:agenda_appointment", args=[visit.public_id]),
        "",
        reverse("appointments:time_off"),
        "",
        hours,
    ]
    text = words(response)
    assert "Tuesday 24 November 2026" in text
    assert "Patients see 13 times." in text
    assert "13:00– to 14:00 Almuerzo. Change" in text
    assert "10:00– to 10:30 Taken by the appointment at 10:00. See the appointment" in text


def test_an_exception_and_a_holiday_lead_to_what_can_be_changed(doctor, offering):
    DateOverride.objects.create(schedule=offering.schedule, date=TOMORROW, kind="closed")
    place = offering.location.slug
    response = doctor.get(own())
    assert links(response) == [reverse("appointments:override_change", args=[place, TOMORROW])]
    assert "The whole day An exception closes this date. Change" in words(response)
    Closure.objects.create(first_day=TOMORROW, last_day=at(9, days=2).date(), name="Feriado")
    response = doctor.get(own("2026-11-25"))
    assert "9:00– to 17:00 Feriado. The administration sets this." in words(response)
    assert "Patients see no time." in words(response)


@pytest.mark.parametrize("door", ["own", "desk", "administrator"])
def test_a_holiday_that_can_be_worked_leads_to_where_it_is_opened(offering, doctor, desk, door):
    closure = Closure.objects.create(
        first_day=TOMORROW, last_day=TOMORROW, name="Feriado", can_be_worked=True
    )
    client = {"own": doctor, "desk": desk, "administrator": browser(administrator())}[door]
    response = client.get(own() if door == "own" else at_desk(offering))
    text = words(response)
    assert "9:00– to 17:00 Feriado. An exception for this date can open it. Change" in text
    url = links(response)[1]
    page = client.get(url)
    assert page.status_code == 200
    if door == "administrator":
        assert url == admin_page(closure)
        assert 'name="can_be_worked"' in page.content.decode()
        return
    assert page.context["form"].initial["first_day"] == TOMORROW.isoformat()
    row = DateOverride.objects.create(
        schedule=offering.schedule,
        date=TOMORROW,
        kind="extra",
        start=dt.time(10),
        end=dt.time(12),
    )
    url = links(client.get(own() if door == "own" else at_desk(offering)))[1]
    assert f"/{row.date}/" in url
    assert client.get(url).status_code == 200


def test_a_service_that_is_not_online_leads_to_the_service(doctor, offering):
    ServiceOffering.objects.update(booked_online_by="staff")
    edit = [offering.location.slug, offering.service.slug]
    assert links(doctor.get(own())) == [reverse("appointments:service_edit", args=edit)]


def test_without_a_question_it_is_today_and_the_first_service(doctor, offering):
    response = doctor.get("/agenda/por-que/")
    assert response.context["offering"] == offering
    assert response.context["day"] == NOW.date()


def test_who_works_elsewhere_that_day_asks_about_there(doctor, desk, offering):
    """First by its number, and closed on that day: its answer would be "no hours"."""
    offering.schedule.hours.filter(weekday=TOMORROW.weekday()).delete()
    there = second_place(offering)
    open_week(there.schedule)
    assert doctor.get(own()).context["offering"] == there
    assert doctor.get(own(servicio=offering.pk)).context["offering"] == offering
    assert doctor.get(own("2026-11-25")).context["offering"] == offering
    there.is_active = False
    there.save()
    assert doctor.get(own()).context["offering"] == offering


def test_who_offers_nothing_is_told_how_to(doctor, offering):
    ServiceOffering.objects.all().delete()
    assert "You offer no service yet" in words(doctor.get("/agenda/por-que/"))


def test_somebody_elses_service_is_not_found(doctor):
    stranger = new_practice()
    assert doctor.get(own(servicio=stranger.pk)).status_code == 404
    assert doctor.get(own(servicio=999_999)).status_code == 404
    assert doctor.get(own(servicio="x" * 500)).status_code == 404


def test_patients_and_the_wrong_staff_stay_outside(offering, doctor, desk):
    patient = browser(patient_user())
    for url in ("/agenda/por-que/", "/recepcion/por-que/"):
        assert patient.get(url).status_code == 403
    assert doctor.get("/recepcion/por-que/").status_code == 403
    assert desk.get("/agenda/por-que/").status_code == 403
    assert browser().get("/recepcion/por-que/").status_code == 302


@pytest.mark.parametrize(
    "day", ["2026-02-30", "0000-00-00", "9999-12-31", "1950-01-01", "x" * 10_000, "%00", "1" * 5000]
)
def test_a_day_that_is_none_gets_a_sentence(doctor, desk, offering, day):
    for response in (doctor.get(own(day)), desk.get(at_desk(offering, day))):
        assert response.status_code == 422
        assert response.context["form"].errors["dia"]
        assert "rows" not in response.context


def test_the_last_and_the_first_day_in_reach(doctor, offering):
    for day in ("2000-01-01", "2199-12-31"):
        assert doctor.get(own(day)).status_code == 200


def test_the_desk_asks_about_who_works_at_its_locations(desk, offering):
    response = desk.get("/recepcion/por-que/")
    assert response.status_code == 200
    assert [value for value, _name in response.context["form"].fields["profesional"].choices] == [
        "",
        offering.practitioner.slug,
    ]
    visit = book(offering=offering, start=at(10))
    place, slug = offering.location.slug, offering.practitioner.slug
    hours = reverse("appointments:desk_hours_at", args=[slug, place])
    assert links(desk.get(at_desk(offering))) == [
        hours,
        "",
        f"/recepcion/?dia={visit.local_date}",
        "",
        hours,
    ]


def test_the_desk_finds_nobody_of_other_locations(desk, offering):
    stranger = new_practice()
    assert desk.get(at_desk(stranger)).status_code == 404
    assert desk.get("/recepcion/por-que/?profesional=%00").status_code == 404
    away = second_place(offering)
    response = desk.get(at_desk(away))
    assert response.context["offering"] == offering
    assert str(away.location) not in words(response)


def test_an_appointment_at_a_strange_location_is_not_linked(desk, offering):
    away = second_place(offering)
    open_week(away.schedule)
    book(offering=away, start=at(10))
    response = desk.get(at_desk(offering))
    taken = [row for row in response.context["rows"] if row["is_visit"]]
    assert [row["url"] for row in taken] == [""]


@pytest.mark.parametrize("theirs", [None, 45])
@pytest.mark.parametrize("door", ["own", "desk", "administrator"])
def test_the_way_to_another_location_leads_to_its_rule_and_its_visit(
    offering, doctor, desk, door, theirs
):
    type(offering.practitioner).objects.update(travel_minutes=theirs)
    Organization.current()
    Organization.objects.update(travel_minutes=30)
    away = second_place(offering)
    open_week(away.schedule)
    visit = book(offering=away, start=at(10))
    client = {"own": doctor, "desk": desk, "administrator": browser(administrator())}[door]
    response = client.get(own() if door == "own" else at_desk(offering))
    before, after = [
        row for row in response.context["rows"] if row["stretch"].reason.code == "travel"
    ]
    rule = "/admin/clinic/organization/1/change/"
    if theirs:
        rule = f"/admin/accounts/practitioner/{offering.practitioner.pk}/change/"
    expected = {
        "own": ("", f"/agenda/turnos/{visit.public_id}/"),
        "desk": ("", ""),
        "administrator": (rule, f"/admin/appointments/appointment/{visit.pk}/change/"),
    }[door]
    assert (before["url"], before["visit_url"]) == expected
    assert (after["url"], after["visit_url"]) == expected
    assert ("The administration sets this." in words(response)) is (door != "administrator")


def test_another_practitioner_starts_with_their_first_service(desk, offering):
    colleague = new_practice(schedule__location=offering.location)
    url = f"/recepcion/por-que/?profesional={colleague.practitioner.slug}&servicio={offering.pk}"
    assert desk.get(url).context["offering"] == colleague


def test_the_administrator_is_led_to_the_rows(offering):
    admin = browser(administrator())
    row = lunch(offering)
    visit = book(offering=offering, start=at(10))
    override = DateOverride.objects.create(
        schedule=offering.schedule, date=at(9, days=2).date(), kind="closed"
    )
    found = links(admin.get(at_desk(offering)))
    schedule = f"/admin/scheduling/schedule/{offering.schedule_id}/change/"
    assert found[0] == found[-1] == schedule
    assert f"/admin/scheduling/timeoff/{row.pk}/change/" in found
    assert f"/admin/appointments/appointment/{visit.pk}/change/" in found
    assert links(admin.get(at_desk(offering, str(override.date)))) == [schedule]
    Organization.objects.update(horizon_days=1)
    assert "/admin/clinic/organization/1/change/" in links(
        admin.get(at_desk(offering, "2026-11-27"))
    )


def rule_rows(offering: ServiceOffering) -> dict[str, Any]:
    return {
        "offering": offering,
        "schedule": offering.schedule,
        "clinic": Organization.current(),
    }


@pytest.mark.parametrize(
    ("field", "value"), [("min_notice_minutes", 60 * 24 * 30), ("horizon_days", 1)]
)
@pytest.mark.parametrize("origin", ["offering", "schedule", "clinic"])
@pytest.mark.parametrize("door", ["own", "desk", "administrator"])
def test_change_leads_to_where_the_rule_can_be_changed(
    offering, doctor, desk, door, origin, field, value
):
    row = rule_rows(offering)[origin]
    type(row)._default_manager.filter(pk=row.pk).update(**{field: value})
    client = {"own": doctor, "desk": desk, "administrator": browser(administrator())}[door]
    day = "2026-11-26"
    response = client.get(own(day) if door == "own" else at_desk(offering, day))
    rule = next(
        row for row in response.context["rows"] if "set by" in row["stretch"].reason.sentence
    )
    if origin == "clinic" and door != "administrator":
        assert rule["url"] == ""
        assert "The administration sets this." in words(response)
        return
    page = client.get(rule["url"])
    assert page.status_code == 200
    assert f'name="{field}"' in page.content.decode()


@pytest.mark.parametrize("door", ["own", "desk", "administrator"])
def test_a_service_for_known_patients_says_so_and_leads_to_the_service(
    offering, doctor, desk, door
):
    ServiceOffering.objects.update(booked_online_by="known")
    client = {"own": doctor, "desk": desk, "administrator": browser(administrator())}[door]
    response = client.get(own() if door == "own" else at_desk(offering))
    offered = next(row for row in response.context["rows"] if row["is_offered"])
    assert 'name="booked_online_by"' in client.get(offered["url"]).content.decode()
    sentence = "patients seen before (set by this service); others call the clinic. Change"
    assert sentence in words(response)


def test_a_service_that_is_switched_off_leads_the_administrator_to_it(offering):
    ServiceOffering.objects.update(is_active=False)
    admin = browser(administrator())
    (url,) = links(admin.get(at_desk(offering)))
    assert 'name="is_active"' in admin.get(url).content.decode()


def test_the_rows_of_services_in_the_administration_have_notice_and_horizon(offering):
    page = browser(administrator()).get(
        f"/admin/scheduling/schedule/{offering.schedule_id}/change/"
    )
    html = page.content.decode()
    assert 'name="offerings-0-min_notice_minutes"' in html
    assert 'name="offerings-0-horizon_days"' in html


def test_who_is_switched_off_is_explained_without_a_link(desk, offering):
    person = offering.practitioner
    type(person).objects.filter(pk=person.pk).update(is_active=False)
    response = desk.get(at_desk(offering))
    assert links(response) == [""]
    assert "Switched off: Dra. Lucía Ferreyra." in words(response)


def test_the_empty_day_and_the_desk_lead_here(doctor, desk):
    assert "/agenda/por-que/?dia=2026-11-24" in doctor.get("/agenda/2026-11-24/").content.decode()
    page = desk.get("/recepcion/?dia=2026-11-24").content.decode()
    assert "/recepcion/por-que/?dia=2026-11-24" in page


@pytest.mark.parametrize("services", [1, 30])
def test_the_pages_ask_as_often_for_thirty(offering, services, django_assert_max_num_queries):
    for _n in range(services - 1):
        ServiceOfferingFactory.create(schedule=offering.schedule)
    doctor = browser(account_of(offering))
    with django_assert_max_num_queries(24):
        doctor.get(own())
