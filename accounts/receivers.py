"""What allauth does to accounts, written into the clinic's log."""

from __future__ import annotations

from typing import Any

from allauth.account import signals
from django.dispatch import receiver

from accounts.models import User
from clinic import audit


@receiver(signals.user_logged_in)
def log_login(user: User, **kwargs: Any) -> None:
    audit.record(actor=user.email, action="account.log_in", target=user)


@receiver(signals.email_changed)
def log_email_change(user: User, **kwargs: Any) -> None:
    audit.record(actor=user.email, action="account.change_email", target=user)


@receiver(signals.password_changed)
def log_password_change(user: User, **kwargs: Any) -> None:
    audit.record(actor=user.email, action="account.change_password", target=user)


@receiver(signals.password_reset)
def log_password_reset(user: User, **kwargs: Any) -> None:
    audit.record(actor=user.email, action="account.reset_password", target=user)
