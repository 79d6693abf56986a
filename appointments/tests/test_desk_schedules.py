"""The pages of a practice at the desk: whose, by whom, and what stays closed."""

import datetime as dt

import pytest

from accounts.models import Practitioner
from accounts.roles import Role
from accounts.tests.factories import ReceptionistFactory, administrator, patient_user
from appointments.models import Appointment
from appointments.tests.factories import at, book
from appointments.tests.practice import (
    account_of,
    browser,
    main_part,
    new_practice,
    second_place,
    sent_again,
    words,
)
from clinic.models import AuditEvent
from scheduling.models import Schedule, TimeOff
from scheduling.tests.factories import open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

LIST = "/recepcion/profesionales/"
PAGES = [
    "horarios/",
    "horarios/centro/",
    "excepciones/",
    "excepciones/nueva/",
    "bloqueos/",
    "bloqueos/dias/",
    "bloqueos/horas/",
    "bloqueos/semanal/",
    "servicios/",
]


@pytest.fixture
def offering():
    return new_practice(schedule__location__slug="centro", schedule__location__name="Centro")


@pytest.fixture
def receptionist(offering):
    return ReceptionistFactory.create(locations=[offering.location]).user


@pytest.fixture
def desk(receptionist):
    return browser(receptionist)


def base(offering):
    return f"{LIST}{offering.practitioner.slug}/"


def week(schedule, **boxes):
    data = {"slot_step": "30"}
    for line in schedule.hours.all():
        data[f"d{line.weekday}_0_from"] = f"{line.start:%H:%M}"
        data[f"d{line.weekday}_0_to"] = f"{line.end:%H:%M}"
    return {**data, **boxes}


def test_the_practitioners_of_this_desk_and_their_pages(desk, offering):
    strange = new_practice()
    response = desk.get(LIST)
    assert str(offering.practitioner) in words(response)
    assert base(strange) not in main_part(response)
    assert f'href="{base(offering)}horarios/"' in main_part(response)


def test_the_desk_sets_notice_and_horizon_of_its_schedules_only(desk, offering):
    own = {"min_notice_minutes": "120", "horizon_days": "45"}
    data = week(offering.schedule, **own)
    assert desk.post(base(offering) + "horarios/centro/", data).status_code == 302
    offering.schedule.refresh_from_db()
    assert (offering.schedule.min_notice_minutes, offering.schedule.horizon_days) == (120, 45)
    strange = new_practice()
    url = f"{base(strange)}horarios/{strange.location.slug}/"
    assert desk.post(url, data).status_code == 404
    assert (
        browser(patient_user()).post(base(offering) + "horarios/centro/", data).status_code == 403
    )
    strange.schedule.refresh_from_db()
    assert strange.schedule.min_notice_minutes is None


def test_an_administrator_sees_everybody_who_works(offering):
    idle = new_practice()
    Schedule.objects.filter(pk=idle.schedule_id).update(is_active=False)
    page = main_part(browser(administrator()).get(LIST))
    assert base(offering) in page
    assert base(idle) not in page


def test_the_list_is_searched_by_name_without_accents(desk, offering):
    assert base(offering) in main_part(desk.get(f"{LIST}?q=lucia"))
    text = words(desk.get(f"{LIST}?q=nadie"))
    assert "Nobody matches this search" in text


@pytest.mark.parametrize("query", ["page=" + "9" * 31, "page=x", "q=%00", "q=" + "a" * 10_000])
def test_the_list_bears_nonsense(desk, query):
    assert desk.get(f"{LIST}?{query}").status_code == 200


def test_the_list_asks_as_often_for_thirty(offering, receptionist, django_assert_max_num_queries):
    desk = browser(receptionist)
    with django_assert_max_num_queries(20) as one:
        desk.get(LIST)
    for _n in range(29):
        new_practice(schedule__location=offering.location)
    with django_assert_max_num_queries(20) as many:
        desk.get(LIST)
    assert len(many) == len(one)


@pytest.mark.parametrize("page", PAGES)
def test_each_page_says_whose_it_is_and_stays_behind_this_door(desk, offering, page):
    response = desk.get(base(offering) + page, follow=True)
    assert response.status_code == 200
    assert f"Schedule of {offering.practitioner}" in words(response)
    assert 'href="/agenda/' not in main_part(response)


def test_the_desk_changes_the_week_and_is_named(desk, offering, receptionist):
    url = f"{base(offering)}horarios/centro/"
    visit = book(offering=offering)
    asked = desk.post(url, week(offering.schedule, d1_0_from="", d1_0_to=""))
    answer = {**sent_again(asked), "hit": "cancel", "note": "No atiende los martes"}
    assert desk.post(url, answer).url == url
    event = Appointment.objects.get(pk=visit.pk).events.last()
    assert (event.by, event.role) == (receptionist, Role.RECEPTION)
    assert AuditEvent.objects.get(action="schedule.set_week").actor == receptionist.email


def test_an_administrator_changes_it_as_administrator(offering):
    user = administrator()
    visit = book(offering=offering)
    url = f"{base(offering)}bloqueos/dias/"
    client = browser(user)
    asked = client.post(url, {"first_day": "24/11/2026"})
    answer = {**sent_again(asked), "hit": "cancel", "note": "Feria"}
    assert client.post(url, answer)["Location"] == f"{base(offering)}bloqueos/"
    event = Appointment.objects.get(pk=visit.pk).events.last()
    assert (event.by, event.role) == (user, Role.ADMINISTRATOR)


def test_an_administrator_is_told_that_there_is_no_location_yet(offering):
    Schedule.objects.filter(pk=offering.schedule_id).update(is_active=False)
    text = words(browser(administrator()).get(f"{base(offering)}horarios/"))
    assert "No location yet" in text


@pytest.mark.parametrize("page", PAGES)
def test_the_desk_of_another_location_finds_nobody(offering, page):
    stranger = browser(ReceptionistFactory.create(locations=[new_practice().location]).user)
    missing = stranger.get(f"{LIST}nobody/{page}")
    foreign = stranger.get(base(offering) + page)
    assert (foreign.status_code, missing.status_code) == (404, 404)


def test_nobody_changes_the_time_of_who_has_left(desk, offering):
    Practitioner.objects.filter(pk=offering.practitioner.pk).update(is_active=False)
    assert desk.get(f"{base(offering)}bloqueos/").status_code == 404


@pytest.mark.parametrize("page", ["", *PAGES])
def test_patients_and_practitioners_are_sent_away(offering, page):
    url = base(offering) + page if page else LIST
    for user in (patient_user(), account_of(offering)):
        assert browser(user).get(url).status_code == 403
    assert browser().get(url).status_code == 302


# --- a practitioner who also works where this desk is not


@pytest.fixture
def norte(offering):
    """The same practitioner at a location that the desk does not belong to."""
    other = second_place(offering, location__slug="norte", location__name="Norte")
    open_week(other.schedule)
    return other


def test_the_other_location_is_not_there(desk, offering, norte):
    assert desk.get(f"{base(offering)}horarios/norte/").status_code == 404
    assert "Norte" not in words(desk.get(f"{base(offering)}horarios/centro/"))


def test_time_off_at_the_desk_holds_at_its_own_location_only(desk, offering, norte):
    elsewhere = book(offering=norte)
    url = f"{base(offering)}bloqueos/dias/"
    assert desk.post(url, {"first_day": "24/11/2026"}).status_code == 302
    assert TimeOff.objects.get().location == offering.location
    assert Appointment.objects.get(pk=elsewhere.pk).status == "booked"


def test_with_two_locations_of_three_one_has_to_be_chosen(receptionist, offering, norte):
    second_place(offering, location__slug="sur")
    receptionist.receptionist.locations.add(norte.location)
    desk = browser(receptionist)
    url = f"{base(offering)}bloqueos/dias/"
    assert "Everywhere" not in words(desk.get(url))
    assert desk.post(url, {"first_day": "8/12/2026"}).status_code == 422
    assert desk.post(url, {"first_day": "8/12/2026", "location": "norte"}).status_code == 302
    assert TimeOff.objects.get().location == norte.location


def test_a_vacation_everywhere_is_seen_but_not_removed_by_one_desk(desk, offering, norte):
    vacation = TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0), ends_at=at(0, days=5)
    )
    TimeOff.objects.create(
        practitioner=offering.practitioner,
        location=norte.location,
        weekday=0,
        start=dt.time(13),
        end=dt.time(14),
        reason="Almuerzo en Norte",
    )
    text = words(desk.get(f"{base(offering)}bloqueos/"))
    assert "Holds at other locations too" in text
    assert "Almuerzo en Norte" not in text
    assert desk.post(f"{base(offering)}bloqueos/{vacation.pk}/quitar/").status_code == 404
    assert TimeOff.objects.filter(pk=vacation.pk).exists()


def test_the_practitioner_may_remove_it(offering, norte):
    vacation = TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0), ends_at=at(0, days=5)
    )
    doctor = browser(account_of(offering))
    assert doctor.post(f"/agenda/bloqueos/{vacation.pk}/quitar/").status_code == 302
