"""Practitioners, rooms, patients, accounts, each ascending: nobody takes a lock out of turn.

Whoever does meets a deadlock some day. It would be tried again; here it is not made.
"""

from __future__ import annotations

from typing import Any

import pytest

from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import freed, holds, locks, services, steps, waiting
from appointments.models import Hold, WaitingOffer
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.waiting import actor, frees, offered, waits
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

KINDS = ("practitioners", "rooms", "patients", "accounts")
Lock = tuple[int, int]


class Turns(list[Lock]):
    """The locks in the order in which they were taken; those held already are nothing new."""

    def note(self, **wanted: Any) -> None:
        for number, kind in enumerate(KINDS):
            new = {(number, pk) for pk in wanted.get(kind, ())} - set(self)
            self.extend(sorted(new))


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    Organization.current()
    taken, hold = Turns(), locks.hold

    def noted(**wanted: Any) -> None:
        taken.note(**wanted)
        hold(**wanted)

    monkeypatch.setattr(locks, "hold", noted)
    return taken


@pytest.fixture
def offering(turns: Turns) -> ServiceOffering:
    return open_offering()


def test_waiting_names_a_practitioner_and_gives_an_appointment_back(turns, offering):
    """The row points at them, and so the database locks them, too."""
    user, colleague = patient_user(), open_offering(service=offering.service)
    patient = user.patient_accesses.get().patient
    later = book(offering=colleague, patient=patient, start=at(10, days=9))
    turns.clear()
    waits(offering, user, practitioner=offering.practitioner, instead_of=later)
    assert turns == [
        *sorted([(0, offering.practitioner.pk), (0, colleague.practitioner.pk)]),
        (2, patient.pk),
        (3, user.pk),
    ]


def test_those_who_are_passed_over_are_not_locked(turns, offering):
    """Two sweeps that go through the same people in another order would meet."""
    users = [patient_user() for _n in range(3)]
    busy = users[0].patient_accesses.get().patient
    book(patient=busy, start=at(10))
    for user in reversed(users):
        waits(offering, user)
    frees(offering)
    services.cancel(
        appointment=book(offering=offering, start=at(12), patient=busy),
        by=desk(),
        reason="x",
        now=NOW,
    )
    turns.clear()
    assert freed.sweep(now=NOW) == 2
    assert turns == [(0, offering.practitioner.pk), (3, users[2].pk), (3, users[1].pk)]


def test_who_changes_their_mind_in_that_moment_is_asked_by_nobody(turns, offering, monkeypatch):
    entry = waits(offering)
    frees(offering)
    hold = locks.hold

    def late(**wanted: Any) -> None:
        hold(**wanted)
        if "accounts" in wanted and "practitioners" not in wanted:
            type(entry).objects.filter(pk=entry.pk).update(status="ended")

    monkeypatch.setattr(locks, "hold", late)
    assert freed.sweep(now=NOW) == 0
    assert WaitingOffer.objects.count() == Hold.objects.count() == 0
    monkeypatch.setattr(locks, "hold", hold)
    other = waits(offering)
    assert freed.sweep(now=NOW) == 1
    assert WaitingOffer.objects.get().entry == other


def test_a_hold_that_lets_another_go_locks_both_practitioners(turns, offering):
    user, elsewhere = patient_user(), open_offering()
    for start in (at(9), at(10)):
        holds.take(offering=elsewhere, start=start, user=user, now=NOW)
    turns.clear()
    holds.take(offering=offering, start=at(9), user=user, now=NOW)
    assert turns == [
        *sorted([(0, offering.practitioner.pk), (0, elsewhere.practitioner.pk)]),
        (3, user.pk),
    ]
    assert Hold.objects.count() == holds.MOST


def test_what_is_given_back_may_move_meanwhile(turns, offering, monkeypatch):
    """Read before the lock, as it has to be, and looked at again under it."""
    user, colleague = patient_user(), open_offering(service=offering.service)
    patient = user.patient_accesses.get().patient
    later = book(offering=offering, patient=patient, start=at(10, days=9))
    offer = offered(offering, user, instead_of=later)
    hold = locks.hold
    moves: list[Any] = []

    def late(**wanted: Any) -> None:
        if not moves:
            moves.append(later)
            move = {"appointment": later, "offering": colleague, "start": at(11, days=8)}
            services.reschedule(**move, by=desk(), now=NOW)
        hold(**wanted)

    monkeypatch.setattr(locks, "hold", late)
    with pytest.raises(locks.ChangedMeanwhile):
        freed.accept(offer=offer, by=actor(offer), now=NOW)
    turns.clear()
    assert freed.accept(offer=offer, by=actor(offer), now=NOW).rescheduled_from == later
    assert turns == sorted(turns)


def test_to_end_waiting_is_in_order_too(turns, offering):
    offer = offered(offering)
    turns.clear()
    waiting.end(entry=offer.entry, now=NOW)
    assert turns == [(0, offering.practitioner.pk), (3, offer.entry.user_id)]


def asked(offering: ServiceOffering) -> tuple[Any, Any]:
    """A confirmed appointment, and a request to move it to another practitioner."""
    user = patient_user()
    patient = user.patient_accesses.get().patient
    other = open_offering(service=offering.service, confirmation="manual")
    old = book(offering=offering, patient=patient, start=at(10, days=9))
    by = Actor.patient(user)
    what = {"offering": other, "start": at(11, days=8), "by": by, "now": NOW}
    return old, services.reschedule(appointment=old, **what)


def test_to_confirm_a_move_that_was_asked_for_locks_both(turns, offering):
    old, request = asked(offering)
    everybody = [
        *sorted([(0, old.practitioner_id), (0, request.practitioner_id)]),
        (2, old.patient_id),
    ]
    turns.clear()
    services.confirm(appointment=request, by=desk(), now=NOW)
    assert turns == everybody
    turns.clear()
    steps.undo_step(appointment=request, by=desk(), now=NOW)
    assert turns == everybody


def test_what_a_request_replaces_may_move_meanwhile(turns, offering, monkeypatch):
    """Read before the locks, and looked at again under them; all of it is taken back here."""
    old, request = asked(offering)
    hold = locks.hold
    moves: list[Any] = []

    def late(**wanted: Any) -> None:
        if not moves:
            moves.append(old)
            move = {"appointment": old, "offering": offering, "start": at(11, days=9)}
            services.reschedule(**move, by=desk(), now=NOW)
        hold(**wanted)

    monkeypatch.setattr(locks, "hold", late)
    with pytest.raises(locks.ChangedMeanwhile):
        services.confirm(appointment=request, by=desk(), now=NOW)
    turns.clear()
    done = services.confirm(appointment=request, by=desk(), now=NOW)
    assert done.rescheduled_from == old
    assert turns == sorted(turns)
