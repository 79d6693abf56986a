"""A word of its own in every personal field, and then a search for all of them.

The broker here is a real one, made of files: what is searched is what lies in it.
"""

import base64
import datetime as dt
import json
import logging
import smtplib
from email import message_from_bytes, policy

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from accounts.models import Coverage
from accounts.roles import Actor
from accounts.tests.factories import PatientFactory
from appointments import services
from appointments.tests.factories import NOW, at, desk
from clinic.celery import app
from clinic.environment import folder_broker
from clinic.tests.factories import InsurerFactory
from clinic.tests.test_outage import broker
from notifications import delivery, tasks, wake
from notifications import services as mail_services
from notifications.models import Notification, State
from notifications.tests.factories import account_mail, family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

SOON = NOW + dt.timedelta(minutes=1)
CANARIES = {
    "first name": "Canarina",
    "last name": "Pajaroff",
    "name of the account": "Tutora Jilguero",
    "e-mail of the account": "canary.account@example.org",
    "e-mail of the record": "canary.record@example.org",
    "telephone": "1165432109",
    "document": "30999888",
    "birth date": "1987-06-05",
    "reason": "canary-reason",
    "said when cancelling": "canary-cancelled",
    "said when moving": "canary-moved",
    "said when overbooking": "canary-overbooked",
    "insurer": "Canary Mutual",
    "plan": "canary-plan",
    "member number": "canary-62-001234",
    "service": "Canary Biopsy",
    "specialty": "Canary Oncology",
    "secret of a code": "canary-code-123456",
}


class Quoting(EmailBackend):
    """Refuses the first mail, and quotes whom it was for and what it said."""

    refused = 0

    def send_messages(self, messages):
        if not Quoting.refused:
            Quoting.refused = 1
            [message] = messages
            raise smtplib.SMTPDataError(451, f"not now: {message.to} {message.body}".encode())
        return super().send_messages(messages)


@pytest.fixture
def payloads(tmp_path, monkeypatch):
    """What lies in the broker, in the order in which it came."""
    monkeypatch.setattr(wake, "breaker", wake.Breaker())
    with broker("filesystem://localhost", folder_broker(tmp_path)):
        yield lambda: [file.read_text() for file in sorted((tmp_path / "broker").glob("*.msg"))]


@pytest.fixture
def life(payloads, settings, caplog, django_capture_on_commit_callbacks):
    """Booked, moved, cancelled, overbooked, refused, sent again; all of it with canaries."""
    caplog.set_level(logging.DEBUG)
    settings.EMAIL_BACKEND = f"{__name__}.Quoting"
    Quoting.refused = 0
    user, patient = family(name=CANARIES["name of the account"])
    user.email = CANARIES["e-mail of the account"]
    user.save()
    unreached = _with_canaries(PatientFactory.create())
    _with_canaries(patient)
    insurer = InsurerFactory.create(name=CANARIES["insurer"])
    Coverage.objects.create(
        patient=patient,
        insurer=insurer,
        plan=CANARIES["plan"],
        member_number=CANARIES["member number"],
    )
    offering = open_offering(
        service__name=CANARIES["service"],
        service__specialty__name=CANARIES["specialty"],
        confirmation="manual",
    )
    at_work = Actor.practitioner(offering.practitioner.user)
    hers = {"offering": offering, "patient": patient, "by": Actor.patient(user), "now": NOW}
    with django_capture_on_commit_callbacks(execute=True):
        made = [
            services.book(start=at(10, days=days), reason=CANARIES["reason"], **hers)
            for days in (4, 6)
        ]
        for appointment in made:
            services.confirm(appointment=appointment, by=at_work, now=NOW)
        moved = services.reschedule(
            appointment=made[0],
            offering=offering,
            start=at(12, days=5),
            by=desk(),
            note=CANARIES["said when moving"],
            now=NOW,
        )
        services.cancel(
            appointment=made[1],
            by=Actor.patient(user),
            reason=CANARIES["said when cancelling"],
            now=NOW,
        )
        services.overbook(
            offering=offering,
            patient=unreached,
            start=moved.start,
            by=at_work,
            why=CANARIES["said when overbooking"],
            now=NOW,
        )
        account_mail(user=user, text=CANARIES["secret of a code"])
        mail_services.send_test(to=user, language="es")
        delivery.deliver_due(now=SOON)
        delivery.deliver_due(now=SOON + dt.timedelta(minutes=5))
        sent = Notification.objects.filter(state=State.SENT, kind="moved").first()
        mail_services.send_again(notification=sent, by=desk(), now=SOON)
        delivery.deliver_due(now=at(12, days=4))


def _with_canaries(patient):
    patient.first_name, patient.last_name = CANARIES["first name"], CANARIES["last name"]
    patient.email = CANARIES["e-mail of the record"]
    patient.phone = f"+54{CANARIES['telephone']}"
    patient.document_number = CANARIES["document"]
    patient.birth_date = dt.date.fromisoformat(CANARIES["birth date"])
    patient.save()
    return patient


def found_in(text):
    return sorted(what for what, canary in CANARIES.items() if canary in text)


def test_the_life_was_a_whole_one(life):
    kinds = set(Notification.objects.filter(state=State.SENT).values_list("kind", flat=True))
    assert {"moved", "cancelled", "reminder", "account", "practitioner_moved"} <= kinds
    assert Quoting.refused == 1
    bodies = "".join(str(sent.body) for sent in mail.outbox)
    assert found_in(bodies)[:2] == ["first name", "last name"], "they are there to be found"


def test_no_subject_says_anything(life):
    subjects = [
        message_from_bytes(m.message().as_bytes(), policy=policy.default) for m in mail.outbox
    ]
    assert len(subjects) > 5
    for message in subjects:
        assert found_in(str(message["Subject"])) == []
        assert found_in(str(message["Message-ID"])) == []


def test_no_line_of_the_log_says_anything(life, caplog):
    records = caplog.get_records("setup")
    assert any(record.name == "notifications.delivery" for record in records)
    formatter = logging.Formatter("{name} {message}", style="{")
    for record in records:
        if not record.name.startswith("factory."):  # the tests' own
            assert found_in(formatter.format(record)) == [], record.name


def test_nothing_that_lies_in_the_broker_says_anything(life, payloads):
    bodies = []
    for payload in payloads():
        assert found_in(payload) == []
        message = json.loads(payload)
        body = base64.b64decode(message["body"]).decode()
        assert found_in(body) == []
        assert found_in(json.dumps(message["headers"])) == []
        bodies.append(json.loads(body))
    assert len(bodies) >= 5
    for args, kwargs, _embed in bodies:
        [ids] = args
        assert all(isinstance(number, int) for number in ids)
        assert kwargs == {}


def test_no_task_takes_anything_but_numbers(payloads):
    """Also those that only the scheduler calls: they are handed nothing."""
    for entry in app.conf.beat_schedule.values():
        assert "args" not in entry
        assert "kwargs" not in entry
    tasks.sweep.delay()
    [payload] = payloads()
    assert json.loads(base64.b64decode(json.loads(payload)["body"]))[:2] == [[], {}]
