"""What narrows a search: the part of the day, the last day, the coverage."""

import datetime as dt
import html
import re

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Practitioner
from appointments.tests.factories import at, book
from appointments.tests.practice import browser, new_practice, words
from clinic.models import Insurer
from clinic.tests.factories import InsurerFactory, LocationFactory
from scheduling.models import ServiceOffering, TimeOff
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]


@pytest.fixture
def client():
    return browser()


@pytest.fixture
def offering():
    """Every day from nine to twenty-one, one hour each."""
    return new_practice(start=dt.time(9), end=dt.time(21), duration=60, schedule__slot_step=60)


def colleague(offering: ServiceOffering, **fields: object) -> ServiceOffering:
    """Somebody else with the same service."""
    schedule = ScheduleFactory.create(slot_step=60, **fields)
    open_week(schedule)
    return ServiceOfferingFactory.create(schedule=schedule, service=offering.service, duration=60)


def what(offering: ServiceOffering) -> str:
    return f"{offering.service.specialty.slug}/{offering.service.slug}"


def search(client, offering: ServiceOffering, **query: str):
    response = client.get("/horarios/", {"what": what(offering), **query})
    assert response.status_code == 200
    return response


def starts(response) -> list[str]:
    """Day and clock time in UTC of each time on the page, each once."""
    found = re.findall(r"start=2026-(\d\d-\d\dT\d\d)%3A(\d\d)Z", response.content.decode())
    return sorted({f"{hour}:{minute}" for hour, minute in found})


def hours(response) -> list[int]:
    """The hours of the wall in Buenos Aires, each once."""
    return sorted({(int(start[6:8]) - 3) % 24 for start in starts(response)})


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("", range(9, 21)),
        ("morning", range(9, 12)),
        ("afternoon", range(12, 18)),
        ("evening", range(18, 21)),
    ],
)
def test_the_part_of_the_day(client, offering, part, expected):
    assert hours(search(client, offering, part=part)) == list(expected)


def test_the_first_free_time_is_of_that_part_too(client, offering):
    first = search(client, offering, part="evening").context["first_time"]
    assert first["offered"].start == at(18, days=0)


def test_the_part_is_of_the_clock_of_the_location(client, offering):
    madrid = LocationFactory.create(time_zone="Europe/Madrid")
    person = colleague(offering, location=madrid)
    response = search(client, offering, part="morning", who=person.practitioner.slug)
    # Nine to twelve in Madrid, in winter one hour ahead of UTC.
    assert {start[6:] for start in starts(response)} == {"08:00", "09:00", "10:00"}


def test_the_next_time_of_that_part_is_found_after_the_window(client, offering):
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0, days=0), ends_at=at(19, days=20)
    )
    response = search(client, offering, part="evening")
    assert response.context["alone"]["later"]["url"].endswith("2026-12-13T22%3A00Z")
    assert "No free times in these days" in words(response)


def test_a_part_that_never_is_leads_to_the_whole_day(client, offering):
    offering.schedule.hours.update(end=dt.time(12))
    response = search(client, offering, part="evening")
    assert "No free times for now" in words(response)
    link = response.context["alone"]["whole_day"]
    assert hours(client.get(f"/horarios/{link}")) == [9, 10, 11]


def test_a_range_shows_its_days_and_no_other(client, offering):
    response = search(client, offering, since="25/11/2026", until="26/11/2026")
    assert {start[:5] for start in starts(response)} == {"11-25", "11-26"}
    assert response.context["alone"]["next_week"] == ""


def test_a_long_range_goes_on_to_the_next_week_and_ends(client, offering):
    response = search(client, offering, until="2/12/2026")
    assert max(starts(response)) < "11-30T23"
    later = client.get(f"/horarios/{response.context['alone']['next_week']}")
    assert {start[:5] for start in starts(later)} == {"11-30", "12-01", "12-02"}
    assert later.context["alone"]["next_week"] == ""


def test_a_full_range_says_the_next_time_and_the_link_leaves_the_range(client, offering):
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(0, days=0), ends_at=at(0, days=5)
    )
    response = search(client, offering, until="26/11/2026")
    assert "First free time after these days Saturday 28 November, 9:00" in words(response)
    week = client.get(f"/horarios/{html.unescape(response.context['alone']['later_week'])}")
    assert starts(week)[0] == "11-28T12:00"
    assert max(starts(week)) > "12-03"


def test_cards_keep_the_range_and_the_part(client, offering):
    colleague(offering)
    response = search(client, offering, until="24/11/2026", part="morning")
    people = response.context["cards"]["people"]
    assert [len(person["days"]) for person in people] == [2, 2]
    assert hours(response) == [9, 10, 11]
    assert "until=24%2F11%2F2026" in people[0]["all_url"]
    assert "part=morning" in people[0]["all_url"]


def test_a_card_without_times_in_the_range_leads_beyond_it(client, offering):
    other = colleague(offering)
    TimeOff.objects.create(
        practitioner=other.practitioner, starts_at=at(0, days=0), ends_at=at(0, days=5)
    )
    response = search(client, offering, until="24/11/2026")
    card = response.context["cards"]["people"][1]
    assert card["later"]["text"] == "Saturday 28 November, 9:00"
    assert "since=2026-11-28" in card["all_url"]
    assert card["all_url"].endswith("until=") or "until=&" in card["all_url"]


def test_a_range_that_is_over_counts_as_none(client, offering):
    response = search(client, offering, since="1/10/2026", until="5/10/2026")
    assert {start[:5] for start in starts(response)} >= {"11-23", "11-29"}


def test_a_range_that_ends_before_it_begins_gets_a_sentence(client, offering):
    query = {"what": what(offering), "since": "8/12/2026", "until": "1/12/2026"}
    response = client.get("/horarios/", query)
    assert response.status_code == 422
    assert "The last day cannot be before the first." in words(response)


def test_coverage_finds_who_works_with_the_insurer(client, offering):
    insurer, nobodys = InsurerFactory.create(), InsurerFactory.create()
    other = colleague(offering)
    other.practitioner.insurers.add(insurer)
    alone = search(client, offering, coverage=insurer.slug).context["alone"]
    assert alone["practitioner"] == other.practitioner
    for coverage in ("", "private"):
        people = search(client, offering, coverage=coverage).context["cards"]["people"]
        assert len(people) == 2
    page = client.get("/horarios/").content.decode()
    assert f'value="{insurer.slug}"' in page
    assert nobodys.slug not in page


def test_an_insurer_that_nobody_of_that_name_works_with(client, offering):
    insurer = InsurerFactory.create()
    colleague(offering).practitioner.insurers.add(insurer)
    response = search(client, offering, coverage=insurer.slug, who=offering.practitioner.slug)
    assert "Nobody matches this search" in words(response)


def test_an_insurer_that_is_switched_off_is_not_offered(client, offering):
    insurer = InsurerFactory.create(is_active=False)
    offering.practitioner.insurers.add(insurer)
    assert 'name="coverage"' not in client.get("/horarios/").content.decode()
    page = client.get(f"/profesionales/{offering.practitioner.slug}/")
    assert insurer.name not in words(page)


def test_the_page_of_a_practitioner_names_the_insurers(client, offering):
    offering.practitioner.insurers.add(InsurerFactory.create(name="Mutual del Sur"))
    page = client.get(f"/profesionales/{offering.practitioner.slug}/")
    assert "Coverage Mutual del Sur" in words(page)


def test_no_insurer_may_be_called_private():
    with pytest.raises(ValidationError) as caught:
        Insurer(name="Private", slug="private").full_clean()
    assert "__all__" in caught.value.message_dict


def test_home_stays_simple(client, offering):
    offering.practitioner.insurers.add(InsurerFactory.create())
    page = client.get("/").content.decode()
    assert not re.search(r'name="(until|part|coverage)"', page)


@pytest.mark.parametrize("name", ["until", "since", "part", "coverage"])
@pytest.mark.parametrize(
    "value",
    ["0000-00-00", "2026-02-30", "9999-12-31", "9" * 31, "\x00", "x" * 10_000, "private/../", "٣"],
)
def test_what_makes_no_sense_gets_an_answer(client, offering, name, value):
    offering.practitioner.insurers.add(InsurerFactory.create())
    response = client.get("/horarios/", {"what": what(offering), name: value})
    assert response.status_code == 422
    assert response.context["form"].errors[name]


def test_a_far_range_is_beyond_the_horizon(client, offering):
    response = search(client, offering, since="1/1/2199", until="31/12/2200", part="evening")
    assert "No free times for now" in words(response)


def test_what_is_booked_is_not_shown_in_any_part(client, offering):
    book(offering=offering, start=at(18))
    assert "11-24T21:00" not in starts(search(client, offering, part="evening"))
    assert Practitioner.objects.count() == 1


# --- the address


@pytest.mark.parametrize("who", ["perez", "PÉREZ", "Pe\u0301rez", "núñez perez", "nunez"])
def test_a_name_is_found_without_its_accents(client, offering, who):
    person = offering.practitioner
    person.first_name, person.last_name = "Ángela", "Pérez Núñez"
    person.save()
    colleague(offering)
    alone = search(client, offering, who=who).context["alone"]
    assert alone["practitioner"] == person


def test_the_address_is_the_search(client, offering):
    """Sent to somebody else, or gone back to, it shows the same times and the same form."""
    colleague(offering)
    insurer = InsurerFactory.create()
    offering.practitioner.insurers.add(insurer)
    query = {
        "what": what(offering), "who": "Ferreyra", "since": "25/11/2026", "until": "27/11/2026",
        "part": "afternoon", "coverage": insurer.slug,
    }  # fmt: skip
    mine = search(client, offering, **query)
    theirs = search(browser(), offering, **query)
    assert starts(mine) == starts(theirs) != []
    form = mine.context["search_form"]
    assert {name: form[name].value() for name in query} == query
    assert "no-store" not in mine.get("Cache-Control", "")
    assert not mine.cookies.get("sessionid")
    assert 'method="get" action="/horarios/"' in mine.content.decode()
    week = mine.context["alone"]
    assert week["next_week"] == ""
    assert client.get(mine.request["PATH_INFO"], query).context["since"] == at(0, days=2).date()


def test_the_links_of_the_pages_carry_the_search_along(client, offering):
    for _n in range(11):
        colleague(offering)
    page = search(client, offering, part="morning", until="26/11/2026").content.decode()
    (following,) = set(re.findall(r'href="(\?[^"]*page=2[^"]*)"', page))
    assert {"part=morning", "until=26%2F11%2F2026"} <= set(html.unescape(following)[1:].split("&"))
