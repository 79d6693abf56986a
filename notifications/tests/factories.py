"""Messages for tests, owed by the same changes as everywhere."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from accounts.models import Patient, User
from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book
from notifications import outbox
from notifications.models import MailChoices, Notification
from scheduling.tests.factories import open_offering

#: The mails of a booking at NOW have long left by then.
SOON = NOW + dt.timedelta(minutes=1)


def family(patient: Patient | None = None, **user: Any) -> tuple[User, Patient]:
    """An account and the patient it acts for."""
    fields: dict[str, Any] = {f"user__{name}": value for name, value in user.items()}
    if patient:
        fields["patient"] = patient
    access = PatientAccessFactory.create(**fields)
    return access.user, access.patient


def booked(days: int = 3, *, asks: bool = False, **kwargs: Any) -> Appointment:
    """Booked by the patient's own account for ten o'clock in three days."""
    user = kwargs.pop("user", None)
    patient = kwargs.pop("patient", None)
    if user is None:
        user, patient = family(patient)
    offering = kwargs.pop("offering", None) or open_offering(
        confirmation="manual" if asks else "automatic"
    )
    return book(
        patient=patient,
        offering=offering,
        by=Actor.patient(user),
        start=kwargs.pop("start", at(10, days=days)),
        **kwargs,
    )


def chooses(user: User | None, **choices: Any) -> MailChoices:
    """What this account wants to be told of."""
    assert user is not None
    return MailChoices.objects.create(user=user, **choices)


def account_mail(**fields: Any) -> Notification:
    """A code that was asked for at NOW."""
    row = outbox.owe_account_mail(
        **{
            "to": "ana@example.org",
            "language": "es",
            "subject": "Su código",
            "text": "El código es ABC-123.",
            "html": "",
            "user": None,
            "lives_for": dt.timedelta(minutes=15),
            **fields,
        }
    )
    life = row.useful_until - row.due_at
    row.due_at = row.try_at = NOW
    row.useful_until = NOW + life
    row.save(update_fields=["due_at", "try_at", "useful_until"])
    return row


def pending(**fields: Any) -> Notification:
    """A row of the outbox that is due at NOW and needs no appointment."""
    return account_mail(to=f"{uuid.uuid4().hex[:8]}@example.org", **fields)
