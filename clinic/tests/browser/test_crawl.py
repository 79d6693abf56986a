"""Every link of every role leads somewhere, looking changes nothing, and the HTML holds."""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from appointments.tests.factories import NOW
from clinic.demo.load import load
from clinic.models import AuditEvent
from clinic.tests.browser.html import Page
from clinic.tests.browser.visitor import EMAILS, told

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.once]

#: How many pages of one kind are opened: the agenda has a page for every day there is. The whole
#: walk (``make walk``) opens two.
WHOLE = os.environ.get("WALK") == "whole"
PER_KIND = 2 if WHOLE else 1
#: What only the whole walk crawls: ``test_walking_through_every_page_changes_nothing`` follows
#: each link of the administration in a smaller clinic.
NOT_CRAWLED: tuple[str, ...] = () if WHOLE else ("/admin/",)
MOST = 500
#: What looking may write besides: that somebody read a patient's record.
NOT_COUNTED = {"sessions.Session"}
STARTS = {
    None: ["/", "/cuenta/ingresar/", "/demo/correos/"],
    Role.PATIENT: ["/", "/turnos/", "/familia/"],
    Role.PRACTITIONER: ["/inicio/"],
    Role.RECEPTION: ["/inicio/"],
    Role.ADMINISTRATOR: ["/inicio/", "/recepcion/"],
}


def kind(path: str) -> str:
    """Addresses that differ only in ids, days and values are of one kind."""
    plain, _mark, query = path.partition("?")
    plain = re.sub(r"[0-9a-f-]{36}|\d{4}-(W\d\d|\d\d-\d\d)|\d+", "#", plain)
    parts = [part for part in query.split("&") if not part.startswith("_changelist_filters")]
    names = parts[0].partition("=")[0] if len(parts) == 1 else "several" if parts else ""
    return re.sub(r"/profesionales/[\w-]+/", "/profesionales/#/", plain) + "?" + names


def crawl(client: Client, starts: list[str]) -> tuple[dict[str, list[str]], set[str]]:
    """What is wrong, by page; and which kinds of pages were seen."""
    wrong: dict[str, list[str]] = {}
    seen, waiting = set(starts), deque(starts)
    kinds: dict[str, list[str]] = {}
    while waiting and len(seen) <= MOST:
        path = waiting.popleft()
        response = client.get(path)
        for moved_to, _status in getattr(response, "redirect_chain", []):
            seen.add(moved_to)
        if response.status_code in {301, 302}:
            found = {response["Location"]} if response["Location"].startswith("/") else set()
        elif refuses_by_design(response):
            continue
        elif response.status_code != 200:
            wrong[path] = [f"answered {response.status_code}"]
            continue
        elif not response["Content-Type"].startswith("text/html"):
            continue
        else:
            page = Page(response.content.decode(), path)
            found = page.links
            if page.wrong:
                wrong[path] = page.wrong
        for link in sorted(link for link in found - seen if not link.startswith(NOT_CRAWLED)):
            of_kind = kinds.setdefault(kind(link), [])
            if len(of_kind) < PER_KIND:
                of_kind.append(link)
                seen.add(link)
                waiting.append(link)
    assert not waiting, f"more than {MOST} pages: {len(waiting)} were left"
    return wrong, set(kinds)


def refuses_by_design(response: Any) -> bool:
    """Staff may look at free times; the page behind one says why they cannot book it."""
    return "appointments/book_no_patient.html" in {t.name for t in response.templates}


def contents() -> dict[str, tuple[int, str]]:
    """Every table: its rows, and what stands in them."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.label in NOT_COUNTED or model._meta.proxy:
            continue
        table = model._base_manager.order_by("pk")
        if model is AuditEvent:
            table = table.exclude(action__endswith=".read")
        rows = list(table.values_list())
        found[model._meta.label] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
    return found


@pytest.fixture
def demo(settings: Any, tmp_path: Any):
    settings.DEMO = True
    settings.EMAIL_FILE_PATH = str(tmp_path)
    with time_machine.travel(NOW, tick=False):
        load(now=NOW)
        yield


def test_every_link_leads_somewhere_and_looking_changes_nothing(demo: None):
    broken: dict[str, list[str]] = {}
    clients: dict[Role | None, Client] = {}
    for role in STARTS:
        clients[role] = Client()
        if role:
            clients[role].force_login(User.objects.get(email=EMAILS[role]))
    before = contents()
    for role, starts in STARTS.items():
        wrong, kinds = crawl(clients[role], starts)
        assert len(kinds) >= LEAST[role], (role, sorted(kinds))
        broken |= {f"{role} {path}": what for path, what in wrong.items()}
    assert not broken, told(broken)
    assert contents() == before


#: So many kinds of pages at least: a crawl that meets a closed door at once proves nothing.
LEAST = {
    None: 8,
    Role.PATIENT: 15,
    Role.PRACTITIONER: 18,
    Role.RECEPTION: 15,
    Role.ADMINISTRATOR: 40 if WHOLE else 15,
}
