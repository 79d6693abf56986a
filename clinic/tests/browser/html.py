"""Reads a page as strictly as a careful person: what is open is closed, what is named exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"]
)
#: Inside an SVG elements may close themselves.
SVG = frozenset(["svg", "path", "rect", "circle", "g", "use"])
PHRASING_ONLY = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "span", "a", "button", "label"])
FLOW = frozenset(
    ["address", "article", "div", "dl", "fieldset", "footer", "form", "h1", "h2", "h3", "header",
     "main", "nav", "ol", "p", "section", "table", "ul"]
)  # fmt: skip
PARENTS = {
    "li": {"ul", "ol"},
    "dt": {"dl", "div"},
    "dd": {"dl", "div"},
    "tr": {"table", "thead", "tbody", "tfoot"},
    "td": {"tr"},
    "th": {"tr"},
    "option": {"select", "optgroup", "datalist"},
    "legend": {"fieldset"},
    "summary": {"details"},
}
CONTROLS = frozenset(["input", "select", "textarea"])
POINTERS = ("aria-describedby", "aria-labelledby", "aria-controls")
#: What may hold an a element, and yet stands around blocks: a link around a card.
TRANSPARENT = frozenset(["a"])


class Page(HTMLParser):
    """``wrong`` lists what is wrong, ``links`` where the page leads on this site."""

    def __init__(self, html: str, path: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.links: set[str] = set()
        self.ids: Counter[str] = Counter()
        self.labels_for: set[str] = set()
        self.named: set[str] = set()
        self.pointed_at: set[str] = set()
        self.unnamed: list[str] = []
        self.feed(html)
        self.close()
        self._finish()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        where = f"<{tag}> on line {self.getpos()[0]}"
        if len(have) != len(attrs):
            self.wrong.append(f"{where} says an attribute twice")
        self._nesting(tag, where)
        if "id" in have:
            self.ids[have["id"]] += 1
            if not have["id"] or " " in have["id"]:
                self.wrong.append(f"{where} has the id {have['id']!r}")
        if tag == "label" and "for" in have:
            self.labels_for.add(have["for"])
        for pointer in POINTERS:
            self.pointed_at |= set(have.get(pointer, "").split())
        if tag in CONTROLS and have.get("type") not in {"hidden", "submit", "button", "reset"}:
            self._control(have, where)
        if tag == "a" and have.get("href"):
            self._link(have["href"])
        self._contents(tag, have, where)
        if tag not in VOID:
            self.open.append(tag)

    def _contents(self, tag: str, have: dict[str, str], where: str) -> None:
        if tag == "img" and "alt" not in have:
            self.wrong.append(f"{where} has no alt")
        if "style" in have or any(name.startswith("on") for name in have):
            self.wrong.append(f"{where} carries code or style of its own")

    def _nesting(self, tag: str, where: str) -> None:
        parent = self.open[-1] if self.open else ""
        if tag in PARENTS and parent not in PARENTS[tag]:
            self.wrong.append(f"{where} inside <{parent}>")
        if tag in FLOW and parent in PHRASING_ONLY - TRANSPARENT:
            self.wrong.append(f"{where} inside <{parent}>")
        if tag in {"a", "button", "form", "label", "main"} and tag in self.open:
            self.wrong.append(f"{where} inside another")
        if tag in {"ul", "ol", "dl"} or parent not in {"ul", "ol"}:
            return
        if tag not in {"li", "script", "template"}:
            self.wrong.append(f"{where} inside <{parent}>")

    def _control(self, have: dict[str, str], where: str) -> None:
        if have.get("aria-label") or have.get("aria-labelledby") or have.get("title"):
            return
        if "hidden" in have or "label" in self.open:
            return
        self.unnamed.append(f"{where}|{have.get('id', '')}")

    def _link(self, href: str) -> None:
        address = urlsplit(href)
        if address.scheme or address.netloc:
            return
        self.links.add(urldefrag(urljoin(self.path, href)).url)
        if href.startswith("#") and href != "#":
            self.pointed_at.add(href[1:])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            if tag not in SVG:
                self.wrong.append(f"<{tag}/> does not close itself")
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> on line {self.getpos()[0]} closes {self.open[-1:]}")
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def _finish(self) -> None:
        self.wrong += [f"<{tag}> is never closed" for tag in self.open]
        self.wrong += [f"the id {one!r} {n} times" for one, n in self.ids.items() if n > 1]
        self.wrong += [f"label for {one!r}: nothing there" for one in self.labels_for - {*self.ids}]
        self.wrong += [f"points at {one!r}: nothing there" for one in self.pointed_at - {*self.ids}]
        self.wrong += list(self._nameless())

    def _nameless(self) -> Iterator[str]:
        for control in self.unnamed:
            where, _bar, own_id = control.partition("|")
            if own_id not in self.labels_for:
                yield f"{where} has no label"
