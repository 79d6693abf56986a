"""What is proposed instead of a time that is gone, against ranking every free time there is."""

import datetime as dt
import random

import pytest

from accounts.tests.factories import patient_user
from appointments import availability, holds, timetable
from appointments.exceptions import Refusal
from appointments.tests.factories import NOW, at, book
from clinic.tests.factories import LocationFactory, ServiceFactory
from scheduling.models import ServiceOffering, TimeOff
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_week

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
Found = list[tuple[int, dt.datetime]]


def practice(seed: int) -> list[ServiceOffering]:
    """Six practitioners of one service, some at two places, some away or full for days."""
    rng, service = random.Random(seed), ServiceFactory.create()
    for _n in range(6):
        schedules = [ScheduleFactory.create(slot_step=rng.choice([20, 30, 45]))]
        if rng.random() < 0.4:
            madrid = LocationFactory.create(time_zone="Europe/Madrid")
            schedules.append(
                ScheduleFactory.create(practitioner=schedules[0].practitioner, location=madrid)
            )
        for schedule in schedules:
            start = rng.randint(8, 14)
            open_week(schedule, dt.time(start), dt.time(start + rng.randint(1, 5)))
            ServiceOfferingFactory.create(schedule=schedule, service=service)
        if rng.random() < 0.6:
            begins = NOW + rng.randint(-2, 3) * DAY
            TimeOff.objects.create(
                practitioner=schedules[0].practitioner,
                starts_at=begins,
                ends_at=begins + rng.choice([1, 3, 8, 23, 60]) * DAY,
            )
    return list(ServiceOffering.objects.online().with_parts().order_by("pk"))


def fill(offerings: list[ServiceOffering], rng: random.Random) -> None:
    for _n in range(20):
        start = at(rng.randint(8, 18), rng.choice([0, 20, 30, 40]), days=rng.randint(1, 6))
        try:
            book(offering=rng.choice(offerings), start=start)
        except Refusal:
            continue


def plainly(offering, around, *, same=3, others=2, holder=None) -> tuple[Found, Found]:
    """Every free time from three days before to three weeks after, ranked."""
    offerings = ServiceOffering.objects.online().with_parts().filter(service=offering.service)
    by_id = {o.pk: o for o in offerings}
    around = max(around, NOW)
    slots = availability.free_slots(
        list(by_id.values()),
        start=max(NOW, around - 3 * DAY),
        end=around + 21 * DAY,
        now=NOW,
        holder=holder,
    )
    ranked = sorted(slots, key=lambda s: (abs(s.start - around), s.start, s.offering_id))
    me = offering.practitioner
    here: Found = []
    there: dict[int, tuple[int, dt.datetime]] = {}
    for slot in ranked:
        practitioner = by_id[slot.offering_id].practitioner
        if practitioner != me:
            there.setdefault(practitioner.pk, (slot.offering_id, slot.start))
        elif slot.start != around:
            here.append((slot.offering_id, slot.start))
    return in_order(here[:same]), in_order(list(there.values())[:others])


def in_order(found: Found) -> Found:
    return sorted(found, key=lambda one: (one[1], one[0]))


def proposed(offering, around, **fields) -> tuple[Found, Found]:
    found = timetable.nearest(offering, around=around, now=NOW, **fields)
    for one in (*found[0], *found[1]):
        assert one.slot.end - one.start == dt.timedelta(minutes=one.offering.minutes)
        assert one.slot.offering_id == one.offering.pk
    mine, others = ([(o.offering.pk, o.start) for o in rows] for rows in found)
    return mine, others


@pytest.mark.once
@pytest.mark.parametrize("several", [0, 100])
@pytest.mark.parametrize("nearer", [dt.timedelta(hours=2), DAY])
@pytest.mark.parametrize("seed", range(3))
def test_the_proposals_are_those_of_looking_at_everything(seed, nearer, several, monkeypatch):
    monkeypatch.setattr(timetable, "_SEVERAL", several)
    monkeypatch.setattr(timetable, "_NEARER", nearer)
    offerings, rng = practice(seed), random.Random(seed)
    fill(offerings, rng)
    for _n in range(6):
        offering = rng.choice(offerings)
        days = rng.choice([-1, 0, 1, 2, 4, 7, 30, 59, 80])
        around = at(rng.randint(7, 20), rng.choice([0, 5, 20, 30]), days=days)
        around += dt.timedelta(seconds=rng.choice([0, 0, 30]))
        assert proposed(offering, around) == plainly(offering, around)
        many = {"same": 12, "others": 4}
        assert proposed(offering, around, **many) == plainly(offering, around, **many)


def two_alike() -> tuple[ServiceOffering, ServiceOffering]:
    """Two practitioners who are open at the same times."""
    service = ServiceFactory.create()
    schedules = [ScheduleFactory.create(), ScheduleFactory.create()]
    for schedule in schedules:
        open_week(schedule)
    one, other = (ServiceOfferingFactory.create(schedule=s, service=service) for s in schedules)
    return one, other


@pytest.mark.parametrize("several", [0, 100])
def test_the_time_itself_is_proposed_with_others_only(several, monkeypatch):
    monkeypatch.setattr(timetable, "_SEVERAL", several)
    mine, theirs = two_alike()
    here, there = proposed(mine, at(10))
    assert here == [(mine.pk, start) for start in (at(9), at(9, 30), at(10, 30))]
    assert there == [(theirs.pk, at(10))]
    assert (here, there) == plainly(mine, at(10))


def test_what_somebody_holds_is_free_to_them_alone():
    offering, _other = two_alike()
    user = patient_user()
    holds.take(offering=offering, start=at(10, 30), user=user, now=NOW)
    for holder, expected in (
        (user, [at(9, 30), at(10, 30), at(9)]),
        (None, [at(9, 30), at(9), at(11)]),
    ):
        here, there = proposed(offering, at(10), holder=holder)
        assert sorted(start for _pk, start in here) == sorted(expected)
        assert (here, there) == plainly(offering, at(10), holder=holder)


def test_nothing_is_proposed_of_who_cannot_be_booked_online():
    mine, theirs = two_alike()
    for offering in (theirs, mine):
        offering.booked_online_by = "staff"
        offering.save()
        assert proposed(mine, at(10))[1] == []
    assert proposed(mine, at(10)) == ([], [])


@pytest.mark.parametrize("others", [1, 40])
def test_a_refusal_asks_as_often_for_forty_practitioners(others, django_assert_max_num_queries):
    offering, _other = two_alike()
    for _n in range(others):
        schedule = ScheduleFactory.create(location=offering.location)
        open_week(schedule)
        ServiceOfferingFactory.create(schedule=schedule, service=offering.service)
    proposed(offering, at(10))
    # The edition; what is booked and what is held, once for what is near.
    with django_assert_max_num_queries(3):
        proposed(offering, at(10))
