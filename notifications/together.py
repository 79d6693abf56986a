"""Several appointments of one family on one day are told of in one reminder.

Rows stay one for each appointment. The first of a bundle (one recipient, one day) whose
time comes takes the others along: in one claim it and they get the same lease, and they
name it in ``told_with``. They end with it. If it turns out untrue it lets them go, and each
has its own time again. The oldest row of a bundle is its lock: whoever holds it decides
alone, so no two workers share a family out between them.
See docs/decisions/0022-reminders.md.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q

from appointments.locks import retrying
from notifications.models import LIVE, Kind, Notification, NotificationQuerySet, State


@dataclass(frozen=True, slots=True)
class Bundle:
    """Whom the reminders of a day go to: an account, or the address of a record."""

    day: dt.date
    user: int | None
    to: str

    @property
    def rows(self) -> NotificationQuerySet:
        whose = {"user": self.user} if self.user else {"user": None, "to": self.to}
        return Notification.objects.filter(kind=Kind.REMINDER, day=self.day, **whose)


def bundle_of(pk: int) -> Bundle | None:
    """None for everything that goes alone."""
    reminders = Notification.objects.filter(pk=pk, kind=Kind.REMINDER, day__isnull=False)
    for day, user, to in reminders.values_list("day", "user", "to"):
        return Bundle(day, user, to) if day else None
    return None


@retrying
def claim(
    pk: int, bundle: Bundle, *, now: dt.datetime, lease_until: dt.datetime
) -> Notification | None:
    """Take the row with those that go along, or None. It can be another of the bundle that
    leads: the one that led before, when its worker died or the mail server put it off.
    """
    with transaction.atomic():
        _lock(bundle)
        row = Notification.objects.select_related("told_with").get(pk=pk)
        lead = row.told_with if row.told_with and row.told_with.state in LIVE else row
        mine = {"state": State.SENDING, "lease_until": lease_until}
        taken = Notification.objects.due(now).filter(pk=lead.pk)
        if not taken.update(told_with=None, tries=F("tries") + 1, **mine):
            if lead != row:
                _wait_for(row, lead, now)
            return None
        _that_go_along(bundle, lead, now).update(told_with=lead, **mine)
    parts = Notification.objects.with_parts()
    found = parts.get(pk=lead.pk)
    along = parts.filter(told_with=lead, state=State.SENDING, lease_until=lease_until)
    found.companions = list(along.order_by("appointment__start", "pk"))
    return found


def _lock(bundle: Bundle) -> None:
    first = bundle.rows.order_by("pk").values_list("pk", flat=True)[0]
    Notification.objects.select_for_update().values_list("pk").get(pk=first)


def _wait_for(row: Notification, lead: Notification, now: dt.datetime) -> None:
    """It is due, but what it goes with is not yet, or is being sent."""
    until = lead.lease_until if lead.state == State.SENDING else lead.try_at
    Notification.objects.due(now).filter(pk=row.pk).update(
        state=State.PENDING, lease_until=None, try_at=until
    )


def _that_go_along(bundle: Bundle, lead: Notification, now: dt.datetime) -> NotificationQuerySet:
    """Those that went with it before; at its first try also those whose reminder is the same
    one, and those that would leave now anyway. What failed to be written goes alone.
    """
    before = Q(told_with=lead, state__in=LIVE)
    if lead.tries:
        return bundle.rows.filter(before).exclude(pk=lead.pk)
    same = Q(hours_before=lead.hours_before) | Q(try_at__lte=now)
    return bundle.rows.filter(before | same & Q(state=State.PENDING)).exclude(pk=lead.pk)


def let_go(row: Notification) -> None:
    """What was to be told with it is due at its own time again."""
    mine = Notification.objects.filter(
        told_with=row, state=State.SENDING, lease_until=row.lease_until
    )
    mine.update(state=State.PENDING, lease_until=None, told_with=None)
    row.companions = ()
