"""Sending again and withdrawing, by an administrator."""

import datetime as dt

import pytest
from django.core import mail

from accounts.roles import Actor
from accounts.tests.factories import administrator
from appointments.tests.factories import NOW
from clinic.models import AuditEvent
from notifications import delivery, services
from notifications.exceptions import NotAgain, NothingKept, NotWaiting
from notifications.letters import message_id
from notifications.models import Kind, Notification, State
from notifications.tests.factories import SOON, account_mail, booked, family

pytestmark = pytest.mark.django_db

LATER = SOON + dt.timedelta(minutes=5)


@pytest.fixture
def by():
    return Actor.administrator(administrator())


@pytest.fixture
def row():
    user, patient = family(email="ana@example.org")
    booked(user=user, patient=patient)
    return Notification.objects.get(kind=Kind.BOOKED)


def test_what_was_sent_gets_a_successor(row, by):
    delivery.deliver([row.pk], now=SOON)
    again = services.send_again(notification=row, by=by, now=LATER)
    assert again.pk != row.pk
    assert message_id(again) != message_id(row), "or mail programs would hide it"
    assert delivery.deliver([again.pk], now=LATER).sent == 1
    assert [m.to for m in mail.outbox] == [["ana@example.org"]] * 2
    row.refresh_from_db()
    assert (row.state, row.sent_at) == (State.SENT, SOON)
    third = services.send_again(notification=again, by=by, now=LATER)
    assert third.key.count(":again:") == 1


def test_what_failed_is_tried_afresh(row, by):
    Notification.objects.filter(pk=row.pk).update(state=State.FAILED, tries=10, last_error="550 No")
    again = services.send_again(notification=row, by=by, now=LATER)
    assert (again.pk, again.key) == (row.pk, row.key)
    assert (again.state, again.tries, again.last_error) == (State.PENDING, 0, "")
    assert delivery.deliver([row.pk], now=LATER).sent == 1


@pytest.mark.parametrize("state", [State.PENDING, State.SENDING, State.VOID, State.LATE])
def test_others_are_not_sent_again(row, by, state):
    Notification.objects.filter(pk=row.pk).update(state=state)
    with pytest.raises(NotAgain):
        services.send_again(notification=row, by=by, now=LATER)


def test_nor_what_helps_nobody_any_more(row, by):
    Notification.objects.filter(pk=row.pk).update(state=State.SENT)
    with pytest.raises(NotAgain):
        services.send_again(notification=row, by=by, now=row.useful_until)


@pytest.mark.parametrize("state", [State.SENT, State.FAILED])
def test_codes_are_not_kept(by, state):
    row = account_mail()
    Notification.objects.filter(pk=row.pk).update(state=state)
    with pytest.raises(NothingKept):
        services.send_again(notification=row, by=by, now=NOW)


def test_a_code_that_is_held_is_still_there(by):
    row = account_mail()
    Notification.objects.filter(pk=row.pk).update(state=State.HELD)
    services.send_again(notification=row, by=by, now=NOW)
    assert delivery.deliver([row.pk], now=NOW).sent == 1
    assert mail.outbox[0].body == "El código es ABC-123."


@pytest.mark.parametrize("state", [State.PENDING, State.FAILED])
def test_withdrawn_is_never_sent(row, by, state):
    Notification.objects.filter(pk=row.pk).update(state=state)
    services.withdraw(notification=row, by=by)
    assert delivery.deliver([row.pk], now=SOON).sent == 0
    row.refresh_from_db()
    assert row.state == State.VOID


@pytest.mark.parametrize("state", [State.SENDING, State.SENT, State.VOID, State.LATE])
def test_too_late_to_withdraw(row, by, state):
    Notification.objects.filter(pk=row.pk).update(state=state)
    with pytest.raises(NotWaiting):
        services.withdraw(notification=row, by=by)


def test_both_leave_a_line_in_the_log_without_personal_data(row, by):
    services.withdraw(notification=row, by=by)
    Notification.objects.filter(pk=row.pk).update(state=State.FAILED)
    services.send_again(notification=row, by=by, now=SOON)
    lines = AuditEvent.objects.order_by("pk").values_list("actor", "action", "target", "details")
    assert list(lines) == [
        ("admin@example.org", "notification.withdraw", f"notifications.notification:{row.pk}", {}),
        (
            "admin@example.org",
            "notification.send_again",
            f"notifications.notification:{row.pk}",
            {},
        ),
    ]
