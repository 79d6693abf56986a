"""The busy days beside the appointments are always those of the appointments."""

import datetime as dt
from collections import Counter, defaultdict

import pytest
from django.core.management import call_command
from django.db import models

from accounts.tests.factories import PatientFactory
from appointments import availability, busy_days, integrity, services
from appointments.exceptions import SlotTaken
from appointments.models import Appointment, BusyDay
from appointments.tests.factories import NOW, at, book, desk
from clinic.models import Organization
from clinic.tests.factories import LocationFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import (
    ScheduleFactory,
    ServiceOfferingFactory,
    open_offering,
    open_week,
)

pytestmark = pytest.mark.django_db


def kept() -> dict[busy_days.Key, int]:
    """The days as they stand in the table, empty ones left out."""
    return {
        (row.practitioner_id, row.location_id, row.day): mask
        for row in BusyDay.objects.all()
        if (mask := int.from_bytes(row.cells, "little"))
    }


def due() -> dict[busy_days.Key, int]:
    people = set(Appointment.objects.values_list("practitioner", flat=True))
    return dict(busy_days.expected(people, 20_000, 22_000))


def test_booking_and_cancelling_keep_the_days_true():
    offering = open_offering(buffer_after=10)
    first = book(offering=offering, start=at(10))
    book(offering=offering, start=at(12))
    (key,) = kept()
    assert kept() == due()
    assert kept()[key].bit_count() == 2 * 8
    services.cancel(appointment=first, by=desk(), reason="x", now=NOW)
    assert kept() == due()
    assert kept()[key].bit_count() == 8


def test_a_visit_across_midnight_utc_is_in_both_days():
    # 20:45 in Buenos Aires is 23:45 UTC.
    offering = open_offering(start=dt.time(20), end=dt.time(23), duration=30)
    book(offering=offering, start=at(20, 45))
    assert sorted(mask.bit_count() for mask in kept().values()) == [3, 3]
    assert kept() == due()


def test_the_command_writes_them_anew(capsys):
    for hour in (9, 11, 15):
        book(start=at(hour))
    before = kept()
    models.QuerySet(BusyDay).delete()
    call_command("rebuild_busy_days")
    assert kept() == before
    assert capsys.readouterr().out == "3 busy days written.\n"


def test_a_wrong_map_shows_a_wrong_time_and_books_nothing():
    """What is kept for speed never decides: the guard looks at the appointments."""
    offering = open_offering()
    book(offering=offering, start=at(10))
    models.QuerySet(BusyDay).delete()
    offerings = list(ServiceOffering.objects.online().with_parts())
    shown = availability.free_slots(offerings, start=at(10), end=at(10, 30), now=NOW)
    assert [slot.start for slot in shown] == [at(10)]
    with pytest.raises(SlotTaken):
        book(offering=offering, start=at(10))


def test_the_map_and_the_appointments_agree_about_every_start():
    offering = open_offering(buffer_before=5, duration=25)
    for hour, minute in ((9, 0), (10, 35), (14, 20)):
        book(offering=offering, start=at(hour, minute), patient=PatientFactory.create())
    offerings = list(ServiceOffering.objects.online().with_parts())
    shown = availability.free_slots(offerings, start=at(8), end=at(18), now=NOW)
    assert shown
    for slot in shown:
        assert availability.check(offering, start=slot.start, now=NOW, online=True) == slot


@pytest.fixture
def two_places() -> tuple[ServiceOffering, ServiceOffering]:
    """One practitioner, two locations, all day open at both."""
    here = open_offering()
    there = ServiceOfferingFactory.create(
        schedule=ScheduleFactory.create(
            practitioner=here.practitioner, location=LocationFactory.create()
        ),
        service=here.service,
    )
    open_week(there.schedule)
    return here, there


def clocks(offering: ServiceOffering) -> set[str]:
    offerings = list(ServiceOffering.objects.online().with_parts().filter(pk=offering.pk))
    found = availability.free_slots(offerings, start=at(9), end=at(13), now=NOW)
    return {f"{slot.start.astimezone(offering.location.zone):%H:%M}" for slot in found}


@pytest.mark.parametrize(
    ("clinic", "own", "lost"),
    [
        (0, None, {"11:00"}),
        (30, None, {"10:30", "11:00", "11:30"}),
        (0, 60, {"10:00", "10:30", "11:00", "11:30", "12:00"}),
    ],
)
def test_between_two_locations_there_is_time_to_travel(two_places, clinic, own, lost):
    here, there = two_places
    Organization.current()
    Organization.objects.update(travel_minutes=clinic)
    practitioner = here.practitioner
    practitioner.travel_minutes = own
    practitioner.save()
    every = clocks(there)
    book(offering=here, start=at(11))
    assert every - clocks(there) == lost
    assert every - clocks(here) == {"11:00"}
    with pytest.raises(SlotTaken):
        book(offering=there, start=at(11))


def test_keys_name_each_day_once():
    keys: dict[busy_days.Key, int] = defaultdict(int)
    for key in busy_days.keys_of(book(start=at(10))):
        keys[key] += 1
    assert list(keys.values()) == [1]


def test_the_check_of_the_promises_finds_a_wrong_day():
    book(start=at(10))
    assert list(integrity.busy(Counter())) == []
    models.QuerySet(BusyDay).update(cells=b"\x01" + b"\x00" * 35)
    assert [breach.promise for breach in integrity.busy(Counter())] == ["busy days"]
    call_command("rebuild_busy_days")
    assert list(integrity.busy(Counter())) == []
