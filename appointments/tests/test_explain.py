"""Why a time is not offered: each rule by its name, and never another answer than the search."""

import contextlib
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from appointments import availability
from appointments.exceptions import Refusal
from appointments.explain import Code, Reasons, Verdict, explain, stretches
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import second_place
from clinic.models import Closure, Organization
from clinic.tests.factories import LocationFactory
from scheduling.intervals import to_instant, to_minute
from scheduling.models import DateOverride, ServiceOffering, TimeOff, WorkingHours
from scheduling.tests.examples import with_rows
from scheduling.tests.factories import ScheduleFactory, open_offering, open_week
from scheduling.wallclock import day_bounds

pytestmark = pytest.mark.django_db

TOMORROW = NOW.date() + dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _in_english():
    with translation.override("en"):
        yield


def morning(**fields: object) -> ServiceOffering:
    """Half an hour a visit, from nine to eleven."""
    return open_offering(start=dt.time(9), end=dt.time(11), **fields)


def why(offering: ServiceOffering, *, days: int = 1, now: dt.datetime = NOW) -> dict[str, Verdict]:
    """The verdicts of a day by clock time."""
    fresh = ServiceOffering.objects.with_parts().get(pk=offering.pk)
    verdicts = explain(fresh, day=NOW.date() + dt.timedelta(days=days), now=now)
    zone = fresh.location.zone
    return {f"{v.start.astimezone(zone):%H:%M}": v for v in verdicts}


def code(offering: ServiceOffering, clock: str, **kwargs: object) -> Code:
    return why(offering, **kwargs)[clock].code


def test_an_open_morning_is_offered_and_the_rest_is_outside_the_hours():
    offering = morning()
    verdicts = why(offering)
    offered = [clock for clock, v in verdicts.items() if v.code == Code.OFFERED]
    assert offered == ["09:00", "09:30", "10:00", "10:30"]
    assert verdicts["08:30"].code == verdicts["11:00"].code == Code.OUTSIDE_HOURS
    assert verdicts["11:00"].reason.row == offering.schedule
    assert len(verdicts) == 48


def test_a_weekday_without_hours():
    offering = morning()
    offering.schedule.hours.filter(weekday=TOMORROW.weekday()).delete()
    assert {v.code for v in why(offering).values()} == {Code.NO_HOURS}


@pytest.mark.parametrize(
    ("kind", "hours", "clock", "expected"),
    [
        ("closed", (None, None), "09:00", Code.EXCEPTION),
        ("instead", (dt.time(15), dt.time(16)), "09:00", Code.EXCEPTION),
        ("instead", (dt.time(15), dt.time(16)), "15:00", Code.OFFERED),
        ("extra", (dt.time(15), dt.time(16)), "09:00", Code.OFFERED),
        ("extra", (dt.time(15), dt.time(16)), "15:00", Code.OFFERED),
        ("extra", (dt.time(15), dt.time(16)), "14:00", Code.OUTSIDE_HOURS),
    ],
)
def test_an_exception_for_the_date(kind, hours, clock, expected):
    offering = morning()
    row = DateOverride.objects.create(
        schedule=offering.schedule, date=TOMORROW, kind=kind, start=hours[0], end=hours[1]
    )
    verdict = why(offering)[clock]
    assert verdict.code == expected
    if expected == Code.EXCEPTION:
        assert verdict.reason.row == row


def test_lunch_removes_its_own_time_and_what_runs_into_it():
    offering = morning(duration=60)
    lunch = TimeOff.objects.create(
        practitioner=offering.practitioner,
        weekday=TOMORROW.weekday(),
        start=dt.time(10),
        end=dt.time(10, 30),
        reason="Almuerzo",
    )
    verdicts = why(offering)
    assert verdicts["09:00"].code == Code.OFFERED
    assert verdicts["09:30"].code == Code.TOO_SHORT
    assert verdicts["09:30"].reason.sentence == "Too short for 1 h before Almuerzo at 10:00."
    assert verdicts["09:30"].reason.row == lunch
    assert (verdicts["10:00"].code, verdicts["10:00"].reason.row) == (Code.TIME_OFF, lunch)
    assert verdicts["10:30"].reason.sentence == (
        "Too short for 1 h before the end of the hours at 11:00."
    )


def test_a_holiday_says_its_name():
    offering = morning()
    row = Closure.objects.create(first_day=TOMORROW, last_day=TOMORROW, name="Feriado puente")
    verdict = why(offering)["09:00"]
    assert (verdict.code, verdict.reason.row) == (Code.CLOSURE, row)
    assert verdict.reason.sentence == "Feriado puente."


def test_a_holiday_that_is_worked_is_offered_in_the_hours_of_the_exception():
    offering = morning()
    row = Closure.objects.create(
        first_day=TOMORROW, last_day=TOMORROW, name="Feriado puente", can_be_worked=True
    )
    DateOverride.objects.create(
        schedule=offering.schedule,
        date=TOMORROW,
        kind="extra",
        start=dt.time(10),
        end=dt.time(12),
    )
    verdicts = why(offering)
    assert verdicts["09:00"].reason.row == row
    assert [clock for clock, v in verdicts.items() if v.code == Code.OFFERED] == [
        "10:00",
        "10:30",
        "11:00",
        "11:30",
    ]


def test_an_appointment_takes_its_time_with_its_buffers():
    offering = morning(buffer_after=30)
    visit = book(offering=offering, start=at(9, 30))
    verdicts = why(offering)
    assert verdicts["09:00"].reason.sentence == "Too short before the appointment at 9:30."
    assert verdicts["09:30"].reason.sentence == "Taken by the appointment at 9:30."
    assert verdicts["10:00"].reason.sentence == "Taken by the appointment at 9:30."
    assert verdicts["10:30"].code == Code.OFFERED
    assert verdicts["09:30"].reason.row == visit


def test_ones_own_buffer_needs_room_after_an_appointment():
    offering = morning(buffer_before=10)
    book(offering=morning(schedule__practitioner=offering.practitioner), start=at(9, 30))
    verdict = why(offering)["10:00"]
    assert verdict.code == Code.TRAVEL
    offering = morning(buffer_before=10)
    offering_without = ServiceOffering.objects.create(
        schedule=offering.schedule, service=morning().service
    )
    book(offering=offering_without, start=at(9, 30))
    verdict = why(offering)["10:00"]
    assert verdict.reason.sentence == "Too close after the appointment at 9:30."


def test_an_appointment_elsewhere_takes_the_way_too():
    offering = morning()
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    visit = book(offering=elsewhere, start=at(10))
    verdicts = why(offering)
    assert verdicts["10:00"].code == Code.TAKEN
    reason = verdicts["09:30"].reason
    assert (reason.code, reason.row, reason.visit) == (Code.TRAVEL, Organization.current(), visit)
    assert verdicts["10:30"].code == Code.TRAVEL
    assert verdicts["09:00"].code == Code.OFFERED


@pytest.mark.parametrize(
    ("own", "length", "origin"), [(None, 30, "clinic"), (20, 20, "practitioner")]
)
@pytest.mark.parametrize("minutes", [30, 60])
def test_the_way_says_how_long_it_is_and_who_says_so(own, length, origin, minutes):
    """Whether the visit begins on the way, or only runs into it."""
    offering = morning(duration=minutes)
    type(offering.practitioner).objects.update(travel_minutes=own)
    Organization.current()
    Organization.objects.update(travel_minutes=30)
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    book(offering=elsewhere, start=at(10))
    sentence = why(offering)["09:30" if minutes == 30 else "09:00"].reason.sentence
    assert sentence == (
        f"Time to travel, {length} min (set by the {origin}): "
        f"appointment in {elsewhere.location} at 10:00."
    )


def test_who_may_book_what_is_offered_is_said():
    offering = morning(booked_online_by="known")
    reason = why(offering)["09:00"].reason
    assert (reason.code, reason.row) == (Code.OFFERED, offering)
    assert reason.sentence == (
        "Offered only to patients seen before (set by this service); others call the clinic."
    )


def test_notice_and_horizon_say_who_sets_them():
    offering = morning()
    Organization.current()
    Organization.objects.update(min_notice_minutes=60)
    now = at(9, 15, days=1)
    verdicts = why(offering, now=now)
    assert verdicts["09:00"].code == Code.PAST
    assert verdicts["10:00"].reason.sentence == (
        "Sooner than the minimum notice of 1 h (set by the clinic)."
    )
    assert verdicts["10:00"].reason.row == Organization.current()
    offering.horizon_days = 2
    offering.save()
    assert code(offering, "09:00", days=2) == Code.HORIZON
    assert why(offering, days=2)["09:00"].reason.row == offering


@pytest.mark.parametrize(
    "part", ["practitioner", "location", "schedule", "specialty", "service", "offering"]
)
def test_what_is_switched_off_is_said_first(part):
    offering = morning()
    row: Any = {
        "practitioner": offering.practitioner,
        "location": offering.location,
        "schedule": offering.schedule,
        "specialty": offering.service.specialty,
        "service": offering.service,
        "offering": offering,
    }[part]
    type(row)._default_manager.filter(pk=row.pk).update(is_active=False)
    verdicts = why(offering)
    assert {v.code for v in verdicts.values()} == {Code.WITHDRAWN}
    assert verdicts["09:00"].reason.row == row


def test_what_patients_cannot_book_online():
    offering = morning(booked_online_by="staff")
    assert code(offering, "09:00") == Code.NOT_ONLINE


def test_a_place_that_misses_the_grid_is_a_candidate_too():
    offering = morning(duration=20)
    book(offering=offering, start=at(9, 10))
    short = ServiceOffering.objects.create(
        schedule=offering.schedule, service=morning().service, duration=5
    )
    book(offering=short, start=at(9, 50))
    verdicts = why(offering)
    assert verdicts["09:30"].code == Code.OFFERED
    assert verdicts["09:00"].code == Code.TOO_SHORT
    book(offering=short, start=at(9, 55))
    book(offering=offering, start=at(10, 5))
    assert why(short)["10:00"].code == Code.OFFERED


def test_what_is_free_but_not_on_the_grid_says_so():
    offering = ServiceOffering.objects.with_parts().get(pk=morning().pk)
    reasons = Reasons(offering, TOMORROW, NOW, Organization.current())
    reason = reasons.of(to_minute(at(9, 10)))
    assert (reason.code, reason.row) == (Code.OFF_GRID, offering.schedule)


def test_the_step_of_the_clinic_leads_to_the_clinic():
    offering = ServiceOffering.objects.with_parts().get(pk=morning(schedule__slot_step=None).pk)
    clinic = Organization.current()
    reasons = Reasons(offering, TOMORROW, NOW, clinic)
    reason = reasons.of(to_minute(at(9, 10)))
    assert (reason.code, reason.row) == (Code.OFF_GRID, clinic)
    assert reason.sentence.endswith("every 15 min from the start of a shift (set by the clinic).")


def test_neighbours_with_the_same_reason_are_one_stretch():
    offering = ServiceOffering.objects.with_parts().get(pk=morning().pk)
    book(offering=offering, start=at(9, 30))
    verdicts = explain(offering, day=TOMORROW, now=NOW)
    shown = [
        (f"{s.start.astimezone(ZONE):%H:%M}", f"{s.end.astimezone(ZONE):%H:%M}", s.count)
        for s in stretches(verdicts, at(0, days=2))
    ]
    assert shown == [
        ("00:00", "09:00", 18),
        ("09:00", "09:30", 1),
        ("09:30", "10:00", 1),
        ("10:00", "11:00", 2),
        ("11:00", "00:00", 26),
    ]


ZONE = ZoneInfo("America/Argentina/Buenos_Aires")


@pytest.mark.parametrize("visits", [1, 12])
def test_the_number_of_queries_does_not_grow(visits, django_assert_num_queries):
    offering = open_offering(start=dt.time(9), end=dt.time(21))
    for n in range(visits):
        book(offering=offering, start=at(9 + n))
        TimeOff.objects.create(
            practitioner=offering.practitioner, starts_at=at(9 + n, 30), ends_at=at(9 + n, 45)
        )
    organization = Organization.current()
    fresh = ServiceOffering.objects.with_parts().get(pk=offering.pk)
    with django_assert_num_queries(9):
        explain(fresh, day=TOMORROW, now=NOW, organization=organization)


# --- against the search ----------------------------------------------------------

EXAMPLES = with_rows(few=25)

#: Days on and beside which the clock changes, and some on which it does not.
DAYS = [
    ("America/Argentina/Buenos_Aires", dt.date(2026, 12, 31)),
    ("Europe/Madrid", dt.date(2027, 3, 27)),
    ("Europe/Madrid", dt.date(2027, 3, 28)),
    ("Europe/Madrid", dt.date(2027, 10, 31)),
    ("America/Santiago", dt.date(2027, 4, 3)),
    ("America/Santiago", dt.date(2027, 9, 5)),
    ("Africa/Casablanca", dt.date(2027, 3, 14)),
]

five = st.integers(0, 287).map(lambda n: dt.time(n // 12, n % 12 * 5))
hours = st.tuples(five, five).filter(lambda pair: pair[0] != pair[1])
near = st.integers(-1, 1)


@contextlib.contextmanager
def rolled_back():
    """Each example its own rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class World:
    """A practitioner of one day, as the examples draw it."""

    def __init__(self, data, zone: str, day: dt.date) -> None:
        self.data, self.day = data, day
        self.zone = ZoneInfo(zone)
        draw = data.draw
        self.offering = open_offering(
            schedule=ScheduleFactory.create(
                location=LocationFactory.create(time_zone=zone),
                slot_step=draw(st.sampled_from([None, 5, 15, 20, 25, 30, 50, 60])),
            ),
            duration=draw(st.integers(1, 24)) * 5,
            buffer_before=draw(st.integers(0, 3)) * 5,
            buffer_after=draw(st.integers(0, 3)) * 5,
        )
        self.offering.schedule.hours.all().delete()
        self.now = self.clock(-1, dt.time(12))
        self.rules()
        self.closed()
        self.visits()
        self.offering = ServiceOffering.objects.with_parts().get(pk=self.offering.pk)

    def date(self, days: int) -> dt.date:
        return self.day + dt.timedelta(days=days)

    def clock(self, days: int, time: dt.time) -> dt.datetime:
        return dt.datetime.combine(self.date(days), time, tzinfo=self.zone).astimezone(dt.UTC)

    def rules(self) -> None:
        schedule = self.offering.schedule
        for days, (start, end) in self.data.draw(st.lists(st.tuples(near, hours), max_size=5)):
            WorkingHours.objects.create(
                schedule=schedule, weekday=self.date(days).weekday(), start=start, end=end
            )
        kinds = st.sampled_from(["closed", "instead", "extra"])
        drawn = self.data.draw(st.lists(st.tuples(near, kinds, hours), max_size=1))
        for days, kind, (start, end) in drawn:
            times = {} if kind == "closed" else {"start": start, "end": end}
            DateOverride.objects.create(schedule=schedule, date=self.date(days), kind=kind, **times)

    def closed(self) -> None:
        practitioner = self.offering.practitioner
        for days, (start, end) in self.data.draw(st.lists(st.tuples(near, hours), max_size=2)):
            weekday = self.date(days).weekday()
            TimeOff.objects.create(practitioner=practitioner, weekday=weekday, start=start, end=end)
        minutes = st.integers(0, 2880)
        for begin, length in self.data.draw(
            st.lists(st.tuples(minutes, st.integers(1, 400)), max_size=2)
        ):
            starts = self.clock(-1, dt.time(12)) + dt.timedelta(minutes=begin)
            TimeOff.objects.create(
                practitioner=practitioner,
                starts_at=starts,
                ends_at=starts + dt.timedelta(minutes=length),
            )
        for days in self.data.draw(st.lists(st.sampled_from([-1, 1, 1, 0]), max_size=1)):
            first = self.date(days)
            Closure.objects.create(
                first_day=first,
                last_day=first,
                name="Feriado",
                can_be_worked=self.data.draw(st.booleans()),
            )

    def visits(self) -> None:
        """Booked by the desk where it is possible; here, or at another location."""
        elsewhere = second_place(self.offering)
        open_week(elsewhere.schedule, dt.time(0), dt.time(12))
        open_week(elsewhere.schedule, dt.time(12), dt.time(0))
        wanted = st.tuples(st.booleans(), near, five)
        for away, days, time in self.data.draw(st.lists(wanted, max_size=4)):
            offering = elsewhere if away else self.offering
            with contextlib.suppress(Refusal):
                book(offering=offering, start=self.clock(days, time), now=self.now)


@pytest.mark.once
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(DAYS))
def test_what_is_called_offered_is_what_the_search_shows(data, where):
    with rolled_back():
        world = World(data, *where)
        begin, end = day_bounds(world.day, world.zone)
        ask = {"now": world.now, "organization": Organization.current()}
        found = availability.free_slots(
            [world.offering], start=to_instant(begin), end=to_instant(end), **ask
        )
        shown = {slot.start for slot in found}
        verdicts = explain(world.offering, day=world.day, **ask)
        assert {v.start for v in verdicts if v.code == Code.OFFERED} == shown
        # Nor does any other minute of the day lack its reason.
        reasons = Reasons(world.offering, world.day, world.now, ask["organization"])
        cells = {to_instant(m): reasons.of(m).code for m in range(begin, end, 5)}
        assert {start for start, code in cells.items() if code == Code.OFFERED} == shown
        assert set(cells.values()) - {Code.OFFERED} <= set(Code)
        free = {start for start, code in cells.items() if code == Code.OFF_GRID}
        for start in [*sorted(shown)[:2], *sorted(free)[:1]]:
            may_be_booked(world, start, online=start in shown)


def may_be_booked(world: World, start: dt.datetime, *, online: bool) -> None:
    """The guard agrees: for patients what is shown, for staff also what misses the grid."""
    for is_patient, allowed in ((True, online), (False, True)):
        try:
            availability.check(world.offering, start=start, now=world.now, online=is_patient)
            answer = True
        except Refusal:
            answer = False
        assert answer == allowed, (start, is_patient)
