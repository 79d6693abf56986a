"""What nobody but patient and doctor may know is in no mail, log line, key or task."""

import datetime as dt
import json
import logging
from email import message_from_bytes, policy

import pytest
from django.core import mail

from accounts.models import Coverage
from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory, ReceptionistFactory
from appointments import services
from appointments.tests.factories import NOW, SYSTEM, at, desk
from clinic.models import AuditEvent
from clinic.tests.factories import InsurerFactory
from notifications import delivery, digests, outbox, wake
from notifications.models import Kind, Notification
from notifications.tests.factories import SOON, account_mail, booked, chooses, family
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

#: Never in a mail, whatever its kind.
SECRET = {
    "reason": "canary-reason",
    "document": "30111222",
    "specialty": "Canary Oncology",
    "service": "Canary Biopsy",
    "said when cancelling": "canary-cancelled",
    "member number": "canary-62-001234",
    "insurer": "Canary Mutual",
}
#: In the body alone: who, with whom, where.
PERSONAL = ["Canarina", "Pajaroff"]


@pytest.fixture
def tasks_seen(monkeypatch):
    """What is handed to the broker."""
    calls = []

    class Deliver:
        @staticmethod
        def apply_async(**options):
            calls.append(json.dumps(options))

    monkeypatch.setattr("notifications.tasks.deliver", Deliver)
    monkeypatch.setattr(wake, "breaker", wake.Breaker())
    return calls


@pytest.fixture
def everything_happened(tasks_seen, django_capture_on_commit_callbacks, caplog):
    """Each kind of message has been owed and sent, one sending with every failure."""
    caplog.set_level(logging.DEBUG)
    user, patient = family(language="en")
    patient.first_name, patient.last_name = PERSONAL
    patient.document_number = SECRET["document"]
    patient.save()
    Coverage.objects.create(
        patient=patient,
        insurer=InsurerFactory.create(name=SECRET["insurer"]),
        member_number=SECRET["member number"],
    )
    offering = open_offering(
        service__name=SECRET["service"],
        service__specialty__name=SECRET["specialty"],
        confirmation="manual",
    )

    def asked(days):
        return booked(days, user=user, patient=patient, offering=offering, reason=SECRET["reason"])

    at_work = Actor.practitioner(offering.practitioner.user)
    with django_capture_on_commit_callbacks(execute=True):
        confirmed, cancelled, ended = asked(3), asked(4), asked(5)
        delivery.deliver_due(now=SOON)
        services.confirm(appointment=confirmed, by=at_work, now=SOON)
        services.confirm(appointment=cancelled, by=at_work, now=SOON)
        services.cancel(
            appointment=cancelled,
            by=Actor.patient(user),
            reason=SECRET["said when cancelling"],
            now=SOON,
        )
        services.expire(appointment=ended, by=SYSTEM, now=ended.expires_at)
        at_once = offering
        at_once.confirmation = "automatic"
        at_once.save()
        asked(6)
        account_mail(user=user)
        delivery.deliver_due(now=NOW)
        delivery.deliver_due(now=ended.expires_at)
        _of_several(user, patient, offering)


def _of_several(user, patient, offering):
    """Two on one day, the list of that day, word of a request, a time that is given up."""
    chooses(offering.practitioner.user, day_list_at=dt.time(8))
    ReceptionistFactory.create(locations=[offering.schedule.location])
    reason = SECRET["reason"]
    child = PatientAccessFactory.create(user=user, relation="child").patient
    booked(user=user, patient=child, offering=offering, start=at(12, days=6), reason=reason)
    gone = booked(9, user=user, patient=patient, offering=offering, reason=reason)
    services.cancel(appointment=gone, by=desk(), reason="Congreso", away=True, now=NOW)
    offering.confirmation = "manual"
    offering.save()
    booked(10, user=user, patient=patient, offering=offering, reason=reason)
    for moment in (at(10, days=4), at(10, days=5), at(8, days=6)):
        digests.owe(now=moment)
        delivery.deliver_due(now=moment)


def test_nothing_secret_is_in_any_mail(everything_happened):
    kinds = set(Notification.objects.filter(state="sent").values_list("kind", flat=True))
    assert len(kinds) >= 11, "otherwise this test sees too little"
    assert {Kind.AWAY, Kind.PRACTITIONER_DAY, Kind.REMINDER} <= kinds
    assert Notification.objects.filter(told_with__isnull=False).exists()
    for sent in mail.outbox:
        message = message_from_bytes(sent.message().as_bytes(), policy=policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        whole = "\n".join(
            [*(f"{name}: {value}" for name, value in message.items())]
            + [part.get_payload(decode=True).decode() for part in parts]
        )
        for what, canary in SECRET.items():
            assert canary not in whole, f"{what} in {message['Subject']}"


def test_no_name_is_in_a_subject_or_a_calendar(everything_happened):
    for sent in mail.outbox:
        message = message_from_bytes(sent.message().as_bytes(), policy=policy.default)
        calendars = [part.get_payload(decode=True).decode() for part in message.iter_attachments()]
        for name in PERSONAL:
            assert name not in message["Subject"]
            assert not any(name in calendar for calendar in calendars)


def test_the_names_are_there_to_be_found(everything_happened):
    assert any("Canarina Pajaroff" in sent.body for sent in mail.outbox)


def test_nothing_personal_is_in_a_log_a_task_a_key_or_the_audit(
    everything_happened, caplog, tasks_seen
):
    emails = set(Notification.objects.values_list("to", flat=True))
    records = caplog.get_records("setup")
    ours = [r.getMessage() for r in records if r.name.split(".")[0] in OUR_LOGGERS]
    keys = Notification.objects.values_list("key", flat=True)
    audit = [f"{line.target} {line.details}" for line in AuditEvent.objects.all()]
    assert tasks_seen
    assert emails
    for place in [*ours, *tasks_seen, *keys, *audit]:
        for canary in [*SECRET.values(), *PERSONAL, *emails]:
            assert canary not in place


OUR_LOGGERS = {"notifications", "appointments", "accounts", "clinic", "celery", "kombu"}


def test_a_mail_that_cannot_be_rendered_is_not_quoted(monkeypatch, caplog):
    user, patient = family()
    booked(user=user, patient=patient, reason=SECRET["reason"])

    def broken(row, now):
        raise ValueError(f"{row.appointment.reason} {row.to}")

    monkeypatch.setattr(delivery, "letter_for", broken)
    delivery.deliver_due(now=SOON)
    assert "ValueError" in caplog.text
    errors = Notification.objects.values_list("last_error", flat=True)
    for place in [caplog.text, *errors]:
        assert SECRET["reason"] not in place
        assert user.email not in place


def test_only_numbers_are_handed_to_a_task(tasks_seen, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        booked(reason=SECRET["reason"])
        outbox.owe_account_mail(
            to="ana@example.org",
            language="es",
            subject="s",
            text="ABC-123",
            html="",
            user=None,
            lives_for=outbox.ACCOUNT_MAIL_LIVES,
        )
    assert len(tasks_seen) == 2
    for call in tasks_seen:
        [ids] = json.loads(call)["args"]
        assert all(isinstance(number, int) for number in ids)
