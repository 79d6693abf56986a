"""Who comes first in a search, however far ahead it had to look."""

import datetime as dt
import random

import pytest

from appointments import availability, timetable
from appointments.tests.factories import NOW, at
from clinic.models import Organization
from clinic.tests.factories import LocationFactory, ServiceFactory
from scheduling.models import ServiceOffering, TimeOff
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_week

pytestmark = pytest.mark.django_db
HORIZON = 60


@pytest.fixture
def offerings() -> list[ServiceOffering]:
    """Twelve practitioners, free again after none to ninety days; some at two places."""
    service, rng = ServiceFactory.create(), random.Random(5)
    for away in (0, 0, 1, 2, 4, 6, 7, 9, 20, 22, 40, 90):
        schedule = ScheduleFactory.create()
        schedules = [schedule]
        if rng.random() < 0.5:
            madrid = LocationFactory.create(time_zone="Europe/Madrid")
            schedules.append(
                ScheduleFactory.create(practitioner=schedule.practitioner, location=madrid)
            )
        for one in schedules:
            open_week(one, dt.time(rng.randint(8, 12)), dt.time(17))
            ServiceOfferingFactory.create(schedule=one, service=service)
        if away:
            TimeOff.objects.create(
                practitioner=schedule.practitioner,
                starts_at=NOW - dt.timedelta(days=1),
                ends_at=NOW + dt.timedelta(days=away),
            )
    rows = list(ServiceOffering.objects.online().with_parts())
    rng.shuffle(rows)
    return rows


def lineup(offerings, **fields) -> timetable.Lineup:
    organization = Organization.current()
    ask = {"first": NOW.date(), "now": NOW, "organization": organization, **fields}
    return timetable.times(offerings, **ask)


def plainly(offerings) -> list[tuple[int, dt.datetime | None]]:
    """Every slot up to the horizon, the first of each practitioner, sorted."""
    slots = availability.free_slots(
        offerings, start=NOW, end=NOW + dt.timedelta(days=HORIZON), now=NOW
    )
    person = {o.pk: o.schedule.practitioner_id for o in offerings}
    firsts: dict[int, dt.datetime | None] = {}
    for slot in slots:
        firsts.setdefault(person[slot.offering_id], slot.start)
    for pk in sorted(set(person.values())):
        firsts.setdefault(pk, None)
    never = NOW + dt.timedelta(days=999)
    return sorted(firsts.items(), key=lambda one: (one[1] or never, one[0]))


def shown(times: timetable.PractitionerTimes) -> tuple[int, dt.datetime | None]:
    first = times.first or times.later
    return times.practitioner.pk, first.start if first else None


@pytest.mark.parametrize("many", [0, 5, 100])
@pytest.mark.parametrize("a_few", [0, 100])
def test_the_order_is_that_of_all_first_times(offerings, monkeypatch, many, a_few):
    monkeypatch.setattr(timetable, "MANY", many)
    monkeypatch.setattr(timetable, "A_FEW", a_few)
    expected = plainly(offerings)
    assert [pk for pk, first in expected if first is None] == [expected[-1][0]]
    assert [shown(one) for one in lineup(offerings)] == expected
    # Page by page, whichever is asked for first.
    found = lineup(offerings)
    for start in (5, 0, 10):
        page = [shown(one) for one in found[start : start + 5]]
        assert page == expected[start : start + 5]
    assert lineup(offerings).first.start == expected[0][1]
    assert len(found) == 12
    assert shown(found[-1]) == expected[-1]
    assert found[12:] == []
    with pytest.raises(IndexError):
        found[12]


@pytest.mark.parametrize("many", [0, 100])
def test_a_card_has_all_times_of_its_window_and_no_other(offerings, monkeypatch, many):
    monkeypatch.setattr(timetable, "MANY", many)
    schedules = [offering.schedule for offering in offerings]
    start, end = timetable.window(schedules, NOW.date(), timetable.WINDOW_DAYS)
    slots = availability.free_slots(offerings, start=start, end=end, now=NOW)
    for one in lineup(offerings):
        theirs = {o.pk for o in offerings if o.practitioner == one.practitioner}
        found = [offered.slot for day in one.days() for offered in day.slots]
        assert sorted(found) == [slot for slot in slots if slot.offering_id in theirs]
        assert bool(found) == (one.later is None) or shown(one)[1] is None
        days = list(one.days(most_times=2))
        assert [day.date for day in days] == sorted({day.date for day in one.days()})
        assert all(1 <= len(day.slots) <= 2 for day in days)
        assert all(offered.day == day.date for day in days for offered in day.slots)


def test_a_range_shortens_the_window_and_not_what_comes_later(offerings):
    found = lineup(offerings, last=at(0, days=1).date())
    assert [shown(one) for one in found] == plainly(offerings)
    days = {day.date for one in found for day in one.days()}
    assert days <= {NOW.date(), at(0, days=1).date(), at(0, days=2).date()}


def test_nobody_at_all():
    found = lineup([])
    assert (len(found), found.first, list(found)) == (0, None, [])


def test_nothing_is_first_of_nothing():
    clinic = Organization.current()
    assert timetable.first_slots([], start=NOW, now=NOW, organization=clinic) == {}
    assert list(timetable.times([], first=NOW.date(), now=NOW, organization=clinic)) == []
