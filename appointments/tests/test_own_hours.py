"""Whoever closes a day is told who has hours of their own on it, and says what holds."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest

from accounts.roles import Actor
from appointments import undo
from appointments.models import Appointment, RuleChange
from appointments.tests.factories import at, book
from appointments.tests.practice import admin_form, admin_page, new_practice
from appointments.tests.test_admin_holidays import ARGENTINA, MARY, URL, free_days, hidden
from clinic.models import AuditEvent, Closure
from clinic.tests.factories import LocationFactory
from scheduling.models import DateOverride, ServiceOffering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_morning")]

ADD = "/admin/clinic/closure/add/"
FOUND = "Practitioners have hours of their own on these days. Look at the list, then save again."
WILL_NOT_HOLD = "Nobody works on this closure: these hours will not hold."


@pytest.fixture
def offering() -> ServiceOffering:
    return new_practice(horizon_days=60)


def works_on(offering: ServiceOffering, day: dt.date = MARY, **fields: Any) -> DateOverride:
    values = {"kind": "instead", "start": dt.time(10), "end": dt.time(12)} | fields
    return DateOverride.objects.create(schedule=offering.schedule, date=day, **values)


def listed(response: Any) -> list[str]:
    page = html.unescape(response.content.decode())
    found = re.search(r'<section class="module hits own-hours">.*?</section>', page, re.DOTALL)
    lines = re.findall(r"<li><strong>(.*?)</li>", found[0]) if found else []
    return [line.replace("</strong>", "") for line in lines]


def line(offering: ServiceOffering, day: str = "Tuesday 8 December 2026") -> str:
    return f"{day}: {offering.practitioner}, {offering.location}, 10:00–12:00"


def seen(*rows: DateOverride) -> dict[str, str]:
    return {"own_seen": ",".join(str(row.pk) for row in rows)}


def imported(*days: str, **more: Any) -> dict[str, Any]:
    return {**ARGENTINA, "day": list(days) or ["2026-12-08"], **more}


def closure(**fields: Any) -> dict[str, Any]:
    return {"name": "Feriado", "first_day": MARY, "last_day": MARY, "location": ""} | fields


def holiday(**fields: Any) -> dict[str, Any]:
    return closure(can_be_worked="on") | fields


# --- holidays that are imported


def test_the_preview_lists_who_works_by_an_exception(admin, offering):
    works_on(offering)
    works_on(offering, dt.date(2026, 12, 9))
    response = admin.get(URL, ARGENTINA)
    assert listed(response) == [line(offering)]
    page = response.content.decode()
    assert page.count('type="radio" name="own_hours"') == 2
    assert 'checked name="own_hours"' not in page
    assert listed(admin.get(URL, {**ARGENTINA, "location": LocationFactory.create().pk})) == []


@pytest.mark.parametrize("rows", [1, 30])
def test_the_preview_asks_a_constant_number_of_questions(
    admin, django_assert_max_num_queries, rows
):
    for _n in range(rows):
        works_on(new_practice())
    admin.get(URL, ARGENTINA)
    with django_assert_max_num_queries(14):
        assert len(listed(admin.get(URL, ARGENTINA))) == rows


def test_nothing_is_imported_until_somebody_says_what_holds(admin, offering):
    row = works_on(offering)
    response = admin.post(URL, imported(**seen(row)))
    assert response.status_code == 409
    page = response.content.decode()
    assert FOUND in page
    assert "Choose what becomes of these hours." in page
    assert not Closure.objects.exists()


def test_they_keep_working(admin, offering):
    row = works_on(offering)
    assert admin.post(URL, imported(**seen(row), own_hours="keep")).status_code == 302
    assert DateOverride.objects.get() == row
    assert free_days(offering, MARY) == [True]


def test_or_they_are_closed_too_and_that_can_be_undone(admin, boss, offering):
    row, other = works_on(offering), works_on(offering, dt.date(2026, 12, 9))
    assert admin.post(URL, imported(**seen(row), own_hours="close")).status_code == 302
    assert DateOverride.objects.get() == other
    assert free_days(offering, MARY) == [False]
    event = AuditEvent.objects.get(action="schedule.remove_overrides")
    assert (event.actor, event.details["dates"]) == ("admin@example.org", ["2026-12-08"])
    undo.undo(change=RuleChange.objects.get(), by=Actor.administrator(boss))
    assert not Closure.objects.exists()
    assert set(DateOverride.objects.values_list("pk", "date")) == {
        (row.pk, row.date),
        (other.pk, other.date),
    }


def test_who_is_booked_in_these_hours_is_asked_about_too(admin, offering):
    row = works_on(offering)
    visit = book(offering=offering, start=at(10, days=15))
    answer = imported(**seen(row), own_hours="close")
    response = admin.post(URL, answer)
    assert response.context["hits"] == [visit]
    assert DateOverride.objects.get() == row
    # What was chosen is still chosen.
    assert re.search(r'value="close"[^>]* checked', response.content.decode())
    answer |= {**hidden(response), "hit": "cancel", "note": "Feriado"}
    assert admin.post(URL, answer).status_code == 302
    assert Appointment.objects.get().status == "cancelled"
    assert not DateOverride.objects.exists()


def test_who_keeps_working_keeps_the_visits(admin, offering):
    row = works_on(offering)
    book(offering=offering, start=at(10, days=15))
    assert admin.post(URL, imported(**seen(row), own_hours="keep")).status_code == 302


def test_hours_that_nobody_has_seen_are_shown_first(admin, offering):
    row, later = works_on(offering), works_on(new_practice())
    response = admin.post(URL, imported(**seen(row), own_hours="close"))
    assert response.status_code == 409
    assert len(listed(response)) == 2
    assert admin.post(URL, imported(**seen(row, later), own_hours="close")).status_code == 302


def test_days_that_are_not_ticked_ask_nothing(admin, offering):
    works_on(offering)
    assert admin.post(URL, imported("2026-12-25")).status_code == 302


@pytest.mark.parametrize("switched_off", ["schedule", "practitioner", "closed", "past", "shut"])
def test_hours_that_do_not_hold_anyway_are_not_listed(admin, offering, switched_off):
    row = works_on(offering)
    if switched_off in {"schedule", "practitioner"}:
        part = getattr(offering, switched_off)
        part.is_active = False
        part.save()
    elif switched_off == "closed":
        works_on(offering, kind="closed", start=None, end=None)
    elif switched_off == "past":
        DateOverride.objects.filter(pk=row.pk).update(date=dt.date(2026, 5, 25))
    else:
        Closure.objects.create(
            name="Obras", first_day=MARY, last_day=MARY, location=offering.location
        )
    assert listed(admin.get(URL, ARGENTINA)) == []
    assert admin.post(URL, imported()).status_code == 302


@pytest.mark.parametrize(
    "data",
    [
        {"own_seen": "\x00", "own_hours": "keep"},
        {"own_seen": "9" * 10_000, "own_hours": "keep"},
        {"own_seen": "", "own_hours": "keep"},
        {"own_seen": "mine", "own_hours": "x"},
    ],
)
def test_nonsense_is_asked_again(admin, offering, data):
    row = works_on(offering)
    if data["own_seen"] == "mine":
        data = data | seen(row)
    assert admin.post(URL, imported(**data)).status_code == 409
    assert not Closure.objects.exists()


# --- closures that are typed


def test_a_closure_asks_and_keeps_what_was_typed(admin, offering):
    row = works_on(offering)
    response = admin.post(ADD, holiday(name="Día de la Virgen"))
    assert response.status_code == 409
    assert FOUND in response.content.decode()
    assert listed(response) == [line(offering)]
    assert 'value="Día de la Virgen"' in response.content.decode()
    assert not Closure.objects.exists()
    assert admin.post(ADD, holiday(**seen(row), own_hours="close")).status_code == 302
    assert not DateOverride.objects.exists()
    assert free_days(offering, MARY) == [False]


def test_a_closure_that_nobody_works_says_that_the_hours_will_not_hold(admin, offering):
    row = works_on(offering)
    response = admin.post(ADD, closure())
    assert response.status_code == 409
    assert listed(response) == [line(offering)]
    page = html.unescape(response.content.decode())
    assert WILL_NOT_HOLD in page
    assert 'name="own_hours"' not in page
    assert admin.post(ADD, closure(**seen(row))).status_code == 302
    assert DateOverride.objects.get() == row
    assert free_days(offering, MARY) == [False]


def test_a_closure_of_another_location_asks_nothing(admin, offering):
    works_on(offering)
    there = LocationFactory.create()
    assert admin.post(ADD, holiday(location=there.pk)).status_code == 302


def test_a_change_asks_about_what_it_closes_newly(admin, offering):
    works_on(offering)
    next_day = works_on(offering, dt.date(2026, 12, 9))
    row = Closure.objects.create(name="Feriado", first_day=MARY, last_day=MARY, can_be_worked=True)
    url = admin_page(row)
    data = admin_form(admin, url)
    assert admin.post(url, data | {"name": "Inmaculada"}).status_code == 302
    longer = admin.post(url, data | {"last_day": "2026-12-09"})
    assert listed(longer) == [line(offering, "Wednesday 9 December 2026")]
    answer = data | {"last_day": "2026-12-09"} | seen(next_day) | {"own_hours": "keep"}
    assert admin.post(url, answer).status_code == 302
    # Whoever could work on it no longer can.
    del answer["can_be_worked"]
    assert len(listed(admin.post(url, answer))) == 2
