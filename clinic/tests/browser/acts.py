"""What is done on a page before it is looked at: forms sent empty, tokens lost."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, Response

#: Does something; answers with the new page, if it leads to one.
Act = Callable[[Page], Response | None]
SEND = "main form[method=post] button[type=submit], #content form [type=submit]"


def press(page: Page, selector: str = SEND) -> Response:
    """Presses the first of these buttons; answers what the server answered at last."""
    with page.expect_navigation() as navigation:
        page.locator(selector).first.click()
    response: Response = navigation.value
    return response


def send(**fields: str) -> Act:
    """Sends the main form with these fields, by their names; the others as they are."""

    def act(page: Page) -> Response:
        page.locator("[maxlength]").evaluate_all("all => all.forEach(e => (e.maxLength = 9999))")
        for name, value in fields.items():
            box = page.locator(f"[name={name}]:not([type=hidden])").first
            if box.get_attribute("type") in {"radio", "checkbox"}:
                page.locator(f"[name={name}][value='{value}']").check()
            else:
                box.fill(value)
        return press(page)

    return act


def send_empty(page: Page) -> Response:
    """Sends the main form with nothing in it."""
    boxes = page.locator(
        "main form input:not([type=hidden], [type=radio], [type=checkbox], [type=submit]):visible,"
        "main form textarea:visible"
    )
    for box in boxes.all():
        box.fill("")
    return press(page)


def send_without_token(page: Page) -> Response:
    page.context.clear_cookies(name="csrftoken")
    return press(page)


def fold_out(page: Page) -> None:
    """Shows everything that can be folded out."""
    for summary in page.locator("summary:visible").all():
        summary.click()
