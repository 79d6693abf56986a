"""Who learns of a move, and that it is one mail and one entry in the calendar."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import doctor_of, new_practice
from notifications.letters import Letter, letter_for
from notifications.models import Kind, Notification, State
from notifications.tests.factories import family
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]


@pytest.fixture(autouse=True)
def _monday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


class Case:
    """An appointment of somebody with an account, told of long ago, in three days at ten."""

    def __init__(self, **fields: Any) -> None:
        self.offering: ServiceOffering = new_practice(**fields)
        self.user, self.patient = family(language="en")
        self.old = book(offering=self.offering, patient=self.patient, start=at(10, days=3))
        Notification.objects.filter(due_at__lte=NOW).update(state=State.SENT)

    def move(self, by: Actor | None = None, **kwargs: Any) -> Appointment:
        kwargs = {"offering": self.offering, "start": at(12, days=4), **kwargs}
        return services.reschedule(appointment=self.old, by=by or desk(), now=NOW, **kwargs)


def owed() -> list[tuple[str, str]]:
    rows = Notification.objects.filter(state=State.PENDING).exclude(kind=Kind.REMINDER)
    return sorted(rows.values_list("kind", "to"))


def letter(kind: Kind) -> Letter:
    return letter_for(Notification.objects.with_parts().get(kind=kind), NOW)


def test_one_mail_to_each():
    case = Case()
    case.move()
    at_work = case.offering.practitioner.user
    assert at_work is not None
    assert owed() == [
        ("moved", case.user.email),
        ("practitioner_moved", at_work.email),
    ]


def test_whoever_moved_it_is_not_told_at_work():
    case = Case()
    case.move(by=doctor_of(case.offering))
    assert owed() == [("moved", case.user.email)]


def test_the_practitioner_who_gives_it_up_and_the_one_who_gets_it():
    case = Case()
    other = open_offering(service=case.offering.service)
    case.move(offering=other)
    people = dict(owed())
    assert case.offering.practitioner.user
    assert other.practitioner.user
    assert people == {
        "moved": case.user.email,
        "practitioner_cancelled": case.offering.practitioner.user.email,
        "practitioner_new": other.practitioner.user.email,
    }
    User.objects.update(language="en")
    text = str(letter(Kind.PRACTITIONER_CANCELLED).message.body)
    assert "This appointment went to another practitioner." in text


def test_a_request_that_is_moved_is_a_request():
    offering = new_practice(confirmation="manual")
    user = patient_user()
    old = book(
        offering=offering,
        patient=user.patient_accesses.get().patient,
        by=Actor.patient(user),
        start=at(10, days=3),
    )
    Notification.objects.filter(due_at__lte=NOW).update(state=State.SENT)
    services.reschedule(
        appointment=old, offering=offering, start=at(12, days=3), by=Actor.patient(user), now=NOW
    )
    assert [kind for kind, _to in owed()] == ["practitioner_request", "requested"]


def test_the_reminder_moves_along():
    case = Case()
    moved = case.move()
    rows = Notification.objects.filter(kind=Kind.REMINDER).order_by("pk")
    assert [(r.appointment_id, r.state) for r in rows] == [
        (case.old.pk, "void"),
        (moved.pk, "pending"),
    ]
    assert rows[1].due_at == at(12, days=4) - dt.timedelta(hours=24)


def test_the_mail_says_old_and_new():
    case = Case()
    case.move(note="Reunión de equipo")
    mail = letter(Kind.MOVED)
    assert mail.subject == "Appointment moved: Friday 27 November, 12:00"
    text = str(mail.message.body)
    assert text.startswith("Friday 27 November 2026, 12:00 (")
    assert "The clinic had to move this appointment to a new time." in text
    assert "Reason: Reunión de equipo" in text
    assert "Before: Thursday 26 November 2026, 10:00\n" in text


def test_the_patients_own_move_says_so_without_their_words():
    case = Case()
    case.move(by=Actor.patient(case.user), note="canary")
    text = str(letter(Kind.MOVED).message.body)
    assert "You moved this appointment to a new time. The old time no longer holds." in text
    assert "canary" not in text


def test_it_is_the_same_entry_of_the_calendar():
    case = Case()
    moved = case.move()
    part: Any = letter(Kind.MOVED).message.attachments[0]
    file = part.get_payload(decode=True).decode()
    assert f"UID:{case.old.public_id}" in file
    assert "SEQUENCE:2" in file
    assert "METHOD:PUBLISH" in file
    services.cancel(appointment=moved, by=desk(), reason="x", now=NOW)
    part = letter(Kind.CANCELLED).message.attachments[0]
    file = part.get_payload(decode=True).decode()
    assert f"UID:{case.old.public_id}" in file
    assert "SEQUENCE:3" in file
    assert "METHOD:CANCEL" in file
