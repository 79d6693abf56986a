"""A patient asks to move, and something else happens as the yes is pressed: one allowed end.

Ten rounds each on MariaDB; ``make race`` runs 500 (RACE_PAIRS). Each round is a patient of
its own. Never two where one was wanted, never none.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from accounts.models import Patient
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import services, steps
from appointments.exceptions import (
    AskedAlready,
    MoveNotAllowed,
    NothingToUndo,
    Refusal,
    TooLateToMove,
)
from appointments.models import Appointment
from appointments.tests.factories import NOW, SYSTEM, book, desk
from appointments.tests.race import duels, hours, problems, rounds
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

HOUR = dt.timedelta(hours=1)
Deed = Callable[[], Any]


@dataclass
class Asked:
    """Somebody with a confirmed appointment, who asks for the hour after at another's."""

    patient: Patient
    by: Actor
    old: Appointment
    request: Appointment

    @property
    def end(self) -> tuple[str, str]:
        rows = Appointment.objects.in_bulk([self.old.pk, self.request.pk])
        return rows[self.old.pk].status, rows[self.request.pk].status

    @property
    def verbs(self) -> tuple[list[str], list[str]]:
        return _verbs(self.old), _verbs(self.request)

    def live(self) -> list[Appointment]:
        return list(Appointment.objects.occupying().filter(patient=self.patient))


def _verbs(appointment: Appointment) -> list[str]:
    return list(appointment.events.order_by("pk").values_list("verb", flat=True))


@pytest.fixture
def one() -> ServiceOffering:
    clinic = Organization.current()
    clinic.reminders, clinic.horizon_days = "24", 400
    clinic.save()
    return open_offering()


@pytest.fixture
def other(one: ServiceOffering) -> ServiceOffering:
    return open_offering(service=one.service, confirmation="manual")


def ask(old: Appointment, to: ServiceOffering, start: dt.datetime, by: Actor) -> Appointment:
    return services.reschedule(appointment=old, offering=to, start=start, by=by, now=NOW)


def all_rounds(one: ServiceOffering, other: ServiceOffering) -> list[Asked]:
    found = []
    for start in hours():
        user = patient_user()
        patient, by = user.patient_accesses.get().patient, Actor.patient(user)
        old = book(offering=one, patient=patient, start=start)
        found.append(Asked(patient, by, old, ask(old, other, start + HOUR, by)))
    return found


def confirm(case: Asked) -> Deed:
    return functools.partial(services.confirm, appointment=case.request, by=desk(), now=NOW)


def meet(cases: list[Asked], against: Callable[[Asked], Deed]) -> list[tuple[Any, Any]]:
    results = duels([(confirm(case), against(case)) for case in cases])
    strange = [r for pair in results for r in pair if not isinstance(r, Appointment | Refusal)]
    assert strange == []
    return results


@pytest.mark.parametrize("who", ["patient", "desk"])
def test_confirmed_or_the_old_one_cancelled(one, other, who):
    """The yes makes the move, or stands on its own: in the end there is the new one."""

    def cancel(case: Asked) -> Deed:
        by = case.by if who == "patient" else desk()
        return functools.partial(services.cancel, appointment=case.old, by=by, reason="x", now=NOW)

    cases = all_rounds(one, other)
    for case, (confirmed, cancelled) in zip(cases, meet(cases, cancel), strict=True):
        assert isinstance(confirmed, Appointment)
        assert case.end == ("cancelled", "booked")
        assert case.live() == [case.request]
        was_moved = isinstance(cancelled, MoveNotAllowed)
        assert case.verbs == (
            ["book", "reschedule" if was_moved else "cancel"],
            ["book", "confirm"],
        )
        moved_from = Appointment.objects.get(pk=case.request.pk).rescheduled_from_id
        assert moved_from == (case.old.pk if was_moved else None)
    assert problems() == []


@pytest.mark.parametrize("how", ["expired", "withdrawn", "declined"])
def test_confirmed_or_the_request_over(one, other, how):
    def end(case: Asked) -> Deed:
        what: dict[str, Any] = {"appointment": case.request, "now": NOW}
        if how == "expired":
            return functools.partial(services.expire, by=SYSTEM, **{**what, "now": over})
        by = case.by if how == "withdrawn" else desk()
        return functools.partial(services.cancel, by=by, reason="x", **what)

    cases = all_rounds(one, other)
    over = max(case.request.expires_at or NOW for case in cases)
    for case, (confirmed, ended) in zip(cases, meet(cases, end), strict=True):
        # A patient may cancel what has just been confirmed, too.
        if isinstance(confirmed, Appointment) and isinstance(ended, Appointment):
            assert how != "expired"
            assert case.end == ("cancelled", "cancelled")
            assert case.verbs == (["book", "reschedule"], ["book", "confirm", "cancel"])
        elif isinstance(confirmed, Appointment):
            assert case.end == ("cancelled", "booked")
        else:
            assert isinstance(confirmed, MoveNotAllowed)
            assert case.end == ("booked", "cancelled")
            assert case.verbs[0] == ["book"]
    assert problems() == []


def test_confirmed_or_moved_again_by_the_patient(one, other):
    """The old one has its open request, or is gone: moving it again is refused either way."""

    def again(case: Asked) -> Deed:
        return functools.partial(ask, case.old, one, case.old.start + HOUR, case.by)

    cases = all_rounds(one, other)
    for case, (confirmed, moved) in zip(cases, meet(cases, again), strict=True):
        assert isinstance(confirmed, Appointment)
        assert isinstance(moved, AskedAlready | MoveNotAllowed | TooLateToMove)
        assert case.end == ("cancelled", "booked")
        assert case.live() == [case.request]
    assert problems() == []


def test_confirmed_or_moved_again_by_the_desk(one, other):
    """Moved first, the yes gives up what it was moved to. Confirmed first, nothing is moved."""

    def again(case: Asked) -> Deed:
        # Half an hour on, which neither of the two has.
        start = case.old.start + HOUR / 2
        return functools.partial(ask, case.old, one, start, desk())

    cases = all_rounds(one, other)
    ends: Counter[str] = Counter()
    for case, (confirmed, moved) in zip(cases, meet(cases, again), strict=True):
        assert isinstance(confirmed, Appointment)
        assert case.end == ("cancelled", "booked")
        assert case.live() == [case.request]
        fresh = Appointment.objects.get(pk=case.request.pk)
        first = moved if isinstance(moved, Appointment) else case.old
        assert fresh.rescheduled_from_id == fresh.replaces_id == first.pk
        ends[type(moved).__name__] += 1
    assert ends.total() == rounds()
    assert problems() == []


def test_two_requests_at_once_are_one(one, other):
    """Two tabs: one question, and the other is told that there is one."""
    third = open_offering(service=one.service, confirmation="manual")
    cases = []
    for start in hours():
        user = patient_user()
        patient, by = user.patient_accesses.get().patient, Actor.patient(user)
        old = book(offering=one, patient=patient, start=start)
        cases.append((old, by))
    results = duels(
        [
            (
                functools.partial(ask, old, other, old.start + HOUR, by),
                functools.partial(ask, old, third, old.start + HOUR * 3 / 2, by),
            )
            for old, by in cases
        ]
    )
    for (old, _by), pair in zip(cases, results, strict=True):
        assert sorted(type(r).__name__ for r in pair) == ["Appointment", "AskedAlready"]
        assert Appointment.objects.filter(replaces=old, status="pending").count() == 1
        assert Appointment.objects.get(pk=old.pk).status == "booked"
    assert problems() == []


def test_the_yes_taken_back_or_the_new_one_cancelled(one, other):
    """Back to both, or to none because the patient cancelled what they had."""
    cases = all_rounds(one, other)
    for case in cases:
        confirm(case)()
    results = duels(
        [
            (
                functools.partial(steps.undo_step, appointment=case.request, by=desk(), now=NOW),
                functools.partial(services.cancel, appointment=case.request, by=case.by, now=NOW),
            )
            for case in cases
        ]
    )
    for case, (undone, cancelled) in zip(cases, results, strict=True):
        assert isinstance(cancelled, Appointment)
        if isinstance(undone, Appointment):
            assert case.end == ("booked", "cancelled")
        else:
            assert isinstance(undone, NothingToUndo)
            assert case.end == ("cancelled", "cancelled")
    assert problems() == []
