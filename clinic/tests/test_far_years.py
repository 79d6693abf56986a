"""A year that nobody means is refused wherever a day is typed; what was typed stays."""

from __future__ import annotations

import datetime as dt

import pytest

from accounts.tests.factories import PatientFactory, administrator
from appointments.tests.factories import NOW
from appointments.tests.practice import (
    account_of,
    admin_form,
    admin_page,
    browser,
    new_practice,
)
from clinic.models import Closure
from clinic.tests.test_invalid_input import says
from scheduling.models import DateOverride, TimeOff

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def this_morning(time_machine) -> None:
    time_machine.move_to(NOW, tick=False)


YEARS = {
    "en": "Write a year between 2000 and 2199.",
    "es": "El año tiene que estar entre 2000 y 2199.",
}
FAR = ["0001-01-01", "1999-12-31", "2200-01-01", "9999-12-31"]


@pytest.mark.parametrize("language", YEARS)
@pytest.mark.parametrize("far", FAR)
def test_a_closure_stays_in_the_years_that_are_meant(client, far, language):
    near = dt.date(2026, 12, 8).isoformat()
    first, last = sorted([far, near])
    client.force_login(administrator())
    client.cookies["django_language"] = language
    sent = {"name": "Obra", "first_day": first, "last_day": last, "location": ""}
    answer = client.post("/admin/clinic/closure/add/", sent)
    assert answer.status_code == 422
    wrong = "last_day" if far == last else "first_day"
    assert list(answer.context["adminform"].form.errors) == [wrong]
    assert YEARS[language] in answer.content.decode()
    assert f'value="{far}"' in answer.content.decode()
    assert not Closure.objects.exists()


@pytest.mark.parametrize("far", ["0001-01-01", "9999-12-31"])
def test_no_form_of_the_administration_takes_such_a_year(this_morning, far):
    """Every box for a day or an instant that an administrator can fill in."""
    offering = new_practice()
    schedule, practitioner = offering.schedule, offering.practitioner
    override = DateOverride.objects.create(
        schedule=schedule, date=dt.date(2026, 12, 8), kind=DateOverride.Kind.CLOSED
    )
    off = TimeOff.objects.create(
        practitioner=practitioner,
        starts_at=NOW + dt.timedelta(days=1),
        ends_at=NOW + dt.timedelta(days=2),
    )
    patient = PatientFactory.create()
    closure = Closure.objects.create(name="Obra", first_day=override.date, last_day=override.date)
    boss = browser(administrator())
    boxes = {
        admin_page(schedule): ["hours-0-valid_from", "hours-0-valid_until", "overrides-0-date"],
        admin_page(off): ["starts_at_0", "ends_at_0"],
        admin_page(patient): ["birth_date"],
        admin_page(closure): ["first_day", "last_day"],
    }
    for url, names in boxes.items():
        form = admin_form(boss, url)
        for row, field in ((name.rpartition("_")[0], name) for name in names if name[-2:] == "_0"):
            instant = form.pop(row)
            form |= {field: f"{instant:%Y-%m-%d}", f"{row}_1": f"{instant:%H:%M}"}
        for name in names:
            answer = boss.post(url, form | {name: far})
            page = answer.content.decode()
            assert answer.status_code == 422, name
            assert "Write a " in page, name
            assert f'value="{far}"' in page, name
    booking = {
        "patient": patient.pk,
        "practitioner": practitioner.pk,
        "service": offering.service_id,
        "day": far,
        "time": "10:00",
    }
    answer = boss.post("/admin/appointments/appointment/add/", booking)
    assert (answer.status_code, YEARS["en"] in answer.content.decode()) == (422, True)


@pytest.mark.parametrize("far", ["1/1/0001", "1/1/1900", "31/12/2200", "31/12/9999"])
def test_no_page_of_a_practitioner_takes_such_a_year(this_morning, far):
    offering = new_practice()
    doctor = browser(account_of(offering))
    week = {"valid_from": "1/12/2026", "slot_step": "30", "d0_0_from": "9", "d0_0_to": "10"}
    sent: list[tuple[str, dict[str, str]]] = [
        ("bloqueos/dias/", {"first_day": far, "last_day": "1/12/2026"}),
        ("bloqueos/dias/", {"first_day": "1/12/2026", "last_day": far}),
        ("bloqueos/horas/", {"day": far, "start": "9", "end": "10"}),
        ("excepciones/nueva/", {"first_day": far, "kind": "closed"}),
        ("excepciones/nueva/", {"first_day": "1/12/2026", "last_day": far, "kind": "closed"}),
        (f"horarios/{offering.location.slug}/desde/", week | {"valid_from": far}),
        (f"horarios/{offering.location.slug}/desde/", week | {"valid_until": far}),
    ]
    for page, data in sent:
        answer = doctor.post(f"/agenda/{page}", data)
        assert (answer.status_code, bool(says(answer))) == (422, True), (page, data)
    assert not TimeOff.objects.exists()
    assert not DateOverride.objects.exists()


def test_an_exception_of_no_length_is_refused(this_morning):
    """From nine to nine would be open for twenty-four hours."""
    schedule = new_practice().schedule
    url, boss = admin_page(schedule), browser(administrator())
    row = {"date": "2026-12-05", "kind": "instead", "start": "9:00", "end": "9:00"}
    form = admin_form(boss, url) | {"overrides-TOTAL_FORMS": 1, "overrides-0-schedule": schedule.pk}
    form |= {f"overrides-0-{name}": value for name, value in row.items()}
    answer = boss.post(url, form)
    assert answer.status_code == 422
    assert "The end has to differ from the start." in answer.content.decode()
    assert not DateOverride.objects.exists()
    assert boss.post(url, form | {"overrides-0-end": "8:55"}).status_code == 302
