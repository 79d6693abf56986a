"""Every page of every role is opened, and looked at by everybody who finds something there.

One walk for all of them: to open the pages is what takes the time.
"""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page

from accounts.roles import Role
from clinic.tests.browser.barriers import Reader, give_axe, violations
from clinic.tests.browser.ear import Ear
from clinic.tests.browser.measures import misfits, misnamed
from clinic.tests.browser.stops import Stop, stops_of
from clinic.tests.browser.visitor import EVERYBODY, PHONE, WALKS, WIDE, Check, Look, Visitor, told

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("broken_pages")]


def in_language(language: str) -> Check:
    def check(page: Page) -> list[str]:
        said = page.locator("html").get_attribute("lang")
        return [] if said == language else [f"lang={said}"]

    return check


#: Every page opened in both looks, and axe in both of them: ``make walk``.
WHOLE = os.environ.get("WALK") == "whole"
#: Else letters that look the same on the same ground are looked at once for all these walks.
READER = Reader()


def with_axe(look: Look, stop: Stop, stops: list[Stop]) -> bool:
    """Once for each page, by turns in the one look and in the other: axe takes longest."""
    return WHOLE or bool(stop.act) or (stops.index(stop) % 2 == 0) == (look == PHONE)


def checks_in(look: Look, stop: Stop, stops: list[Stop]) -> list[Check]:
    rulers: list[Check] = [misnamed, misfits]
    barriers = violations if WHOLE else READER.violations
    return [*rulers, barriers] if with_axe(look, stop, stops) else rulers


#: Colours that change by and by have changed; what would never end is not waited for.
AT_ONCE = """
() => document.getAnimations().forEach((one) => {
  try { one.finish(); } catch { one.cancel(); }
})
"""


def dressed_as(look: Look, checks: list[Check]) -> Check:
    """These checks, once the window of the open page is that wide and that dark."""

    def check(page: Page) -> list[str]:
        # No two looks share a size.
        if page.viewport_size != (size := {"width": look.width, "height": look.height}):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme="dark" if look.dark else "light")
        page.evaluate(AT_ONCE)
        return [f"{look}: {line}" for one in checks for line in one(page)]

    return check


@pytest.mark.parametrize("look", WALKS if WHOLE else [PHONE], ids=str)
@pytest.mark.parametrize("role", EVERYBODY)
def test_nothing_is_wrong_with_any_page(visitor: Visitor, role: Role | None, look: Look):
    """Nothing that the browser complains of, that sticks out, or that shuts somebody out.

    In the whole walk each look opens every page for itself. Else a page is opened once,
    small, dark and with the longer words, and then drawn wide and light; what a form
    answers stays small, where there is least room.
    """
    page = visitor.page(role, look)
    give_axe(page.context)
    ear = Ear(page, visitor.host)
    stops = stops_of(role)

    def checks(stop: Stop) -> list[Check]:
        looks = [look] if WHOLE or stop.act else [look, WIDE]
        seen = [dressed_as(each, checks_in(each, stop, stops)) for each in looks]
        return [in_language(look.language), *seen, dressed_as(look, []), ear.complaints]

    found = visitor.survey(page, stops, checks)
    assert not found, told(found)
