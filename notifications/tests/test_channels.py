"""A channel can be another than e-mail, and the appointments do not know."""

import pytest
from django.core import mail

from accounts.roles import Actor
from appointments import services
from appointments.tests.factories import NOW
from notifications import channels, delivery
from notifications.models import Kind, Notification, State
from notifications.tests.factories import SOON, booked, family

pytestmark = pytest.mark.django_db


class Chat:
    """Takes the text only, and sometimes nobody is there."""

    sent: list[tuple[str, str]] = []
    away = False

    def open(self):
        if self.away:
            raise ConnectionRefusedError

    def send(self, letter):
        if "Dra." not in letter.text:
            raise ValueError
        self.sent.append((letter.to, letter.text))

    def close(self):
        pass


@pytest.fixture
def chat(monkeypatch):
    monkeypatch.setitem(channels.CHANNELS, channels.EMAIL, Chat)
    monkeypatch.setattr(Chat, "sent", [])
    return Chat


def states():
    rows = Notification.objects.exclude(kind=Kind.REMINDER).order_by("pk")
    return {row.kind: row.state for row in rows}


def test_a_whole_story_by_another_channel(chat):
    user, patient = family(language="en")
    visit = booked(user=user, patient=patient)
    services.cancel(appointment=visit, by=Actor.patient(user), now=NOW)
    delivery.deliver_due(now=SOON)
    [(to, text)] = chat.sent
    assert to == user.email
    assert "You cancelled this appointment." in text
    assert mail.outbox == []
    assert states() == {
        Kind.BOOKED: State.VOID,
        Kind.PRACTITIONER_NEW: State.VOID,
        Kind.CANCELLED: State.SENT,
        Kind.PRACTITIONER_CANCELLED: State.PENDING,
    }, "the practitioner's letter names none, and was refused"


def test_nobody_there_blames_no_row(chat, monkeypatch):
    booked()
    monkeypatch.setattr(chat, "away", True)
    assert delivery.deliver_due(now=SOON) == 0
    assert set(Notification.objects.values_list("state", "tries")) == {(State.PENDING, 0)}
