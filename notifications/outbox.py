"""Writes what is owed, in the transaction of the change it tells of. Sends nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import PatientAccess, User
from accounts.roles import Role
from appointments import offers
from appointments.models import Appointment, AppointmentEvent, WaitingOffer
from appointments.transitions import RESTORING, Status, Verb
from clinic.models import Organization
from notifications import timing
from notifications.choices import choices_of
from notifications.models import NO_READER, TO_PRACTITIONER, TRUE_WHILE, Kind, Notification, State
from notifications.selectors import (
    Recipient,
    batches,
    recipient_at_work,
    recipients_for,
    recipients_of,
)
from notifications.wake import wake
from scheduling.quiet import QuietHours

#: What each change is to the patient, and to a practitioner who did not make it.
PATIENT_NEWS: dict[tuple[Verb, Status], Kind] = {
    (Verb.BOOK, Status.PENDING): Kind.REQUESTED,
    (Verb.BOOK, Status.BOOKED): Kind.BOOKED,
    (Verb.CONFIRM, Status.BOOKED): Kind.CONFIRMED,
    (Verb.RESCHEDULE, Status.PENDING): Kind.REQUESTED,
    (Verb.RESCHEDULE, Status.BOOKED): Kind.MOVED,
    (Verb.CANCEL, Status.CANCELLED): Kind.CANCELLED,
    (Verb.EXPIRE, Status.CANCELLED): Kind.EXPIRED,
}
PRACTITIONER_NEWS: dict[tuple[Verb, Status], Kind] = {
    (Verb.BOOK, Status.PENDING): Kind.PRACTITIONER_REQUEST,
    (Verb.BOOK, Status.BOOKED): Kind.PRACTITIONER_NEW,
    (Verb.RESCHEDULE, Status.PENDING): Kind.PRACTITIONER_REQUEST,
    (Verb.RESCHEDULE, Status.BOOKED): Kind.PRACTITIONER_MOVED,
    (Verb.CANCEL, Status.CANCELLED): Kind.PRACTITIONER_CANCELLED,
}
#: What it is again when a step, or a change of hours, was undone.
NEWS_AGAIN = {Status.PENDING: Kind.REQUESTED, Status.BOOKED: Kind.CONFIRMED}
WORK_AGAIN = {Status.PENDING: Kind.PRACTITIONER_REQUEST, Status.BOOKED: Kind.PRACTITIONER_NEW}
#: These make the appointment sure, so that it can be reminded of.
MADE_SURE = frozenset({Kind.BOOKED, Kind.CONFIRMED, Kind.MOVED})
#: What begins sooner than this after the notice was to leave is told at once.
CLOSE = dt.timedelta(hours=2)
#: Whoever these were to believes what they say, or is about to.
HAS_LEFT = frozenset({State.SENDING, State.SENT})
#: How long a mail about an account is good for if its sender does not say.
ACCOUNT_MAIL_LIVES = dt.timedelta(days=1)


def owe_for(
    appointment: Appointment,
    event: AppointmentEvent,
    *,
    tell_at: dt.datetime | None = None,
    away: bool = False,
) -> None:
    """Void what this change made untrue, owe what it makes true.

    ``tell_at``: the news wait until then, unless that would be too late. ``away``: it was
    cancelled because there is no time for it any more. The same number of queries for any
    number of recipients.
    """
    if appointment.sequence:
        _void_older(appointment)
    rows = list(_rows(appointment, event, _due(appointment, event, tell_at), away=away))
    if not rows:
        return
    # The key makes a second run harmless.
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    written = Notification.objects.filter(key__in=[row.key for row in rows])
    wake_after_commit(written.due(event.at).values_list("pk", flat=True))


def owe_reminders(appointments: Iterable[Appointment], *, now: dt.datetime) -> None:
    """Only the reminders, for appointments that people were told of in another way.

    One that this recipient has had stays as it is, also if it was withdrawn.
    """
    clinic = Organization.current()
    for some in batches(appointments, 500):
        known = recipients_of(appointment.patient for appointment in some)
        had, lost = _had(some)
        rows = [
            row
            for appointment in some
            for recipient in known[appointment.patient_id]
            for row in _reminders(appointment, recipient, clinic, now)
            if had.isdisjoint(_names(row))
        ]
        _write(rows, lost)


def _write(rows: Sequence[Notification], lost: set[str]) -> None:
    """What was owed to them before, and void because they were lost as readers, is owed again."""
    Notification.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    for some in batches(lost & {row.key for row in rows}, 500):
        back = Notification.objects.filter(key__in=some, state=State.VOID)
        back.update(state=State.PENDING, try_at=F("due_at"), tries=0, last_error="")


_Name = tuple[object, ...]


def _names(row: Notification) -> tuple[_Name, _Name]:
    """What makes it this news or reminder, whatever its key: of whom, and where it would go."""
    what = (row.appointment_id, row.sequence, row.hours_before)
    to = row.to.casefold()
    return (*what, row.user_id or to), (*what, State.SENT, to)


def _had(
    appointments: Iterable[Appointment], kind: str = Kind.REMINDER
) -> tuple[set[_Name], set[str]]:
    """What was owed to each of them, and what has left to which address: an account that follows
    a record under the same address is not told twice. And the keys of what nobody has had,
    because its reader was lost.
    """
    rows = Notification.objects.filter(kind=kind, appointment__in=appointments)
    fields = ("appointment_id", "sequence", "hours_before", "user_id", "to", "state")
    found: set[_Name] = set()
    lost: set[str] = set()
    for row in rows.only(*fields, "key", "last_error"):
        owed, left = _names(row)
        if row.state == State.VOID and row.last_error == NO_READER:
            lost.add(row.key)
        else:
            found |= {owed, left} if row.state == State.SENT else {owed}
    return found, lost


def owe_to_successors(row: Notification, appointment: Appointment) -> None:
    """What a true row cannot tell its recipient any more, to those who are written to now.

    An address of the record was corrected, or an account came in its place. Whoever has had
    the same, or has it before them, is not told again.
    """
    had, lost = _had([appointment], row.kind)
    rows = [_same(row, appointment, who) for who in recipients_for(appointment.patient)]
    new = [same for same in rows if had.isdisjoint(_names(same))]
    _write(new, lost)


def _same(row: Notification, appointment: Appointment, recipient: Recipient) -> Notification:
    names = row.due_at
    if row.hours_before:
        names = timing.promised(appointment.start, appointment.zone, row.hours_before)
    same = _row(appointment, recipient, Kind(row.kind), names, row.useful_until)
    same.due_at = same.try_at = row.due_at
    same.day, same.hours_before = row.day, row.hours_before
    return same


def owe_missing_reminders(*, now: dt.datetime) -> int:
    """Reminders for those who could not be written to when it was booked, and now can, and
    those that the clinic has added since.

    The number of appointments that lacked one.
    """
    without = list(lacking_reminders(now).select_related("patient", "location").order_by("start"))
    owe_reminders(without, now=now)
    return len(without)


def lacking_reminders(now: dt.datetime) -> QuerySet[Appointment]:
    """Sure appointments that somebody is owed one of the reminders of.

    A superset: one whose time fell into hours that are over is among them.
    """
    lacks = Q(pk=None)
    for hours in Organization.current().reminder_hours:
        lacks |= lacks_reminder(hours) & Q(start__gt=now + dt.timedelta(hours=hours))
    return Appointment.objects.filter(lacks, status=Status.BOOKED, start__gt=now)


def lacks_reminder(hours: int) -> Q:
    """Appointments of which one of those who would be written to today (see
    ``recipients_for``) has no reminder at this distance, not even one that was withdrawn.
    """
    reminders = Notification.objects.with_reader().filter(kind=Kind.REMINDER, hours_before=hours)
    theirs = Q(user=OuterRef("user")) | Q(state=State.SENT, address=Lower(OuterRef("user__email")))
    of_account = reminders.alias(address=Lower("to")).filter(
        theirs,
        appointment=OuterRef(OuterRef("pk")),
        sequence=OuterRef(OuterRef("sequence")),
    )
    of_record = reminders.alias(address=Lower("to")).filter(
        appointment=OuterRef("pk"),
        sequence=OuterRef("sequence"),
        user=None,
        address=Lower(OuterRef("patient__email")),
    )
    access = PatientAccess.objects.live().filter(patient=OuterRef("patient"), user__is_active=True)
    has_no_account = Q(~Exists(access), ~Q(patient__email=""))
    return Q(Exists(access.filter(~Exists(of_account)))) | has_no_account & ~Q(Exists(of_record))


def owe_account_mail(
    *,
    to: str,
    language: str,
    subject: str,
    text: str,
    html: str,
    user: User | None,
    lives_for: dt.timedelta,
) -> Notification:
    """A mail that comes rendered, due at once."""
    now = timezone.now()
    row = Notification.objects.create(
        key=f"account:{uuid.uuid4()}",
        kind=Kind.ACCOUNT,
        user=user,
        to=to,
        language=language,
        due_at=now,
        try_at=now,
        useful_until=now + lives_for,
        subject=" ".join(subject.split())[:200],
        text=text,
        html=html,
    )
    wake_after_commit([row.pk])
    return row


def owe_offer(offer: WaitingOffer) -> None:
    """The one message of an open offer, to whoever waits; void once it is over.

    Whoever has no account is called by the desk.
    """
    if not offer.is_open:
        _end_offer(offer)
        return
    if offer.entry.user is None:
        return
    recipient = Recipient.account(offer.entry.user)
    row = Notification.objects.create(
        key=f"o{offer.pk}:{Kind.OFFER}:{recipient.token}",
        kind=Kind.OFFER,
        offer=offer,
        user=recipient.user,
        to=recipient.to,
        language=recipient.language,
        due_at=offer.offered_at,
        try_at=offer.offered_at,
        useful_until=offer.expires_at,
    )
    wake_after_commit([row.pk])


def _end_offer(offer: WaitingOffer) -> None:
    unsent = offer.notifications.filter(state__in=[State.PENDING, State.HELD, State.LATE])
    if offer.answer == WaitingOffer.Answer.LAPSED and unsent.exists():
        offers.mark_never_told(offer)
    offer.notifications.waiting().update(state=State.VOID)


def _void_older(appointment: Appointment) -> None:
    """Rows of an earlier version that nobody has begun to send.

    One that is on its way right now is checked once more before it leaves.
    """
    older = appointment.notifications.filter(sequence__lt=appointment.sequence)
    older.waiting().update(state=State.VOID)


def _due(
    appointment: Appointment, event: AppointmentEvent, tell_at: dt.datetime | None
) -> dt.datetime:
    """When the news leave: never so late that somebody has set out for nothing."""
    old = appointment.rescheduled_from
    first = min(appointment.start, old.start) if old else appointment.start
    return tell_at if tell_at and first > tell_at + CLOSE else event.at


def _what(appointment: Appointment, event: AppointmentEvent) -> tuple[Verb, Status]:
    """A move is told as one thing, with the appointment that it made."""
    verb = Verb(event.verb)
    # By this very event: a confirmation makes a move that was asked for.
    moves_it = event.after.get("rescheduled_from_id") and appointment.rescheduled_from_id
    if moves_it and verb in {Verb.BOOK, Verb.CONFIRM}:
        verb = Verb.RESCHEDULE
    return verb, appointment.state


def news_of(appointment: Appointment, event: AppointmentEvent) -> frozenset[Kind]:
    """What each of those who act for the patient is told of it: one of these."""
    kind = PATIENT_NEWS.get(_what(appointment, event))
    if kind is None or appointment.start <= event.at:
        return frozenset()
    return frozenset({kind, Kind.AWAY} if kind == Kind.CANCELLED else {kind})


def is_news_at_work(appointment: Appointment, event: AppointmentEvent) -> bool:
    """Whether the practitioner is told of it, unless it was they who did it.

    Not for sure of a confirmation: that depends on what they have heard before.
    """
    what = _what(appointment, event)
    if event.verb == Verb.CONFIRM or appointment.start <= event.at:
        return False
    theirs = what[0] != Verb.RESCHEDULE and event.role in {Role.PRACTITIONER, Role.SYSTEM}
    return what in PRACTITIONER_NEWS and not theirs


def _rows(
    appointment: Appointment, event: AppointmentEvent, due: dt.datetime, *, away: bool
) -> Iterator[Notification]:
    what = _what(appointment, event)
    yield from _again(appointment, event)
    yield from _taken_back_at_work(appointment, event)
    kind = PATIENT_NEWS.get(what)
    if away and kind == Kind.CANCELLED:
        kind = Kind.AWAY
    # What has begun is not news to those who are there.
    if kind is None or appointment.start <= event.at:
        return
    clinic = Organization.current()
    for recipient in recipients_for(appointment.patient):
        yield _row(appointment, recipient, kind, due, appointment.start)
        if kind in MADE_SURE:
            yield from _reminders(appointment, recipient, clinic, event.at)
    if what[0] == Verb.RESCHEDULE:
        yield from _moved_at_work(appointment, event, PRACTITIONER_NEWS[what], due)
        return
    if event.role in {Role.PRACTITIONER, Role.SYSTEM}:
        return
    at_work = recipient_at_work(appointment.practitioner)
    if at_work is None:
        return
    for_work = PRACTITIONER_NEWS.get(what)
    if what[0] == Verb.CONFIRM and _did_not_want_the_request(appointment, at_work):
        for_work = Kind.PRACTITIONER_NEW
    if for_work:
        yield _row(appointment, at_work, for_work, due, appointment.start)


def _did_not_want_the_request(appointment: Appointment, at_work: Recipient) -> bool:
    """Whoever declined to hear of requests hears of the appointment when it is one."""
    assert at_work.user is not None  # noqa: S101 (for mypy)
    requests = appointment.notifications.filter(
        kind=Kind.PRACTITIONER_REQUEST, user=at_work.user
    ).values_list("state", flat=True)
    if HAS_LEFT & set(requests):
        return False
    return State.UNWANTED in requests or not choices_of(at_work.user).practitioner_request


def _moved_at_work(
    appointment: Appointment, event: AppointmentEvent, kind: Kind, due: dt.datetime
) -> Iterator[Notification]:
    """The practitioner, unless it was they; both, if it went from one to another."""
    old = appointment.rescheduled_from
    at_work = recipient_at_work(appointment.practitioner)
    gave_up = None
    if old and old.practitioner_id != appointment.practitioner_id:
        gave_up = recipient_at_work(old.practitioner)
        kind = Kind.PRACTITIONER_NEW if kind == Kind.PRACTITIONER_MOVED else kind
    if at_work and not _did_it(at_work, event) and not _knows_of_it(appointment, event, at_work):
        yield _row(appointment, at_work, kind, due, appointment.start)
    if old and gave_up and not _did_it(gave_up, event) and old.start > event.at:
        yield _row(old, gave_up, Kind.PRACTITIONER_CANCELLED, due, old.start)


def _knows_of_it(appointment: Appointment, event: AppointmentEvent, at_work: Recipient) -> bool:
    """Whoever was asked for it, and still has the old time in mind as theirs, is told."""
    if event.verb != Verb.CONFIRM:
        return False
    old = appointment.rescheduled_from
    was_theirs = old is not None and old.practitioner_id == appointment.practitioner_id
    return not was_theirs and not _did_not_want_the_request(appointment, at_work)


def _taken_back_at_work(
    appointment: Appointment, event: AppointmentEvent
) -> Iterator[Notification]:
    """A move to another practitioner was undone: if they were told of it, they learn that."""
    if event.verb != Verb.WITHDRAW or appointment.start <= event.at:
        return
    at_work = recipient_at_work(appointment.practitioner)
    if at_work is None or _did_it(at_work, event):
        return
    told = appointment.notifications.filter(
        user=at_work.user,
        kind__in=[Kind.PRACTITIONER_NEW, Kind.PRACTITIONER_REQUEST],
        state__in=HAS_LEFT,
    )
    old = Appointment.objects.filter(pk=event.before.get("rescheduled_from_id"))
    if told.exists() and old.exclude(practitioner=appointment.practitioner_id).exists():
        yield _row(appointment, at_work, Kind.PRACTITIONER_CANCELLED, event.at, appointment.start)


def _did_it(recipient: Recipient, event: AppointmentEvent) -> bool:
    return recipient.user is not None and recipient.user.pk == event.by_id


def _again(appointment: Appointment, event: AppointmentEvent) -> Iterator[Notification]:
    """It is as it was before: who was told otherwise learns that, all get their reminders."""
    if event.verb not in RESTORING or appointment.start <= event.at:
        return
    clinic = Organization.current()
    told, told_at_work = _last_told(appointment)
    for recipient in recipients_for(appointment.patient):
        if kind := _correction(told, recipient, NEWS_AGAIN.get(appointment.state)):
            yield _row(appointment, recipient, kind, event.at, appointment.start)
        if appointment.state == Status.BOOKED:
            yield from _reminders(appointment, recipient, clinic, event.at)
    at_work = recipient_at_work(appointment.practitioner)
    if at_work is None or _did_it(at_work, event):
        return
    if kind := _correction(told_at_work, at_work, WORK_AGAIN.get(appointment.state)):
        yield _row(appointment, at_work, kind, event.at, appointment.start)


#: By address: the last news of the appointment that left; None if none did, but some were owed.
_Told = dict[str, Kind | None]


def _last_told(appointment: Appointment) -> tuple[_Told, _Told]:
    """What the patient's people believe, and what the practitioner does.

    Who was told of another appointment of its moves believes that this one is over.
    """
    told: _Told = {}
    at_work: _Told = {}
    name = appointment.calendar_name
    moves = Q(appointment__calendar_uid=name) | Q(appointment__public_id=name)
    # A move that was asked for and confirmed has a calendar entry of its own.
    moves |= Q(appointment__replaces=appointment, kind=Kind.MOVED)
    rows = Notification.objects.filter(moves | Q(appointment=appointment))
    news = rows.exclude(kind=Kind.REMINDER).order_by("pk")
    for of, to, kind, state in news.values_list("appointment", "to", "kind", "state"):
        is_work, has_left = kind in TO_PRACTITIONER, state in HAS_LEFT
        known = at_work if is_work else told
        if of == appointment.pk:
            known.setdefault(to, None)
            known[to] = Kind(kind) if has_left else known[to]
        elif has_left:
            known[to] = Kind.PRACTITIONER_CANCELLED if is_work else Kind.CANCELLED
    return told, at_work


def _correction(told: _Told, recipient: Recipient, kind: Kind | None) -> Kind | None:
    """The news that make it true again for whoever believes something else, or nothing yet."""
    if kind is None or recipient.to not in told:
        return None
    last = told[recipient.to]
    return kind if last is None or TRUE_WHILE[last] != TRUE_WHILE[kind] else None


def _reminders(
    appointment: Appointment, recipient: Recipient, clinic: Organization, now: dt.datetime
) -> Iterator[Notification]:
    """All that the clinic has, also for whoever does not want them: they may change their mind."""
    quiet = QuietHours.of(clinic)
    for hours in clinic.reminder_hours:
        due = timing.reminder(appointment.start, appointment.zone, hours, quiet, now=now)
        if due is not None:
            row = _row(appointment, recipient, Kind.REMINDER, due.promised, due.useful_until)
            row.due_at = row.try_at = due.at
            row.day, row.hours_before = appointment.local_date, hours
            yield row


def _row(
    appointment: Appointment,
    recipient: Recipient,
    kind: Kind,
    due: dt.datetime,
    useful_until: dt.datetime,
) -> Notification:
    parts = (appointment.pk, appointment.sequence, kind, recipient.in_key, int(due.timestamp()))
    return Notification(
        key=":".join(map(str, parts)),
        kind=kind,
        appointment=appointment,
        sequence=appointment.sequence,
        user=recipient.user,
        to=recipient.to,
        language=recipient.language,
        due_at=due,
        try_at=due,
        useful_until=useful_until,
    )


def wake_after_commit(ids: Iterable[int]) -> None:
    """The only thing that leaves the transaction: ids, after it, and no error comes back."""
    transaction.on_commit(partial(wake, list(ids)), robust=True)
