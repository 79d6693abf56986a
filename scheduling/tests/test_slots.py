"""Starts of visits, put together as the search does it, against a slow reference."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.almanac import Line, OpenMask
from scheduling.intervals import Interval, merge
from scheduling.selectors import Block, OpenTime
from scheduling.slots import Need, Ruler, bits
from scheduling.tests.examples import part, schedules

pytestmark = pytest.mark.once

#: Together these look at all random schedules of a run; in parts, so that every core has some.
PARTS = range(4)
EXAMPLES = part(schedules(few=300), len(PARTS))

five = st.integers(0, 96).map(lambda n: n * 5)
interval = st.tuples(five, five).filter(lambda i: i[0] != i[1]).map(lambda i: (min(i), max(i)))
some = st.lists(interval, max_size=6)
#: The shifts of two dates: those of a night can lie among those of the day after.
dates = st.lists(st.lists(interval, max_size=4), max_size=2)
needs = st.builds(
    Need,
    duration=st.integers(1, 24).map(lambda n: n * 5),
    before=st.integers(0, 4).map(lambda n: n * 5),
    after=st.integers(0, 4).map(lambda n: n * 5),
)
steps = st.sampled_from([5, 10, 15, 20, 30, 60])
ways = st.sampled_from([0, 5, 15, 40])

HERE, ELSEWHERE = 1, 2


def starts(
    *,
    days: list[list[Interval]],
    closed: list[Interval],
    busy: list[Interval],
    need: Need,
    step: int,
    away: list[Interval] | None = None,
    way: int = 0,
) -> list[int]:
    """As the search goes from the rules of each date to the minutes at which a visit can start."""
    by_day = [shift for day in days for shift in merge(day)]
    time = OpenTime(
        shifts=merge(by_day),
        by_day=by_day,
        blocks=[Block(interval, "time_off", "", 1) for interval in closed],
    )
    ends = [minute for shift in by_day for minute in shift]
    ruler = Ruler.of_days(min(ends, default=0), max(ends, default=0))
    taken = {HERE: ruler.touched(busy), ELSEWHERE: ruler.touched(away or [])}
    opened = OpenMask.of(time, ruler, step)
    line = Line.of(opened, ruler, busy=taken, here=HERE, travel=way)
    return [ruler.minute(bit) for bit in bits(line.starts(need))]


def fits(start: int, shift: Interval, closed: set[int], busy: set[int], need: Need) -> bool:
    """Every minute of the visit is open, every minute of it and its buffers is free."""
    visit = range(start, start + need.duration)
    around = range(start - need.before, start + need.duration + need.after)
    inside = shift[0] <= start and start + need.duration <= shift[1]
    return inside and closed.isdisjoint(visit) and busy.isdisjoint(around)


def minutes(intervals: list[Interval]) -> set[int]:
    return {minute for a, b in intervals for minute in range(a, b)}


def reference(
    *,
    days: list[list[Interval]],
    closed: list[Interval],
    busy: list[Interval],
    need: Need,
    step: int,
    away: list[Interval],
    way: int,
) -> list[int]:
    """On the grid wherever it fits; else the first minute of a place without a grid start."""
    shut, taken = minutes(closed), minutes(busy)
    taken |= minutes([(start - way, end + way) for start, end in away])
    grid = {minute for day in days for shift in merge(day) for minute in range(*shift, step)}
    found: set[int] = set()
    for shift in merge([shift for day in days for shift in day]):
        possible = [m for m in range(*shift) if fits(m, shift, shut, taken, need)]
        places: list[list[int]] = []
        for minute in possible:
            if places and places[-1][-1] == minute - 1:
                places[-1].append(minute)
            else:
                places.append([minute])
        for place in places:
            on_grid = [m for m in place if m in grid]
            found.update(on_grid or place[:1])
    return sorted(found)


@pytest.mark.parametrize("_part", PARTS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(days=dates, closed=some, busy=some, away=some, way=ways, need=needs, step=steps)
def test_starts_are_those_of_the_reference(_part, **rules):
    """None touches busy or closed time, and every free place that is long enough is offered."""
    assert starts(**rules) == reference(**rules)


@pytest.mark.parametrize("_part", PARTS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    days=dates,
    closed=some,
    busy=some,
    away=some,
    way=ways,
    need=needs,
    step=steps,
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rules_does_not_matter(_part, random, **rules):
    before = starts(**rules)
    for rows in (rules["days"], *rules["days"], rules["closed"], rules["busy"], rules["away"]):
        random.shuffle(rows)
    assert starts(**rules) == before


def nine_to_twelve(need: Need, *, busy: list[Interval] | None = None, step: int = 30) -> list[int]:
    return starts(days=[[(540, 720)]], closed=[], busy=busy or [], need=need, step=step)


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
        days=[[(540, 720)]], closed=[(600, 630)], busy=[], need=Need(30, after=30), step=30
    )
    assert found == [540, 570, 630, 660, 690]


def test_the_grid_begins_anew_with_the_shifts_of_each_date():
    found = starts(days=[[(540, 600)], [(570, 660)]], closed=[], busy=[], need=Need(30), step=40)
    assert found == [540, 570, 580, 610]


def test_a_visit_elsewhere_takes_the_way_too():
    found = starts(
        days=[[(540, 720)]],
        closed=[],
        busy=[],
        away=[(600, 630)],
        way=30,
        need=Need(30),
        step=30,
    )
    assert found == [540, 660, 690]
