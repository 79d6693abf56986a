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


#: What decides whether letters can be read: their colour, whether they are large, and what lies
#: behind them up to the first ground that lets nothing through.
LETTERS = """
() => {
  const kinds = new Set();
  for (const e of document.querySelectorAll("body *")) {
    const writes = e.matches("input, select, textarea")
      || [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!writes || !e.checkVisibility({visibilityProperty: true})) continue;
    const own = getComputedStyle(e);
    const size = parseFloat(own.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && own.fontWeight >= 700);
    const kind = [own.color, isLarge, own.textShadow, e.disabled];
    let through = true;
    for (let up = e; up; up = up.parentElement) {
      const s = getComputedStyle(up);
      const ground = through ? [s.backgroundColor, s.backgroundImage] : [];
      const plain = ["rgba(0, 0, 0, 0)", "none", "1"];
      kind.push(...[...ground, s.opacity, s.filter].filter((x) => !plain.includes(x)));
      if (s.backgroundColor.startsWith("rgb(")) through = false;
    }
    kinds.add(kind.join("|"));
  }
  return [...kinds];
}
"""


class Reader:
    """Somebody who reads each page, and looks at the colours of letters only where they are new.

    To find what lies behind each letter takes axe as long as all its other questions.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()

    def violations(self, page: Page) -> list[str]:
        kinds = set(page.evaluate(LETTERS))
        skipped = {} if kinds - self.known else {"rules": {"color-contrast": {"enabled": False}}}
        self.known |= kinds
        return violations(page, **skipped)


def violations(page: Page, **more: object) -> list[str]:
    found = page.evaluate(EXAMINE, OPTIONS | more)
    return [
        f"{rule['id']} of {len(rule['nodes'])}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"][:3]
    ]
