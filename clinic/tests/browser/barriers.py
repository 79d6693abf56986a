"""What axe sees of a page's barriers."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {
    "runOnly": {"type": "tag", "values": TAGS},
    "resultTypes": ["violations"],
    # Only rules for films and for a screen's orientation want every file once more.
    "preload": False,
    # The only frame, a mail in a sandbox, lets nobody speak to it.
    "iframes": False,
}


def violations(page: Any) -> list[str]:
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{rule['id']} of {len(rule['nodes'])}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"][:3]
    ]
