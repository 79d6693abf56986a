"""The walk leaves no page out."""

from __future__ import annotations

import pytest

from clinic.policy import POLICY
from clinic.tests.browser.stops import stops_of
from clinic.tests.browser.visitor import EVERYBODY

pytestmark = pytest.mark.browser

#: Answer with a file, a word or another address, not with a page.
NO_PAGE = {
    "healthz",
    "mail_healthz",
    "start",
    "appointments:calendar",
    "appointments:feed",
    "appointments:hours",
    "appointments:desk_hours",
}
#: As the practitioner's own, which is walked; the desk's demo has nothing to show there.
SEEN_BESIDE = {
    "appointments:override_change": "appointments:desk_override_change",
    "appointments:override_remove": "appointments:desk_override_remove",
    "appointments:desk_time_off_remove": "appointments:time_off_remove",
}


def test_every_page_has_a_stop(clinic: None):
    seen = {stop.name for role in EVERYBODY for stop in stops_of(role) if "/roto/" not in stop.path}
    pages = {name for name, row in POLICY.items() if "GET" in row.methods} - NO_PAGE
    pages -= {twin for twin, walked in SEEN_BESIDE.items() if walked in seen}
    # Where each day of the agenda begins from: the same page under today's address.
    assert pages - seen == set()
