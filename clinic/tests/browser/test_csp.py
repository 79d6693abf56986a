"""The browser complains of what it should, and of nothing where code runs."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from clinic.tests.browser.ear import Ear
from clinic.tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


def test_what_the_browser_would_complain_of_is_heard(visitor: Visitor):
    """The ear is not deaf: inline code is blocked, and said to be."""
    page = visitor.page()
    ear = Ear(page, visitor.host)
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
    ear = Ear(page, visitor.host)
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
