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
from appointments.tests.factories import NOW
from clinic.models import Closure
from clinic.policy import BOTH, PRACTICE_PAGES
from clinic.tests.factories import InsurerFactory, LocationFactory
from clinic.tests.test_fuzz import Filled, visit
from clinic.tests.world import World
from scheduling.intervals import overlaps, to_minute
from scheduling.models import TimeOff
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
