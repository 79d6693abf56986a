"""The browser has nothing to complain of: no blocked code, no error, no missing file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from accounts.roles import Role
from clinic.tests.browser.visitor import EVERYBODY, Look, Visitor, told

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("broken_pages")]

DARK = Look(dark=True)
#: What the console says of a page that refuses; what it says of a file counts.
REFUSAL = "Failed to load resource: the server responded with a status of"


class Ear:
    """Hears everything that a browser complains of."""

    def __init__(self, page: Page, host: str) -> None:
        self.host = host
        self.heard: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(REFUSAL):
            self.heard.append(f"{message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        # A page left before its last file had come is nobody's fault.
        if request.failure != "net::ERR_ABORTED":
            self.heard.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Any) -> None:
        if urlsplit(response.url).netloc != self.host:
            self.heard.append(f"another host: {response.url}")
        if response.status >= 400 and response.request.resource_type != "document":
            self.heard.append(f"{response.status}: {response.url}")

    def complaints(self, page: Page | None = None) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


def listen(visitor: Visitor, page: Page) -> Ear:
    return Ear(page, urlsplit(visitor.base).netloc)


@pytest.mark.parametrize("role", EVERYBODY)
def test_no_page_is_complained_of(visitor: Visitor, role: Role | None):
    page = visitor.page(role, DARK)
    ear = listen(visitor, page)
    found = visitor.survey(role, DARK, ear.complaints, page)
    assert not found, told(found)


def test_what_the_browser_would_complain_of_is_heard(visitor: Visitor):
    """The ear is not deaf: inline code is blocked, and said to be."""
    page = visitor.page()
    ear = listen(visitor, page)
    page.goto("/")
    page.evaluate("document.body.setAttribute('onclick', 'alert(1)'); document.body.click()")
    page.evaluate("document.body.append(Object.assign(new Image(), {src: '/nothing.png'}))")
    page.wait_for_load_state("networkidle")
    heard = "\n".join(ear.complaints())
    assert "Content Security Policy" in heard
    assert "404: " in heard


def test_the_administration_works_under_the_policy(visitor: Visitor):
    """Choosing people by typing, the calendar, the clock, the theme: Django's own scripts."""
    page = visitor.page(Role.ADMINISTRATOR)
    ear = listen(visitor, page)
    page.goto("/admin/appointments/appointment/add/")
    page.locator(".field-patient .select2-selection").click()
    page.locator(".select2-search__field").last.fill("mariana")
    option = page.locator(".select2-results__option", has_text="Mariana").first
    name = option.inner_text()
    option.click()
    expect(page.locator(".field-patient .select2-selection__rendered")).to_contain_text(name)
    page.locator(".field-day .date-icon").click()
    page.locator(".calendarbox:visible .calendar td a").first.click()
    assert page.locator("[name=day]").input_value()
    page.goto("/admin/appointments/appointment/?q=mariana&status__exact=booked")
    page.locator("#action-toggle").click()
    assert page.locator("#result_list tbody input:checked").count() > 1
    before = page.locator("html").get_attribute("data-theme")
    page.locator(".theme-toggle:visible").click()
    assert page.locator("html").get_attribute("data-theme") != before
    assert ear.complaints() == []
