"""What stands around the content: the header for each role, and how few questions it asks."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import reverse
from django.utils import translation

from accounts.roles import Role
from accounts.tests.factories import UserFactory
from clinic import context_processors
from clinic.context_processors import navigation
from clinic.models import Organization

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def request_by(*roles: Role, path: str = "/somewhere/"):
    request = RequestFactory().get(path)
    request.user = UserFactory.build()
    request.user.roles = frozenset(roles)
    return request


def visitor(path: str = "/somewhere/"):
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    return request


def labels(request) -> list[str]:
    return [str(item.label) for item in navigation(request)]


PATIENT_LINKS = ["Book an appointment", "My appointments", "My family"]
DESK_LINKS = [
    "Appointments of the day",
    "Requests",
    "Give an appointment",
    "Patients",
    "Schedules",
]
AGENDA_LINKS = ["Agenda", "Requests", "Working hours", "Time off", "Services"]
ACCOUNT_LINKS = ["My details", "Log out"]


def test_a_visitor_may_search_and_come_in():
    assert labels(visitor()) == ["Book an appointment", "Practitioners", "Log in", "Create account"]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ([Role.PATIENT], PATIENT_LINKS),
        ([Role.PRACTITIONER], AGENDA_LINKS),
        ([Role.RECEPTION], DESK_LINKS),
        ([Role.ADMINISTRATOR], [*DESK_LINKS, "Administration"]),
        ([Role.PRACTITIONER, Role.PATIENT], AGENDA_LINKS + PATIENT_LINKS),
        ([], PATIENT_LINKS),
    ],
)
def test_each_role_finds_its_own_pages(roles, expected):
    assert labels(request_by(*roles)) == expected + ACCOUNT_LINKS


def test_before_anybody_is_known_the_header_is_a_visitors():
    """A request refused by an early middleware has no user yet."""
    assert labels(RequestFactory().get("/")) == labels(visitor())


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/agenda/", {"Agenda": "page"}),
        ("/agenda/2026-12-08/", {"Agenda": "true"}),
        ("/somewhere/", {}),
    ],
)
def test_the_link_of_the_page_is_marked(path, marked):
    links = navigation(request_by(Role.PRACTITIONER, path=path))
    assert {str(item.label): item.current for item in links if item.current} == marked


def test_a_page_below_another_entry_marks_only_the_nearest():
    hours = reverse("appointments:hours")
    links = navigation(request_by(Role.PRACTITIONER, path=hours))
    assert [str(item.label) for item in links if item.current] == ["Working hours"]


def test_home_is_marked_only_on_itself():
    marked = [item.current for item in navigation(visitor("/")).main]
    assert marked == ["page", ""]


@pytest.mark.django_db
def test_a_page_that_shows_none_of_it_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        context_processors.clinic(visitor())


@pytest.mark.django_db
def test_a_visitors_page_asks_for_the_clinic_once(django_assert_num_queries):
    Organization(name="Los Aromos", phone="+541143218765", urgent_phone="107").save()
    with django_assert_num_queries(1):
        html = render_to_string("404.html", request=visitor())
    assert "<title>This page is not here – Los Aromos</title>" in html
    assert 'href="tel:+54-11-4321-8765"' in html
    assert 'href="tel:107"' in html


@pytest.mark.django_db
def test_the_other_language_is_one_button_away():
    html = render_to_string("404.html", request=visitor("/horarios/?q=a&b=1"))
    assert '<input type="hidden" name="next" value="/horarios/?q=a&amp;b=1">' in html
    assert 'name="language" value="es" lang="es">Español</button>' in html


@pytest.mark.django_db
@pytest.mark.parametrize("demo", [True, False])
def test_the_demo_says_that_it_is_one(settings, demo):
    settings.DEMO = demo
    html = render_to_string("404.html", request=visitor())
    assert ("demo-banner" in html) is demo


@pytest.mark.parametrize("page", ["400.html", "500.html"])
def test_the_last_answers_need_neither_request_nor_database(page):
    assert "<h1>" in render_to_string(page)
