"""What an administrator does to single messages."""

from __future__ import annotations

import datetime as dt
import secrets

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, override

from accounts.models import User
from accounts.roles import Actor
from clinic import audit
from notifications.exceptions import NotAgain, NothingKept, NotWaiting
from notifications.models import AGAIN, Kind, Notification, State
from notifications.outbox import owe_account_mail, wake_after_commit

#: Afterwards nobody is waiting for a test any more.
TEST_LIVES = dt.timedelta(hours=1)


@transaction.atomic
def send_again(
    *, notification: Notification, by: Actor, now: dt.datetime | None = None
) -> Notification:
    """Owe it once more; the row that is due now.

    A failed or held row is tried afresh. One that was sent stays as it is and gets a
    successor, so that mail programs do not take the second for the first.
    Refuses: NotAgain, NothingKept.
    """
    now = now or timezone.now()
    row = Notification.objects.select_for_update().get(pk=notification.pk)
    if row.kind == Kind.ACCOUNT and row.state != State.HELD:
        raise NothingKept
    if row.state not in {State.SENT, State.FAILED, State.HELD} or row.useful_until <= now:
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
        pk=notification.pk, state__in=[State.PENDING, State.FAILED, State.HELD]
    )
    if not open_row.update(state=State.VOID, text="", html=""):
        raise NotWaiting
    audit.record(actor=str(by), action="notification.withdraw", target=notification)


@transaction.atomic
def release_held(*, by: Actor, now: dt.datetime | None = None) -> int:
    """Send what was held after a restore; what is too late or untrue is found out on the way."""
    now = now or timezone.now()
    count = Notification.objects.held().update(state=State.PENDING, tries=0, try_at=now)
    _record_held(by, "release", count)
    return count


@transaction.atomic
def withdraw_held(*, by: Actor) -> int:
    """Send nothing of what was held."""
    count = Notification.objects.held().update(state=State.VOID, text="", html="")
    _record_held(by, "withdraw", count)
    return count


def _record_held(by: Actor, deed: str, count: int) -> None:
    if count:
        action = f"notification.{deed}_held"
        audit.record(actor=str(by), action=action, target="notifications", count=count)


def send_test(*, to: User, language: str) -> Notification:
    """A mail to oneself, on the way of all mails."""
    with override(language):
        subject = gettext("Mail test")
        text = gettext("The mails of the clinic leave.")
    return owe_account_mail(
        to=to.email,
        language=language,
        subject=subject,
        text=f"{text}\n",
        html="",
        user=to,
        lives_for=TEST_LIVES,
    )
