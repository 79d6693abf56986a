"""The arithmetic of intervals against a reference that walks minute by minute."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduling.intervals import Interval, clip, merge, overlaps, subtract
from scheduling.tests.examples import lesser

pytestmark = pytest.mark.once

many = settings(max_examples=lesser(few=100), deadline=None)

interval = st.tuples(st.integers(0, 120), st.integers(0, 120)).filter(lambda i: i[0] < i[1])
some = st.lists(interval, max_size=8)


def minutes(intervals: list[Interval]) -> set[int]:
    return {minute for start, end in intervals for minute in range(start, end)}


def is_tidy(intervals: list[Interval]) -> bool:
    """Sorted, not empty, with a gap between each two."""
    return all(a < b for a, b in intervals) and all(
        one[1] < other[0] for one, other in itertools.pairwise(intervals)
    )


@many
@given(some)
def test_merge_keeps_each_minute_and_is_tidy(intervals):
    merged = merge(intervals)
    assert minutes(merged) == minutes(intervals)
    assert is_tidy(merged)


def test_merge_joins_what_touches_and_drops_what_is_empty():
    assert merge([(60, 90), (30, 60), (100, 100)]) == [(30, 90)]


@many
@given(some, some)
def test_subtract_leaves_the_minutes_outside_every_hole(whole, holes):
    left = subtract(whole, holes)
    assert minutes(left) == minutes(whole) - minutes(holes)
    assert is_tidy(left)


@many
@given(some, interval)
def test_clip_keeps_the_minutes_inside_the_window(intervals, window):
    clipped = clip(intervals, window)
    assert minutes(clipped) == minutes(intervals) & minutes([window])


@many
@given(interval, interval)
def test_overlaps_is_sharing_a_minute(a, b):
    assert overlaps(a, b) == bool(minutes([a]) & minutes([b]))


def test_intervals_that_touch_do_not_overlap():
    assert not overlaps((540, 570), (570, 600))
