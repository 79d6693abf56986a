"""What no form of the administration sends: chosen rows, counts and ids that cannot be.

Generated from what is registered, so that a new list is tried without being named here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.db import models
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from clinic.admin.base import MOST_ROWS, ClinicAdmin
from clinic.models import Location
from clinic.tests.test_fuzz import Filled, visit

pytestmark = [pytest.mark.django_db, pytest.mark.once]

NOTHING = "Items must be selected in order to perform actions on them. No items have been changed."
GONE = "What was chosen is no longer in this list. Nothing has been changed."
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


def said(response: Any) -> set[str]:
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
        assert said(client.post(url, asked, follow=True)) == {GONE}, (url, name)


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


# --- what is looked up while one types

LOOKUP = {"app_label": "appointments", "model_name": "appointment", "field_name": "patient"}
JUNK = ["", "\0", "x", "_meta", "pk", "__class__", "9" * 5_000]


def test_the_other_end_of_a_field_is_looked_up_by_nobody(client):
    tried = 0
    for model in admin.site._registry:
        for field in model._meta.related_objects:
            names = {"app_label": model._meta.app_label, "model_name": model._meta.model_name}
            asked = {**names, "field_name": field.get_accessor_name()}
            assert client.get("/admin/autocomplete/", asked).status_code in {403, 404}, asked
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("name", [*LOOKUP, "term", "page"])
def test_nonsense_is_looked_up_in_vain(client, name):
    answers = {client.get("/admin/autocomplete/", {**LOOKUP, name: junk}) for junk in JUNK}
    assert {answer.status_code for answer in answers} <= {200, 403, 404}
    assert client.get("/admin/autocomplete/", LOOKUP).status_code == 200


# --- pages of rows that are not there, and forms whose counts are wrong

NOWHERE = ["x", "_", "_00", "__", "%", "²", "-1", "9" * 30, "9" * 4_400, "\0"]
ASIDE = ["", "_to_field=%00", "_to_field=password", "_popup=x", "_to_field=pk"]


@pytest.mark.parametrize("name", ["change", "history", "delete"])
def test_a_row_that_is_not_there_has_no_page(client, name):
    # Nine beside ten: each row with every question in turn.
    asked = zip(itertools.cycle(NOWHERE), itertools.cycle(ASIDE[1:] + ASIDE), strict=False)
    for model, (row, aside) in zip(admin.site._registry, asked, strict=False):
        page = f"{page_of(model, name, row)}?{aside}"
        for answer in (client.get(page), client.post(page, {"post": "yes", "_popup": "\0"})):
            assert answer.status_code in {302, 400, 403, 404}, page


def test_counts_that_cannot_be_are_a_form_that_is_not_right(client):
    counts = itertools.cycle(["x", "-1", "", "9" * 5_000, None])
    tried = 0
    for model in admin.site._registry:
        url = page_of(model, "add")
        filled = Filled(client.get(url)).values
        for count in [name for name in filled if name.endswith(("TOTAL_FORMS", "INITIAL_FORMS"))]:
            wrong = {**filled, count: next(counts)}
            body = {name: value for name, value in wrong.items() if value is not None}
            assert client.post(url, body).status_code in {302, 422}, (url, wrong[count])
            tried += 1
    assert tried >= 14


def test_a_hundred_million_rows_are_not_made(client):
    """As many as a post has room for: 2,000 of them took half a minute."""
    url = page_of(Location, "add")
    body = {**Filled(client.get(url)).values, "rooms-TOTAL_FORMS": "99999999"}
    answer = client.post(url, body)
    [rows] = [inline.formset for inline in answer.context["inline_admin_formsets"]]
    assert (answer.status_code, len(rows.forms)) == (422, MOST_ROWS)
    assert MOST_ROWS * len(rows.forms[0].fields) >= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
