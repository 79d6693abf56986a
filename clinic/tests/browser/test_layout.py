"""What is wanted shows at once, and pages weigh little."""

from __future__ import annotations

import gzip
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.urls import reverse

from accounts.roles import Role
from clinic.tests.browser.visitor import WIDE, Look, Visitor
from notifications.models import Notification
from scheduling.models import Schedule

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_first_time_shows_without_scrolling(visitor: Visitor, language: str):
    page = visitor.page(look=Look(320, 640, language=language))
    for query in ("what=clinica-medica", "what=clinica-medica/consulta-clinica&who=lucia-arrieta"):
        page.goto(f"/horarios/?{query}")
        first = page.locator("main .slot").first.bounding_box()
        assert first is not None
        assert first["y"] + first["height"] <= 640, query


WIDE_PAGES = [(Role.PRACTITIONER, "/agenda/semana/"), (Role.RECEPTION, "/recepcion/")]


@pytest.mark.parametrize(("role", "path"), [*WIDE_PAGES, (Role.PRACTITIONER, "/agenda/")])
@pytest.mark.parametrize("width", [320, 1280, 1600])
def test_the_header_begins_where_the_page_begins(
    visitor: Visitor, role: Role, path: str, width: int
):
    page = visitor.page(role, Look(width))
    page.goto(path)
    parts = (page.locator(part).bounding_box() for part in (".brand", "h1", ".site-footer-name"))
    edges = {part and round(part["x"]) for part in parts}
    assert len(edges) == 1


LIGHT = [
    (None, "/"),
    (None, "/horarios/?what=clinica-medica/consulta-clinica"),
    (Role.PATIENT, "/horarios/?what=clinica-medica/consulta-clinica"),
    (Role.PRACTITIONER, "/agenda/"),
]


@pytest.mark.parametrize(("role", "path"), LIGHT)
def test_pages_weigh_little(visitor: Visitor, role: Role | None, path: str):
    """Cold and compressed: at most 60 kB in 8 requests, and from nowhere else."""
    page = visitor.page(role, WIDE)
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - no builtin
    page.goto(path, wait_until="networkidle")
    assert len(answers) <= 8
    assert {urlsplit(a.url).netloc for a in answers} == {urlsplit(visitor.base).netloc}
    assert sum(weight(answer) for answer in answers) <= 60_000
    assert page.locator("script").count() == 0


@pytest.mark.parametrize(
    ("role", "path"), [(Role.PRACTITIONER, "/agenda/"), (Role.RECEPTION, "/recepcion/")]
)
def test_the_day_on_paper_is_who_comes_and_nothing_to_press(
    visitor: Visitor, role: Role, path: str
):
    page = visitor.page(role)
    page.goto(path)
    people = page.locator("main .agenda-visit .agenda-name")
    buttons = page.locator("main :is(.btn, .no-print, form, input):visible")
    on_screen = people.count()
    assert on_screen > 0
    assert buttons.count() > 0
    page.emulate_media(media="print")
    assert page.locator("main .agenda-visit .agenda-name:visible").count() == on_screen
    assert page.locator("main .agenda-visit .agenda-time:visible").count() == on_screen
    assert buttons.count() == 0
    assert page.locator(":is(.site-nav, .language, .skip-link, .demo-banner):visible").count() == 0


#: What is wider than the place it has, and therefore scrolls sideways in itself.
CUT_OFF = """() => [...document.querySelectorAll(".results, .rows, fieldset.module")]
    .filter((place) => place.scrollWidth > place.clientWidth + 1)
    .map((place) => `${place.className} ${place.scrollWidth} > ${place.clientWidth}`)"""


def test_no_list_of_the_administration_is_cut_off_on_a_desk(visitor: Visitor):
    """1280 px, with the sidebar and the filters; one mail failed for a reason without a space."""
    why = "SMTPRecipientsRefused: 550 5.1.1 Recipient-address-rejected:User_unknown_" + "x" * 120
    last = Notification.objects.first()
    Notification.objects.filter(pk=last.pk).update(state="failed", tries=12, last_error=why)
    names = [f"{m._meta.app_label}_{m._meta.model_name}_changelist" for m in admin.site._registry]
    urls = [reverse(f"admin:{name}") for name in names]
    urls.append(reverse("admin:scheduling_schedule_change", args=[Schedule.objects.first().pk]))
    page = visitor.page(Role.ADMINISTRATOR)
    cut_off = {}
    for url in urls:
        page.goto(url)
        if wide := page.evaluate(CUT_OFF):
            cut_off[url] = wide
    assert cut_off == {}


def weight(answer: Any) -> int:
    """As it travels: pages as they came, files as production compresses them."""
    path = urlsplit(answer.url).path
    if not path.startswith("/static/"):
        assert answer.header_value("content-encoding") == "gzip", path
        return int(answer.request.sizes()["responseBodySize"]) + len(str(answer.all_headers()))
    file = finders.find(path.removeprefix("/static/"))
    assert isinstance(file, str), path
    with open(file, "rb") as content:  # noqa: PTH123
        return len(gzip.compress(content.read())) + len(str(answer.all_headers()))
