"""What axe sees of a page's barriers."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {
    "runOnly": {"type": "tag", "values": TAGS},
    "resultTypes": ["violations"],
    # Only rules for films and for a screen's orientation want every file once more.
    "preload": False,
    # The only frame, a mail in a sandbox, lets nobody speak to it.
    "iframes": False,
}


#: The browser gets axe once, not with each page; it runs where a page calls for it.
ON_CALL = f"window.callAxe = () => {{ {AXE_SCRIPT}\n}};"
EXAMINE = "async (options) => { callAxe(); return (await axe.run(options)).violations; }"


def give_axe(browser: BrowserContext) -> None:
    """From its next page on, ``violations`` can be asked of the pages of this browser."""
    browser.add_init_script(ON_CALL)


def violations(page: Page) -> list[str]:
    found = page.evaluate(EXAMINE, OPTIONS)
    return [
        f"{rule['id']} of {len(rule['nodes'])}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"][:3]
    ]
