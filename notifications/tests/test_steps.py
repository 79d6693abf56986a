"""Who was told of a step that was a mistake is told the truth; who was not yet, only that."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import services
from appointments.models import Appointment
from appointments.steps import undo_step
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import new_practice
from notifications import integrity
from notifications.models import Kind, Notification, State
from notifications.outbox import owe_missing_reminders

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]

SOON = NOW + dt.timedelta(minutes=5)


def visit_of(**practice: Any) -> Appointment:
    """Asked for by a patient, in three days."""
    user = patient_user()
    return book(
        offering=new_practice(**practice),
        patient=user.patient_accesses.get().patient,
        start=at(10, days=3),
        by=Actor.patient(user),
    )


def leave() -> None:
    """What is due has left."""
    Notification.objects.due(NOW).update(state=State.SENT)


def waiting() -> list[str]:
    rows = Notification.objects.filter(state=State.PENDING).order_by("kind")
    return list(rows.values_list("kind", flat=True))


def nothing_is_wrong() -> bool:
    return list(integrity.breaches(Counter(), now=SOON)) == []


def test_a_cancellation_that_was_told_is_followed_by_the_truth():
    visit = visit_of()
    leave()
    services.cancel(appointment=visit, by=desk(), reason="Congreso", now=NOW)
    assert waiting() == [Kind.CANCELLED, Kind.PRACTITIONER_CANCELLED]
    leave()
    undo_step(appointment=visit, by=desk(), now=SOON)
    assert waiting() == [Kind.CONFIRMED, Kind.PRACTITIONER_NEW, Kind.REMINDER]
    assert nothing_is_wrong()


def test_a_cancellation_that_nobody_was_told_of_is_as_if_it_had_not_been():
    visit = visit_of()
    leave()
    services.cancel(appointment=visit, by=desk(), reason="Congreso", now=NOW)
    undo_step(appointment=visit, by=desk(), now=SOON)
    assert waiting() == [Kind.REMINDER]
    assert nothing_is_wrong()


def test_who_was_told_nothing_at_all_learns_of_the_appointment():
    """The news of the booking waited too, and were voided with it."""
    visit = visit_of()
    services.cancel(appointment=visit, by=desk(), reason="Congreso", now=NOW)
    undo_step(appointment=visit, by=desk(), now=SOON)
    assert waiting() == [Kind.CONFIRMED, Kind.PRACTITIONER_NEW, Kind.REMINDER]


@pytest.mark.parametrize("told", [True, False])
def test_a_confirmation_by_mistake(told):
    visit = visit_of(confirmation="manual")
    leave()
    services.confirm(appointment=visit, by=desk(), now=NOW)
    assert waiting() == [Kind.CONFIRMED, Kind.REMINDER]
    if told:
        leave()
    undo_step(appointment=visit, by=desk(), now=SOON)
    assert waiting() == ([Kind.REQUESTED] if told else [])
    assert nothing_is_wrong()


def test_an_arrival_by_mistake_is_nobodys_news():
    visit = visit_of()
    leave()
    morning = visit.start - dt.timedelta(hours=1)
    Notification.objects.waiting().update(state=State.SENT)
    services.mark_arrived(appointment=visit, by=desk(), now=morning)
    undo_step(appointment=visit, by=desk(), now=morning)
    assert waiting() == []


def test_who_came_late_is_written_nothing():
    """No news, and no reminder is owed again for what has begun."""
    visit = visit_of()
    leave()
    late = visit.start + dt.timedelta(minutes=10)
    services.mark_no_show(appointment=visit, by=desk(), now=late)
    before = Notification.objects.count()
    services.mark_arrived(appointment=visit, by=desk(), now=late + dt.timedelta(minutes=10))
    undo_step(appointment=visit, by=desk(), now=late + dt.timedelta(minutes=12))
    services.mark_arrived(appointment=visit, by=desk(), now=late + dt.timedelta(minutes=13))
    assert Notification.objects.count() == before
    assert waiting() == []
    assert owe_missing_reminders(now=late + dt.timedelta(minutes=14)) == 0
    assert list(integrity.breaches(Counter(), now=late + dt.timedelta(minutes=14))) == []
