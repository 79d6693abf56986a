"""The outbox: one row for each message owed to one recipient."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User
from appointments.models import Appointment, WaitingOffer
from appointments.transitions import Status


class Kind(models.TextChoices):
    REQUESTED = "requested", _("request received")
    BOOKED = "booked", _("appointment booked")
    CONFIRMED = "confirmed", _("appointment confirmed")
    MOVED = "moved", _("appointment moved")
    CANCELLED = "cancelled", _("appointment cancelled")
    #: Cancelled because a change of hours, time off or a closure left no room for it.
    AWAY = "away", _("practitioner away: choose another time")
    EXPIRED = "expired", _("request expired")
    REMINDER = "reminder", _("reminder")
    #: A time that became free, to whoever waits for one.
    OFFER = "offer", _("freed time offered")
    PRACTITIONER_REQUEST = "practitioner_request", _("to the practitioner: request")
    PRACTITIONER_NEW = "practitioner_new", _("to the practitioner: new appointment")
    PRACTITIONER_MOVED = "practitioner_moved", _("to the practitioner: moved")
    PRACTITIONER_CANCELLED = "practitioner_cancelled", _("to the practitioner: cancelled")
    #: The appointments of a day, to the practitioner in the morning.
    PRACTITIONER_DAY = "practitioner_day", _("to the practitioner: list of the day")
    #: To the desk: how many wait for an answer.
    REQUESTS = "requests", _("to reception: requests to confirm")
    #: Codes, resets and invitations: rendered when queued, wiped when sent.
    ACCOUNT = "account", _("account")


#: The status of the appointment in which what the message says is true.
TRUE_WHILE: dict[Kind, Status] = {
    Kind.REQUESTED: Status.PENDING,
    Kind.BOOKED: Status.BOOKED,
    Kind.CONFIRMED: Status.BOOKED,
    Kind.MOVED: Status.BOOKED,
    Kind.CANCELLED: Status.CANCELLED,
    Kind.AWAY: Status.CANCELLED,
    Kind.EXPIRED: Status.CANCELLED,
    Kind.REMINDER: Status.BOOKED,
    Kind.PRACTITIONER_REQUEST: Status.PENDING,
    Kind.PRACTITIONER_NEW: Status.BOOKED,
    Kind.PRACTITIONER_MOVED: Status.BOOKED,
    Kind.PRACTITIONER_CANCELLED: Status.CANCELLED,
}
TO_PRACTITIONER = frozenset(
    {
        Kind.PRACTITIONER_REQUEST,
        Kind.PRACTITIONER_NEW,
        Kind.PRACTITIONER_MOVED,
        Kind.PRACTITIONER_CANCELLED,
    }
)
#: Stands in the key of a row that an administrator sent once more, on purpose.
AGAIN = ":again:"


class State(models.TextChoices):
    PENDING = "pending", _("waiting")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    VOID = "void", _("no longer true")
    LATE = "late", _("too late to be useful")
    #: From a backup, perhaps sent already: an administrator decides.
    HELD = "held", _("held for a decision")
    UNWANTED = "unwanted", _("not wanted by the recipient")


#: Stands as the last error of a row that is void because its reader was lost: nobody has had it.
NO_READER = "no reader"
#: It is not over with these: they are sent, or will be.
LIVE = frozenset({State.PENDING, State.SENDING})


class NotificationQuerySet(models.QuerySet["Notification"]):
    def due(self, now: dt.datetime) -> Self:
        """What has to leave now: waiting, or left behind by a worker that died."""
        return self.filter(
            models.Q(state=State.PENDING, try_at__lte=now)
            | models.Q(state=State.SENDING, lease_until__lte=now)
        )

    def waiting(self) -> Self:
        """Nobody has begun to send these."""
        return self.filter(state__in=[State.PENDING, State.HELD])

    def held(self) -> Self:
        return self.filter(state=State.HELD)

    def with_reader(self) -> Self:
        """Without what could not be told because its recipient was no longer the one."""
        return self.exclude(state=State.VOID, last_error=NO_READER)

    def with_parts(self) -> Self:
        """With everything that a message shows."""
        return self.select_related(
            "user__mail_choices",
            "user__practitioner",
            "appointment__patient",
            "appointment__practitioner__user",
            "appointment__service",
            "appointment__location",
            "appointment__rescheduled_from__practitioner",
            "appointment__rescheduled_from__location",
            "appointment__replaces__practitioner",
            "appointment__replaces__location",
            "offer__practitioner",
            "offer__service",
            "offer__location",
            "offer__entry__patient",
            "offer__entry__instead_of__location",
        )


class Notification(models.Model):
    """One message owed to one recipient, written with the change it tells of."""

    #: What makes it this message and no other: appointment, version, kind, recipient,
    #: due time, as in "17:1:booked:u5:1795000000". Says nothing about anybody.
    key = models.CharField(max_length=100, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=30, choices=Kind)
    appointment = models.ForeignKey(
        Appointment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="notifications",
        verbose_name=_("appointment"),
    )
    offer = models.ForeignKey(
        WaitingOffer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="notifications",
        verbose_name=_("offer"),
    )
    #: What it tells of happens on this day of the place: reminders, lists of a day.
    day = models.DateField(null=True, editable=False)
    #: Of a reminder: how long before the start it was promised.
    hours_before = models.PositiveSmallIntegerField(null=True, editable=False)
    #: The reminder whose mail told of this one too, or is about to. See ``together``.
    told_with = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("told together with"),
    )
    #: The version of the appointment it tells of.
    sequence = models.PositiveIntegerField(default=0, editable=False)
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("account")
    )
    to = models.EmailField(pgettext_lazy("recipient", "to"))
    language = models.CharField(_("language"), max_length=5, default="es")
    due_at = models.DateTimeField(_("due"))
    #: Afterwards nobody is helped by it, and it is not sent any more.
    useful_until = models.DateTimeField(_("useful until"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PENDING)
    #: When the next try is due: at first ``due_at``, later after each failure.
    try_at = models.DateTimeField(_("next try"))
    lease_until = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    text = models.TextField(blank=True, editable=False)
    html = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(_("written"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent on"), null=True, blank=True)

    #: Of a row that was claimed: the others that end with its mail.
    companions: Sequence[Notification] = ()

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-due_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "try_at"]),
            models.Index(fields=["due_at"]),
            models.Index(fields=["day", "user"]),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def told(self) -> list[Notification]:
        """Itself and its companions, one for each appointment: after a standstill two
        reminders of the same one leave in one mail.
        """
        found: dict[int | None, Notification] = {}
        for each in (self, *self.companions):
            found.setdefault(each.appointment_id, each)
        return list(found.values())

    @property
    def tells_of_several(self) -> bool:
        return len(self.told) > 1


class MailChoices(models.Model):
    """Which messages an account wants of those that can be switched off.

    Without a row: all of them, and no list of the day.
    """

    user = models.OneToOneField(
        User, models.CASCADE, related_name="mail_choices", verbose_name=_("account")
    )
    reminders = models.BooleanField(_("reminders"), default=True)
    #: Of the clinic's reminders, those that are not wanted: one that the clinic adds is.
    declined_hours = models.JSONField(default=list, editable=False)
    practitioner_request = models.BooleanField(_("requests to confirm"), default=True)
    practitioner_new = models.BooleanField(_("new appointments"), default=True)
    practitioner_moved = models.BooleanField(_("moved appointments"), default=True)
    practitioner_cancelled = models.BooleanField(_("cancelled appointments"), default=True)
    day_list_at = models.TimeField(
        _("list of the day at"), null=True, blank=True, help_text=_("Empty: no list.")
    )
    requests = models.BooleanField(_("requests that wait at the desk"), default=True)

    class Meta:
        verbose_name = _("choice of messages")
        verbose_name_plural = _("choices of messages")

    def __str__(self) -> str:
        return str(self.user)


class MessageText(models.Model):
    """The clinic's own words for one kind of mail in one language; empty ones are ours.

    Written by ``notifications.texts``. See docs/decisions/0024.
    """

    kind = models.CharField(_("kind"), max_length=30, choices=Kind)
    language = models.CharField(_("language"), max_length=5)
    subject = models.CharField(_("subject"), max_length=120, blank=True)
    opening = models.TextField(_("opening"), max_length=600, blank=True)
    closing = models.TextField(_("closing"), max_length=600, blank=True)

    class Meta:
        verbose_name = _("text of e-mails")
        verbose_name_plural = _("texts of e-mails")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "language"], name="one_text_per_kind_and_language"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.language})"


class Part(models.TextChoices):
    #: The scheduler itself.
    CLOCK = "clock"
    #: A worker that was sent by the scheduler to look for what is due.
    SWEEP = "sweep"
    #: The mail server.
    MAIL = "mail"


class Pulse(models.Model):
    """When a part of the works last gave a sign of life."""

    part = models.CharField(max_length=10, choices=Part, primary_key=True)
    at = models.DateTimeField(null=True)
    #: Of the mail server: nothing has gone through since then.
    stands_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.part
