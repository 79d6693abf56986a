"""The tasks the broker and the clock know by name."""

import datetime as dt

import pytest
from django.conf import settings
from django.core import mail
from django.utils import timezone

from accounts.tests.factories import PatientFactory
from appointments.tests.factories import at, book
from notifications import tasks
from notifications.models import Kind, Notification, State
from notifications.tests.factories import account_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]


@pytest.fixture(autouse=True)
def _new_machine(settings, tmp_path):
    settings.VAR_DIR = tmp_path


def due_now():
    now = timezone.now()
    row = account_mail()
    row.due_at = row.try_at = now
    row.useful_until = now + dt.timedelta(minutes=5)
    row.save()
    return row


def test_deliver_sends_the_named_rows_once():
    row, other = due_now(), due_now()
    assert tasks.deliver([row.pk]) == 1
    assert tasks.deliver([row.pk]) == 0
    other.refresh_from_db()
    assert other.state == State.PENDING
    assert len(mail.outbox) == 1


def test_sweep_sends_everything_due():
    due_now(), due_now()
    assert tasks.sweep() == 2
    assert tasks.sweep() == 0


def test_missing_reminders(time_machine):
    time_machine.move_to(at(8, days=0))
    book(patient=PatientFactory.create(email="ana@example.org"), start=at(10, days=3))
    Notification.objects.all().delete()
    assert tasks.owe_missing_reminders() == 1
    assert Notification.objects.get().kind == Kind.REMINDER


def test_the_clock_calls_them_by_their_names():
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {tasks.sweep.name, tasks.owe_missing_reminders.name} <= scheduled
