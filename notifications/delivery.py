"""Takes rows out of the outbox and sends them: claim, look once more, send, mark.

No transaction is open while a mail server is spoken to. A row that is being
sent carries a lease; if its worker dies, the row is due again when the lease ends,
and leaves with the same Message-ID.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection, models
from django.db.models import F, Value
from django.db.models.functions import Greatest, Least
from django.utils import timezone

from accounts.models import Patient
from appointments.models import Appointment
from clinic.models import Organization
from notifications import choices, digests, faults, outbox, pulse, together
from notifications.channels import Channel, channel
from notifications.letters import letter_for
from notifications.models import (
    NO_READER,
    TO_PRACTITIONER,
    TRUE_WHILE,
    Kind,
    Notification,
    NotificationQuerySet,
    State,
)
from notifications.selectors import is_address_of_record, may_still_read, recipient_at_work
from scheduling.quiet import QuietHours

log = logging.getLogger(__name__)

#: A worker that dies delays what it was sending by so long.
LEASE = dt.timedelta(seconds=20)
#: A mail that takes longer than this has its lease renewed, again and again (seconds).
RENEWED_EVERY = 5.0
#: No mail takes as long; one that does is taken for lost (seconds).
LONGEST_MAIL = 120.0
#: How long a sweep goes on (seconds); below the soft time limit of a task.
SWEEP_SECONDS = 60.0
BATCH = 100
#: After so many failures in a row it is the mail server, not the rows: the rest waits.
ENOUGH_FAILURES = 3
#: So long a mail that has left is tried to be marked while the database is away (seconds).
MARKED_WITHIN = 18.0


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
            _look_whether_it_is_back(now or timezone.now())
            break
        done = deliver(ids, now=now, end=end)
        sent += done.sent
        if not done.reached:
            break
    return sent


def mark_late(*, now: dt.datetime | None = None) -> int:
    """Give up what helps nobody any more; after a long standstill this can be many."""
    now = now or timezone.now()
    late = Notification.objects.waiting().filter(try_at__lte=now, useful_until__lte=now)
    return late.update(state=State.LATE, text="", html="")


def deliver(
    ids: Iterable[int], *, now: dt.datetime | None = None, end: float | None = None
) -> Round:
    """Send those of these rows that are due. ``now`` only for tests.

    ``end``: no mail is begun after it, on the monotonic clock.
    """
    end = time.monotonic() + SWEEP_SECONDS if end is None else end
    due = Notification.objects.due(now or timezone.now()).filter(pk__in=list(ids))
    waiting = list(due.order_by("try_at", "pk").values_list("pk", flat=True))
    line = channel()
    sent = failed = 0
    try:
        for position, pk in enumerate(waiting):
            if time.monotonic() >= end:
                break
            if failed == ENOUGH_FAILURES or not _open(line, waiting[position:], now):
                return Round(sent, reached=False)
            row = claim(pk, now=now)
            went = _send(row, line, now or timezone.now()) if row else None
            sent += went is True
            # A row for which the server was not asked says nothing of the server.
            failed = 0 if went else failed + (went is False)
    finally:
        _close(line)
    return Round(sent)


def claim(pk: int, *, now: dt.datetime | None = None) -> Notification | None:
    """Take the row for ourselves, or None: the database lets one of any number of workers.

    A reminder takes along what its mail can tell too (``row.companions``).
    """
    now = now or timezone.now()
    bundle = together.bundle_of(pk)
    if bundle is not None:
        return together.claim(pk, bundle, now=now, lease_until=now + LEASE)
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
    if _lost_its_reader(row):
        return State.VOID
    if not choices.wants(row):
        return State.UNWANTED
    if row.kind == Kind.OFFER:
        return None if _still_offered(row, now) else State.VOID
    if row.kind in digests.KINDS:
        return None if digests.is_true(row, now) else State.VOID
    return None if _is_true(row) else State.VOID


def _is_true(row: Notification) -> bool:
    """Of what tells of an appointment: whether that is as it says."""
    appointment = row.appointment
    if appointment is None or appointment.sequence != row.sequence:
        return False
    if appointment.status != TRUE_WHILE[Kind(row.kind)]:
        return False
    return row.kind != Kind.REMINDER or choices.is_planned(row)


def _lost_its_reader(row: Notification) -> bool:
    if row.appointment is None:
        return False
    if row.kind in TO_PRACTITIONER:
        return not _is_at_work(row, row.appointment)
    return not _is_still_for(row, row.appointment.patient)


def _is_at_work(row: Notification, appointment: Appointment) -> bool:
    """Whoever left, or whose account was closed, reads no patient's name any more."""
    reader = recipient_at_work(appointment.practitioner)
    return reader is not None and reader.user == row.user


def _end_of(row: Notification, now: dt.datetime) -> State | None:
    """The verdict; what is true all the same is owed to whoever is written to now.

    A practitioner has no successors: what they were to be told is no news to another.
    """
    end = verdict(row, now)
    about = row.appointment
    if end == State.VOID and about and row.kind not in TO_PRACTITIONER and _lost_its_reader(row):
        row.last_error = NO_READER
        if _is_true(row):
            outbox.owe_to_successors(row, about)
    return end


def _is_still_for(row: Notification, patient: Patient) -> bool:
    if row.user:
        return may_still_read(row.user, patient)
    return is_address_of_record(row.to, patient)


def _still_offered(row: Notification, now: dt.datetime) -> bool:
    offer, user = row.offer, row.user
    if offer is None or user is None or not offer.is_live(now):
        return False
    return may_still_read(user, offer.entry.patient)


def _send(row: Notification, line: Channel, now: dt.datetime) -> bool | None:
    """Send one claimed row and mark it; whatever goes wrong concerns this row alone.

    None if the mail server was not asked, or has said no for good.
    """
    if row.tries > faults.MAX_TRIES:
        # Its worker died each time.
        together.let_go(row)
        _settle(row, State.FAILED)
        return None
    try:
        if not _is_for_now(row, now):
            return None
        letter = letter_for(row, now)
        with _lease_kept(row):
            line.send(letter)
    except DatabaseError:
        raise  # not the row's fault: the lease ends, the next sweep comes
    except Exception as error:  # noqa: BLE001 - one bad row delays nobody
        _close(line)
        return _put_off(row, error, now)
    _mark_sent(row, sent_at=now, to=letter.to, subject=letter.subject, last_error="")
    if pulse.mail_went(now):
        _bring_forward(now)
    return True


def _is_for_now(row: Notification, now: dt.datetime) -> bool:
    """Look once more at the row, and at those that go along; what is not true ends here."""
    end, morning = _end_of(row, now), _morning(row, now)
    if end is not None or morning:
        together.let_go(row)
        if end is not None:
            _settle(row, end, last_error=row.last_error)
        else:
            _update_mine(
                row, state=State.PENDING, lease_until=None, try_at=morning, tries=F("tries") - 1
            )
        return False
    true = []
    for other in row.companions:
        if (end := _end_of(other, now)) is None:
            true.append(other)
        else:
            _settle(other, end, told_with=None, last_error=other.last_error)
    row.companions = true
    return True


def _morning(row: Notification, now: dt.datetime) -> dt.datetime | None:
    """Until when a reminder, or word to a desk, waits that comes late, in the quiet hours."""
    if row.kind == Kind.REQUESTS:
        zones = [place.zone for place in digests.desk_of(row)]
    elif row.kind == Kind.REMINDER and row.appointment:
        zones = [row.appointment.zone]
    else:
        return None
    quiet = QuietHours.of(Organization.current())
    ends = [quiet.ends(now, zone) for zone in zones if quiet.covers(now, zone)]
    return min(ends) if zones and len(ends) == len(zones) else None


def _put_off(row: Notification, error: Exception, now: dt.datetime) -> bool | None:
    """False if the mail server may be to blame; else None."""
    if not isinstance(error, OSError):
        # It could not be written, and whose words were to blame is not known.
        together.let_go(row)
    reason = faults.describe(error)[:300]
    stands = isinstance(error, OSError) and (faults.is_of_server(error) or _nothing_goes(now))
    enough = row.tries >= faults.MAX_TRIES and not stands
    if enough or _is_final(row, error, now, stands=stands):
        log.error("Message %s (%s) failed for good: %s", row.pk, row.kind, type(error).__name__)
        _settle(row, State.FAILED, try_at=now, last_error=reason)
        return None
    log.warning("Message %s (%s), try %d: %s", row.pk, row.kind, row.tries, type(error).__name__)
    again = now + faults.wait_after(row.tries)
    _update_mine(
        row,
        state=State.PENDING,
        lease_until=None,
        # What goes along is not due before its own time because of this.
        try_at=Greatest(F("due_at"), Value(again, models.DateTimeField())),
        # The last try is for whoever is to blame itself: a server may be away for days.
        tries=Least(F("tries"), Value(faults.MAX_TRIES - 1)),
        last_error=reason,
    )
    if stands:
        pulse.mail_stands(now)
    return False if isinstance(error, OSError) else None


def _is_final(row: Notification, error: Exception, now: dt.datetime, *, stands: bool) -> bool:
    """A no for good is one to this mail if the server takes others; else it may be one to all.

    Where nothing else is sent, an address that is named as the reason is believed when it
    was refused again.
    """
    if not (faults.is_permanent(error) and faults.is_answer(error)):
        return faults.is_permanent(error)
    if last := pulse.last_mail(since=now - pulse.STANDSTILL):
        refused = Notification.objects.filter(state=State.FAILED, try_at__gt=last)
        return refused.count() < ENOUGH_FAILURES
    return faults.is_of_address(error) and row.tries >= ENOUGH_FAILURES and not stands


def _nothing_goes(now: dt.datetime) -> bool:
    """With the one in hand many are refused, and no other mail is taken meanwhile."""
    many = _put_off_rows().count() + 1 >= ENOUGH_FAILURES
    return many and not pulse.last_mail(since=now - pulse.STANDSTILL)


def _put_off_rows() -> NotificationQuerySet:
    return Notification.objects.filter(state=State.PENDING, tries__gt=0)


def _bring_forward(now: dt.datetime) -> None:
    """Mail goes again after a standstill: whoever was put off meanwhile waits no longer.

    Not who was put off so often that it is not the server: their tries would be used up.
    """
    first = _put_off_rows().filter(tries__lte=ENOUGH_FAILURES)
    first.filter(due_at__lte=now, try_at__gt=now).update(try_at=now)


def _look_whether_it_is_back(now: dt.datetime) -> None:
    """A server that failed when last asked; with nothing left to send, nobody else finds out."""
    if not pulse.health(now).mail_stands_since or _put_off_rows().exists():
        return
    line = channel()
    try:
        if _open(line, [], now):
            pulse.mail_went(now)
    finally:
        _close(line)


def _settle(row: Notification, state: State, **values: Any) -> None:
    """The end of the row; what it said is not kept."""
    _update_mine(row, state=state, lease_until=None, text="", html="", **values)


def _mark_sent(row: Notification, **values: Any) -> None:
    """The mail has left, and would leave again if that was lost: waits for the database."""
    end = time.monotonic() + MARKED_WITHIN
    while True:
        try:
            _settle(row, State.SENT, **values)
        except (OperationalError, InterfaceError):
            if time.monotonic() >= end:
                raise
            pulse.drop_dead_connection()
            time.sleep(0.5)
        else:
            return


@contextmanager
def _lease_kept(row: Notification) -> Iterator[None]:
    """While the block runs, nobody else takes the row for left behind."""
    over = threading.Event()
    keeper = threading.Thread(target=_keep_lease, args=(row, over), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep_lease(row: Notification, over: threading.Event) -> None:
    end = time.monotonic() + LONGEST_MAIL
    try:
        while not over.wait(RENEWED_EVERY) and time.monotonic() < end:
            later = (row.lease_until or timezone.now()) + dt.timedelta(seconds=RENEWED_EVERY)
            if not _mine(row).update(lease_until=later):
                return
            row.lease_until = later
    except DatabaseError as error:
        log.warning("The lease of message %s is not renewed: %s", row.pk, type(error).__name__)
    finally:
        connection.close()


def _update_mine(row: Notification, **values: Any) -> None:
    """Write only if the lease is still ours; those that go along fare as it does."""
    if _mine(row).update(**values) <= len(row.companions):
        log.warning("Message %s outlived its lease; another worker has it.", row.pk)


def _mine(row: Notification) -> NotificationQuerySet:
    ids = [row.pk, *(other.pk for other in row.companions)]
    return Notification.objects.filter(pk__in=ids, state=State.SENDING, lease_until=row.lease_until)


def _open(line: Channel, waiting: Sequence[int], now: dt.datetime | None) -> bool:
    """Whether the mail server is there. If not, no row is to blame and none loses a try."""
    try:
        line.open()
    except OSError as error:
        reason = faults.describe(error)
        log.warning("No mail server (%s); %d messages wait.", type(error).__name__, len(waiting))
        Notification.objects.waiting().filter(pk__in=waiting).update(last_error=reason[:300])
        pulse.mail_stands(now or timezone.now())
        return False
    return True


def _close(line: Channel) -> None:
    with suppress(OSError):
        line.close()
