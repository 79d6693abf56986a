"""What the worker does about accounts."""

import datetime as dt

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import tasks
from accounts.tests.factories import patient_user

pytestmark = pytest.mark.django_db


def test_ended_sessions_are_forgotten_and_open_ones_stay(client):
    client.force_login(patient_user())
    Session.objects.create(
        session_key="ended", session_data="", expire_date=timezone.now() - dt.timedelta(hours=1)
    )
    tasks.forget_ended_sessions()
    assert [s.session_key for s in Session.objects.all()] == [client.session.session_key]


def test_the_clock_calls_it_by_its_name():
    names = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks.forget_ended_sessions.name in names
