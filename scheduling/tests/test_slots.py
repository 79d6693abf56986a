"""Starts of visits against a slow, obviously right reference."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.intervals import Interval, merge
from scheduling.slots import Need, starts
from scheduling.tests.examples import part, schedules

pytestmark = pytest.mark.once

#: Together these look at all random schedules of a run; in parts, so that every core has some.
PARTS = range(4)
EXAMPLES = part(schedules(few=300), len(PARTS))

five = st.integers(0, 96).map(lambda n: n * 5)
interval = st.tuples(five, five).filter(lambda i: i[0] != i[1]).map(lambda i: (min(i), max(i)))
some = st.lists(interval, max_size=6)
needs = st.builds(
    Need,
    duration=st.integers(1, 24).map(lambda n: n * 5),
    before=st.integers(0, 4).map(lambda n: n * 5),
    after=st.integers(0, 4).map(lambda n: n * 5),
)
steps = st.sampled_from([5, 10, 15, 20, 30, 60])


def fits(start: int, shift: Interval, closed: set[int], busy: set[int], need: Need) -> bool:
    """Every minute of the visit is open, every minute of it and its buffers is free."""
    visit = range(start, start + need.duration)
    around = range(start - need.before, start + need.duration + need.after)
    inside = shift[0] <= start and start + need.duration <= shift[1]
    return inside and closed.isdisjoint(visit) and busy.isdisjoint(around)


def minutes(intervals: list[Interval]) -> set[int]:
    return {minute for a, b in intervals for minute in range(a, b)}


def reference(
    shifts: list[Interval],
    closed: list[Interval],
    busy: list[Interval],
    need: Need,
    step: int,
) -> list[int]:
    """On the grid wherever it fits; else the first minute of a place without a grid start."""
    shut, taken = minutes(closed), minutes(busy)
    found: set[int] = set()
    for shift in merge(shifts):
        possible = [m for m in range(*shift) if fits(m, shift, shut, taken, need)]
        places: list[list[int]] = []
        for minute in possible:
            if places and places[-1][-1] == minute - 1:
                places[-1].append(minute)
            else:
                places.append([minute])
        for place in places:
            on_grid = [m for m in place if (m - shift[0]) % step == 0]
            found.update(on_grid or place[:1])
    return sorted(found)


@pytest.mark.parametrize("_part", PARTS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(shifts=some, closed=some, busy=some, need=needs, step=steps)
def test_starts_are_those_of_the_reference(_part, shifts, closed, busy, need, step):
    """None touches busy or closed time, and every free place that is long enough is offered."""
    found = starts(shifts=shifts, closed=closed, busy=busy, need=need, step=step)
    assert found == reference(shifts, closed, busy, need, step)


@pytest.mark.parametrize("_part", PARTS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    shifts=some,
    closed=some,
    busy=some,
    need=needs,
    step=steps,
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rules_does_not_matter(_part, shifts, closed, busy, need, step, random):
    before = starts(shifts=shifts, closed=closed, busy=busy, need=need, step=step)
    for rules in (shifts, closed, busy):
        random.shuffle(rules)
    after = starts(shifts=shifts, closed=closed, busy=busy, need=need, step=step)
    assert after == before


def nine_to_twelve(need: Need, *, busy: list[Interval] | None = None, step: int = 30) -> list[int]:
    return starts(shifts=[(540, 720)], closed=[], busy=busy or [], need=need, step=step)


def test_an_empty_morning_is_offered_on_the_grid():
    assert nine_to_twelve(Need(30)) == [540, 570, 600, 630, 660, 690]


def test_the_last_visit_ends_with_the_shift():
    assert nine_to_twelve(Need(60))[-1] == 660


def test_buffers_keep_their_distance_from_other_visits_and_may_leave_the_shift():
    assert nine_to_twelve(Need(30, before=10, after=10), busy=[(600, 630)]) == [540, 660, 690]


def test_a_place_that_misses_the_grid_is_offered_from_its_first_minute():
    assert nine_to_twelve(Need(30), busy=[(540, 575), (605, 720)]) == [575]


def test_lunch_cuts_the_visit_but_not_its_buffer():
    found = starts(
        shifts=[(540, 720)], closed=[(600, 630)], busy=[], need=Need(30, after=30), step=30
    )
    assert found == [540, 570, 630, 660, 690]
