"""What is shown and what may be booked is decided by the same arithmetic."""

import datetime as dt

import pytest

from appointments import availability, services
from appointments.exceptions import (
    OfferingWithdrawn,
    SlotClosed,
    SlotPast,
    SlotTaken,
    SlotTooFar,
    SlotTooSoon,
)
from appointments.explain import Code, explain
from appointments.tests.factories import NOW, at, book, desk
from clinic.models import Closure, Organization
from clinic.tests.factories import LocationFactory
from scheduling.models import DateOverride, ServiceOffering, TimeOff, WorkingHours
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_offering

pytestmark = pytest.mark.django_db


def shown(offering: ServiceOffering, *, days: int = 1, now: dt.datetime = NOW) -> list[str]:
    """The clock times that a patient sees on that day."""
    offerings = list(ServiceOffering.objects.online().with_parts().filter(pk=offering.pk))
    slots = availability.free_slots(
        offerings, start=at(0, days=days), end=at(0, days=days + 1), now=now
    )
    return [f"{slot.start.astimezone(offering.location.zone):%H:%M}" for slot in slots]


def morning(**fields: object) -> ServiceOffering:
    return open_offering(start=dt.time(9), end=dt.time(11), **fields)


MORNING = ["09:00", "09:30", "10:00", "10:30"]


def test_an_open_morning_shows_every_time():
    assert shown(morning()) == MORNING


def test_a_booked_time_is_gone_and_comes_back_when_cancelled():
    offering = morning()
    appointment = book(offering=offering, start=at(9, 30))
    assert shown(offering) == ["09:00", "10:00", "10:30"]
    services.cancel(appointment=appointment, by=desk(), reason="x", now=NOW)
    assert shown(offering) == MORNING


def test_an_appointment_at_another_location_takes_the_time_too():
    offering = morning()
    elsewhere = ServiceOfferingFactory.create(
        schedule=ScheduleFactory.create(
            practitioner=offering.practitioner, location=LocationFactory.create()
        ),
        service=offering.service,
    )
    WorkingHours.objects.create(
        schedule=elsewhere.schedule,
        weekday=at(9).weekday(),
        start=dt.time(9),
        end=dt.time(11),
    )
    book(offering=elsewhere, start=at(10))
    # And half an hour to travel on both sides.
    assert shown(offering) == ["09:00"]


def test_lunch_vacation_and_closures_are_not_shown():
    offering = morning()
    weekly = {"weekday": at(9).weekday(), "start": dt.time(9, 30), "end": dt.time(10)}
    TimeOff.objects.create(practitioner=offering.practitioner, **weekly)
    assert shown(offering) == ["09:00", "10:00", "10:30"]
    TimeOff.objects.create(practitioner=offering.practitioner, starts_at=at(10), ends_at=at(10, 15))
    assert shown(offering) == ["09:00", "10:30"]
    Closure.objects.create(
        location=offering.location, first_day=at(9).date(), last_day=at(9).date(), name="Feriado"
    )
    assert shown(offering) == []


def test_a_closure_or_time_off_elsewhere_changes_nothing():
    offering, other = morning(), LocationFactory.create()
    day = at(9).date()
    Closure.objects.create(location=other, first_day=day, last_day=day, name="Obra")
    TimeOff.objects.create(
        practitioner=offering.practitioner, location=other, starts_at=at(9), ends_at=at(11)
    )
    assert shown(offering) == MORNING


@pytest.mark.parametrize(
    ("kind", "start", "end", "expected"),
    [
        ("closed", None, None, []),
        ("instead", dt.time(15), dt.time(16), ["15:00", "15:30"]),
        ("extra", dt.time(15), dt.time(16), [*MORNING, "15:00", "15:30"]),
    ],
)
def test_an_exception_wins_over_the_week(kind, start, end, expected):
    offering = morning()
    DateOverride.objects.create(
        schedule=offering.schedule, date=at(9).date(), kind=kind, start=start, end=end
    )
    assert shown(offering) == expected
    assert shown(offering, days=2) == MORNING


def test_hours_hold_only_while_they_are_valid():
    offering = morning()
    offering.schedule.hours.update(valid_until=at(9).date())
    assert shown(offering, days=1) == MORNING
    assert shown(offering, days=2) == []


def test_minimum_notice_hides_what_is_too_close():
    offering = morning()
    Organization.current()
    Organization.objects.update(min_notice_minutes=60)
    assert shown(offering, now=at(8, 30)) == ["09:30", "10:00", "10:30"]
    offering.schedule.min_notice_minutes = 0
    offering.schedule.save()
    assert shown(offering, now=at(8, 30)) == MORNING


def test_the_horizon_of_the_schedule_wins_over_the_clinics():
    offering = morning()
    offering.schedule.horizon_days = 3
    offering.schedule.save()
    assert shown(offering, days=2) == MORNING
    assert shown(offering, days=4) == []


def test_only_what_is_online_and_active_is_shown():
    offering = morning()
    offering.booked_online_by = "staff"
    offering.save()
    assert shown(offering) == []


def refusal(offering: ServiceOffering, start: dt.datetime, *, online: bool = True) -> type:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the test names the type)
        availability.check(offering, start=start, now=NOW, online=online)
    return caught.type


def test_check_says_why_not():
    offering = morning()
    book(offering=offering, start=at(10))
    assert refusal(offering, at(10)) is SlotTaken
    assert refusal(offering, at(9, 45)) is SlotTaken
    assert refusal(offering, at(9, 10)) is SlotClosed
    assert refusal(offering, at(12)) is SlotClosed
    assert refusal(offering, at(9, days=-1)) is SlotPast
    assert refusal(offering, NOW + dt.timedelta(minutes=30)) is SlotTooSoon
    assert refusal(offering, at(9, days=90)) is SlotTooFar
    assert refusal(offering, at(9) + dt.timedelta(seconds=1)) is SlotClosed
    offering.is_active = False
    offering.save()
    assert refusal(offering, at(9)) is OfferingWithdrawn


TEN = NOW.replace(hour=10)
SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize("notice", [0, 30, 60])
@pytest.mark.parametrize("days", [1, 10])
@pytest.mark.parametrize(
    "late",
    [-SECOND / 1_000_000, 0 * SECOND, SECOND / 1_000_000, SECOND / 2, SECOND, 59.5 * SECOND],
)
def test_shown_bookable_and_explained_are_the_same_to_the_moment(notice, days, late):
    """At both edges of the window: how soon, and how far ahead."""
    offering = open_offering(schedule__min_notice_minutes=notice, schedule__horizon_days=days)
    fresh, now = ServiceOffering.objects.with_parts().get(pk=offering.pk), TEN + late
    first, beyond = TEN + dt.timedelta(minutes=notice), TEN + dt.timedelta(days=days)
    steps = [n * dt.timedelta(minutes=30) for n in (-1, 0, 1)]
    for start in [edge + step for edge in (first, beyond) for step in steps]:
        end = start + dt.timedelta(minutes=1)
        is_shown = bool(availability.free_slots([fresh], start=start, end=end, now=now))
        try:
            availability.check(fresh, start=start, now=now, online=True)
            is_bookable = True
        except (SlotPast, SlotTooSoon, SlotTooFar):
            is_bookable = False
        why = {v.start: v.code for v in explain(fresh, day=start.date(), now=now)}
        is_offered = why[start] == Code.OFFERED
        meant = now < start and now + dt.timedelta(minutes=notice) <= start
        meant = meant and start < now + dt.timedelta(days=days)
        assert (is_shown, is_bookable, is_offered) == (meant, meant, meant), (start, now)


def test_staff_may_use_any_five_minutes_but_not_leave_the_hours():
    offering = morning()
    slot = availability.check(offering, start=at(9, 10), now=NOW, online=False)
    assert slot.start == at(9, 10)
    assert refusal(offering, at(10, 45), online=False) is SlotClosed
    assert refusal(offering, at(9, 11), online=False) is SlotClosed


def test_every_time_shown_can_be_booked_and_no_other():
    offering = open_offering(start=dt.time(9), end=dt.time(13), buffer_before=5, buffer_after=10)
    lunch = {"weekday": at(9).weekday(), "start": dt.time(11), "end": dt.time(11, 20)}
    TimeOff.objects.create(practitioner=offering.practitioner, **lunch)
    book(offering=offering, start=at(9, 35))
    seen = set(shown(offering))
    assert seen
    for minute in range(8 * 60, 14 * 60, 5):
        start = at(0) + dt.timedelta(minutes=minute)
        try:
            availability.check(offering, start=start, now=NOW, online=True)
            allowed = True
        except (SlotTaken, SlotClosed):
            allowed = False
        assert allowed == (f"{start:%H:%M}" in seen), start


@pytest.mark.parametrize("practitioners", [1, 30])
def test_the_number_of_queries_does_not_grow(practitioners, django_assert_num_queries):
    for _n in range(practitioners):
        book(offering=morning())
    Organization.current()
    offerings = list(ServiceOffering.objects.online().with_parts())
    with django_assert_num_queries(7):
        slots = availability.free_slots(offerings, start=at(0), end=at(0, days=2), now=NOW)
    assert len(slots) == practitioners * 3
