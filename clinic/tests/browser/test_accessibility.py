"""No barrier that axe can see: every page, role, both languages, light and dark, two screens."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts.roles import Role
from clinic.tests.browser.visitor import DARK_PHONE, EVERYBODY, WIDE, Look, Visitor, told

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("broken_pages")]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}


def violations(page: Any) -> list[str]:
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{rule['id']} of {len(rule['nodes'])}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize("look", [WIDE, DARK_PHONE], ids=str)
@pytest.mark.parametrize("role", EVERYBODY)
def test_axe_finds_nothing(visitor: Visitor, role: Role | None, look: Look):
    found = visitor.survey(role, look, violations)
    assert not found, told(found)
