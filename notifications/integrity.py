"""Checks over the whole database that everybody is told what is true, and told once."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator

from django.db.models import Count, Exists, Max, OuterRef, Prefetch, Q

from accounts.models import PatientAccess
from appointments.imports import TOLD_ELSEWHERE
from appointments.integrity import Breach, chunks
from appointments.models import Appointment, AppointmentEvent, WaitingOffer
from appointments.transitions import REMARKS, Status, Verb
from clinic.models import Organization
from notifications import digests, outbox, timing
from notifications.models import AGAIN, TO_PRACTITIONER, TRUE_WHILE, Kind, Notification, State
from notifications.outbox import lacks_reminder
from scheduling.quiet import QuietHours

#: So long the sweep may take to clear what has become useless.
SWEEP_SLACK = dt.timedelta(hours=1)


def breaches(counts: Counter[str], *, now: dt.datetime) -> Iterator[Breach]:
    yield from _not_told(counts, now)
    yield from _not_reminded(counts, now)
    yield from _untrue(counts)
    yield from _offered(counts)
    yield from _useless(now)
    yield from _told_twice()
    yield from _together(counts)
    yield from _stuck(now)


def _not_told(counts: Counter[str], now: dt.datetime) -> Iterator[Breach]:
    """The last change of what is to come is owed to each account that acted for the patient
    then, and to the practitioner where it is news to them.

    What was imported says so itself if its people were told elsewhere.
    """
    accesses = PatientAccess.objects.live().filter(user__is_active=True)
    coming = (
        Appointment.objects.filter(start__gt=now)
        .select_related("practitioner__user", "patient")
        .prefetch_related(
            Prefetch("events", AppointmentEvent.objects.filter(verb__in=_CHANGES)),
            Prefetch("patient__accesses", accesses, to_attr="readers"),
            Prefetch("notifications", Notification.objects.filter(offer=None).only(*_WHO_KNOWS)),
        )
    )
    for chunk in chunks(coming):
        counts["told of"] += len(chunk)
        for appointment in chunk:
            for who in _untold(appointment):
                yield _breach("everybody is told", appointment.reference, f"{who} is not told")


#: Whatever else stands in a history is a finding of its own.
_CHANGES = frozenset(Verb) - REMARKS
_WHO_KNOWS = ("appointment_id", "user_id", "kind", "sequence")


def _untold(appointment: Appointment) -> Iterator[str]:
    events = list(appointment.events.all())
    if not events or TOLD_ELSEWHERE in events[-1].after:
        return
    event, told = events[-1], defaultdict(set)
    for row in appointment.notifications.all():
        if row.sequence == appointment.sequence:
            told[row.user_id].add(row.kind)
    if news := outbox.news_of(appointment, event):
        for access in appointment.patient.readers:  # type: ignore[attr-defined]
            if access.created_at < event.at and not told[access.user_id] & news:
                yield f"account {access.user_id}"
    practitioner = appointment.practitioner
    user = practitioner.user
    if user and user.is_active and practitioner.is_active and user.date_joined < event.at:
        is_news = user.pk != event.by_id and outbox.is_news_at_work(appointment, event)
        if is_news and not told[user.pk] & TO_PRACTITIONER:
            yield "the practitioner"


def _not_reminded(counts: Counter[str], now: dt.datetime) -> Iterator[Breach]:
    """Whoever can be reminded of what is to come will be, also who left an address later.

    At each of the clinic's distances; only those that are still to leave are looked at. One
    that an administrator withdrew is not missing.
    """
    clinic = Organization.current()
    upcoming = Appointment.objects.filter(status=Status.BOOKED, start__gt=now)
    counts["upcoming"] += upcoming.count()
    for hours in clinic.reminder_hours:
        # One question, so that a change in between is not mistaken for a breach.
        without = upcoming.filter(lacks_reminder(hours)).select_related("location")
        for chunk in chunks(without.annotate(made_at=Max("events__at"))):
            for appointment in chunk:
                # The clock of the machine that booked it may be ahead of this one's.
                since = max(now, appointment.made_at or now)
                if _would_leave(appointment, hours, clinic, since):
                    yield _breach("everybody is reminded", appointment.reference, "has no reminder")


def _would_leave(
    appointment: Appointment, hours: int, clinic: Organization, now: dt.datetime
) -> bool:
    """Not what was booked in the evening and would have left before the quiet hours."""
    quiet = QuietHours.of(clinic)
    due = timing.reminder(appointment.start, appointment.zone, hours, quiet, now=now)
    return due is not None and due.at <= due.promised


def _together(counts: Counter[str]) -> Iterator[Breach]:
    """A reminder that was told with another ended with it, and they are of one bundle."""
    told = Notification.objects.filter(told_with__isnull=False, state=State.SENT)
    for chunk in chunks(told.select_related("told_with", "appointment")):
        counts["told together"] += len(chunk)
        for row in chunk:
            lead = row.told_with
            same = (lead.kind, lead.day, lead.user_id, lead.to, lead.sent_at)
            if same != (row.kind, row.day, row.user_id, row.to, row.sent_at):
                yield _breach(
                    "each message once",
                    row.appointment.reference,
                    f"{row.kind} {row.pk} was not told with {lead.pk}",
                )


def _untrue(counts: Counter[str]) -> Iterator[Breach]:
    """Waiting rows that tell of another version, or of a state that is over."""
    waiting = Notification.objects.waiting().filter(appointment__isnull=False)
    for chunk in chunks(waiting.select_related("appointment")):
        counts["messages waiting"] += len(chunk)
        for row in chunk:
            appointment = row.appointment
            fits = appointment.status == TRUE_WHILE[Kind(row.kind)]
            if row.sequence != appointment.sequence or not fits:
                yield _breach(
                    "messages are true", appointment.reference, f"{row.kind} {row.pk} is untrue"
                )


def _offered(counts: Counter[str]) -> Iterator[Breach]:
    """Of an open offer its account is told, of one that is over nobody any more.

    Without an account there is nobody to write to.
    """
    told = Notification.objects.filter(offer=OuterRef("pk"), kind=Kind.OFFER)
    waiting = told.filter(state=State.PENDING)
    offers = WaitingOffer.objects.annotate(told=Exists(told), waiting=Exists(waiting))
    for chunk in chunks(offers.filter(entry__user__isnull=False)):
        counts["offers told"] += len(chunk)
        for offer in chunk:
            of = f"offer {offer.pk}"
            if offer.is_open and not offer.told:
                yield Breach("everybody who waits is told", of, "has no message")
            if offer.waiting and not offer.is_open:
                yield Breach("messages are true", of, "is over, and its message waits")


def _useless(now: dt.datetime) -> Iterator[Breach]:
    """Waiting rows that help nobody any more: no worker has swept for a long time."""
    old = Notification.objects.filter(state=State.PENDING, useful_until__lte=now - SWEEP_SLACK)
    about = Q(appointment__isnull=False) | Q(kind__in=digests.KINDS)
    for chunk in chunks(old.filter(about).select_related("appointment")):
        for row in chunk:
            of = f"appointment {row.appointment.reference}" if row.appointment else row.key
            yield Breach("messages are true", of, f"{row.kind} {row.pk} is too late")


def _told_twice() -> Iterator[Breach]:
    told = Notification.objects.filter(
        appointment__isnull=False,
        state__in=[State.PENDING, State.HELD, State.SENDING, State.SENT],
    ).exclude(key__contains=AGAIN)
    doubled = (
        told.order_by()
        # A record and the account that followed it may have one address: one of them is void.
        .values("appointment__reference", "sequence", "kind", "user", "to", "hours_before")
        .annotate(times=Count("pk"))
        .filter(times__gt=1)
    )
    for row in doubled.iterator():
        what = f"{row['kind']} of version {row['sequence']} {row['times']} times to one address"
        yield _breach("each message once", row["appointment__reference"], what)


def _breach(promise: str, reference: str, what: str) -> Breach:
    return Breach(promise, f"appointment {reference}", what)


def _stuck(now: dt.datetime) -> Iterator[Breach]:
    """Rows that no sweep would ever find again."""
    sending = Q(state=State.SENDING)
    for_ever = sending & (Q(lease_until=None) | Q(lease_until__gt=now + SWEEP_SLACK))
    idle = ~sending & Q(lease_until__isnull=False)
    for row in Notification.objects.filter(for_ever | idle).order_by("pk").iterator():
        is_sending = row.state == State.SENDING
        what = "is being sent for ever" if is_sending else "has a lease, but is not being sent"
        yield Breach("no message is stuck", f"message {row.pk}", what)
