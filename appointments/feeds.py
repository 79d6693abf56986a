"""A person's appointments as a calendar that programs subscribe to. See docs/decisions/0020.

The address is the key: whoever has it reads the feed, so it says when and where, and
nothing else. Only a hash of it is kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import Max
from django.urls import reverse

from accounts.exceptions import NotAllowed
from accounts.models import Patient, User
from accounts.roles import Actor, Role
from appointments.ical import Entry, calendar_feed
from appointments.models import Appointment, AppointmentQuerySet, CalendarFeed
from clinic import audit

#: Yesterday's appointments are still looked up; those of last year are not.
PAST = dt.timedelta(days=30)
#: More than a full practice has in three months; beyond it the oldest are left out.
MOST = 2000

#: Whole files an hour for one address; asking whether there is news is not counted.
WHOLE_FILES, PER = 60, 60 * 60

_NEEDS = {CalendarFeed.Kind.PATIENT: Role.PATIENT, CalendarFeed.Kind.PRACTICE: Role.PRACTITIONER}


def kinds_of(user: User) -> list[CalendarFeed.Kind]:
    """Which calendars this account can have: as a patient, as a practitioner, or both."""
    return [kind for kind, role in _NEEDS.items() if role in user.roles]


@transaction.atomic
def renew(*, user: User, kind: CalendarFeed.Kind, by: Actor) -> str:
    """A new address, shown once; the one before leads nowhere from now on. Refuses NotAllowed."""
    if kind not in kinds_of(user):
        raise NotAllowed
    User.objects.select_for_update().get(pk=user.pk)
    token = secrets.token_urlsafe(32)
    feed, _new = CalendarFeed.objects.update_or_create(
        user=user, kind=kind, defaults={"token_hash": hash_of(token)}
    )
    audit.record(actor=str(by), action="feed.renew", target=feed, kind=kind)
    return f"{settings.BASE_URL}{reverse('appointments:feed', args=[token])}"


@transaction.atomic
def revoke(*, user: User, kind: CalendarFeed.Kind, by: Actor) -> bool:
    """The address leads nowhere from now on. Twice is once."""
    feed = CalendarFeed.objects.select_for_update().filter(user=user, kind=kind).first()
    if feed is None:
        return False
    audit.record(actor=str(by), action="feed.revoke", target=feed, kind=kind)
    feed.delete()
    return True


def hash_of(token: str) -> str:
    """256 bits of chance need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(token: str) -> CalendarFeed | None:
    """The feed of this address, as long as its person still is what it is for."""
    found = CalendarFeed.objects.select_related("user").filter(token_hash=hash_of(token)).first()
    return found if found and found.kind in kinds_of(found.user) else None


def is_asked_too_often(feed: CalendarFeed) -> bool:
    """Counts one more whole file of this address. A new address begins anew."""
    key = f"feed:{feed.token_hash[:32]}"
    if cache.add(key, 1, PER):
        return False
    try:
        return cache.incr(key) > WHOLE_FILES
    except ValueError:  # the hour ended between the two
        return False


@dataclass(frozen=True, slots=True)
class Content:
    """What a feed holds now: compared first, written only when it is not what is known."""

    entries: list[Entry]
    language: str
    etag: str
    changed_at: dt.datetime

    def as_file(self) -> bytes:
        return calendar_feed(self.entries, language=self.language)


def content(feed: CalendarFeed, now: dt.datetime) -> Content:
    """The last thirty days and all that comes. What was cancelled stays in it as cancelled."""
    user, is_practice = feed.user, feed.kind == CalendarFeed.Kind.PRACTICE
    rows = list(
        _rows_of(user, is_practice=is_practice)
        .filter(start__gte=now - PAST)
        .select_related("location")
        .annotate(changed_at=Max("events__at"))
        .order_by("-start", "-pk")[:MOST]
    )
    page = "appointments:agenda_appointment" if is_practice else "appointments:detail"
    entries = [
        Entry(
            appointment=row,
            changed_at=row.changed_at or row.created_at,  # type: ignore[attr-defined]
            url=f"{settings.BASE_URL}{reverse(page, args=[row.public_id])}",
            is_work=is_practice,
        )
        for row in _newest_of_each(reversed(rows))
    ]
    moments = [feed.created_at, *(entry.changed_at for entry in entries)]
    return Content(entries, user.language, _etag(user, entries), max(moments))


def _rows_of(user: User, *, is_practice: bool) -> AppointmentQuerySet:
    if is_practice:
        return Appointment.objects.of_practitioner(user)
    return Appointment.objects.filter(patient__in=Patient.objects.of(user))


def _newest_of_each(rows: Iterable[Appointment]) -> list[Appointment]:
    """A chain of moves is one entry: of the same name, the one that counts on furthest."""
    newest: dict[object, Appointment] = {}
    for row in rows:
        known = newest.get(row.calendar_name)
        if known is None or row.calendar_sequence > known.calendar_sequence:
            newest[row.calendar_name] = row
    return list(newest.values())


def _etag(user: User, entries: Iterable[Entry]) -> str:
    """Of everything the file is made of, without making it."""
    facts = [user.language, *(entry.facts for entry in entries)]
    return f'"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}"'
