"""Messages that tell of several appointments and hang on none: the list of a practitioner's
day, and the requests that wait at a desk.

Both are owed by a task that may run late, twice and side by side. The key of a list, and the
lock of a desk, let each be owed once. What they say is read when they leave.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator

from django.db import transaction
from django.db.models import Max

from accounts.models import Practitioner, Receptionist, User
from appointments.models import Appointment, AppointmentQuerySet
from appointments.transitions import UPCOMING, Status
from clinic.models import Location, Organization
from notifications.models import Kind, MailChoices, Notification
from notifications.selectors import Recipient
from scheduling.intervals import to_instant
from scheduling.quiet import QuietHours
from scheduling.wallclock import instant_of

KINDS = frozenset({Kind.PRACTITIONER_DAY, Kind.REQUESTS})
#: Who has not been seen yet on that day.
EXPECTED = UPCOMING | {Status.ARRIVED}
#: So long after its hour a list of the day is worth sending, while somebody is to come.
LIST_USEFUL = dt.timedelta(hours=4)
#: So long word of waiting requests is worth sending.
WORD_USEFUL = dt.timedelta(hours=12)
ONE_DAY = dt.timedelta(days=1)

#: By practitioner: who gets a list, and at what time.
Wanted = dict[int, tuple[User, dt.time]]


def owe(*, now: dt.datetime) -> int:
    """All that is due; how many messages were new."""
    return _owe_lists(now) + _owe_words(now)


def is_true(row: Notification, now: dt.datetime) -> bool:
    """Whether there is something to tell, to somebody whom it concerns."""
    if row.user is None or not row.user.is_active:
        return False
    if row.kind == Kind.REQUESTS:
        return Appointment.objects.unanswered(now).filter(location__in=desk_of(row)).exists()
    return visits_of(row).exists()


# --- the list of the day ----------------------------------------------------------


def visits_of(row: Notification) -> AppointmentQuerySet:
    """Of a list: who comes on its day, in the order of the clock."""
    mine = Practitioner.objects.filter(user=row.user, is_active=True)
    found = Appointment.objects.filter(practitioner__in=mine, local_date=row.day)
    return found.filter(status__in=EXPECTED).with_parts().order_by("start")


def _owe_lists(now: dt.datetime) -> int:
    wanted = MailChoices.objects.filter(
        day_list_at__isnull=False, user__is_active=True, user__practitioner__is_active=True
    )
    at = {
        choice.user.practitioner.pk: (choice.user, choice.day_list_at)
        for choice in wanted.select_related("user__practitioner")
        if choice.day_list_at
    }
    rows = list(_lists(at, now))
    known = set(
        Notification.objects.filter(key__in=[row.key for row in rows]).values_list("key", flat=True)
    )
    new = [row for row in rows if row.key not in known]
    Notification.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _lists(at: Wanted, now: dt.datetime) -> Iterator[Notification]:
    """Those whose hour has come, on the clock of the place where the day begins."""
    today = now.astimezone(dt.UTC).date()
    visits = Appointment.objects.filter(
        practitioner__in=at,
        local_date__range=(today - ONE_DAY, today + ONE_DAY),
        status__in=EXPECTED,
    )
    ordered = visits.select_related("location").order_by("practitioner_id", "local_date", "start")
    for (practitioner, day), some in itertools.groupby(
        ordered, lambda visit: (visit.practitioner_id, visit.local_date)
    ):
        first, *rest = some
        user, clock = at[practitioner]
        due = to_instant(instant_of(day, clock, first.zone))
        useful_until = min(due + LIST_USEFUL, (rest or [first])[-1].start)
        if due <= now < useful_until:
            key = f"d{practitioner}:{day:%Y%m%d}:{Kind.PRACTITIONER_DAY}"
            row = _row(key, Kind.PRACTITIONER_DAY, Recipient.account(user), due, useful_until)
            row.day = day
            yield row


# --- the requests at a desk -------------------------------------------------------


def desk_of(row: Notification) -> list[Location]:
    """Where the recipient works at the desk."""
    places = Location.objects.filter(
        receptionists__user=row.user, receptionists__is_active=True, is_active=True
    )
    return list(places)


def _owe_words(now: dt.datetime) -> int:
    """To each desk where requests have waited too long, unless it is night there."""
    clinic = Organization.current()
    if not clinic.requests_told_after:
        return 0
    patience = dt.timedelta(minutes=clinic.requests_told_after)
    asked = Appointment.objects.unanswered(now).annotate(asked=Max("events__at"))
    late: dict[int, dt.datetime] = {}
    quiet = QuietHours.of(clinic)
    for request in asked.filter(asked__lte=now - patience).select_related("location"):
        if not quiet.covers(now, request.zone):
            since = request.asked + patience
            late[request.location_id] = max(since, late.get(request.location_id, since))
    if not late:
        return 0
    desks = Receptionist.objects.filter(
        is_active=True, user__is_active=True, locations__in=late, locations__is_active=True
    )
    return sum(_owe_word(desk, late, now) for desk in desks.distinct().select_related("user"))


@transaction.atomic
def _owe_word(desk: Receptionist, late: dict[int, dt.datetime], now: dt.datetime) -> bool:
    """One, if a request has become late since the last. The desk is the lock."""
    Receptionist.objects.select_for_update().values_list("pk").get(pk=desk.pk)
    mine = desk.locations.filter(pk__in=late, is_active=True).values_list("pk", flat=True)
    newest = max((late[pk] for pk in mine), default=None)
    told = Notification.objects.filter(kind=Kind.REQUESTS, user=desk.user)
    last = told.aggregate(last=Max("due_at"))["last"]
    if newest is None or (last and newest <= last):
        return False
    recipient = Recipient.account(desk.user)
    key = f"{Kind.REQUESTS}:{recipient.token}:{int(now.timestamp())}"
    _row(key, Kind.REQUESTS, recipient, now, now + WORD_USEFUL).save(force_insert=True)
    return True


def _row(
    key: str, kind: Kind, recipient: Recipient, due: dt.datetime, useful_until: dt.datetime
) -> Notification:
    return Notification(
        key=key,
        kind=kind,
        user=recipient.user,
        to=recipient.to,
        language=recipient.language,
        due_at=due,
        try_at=due,
        useful_until=useful_until,
    )
