"""How often the pages that everybody opens ask the database, with one row and with thirty."""

import datetime as dt
import gc
import weakref

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape

from accounts.tests.factories import patient_user
from appointments import timetable
from appointments.forms.search import FullSearchForm, SearchForm
from appointments.tests.factories import NOW, book
from appointments.tests.practice import account_of, browser, new_practice
from clinic.models import Organization
from clinic.tests.factories import InsurerFactory
from scheduling.catalogue import catalogue
from scheduling.models import ServiceOffering
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_week

pytestmark = pytest.mark.django_db
#: Session, account, roles, the clinic: what every page of somebody logged in asks.
EVERY_PAGE = 4


@pytest.fixture(autouse=True)
def _this_morning(time_machine):
    time_machine.move_to(NOW, tick=False)


def colleagues(offering: ServiceOffering, number: int) -> None:
    for _n in range(number):
        schedule = ScheduleFactory.create(location=offering.location)
        open_week(schedule)
        mine = ServiceOfferingFactory.create(schedule=schedule, service=offering.service)
        book(offering=mine)


def search_page(offering: ServiceOffering) -> str:
    return f"/horarios/?what={offering.service.specialty.slug}"


@pytest.mark.parametrize(("others", "most"), [(0, 2), (29, 2), (29, 4)])
def test_a_search_asks_at_most_eight_times(others, most, monkeypatch, django_assert_num_queries):
    offering = new_practice()
    colleagues(offering, others)
    # What is booked and what is held. With many practitioners once more: the first days of
    # all of them, then the week of those on the page.
    if most > 2:
        monkeypatch.setattr(timetable, "MANY", 10)
    client = browser(patient_user())
    client.get(search_page(offering))
    with django_assert_num_queries(EVERY_PAGE + most):
        response = client.get(search_page(offering))
    shown = response.context["cards"]["people"] if others else [response.context["alone"]]
    assert len(shown) == min(10, others + 1)
    assert EVERY_PAGE + most <= 8


def test_a_search_right_after_a_change_asks_as_often_for_thirty(django_assert_num_queries):
    offering = new_practice()
    client = browser(patient_user())
    client.get(search_page(offering))
    offering.save()
    # Seven kinds of rows of the catalogue, four of the rules.
    with django_assert_num_queries(EVERY_PAGE + 2 + 7 + 4):
        client.get(search_page(offering))
    colleagues(offering, 29)
    with django_assert_num_queries(EVERY_PAGE + 2 + 7 + 4):
        client.get(search_page(offering))


@pytest.mark.parametrize("visits", [1, 16])
@pytest.mark.parametrize(
    ("page", "most"), [("/agenda/2026-11-24/", 2), ("/agenda/semana/2026-W48/", 1)]
)
def test_the_agenda_asks_as_often_for_any_visits(visits, page, most, django_assert_num_queries):
    offering = new_practice()
    for n in range(visits):
        book(offering=offering, start=NOW + dt.timedelta(days=1, hours=1, minutes=30 * n))
    client = browser(account_of(offering))
    client.get(page)
    with django_assert_num_queries(EVERY_PAGE + most):
        response = client.get(page)
    row = "#turno-" if "semana" in page else 'id="turno-'
    assert response.content.decode().count(row) == visits


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"what": "", "who": "", "part": "morning"},
        {"who": "their name", "what": "all"},
        {"what": "all", "who": "<b>Pérez</b>", "since": "8/12/2026", "coverage": "private"},
        {"what": "no-such-thing", "part": "night"},
        {"since": "8/12/2026", "until": "1/12/2026", "who": "x" * 101},
    ],
)
def test_the_form_looks_as_every_form_does(query, language):
    offering = new_practice()
    offering.practitioner.insurers.add(InsurerFactory.create())
    ServiceOfferingFactory.create(schedule=ScheduleFactory.create(), service=offering.service)
    if query.get("what") == "all":
        query = {**query, "what": offering.service.specialty.slug}
    if query.get("who") == "their name":
        query = {**query, "who": offering.practitioner.full_name}
    known = catalogue(Organization.current().edition)
    with translation.override(language):
        for kind in (SearchForm, FullSearchForm):
            for _again in range(2):
                form = kind(query, known=known) if query else kind(known=known)
                expected = render_to_string("components/fields.html", {"form": form})
                assert " ".join(str(form.drawn()).split()) == " ".join(expected.split())
    if "<" in query.get("who", ""):
        assert escape(query["who"]) in form.drawn()


def test_what_is_drawn_keeps_no_form():
    new_practice()
    form = FullSearchForm({"part": "morning"}, known=catalogue(Organization.current().edition))
    form.drawn()
    kept = weakref.ref(form)
    del form
    gc.collect()
    assert kept() is None
