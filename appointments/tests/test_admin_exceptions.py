"""Exceptions of a schedule in the administration: refused on closed days as on the pages."""

from __future__ import annotations

import datetime as dt
import html
from typing import Any

import pytest
from django.test import Client

from appointments.tests.practice import admin_form, admin_page, new_practice
from clinic.models import Closure
from clinic.tests.factories import LocationFactory
from scheduling.models import DateOverride, ServiceOffering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

DAY = dt.date(2026, 11, 25)
REFUSED = (
    "On Wednesday 25 November 2026 it is closed: Obras. Only the administration can open that day."
)


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice()


def works(**fields: Any) -> Closure:
    values = {"name": "Obras", "first_day": DAY, "last_day": DAY} | fields
    return Closure.objects.create(**values)


def exception(client: Client, offering: ServiceOffering, *, row: int = 0, **fields: Any) -> Any:
    """What is posted when somebody writes an exception into the first line of the table."""
    data = admin_form(client, admin_page(offering.schedule))
    values = {"date": DAY.isoformat(), "kind": "extra", "start": "10:00", "end": "11:00"} | fields
    data |= {f"overrides-{row}-{name}": value for name, value in values.items()}
    return data | {"overrides-TOTAL_FORMS": row + 1, "overrides-0-schedule": offering.schedule_id}


@pytest.mark.parametrize("kind", ["instead", "extra"])
@pytest.mark.parametrize("here", [True, False])
def test_hours_on_a_day_that_nobody_works_are_refused_with_its_name(admin, offering, kind, here):
    works(location=offering.location if here else None)
    data = exception(admin, offering, kind=kind) | {"slot_step": 20}
    response = admin.post(admin_page(offering.schedule), data)
    assert response.status_code == 422
    page = html.unescape(response.content.decode())
    assert page.count(REFUSED) == 1
    # Nothing of what was typed is lost.
    assert 'name="overrides-0-start" value="10:00"' in page
    assert 'name="slot_step" value="20"' in page
    assert not DateOverride.objects.exists()


def test_each_line_is_asked_about_its_own_day(admin, offering):
    works()
    data = exception(admin, offering, date="2026-11-24")
    data |= exception(admin, offering, row=1)
    response = admin.post(admin_page(offering.schedule), data)
    rows = {f.formset.prefix: f.formset for f in response.context["inline_admin_formsets"]}
    assert rows["overrides"].errors == [{}, {"date": [REFUSED]}]


@pytest.mark.parametrize(
    "closure", [{"can_be_worked": True}, {"location": True}, {"last_day": dt.date(2026, 11, 24)}]
)
def test_hours_that_will_hold_are_saved(admin, offering, closure):
    if "location" in closure:
        closure = {"location": LocationFactory.create()}
    works(**{"first_day": dt.date(2026, 11, 24)} | closure)
    answer = admin.post(admin_page(offering.schedule), exception(admin, offering))
    assert answer.status_code == 302
    assert DateOverride.objects.get().date == DAY


def test_a_closed_day_can_be_closed_here_too(admin, offering):
    works()
    data = exception(admin, offering, kind="closed", start="", end="")
    assert admin.post(admin_page(offering.schedule), data).status_code == 302


def test_hours_that_were_there_before_can_stay_and_can_be_removed(admin, offering):
    DateOverride.objects.create(
        schedule=offering.schedule, date=DAY, kind="extra", start=dt.time(18), end=dt.time(19)
    )
    works()
    url = admin_page(offering.schedule)
    assert admin.post(url, admin_form(admin, url) | {"slot_step": 20}).status_code == 302
    assert DateOverride.objects.exists()
    later = admin_form(admin, url) | {"overrides-0-end": "20:00"}
    assert admin.post(url, later).status_code == 422
    assert admin.post(url, later | {"overrides-0-DELETE": "on"}).status_code == 302
    assert not DateOverride.objects.exists()


def test_a_new_schedule_is_asked_too(admin, offering):
    place = LocationFactory.create()
    works(location=place)
    rows = {"hours": 0, "overrides": 1, "offerings": 0}
    data: dict[str, Any] = {f"{name}-TOTAL_FORMS": count for name, count in rows.items()}
    data |= {f"{name}-INITIAL_FORMS": 0 for name in rows}
    data |= {"practitioner": offering.practitioner.pk, "location": place.pk, "slot_step": 15}
    values = {"date": DAY.isoformat(), "kind": "instead", "start": "10:00", "end": "11:00"}
    data |= {f"overrides-0-{name}": value for name, value in values.items()}
    response = admin.post("/admin/scheduling/schedule/add/", data)
    assert response.status_code == 422
    assert REFUSED in html.unescape(response.content.decode())


@pytest.mark.parametrize(
    "text", ["", "0000-00-00", "2026-02-30", "9999-12-31", "\x00", "x" * 10000]
)
def test_a_date_that_is_none_is_no_error_of_the_machine(admin, offering, text):
    works()
    response = admin.post(admin_page(offering.schedule), exception(admin, offering, date=text))
    assert response.status_code in {302, 422}
