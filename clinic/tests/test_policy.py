"""Deny by default: every address × role × method, and every object × owner.

Generated from the list of addresses: a new one fails here until it has its row in
the policy table and, if it takes arguments, its example in ``world``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin, auth
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponseNotFound
from django.test import Client
from django.urls import URLResolver, clear_url_caches, path, resolve, reverse

from accounts.roles import Role
from clinic import urls
from clinic.policy import POLICY, Door, row_for
from clinic.tests.world import World, addresses, all_addresses

pytestmark = [pytest.mark.django_db, pytest.mark.once]

#: What every answer lets the browser load and run; docs/decisions/0024 has the two exceptions.
STRICT = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
NAMES = sorted(a.name for a in addresses())
VISITORS = [None, "nobody", Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
LOGIN = "/cuenta/ingresar/?next="


@pytest.fixture
def plain_refusals(monkeypatch) -> None:
    """The pages that refuse are looked at elsewhere: most of the time went there."""
    monkeypatch.setattr(urls, "handler403", lambda request, exception: HttpResponseForbidden())
    monkeypatch.setattr(urls, "handler404", lambda request, exception: HttpResponseNotFound())


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
    """Somebody's object, with a stranger's and a missing one, or nobody's property."""
    known = [*world.plain, *world.objects]
    assert sorted(a.name for a in addresses() if a.arguments) == sorted(known)
    assert all(len({str(kwargs) for kwargs in row}) == 3 for row in world.objects.values())


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


def content_policy(answer: Any) -> set[str]:
    return set(answer["Content-Security-Policy"].split("; "))


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
def test_each_role_gets_in_where_its_row_says(world, plain_refusals, visitor):
    wrong = []
    client = visit(world, visitor)
    for name, method in itertools.product(NAMES, METHODS):
        answer = client.generic(method, world.url(name))
        if not answer_is_right(visitor, name, method, answer):
            wrong.append((name, method, answer.status_code))
        assert content_policy(answer) == STRICT, (name, method)
        if method == "POST":
            # It may have been the one that logs out.
            client = visit(world, visitor)
    assert wrong == []


#: Of the administration, an argument that names nothing. A new kind of argument fails here.
NAMES_NOTHING = {
    "app_label": "clinic",
    "content_type_id": "1",
    "kind": "booked",
    "language": "es",
    "object_id": "999999",
    "url": "nothing",
}


def admin_urls() -> list[str]:
    """Every address of the administration, those without a name included."""
    return sorted({f"/admin/{route}" for route in _routes(admin.site.get_urls())})


def _routes(patterns: list[Any]) -> Iterator[str]:
    for one in patterns:
        route = str(one.pattern)
        for argument in {*one.pattern.regex.groupindex}:
            some = rf"\(\?P<{argument}>[^)]*\)|<(\w+:)?{argument}>"
            route = re.sub(some, NAMES_NOTHING[argument], route)
        route = route.strip("^$")
        if isinstance(one, URLResolver):
            yield from (route + inner for inner in _routes(one.url_patterns))
        else:
            yield route


def test_every_address_of_the_administration_is_walked():
    urls = admin_urls()
    assert {resolve(url).namespace for url in urls} == {"admin"}
    named = {a.name for a in all_addresses() if a.name.startswith("admin:")} - {"admin:"}
    assert {resolve(url).view_name for url in urls} >= named


@pytest.mark.parametrize("visitor", [v for v in VISITORS if v is not Role.ADMINISTRATOR])
def test_the_administration_is_closed_to_everybody_else(
    world, monkeypatch, plain_refusals, visitor
):
    client = visit(world, visitor)
    # Who comes is looked at elsewhere, too.
    user = get_user(client)
    monkeypatch.setattr(auth, "get_user", lambda request: user)
    wrong = []
    for url, method in itertools.product(admin_urls(), ["GET", "POST"]):
        answer = client.generic(method, url)
        to_login = answer.status_code == 302 and answer["Location"].startswith(LOGIN)
        if not (to_login if visitor is None else answer.status_code == 403):
            wrong.append((method, url, answer.status_code))
    assert wrong == []


def test_the_administration_answers_administrators_whatever_the_address_names(world):
    client = visit(world, Role.ADMINISTRATOR)
    exceptions = []
    ways_out = ("/admin/", reverse("account_change_password"), reverse("account_logout"))
    wrong = []
    for url, method in itertools.product(admin_urls(), ["GET", "POST"]):
        answer = client.generic(method, url)
        leads_in = answer.status_code == 302 and answer["Location"].startswith(ways_out)
        # Some have no adding, for administrators either.
        if not leads_in and answer.status_code not in {200, 403, 404, 405, 422}:
            wrong.append((method, url, answer.status_code))
        if (policy := content_policy(answer)) != STRICT:
            exceptions.append((method, url, policy ^ STRICT))
    assert wrong == []
    # The other exception, the mail in the frame, shows only what was signed: test_texts looks.
    text = reverse("admin:notifications_messagetext_edit", args=["booked", "es"])
    assert exceptions == [(method, text, {"frame-src 'self'"}) for method in ("GET", "POST")]


def test_every_post_to_the_administration_needs_its_token(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users[Role.ADMINISTRATOR])
    for url in admin_urls():
        answer = client.post(url, {})
        assert answer.status_code == 403, url
        assert "403_csrf.html" in {t.name for t in answer.templates}, url


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


def test_a_strangers_object_is_like_a_missing_one(world):
    for name in world.objects:
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
