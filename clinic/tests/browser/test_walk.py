"""Every page of every role is opened, and looked at by everybody who finds something there.

One walk for all of them: to open the pages is what takes the time.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from accounts.roles import Role
from clinic.tests.browser.barriers import violations
from clinic.tests.browser.ear import Ear
from clinic.tests.browser.measures import misfits, misnamed
from clinic.tests.browser.visitor import EVERYBODY, WALKS, Check, Look, Visitor, told

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("broken_pages")]


def in_language(language: str) -> Check:
    def check(page: Page) -> list[str]:
        said = page.locator("html").get_attribute("lang")
        return [] if said == language else [f"lang={said}"]

    return check


@pytest.mark.parametrize("look", WALKS, ids=str)
@pytest.mark.parametrize("role", EVERYBODY)
def test_nothing_is_wrong_with_any_page(visitor: Visitor, role: Role | None, look: Look):
    """Nothing that the browser complains of, that sticks out, or that shuts somebody out."""
    page = visitor.page(role, look)
    ear = Ear(page, visitor.host)
    language = in_language(look.language)
    checks = [ear.complaints, language, misnamed, misfits, violations]
    found = visitor.survey(role, page, checks)
    assert not found, told(found)
