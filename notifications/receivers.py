"""What this app hears from below. Runs inside the transaction of the change: writes rows only."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models.signals import post_save
from django.utils import timezone

from accounts.models import User
from accounts.signals import account_mail
from appointments.models import Appointment, AppointmentEvent, WaitingOffer
from appointments.signals import appointment_changed, nobody_can_be_told, offer_changed
from clinic.models import Organization
from notifications import outbox, pulse


def on_appointment_changed(
    sender: Any,
    appointment: Appointment,
    event: AppointmentEvent,
    tell_at: dt.datetime | None = None,
    away: bool = False,
    **kwargs: Any,
) -> None:
    outbox.owe_for(appointment, event, tell_at=tell_at, away=away)


def on_offer_changed(sender: Any, offer: WaitingOffer, **kwargs: Any) -> None:
    outbox.owe_offer(offer)


def on_nobody_can_be_told(sender: Any, now: dt.datetime, **kwargs: Any) -> bool:
    return pulse.health(now).mail_stands_since is not None


def on_account_mail(
    sender: Any,
    to: str,
    language: str,
    subject: str,
    text: str,
    html: str = "",
    user: User | None = None,
    lives_for: dt.timedelta = outbox.ACCOUNT_MAIL_LIVES,
    **kwargs: Any,
) -> None:
    outbox.owe_account_mail(
        to=to,
        language=language,
        subject=subject,
        text=text,
        html=html,
        user=user,
        lives_for=lives_for,
    )


def on_clinic_saved(sender: Any, created: bool, **kwargs: Any) -> None:
    """A reminder that the clinic has added is owed for what is booked already."""
    if not created:
        outbox.owe_missing_reminders(now=timezone.now())


def listen() -> None:
    appointment_changed.connect(on_appointment_changed, dispatch_uid="notifications.outbox")
    offer_changed.connect(on_offer_changed, dispatch_uid="notifications.outbox")
    nobody_can_be_told.connect(on_nobody_can_be_told, dispatch_uid="notifications.pulse")
    account_mail.connect(on_account_mail, dispatch_uid="notifications.outbox")
    post_save.connect(on_clinic_saved, sender=Organization, dispatch_uid="notifications.outbox")
