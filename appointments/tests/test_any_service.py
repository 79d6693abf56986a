"""A search that names no service: of each practitioner what comes first, with its name."""

import datetime as dt
import html

import pytest

from appointments.tests.factories import at
from appointments.tests.practice import browser, new_practice, words
from clinic.tests.factories import ServiceFactory
from scheduling.models import ServiceOffering, TimeOff
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]
THREE_DAYS = 3 * 24 * 60


@pytest.fixture
def client():
    return browser()


@pytest.fixture
def visit():
    """What most practitioners of the specialty give: a visit, said three days ahead."""
    service = ServiceFactory.create(name="Visit", slug="visit")
    first = new_practice(service=service, min_notice_minutes=THREE_DAYS)
    colleague(service, min_notice_minutes=THREE_DAYS)
    return first


@pytest.fixture
def tracing(visit):
    """The first practitioner gives tracings too, from one day to the next."""
    return ServiceOfferingFactory.create(schedule=visit.schedule, service=another(visit))


def another(visit: ServiceOffering) -> object:
    return ServiceFactory.create(specialty=visit.service.specialty, name="Tracing", slug="tracing")


def colleague(service, **fields: object) -> ServiceOffering:
    schedule = ScheduleFactory.create()
    open_week(schedule)
    return ServiceOfferingFactory.create(schedule=schedule, service=service, **fields)


def search(client, visit: ServiceOffering, **query: str):
    response = client.get("/horarios/", {"what": visit.service.specialty.slug, **query})
    assert response.status_code == 200
    return response


def cards(response) -> list[tuple[object, object]]:
    people = response.context["cards"]["people"]
    return [(card["practitioner"], card["service"]) for card in people]


def test_the_first_free_time_is_of_whatever_service_is_free_first(client, visit, tracing):
    response = search(client, visit)
    offered = response.context["first_time"]["offered"]
    assert (offered.offering, offered.start) == (tracing, at(9, days=0))
    assert f"{tracing.practitioner} · Tracing" in words(response)
    assert cards(response)[0] == (visit.practitioner, tracing.service)
    assert [service for _person, service in cards(response)] == [tracing.service, visit.service]


def test_each_time_leads_to_the_service_that_its_card_names(client, visit, tracing):
    response = search(client, visit)
    for card, offering in zip(response.context["cards"]["people"], (tracing, None), strict=True):
        found = {time.url for day in card["days"] for g in day.groups for time in g.times}
        given = card["practitioner"].schedules.get().offerings.get(service=card["service"])
        assert offering in (given, None)
        assert found
        assert all(f"offering={given.pk}&" in url for url in found)


def test_who_gives_only_another_service_is_found_too(client, visit):
    other = colleague(another(visit))
    response = search(client, visit)
    assert len(cards(response)) == 3
    assert cards(response)[0] == (other.practitioner, other.service)
    assert f"{other.practitioner} Tracing" in words(response)


def test_nothing_is_free_in_a_range_only_when_no_service_is(client, visit, tracing):
    who, until = visit.practitioner.slug, "24/11/2026"
    response = search(client, visit, who=who, until=until)
    assert "No free times in these days" not in words(response)
    assert "after these days" not in words(response)
    assert response.context["alone"]["days"]
    assert f"{tracing.practitioner} Tracing" in words(response)
    tracing.min_notice_minutes = THREE_DAYS
    tracing.save()
    response = search(client, visit, who=who, until=until)
    assert "No free times in these days" in words(response)
    assert "First free time after these days" in words(response)


def test_a_card_says_nothing_is_free_only_when_no_service_is(client, visit, tracing):
    first, second = search(client, visit, until="24/11/2026").context["cards"]["people"]
    assert [bool(card["days"]) for card in (first, second)] == [True, False]
    assert [bool(card["later"]) for card in (first, second)] == [False, True]


def test_a_name_alone_finds_what_this_practitioner_gives_first(client, visit, tracing):
    response = client.get("/horarios/", {"who": visit.practitioner.slug})
    assert response.context["service"] == tracing.service
    assert response.context["first_time"]["offered"].start == at(9, days=0)
    assert [tab["label"] for tab in response.context["tabs"] if not tab["current"]] == ["Visit"]


def test_of_two_services_at_once_it_is_the_one_most_practitioners_give(client):
    # The first by its number and by its name, and still not the one.
    rare = new_practice(service=ServiceFactory.create(name="Tracing"))
    usual = ServiceFactory.create(specialty=rare.service.specialty, name="Visit")
    ServiceOfferingFactory.create(schedule=rare.schedule, service=usual)
    other = colleague(usual)
    assert cards(search(client, rare)) == [(rare.practitioner, usual), (other.practitioner, usual)]


def test_the_ways_to_other_weeks_keep_to_the_service_shown(client, visit, tracing):
    alone = search(client, visit, who=visit.practitioner.slug).context["alone"]
    following = client.get(f"/horarios/{alone['next_week']}")
    assert following.context["service"] == tracing.service
    assert following.context["since"] == (at(9) + dt.timedelta(days=6)).date()
    back = client.get(f"/horarios/{following.context['alone']['previous_week']}")
    assert back.context["service"] == tracing.service


def test_a_card_leads_to_all_times_of_its_service(client, visit, tracing):
    for card in search(client, visit).context["cards"]["people"]:
        response = client.get(f"/horarios/{card['all_url']}")
        assert response.context["service"] == card["service"]
        assert response.context["alone"]["practitioner"] == card["practitioner"]


def test_a_week_after_the_range_is_of_the_service_that_comes_first(client, visit, tracing):
    TimeOff.objects.create(
        practitioner=visit.practitioner, starts_at=at(0, days=0), ends_at=at(0, days=20)
    )
    response = search(client, visit, who=visit.practitioner.slug)
    later = client.get(f"/horarios/{html.unescape(response.context['alone']['later_week'])}")
    assert later.context["service"] == response.context["service"]
    assert later.context["alone"]["days"]


def test_a_service_that_was_asked_for_stays_the_only_one(client, visit, tracing):
    response = search(client, visit, what=f"{visit.service.specialty.slug}/visit")
    assert response.context["service"] == visit.service
    assert response.context["first_time"]["offered"].offering.service == visit.service
    assert [service for _person, service in cards(response)] == [None, None]


@pytest.mark.parametrize("named", [True, False])
def test_when_nothing_is_free_at_all_there_are_others(client, visit, tracing, named):
    visit.schedule.hours.all().delete()
    query = {"who": visit.practitioner.slug}
    if named:
        query["what"] = visit.service.specialty.slug
    response = client.get("/horarios/", query)
    assert "No free times for now" in words(response)
    others = "?what=" + visit.service.specialty.slug if named else "/profesionales/"
    assert f'href="{others}">See other practitioners' in response.content.decode()


def test_whoever_waits_may_wait_for_any_service(client, visit, tracing):
    what = visit.service.specialty.slug
    assert search(client, visit).context["waiting_url"] == f"/avisos/nuevo/?what={what}"
    # Two people of one name and several services: what to wait for is asked there.
    named = client.get("/horarios/", {"who": "Lucía"})
    assert named.context["waiting_url"] == "/avisos/nuevo/"
