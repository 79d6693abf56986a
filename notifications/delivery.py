"""Takes rows out of the outbox and sends them: claim, look once more, send, mark.

No transaction is open while a mail server is spoken to. A row that is being
sent carries a lease; if its worker dies, the row is due again when the lease ends,
and leaves with the same Message-ID.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from notifications import faults
from notifications.letters import letter_for
from notifications.models import TO_PRACTITIONER, TRUE_WHILE, Kind, Notification, State
from notifications.selectors import may_still_read

log = logging.getLogger(__name__)

#: Longer than one mail can take (EMAIL_TIMEOUT for each step of the conversation).
LEASE = dt.timedelta(minutes=3)
#: How long a sweep goes on (seconds); below the soft time limit of a task.
SWEEP_SECONDS = 60
BATCH = 100


@dataclass(frozen=True, slots=True)
class Round:
    sent: int
    #: False if the mail server did not answer: the rest is still due.
    reached: bool = True


def deliver_due(*, now: dt.datetime | None = None) -> int:
    """Send everything that is due, the longest overdue first; how many were sent."""
    mark_late(now=now)
    sent, end = 0, time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < end:
        due = Notification.objects.due(now or timezone.now()).order_by("try_at", "pk")
        ids = list(due.values_list("pk", flat=True)[:BATCH])
        if not ids:
            break
        done = deliver(ids, now=now)
        sent += done.sent
        if not done.reached:
            break
    return sent


def mark_late(*, now: dt.datetime | None = None) -> int:
    """Give up what helps nobody any more; after a long standstill this can be many."""
    now = now or timezone.now()
    late = Notification.objects.waiting().filter(try_at__lte=now, useful_until__lte=now)
    return late.update(state=State.LATE, text="", html="")


def deliver(ids: Iterable[int], *, now: dt.datetime | None = None) -> Round:
    """Send those of these rows that are due. ``now`` only for tests."""
    due = Notification.objects.due(now or timezone.now()).filter(pk__in=list(ids))
    waiting = list(due.order_by("try_at", "pk").values_list("pk", flat=True))
    connection = mail.get_connection()
    sent = 0
    try:
        for position, pk in enumerate(waiting):
            if not _open(connection, waiting[position:]):
                return Round(sent, reached=False)
            row = claim(pk, now=now)
            if row is not None:
                sent += _send(row, connection, now or timezone.now())
    finally:
        _close(connection)
    return Round(sent)


def claim(pk: int, *, now: dt.datetime | None = None) -> Notification | None:
    """Take the row for ourselves, or None: the database lets one of any number of workers."""
    now = now or timezone.now()
    taken = (
        Notification.objects.due(now)
        .filter(pk=pk)
        .update(state=State.SENDING, lease_until=now + LEASE, tries=F("tries") + 1)
    )
    return Notification.objects.with_parts().get(pk=pk) if taken else None


def verdict(row: Notification, now: dt.datetime) -> State | None:
    """Why the row must not leave (VOID, LATE), or None: it is true and of use."""
    if now >= row.useful_until:
        return State.LATE
    if row.kind == Kind.ACCOUNT:
        return None
    if row.kind == Kind.OFFER:
        return None if _still_offered(row, now) else State.VOID
    appointment = row.appointment
    if appointment is None or appointment.sequence != row.sequence:
        return State.VOID
    if appointment.status != TRUE_WHILE[Kind(row.kind)]:
        return State.VOID
    if row.user and row.kind not in TO_PRACTITIONER:
        return None if may_still_read(row.user, appointment.patient) else State.VOID
    return None


def _still_offered(row: Notification, now: dt.datetime) -> bool:
    offer, user = row.offer, row.user
    if offer is None or user is None or not offer.is_live(now):
        return False
    return may_still_read(user, offer.entry.patient)


def _send(row: Notification, connection: BaseEmailBackend, now: dt.datetime) -> bool:
    """Send one claimed row and mark it; whatever goes wrong concerns this row alone."""
    if row.tries > faults.MAX_TRIES:
        # Its worker died each time.
        _settle(row, State.FAILED)
        return False
    try:
        if (end := verdict(row, now)) is not None:
            _settle(row, end)
            return False
        letter = letter_for(row, now)
        if connection.send_messages([letter.message]) != 1:
            raise OSError("The mail backend took no message.")
    except DatabaseError:
        raise  # not the row's fault: the lease ends, the next sweep comes
    except Exception as error:  # noqa: BLE001 - one bad row delays nobody
        _close(connection)
        _put_off(row, error, now)
        return False
    _settle(
        row, State.SENT, sent_at=now, to=letter.message.to[0], subject=letter.subject, last_error=""
    )
    return True


def _put_off(row: Notification, error: Exception, now: dt.datetime) -> None:
    reason = faults.describe(error)[:300]
    if faults.is_permanent(error) or row.tries >= faults.MAX_TRIES:
        log.error("Message %s (%s) failed for good: %s", row.pk, row.kind, type(error).__name__)
        _settle(row, State.FAILED, last_error=reason)
        return
    log.warning("Message %s (%s), try %d: %s", row.pk, row.kind, row.tries, type(error).__name__)
    _update_mine(
        row,
        state=State.PENDING,
        lease_until=None,
        try_at=now + faults.wait_after(row.tries),
        last_error=reason,
    )


def _settle(row: Notification, state: State, **values: Any) -> None:
    """The end of the row; what it said is not kept."""
    _update_mine(row, state=state, lease_until=None, text="", html="", **values)


def _update_mine(row: Notification, **values: Any) -> None:
    """Write only if the lease is still ours."""
    mine = Notification.objects.filter(pk=row.pk, state=State.SENDING, lease_until=row.lease_until)
    if not mine.update(**values):
        log.warning("Message %s outlived its lease; another worker has it.", row.pk)


def _open(connection: BaseEmailBackend, waiting: Sequence[int]) -> bool:
    """Whether the mail server is there. If not, no row is to blame and none loses a try."""
    try:
        connection.open()
    except OSError as error:
        reason = faults.describe(error)
        log.warning("No mail server (%s); %d messages wait.", type(error).__name__, len(waiting))
        Notification.objects.waiting().filter(pk__in=waiting).update(last_error=reason[:300])
        return False
    return True


def _close(connection: BaseEmailBackend) -> None:
    with suppress(OSError):
        connection.close()
