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


def several_services(rng: random.Random) -> list[ServiceOffering]:
    """Practitioners with up to three services at up to two places, each with rules of its own."""
    services = ServiceFactory.create_batch(3)
    madrid = LocationFactory.create(time_zone="Europe/Madrid")
    for _n in range(6):
        schedule = ScheduleFactory.create(slot_step=rng.choice([15, 20, 30]))
        schedules = [schedule]
        if rng.random() < 0.4:
            elsewhere = {"practitioner": schedule.practitioner, "location": madrid}
            schedules.append(ScheduleFactory.create(**elsewhere, slot_step=rng.choice([10, 45])))
        for one in schedules:
            open_week(one, dt.time(rng.randint(7, 15), rng.choice([0, 10])), dt.time(18))
            for service in rng.sample(services, rng.randint(1, 3)):
                ServiceOfferingFactory.create(
                    schedule=one,
                    service=service,
                    duration=rng.choice([15, 30, 50, 120]),
                    buffer_before=rng.choice([None, 5, 30]),
                    buffer_after=rng.choice([None, 10]),
                    min_notice_minutes=rng.choice([None, 0, 60 * 30, 60 * 24 * 5]),
                    horizon_days=rng.choice([None, 2, 10]),
                )
        for _gap in range(rng.randint(0, 12)):
            start = NOW + dt.timedelta(minutes=5 * rng.randint(0, 12 * 24 * 4))
            end = start + dt.timedelta(minutes=5 * rng.randint(2, 100))
            ends = {"starts_at": start, "ends_at": end}
            TimeOff.objects.create(practitioner=schedule.practitioner, **ends)
    return list(ServiceOffering.objects.online().with_parts())


@pytest.mark.parametrize("part", [None, *timetable.PartOfDay])
@pytest.mark.parametrize("seed", range(6))
def test_of_several_services_it_is_the_one_that_begins_first(monkeypatch, seed, part):
    """Against every start of everything: whatever was not reckoned would have changed nothing."""
    monkeypatch.setattr(timetable, "MANY", (0, 100)[seed % 2])
    monkeypatch.setattr(timetable, "A_FEW", (0, 9)[seed // 2 % 2])
    rng = random.Random(seed)
    rows = several_services(rng)
    rng.shuffle(rows)
    everything = availability.free_time(
        rows, start=NOW, end=NOW + dt.timedelta(days=HORIZON), now=NOW
    )
    by_person: dict[int, list[availability.FreeTime]] = {}
    for free in timetable.in_part(everything, part):
        if free.starts:
            by_person.setdefault(free.offering.practitioner.pk, []).append(free)
    expected = []
    for pk, frees in by_person.items():
        # min: of two that begin at once the one that comes first in the list.
        first = min(frees, key=lambda free: free.first.start)
        same = [free for free in frees if free.offering.service_id == first.offering.service_id]
        starts = sorted((slot.start, slot.offering_id) for free in same for slot in free.slots())
        expected.append((starts[0][0], pk, starts))
    expected.sort()
    found = lineup(rows, part=part)
    beyond = window_end(rows)
    assert len({free.offering.service_id for free in everything}) == 3
    for place, (begins, pk, starts) in enumerate(expected):
        times = found[place]
        assert times.practitioner.pk == pk
        if begins < beyond:
            shown_there = [(o.start, o.offering.pk) for day in times.days() for o in day.slots]
            assert shown_there == [one for one in starts if one[0] < beyond]
        else:
            assert (times.later.start, times.later.offering.pk) == starts[0]
            assert times.free == []
    assert [times.first or times.later for times in found[len(expected) :]] == [None] * (
        len(found) - len(expected)
    )


def window_end(rows: list[ServiceOffering]) -> dt.datetime:
    schedules = [row.schedule for row in rows]
    return timetable.window(schedules, NOW.date(), timetable.WINDOW_DAYS)[1]
