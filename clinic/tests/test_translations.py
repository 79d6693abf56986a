"""The Spanish of the product: a whole catalogue, in plain words, and no English on its pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
import polib
import pytest
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext, ngettext

from accounts.roles import Role
from appointments.tests.factories import NOW
from clinic.holiday_calendar import NAMES, countries
from clinic.policy import row_for
from clinic.tests.world import World, addresses, admin_names
from notifications.letters import MAX_SUBJECT, letter_for
from notifications.models import Notification

pytestmark = pytest.mark.once

PO = settings.BASE_DIR / "locale/es/LC_MESSAGES/django.po"
CATALOGUE = polib.pofile(str(PO))

#: Spelt alike in both languages; so are many countries.
SAME = {"Agenda", "Error:", "no", "roles", *map(str, NAMES.values())}
#: Countries that the catalogue leaves to the library of holidays.
FAR_COUNTRIES = {name for code, name in countries() if code not in NAMES}

# --- the catalogue


def placeholders(text: str) -> list[str]:
    """``%(name)s``, ``%d`` and tags: what must arrive in the translation unharmed."""
    return sorted(re.findall(r"%\(\w+\)[sd]|%[sd]|</?\w+>", text))


def both(entry: polib.POEntry) -> list[tuple[str, str]]:
    """The pairs of an entry: what stands in the code, what a reader of Spanish sees."""
    if not entry.msgid_plural:
        return [(entry.msgid, entry.msgstr)]
    forms = entry.msgstr_plural
    return [(entry.msgid, forms[0]), (entry.msgid_plural, forms[1])]


PAIRS = [pair for entry in CATALOGUE for pair in both(entry)]
SPANISH = [spanish for _english, spanish in PAIRS]


def test_a_consultorio_is_a_room_and_the_clinic_is_the_clinic() -> None:
    for english, spanish in PAIRS:
        if "onsultorio" in spanish:
            assert "room" in english.lower(), (english, spanish)


def test_the_catalogue_is_whole():
    assert len(CATALOGUE) > 800
    wanting = [*CATALOGUE.untranslated_entries(), *CATALOGUE.fuzzy_entries()]
    assert [entry.msgid for entry in [*wanting, *CATALOGUE.obsolete_entries()]] == []


def test_the_compiled_catalogue_says_the_same():
    compiled = polib.mofile(str(PO.with_suffix(".mo")))
    assert {(e.msgctxt, e.msgid): both(e) for e in compiled} == {
        (e.msgctxt, e.msgid): both(e) for e in CATALOGUE
    }


def test_nothing_is_lost_between_the_languages():
    assert [p for p in PAIRS if placeholders(p[0]) != placeholders(p[1])] == []


def test_nothing_is_left_in_english():
    alike = {english for english, spanish in PAIRS if english == spanish}
    assert {english for english in alike if re.search("[a-z]", english)} <= SAME


def test_sentences_end_as_they_do_in_english():
    ends = [(e, s) for e, s in PAIRS if e.endswith(".") != s.endswith(".")]
    colons = [(e, s) for e, s in PAIRS if e.endswith(":") and not s.endswith(":")]
    assert (ends, colons) == ([], [])


@pytest.mark.parametrize(
    "harsh",
    [
        "por favor",
        r"\binv[aá]lid",
        "obligatori",
        r"\*",
        r"\b(ene|feb|abr|jun|jul|ago|sept?|oct|nov|dic)\b",
        # One way of speaking to people from Madrid to Buenos Aires: neither tú nor vos.
        r"\b(tu|tus|ti|contigo|vos|vosotros|vuestr[oa]s?)\b",
        r"(?<!se )\b(elige|elegí|escribe|escribí|podés|puedes|tenés|tienes|querés|quieres)\b",
        r"\b(hacé|haz|ingresá|ingresa|iniciá|llamá|llama|revisá|debés|debes)\b",
    ],
)
def test_words_that_people_do_not_read_here(harsh):
    assert [text for text in SPANISH if re.search(harsh, text, re.IGNORECASE)] == []


SAID_BY_DJANGO = [
    entry
    for path in (Path(django.__file__).parent / "conf", Path(admin.__file__).parent)
    for entry in polib.pofile(str(path / "locale/es/LC_MESSAGES/django.po"))
    if re.match("Please (correct|submit at most)", entry.msgid)
    # Of a constraint that no model here has.
    and "%(lookup)s" not in entry.msgid
]


@pytest.mark.parametrize("entry", SAID_BY_DJANGO, ids=lambda entry: entry.msgid)
def test_django_begs_for_nothing_either(entry):
    with translation.override("es"):
        for n in (1, 2):
            plural = entry.msgid_plural
            said = ngettext(entry.msgid, plural, n) if plural else gettext(entry.msgid)
            assert not re.search("por favor|please", said, re.IGNORECASE)
    assert len(SAID_BY_DJANGO) == 5


def test_a_form_that_is_not_right_says_so_plainly(world):
    page = visitor(world, Role.ADMINISTRATOR).post("/admin/clinic/specialty/add/", {})
    text = page.content.decode()
    assert re.search(r'errornote">\s*Hay que corregir', text)
    assert "por favor" not in text.lower()


def sentences(text: str) -> list[str]:
    return re.split(r"[.:;?!]\s+", re.sub(r"%\(\w+\)[sd]", "X", text))


def test_no_sentence_is_longer_than_20_words():
    long = [one for text in SPANISH for one in sentences(text) if len(one.split()) > 20]
    assert long == []


#: What marks a sentence for the catalogue.
MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
APPS = ("accounts", "appointments", "clinic", "notifications", "scheduling")


def hidden_in(source: str) -> list[int]:
    """The lines of sentences inside an f-string: there the collector does not see them."""
    parts = (part for part in ast.walk(ast.parse(source)) if isinstance(part, ast.JoinedStr))
    calls = (call for part in parts for call in ast.walk(part) if isinstance(call, ast.Call))
    return [call.lineno for call in calls if getattr(call.func, "id", "") in MARKS]


def test_no_sentence_is_hidden_from_the_collector():
    assert hidden_in("price = f\"{amount} {_('for all')}\"") == [1]
    modules = [path for app in APPS for path in Path(settings.BASE_DIR, app).rglob("*.py")]
    found = [(path, line) for path in modules for line in hidden_in(path.read_text())]
    assert found == []
    assert len(modules) > 100


# --- mails

#: Of the mails about an account; the plausible extremes of what they are filled with.
ACCOUNT_MAILS = sorted(
    path.name.removesuffix("_subject.txt")
    for path in Path(settings.BASE_DIR, "templates/account/email").glob("*_subject.txt")
)
FILLED = {
    "user": {"name": "María de los Ángeles"},
    "code": "ABC-123",
    "code_minutes": 15,
    "days": 7,
}


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("name", ACCOUNT_MAILS)
def test_subjects_about_the_account_fit(name, language):
    with translation.override(language):
        subject = render_to_string(f"account/email/{name}_subject.txt", FILLED).strip()
    assert 10 <= len(subject) <= MAX_SUBJECT
    assert "\n" not in subject


@pytest.mark.parametrize("name", ACCOUNT_MAILS)
def test_mails_about_the_account_are_all_spanish(name):
    with translation.override("es"):
        parts = [
            render_to_string(f"account/email/{name}_{part}", FILLED)
            for part in ("subject.txt", "message.txt", "message.html")
        ]
    assert english_in(*(seen(part) for part in parts)) == set()


# --- pages

#: Words that no Spanish page has. Names of people and places are not among them.
TELLTALE = re.compile(
    r"\b(the|and|of|to|for|from|with|without|this|that|these|those|your|you|we|our|us|it|is"
    r"|are|was|were|has|have|not|or|on|in|at|by|who|what|when|where|which|please|time|times|day"
    r"|days|week|today|tomorrow|appointments?|patients?|practitioners?|schedules?|services?"
    r"|locations?|clinic|messages?|account|password|reason|save|search|change|cancel|delete"
    r"|remove|add|book|log|write|choose|empty|minutes?|hours?|yes|unknown|none|true|false"
    r"|all|any|view|select|action|home|history|next|previous|page|email|e-mail|mail|name)\b",
    re.IGNORECASE,
)
#: Addresses, and codes like ``accounts.patient:17`` or ``hours-TOTAL_FORMS``.
NO_WORDS = re.compile(r"\S+@\S+|https?:\S+|\b\w+\.\w+(:\d+)?\b|\b\w+-[A-Z_]+\b")
SPOKEN = ("aria-label", "alt", "placeholder", "title", "label", "aria-description")


class Seen(HTMLParser):
    """What people see or hear of a page; other languages that say so are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.language = ""
        self.pieces: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = found.get("lang", "")
        if self.silent or tag in {"script", "style", "code"} or found.get("lang", "es") != "es":
            self.silent.append(tag)
            if tag in {"input", "meta", "link", "br", "hr", "img"}:
                self.silent.pop()
            return
        self.pieces += [found[name] for name in SPOKEN if name in found]
        if tag == "input" and found.get("type") in {"submit", "button", "reset"}:
            self.pieces.append(found.get("value", ""))
        if tag == "meta" and found.get("name") == "description":
            self.pieces.append(found["content"])

    def handle_endtag(self, tag: str) -> None:
        if self.silent and tag == self.silent[-1]:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.pieces.append(data)


def seen(html: str) -> Seen:
    page = Seen()
    page.feed(html)
    return page


def english_in(*pages: Seen) -> set[str]:
    """The pieces with a telltale word in them; addresses and codes are not words."""
    pieces = {" ".join(piece.split()) for page in pages for piece in page.pieces}
    return {one for one in pieces - FAR_COUNTRIES if TELLTALE.search(NO_WORDS.sub("", one))}


def test_english_would_be_noticed():
    assert english_in(seen("<p>Elegir the time</p>")) == {"Elegir the time"}
    assert english_in(seen('<input type="submit" value="Save">')) == {"Save"}
    assert english_in(seen('<p>Turno <b lang="en">Save <i>it</i></b> ana@mail.test</p>')) == set()


def visitor(world: World, role: Role | None) -> Client:
    return world.browser(world.users[role])


def urls(world: World) -> list[str]:
    """Every address with its example, and the pages that live on what is asked of them."""
    visit = world.appointment
    what = f"{visit.service.specialty.slug}/{visit.service.slug}"
    offering = visit.practitioner.schedules.get().offerings.get()
    queries = [
        ("appointments:times", {"what": what}),
        ("appointments:times", {"what": what, "who": visit.practitioner.slug}),
        ("appointments:times", {"what": what, "who": "nadie con este nombre"}),
        ("appointments:times", {"what": what, "from": "31/2/2026"}),
        ("appointments:practitioners", {"q": "nadie con este nombre"}),
        ("appointments:book", {"offering": offering.pk, "start": "2026-11-26T14:00Z"}),
        ("appointments:book", {"offering": offering.pk, "start": "2026-11-26T13:00Z"}),
    ]
    return [
        *(world.url(a.name) for a in addresses()),
        *(f"{reverse(name)}?{urlencode(query)}" for name, query in queries),
    ]


def complaints(answers: Iterable[tuple[str, Any]]) -> str:
    """Each piece of English once, with the first address that shows it."""
    wrong: dict[str, str] = {}
    for url, response in answers:
        if response.get("Content-Type", "").startswith("text/html") and response.content:
            page = seen(response.content.decode())
            found = english_in(page) if page.language == "es" else {f"lang={page.language}"}
            wrong = dict.fromkeys(found, url) | wrong
    return "\n".join(f"{url}  {words}" for words, url in wrong.items())


ROLES = [None, Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR]


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_no_english_on_the_pages(world, role, settings):
    settings.DEMO = True
    answers = [(url, visitor(world, role).get(url)) for url in urls(world)]
    wrong = complaints(answers)
    assert not wrong, wrong
    assert sum(answer.status_code == 200 for _url, answer in answers) >= 10


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_no_english_in_what_a_form_answers(world, role):
    """An empty form, sent: the page comes back and says what is missing."""
    names = [a.name for a in addresses() if (row := row_for(a.name)) and "POST" in row.methods]
    answers = [(url, visitor(world, role).post(url)) for url in map(world.url, names)]
    wrong = complaints(answers)
    assert not wrong, wrong
    assert sum(answer.status_code == 422 for _url, answer in answers) >= 2


def examples() -> list[Model]:
    """One row of each model that is administered."""
    rows = [model._default_manager.first() for model in admin.site._registry]
    return [row for row in rows if row is not None]


@pytest.mark.django_db
def test_no_english_in_the_administration(world):
    client = visitor(world, Role.ADMINISTRATOR)
    skip = {"admin:jsi18n", "admin:autocomplete", "admin:logout", "admin:password_change"}
    pages = [reverse(name) for name in admin_names() if name not in skip]
    for row in examples():
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        pages += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history")]
    wrong = complaints((url, client.get(url)) for url in pages)
    assert not wrong, wrong
    wrong = complaints((url, client.post(url, {})) for url in pages)
    assert not wrong, wrong
    assert len(pages) > 30


@pytest.mark.django_db
def test_no_english_in_the_mails_about_appointments(world):
    rows = list(Notification.objects.with_parts())
    letters = [letter_for(row, NOW) for row in rows]
    parts = [part for one in letters for part in (one.subject, str(one.message.body))]
    parts += [str(html) for one in letters for html, _kind in one.message.alternatives]
    assert english_in(*(seen(part) for part in parts)) == set()
    assert len({row.kind for row in rows}) >= 3
