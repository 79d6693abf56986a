"""Everything fits on a small phone, can be hit with a thumb, and weighs little."""

from __future__ import annotations

import gzip
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from playwright.sync_api import Page

from accounts.roles import Role
from clinic.tests.browser.visitor import EVERYBODY, PHONE, WIDE, Look, Visitor, told

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("broken_pages")]

#: The parts of WCAG 2.2 (2.5.8, 1.4.4, 1.4.10, 1.4.12) that a ruler can check.
MEASURE = """
() => {
  const wrong = [];
  const html = document.documentElement;
  const admin = !!document.querySelector("#container");
  const seen = (e) => {
    const box = e.getBoundingClientRect();
    const style = getComputedStyle(e);
    return e.checkVisibility({visibilityProperty: true}) && box.width > 1 && box.height > 1
      && box.bottom + scrollY > 0 && box.right > 0 && style.clipPath === "none";
  };
  const name = (e) => e.outerHTML.slice(0, 140).replace(/\\s+/g, " ");
  const scrolls = (when) => {
    if (html.scrollWidth <= html.clientWidth) return;
    const over = [...document.body.querySelectorAll("*")]
      .filter((e) => seen(e) && e.getBoundingClientRect().right > html.clientWidth + 1);
    wrong.push(`scrolls sideways ${when}: ${html.scrollWidth} px, ${over.slice(-2).map(name)}`);
  };
  scrolls("");

  // A box and its label are one target.
  const size = (e) => {
    const boxes = [e, ...(e.labels || [])].filter(seen).map((x) => x.getBoundingClientRect());
    const reach = (side, most) => most(...boxes.map((b) => b[side]));
    return [reach("right", Math.max) - reach("left", Math.min),
            reach("bottom", Math.max) - reach("top", Math.min)];
  };
  // A link inside a sentence is as high as its line.
  const inSentence = (e) => e.tagName === "A" && getComputedStyle(e).display === "inline"
    && e.closest("p, li, dd, td")?.textContent.trim() !== e.textContent.trim();
  const targets = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  const main = ".slot, .btn, .site-nav a, .site-nav summary, .tabs a, .form-control, .form-select";
  for (const e of admin ? [] : document.querySelectorAll(targets)) {
    if (!seen(e)) continue;
    const least = e.matches(main) ? 44 : 24;
    const [width, height] = size(e);
    if (height < least - 0.5 || width < Math.min(least, 44) - 0.5) {
      if (least === 24 && inSentence(e) && height >= 18) continue;
      wrong.push(`target ${width.toFixed()}×${height.toFixed()} < ${least}: ${name(e)}`);
    }
  }

  const h1 = [...document.querySelectorAll("h1")].filter(seen).length;
  if (h1 !== 1) wrong.push(`${h1} h1`);

  // Somebody who reads badly spreads the text; nothing may be cut off or pushed out by that.
  const spread = new CSSStyleSheet();
  spread.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
    word-spacing: .16em !important; } p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [spread];
  scrolls("with spread text");
  for (const e of admin ? [] : document.querySelectorAll("body *")) {
    if (!seen(e)) continue;
    const style = getComputedStyle(e);
    // Cut on purpose, with the whole text one click further.
    if (style.textOverflow === "ellipsis" || !e.textContent.trim()) continue;
    const cuts = style.overflowX !== "visible" && style.overflowX !== "auto";
    const frame = e.matches(".btn, .slot, .status, .tag");
    const over = e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1;
    if ((cuts || frame) && over)
      wrong.push(`spread text does not fit: ${name(e)}`);
  }
  document.adoptedStyleSheets = [];
  return wrong;
}
"""


def misfits(page: Page) -> list[str]:
    return [*page.evaluate(MEASURE), *_head(page)]


def _head(page: Page) -> list[str]:
    """The page says its language and its name: "Error: Page – Clinic"."""
    wrong = []
    if (language := page.locator("html").get_attribute("lang")) != "es":
        wrong.append(f"lang={language}")
    title = page.title()
    # The administration has its own titles; an answer to a breakdown knows no clinic.
    has_name = page.locator(".site-header").count() == 1
    if has_name and not re.fullmatch(r"(?!Error: )\S.* – \S.*|Error: \S.* – \S.*", title):
        wrong.append(f"title {title!r}")
    if page.locator(".error-summary").count() and not title.startswith("Error: "):
        wrong.append(f"an error that the title does not say: {title!r}")
    return wrong


@pytest.mark.parametrize("role", EVERYBODY)
def test_pages_fit_on_a_small_phone(visitor: Visitor, role: Role | None):
    found = visitor.survey(role, PHONE, misfits)
    assert not found, told(found)


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_first_time_shows_without_scrolling(visitor: Visitor, language: str):
    page = visitor.page(look=Look(320, 640, language=language))
    for query in ("what=clinica-medica", "what=clinica-medica/consulta-clinica&who=lucia-arrieta"):
        page.goto(f"/horarios/?{query}")
        first = page.locator("main .slot").first.bounding_box()
        assert first is not None
        assert first["y"] + first["height"] <= 640, query


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
