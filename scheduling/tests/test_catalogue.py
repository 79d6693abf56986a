"""What a process remembers is what the database says, until the edition changes."""

from typing import Any

import pytest

from accounts.models import Practitioner
from accounts.tests.factories import PractitionerFactory
from clinic.models import Insurer, Location, Organization, Service, Specialty
from clinic.tests.factories import InsurerFactory
from scheduling.catalogue import Catalogue, catalogue
from scheduling.models import Schedule, ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db


def known() -> Catalogue:
    return catalogue(Organization.current())


def agrees() -> bool:
    """The catalogue against the queries that it stands for."""
    now = known()
    online = ServiceOffering.objects.online()
    services = Service.objects.filter(offerings__in=online).distinct()
    insurers = Insurer.objects.filter(
        is_active=True, practitioners__in=online.values("schedule__practitioner")
    )
    return (
        now.offerings == list(ServiceOffering.objects.bookable().order_by("pk"))
        and now.online == list(online.order_by("pk"))
        and list(now.schedules.values()) == list(Schedule.objects.active().order_by("pk"))
        and now.services == list(services.order_by("search_text"))
        and now.specialties
        == list(Specialty.objects.filter(services__in=services).distinct().order_by("search_text"))
        and now.locations
        == list(
            Location.objects.filter(schedules__offerings__in=online)
            .distinct()
            .order_by("search_text")
        )
        and now.insurers == list(insurers.distinct().order_by("search_text"))
        and set(now.people) == set(Practitioner.objects.active().values_list("pk", flat=True))
    )


def test_it_says_what_the_database_says():
    for _n in range(3):
        open_offering().practitioner.insurers.add(InsurerFactory.create())
    PractitionerFactory.create()
    assert agrees()
    assert len(known().online) == len(known().insurers) == 3


@pytest.mark.parametrize(
    "part", ["practitioner", "location", "schedule", "specialty", "service", "offering", "online"]
)
def test_what_is_switched_off_is_gone_at_once(part):
    offering, other = open_offering(), open_offering()
    offering.practitioner.insurers.add(InsurerFactory.create())
    assert agrees()
    row: Any = {
        "practitioner": offering.practitioner,
        "location": offering.location,
        "schedule": offering.schedule,
        "specialty": offering.service.specialty,
        "service": offering.service,
    }.get(part, offering)
    row.is_active = part == "online"
    if part == "online":
        row.booked_online_by = "staff"
    row.save()
    assert agrees()
    assert known().online == [other]
    assert known().insurers == []


def test_its_rows_bring_their_parts_without_a_question(django_assert_num_queries):
    open_offering()
    now = known()
    (offering,) = now.offerings
    with django_assert_num_queries(0):
        assert catalogue(now.organization).offerings == [offering]
        assert offering.practitioner == offering.schedule.practitioner
        assert offering.location.name
        assert offering.service.specialty.name


@pytest.mark.parametrize("read_before", ["people", "places", "every_service", "schedules"])
def test_what_is_new_since_the_first_look_is_left_out(read_before):
    old = open_offering()
    begun = known()
    getattr(begun, read_before)
    open_offering()
    assert begun.offerings == [old]
    assert agrees()
