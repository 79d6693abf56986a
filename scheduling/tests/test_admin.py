"""Times in the administration. What a change hits is tested with ``appointments.hits``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import PractitionerFactory, administrator
from clinic.models import AuditEvent
from scheduling.admin import zone_of
from scheduling.models import DateOverride, TimeOff
from scheduling.tests.factories import ScheduleFactory, open_offering

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client: Client) -> Client:
    client.force_login(administrator())
    client.cookies["django_language"] = "en"
    return client


def lunch(**fields: Any) -> TimeOff:
    schedule = ScheduleFactory.create()
    hours = {"weekday": 0, "start": dt.time(13), "end": dt.time(14)}
    return TimeOff.objects.create(practitioner=schedule.practitioner, **hours, **fields)


@pytest.mark.parametrize("rows", [1, 30])
@pytest.mark.parametrize("name", ["schedule", "timeoff"])
def test_lists_ask_a_constant_number_of_questions(
    client: Client, django_assert_max_num_queries: Any, name: str, rows: int
) -> None:
    for _n in range(rows):
        lunch()
    client.get(f"/admin/scheduling/{name}/")
    with django_assert_max_num_queries(18):
        assert client.get(f"/admin/scheduling/{name}/").context["cl"].result_count == rows


def test_a_schedule_shows_the_exceptions_that_still_matter(client: Client) -> None:
    schedule = open_offering().schedule
    today = timezone.localdate()
    DateOverride.objects.create(schedule=schedule, date=today - dt.timedelta(90), kind="closed")
    near = DateOverride.objects.create(schedule=schedule, date=today, kind="closed")
    url = reverse("admin:scheduling_schedule_change", args=[schedule.pk])
    formsets = {
        f.formset.prefix: f.formset for f in client.get(url).context["inline_admin_formsets"]
    }
    assert [form.instance for form in formsets["overrides"].initial_forms] == [near]
    assert len(formsets["hours"].initial_forms) == 7


def test_schedules_are_switched_off_and_not_removed(client: Client) -> None:
    schedule = ScheduleFactory.create()
    url = reverse("admin:scheduling_schedule_delete", args=[schedule.pk])
    assert client.post(url, {"post": "yes"}).status_code == 403


def test_removing_time_off_leaves_a_line(client: Client) -> None:
    row = lunch()
    url = reverse("admin:scheduling_timeoff_delete", args=[row.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"post": "yes"}).status_code == 302
    line = AuditEvent.objects.get()
    assert (line.action, line.target) == ("timeoff.delete", f"scheduling.timeoff:{row.pk}")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"practitioner": "9" * 40, "location": "x", "starts_at_0": "99/99/9999"},
        {"weekday": "9", "start": "25:00", "end": "10:03"},
    ],
)
def test_nonsense_is_answered_with_the_form(client: Client, data: dict[str, str]) -> None:
    assert client.post("/admin/scheduling/timeoff/add/", data).status_code == 422
    assert not TimeOff.objects.exists()


def test_the_zone_is_of_the_place_or_of_the_first_place() -> None:
    row = lunch()
    assert str(zone_of(row)) == "America/Argentina/Buenos_Aires"
    far = ScheduleFactory.create(practitioner=row.practitioner, location__time_zone="Europe/Madrid")
    row.location = far.location
    assert str(zone_of(row)) == "Europe/Madrid"
    nowhere = TimeOff(practitioner=PractitionerFactory.create())
    assert zone_of(nowhere) == timezone.get_default_timezone()
