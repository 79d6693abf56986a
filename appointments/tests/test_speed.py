"""How often the pages that everybody opens ask the database, with one row and with thirty."""

import datetime as dt
import gc
import weakref

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape

from accounts.models import Coverage, Patient, Practitioner
from accounts.tests.factories import patient_user
from appointments import timetable
from appointments.forms.search import FullSearchForm, SearchForm
from appointments.tests.factories import NOW, book
from appointments.tests.practice import account_of, browser, new_practice
from clinic.models import Organization
from clinic.tests.factories import InsurerFactory, ServiceFactory
from scheduling.catalogue import catalogue
from scheduling.models import Schedule, ServiceOffering, TimeOff
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


def away(days: int, but: int = 0) -> None:
    """Nobody is there for so long, except so many."""
    for person in Practitioner.objects.order_by("pk")[but:]:
        TimeOff.objects.create(
            practitioner=person,
            starts_at=NOW - dt.timedelta(days=1),
            ends_at=NOW + dt.timedelta(days=days),
        )


@pytest.mark.parametrize("many", [100, 10])
@pytest.mark.parametrize(
    ("others", "gone", "most"),
    [
        # What is held, once, and what is booked: in the week; with many practitioners in the
        # first days of all of them, then in the week of those on the page.
        (0, None, {100: 2, 10: 2}),
        (29, None, {100: 2, 10: 3}),
        # Some come in the first days and some later.
        (29, 5, {100: 2, 10: 3}),
        # The rest of the horizon once more.
        (29, 8, {100: 3, 10: 4}),
        (29, 22, {100: 3, 10: 4}),
        (29, 400, {100: 3, 10: 4}),
    ],
)
def test_a_search_asks_at_most_eight_times(
    others, gone, most, many, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(timetable, "MANY", many)
    offering = new_practice()
    colleagues(offering, others)
    if gone:
        away(gone, but=4)
    client = browser(patient_user())
    client.get(search_page(offering))
    with django_assert_num_queries(EVERY_PAGE + most[many]):
        response = client.get(search_page(offering))
    shown = response.context["cards"]["people"] if others else [response.context["alone"]]
    assert len(shown) == min(10, others + 1)
    assert EVERY_PAGE + most[many] <= 8


@pytest.mark.parametrize(("gone", "most"), [(0, 3), (400, 4)])
def test_a_known_coverage_is_asked_for_once(gone, most, django_assert_num_queries):
    offering, insurer = new_practice(), InsurerFactory.create()
    colleagues(offering, 29)
    insurer.practitioners.set(Practitioner.objects.all())
    if gone:
        away(gone)
    user = patient_user()
    Coverage.objects.create(patient=Patient.objects.of(user).get(), insurer=insurer)
    client = browser(user)
    client.get(search_page(offering))
    with django_assert_num_queries(EVERY_PAGE + most):
        response = client.get(search_page(offering))
    assert response.context["own_insurer"] == insurer
    assert EVERY_PAGE + most <= 8


def test_services_that_nobody_named_cost_no_question(django_assert_num_queries):
    offering = new_practice()
    colleagues(offering, 29)
    for schedule in Schedule.objects.all():
        for _n in range(2):
            service = ServiceFactory.create(specialty=offering.service.specialty)
            ServiceOfferingFactory.create(schedule=schedule, service=service)
    client = browser(patient_user())
    client.get(search_page(offering))
    with django_assert_num_queries(EVERY_PAGE + 2):
        response = client.get(search_page(offering))
    assert response.context["service"] is None


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
    known = catalogue(Organization.current())
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
    form = FullSearchForm({"part": "morning"}, known=catalogue(Organization.current()))
    form.drawn()
    kept = weakref.ref(form)
    del form
    gc.collect()
    assert kept() is None
