"""What a ruler sees: nothing sticks out, and a thumb hits what it wants."""

from __future__ import annotations

import re

from playwright.sync_api import Page

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
    found: list[str] = page.evaluate(MEASURE)
    return found


def misnamed(page: Page) -> list[str]:
    """The page says its name, and first of all that something was wrong: "Error: Page – Clinic"."""
    wrong = []
    title = page.title()
    # The administration has its own titles; an answer to a breakdown knows no clinic.
    has_name = page.locator(".site-header").count() == 1
    if has_name and not re.fullmatch(r"(?!Error: )\S.* – \S.*|Error: \S.* – \S.*", title):
        wrong.append(f"title {title!r}")
    if page.locator(".error-summary").count() and not title.startswith("Error: "):
        wrong.append(f"an error that the title does not say: {title!r}")
    return wrong
