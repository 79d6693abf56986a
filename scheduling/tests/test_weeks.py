"""Sets of weekly hours that hold from a day, until a day."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.weeks import (
    Hours,
    Validity,
    beside,
    between,
    current,
    dropped,
    joined,
    of,
    validities,
    with_set,
    worked_on,
)

NINE, ONE, FIVE = dt.time(9), dt.time(13), dt.time(17)
START = dt.date(2027, 1, 4)
EVE = dt.date(2027, 1, 3)


def monday(start=NINE, end=FIVE, first=None, last=None):
    return Hours(0, start, end, first, last)


def test_from_a_day_on_the_present_lines_end_the_day_before():
    assert between([monday()], Validity(START), [monday(ONE)]) == [
        monday(last=EVE),
        monday(ONE, first=START),
    ]


def test_for_some_days_only_the_present_lines_come_back():
    last = dt.date(2027, 1, 31)
    assert between([monday()], Validity(START, last), [monday(ONE)]) == [
        monday(last=EVE),
        monday(ONE, first=START, last=last),
        monday(first=dt.date(2027, 2, 1)),
    ]


def test_what_begins_inside_is_gone_and_what_lies_outside_stays():
    past = monday(last=dt.date(2026, 12, 31))
    inside = monday(NINE, ONE, first=dt.date(2027, 3, 1))
    assert between([past, inside], Validity(START), []) == [past]


def test_what_is_worked_on_a_day_is_of_every_set_that_holds_then():
    afternoon = monday(ONE, FIVE, last=EVE)
    lines = [monday(NINE, ONE), afternoon, monday(NINE, ONE, first=EVE)]
    assert worked_on(lines, EVE) == [monday(NINE, ONE), monday(ONE, FIVE)]
    assert worked_on(lines, START) == [monday(NINE, ONE)]


def test_sets_that_hold_on_the_same_days_stand_beside_each_other():
    lines = [monday(last=EVE), monday(first=START), monday(first=START, last=START)]
    assert beside(lines, Validity(None, EVE)) == []
    assert beside(lines, Validity(START)) == [Validity(START, START)]
    assert beside([*lines, monday()], Validity(START, START)) == [Validity(), Validity(START)]


def test_dropping_a_set_lets_the_one_before_go_on():
    two = between([monday()], Validity(START), [monday(ONE)])
    assert dropped(two, Validity(START)) == [monday()]


def test_dropping_a_set_of_some_days_joins_what_was_cut():
    span = Validity(START, dt.date(2027, 1, 31))
    assert dropped(between([monday()], span, [monday(ONE)]), span) == [monday()]


def test_a_set_without_a_beginning_is_not_dropped():
    assert dropped([monday()], Validity()) == [monday()]


def test_one_set_is_replaced_and_the_others_stay():
    summer = Validity(START, dt.date(2027, 1, 31))
    found = with_set([monday(), monday(ONE, FIVE, *summer)], Validity(), [monday(NINE, ONE)])
    assert found == [monday(ONE, FIVE, *summer), monday(NINE, ONE)]


def test_the_sets_in_their_order_and_what_belongs_to_them():
    lines = between([monday()], Validity(START), [monday(ONE)])
    assert validities(reversed(lines)) == [Validity(None, EVE), Validity(START)]
    assert of(lines, Validity(START)) == [monday(ONE, first=START)]


@pytest.mark.parametrize(
    ("today", "expected"),
    [(EVE, Validity(None, EVE)), (START, Validity(START)), (dt.date(2030, 1, 1), Validity(START))],
)
def test_the_current_set(today, expected):
    assert current(between([monday()], Validity(START), [monday(ONE)]), today) == expected


def test_a_lasting_set_goes_before_one_of_some_days():
    lines = [monday(), monday(FIVE, dt.time(20), first=EVE, last=START)]
    assert current(lines, START) == Validity()


def test_without_lines_the_current_set_is_open():
    assert current([], START) == Validity()


def test_a_week_is_never_torn_apart_by_joining():
    """Tuesday is the same before and after, and yet belongs to two sets."""
    tuesday = Hours(1, NINE, FIVE)
    found = between([monday(), tuesday], Validity(START), [monday(ONE), tuesday])
    assert len(of(found, Validity(None, EVE))) == len(of(found, Validity(START))) == 2


def test_lines_that_differ_are_not_joined():
    lines = [monday(last=EVE), monday(ONE, first=START)]
    assert joined(lines) == lines


DAYS = st.dates(dt.date(2027, 1, 1), dt.date(2027, 1, 12))
SPANS = st.tuples(st.none() | DAYS, st.none() | DAYS).filter(
    lambda s: s[0] is None or s[1] is None or s[0] <= s[1]
)
LINES = st.lists(
    st.builds(lambda start, span: monday(start, FIVE, *span), st.sampled_from([NINE, ONE]), SPANS),
    max_size=4,
)


def holding(lines, day):
    return {line.start for line in lines if line.validity.holds_on(day)}


@given(LINES, SPANS)
def test_inside_the_new_lines_hold_and_outside_the_old_ones(lines, span):
    """Against the plain reading, day by day."""
    found = between(lines, Validity(*span), [monday(dt.time(7))])
    for number in range(-1, 14):
        day = dt.date(2027, 1, 1) + dt.timedelta(days=number)
        expected = {dt.time(7)} if Validity(*span).holds_on(day) else holding(lines, day)
        assert holding(found, day) == expected
    assert all(
        not h.valid_from or not h.valid_until or h.valid_from <= h.valid_until for h in found
    )
