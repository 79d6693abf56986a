"""The components and the forms on a page: what a reader, sighted or not, gets."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from crispy_forms.helper import FormHelper
from crispy_forms.layout import Submit
from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.template import Context, RequestContext, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation
from django.utils.safestring import mark_safe

from clinic.forms import SplitDateField
from clinic.templatetags import clinic_ui
from clinic.text import APART

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


class Elements(HTMLParser):
    """The elements of a piece of HTML as (name, attributes)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def by_id(self, id_: str) -> dict[str, str | None]:
        (found,) = [attrs for _tag, attrs in self.found if attrs.get("id") == id_]
        return found

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for found, attrs in self.found if found == tag]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def component(name: str, **context: object) -> str:
    return render_to_string(f"components/{name}.html", context)


class VisitForm(forms.Form):
    name = forms.CharField(label="Name", help_text="As in the document.")
    phone = forms.CharField(label="Phone", required=False)
    born = SplitDateField(label="Birth date")
    whom = forms.ChoiceField(
        label="For whom", widget=forms.RadioSelect, choices=[("me", "For me"), ("her", "For her")]
    )
    rules = forms.BooleanField(label="I have read the rules")
    key = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args, method: str = "post", **kwargs):
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_method = method
        self.helper.add_input(Submit("save", "Save"))


def crispy(form: forms.Form) -> str:
    template = Template("{% load crispy_forms_tags %}{% crispy form %}")
    return template.render(Context({"form": form, "csrf_token": "token"}))


def test_optional_fields_say_so_and_nothing_has_an_asterisk():
    text = words(crispy(VisitForm()))
    assert "Phone (optional)" in text
    assert text.count("(optional)") == 1
    assert "*" not in text


def test_a_search_form_does_not_say_optional():
    assert "(optional)" not in crispy(VisitForm(method="get"))


def test_a_search_form_drawn_by_the_filter_does_not_either():
    class SearchForm(forms.Form):
        is_search = True
        who = forms.CharField(required=False)

    drawn = Template("{% load crispy_forms_filters %}{{ form|crispy }}")
    assert "(optional)" not in drawn.render(Context({"form": SearchForm()}))


def test_the_browser_leaves_checking_to_our_sentences():
    (form,) = Elements(crispy(VisitForm())).named("form")
    assert "novalidate" in form


def test_a_fresh_form_shows_no_error():
    html = crispy(VisitForm())
    assert "error-summary" not in html
    assert "aria-invalid" not in html
    assert Elements(html).by_id("id_name")["aria-describedby"] == "id_name_helptext"


def test_hint_and_error_are_tied_to_the_input():
    elements = Elements(crispy(VisitForm({})))
    name = elements.by_id("id_name")
    assert name["aria-invalid"] == "true"
    assert name["aria-describedby"] == "id_name_helptext id_name_error"
    for id_ in ("id_name_helptext", "id_name_error", "id_rules_error", "id_whom_error"):
        elements.by_id(id_)


def test_groups_are_fieldsets_with_a_legend_and_their_error():
    html = crispy(VisitForm({}))
    described = [fieldset.get("aria-describedby") for fieldset in Elements(html).named("fieldset")]
    assert described == ["id_born_error", "id_whom_error"]
    assert len(Elements(html).named("legend")) == 2


def test_the_summary_takes_the_focus_and_leads_to_each_field():
    html = crispy(VisitForm({"phone": "1"}))
    elements = Elements(html)
    (summary,) = [a for _tag, a in elements.found if a.get("class") == "error-summary"]
    assert summary["tabindex"] == "-1"
    assert "autofocus" in summary
    targets = [a["href"] for a in elements.named("a")]
    assert targets == ["#id_name", "#id_born_0", "#id_whom_0", "#id_rules"]
    for target in targets:
        elements.by_id(str(target).removeprefix("#"))


def test_the_summary_names_field_and_sentence_and_the_errors_of_the_whole():
    form = VisitForm({"name": "A", "whom": "me", "rules": "on"})
    form.add_error(None, "This hour was just taken.")
    assert list(clinic_ui.error_list(form)) == [
        clinic_ui.FormError("Birth date: Fill this in.", "#id_born_0"),
        clinic_ui.FormError("Key: Fill this in.", ""),
        clinic_ui.FormError("This hour was just taken.", ""),
    ]


def test_a_question_needs_no_colon_before_the_sentence():
    form = VisitForm({"name": "A", "whom": "me", "rules": "on"})
    form.fields["born"].label = "When were you born?"
    first = next(iter(clinic_ui.error_list(form)))
    assert first.text == "When were you born? Fill this in."


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("pending", "○ Requested"),
        ("booked", "● Confirmed"),
        ("arrived", "▲ In the waiting room"),
        ("fulfilled", "✔ Seen"),
        ("cancelled", "✕ Cancelled"),
        ("noshow", "! Did not come"),
    ],
)
def test_a_status_is_a_word_and_a_shape(status, text):
    html = component("status", status=status)
    assert words(html) == text
    assert f"status-{status}" in html
    assert 'aria-hidden="true"' in html


def test_an_unknown_status_does_not_pass_in_silence():
    with pytest.raises(KeyError):
        clinic_ui.status_look("waitlist")


def test_times_have_their_full_name_for_a_screen_reader():
    more = ", Tuesday 8 December 2026, with Dr Pérez"
    link = SimpleNamespace(url="/reservar/?a=1&b=2", text="9:30", more=more)
    day = SimpleNamespace(
        heading="tuesday 8 December 2026", groups=[SimpleNamespace(note="", times=[link])]
    )
    html = component("slot_times", days=[day])
    assert "<h3" in html
    assert "Tuesday 8 December 2026" in html
    assert f'9:30<span class="visually-hidden">{more}</span></a>' in html
    assert 'href="/reservar/?a=1&amp;b=2"' in html


def test_the_summary_list_leaves_out_what_has_no_value():
    rows = [
        {"term": "With", "value": "Ana <Pérez>"},
        {"term": "Preparation", "value": ""},
        {"term": "Patient", "value": "Lucía", "url": "/x/", "label": "Change"},
    ]
    html = component("summary_list", rows=rows)
    assert words(html) == "With Ana &lt;Pérez&gt; Patient Lucía Change (Patient)"


def test_pages_keep_the_question():
    request = RequestFactory().get("/profesionales/", {"q": "perez", "page": "2"})
    page = Paginator(range(30), 10).get_page(2)
    template = Template('{% include "components/pagination.html" with page=page only %}')
    html = template.render(RequestContext(request, {"page": page}))
    assert "?q=perez&amp;page=1" in html
    assert "?q=perez&amp;page=3" in html
    assert "Page 2 of 3" in words(html)


def test_one_page_needs_no_pages():
    assert component("pagination", page=Paginator(range(3), 10).get_page(1)).strip() == ""


def test_tabs_say_which_is_open_and_show_a_count_of_zero():
    tabs = [
        {"url": "#a", "label": "Upcoming", "count": 0, "current": True},
        {"url": "#b", "label": "Past"},
    ]
    html = component("tabs", label="Appointments", tabs=tabs)
    assert [a.get("aria-current") for a in Elements(html).named("a")] == ["page", None]
    assert words(html) == "Upcoming 0 Past"


@pytest.mark.parametrize(
    ("tone", "shape"), [("done", "✔"), ("waiting", "○"), ("over", "✕"), ("", "✔")]
)
def test_the_confirmation_has_a_shape_for_its_tone(tone, shape):
    html = component("confirmation_panel", title="Booked", tone=tone, reference="K7M")
    assert words(html) == f"{shape} Booked Reference K7M"


def test_messages_are_announced_with_the_look_of_their_level():
    html = component("messages", messages=[SimpleNamespace(level_tag="error", __str__=str)])
    assert 'class="alert alert-danger alert-marked" role="status"' in html
    assert component("messages", messages=[]).strip() == ""


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Dra. Ana María Pérez", "AP"), ("Óscar", "Ó"), ("Lic. Jorge Núñez", "JN"), ("", "")],
)
def test_initials(name, letters):
    assert clinic_ui.initials(name) == letters


@pytest.mark.parametrize(
    ("number", "dialled"),
    [("107", "107"), ("+54 11 4321-8765", "+541143218765"), ("SAME: 107 (24 h)", "10724")],
)
def test_tel_keeps_what_a_telephone_dials(number, dialled):
    assert clinic_ui.tel(number) == dialled


@pytest.mark.parametrize(("name", "expected"), [("save", "save"), ("", None)])
def test_a_button_without_a_name_adds_nothing_to_the_address(name, expected):
    form = VisitForm()
    form.helper.inputs = [Submit(name, "Search")]
    (button,) = Elements(crispy(form)).named("button")
    assert button["type"] == "submit"
    assert button.get("name") == expected


def test_a_heading_that_says_nothing_is_a_cell():
    table = '<tr><th class="original"></th><th>Day</th><th></th></tr>'
    template = Template("{% load clinic_ui %}{% filter no_empty_headings %}{{ t }}{% endfilter %}")
    html = template.render(Context({"t": mark_safe(table)}))
    assert html == '<tr><td class="original"></td><th>Day</th><td></td></tr>'


def templates() -> list[Path]:
    return sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))


def test_no_line_of_a_page_begins_with_what_keeps_two_things_apart():
    """A space that may break stands after the dot only. What is translated is one sentence."""
    sentences = re.compile(r"{% blocktranslate.*?endblocktranslate %}|{%.*?%}", re.DOTALL)
    loose = [path for path in templates() if " · " in sentences.sub("", path.read_text())]
    assert loose == []
    assert any(APART.strip() in path.read_text() for path in templates())
    assert APART.startswith("\N{NO-BREAK SPACE}")
