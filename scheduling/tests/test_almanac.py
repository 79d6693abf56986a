"""What is remembered of the rules is what the rules say, page by page and around every change."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.fields import CELL_MINUTES
from clinic.models import Closure, Organization
from scheduling.almanac import AHEAD, BACK, Almanac, OpenMask, almanac
from scheduling.intervals import to_instant
from scheduling.models import Schedule, TimeOff
from scheduling.selectors import expand, open_time
from scheduling.slots import DAY_CELLS, Ruler
from scheduling.tests.examples import lesser, part
from scheduling.tests.factories import open_offering
from scheduling.tests.test_expand import ZONES, World, worlds
from scheduling.wallclock import day_bounds

NOW = dt.datetime(2026, 11, 23, 11, tzinfo=dt.UTC)


@pytest.mark.parametrize("name", ZONES)
def test_the_pages_side_by_side_are_the_rules_at_once(name):
    #: And whether the schedule says so or the clinic.
    steps = st.tuples(st.sampled_from([5, 15, 40]), st.booleans())

    @settings(max_examples=part(lesser(few=140), len(ZONES)), deadline=None)
    @given(worlds(name), st.integers(-9, 2), st.integers(1, 17), steps)
    def run(world: World, before: int, days: int, says: tuple[int, bool]) -> None:
        step, own = says
        schedule = world.schedule
        schedule.slot_step = step if own else None
        midnight = day_bounds(world.day, world.zone)[0]
        first = midnight // (DAY_CELLS * CELL_MINUTES) + before
        ruler = Ruler(first * DAY_CELLS, days * DAY_CELLS)
        ends = to_instant(ruler.minute(0)), to_instant(ruler.minute(ruler.cells))
        book = Almanac(to_instant(midnight), Organization(slot_step=step))
        book._rules[schedule.pk] = world.rules
        at_once = OpenMask.of(expand(schedule, world.rules, *ends), ruler, step)
        assert book.masks([schedule], ruler) == {schedule.pk: at_once}
        # And once more, from the pages that are there now.
        assert book.masks([schedule], ruler) == {schedule.pk: at_once}
        assert book.open_time([schedule], *ends) == {
            schedule.pk: expand(schedule, world.rules, *ends)
        }

    run()


def schedule_with_rules() -> Schedule:
    offering = open_offering()
    start = NOW + dt.timedelta(days=1)
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=start, ends_at=start + dt.timedelta(days=1)
    )
    return offering.schedule


@pytest.mark.django_db
@pytest.mark.parametrize(
    "begin", [NOW - BACK - dt.timedelta(days=1), NOW, NOW + AHEAD - dt.timedelta(days=1)]
)
def test_days_that_it_does_not_remember_are_read(begin):
    schedule, end = schedule_with_rules(), begin + dt.timedelta(days=3)
    book = Almanac(NOW, Organization())
    assert book.open_time([schedule], begin, end) == open_time([schedule], begin, end)
    ruler = Ruler.of_days(*(int(at.timestamp()) // 60 for at in (begin, end)))
    ends = to_instant(ruler.minute(0)), to_instant(ruler.minute(ruler.cells))
    opened = open_time([schedule], *ends)[schedule.pk]
    assert book.masks([schedule], ruler) == {schedule.pk: OpenMask.of(opened, ruler, 30)}


@pytest.mark.django_db
def test_it_asks_once_and_again_after_a_change(time_machine, django_assert_num_queries):
    time_machine.move_to(NOW, tick=False)
    schedule, minute = schedule_with_rules(), int(NOW.timestamp()) // 60
    ruler = Ruler.of_days(minute, minute + 3 * 1440)
    first = Organization.current()
    with django_assert_num_queries(4):
        before = almanac(first).masks([schedule], ruler)
    with django_assert_num_queries(0):
        assert almanac(first).masks([schedule], ruler) == before
    Closure.objects.create(first_day=NOW.date(), last_day=NOW.date(), name="Feriado")
    second = Organization.current()
    assert second.edition != first.edition
    with django_assert_num_queries(4):
        after = almanac(second).masks([schedule], ruler)
    gone = before[schedule.pk].open_ & ~after[schedule.pk].open_
    assert gone.bit_count() == 8 * 12
    assert after[schedule.pk].open_ & ~before[schedule.pk].open_ == 0
