"""Every page of every role is opened, and looked at by everybody who finds something there.

One walk for all of them: to open the pages is what takes the time.
"""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page

from accounts.roles import Role
from clinic.tests.browser.barriers import violations
from clinic.tests.browser.ear import Ear
from clinic.tests.browser.measures import misfits, misnamed
from clinic.tests.browser.stops import Stop, stops_of
from clinic.tests.browser.visitor import EVERYBODY, PHONE, WALKS, Check, Look, Visitor, told

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("broken_pages")]


def in_language(language: str) -> Check:
    def check(page: Page) -> list[str]:
        said = page.locator("html").get_attribute("lang")
        return [] if said == language else [f"lang={said}"]

    return check


#: Every page in both looks, and axe in both of them: ``make walk``.
WHOLE = os.environ.get("WALK") == "whole"


def in_this(look: Look, stops: list[Stop]) -> list[Stop]:
    """What a form answers is looked at on the phone only, where there is least room."""
    return [stop for stop in stops if WHOLE or look == PHONE or not stop.act]


def axe_is_due(look: Look, stop: Stop, stops: list[Stop]) -> bool:
    """Once for each page, by turns in the one look and in the other: axe takes longest."""
    if WHOLE or stop.act:
        return True
    pages = [one for one in stops if not one.act]
    return (pages.index(stop) % 2 == 0) == (look == PHONE)


@pytest.mark.parametrize("look", WALKS, ids=str)
@pytest.mark.parametrize("role", EVERYBODY)
def test_nothing_is_wrong_with_any_page(visitor: Visitor, role: Role | None, look: Look):
    """Nothing that the browser complains of, that sticks out, or that shuts somebody out."""
    page = visitor.page(role, look)
    ear = Ear(page, visitor.host)
    cheap = [ear.complaints, in_language(look.language), misnamed, misfits]
    stops = stops_of(role)

    def checks(stop: Stop) -> list[Check]:
        return [*cheap, violations] if axe_is_due(look, stop, stops) else cheap

    found = visitor.survey(page, in_this(look, stops), checks)
    assert not found, told(found)


@pytest.mark.parametrize("role", EVERYBODY)
def test_axe_meets_every_page(clinic: None, role: Role | None):
    stops = stops_of(role)
    met = {
        str(stop)
        for look in WALKS
        for stop in in_this(look, stops)
        if axe_is_due(look, stop, stops)
    }
    assert met == {str(stop) for stop in stops}
