"""What cannot be a date, a time, a number or a name gets a clear answer, in every field.

Of the search and of the pages of a practitioner's time; ``test_fuzz`` goes everywhere else.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.roles import Role
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
from clinic.policy import BOTH, PRACTICE_PAGES
from clinic.tests.factories import InsurerFactory, LocationFactory
from clinic.tests.test_fuzz import Filled, visit
from clinic.tests.world import World
from scheduling.intervals import overlaps, to_minute
from scheduling.models import DateOverride, TimeOff
from scheduling.selectors import open_time
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]

INVALID = [
    "0000-00-00",
    "2026-02-30",
    "9999-12-31",
    "1" + "0" * 30,
    "a\0b",
    "x" * 10_000,
    "-1",
]
#: What only means to be read, so that anything may stand in it, if it is short enough.
FREE_TEXT = {"reason", "who", "q"}
#: A tick is a tick whatever it sends.
TICKS = re.compile(r".*_night|is_active|copy_to")
#: Buttons and the language; of the fourteen boxes of a day and the seven days the first.
NOT_TYPED = re.compile(
    r"save|copy|copy_from|drop|edit|language|next|d[1-6]_.*|d0_[1-3]_.*|o_[1-3]_.*"
)


@pytest.fixture
def this_morning(time_machine) -> None:
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def world(this_morning) -> World:
    return World()


def says(page: HttpResponse) -> list[str]:
    """The sentences of the summary on top of the page."""
    found = re.search(r'class="[^"]*error-summary.*?</ul>', page.content.decode(), re.DOTALL)
    return re.findall(r"<a href=[^>]*>([^<]+)</a>", found[0]) if found else []


def unclear(client: Client, url: str) -> list[Any]:
    """(field, what was sent, the answer) where a wrong value was not called wrong."""
    filled = Filled(client.get(url)).values
    own = {n: v for n, v in filled.items() if n not in {"copy", "drop", "edit", "language", "next"}}
    found = []
    for name in own:
        if NOT_TYPED.fullmatch(name) or TICKS.fullmatch(name):
            continue
        for value in INVALID:
            answer = client.post(url, own | {name: value, "save": "1"})
            is_wrong = answer.status_code == 422 and bool(says(answer))
            is_text = name in FREE_TEXT and len(value) < 100 and answer.status_code == 302
            if not (is_wrong or is_text):
                found.append((name, value[:20], answer.status_code))
    return found


@pytest.mark.parametrize("name", [name for name, ways in PRACTICE_PAGES.items() if ways == BOTH])
def test_every_field_of_the_schedule_pages(world, name):
    schedule = ScheduleFactory.create(practitioner=world.appointment.practitioner)
    ServiceOfferingFactory.create(schedule=schedule, service=world.appointment.service)
    client = visit(world, Role.PRACTITIONER)
    assert unclear(client, world.url(f"appointments:{name}")) == []


QUERIES = {
    "appointments:times": ["what", "who", "where", "since", "until", "part", "coverage"],
    "home": ["what", "who", "since"],
    "appointments:practitioners": ["q", "specialty", "page"],
    "appointments:desk": ["dia"],
    "appointments:desk_practitioners": ["q", "page"],
    "appointments:desk_why": ["profesional", "servicio", "dia"],
    "appointments:why": ["servicio", "dia"],
    "appointments:coming": ["desde"],
    "appointments:time_off_add": ["dia"],
    "appointments:time_off_add_hours": ["dia"],
    "appointments:override_add": ["dia", "sede"],
    "appointments:hours_at": ["desde", "hasta"],
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("value", INVALID)
def test_every_query_of_the_search_and_the_schedule_pages(world, name, value):
    """Never a broken page; a 422 says what to do."""
    visitor = Role.RECEPTION if ":desk" in name else Role.PRACTITIONER
    client = visit(world, visitor)
    for asked in QUERIES[name]:
        answer = client.get(world.url(name), {asked: value})
        assert answer.status_code in {200, 404, 422}, (asked, answer.status_code)
        if answer.status_code == 422:
            assert says(answer), asked
        shown = html.unescape(answer.content.decode())
        assert "Traceback" not in shown


@pytest.mark.parametrize("value", INVALID)
@pytest.mark.parametrize("asked", QUERIES["appointments:times"])
def test_a_search_that_cannot_be_meant_is_a_422_with_a_sentence(world, asked, value):
    LocationFactory.create()
    world.appointment.practitioner.insurers.add(InsurerFactory.create())
    answer = visit(world, None).get("/horarios/", {asked: value})
    is_name = asked == "who" and len(value) < 100 and "\0" not in value
    assert answer.status_code == (200 if is_name else 422)
    assert bool(says(answer)) != is_name


# --- years that nobody means

YEARS = {
    "en": "Write a year between 2000 and 2199.",
    "es": "El año tiene que estar entre 2000 y 2199.",
}
FAR = ["0001-01-01", "1999-12-31", "2200-01-01", "9999-12-31"]


def broken_pages(world: World) -> list[tuple[str, int]]:
    """The pages that read what closes time, opened by whoever may; those that do not answer."""
    visit_ = world.appointment
    doctor, offering = visit_.practitioner.slug, visit_.practitioner.schedules.get().offerings.get()
    day = visit_.local_date.isoformat()
    pages = {
        None: ["/", "/profesionales/", f"/profesionales/{doctor}/", f"/horarios/?who={doctor}"],
        Role.PRACTITIONER: [
            "/agenda/",
            f"/agenda/{day}/",
            "/agenda/calendario/",
            "/agenda/bloqueos/",
            "/agenda/excepciones/",
            "/agenda/horarios/",
            f"/agenda/por-que/?servicio={offering.pk}&dia={day}",
        ],
        Role.RECEPTION: [f"/recepcion/por-que/?profesional={doctor}&dia={day}"],
        Role.ADMINISTRATOR: [
            "/admin/",
            "/admin/clinic/closure/",
            "/admin/clinic/closure/importar/?country=AR&year=2026",
            "/admin/scheduling/timeoff/",
            "/admin/scheduling/schedule/",
            f"/admin/scheduling/schedule/{offering.schedule_id}/change/",
        ],
    }
    answers = [
        (page, visit(world, role).get(page, follow=True).status_code)
        for role, some in pages.items()
        for page in some
    ]
    return [(page, status) for page, status in answers if status != 200]


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


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (dt.date(2026, 12, 8), dt.date.max),
        (dt.date.min, dt.date(2026, 12, 8)),
        (dt.date.min, dt.date.max),
        (dt.date.min, dt.date.min),
        (dt.date.max, dt.date.max),
    ],
)
def test_a_closure_from_before_there_was_a_check_breaks_no_page(world, first, last):
    Closure.objects.create(name="Obra", first_day=first, last_day=last)
    assert broken_pages(world) == []
    schedule = world.appointment.practitioner.schedules.get()
    noon = dt.datetime(2026, 12, 8, 12, tzinfo=NOW.tzinfo)
    closed = open_time([schedule], noon, noon + dt.timedelta(hours=1))[schedule.pk].closed
    holds = first <= noon.date() <= last
    assert any(overlaps(part, (to_minute(noon), to_minute(noon) + 60)) for part in closed) == holds


INSTANTS = [
    (dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)),
    (dt.datetime(2026, 11, 23, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 2, tzinfo=dt.UTC)),
    (dt.datetime(9999, 12, 30, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 2, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize(("starts", "ends"), INSTANTS)
def test_time_off_from_before_there_was_a_check_breaks_no_page(world, starts, ends):
    TimeOff.objects.create(
        practitioner=world.appointment.practitioner,
        starts_at=starts,
        ends_at=ends,
    )
    assert broken_pages(world) == []


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
