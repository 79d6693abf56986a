"""Holidays imported into the administration: looked at, applied, asked about."""

import datetime as dt
import re

import pytest

from accounts.tests.factories import ReceptionistFactory
from appointments.models import Appointment
from appointments.tests.factories import at, book
from appointments.tests.practice import account_of, browser, new_practice
from clinic.models import AuditEvent, Closure
from clinic.tests.factories import LocationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

URL = "/admin/clinic/closure/importar/"
ARGENTINA = {"country": "AR", "region": "", "year": "2026", "location": ""}
MARY = dt.date(2026, 12, 8)


def boxes(response):
    """The days that can be ticked, and whether they are."""
    html = response.content.decode()
    found = re.findall(r'<input type="checkbox" name="day" value="([^"]*)"( checked)?', html)
    return {day: bool(checked) for day, checked in found}


def hidden(response):
    html = response.content.decode()
    pattern = r'<input type="hidden" name="(ask|seen|place-[-0-9a-f]+)" value="([^"]*)"'
    return dict(re.findall(pattern, html))


def test_the_list_of_closures_leads_to_it(admin):
    assert f'href="{URL}"' in admin.get("/admin/clinic/closure/").content.decode()


def test_nothing_is_applied_by_looking(admin):
    response = admin.get(URL, ARGENTINA)
    assert response.status_code == 200
    days = ["2026-11-23", "2026-12-07", "2026-12-08", "2026-12-25"]
    assert boxes(response) == dict.fromkeys(days, True)
    assert not Closure.objects.exists()


def test_what_is_over_is_not_offered(admin):
    assert "2026-01-01" not in boxes(admin.get(URL, ARGENTINA))
    assert "2027-01-01" in boxes(admin.get(URL, {**ARGENTINA, "year": "2027"}))


def test_the_regions_of_the_country_that_is_shown(admin):
    page = admin.get(URL, {**ARGENTINA, "country": "ES"}).content.decode()
    assert '<option value="CN">Canarias</option>' in page
    days = boxes(admin.get(URL, {"country": "ES", "region": "CN", "year": "2027"}))
    assert "2027-05-30" in days or "2027-05-31" in days


def test_the_ticked_days_are_closed(admin):
    response = admin.post(URL, {**ARGENTINA, "day": ["2026-12-08"]})
    assert response["Location"] == "/admin/clinic/closure/"
    row = Closure.objects.get()
    assert (row.first_day, row.last_day, row.location) == (MARY, MARY, None)
    assert row.name
    assert row.can_be_worked
    event = AuditEvent.objects.get(action="closure.import")
    assert (event.actor, event.details["days"]) == ("admin@example.org", ["2026-12-08"])


def test_a_day_that_is_closed_already_is_marked_and_not_doubled(admin):
    Closure.objects.create(first_day=MARY, last_day=MARY, name="Inmaculada")
    response = admin.get(URL, ARGENTINA)
    assert "2026-12-08" not in boxes(response)
    assert boxes(response)["2026-12-25"]
    assert "already closed" in response.content.decode()
    admin.post(URL, {**ARGENTINA, "day": ["2026-12-08", "2026-12-25"]})
    assert Closure.objects.filter(first_day=MARY).count() == 1


def test_one_location_is_closed_only(admin):
    there, here = LocationFactory.create(), LocationFactory.create()
    Closure.objects.create(first_day=MARY, last_day=MARY, name="Otra", location=there)
    data = {**ARGENTINA, "location": here.pk}
    assert boxes(admin.get(URL, data))["2026-12-08"]
    assert admin.post(URL, {**data, "day": "2026-12-08"}).status_code == 302
    assert Closure.objects.get(location=here).first_day == MARY


def test_nothing_ticked_changes_nothing(admin):
    response = admin.post(URL, ARGENTINA)
    assert response.status_code == 422
    assert "Tick the days on which the clinic is closed." in response.content.decode()


def test_a_day_that_is_no_holiday_is_not_closed(admin):
    response = admin.post(URL, {**ARGENTINA, "day": ["2026-12-09", "x", "9999-12-31"]})
    assert response.status_code == 422
    assert not Closure.objects.exists()


@pytest.mark.parametrize(
    "data",
    [
        {"country": "XX"},
        {"country": "\x00"},
        {"country": "a" * 10_000},
        {"year": "9999"},
        {"year": "1" * 30},
        {"year": ""},
        {"location": "999999"},
        {"location": "x"},
    ],
)
def test_what_is_not_offered_is_refused(admin, data):
    for method in (admin.get, admin.post):
        assert method(URL, {**ARGENTINA, **data}).status_code == 422
    assert not Closure.objects.exists()


def test_another_country_forgets_the_region(admin):
    response = admin.get(URL, {**ARGENTINA, "country": "ES", "region": "X"})
    assert response.status_code == 200
    assert boxes(response)
    assert admin.post(URL, {**ARGENTINA, "region": "ZZ"}).status_code == 422


# --- appointments that it hits


@pytest.fixture
def visit() -> Appointment:
    return book(offering=new_practice(), start=at(10, days=15))


def test_appointments_are_asked_about_first(admin, visit):
    response = admin.post(URL, {**ARGENTINA, "day": ["2026-12-08", "2026-12-25"]})
    assert response.status_code == 200
    assert str(visit.patient) in response.content.decode()
    ticked = [day for day, is_ticked in boxes(response).items() if is_ticked]
    assert ticked == ["2026-12-08", "2026-12-25"]
    assert not Closure.objects.exists()
    assert not AuditEvent.objects.filter(action="closure.import").exists()


def test_who_comes_on_the_eve_and_stays_into_it_is_asked_about(admin):
    offering = new_practice(start=dt.time(20), end=dt.time(4))
    visit = book(offering=offering, start=at(23, 45, days=31))
    assert visit.local_date == dt.date(2026, 12, 24)
    response = admin.post(URL, {**ARGENTINA, "day": ["2026-12-08", "2026-12-25"]})
    assert response.context["hits"] == [visit]
    assert not Closure.objects.exists()


def test_they_can_be_cancelled_with_the_closure(admin, visit):
    data = {**ARGENTINA, "day": ["2026-12-08"]}
    asked = admin.post(URL, data)
    answer = {**data, **hidden(asked), "hit": "cancel", "note": "Feriado"}
    assert admin.post(URL, answer).status_code == 302
    visit = Appointment.objects.get(pk=visit.pk)
    assert (visit.status, visit.cancellation_reason) == ("cancelled", "Feriado")
    assert Closure.objects.count() == 1


def test_they_can_be_kept(admin, visit):
    data = {**ARGENTINA, "day": ["2026-12-08"]}
    answer = {**data, **hidden(admin.post(URL, data)), "hit": "keep"}
    assert admin.post(URL, answer).status_code == 302
    assert Appointment.objects.get(pk=visit.pk).status == "booked"


def test_an_answer_without_a_reason_is_asked_again(admin, visit):
    data = {**ARGENTINA, "day": ["2026-12-08"]}
    answer = {**data, **hidden(admin.post(URL, data)), "hit": "cancel"}
    response = admin.post(URL, answer)
    assert response.status_code == 200
    assert not Closure.objects.exists()


def test_another_location_is_not_asked_about(admin, visit):
    data = {**ARGENTINA, "day": ["2026-12-08"], "location": LocationFactory.create().pk}
    assert admin.post(URL, data).status_code == 302


def test_a_day_that_is_not_ticked_hits_nobody(admin, visit):
    assert admin.post(URL, {**ARGENTINA, "day": ["2026-12-25"]}).status_code == 302


# --- days that are worked all the same


def free_days(offering, *days: dt.date) -> list[bool]:
    """Whether the search shows times on each of these days."""
    found = [browser().get(times_url(offering, day)).content.decode() for day in days]
    return [f"start={day}T" in page for day, page in zip(days, found, strict=True)]


def times_url(offering, day: dt.date) -> str:
    what = f"{offering.service.specialty.slug}/{offering.service.slug}"
    return f"/horarios/?what={what}&since={day}&until={day}"


def test_a_single_holiday_can_be_worked_before_and_after_the_import(admin):
    """Unticked when importing, or its row removed later; for one location or for all."""
    offering = new_practice(horizon_days=60)
    other = new_practice(horizon_days=60)
    monday, christmas = dt.date(2026, 12, 7), dt.date(2026, 12, 25)
    three = (monday, MARY, christmas)
    assert free_days(offering, *three) == [True, True, True]
    data = {**ARGENTINA, "location": offering.location.pk}
    # Shown with all of them ticked; the Monday is worked.
    assert boxes(admin.get(URL, data))["2026-12-07"]
    admin.post(URL, {**data, "day": ["2026-12-08", "2026-12-25"]})
    assert free_days(offering, *three) == [True, False, False]
    again = admin.get(URL, data).content.decode()
    assert "To work on a day that is closed already, remove it" in again
    assert 'value="Close these days"' in again
    assert free_days(other, *three) == [True, True, True]
    # Christmas is worked after all, here.
    row = Closure.objects.get(first_day=christmas)
    admin.post(f"/admin/clinic/closure/{row.pk}/delete/", {"post": "yes"})
    assert free_days(offering, *three) == [True, False, True]


# --- who may


def test_only_administrators():
    for user in (account_of(new_practice()), ReceptionistFactory.create().user):
        assert browser(user).get(URL).status_code == 403
        assert browser(user).post(URL, ARGENTINA).status_code == 403
    assert browser().get(URL).status_code == 302
