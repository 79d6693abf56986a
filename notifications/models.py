"""The outbox: one row for each message owed to one recipient."""

from __future__ import annotations

import datetime as dt
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from appointments.models import Appointment


class Kind(models.TextChoices):
    REQUESTED = "requested", _("request received")
    BOOKED = "booked", _("appointment booked")
    CONFIRMED = "confirmed", _("appointment confirmed")
    CANCELLED = "cancelled", _("appointment cancelled")
    EXPIRED = "expired", _("request expired")
    REMINDER = "reminder", _("reminder")
    #: Codes, resets and invitations: rendered when queued, wiped when sent.
    ACCOUNT = "account", _("account")


class State(models.TextChoices):
    PENDING = "pending", _("waiting")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    VOID = "void", _("no longer true")
    LATE = "late", _("too late to be useful")


class NotificationQuerySet(models.QuerySet["Notification"]):
    def due(self, now: dt.datetime) -> Self:
        """What has to leave now: waiting, or left behind by a worker that died."""
        return self.filter(due_at__lte=now).filter(
            models.Q(state=State.PENDING) | models.Q(state=State.SENDING, lease_until__lte=now)
        )

    def open(self) -> Self:
        return self.filter(state__in=[State.PENDING, State.SENDING])


class Notification(models.Model):
    """One message owed to one recipient, written with the change it tells of."""

    #: What makes it this message and no other, for example "17:1:booked:ana@example.org".
    key = models.CharField(max_length=255, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    appointment = models.ForeignKey(
        Appointment,
        models.PROTECT,
        null=True,
        related_name="notifications",
        verbose_name=_("appointment"),
    )
    #: The version of the appointment it tells of.
    sequence = models.PositiveIntegerField(default=0)
    user = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("account")
    )
    to = models.EmailField(_("to"))
    language = models.CharField(_("language"), max_length=5, default="es")
    due_at = models.DateTimeField(_("due"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PENDING)
    lease_until = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    text = models.TextField(blank=True, editable=False)
    html = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(_("written"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent on"), null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-due_at", "-pk"]
        indexes = [models.Index(fields=["state", "due_at"])]

    def __str__(self) -> str:
        return self.key
