"""What no form of the administration sends: chosen rows, counts and ids that cannot be.

Generated from what is registered, so that a new list is tried without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.db import models
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from clinic.admin.base import NOT_THERE, ClinicAdmin
from clinic.tests.test_fuzz import visit

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NOTHING = "Items must be selected in order to perform actions on them. No items have been changed."
NO_IDS = ["x", "9" * 30, "9" * 5_000, "\0", ""]
#: Of no row: right in form, but nobody is there.
NOBODY = "9" * 18


@pytest.fixture
def client(world) -> Client:
    found = visit(world, Role.ADMINISTRATOR)
    found.cookies["django_language"] = "en"
    return found


def page_of(model: type[models.Model], name: str, *args: object) -> str:
    return reverse(admin_urlname(model._meta, name), args=args)


def actions(client: Client) -> Iterator[tuple[str, str]]:
    """(list, action)"""
    request = client.get("/admin/").wsgi_request
    for model, model_admin in admin.site._registry.items():
        for name in model_admin.get_actions(request):
            yield page_of(model, "changelist"), name


def said(response: HttpResponse) -> set[str]:
    """The sentences above the list to which one is led back."""
    return {str(message) for message in response.context["messages"]}


def test_whatever_is_registered_has_the_shared_base():
    assert [a for a in admin.site._registry.values() if not isinstance(a, ClinicAdmin)] == []


def test_what_cannot_be_chosen_was_not(client):
    """By the button above the list, and from the page that asks whether one means it."""
    for n, (url, name) in enumerate(actions(client)):
        for m, chosen in enumerate(NO_IDS):
            button = {"index": "0"} if (n + m) % 2 else {}
            asked = {"action": name, ACTION_CHECKBOX_NAME: chosen, **button}
            answer = client.post(url, asked)
            assert (answer.status_code, answer["Location"]) == (302, url), asked
        assert said(client.get(url)) == {NOTHING}, (url, name)


def test_rows_that_are_gone_are_said_to_be(client):
    for url, name in actions(client):
        asked = {"action": name, ACTION_CHECKBOX_NAME: [NOBODY, "x"], "index": "0"}
        assert said(client.post(url, asked, follow=True)) == {str(NOT_THERE)}, (url, name)


@pytest.mark.parametrize(
    "odd",
    [
        {"action": "nonsense"},
        {"action": ""},
        {"index": "x"},
        {"index": "9" * 5_000},
        {"index": "-7"},
        {"select_across": "junk"},
        {"select_across": "\0"},
    ],
)
def test_the_box_of_the_action_is_filled_in_oddly(client, odd):
    for url in {url for url, _name in actions(client)}:
        asked = {"action": "confirm", ACTION_CHECKBOX_NAME: "x", "index": "0", **odd}
        assert client.post(url, asked).status_code in {200, 302}, url
