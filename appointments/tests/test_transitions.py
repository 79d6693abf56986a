"""Every combination of status, verb and role, against a table written by hand."""

import datetime as dt
import itertools

import pytest

from accounts.roles import Role
from appointments.tests.factories import ZONE
from appointments.transitions import MAY, Status, Times, Verb, is_time_for, target, verbs_for

pytestmark = pytest.mark.once

P, D, R, A, S = (
    Role.PATIENT,
    Role.PRACTITIONER,
    Role.RECEPTION,
    Role.ADMINISTRATOR,
    Role.SYSTEM,
)
#: What is allowed; everything else is not.
ALLOWED = {
    ("pending", "confirm", "booked"): {D, R, A},
    ("pending", "cancel", "cancelled"): {P, D, R, A},
    ("pending", "expire", "cancelled"): {S},
    ("booked", "cancel", "cancelled"): {P, D, R, A},
    ("booked", "say_coming", "booked"): {P},
    ("booked", "arrive", "arrived"): {D, R, A},
    ("booked", "fulfil", "fulfilled"): {D, A},
    ("booked", "no_show", "noshow"): {D, R, A},
    ("arrived", "fulfil", "fulfilled"): {D, A},
    ("arrived", "cancel", "cancelled"): {D, R, A},
    ("pending", "reschedule", "cancelled"): {P, D, R, A},
    ("booked", "reschedule", "cancelled"): {P, D, R, A},
    ("pending", "withdraw", "cancelled"): {D, R, A},
    ("booked", "withdraw", "cancelled"): {D, R, A},
    ("cancelled", "restore", "booked"): {D, R, A},
    ("cancelled", "restore_request", "pending"): {D, R, A},
    ("booked", "undo_to_request", "pending"): {D, R, A},
    ("arrived", "undo", "booked"): {D, R, A},
    ("fulfilled", "undo", "booked"): {D, R, A},
    ("fulfilled", "undo_to_arrived", "arrived"): {D, R, A},
    ("noshow", "undo", "booked"): {D, R, A},
    ("noshow", "arrive", "arrived"): {D, R, A},
    ("arrived", "undo_to_no_show", "noshow"): {D, R, A},
    ("cancelled", "undo", "booked"): {D, R, A},
    ("cancelled", "undo_to_request", "pending"): {D, R, A},
    ("cancelled", "undo_to_arrived", "arrived"): {D, R, A},
}
START = dt.datetime(2026, 11, 24, 10, tzinfo=ZONE)
END = START.replace(minute=30)
TIMES = Times(START, END, ZONE)
MINUTE = dt.timedelta(minutes=1)


@pytest.mark.parametrize(("status", "verb", "role"), list(itertools.product(Status, Verb, Role)))
def test_only_what_the_table_allows(status, verb, role):
    expected = [
        to
        for (old, name, to), who in ALLOWED.items()
        if (old, name) == (status, verb) and role in who
    ]
    assert target(status, verb, role) == (expected[0] if expected else None)


def test_every_verb_says_who_may():
    assert set(MAY) == set(Verb)


@pytest.mark.parametrize(
    ("verb", "now", "allowed"),
    [
        (Verb.NO_SHOW, START - dt.timedelta(minutes=1), False),
        (Verb.NO_SHOW, START, True),
        (Verb.ARRIVE, START - dt.timedelta(days=1), False),
        (Verb.ARRIVE, START.replace(hour=0), True),
        (Verb.FULFIL, START.replace(hour=0) - dt.timedelta(minutes=1), False),
        (Verb.FULFIL, START.replace(hour=8), True),
        (Verb.CONFIRM, START - dt.timedelta(days=30), True),
        (Verb.CANCEL, START - dt.timedelta(days=30), True),
        (Verb.CANCEL, START.replace(hour=23, minute=59), True),
        (Verb.CANCEL, START.replace(hour=0) + dt.timedelta(days=1), False),
        (Verb.RESCHEDULE, START - dt.timedelta(days=30), True),
        (Verb.RESCHEDULE, END - MINUTE, True),
        (Verb.RESCHEDULE, END, False),
    ],
)
def test_some_verbs_have_their_time(verb, now, allowed):
    assert is_time_for(verb, status=Status.BOOKED, times=TIMES, now=now) is allowed


@pytest.mark.parametrize("verb", [Verb.CONFIRM, Verb.RESCHEDULE])
@pytest.mark.parametrize("deadline", [START - dt.timedelta(hours=2), START, None])
def test_a_request_is_answered_and_moved_before_its_deadline(verb, deadline):
    times, until = Times(START, END, ZONE, deadline), deadline or START
    for now, allowed in ((until - MINUTE, True), (until, False), (END, False)):
        assert is_time_for(verb, status=Status.PENDING, times=times, now=now) is allowed


def test_past_midnight_a_visit_can_be_cancelled_as_long_as_it_lasts():
    late = Times(
        START.replace(hour=23, minute=45), START.replace(hour=23) + 2 * dt.timedelta(hours=1), ZONE
    )
    for now, allowed in ((late.end - MINUTE, True), (late.end, False)):
        assert is_time_for(Verb.CANCEL, status=Status.BOOKED, times=late, now=now) is allowed


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (START.replace(hour=0), True),
        (START.replace(hour=23, minute=59), True),
        (START.replace(hour=0) + dt.timedelta(days=1), False),
        (START - dt.timedelta(days=1), False),
    ],
)
def test_who_did_not_come_arrives_on_the_day_or_not_at_all(now, allowed):
    assert is_time_for(Verb.ARRIVE, status=Status.NOSHOW, times=TIMES, now=now) is allowed
    shown = verbs_for(Status.NOSHOW, R, times=TIMES, now=now)
    assert shown == ([Verb.ARRIVE] if allowed else [])


def test_the_most_expected_verb_comes_first():
    before = START - dt.timedelta(days=1)
    assert verbs_for(Status.PENDING, D, times=TIMES, now=before) == [Verb.CONFIRM, Verb.CANCEL]
    assert verbs_for(Status.CANCELLED, D, times=TIMES, now=before) == []
    assert verbs_for(Status.FULFILLED, D, times=TIMES, now=before) == []


def test_a_patient_has_no_button_for_what_the_desk_has_to_say():
    assert verbs_for(Status.ARRIVED, P, times=TIMES, now=START) == []
    assert verbs_for(Status.ARRIVED, R, times=TIMES, now=START) == [Verb.CANCEL]
