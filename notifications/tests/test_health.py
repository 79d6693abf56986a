"""The page of the administration that says whether mails leave."""

import datetime as dt

import pytest
from django.core import mail
from django.urls import reverse

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import (
    PractitionerFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services as appointment_verbs
from appointments.tests.factories import NOW, desk
from clinic.models import AuditEvent
from notifications import delivery, services
from notifications.models import Notification, Part, Pulse, State
from notifications.tests.factories import booked, pending

pytestmark = [pytest.mark.django_db, pytest.mark.once]

PAGE = reverse("admin:notifications_notification_health")
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def admin(client, time_machine):
    time_machine.move_to(NOW, tick=False)
    client.force_login(administrator())
    client.cookies["django_language"] = "en"
    return client


def text_of(client):
    response = client.get(PAGE)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_nobody_else_opens_it(client):
    assert client.get(PAGE).status_code == 302
    for user in (patient_user(), PractitionerFactory.create().user):
        client.force_login(user)
        assert client.get(PAGE).status_code == 403
        assert client.post(PAGE, {"do": "test"}).status_code == 403
    client.force_login(ReceptionistFactory.create().user)
    assert client.post(PAGE, {"do": "release"}).status_code == 403
    assert Notification.objects.count() == 0


def test_all_is_well(admin):
    for part in (Part.CLOCK, Part.SWEEP, Part.MAIL):
        Pulse.objects.create(part=part, at=NOW)
    page = text_of(admin)
    assert "Mails leave." in page
    assert page.count("Last sign of life: Monday 23 November 2026, 8:00.") == 2
    assert "It took a mail last: Monday 23 November 2026, 8:00." in page
    assert "has to be started" not in page
    assert "unwell" not in page


def test_what_is_wrong_is_said_with_what_to_do(admin):
    Pulse.objects.create(part=Part.CLOCK, at=NOW - HOUR)
    Pulse.objects.create(part=Part.SWEEP, at=NOW - HOUR)
    Pulse.objects.create(part=Part.MAIL, stands_since=NOW - HOUR)
    failed = pending(lives_for=2 * HOUR)
    Notification.objects.filter(pk=failed.pk).update(state=State.FAILED, try_at=NOW)
    page = text_of(admin)
    assert "Mails have stood still since Monday 23 November 2026, 7:00." in page
    assert "The service of the scheduler" in page
    assert "Nobody knows while the scheduler stands still." in page
    assert "It has taken no mail since Monday 23 November 2026, 7:00." in page
    assert "1 in the last day." in page
    assert "mail-banner" not in page, "once is enough"


def test_a_worker_that_stands_alone(admin):
    Pulse.objects.create(part=Part.CLOCK, at=NOW)
    Pulse.objects.create(part=Part.SWEEP, at=NOW - HOUR)
    page = text_of(admin)
    assert "The service of the worker" in page
    assert "The service of the scheduler" not in page


def test_a_test_mail_goes_the_way_of_all_mails(admin):
    assert admin.post(PAGE, {"do": "test"})["Location"] == PAGE
    row = Notification.objects.get()
    assert (row.to, row.state, row.subject) == ("admin@example.org", State.PENDING, "Mail test")
    assert "<strong>waiting</strong>" in text_of(admin)
    assert delivery.deliver_due(now=NOW) == 1
    assert "<strong>sent</strong>" in text_of(admin)
    assert [m.to for m in mail.outbox] == [["admin@example.org"]]


def test_looking_changes_nothing(admin):
    row = pending()
    text_of(admin)
    admin.post(PAGE, {"do": "nonsense"})
    assert list(Notification.objects.values_list("pk", "state")) == [(row.pk, State.PENDING)]


@pytest.mark.parametrize(("do", "state"), [("release", State.PENDING), ("withdraw", State.VOID)])
def test_an_administrator_decides_about_what_is_held(admin, do, state):
    held, other = pending(), pending()
    Notification.objects.filter(pk=held.pk).update(state=State.HELD, tries=3, try_at=NOW - HOUR)
    assert "1 message waits for a decision" in text_of(admin)
    admin.post(PAGE, {"do": do})
    held.refresh_from_db()
    other.refresh_from_db()
    assert (held.state, other.state) == (state, State.PENDING)
    line = AuditEvent.objects.get(action=f"notification.{do}_held")
    assert (line.actor, line.details) == ("admin@example.org", {"count": 1})
    if do == "release":
        assert (held.tries, held.try_at) == (0, NOW)
    else:
        assert held.text == ""


def test_nothing_held_leaves_no_line_in_the_audit():
    by = Actor.administrator(administrator())
    assert services.release_held(by=by) == services.withdraw_held(by=by) == 0
    assert not AuditEvent.objects.exists()


def test_single_held_messages_are_sent_or_withdrawn_in_the_list(admin):
    by = Actor.administrator(User.objects.get())
    booked()
    one, two = Notification.objects.filter(kind__in=["booked", "practitioner_new"]).order_by("pk")
    Notification.objects.update(state=State.HELD)
    services.send_again(notification=one, by=by, now=NOW)
    services.withdraw(notification=two, by=by)
    states = dict(Notification.objects.values_list("pk", "state"))
    assert (states[one.pk], states[two.pk]) == (State.PENDING, State.VOID)


def test_a_change_voids_what_is_held():
    appointment = booked()
    Notification.objects.update(state=State.HELD)
    appointment_verbs.cancel(appointment=appointment, by=desk(), reason="Congreso", now=NOW)
    assert not Notification.objects.held().exists()


def test_a_queue_that_cannot_be_reached_is_said(admin, monkeypatch):
    monkeypatch.setattr("notifications.health.queue_depth", lambda: None)
    assert "It cannot be reached." in text_of(admin)
    monkeypatch.setattr("notifications.health.queue_depth", lambda: 1)
    assert "1 task waits." in text_of(admin)
