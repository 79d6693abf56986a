"""Four weeks of a practice: what its rules come to."""

import datetime as dt
import re

import pytest
from django.utils.html import strip_tags

from accounts.tests.factories import ReceptionistFactory, administrator, patient_user
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    main_part,
    new_practice,
    second_place,
    words,
)
from clinic.models import Closure
from scheduling.models import DateOverride, TimeOff
from scheduling.tests.factories import open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

URL = "/agenda/calendario/"


@pytest.fixture
def offering():
    return new_practice(schedule__location__slug="centro", schedule__location__name="Centro")


def section(response, day):
    """One day of the page, as HTML."""
    html = response.content.decode()
    found = re.search(rf'<section [^>]*aria-labelledby="day-{day}".*?</section>', html, re.DOTALL)
    assert found, day
    return found[0]


def said(response, day):
    apart = re.sub(r"(</(?:p|li|h3|a|span)>)", r"\1 ", section(response, day))
    return " ".join(strip_tags(apart).split())


def test_four_weeks_from_monday(doctor):
    response = doctor.get(URL)
    days = re.findall(r'<h3 [^>]*id="day-([^"]*)"', response.content.decode())
    assert (len(days), days[0], days[-1]) == (28, "2026-11-23", "2026-12-20")
    assert "Monday 23 November today" in said(response, "2026-11-23")


def test_open_hours_breaks_and_what_is_booked(doctor, offering):
    TimeOff.objects.create(
        practitioner=offering.practitioner,
        weekday=1,
        start=dt.time(13),
        end=dt.time(14),
        reason="Almuerzo",
    )
    book(offering=offering)
    response = doctor.get(URL)
    tuesday = said(response, "2026-11-24")
    assert "1 booked" in tuesday
    assert tuesday.index("9:00– to 13:00") < tuesday.index("14:00– to 17:00")
    assert "13:00– to 14:00 Almuerzo" in tuesday
    assert "Almuerzo" not in said(response, "2026-11-25")
    assert 'href="/agenda/bloqueos/"' in section(response, "2026-11-24")
    assert 'href="/agenda/horarios/centro/"' in section(response, "2026-11-24")
    assert 'href="/agenda/2026-11-24/"' in section(response, "2026-11-24")


def test_a_break_on_a_day_without_hours_is_not_shown(doctor, offering):
    offering.schedule.hours.filter(weekday=1).delete()
    TimeOff.objects.create(
        practitioner=offering.practitioner, weekday=1, start=dt.time(13), end=dt.time(14)
    )
    assert said(doctor.get(URL), "2026-11-24") == "Tuesday 24 November No hours"


def test_a_vacation_and_a_holiday_take_the_whole_day(doctor, offering):
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0), ends_at=at(0, days=2)
    )
    day = dt.date(2026, 12, 8)
    Closure.objects.create(first_day=day, last_day=day, name="Inmaculada")
    response = doctor.get(URL)
    assert said(response, "2026-11-24") == "Tuesday 24 November All day Time off"
    assert said(response, "2026-12-08") == "Tuesday 8 December All day Inmaculada"
    assert "/admin/" not in main_part(response)


def test_a_holiday_that_is_worked_shows_what_stays_closed(doctor, offering):
    day = dt.date(2026, 12, 8)
    Closure.objects.create(first_day=day, last_day=day, name="Inmaculada", can_be_worked=True)
    DateOverride.objects.create(
        schedule=offering.schedule, date=day, kind="instead", start=dt.time(10), end=dt.time(12)
    )
    assert said(doctor.get(URL), "2026-12-08") == (
        "Tuesday 8 December 10:00– to 12:00 open Exception other hours "
        "0:00– to 10:00 Inmaculada 12:00– to 0:00 Inmaculada"
    )


def test_an_exception_leads_to_itself(doctor, offering):
    DateOverride.objects.create(
        schedule=offering.schedule, date=dt.date(2026, 11, 24), kind="closed"
    )
    response = doctor.get(URL)
    assert said(response, "2026-11-24") == "Tuesday 24 November Exception closed"
    assert 'href="/agenda/excepciones/centro/2026-11-24/"' in section(response, "2026-11-24")


def test_hours_after_midnight_stand_on_their_own_day(doctor, offering):
    offering.schedule.hours.all().delete()
    DateOverride.objects.create(
        schedule=offering.schedule,
        date=dt.date(2026, 11, 24),
        kind="extra",
        start=dt.time(22),
        end=dt.time(2),
    )
    response = doctor.get(URL)
    assert "22:00– to 0:00" in said(response, "2026-11-24")
    assert "0:00– to 2:00" in said(response, "2026-11-25")


def test_two_locations_are_named_and_a_vacation_stands_once(doctor, offering):
    norte = second_place(offering, location__slug="norte", location__name="Norte")
    open_week(norte.schedule, dt.time(18), dt.time(20))
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0), ends_at=at(0, days=2)
    )
    response = doctor.get(URL)
    assert said(response, "2026-11-24").count("Time off") == 1
    wednesday = said(response, "2026-11-25")
    assert wednesday.index("Centro") < wednesday.index("18:00– to 20:00 open Norte")


def test_a_day_off_has_no_breaks_and_a_closure_says_where(doctor, offering):
    second_place(offering, location__slug="norte", location__name="Norte")
    TimeOff.objects.create(
        practitioner=offering.practitioner, weekday=1, start=dt.time(13), end=dt.time(14)
    )
    day = dt.date(2026, 12, 8)
    Closure.objects.create(
        first_day=day, last_day=day, name="Desinfección", location=offering.location
    )
    tuesday = said(doctor.get(URL), "2026-12-08")
    assert tuesday == "Tuesday 8 December All day Desinfección Centro"


def test_forth_and_back(doctor):
    response = doctor.get(f"{URL}?desde=2026-12-23")
    assert section(response, "2026-12-21")
    assert 'href="?desde=2026-11-23"' in main_part(response)
    assert 'href="?desde=2027-01-18"' in main_part(response)


@pytest.mark.parametrize(
    "day", ["0000-00-00", "2026-02-30", "9999-12-31", "2199-12-31", "%00", "x" * 10_000, "1" * 30]
)
def test_what_is_no_day_shows_this_week(doctor, day):
    response = doctor.get(f"{URL}?desde={day}")
    assert response.status_code == 200
    assert section(response, "2026-11-23")


def test_the_first_reachable_week_has_no_way_back(doctor):
    response = doctor.get(f"{URL}?desde=2000-01-03")
    assert response.status_code == 200
    assert 'rel="prev"' not in main_part(response)


def test_the_calendar_asks_as_often_for_thirty(offering, django_assert_max_num_queries):
    doctor = browser(account_of(offering))
    book(offering=offering)
    TimeOff.objects.create(
        practitioner=offering.practitioner, weekday=1, start=dt.time(13), end=dt.time(14)
    )
    with django_assert_max_num_queries(20) as one:
        doctor.get(URL)
    for days in range(2, 28):
        book(offering=offering, start=at(11, days=days))
        day = NOW.date() + dt.timedelta(days=days)
        DateOverride.objects.create(
            schedule=offering.schedule, date=day, kind="extra", start=dt.time(18), end=dt.time(19)
        )
        Closure.objects.create(first_day=day, last_day=day, name="Feriado")
    with django_assert_max_num_queries(20) as many:
        doctor.get(URL)
    assert len(many) == len(one)


# --- who may


def test_the_desk_sees_its_own_location_and_links_to_its_own_pages(offering):
    norte = second_place(offering, location__slug="norte", location__name="Norte")
    open_week(norte.schedule, dt.time(18), dt.time(20))
    book(offering=offering)
    desk = browser(ReceptionistFactory.create(locations=[norte.location]).user)
    base = f"/recepcion/profesionales/{offering.practitioner.slug}/"
    response = desk.get(f"{base}calendario/")
    tuesday = section(response, "2026-11-24")
    assert "18:00" in tuesday
    assert "9:00" not in tuesday
    assert "booked" not in tuesday
    assert f'href="{base}horarios/norte/"' in tuesday
    assert 'href="/recepcion/?dia=2026-11-24"' in tuesday


def test_an_administrator_gets_to_the_holiday(offering):
    day = dt.date(2026, 12, 8)
    closure = Closure.objects.create(first_day=day, last_day=day, name="Inmaculada")
    url = f"/recepcion/profesionales/{offering.practitioner.slug}/calendario/"
    page = section(browser(administrator()).get(url), "2026-12-08")
    assert f'href="/admin/clinic/closure/{closure.pk}/change/"' in page


def test_a_stranger_sees_their_own_calendar_only(offering):
    book(offering=offering)
    stranger = browser(account_of(new_practice()))
    assert "1 booked" not in words(stranger.get(URL))


def test_others_are_sent_away(offering):
    url = f"/recepcion/profesionales/{offering.practitioner.slug}/calendario/"
    assert browser(patient_user()).get(URL).status_code == 403
    assert browser(account_of(offering)).get(url).status_code == 403
    other = ReceptionistFactory.create(locations=[new_practice().location]).user
    assert browser(other).get(url).status_code == 404
    assert browser().get(URL)["Location"] == f"/cuenta/ingresar/?next={URL}"
