"""Back from the times and from the confirm page: the search is still there."""

import datetime as dt
import html
import re
import uuid
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from accounts.tests.factories import patient_user
from appointments.tests.factories import at, book
from appointments.tests.practice import account_of, browser, main_part, new_practice, words
from clinic.tests.factories import InsurerFactory, LocationFactory
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]
SITE = "http://testserver"


@pytest.fixture
def offering():
    """Somebody of two locations and an insurer, so that the form asks everything."""
    found = new_practice()
    ServiceOfferingFactory.create(
        schedule=ScheduleFactory.create(location=LocationFactory.create(name="Norte")),
        service=found.service,
    )
    insurer = InsurerFactory.create(slug="mutual")
    found.practitioner.insurers.add(insurer)
    return found


@pytest.fixture
def asked(offering):
    """A search that says everything that can be said."""
    return {
        "what": f"{offering.service.specialty.slug}/{offering.service.slug}",
        "who": "Ferreyra",
        "where": offering.location.slug,
        "since": "25/11/2026",
        "until": "27/11/2026",
        "part": "afternoon",
        "coverage": "mutual",
    }


def address(offering, start: dt.datetime | None = None) -> str:
    moment = (start or at(10)).astimezone(dt.UTC)
    return f"/reservar/?offering={offering.pk}&start={moment:%Y-%m-%dT%H:%MZ}"


def link(response, text: str) -> str:
    """Where the link with these words leads."""
    arrow = r"(?:<span[^>]*>←</span> )?"
    found = re.search(rf'<a [^>]*href="([^"]*)"[^>]*>{arrow}{text}', page(response))
    assert found, text
    return html.unescape(found[1])


def page(response) -> str:
    return response.content.decode()


def values(form) -> dict[str, str]:
    return {name: form[name].value() for name in form.fields if form[name].value()}


# --- from the times to the home page


def test_back_from_the_times_keeps_everything_that_was_asked(offering, asked):
    client = browser()
    home = client.get(link(client.get("/horarios/", asked), "Back"))
    assert home.status_code == 200
    assert values(home.context["search_form"]) == asked
    assert 'value="25/11/2026"' in page(home)


def test_a_simple_search_comes_back_to_the_simple_form(offering):
    client = browser()
    query = {"what": offering.service.specialty.slug, "who": "Ferreyra"}
    home = client.get(link(client.get("/horarios/", query), "Back"))
    assert values(home.context["search_form"]) == query
    assert not re.search(r'name="(until|part|coverage)"', page(home))


def test_a_link_to_a_person_comes_back_as_their_name(offering):
    client = browser()
    person = offering.practitioner
    home = client.get(link(client.get("/horarios/", {"who": person.slug}), "Back"))
    assert values(home.context["search_form"]) == {"who": person.full_name}


def test_any_coverage_stays_any_coverage(offering):
    client = browser()
    query = {"what": offering.service.specialty.slug, "coverage": ""}
    assert link(client.get("/horarios/", query), "Back").endswith("&coverage=")


def test_a_mistake_comes_back_as_it_was_typed(offering):
    client = browser()
    response = client.get("/horarios/", {"since": "30/2/2026"})
    home = client.get(link(response, "Back"))
    assert home.status_code == 422
    assert 'value="30/2/2026"' in page(home)
    assert "There is something to correct" in words(home)


def test_nothing_but_a_search_is_carried_along(offering):
    client = browser()
    back = link(client.get("/horarios/?who=x&page=2&next=//evil.example&who=Ferreyra"), "Back")
    assert back == "/?who=Ferreyra"
    assert link(client.get("/horarios/?next=//evil.example"), "Back") == "/"
    assert client.get("/?utm=mail").context["search_form"].is_bound is False


# --- from the confirm page to the times


def another_time(response) -> str:
    return link(response, "Choose another time")


def test_another_time_is_one_of_the_same_search(offering, asked):
    client = browser(patient_user())
    left = client.get("/horarios/", asked)
    came = f"{SITE}/horarios/?{left.request['QUERY_STRING']}"
    response = client.get(address(offering), headers={"referer": came})
    again = client.get(another_time(response))
    assert values(again.context["form"]) == asked


def test_a_held_time_remembers_the_search(offering, asked):
    client = browser(patient_user())
    left = client.get("/horarios/", asked)
    came = f"{SITE}/horarios/?{left.request['QUERY_STRING']}"
    pressed = client.post(address(offering), {"hold": "1"}, headers={"referer": came})
    again = client.get(another_time(client.get(pressed["Location"])))
    assert values(again.context["form"]) == asked


def test_the_login_in_between_forgets_no_search(offering, asked):
    client = browser()
    left = client.get("/horarios/", asked)
    came = f"{SITE}/horarios/?{left.request['QUERY_STRING']}"
    login = client.get(address(offering), headers={"referer": came})
    assert "You chose" in words(client.get(login["Location"]))
    client.force_login(patient_user())
    confirm = client.get(where_it_leads(login["Location"]))
    assert values(client.get(another_time(confirm)).context["form"]) == asked


def where_it_leads(login: str) -> str:
    return parse_qs(urlsplit(login).query)["next"][0]


def test_a_mistake_on_the_confirm_page_forgets_no_search(offering):
    client = browser(patient_user())
    response = client.get(address(offering) + "&search=who%3DFerreyra%26part%3Dmorning")
    found = re.search(r'<form method="post" action="([^"]+)"', main_part(response))
    assert found
    data = {"key": str(uuid.uuid4()), "reason": "x" * 501}
    response = client.post(html.unescape(found[1]), data)
    assert response.status_code == 422
    assert another_time(response) == "/horarios/?who=Ferreyra&part=morning"


def test_a_refusal_leads_to_the_same_search(offering):
    client = browser(patient_user())
    book(offering=offering, start=at(10))
    response = client.get(address(offering) + "&search=who%3DFerreyra%26part%3Dmorning")
    assert response.status_code == 409
    assert link(response, "See all free times") == "/horarios/?who=Ferreyra&part=morning"
    assert "search=who%3DFerreyra" in response.context["action"]


@pytest.mark.parametrize(
    "came",
    [
        "",
        "http://[::1",
        f"{SITE}/profesionales/?who=Ferreyra",
        "http://evil.example/horarios/?who=Ferreyra",
        f"{SITE}/horarios/",
    ],
)
def test_without_a_search_it_is_the_same_service_and_person(offering, came):
    response = browser(patient_user()).get(address(offering), headers={"referer": came})
    service = offering.service
    what = f"{service.specialty.slug}%2F{service.slug}"
    assert another_time(response) == f"/horarios/?what={what}&who={offering.practitioner.slug}"


@pytest.mark.parametrize(
    "search",
    [
        "https://evil.example/?what=a",
        "//evil.example/",
        "next=//evil.example",
        "&".join(f"a{n}=1" for n in range(50)),
        "\x00",
    ],
)
def test_what_is_no_search_leads_nowhere_else(offering, search):
    query = urlencode({"search": search})
    response = browser(patient_user()).get(f"{address(offering)}&{query}")
    assert another_time(response).startswith("/horarios/?what=")
    assert "evil" not in another_time(response)


def test_the_wrong_role_is_told_as_ever(offering):
    client = browser(account_of(offering))
    assert client.get(address(offering) + "&search=who%3DFerreyra").status_code == 403
