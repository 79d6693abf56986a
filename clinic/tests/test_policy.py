"""Deny by default: every address × role × method, and every object × owner.

Generated from the list of addresses: a new one fails here until it has its row in
the policy table and, if it takes arguments, its example in ``world``.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path, reverse

from accounts.roles import Role
from appointments.tests.factories import NOW
from clinic import urls
from clinic.policy import POLICY, Door, row_for
from clinic.tests.world import World, addresses, admin_names

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NAMES = sorted(a.name for a in addresses())
VISITORS = [None, "nobody", Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
LOGIN = "/cuenta/ingresar/?next="


@pytest.fixture
def world(time_machine) -> World:
    time_machine.move_to(NOW, tick=False)
    return World()


def visit(world: World, visitor: Role | str | None) -> Client:
    return world.browser(world.nobody if visitor == "nobody" else world.users[visitor])  # type: ignore[index]


def is_let_in(response: HttpResponse) -> bool:
    """Whether the view ran; what it then says of the object is another question."""
    to_login = response.status_code == 302 and response["Location"].startswith(LOGIN)
    return not to_login and response.status_code not in {403, 405}


def test_every_address_has_a_row():
    assert [name for name in NAMES if row_for(name) is None] == []


def test_every_row_has_an_address():
    assert sorted(set(POLICY) - set(NAMES)) == []


def test_every_address_with_arguments_has_an_example(world):
    known = {**world.plain, **world.objects}
    assert [a.name for a in addresses() if a.arguments and a.name not in known] == []


def test_a_new_address_is_closed_to_everybody(world, monkeypatch, settings):
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("open")

    monkeypatch.setattr(urls, "urlpatterns", [path("nueva/", view, name="new"), *urls.urlpatterns])
    clear_url_caches()
    try:
        answers = {visit(world, who).get("/nueva/").status_code for who in VISITORS}
    finally:
        monkeypatch.undo()
        clear_url_caches()
    assert answers == {404}


#: Open to everybody by the table, and asks for the login itself.
ASKS_ITSELF = {"appointments:book"}


def answer_is_right(visitor: Role | str | None, name: str, method: str, answer: Any) -> bool:
    """Whether this answer is what the row of this address promises this visitor."""
    row = row_for(name)
    assert row is not None
    to_login = answer.status_code == 302 and answer["Location"].startswith(LOGIN)
    if method not in row.methods:
        return answer.status_code == 405
    if row.who is Door.PUBLIC or (row.who is Door.LOGGED_IN and visitor):
        return is_let_in(answer) or name in ASKS_ITSELF
    if visitor is None:
        return to_login
    if isinstance(row.who, frozenset) and visitor in row.who:
        return is_let_in(answer)
    return answer.status_code == 403


@pytest.mark.parametrize("visitor", VISITORS)
def test_each_role_gets_in_where_its_row_says(world, visitor):
    wrong = []
    client = visit(world, visitor)
    for name, method in itertools.product(NAMES, METHODS):
        answer = client.generic(method, world.url(name))
        if not answer_is_right(visitor, name, method, answer):
            wrong.append((name, method, answer.status_code))
        if method == "POST":
            # It may have been the one that logs out.
            client = visit(world, visitor)
    assert wrong == []


@pytest.mark.parametrize("visitor", VISITORS)
def test_the_administration_is_the_administrators(world, visitor):
    client = visit(world, visitor)
    for name in admin_names():
        if name == "admin:logout":
            continue
        response = client.get(reverse(name))
        case = (name, response.status_code)
        if visitor is None:
            assert response["Location"].startswith(LOGIN), case
        elif visitor is Role.ADMINISTRATOR:
            # Some have no adding, for administrators either.
            assert response.status_code in {200, 302, 403}, case
        else:
            assert response.status_code == 403, case


def words(response: HttpResponse) -> str:
    """A page without the address it was asked for and without its tokens."""
    text = response.content.decode()
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
    return re.sub(r'name="next" value="[^"]*"', "", text)


def owner(name: str) -> Role:
    row = row_for(name)
    assert row is not None
    if row.who is Door.LOGGED_IN:
        return Role.PATIENT
    # An administrator owns every desk's objects, so there is no stranger's.
    return next(iter(row.who - {Role.ADMINISTRATOR}))  # type: ignore[operator]


OWNED = [
    a.name for a in addresses() if a.arguments & {"public_id", "pk", "location", "practitioner"}
]


def test_a_strangers_object_is_like_a_missing_one(world):
    for name in OWNED:
        row = row_for(name)
        assert row is not None
        # In a session of its own: what the last page had to say would differ.
        client = Client()
        client.force_login(world.users[owner(name)])
        for method in sorted(row.methods & {"GET", "POST"}):
            foreign = client.generic(method, world.url(name, whose="foreign"))
            missing = client.generic(method, world.url(name, whose="missing"))
            own = client.generic(method, world.url(name))
            assert foreign.status_code == missing.status_code == 404, (name, method)
            assert words(foreign) == words(missing), (name, method)
            assert own.status_code != 404, (name, method)


def test_every_post_needs_its_token(world):
    for name in NAMES:
        row = row_for(name)
        assert row is not None
        if "POST" not in row.methods:
            continue
        client = Client(enforce_csrf_checks=True)
        if row.who is not Door.PUBLIC and (user := world.users[owner(name)]):
            client.force_login(user)
        before = client.post(world.url(name), {})
        assert before.status_code == 403, name
        assert "403_csrf.html" in {t.name for t in before.templates}, name
