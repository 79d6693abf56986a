"""Free times around the clock changes of seven zones: what is shown, and what can be booked."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from appointments import availability
from appointments.tests.factories import book
from clinic.tests.factories import LocationFactory
from scheduling.models import ServiceOffering
from scheduling.slots import Slot
from scheduling.tests.factories import ScheduleFactory, open_offering

pytestmark = pytest.mark.django_db

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

#: Zone, the evening before the change, and by how much the night is shorter or longer.
CHANGES = [
    ("Europe/Madrid", "2026-03-28", -1),
    ("Europe/Madrid", "2026-10-24", 1),
    # At midnight itself.
    ("America/Santiago", "2026-09-05", -1),
    ("America/Santiago", "2026-04-04", 1),
    ("America/Asuncion", "2024-10-05", -1),
    ("America/Asuncion", "2024-03-23", 1),
    ("America/Argentina/Buenos_Aires", "2008-10-18", -1),
    ("America/Argentina/Buenos_Aires", "2009-03-14", 1),
    ("America/Mexico_City", "2022-04-02", -1),
    ("America/Mexico_City", "2022-10-29", 1),
    ("Atlantic/Canary", "2026-03-28", -1),
    ("Atlantic/Canary", "2026-10-24", 1),
    # For Ramadan, and back.
    ("Africa/Casablanca", "2026-02-14", 1),
    ("Africa/Casablanca", "2026-03-21", -1),
]
#: Nights like any other, which a calendar may get wrong.
PLAIN = [
    ("America/Argentina/Buenos_Aires", "2026-12-31", 0),
    ("Europe/Madrid", "2028-02-28", 0),
    ("Europe/Madrid", "2028-02-29", 0),
    # Zones that gave their summer time up.
    ("America/Mexico_City", "2026-04-04", 0),
    ("America/Asuncion", "2026-10-03", 0),
]


def open_in(zone: str, start: int, end: int) -> ServiceOffering:
    """An hour each, the same hours every day on the wall of this zone."""
    schedule = ScheduleFactory.create(location=LocationFactory.create(time_zone=zone), slot_step=60)
    return open_offering(start=dt.time(start), end=dt.time(end), schedule=schedule, duration=60)


def wall(day: dt.date, zone: str, hour: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), tzinfo=ZoneInfo(zone))


def slots(offering: ServiceOffering, first: dt.datetime, last: dt.datetime) -> list[Slot]:
    offerings = list(ServiceOffering.objects.with_parts().filter(pk=offering.pk))
    return availability.free_slots(offerings, start=first, end=last, now=first - 3 * DAY)


@pytest.mark.parametrize(("zone", "evening", "longer"), CHANGES)
def test_agreed_hours_stay_on_the_wall_when_the_offset_changes(zone, evening, longer):
    offering, eve = open_in(zone, 9, 12), dt.date.fromisoformat(evening)
    starts = []
    for day in (eve, eve + DAY):
        found = slots(offering, wall(day, zone), wall(day, zone, 23))
        assert [s.start.astimezone(ZoneInfo(zone)).hour for s in found] == [9, 10, 11]
        starts.append(found[0].start)
    assert starts[1] - starts[0] == DAY + longer * HOUR


@pytest.mark.parametrize(("zone", "evening", "longer"), [*CHANGES, *PLAIN])
def test_a_night_has_as_many_times_as_hours_pass(zone, evening, longer):
    """From 22:00 to 6:00 on the wall. Each is one instant, and each can be booked."""
    offering, eve = open_in(zone, 22, 6), dt.date.fromisoformat(evening)
    found = slots(offering, wall(eve, zone, 22), wall(eve + DAY, zone, 6))
    assert len(found) == 8 + longer
    first = wall(eve, zone, 22).astimezone(dt.UTC)
    assert [slot.start for slot in found] == [first + n * HOUR for n in range(8 + longer)]
    now = found[0].start - DAY
    for slot in found:
        assert availability.check(offering, start=slot.start, now=now, online=True) == slot


@pytest.mark.parametrize(("zone", "evening", "longer"), [c for c in CHANGES if c[2] == 1])
def test_an_hour_that_comes_twice_is_two_times_and_both_can_be_taken(zone, evening, longer):
    offering, eve = open_in(zone, 22, 6), dt.date.fromisoformat(evening)
    found = slots(offering, wall(eve, zone, 22), wall(eve + DAY, zone, 6))
    shown = [slot.start.astimezone(ZoneInfo(zone)).hour for slot in found]
    twice = [slot for slot, hour in zip(found, shown, strict=True) if shown.count(hour) == 2]
    assert len(twice) == 2
    assert twice[1].start - twice[0].start == longer * HOUR
    for slot in twice:
        book(offering=offering, start=slot.start, now=slot.start - DAY)
    left = slots(offering, wall(eve, zone, 22), wall(eve + DAY, zone, 6))
    assert [slot for slot in found if slot not in left] == twice


@pytest.mark.parametrize(("zone", "evening", "longer"), [c for c in CHANGES if c[2] == -1])
def test_an_hour_that_is_skipped_is_no_time(zone, evening, longer):
    offering, eve = open_in(zone, 22, 6), dt.date.fromisoformat(evening)
    found = slots(offering, wall(eve, zone, 22), wall(eve + DAY, zone, 6))
    shown = [slot.start.astimezone(ZoneInfo(zone)).hour for slot in found]
    assert len(set(shown)) == len(shown) == 8 + longer
