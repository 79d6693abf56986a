"""What an administrator does to single messages."""

from __future__ import annotations

import datetime as dt
import secrets

from django.db import transaction
from django.utils import timezone

from accounts.roles import Actor
from clinic import audit
from notifications.exceptions import NotAgain, NothingKept, NotWaiting
from notifications.models import AGAIN, Kind, Notification, State
from notifications.outbox import wake_after_commit


@transaction.atomic
def send_again(
    *, notification: Notification, by: Actor, now: dt.datetime | None = None
) -> Notification:
    """Owe it once more; the row that is due now.

    A failed row is tried afresh. One that was sent stays as it is and gets a
    successor, so that mail programs do not take the second for the first.
    Refuses: NotAgain, NothingKept.
    """
    now = now or timezone.now()
    row = Notification.objects.select_for_update().get(pk=notification.pk)
    if row.kind == Kind.ACCOUNT:
        raise NothingKept
    if row.state not in {State.SENT, State.FAILED} or row.useful_until <= now:
        raise NotAgain
    if row.state == State.SENT:
        row.key = f"{row.key.split(AGAIN)[0]}{AGAIN}{secrets.token_hex(4)}"
        row.pk, row.sent_at, row._state.adding = None, None, True
        # Asked for by itself: it neither takes others along nor waits for one.
        row.day = None if row.kind == Kind.REMINDER else row.day
        row.told_with = None
    row.state, row.tries, row.try_at, row.last_error = State.PENDING, 0, now, ""
    row.save()
    audit.record(actor=str(by), action="notification.send_again", target=notification)
    wake_after_commit([row.pk])
    return row


@transaction.atomic
def withdraw(*, notification: Notification, by: Actor) -> None:
    """Never send it. Refuses NotWaiting, also for one that is on its way this moment."""
    open_row = Notification.objects.filter(
        pk=notification.pk, state__in=[State.PENDING, State.FAILED]
    )
    if not open_row.update(state=State.VOID, text="", html=""):
        raise NotWaiting
    audit.record(actor=str(by), action="notification.withdraw", target=notification)
