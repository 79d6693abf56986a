"""Whatever comes in, no page breaks: every address, every role, values that nobody types.

The values are chosen by a generator with a fixed seed, so that a failure can be repeated.
The client of the tests raises what a view raises: an exception here is a 500 out there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.http import HttpResponse
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.urls import reverse

from accounts.roles import Role
from clinic.admin import base
from clinic.policy import Door, row_for
from clinic.tests.world import World, addresses, admin_names

pytestmark = pytest.mark.django_db

VISITORS = [None, Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR]

ODD = [
    "",
    " ",
    "\0",
    "a\0b",
    "\r\nBcc: x@example.org",
    "x" * 10_000,
    "9" * 4_301,
    "9" * 30,
    "9" * 16,
    "-1",
    "0",
    "9999",
    "1" + "0" * 30,
    "1e309",
    "NaN",
    "١٢",
    "½",
    "²",
    "0000-00-00",
    "2026-02-30",
    "9999-12-31",
    "0001-01-01",
    "2026-W99",
    "31/12/9999",
    "24:00",
    "99:99",
    "9999-12-31T23:59Z",
    "0001-01-01T00:00Z",
    "1@9999-12-31T23:55Z",
    "9999999999999999@2026-11-24T13:00Z",
    "00000000-0000-0000-0000-000000000000",
    "{'a': 1}",
    "[]",
    "../../etc/passwd",
    "//example.org",
    "https:example.org",
    "' OR 1=1 --",
    "%s%d%(x)s {0}",
    "<script>alert(1)</script>",
    "{{ 7|add:7 }}",
    "=1+1",
    "😷\ufeff\u202e",
    "é" * 3_000,
    "__proto__",
    "on",
    "keep",
]

#: What the addresses read from the question mark on, whatever else they may be asked.
ASKED = [
    *("what", "who", "where", "since", "page", "q", "specialty", "offering", "start", "next"),
    *("estado", "dia", "profesional", "servicio", "semana", "desde", "hasta", "key", "uid"),
    *("sede", "horario", "hora", "paciente", "ahora", "despues", "motivo", "conocido"),
]
#: The same of the administration's lists.
FILTERS = [
    *("q", "p", "o", "e", "all", "day", "waiting", "free", "due", "status__exact", "_popup"),
    *("local_date__year", "local_date__month", "local_date__day", "practitioner__id__exact"),
    *("first_day__year", "first_day__month", "first_day__day"),
    *(
        "is_active__exact",
        "due_at__gte",
        "at__lt",
        "state__exact",
        "_to_field",
        "_changelist_filters",
    ),
    *("app_label", "model_name", "field_name", "term", "page", "next", "location__id__exact"),
]


def visit(world: World, visitor: Role | None) -> Client:
    return world.browser(world.users[visitor])


class Filled(HTMLParser):
    """What a page would send if its button were pressed at once, by name."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self._select = ""
        if response.get("Content-Type", "").startswith("text/html"):
            self.feed(response.content.decode())
        self.values.pop("csrfmiddlewaretoken", None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        name = said.get("name", "")
        if tag == "select":
            self._select = name
        if tag == "option" and ("selected" in said or self._select not in self.values):
            self.values[self._select] = said.get("value", "")
        if name and tag in {"input", "textarea", "button"}:
            is_off = said.get("type") in {"checkbox", "radio"} and "checked" not in said
            self.values.setdefault(name, "" if is_off else said.get("value", ""))


def odd(dice: random.Random, names: Iterable[str]) -> dict[str, Any]:
    """For each name nothing, one odd value, or two under the same name."""
    chosen = {name: dice.choices(ODD, k=dice.choice([0, 1, 1, 2])) for name in names}
    return {name: values for name, values in chosen.items() if values}


def tries(
    world: World, visitor: Role | None, urls: Iterable[str], asked: list[str]
) -> Iterator[Any]:
    """(what was sent, the answer): each page asked oddly, filled in oddly, and nearly rightly."""
    dice = random.Random(f"{visitor}")
    for url in urls:
        query = odd(dice, dice.sample(asked, k=6))
        yield (url, query), visit(world, visitor).get(url, query)
        filled = Filled(visit(world, visitor).get(url)).values
        some = dice.sample(sorted(filled), k=min(2, len(filled)))
        for body in (odd(dice, filled), filled | odd(dice, some)):
            # Whoever pressed a button may be logged out by now.
            client = visit(world, visitor)
            yield (url, body), client.post(f"{url}?{dice.choice(asked)}={dice.randrange(99)}", body)


def broken(answers: Iterable[Any]) -> list[Any]:
    return [(sent, answer.status_code) for sent, answer in answers if answer.status_code >= 500]


def doors_of(visitor: Role | None) -> list[str]:
    """The addresses to try as this visitor: a patient also tries what is open to everybody."""
    shared = {Door.PUBLIC, Door.LOGGED_IN} if visitor is Role.PATIENT else {Door.PUBLIC}
    rows = {a.name: row_for(a.name) for a in addresses()}
    return [
        name
        for name, row in rows.items()
        if row
        and (visitor in row.who if isinstance(row.who, frozenset) else row.who in shared)
        and (visitor in {None, Role.PATIENT} or row.who is not Door.PUBLIC)
    ]


@pytest.mark.mariadb
@pytest.mark.parametrize("visitor", VISITORS)
def test_every_page_answers(world, visitor):
    """Opened, and its button pressed at once; on SQLite ``test_no_page_breaks`` does that."""
    for name in doors_of(visitor):
        client = visit(world, visitor)
        opened = client.get(world.url(name))
        assert opened.status_code < 500, name
        pressed = client.post(world.url(name), Filled(opened).values)
        assert pressed.status_code < 500, name


def test_every_list_of_the_administration_can_be_searched(world):
    client = visit(world, Role.ADMINISTRATOR)
    for name in admin_names():
        if name.endswith("_changelist"):
            # That of the clinic itself leads to its one row.
            assert client.get(reverse(name), {"q": "ana 1"}).status_code in {200, 302}, name


@pytest.mark.once
@pytest.mark.parametrize("visitor", VISITORS)
def test_no_page_breaks(world, visitor):
    urls = [world.url(name) for name in doors_of(visitor)]
    assert len(urls) > 0
    assert broken(tries(world, visitor, urls, ASKED)) == []


@pytest.fixture
def few_rows(monkeypatch) -> None:
    """Of a form that lies about its rows: how many are drawn is looked at elsewhere."""
    monkeypatch.setattr(base, "MOST_ROWS", 20)
    monkeypatch.setattr(base.Inline, "max_num", 20)


@pytest.mark.once
def test_no_page_of_the_administration_breaks(world, few_rows):
    visited = world.appointment
    rows = [visited, visited.patient, visited.practitioner, visited.service, visited.location]
    rows += [world.time_off, visited.practitioner.schedules.get(), world.nobody]
    urls = [reverse(name) for name in admin_names() if name != "admin:logout"]
    urls += [reverse(admin_urlname(row._meta, "change"), args=[row.pk]) for row in rows]
    assert broken(tries(world, Role.ADMINISTRATOR, urls, FILTERS)) == []


NINES = "9" * 40
ODD_PATHS = [
    "/%00/",
    "/%ff%fe/",
    "/turnos/%ED%A0%80/",
    f"/turnos/{'0' * 5000}/",
    "/profesionales/%00/",
    "/agenda/9999-99-99/",
    "/agenda/semana/9999-W99/",
    "/agenda/semana/0000-W00/",
    f"/agenda/bloqueos/{NINES}/quitar/",
    f"/agenda/bloqueos/{'9' * 4400}/quitar/",
    "/demo/correos/..%2f..%2fx/",
    "/cuenta/clave/nueva/zzzzzzzzzzzzz-x/",
    "/cuenta/invitacion/%00/",
    "/cuenta/invitacion/a:b:c/",
    "/admin/accounts/user/%00/change/",
    f"/admin/accounts/user/{NINES}/change/",
    "/admin/accounts/user/_00/history/",
    "/admin/scheduling/timeoff/abc/change/",
    "/admin/r/9/9/",
]


@pytest.mark.once
@pytest.mark.parametrize("visitor", VISITORS)
def test_odd_paths_lead_nowhere(world, visitor):
    answers = {path: visit(world, visitor).get(path).status_code for path in ODD_PATHS}
    assert {p: a for p, a in answers.items() if a not in {302, 403, 404}} == {}


ODD_BODIES = [
    (b"first_name=%ff%fe%00&last_name=%ED%A0%80&email=\xff", "application/x-www-form-urlencoded"),
    (b"a=" + b"&a=" * 2500, "application/x-www-form-urlencoded"),
    (b"[" * 5000, "application/json"),
    (b"a=1", "application/x-www-form-urlencoded; charset=nonsense"),
    (b"nothing of the kind", MULTIPART_CONTENT),
    (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
    (b"--x--", "multipart/form-data; boundary=" + "x" * 300),
    (b"x", "multipart/form-data"),
    (b"x" * 2_700_000, "application/x-www-form-urlencoded"),
    (b"", ""),
]


@pytest.mark.once
@pytest.mark.parametrize(
    "path", ["/cuenta/crear/", "/cuenta/ingresar/", "/familia/agregar/", "/reservar/"]
)
def test_odd_bodies_are_refused(world, path):
    visitor = Role.PATIENT if path == "/familia/agregar/" else None
    for body, content_type in ODD_BODIES:
        answer = visit(world, visitor).generic("POST", path, body, content_type=content_type)
        assert answer.status_code in {400, 404, 422, 429}, (content_type, body[:40])


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("django_language", "../../x"),
        ("django_language", "e" * 3000),
        ("sessionid", "\x7f" * 40),
        ("sessionid", "s" * 3000),
        ("messages", "junk"),
        ("messages", "a$" + "x" * 2000),
        ("csrftoken", "é"),
    ],
)
def test_odd_cookies_are_nobodys(client, name, value):
    client.cookies[name] = value
    assert client.get("/").status_code == 200
    assert client.get("/turnos/").status_code == 302
