"""Signs of life of what sends mail, and whether it stands still. In the database alone."""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min, Q

from appointments import services
from notifications import digests
from notifications.models import Kind, Notification, Part, Pulse, State

log = logging.getLogger(__name__)

#: After so long without a sign, or a message that should have left, mail stands still.
STANDSTILL = dt.timedelta(minutes=4)
#: Shorter silences of a mail server are over before anybody's wait has grown.
BRIEF = dt.timedelta(seconds=30)
#: A machine that remembers nothing takes a database this old for a restored one (decision 25).
GAP = dt.timedelta(hours=6)
_HELD = Q(state=State.HELD)
#: Tasks owe these from what the database says, also a second time after it has gone back.
_BY_TASKS = (Kind.EXPIRED, Kind.OFFER)
#: Reminders that agree in these may have left in one mail.
_TOGETHER = ("day", "user", "to", "hours_before")


def beat(part: Part, now: dt.datetime) -> None:
    _write(part, at=now)


def _write(part: Part, **values: dt.datetime | None) -> None:
    if not Pulse.objects.filter(pk=part).update(**values):
        Pulse.objects.get_or_create(pk=part, defaults=values)


def drop_dead_connection() -> None:
    """So that the next question asks the database anew."""
    if connection.connection is not None and not connection.is_usable():
        connection.close()


def swept(now: dt.datetime) -> int:
    """A worker is about to send what is due. On a restored database it finds it held instead.

    The number of rows that were held.
    """
    remembered, held = _remembered(), 0
    with transaction.atomic():
        last = Pulse.objects.select_for_update().filter(pk=Part.SWEEP).first()
        beat(Part.SWEEP, now)
        if last and last.at and _was_restored(last.at, remembered, now):
            held = hold(now=now, written_until=last.at + STANDSTILL)
    _remember(now)
    return held


def _was_restored(last: dt.datetime, remembered: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether the database has gone back behind what this machine remembers to have done."""
    if remembered is None:
        return now - last >= GAP
    return remembered - last >= STANDSTILL


def _remembered() -> dt.datetime | None:
    """When a worker of this machine swept last; None on a new one."""
    try:
        return dt.datetime.fromisoformat(_memory().read_text())
    except (OSError, ValueError):
        return None


def _remember(now: dt.datetime) -> None:
    draft = _memory().with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        draft.write_text(now.isoformat())
        draft.replace(_memory())
    except OSError as error:
        log.warning("The last sweep cannot be remembered: %s", error.strerror)


def _memory() -> Path:
    """Outside the database, so that it does not go back with it."""
    return Path(settings.VAR_DIR) / "last-sweep"


def _hundreds(ids: list[int]) -> Iterator[list[int]]:
    for first in range(0, len(ids), 500):
        yield ids[first : first + 500]


def hold(*, now: dt.datetime, written_until: dt.datetime) -> int:
    """Keep what was due by now and written by then, until an administrator decides.

    So is what tasks owe that has become due since the backup: lists of a day, words to a desk,
    the end of requests that nobody answered, offers.
    """
    digests.owe(now=now)
    while services.expire_overdue(now=now):
        pass
    by_tasks = [*digests.KINDS, *_BY_TASKS]
    known = Q(created_at__lte=written_until) | Q(kind__in=by_tasks)
    written = Notification.objects.filter(known, state__in=[State.PENDING, State.SENDING])
    due = list(written.filter(try_at__lte=now).values_list("pk", *_TOGETHER))
    ids = {pk for pk, *_rest in due}
    # What may have been told in one mail with them was sent with them.
    mails = {tuple(rest) for _pk, *rest in due if rest[0]}
    reminders = written.filter(kind=Kind.REMINDER, day__in={day for day, *_who in mails})
    ids |= {pk for pk, *rest in reminders.values_list("pk", *_TOGETHER) if tuple(rest) in mails}
    held = sum(
        written.filter(pk__in=some).update(state=State.HELD, lease_until=None)
        for some in _hundreds(sorted(ids))
    )
    if held:
        log.error("The database was restored: %d messages are held for a decision.", held)
    return held


def mail_stands(now: dt.datetime) -> None:
    """The mail server failed; since when is written once."""
    standing = Pulse.objects.filter(pk=Part.MAIL, stands_since__isnull=False)
    if not standing.exists():
        _write(Part.MAIL, stands_since=now)


def mail_went(now: dt.datetime) -> bool:
    """A mail was taken. Whether that ended a standstill."""
    known = Pulse.objects.filter(pk=Part.MAIL).first()
    if known is None or known.at is None or now - known.at >= BRIEF or known.stands_since:
        _write(Part.MAIL, at=now, stands_since=None)
    since = known.stands_since if known else None
    return since is not None and now - since >= BRIEF


def last_mail(*, since: dt.datetime) -> dt.datetime | None:
    """When a mail was last taken, then or later; to within ``BRIEF``."""
    found = Pulse.objects.filter(pk=Part.MAIL, at__gte=since)
    return found.values_list("at", flat=True).first()


@dataclass(frozen=True, slots=True)
class Health:
    now: dt.datetime
    #: Last signs of life; None if there never was one.
    clock: dt.datetime | None
    sweep: dt.datetime | None
    mail: dt.datetime | None
    mail_stands_since: dt.datetime | None
    #: When the message that has waited longest should have left.
    oldest_due: dt.datetime | None
    held: int

    @property
    def zone(self) -> str:
        """On whose clock a page says these times."""
        return settings.TIME_ZONE

    @property
    def stands_since(self) -> dt.datetime | None:
        """Since when no mail leaves; None while all goes well."""
        signs = (self.clock, self.sweep, self.mail_stands_since, self.oldest_due)
        old = [sign for sign in signs if sign and self.is_old(sign)]
        return min(old, default=None)

    def is_old(self, sign: dt.datetime) -> bool:
        return self.now - sign >= STANDSTILL


def health(now: dt.datetime) -> Health:
    """Two questions, however many messages there are."""
    signs = {pulse.part: pulse for pulse in Pulse.objects.all()}
    open_rows = (Notification.objects.due(now) | Notification.objects.held()).aggregate(
        oldest=Min("try_at", filter=~_HELD), held=Count("pk", filter=_HELD)
    )

    def at(part: Part) -> dt.datetime | None:
        return signs[part].at if part in signs else None

    mail = signs.get(Part.MAIL)
    return Health(
        now=now,
        clock=at(Part.CLOCK),
        sweep=at(Part.SWEEP),
        mail=at(Part.MAIL),
        mail_stands_since=mail.stands_since if mail else None,
        oldest_due=open_rows["oldest"],
        held=open_rows["held"],
    )
