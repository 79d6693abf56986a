"""Home, times and practitioners: what anybody finds, and what no input can break."""

import datetime as dt
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from accounts.tests.factories import PractitionerFactory, patient_user
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import new_practice, second_place, words
from clinic.tests.factories import LocationFactory, ServiceFactory, SpecialtyFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import (
    ScheduleFactory,
    ServiceOfferingFactory,
    open_offering,
    open_week,
)

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture(autouse=True)
def _today(time_machine) -> None:
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def _in_english(client: Client) -> None:
    client.cookies["django_language"] = "en"


def perez() -> ServiceOffering:
    """Dr. Pérez, who gives a consultation in cardiology."""
    specialty = SpecialtyFactory.create(name="Cardiología", slug="cardiologia")
    person = PractitionerFactory.create(
        first_name="José", last_name="Pérez", slug="jose-perez", title="Dr."
    )
    return open_offering(
        schedule=ScheduleFactory.create(practitioner=person, slot_step=30),
        service=ServiceFactory.create(specialty=specialty, name="Consulta", slug="consulta"),
        start=dt.time(9),
        end=dt.time(11),
    )


def links(client: Client, url: str, **query: str) -> list[str]:
    """The times offered on a page, as addresses of the confirm page."""
    response = client.get(url, query)
    assert response.status_code == 200
    found = re.findall(r'href="(/reservar/\?[^"]+)"', response.content.decode())
    return [link.replace("&amp;", "&") for link in found]


def test_home_offers_what_can_be_booked(client):
    perez()
    page = client.get("/").content.decode()
    assert '<option value="cardiologia/consulta">Consulta</option>' in page
    assert "Cardiología" in page


def test_home_leaves_out_what_nobody_offers(client):
    ServiceFactory.create(name="Hipnosis")
    assert "Hipnosis" not in client.get("/").content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"what": "cardiologia"},
        {"what": "cardiologia/consulta"},
        {"who": "perez"},
        {"who": "JOSÉ pérez"},
        {"who": "jose-perez"},
        {"what": "cardiologia", "who": "pere"},
    ],
)
def test_a_search_finds_the_times(client, query):
    offering = perez()
    found = links(client, "/horarios/", **query)
    # The first free time stands on top; then the seven days, today's notice being over.
    assert found[0] == f"/reservar/?offering={offering.pk}&start=2026-11-23T12%3A00Z"
    assert len(set(found)) == 7 * 4


def test_a_search_that_finds_nobody_says_so(client):
    perez()
    response = client.get("/horarios/", {"who": "nadie"})
    assert response.status_code == 200
    assert "Nobody matches this search" in response.content.decode()


def test_a_full_week_leads_to_the_next_date(client):
    offering = perez()
    offering.schedule.hours.update(valid_from=dt.date(2026, 12, 7))
    found = links(client, "/horarios/", who="perez")
    assert set(found) == {f"/reservar/?offering={offering.pk}&start=2026-12-07T12%3A00Z"}


def test_nothing_at_all_says_so_and_never_shows_an_empty_grid(client):
    offering = perez()
    offering.schedule.hours.all().delete()
    page = client.get("/horarios/", {"who": "perez"}).content.decode()
    assert "No free times for now" in page


def test_several_practitioners_come_earliest_first(client):
    early = perez()
    late = open_offering(service=early.service, start=dt.time(15), end=dt.time(16))
    response = client.get("/horarios/", {"what": "cardiologia"})
    people = [card["practitioner"] for card in response.context["cards"]["people"]]
    assert people == [early.practitioner, late.practitioner]


def test_a_time_at_either_of_two_places_leads_to_that_place(client):
    morning = perez()
    afternoon = second_place(morning)
    open_week(afternoon.schedule, dt.time(15), dt.time(17))
    found = " ".join(links(client, "/horarios/", what="cardiologia/consulta", who="jose-perez"))
    # The clinic is three hours behind UTC.
    for offering, hours in ((morning, {"12", "13"}), (afternoon, {"18", "19"})):
        assert set(re.findall(rf"offering={offering.pk}&start=[^T]+T(\d\d)", found)) == hours


def at_two_places() -> tuple[ServiceOffering, ServiceOffering]:
    """Mornings in one place, afternoons in the other; somebody else works in the first."""
    morning = perez()
    morning.location.name = "Sur"
    morning.location.save()
    afternoon = second_place(morning, location__name="Norte", slot_step=60)
    open_week(afternoon.schedule, dt.time(10), dt.time(16))
    open_offering(schedule__location=morning.location, service=morning.service)
    return morning, afternoon


def days_of(card: str) -> list[str]:
    """What stands under the heading of each day, as it is seen."""
    seen = re.sub(r'<span class="visually-hidden">.*?</span>', "", card)
    days = re.findall(r'<section class="slot-day">.*?</h\d>(.*?)</section>', seen, re.DOTALL)
    return [" ".join(strip_tags(day.replace("<", " <")).split()) for day in days]


def test_a_card_says_which_of_two_places_each_time_is_at(client):
    at_two_places()
    page = client.get("/horarios/", {"what": "cardiologia"}).content.decode()
    cards = re.findall(r'<li class="card">.*?All times of', page, re.DOTALL)
    by_name = {"Pérez" in card: days_of(card) for card in cards}
    # Five times a day on a card, in the order of the clock; where both are open, each place apart.
    assert by_name[True][0] == "Sur 9:00 9:30 10:00 10:30 Norte 10:00"
    assert "Sur" not in " ".join(by_name[False])
    names = re.findall(r">9:00<span[^>]*>([^<]*)<", cards[0])
    assert names
    assert all(name.count("Sur") == 1 for name in names)


def test_the_times_of_one_practitioner_stand_under_their_place(client):
    at_two_places()
    page = client.get("/horarios/", {"what": "cardiologia", "who": "jose-perez"}).content.decode()
    sur, norte = "Sur 9:00 9:30 10:00 10:30", "Norte 10:00 11:00 12:00 13:00 14:00 15:00"
    assert days_of(page)[0] == f"{sur} {norte}"


def first_time(response) -> str:
    found = re.search(r'<p class="first-time">.*?</p>', response.content.decode(), re.DOTALL)
    seen = re.sub(r'<span class="visually-hidden">.*?</span>', "", found[0] if found else "")
    return strip_tags(seen)


@pytest.mark.parametrize("query", [{"what": "cardiologia"}, {"who": "jose-perez"}])
def test_the_first_time_says_where_if_there_is_a_choice(client, query):
    morning, afternoon = at_two_places()
    assert "Sur" in first_time(client.get("/horarios/", query))
    afternoon.delete()
    assert "Sur" not in first_time(client.get("/horarios/", query))
    assert morning.location.name == "Sur"


def test_the_list_of_practitioners_says_where_the_first_time_is(client):
    at_two_places()
    cards = client.get("/profesionales/").content.decode().split('<article class="card')[1:]
    of = {"Pérez" in card: card for card in cards}
    assert re.search(r'<span class="note">Sur</span></p>', of[True])
    assert not re.search(r'<span class="note">Sur</span></p>', of[False])


def test_times_of_other_locations_can_be_left_out(client):
    offering = perez()
    other = LocationFactory.create(name="Norte", slug="norte")
    open_offering(schedule=ScheduleFactory.create(location=other), service=offering.service)
    response = client.get("/horarios/", {"what": "cardiologia", "where": "norte"})
    assert response.context["alone"]["practitioner"] != offering.practitioner


@pytest.mark.parametrize("address", ["/horarios/", "/profesionales/", "/"])
@pytest.mark.parametrize(
    "query",
    [
        {"since": "0000-00-00"},
        {"since": "2026-02-30"},
        {"since": "9999-12-31", "what": "cardiologia"},
        {"since": "1900-01-01", "what": "cardiologia"},
        {"since": "31/12/2199", "what": "cardiologia"},
        {"page": "9" * 30, "what": "cardiologia", "q": "a"},
        {"page": "-1", "what": "cardiologia"},
        {"what": "x" * 10_000},
        {"who": "y" * 10_000},
        {"q": "z" * 10_000},
        {"q": "\x00", "who": "\x00", "what": "\x00", "since": "\x00"},
        {"what": "cardiologia/", "where": "nowhere", "specialty": "none"},
    ],
)
def test_no_query_string_breaks_a_page(client, address, query):
    perez()
    assert client.get(address, query).status_code in {200, 422}


def test_a_date_that_is_none_keeps_what_was_typed(client):
    perez()
    response = client.get("/horarios/", {"what": "cardiologia", "since": "30/2/2026"})
    assert response.status_code == 422
    page = response.content.decode()
    assert 'value="30/2/2026"' in page
    assert 'value="cardiologia" selected' in page


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-12-11", "Nothing free in the first seven days. The next free time is:"),
        ("2026-11-27", "Nothing free in these days. The next free time is:"),
    ],
)
def test_who_is_free_later_is_said_to_be(client, until, said):
    """A range in words too; the way to all their times is a search that can be shared."""
    offering, other = perez(), open_offering()
    other.service.specialty = offering.service.specialty
    other.service.save()
    for row in (offering, other):
        row.schedule.hours.update(valid_from=dt.date(2026, 12, 2))
    since = "23 de noviembre de 2026" if until > "2026-12" else "23/11/2026"
    query = {"what": "cardiologia", "since": since, "until": until}
    response = client.get("/horarios/", query)
    assert said in words(response)
    for card in response.context["cards"]["people"]:
        assert "since=2026-12-02" in card["all_url"]
        assert client.get("/horarios/" + card["all_url"]).context["alone"]["days"]


def test_the_way_to_all_times_keeps_a_date_in_words(client):
    offering, other = perez(), open_offering()
    other.service.specialty = offering.service.specialty
    other.service.save()
    for typed in ("1 de diciembre de 2026", "martes 1/12/2026", "2026-12-01"):
        response = client.get("/horarios/", {"what": "cardiologia", "since": typed})
        for card in response.context["cards"]["people"]:
            assert "since=2026-12-01" in card["all_url"]
            assert client.get("/horarios/" + card["all_url"]).status_code == 200


def test_practitioners_are_found_by_name_and_specialty(client):
    offering = perez()
    open_offering()
    response = client.get("/profesionales/", {"q": "PEREZ"})
    assert [row["practitioner"] for row in response.context["people"]] == [offering.practitioner]
    response = client.get("/profesionales/", {"specialty": "cardiologia"})
    assert [row["practitioner"] for row in response.context["people"]] == [offering.practitioner]
    assert len(client.get("/profesionales/").context["people"]) == 2


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    "words",
    ["perez", "Pérez", "cardiologia", "CARDIOLOGÍA", "electro", "perez cardio", "consulta josé"],
)
def test_both_boxes_find_a_name_a_specialty_or_a_service(client, language, words):
    client.cookies["django_language"] = language
    offering = perez()
    electro = ServiceFactory.create(specialty=offering.service.specialty, name="Electro")
    ServiceOfferingFactory.create(schedule=offering.schedule, service=electro)
    skin = SpecialtyFactory.create(name="Dermatología")
    open_offering(service=ServiceFactory.create(specialty=skin, name="Control"))
    alone = client.get("/horarios/", {"who": words}).context["alone"]
    assert alone["practitioner"] == offering.practitioner
    response = client.get("/profesionales/", {"q": words})
    assert [row["practitioner"] for row in response.context["people"]] == [offering.practitioner]


@pytest.mark.parametrize("words", ["perez dermatologia", "cardiologia gomez", "electro"])
def test_each_word_has_to_be_of_the_same_offering(client, words):
    perez()
    skin = SpecialtyFactory.create(name="Dermatología")
    open_offering(service=ServiceFactory.create(specialty=skin, name="Control"))
    assert "Nobody matches this search" in client.get("/horarios/", {"who": words}).content.decode()
    assert client.get("/profesionales/", {"q": words}).context["people"] == []


@pytest.mark.parametrize(
    ("language", "label"), [("es", "Nombre o especialidad"), ("en", "Name or specialty")]
)
def test_the_boxes_say_what_they_take(client, language, label):
    client.cookies["django_language"] = language
    perez()
    assert f">{label}</label>" in client.get("/profesionales/").content.decode()
    words = {"es": "Un nombre o una especialidad", "en": "A name or a specialty"}[language]
    assert words in client.get("/").content.decode()


def test_a_practitioner_has_a_page_and_an_inactive_one_has_none(client):
    offering = perez()
    page = client.get("/profesionales/jose-perez/")
    assert "Dr. José Pérez" in page.content.decode()
    offering.practitioner.is_active = False
    offering.practitioner.save()
    assert client.get("/profesionales/jose-perez/").status_code == 404


def test_a_patient_sees_the_next_appointment_and_books_again_in_two_clicks(client):
    offering = perez()
    user = patient_user()
    patient = user.patient_accesses.get().patient
    book(offering=offering, patient=patient, start=at(9, days=1))
    past = book(
        offering=offering,
        patient=patient,
        start=at(10, days=-7),
        now=NOW - dt.timedelta(days=10),
    )
    client.force_login(user)
    response = client.get("/")
    assert response.context["next_appointment"].start == at(9, days=1)
    assert past.reference not in response.content.decode()
    again = response.context["again"]
    assert [row["url"] for row in again] == [
        f"/reservar/?offering={offering.pk}&start=2026-11-23T12%3A00Z&again=1"
    ]


@pytest.mark.parametrize("number", [1, 30])
@pytest.mark.parametrize(
    ("address", "queries"),
    [("/", 5), ("/horarios/?what=cardiologia", 27), ("/profesionales/", 21)],
)
def test_the_number_of_queries_does_not_grow(
    client, django_assert_max_num_queries, number, address, queries
):
    offering = perez()
    for _n in range(number - 1):
        ServiceOfferingFactory.create(service=offering.service)
    client.get(address)
    with django_assert_max_num_queries(queries):
        client.get(address)


@pytest.mark.parametrize(
    "address", ["/", "/horarios/?what=cardiologia", "/profesionales/jose-perez/"]
)
def test_looking_writes_nothing(client, address):
    perez()
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    assert [q["sql"] for q in queries.captured_queries if not q["sql"].startswith("SELECT")] == []


def test_the_form_of_a_practitioners_page_shows_the_name_and_keeps_the_rest(client):
    offering = new_practice()
    second = second_place(offering)
    open_week(second.schedule)
    asked = {"who": offering.practitioner.slug, "where": offering.location.slug, "part": "morning"}
    response = client.get("/horarios/", asked)
    page = response.content.decode()
    assert response.status_code == 200
    assert f'name="who" value="{offering.practitioner.full_name}"' in page
    assert f'<option value="{offering.location.slug}" selected>' in page
    assert '<option value="morning" selected>' in page
