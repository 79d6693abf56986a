"""Mails about accounts: rendered here, owed through ``accounts.signals.account_mail``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from accounts.signals import account_mail
from clinic.models import Organization

#: What a mail without a code or a link of its own is worth.
A_DAY = dt.timedelta(days=1)


def absolute(path: str) -> str:
    """A link for a mail: on the configured address, whatever Host a request claimed."""
    return f"{settings.BASE_URL}{path}"


def send(
    *,
    template: str,
    to: str,
    language: str,
    user: User | None = None,
    context: Mapping[str, Any] | None = None,
    lives_for: dt.timedelta = A_DAY,
) -> None:
    """Render ``<template>_subject.txt``, ``_message.txt``, ``_message.html`` and hand them over.

    In the language of whoever reads it; after ``lives_for`` it is of no use any more.
    Nothing has left when this returns: the mail is written with its transaction.
    """
    facts = {
        **(context or {}),
        "user": user,
        "language": language,
        "email": to,
        "organization": Organization.current(),
        "login_url": absolute(reverse("account_login")),
        "signup_url": absolute(reverse("account_signup")),
        "reset_url": absolute(reverse("account_reset_password")),
    }
    with translation.override(language), transaction.atomic():
        subject = " ".join(render_to_string(f"{template}_subject.txt", facts).split())
        account_mail.send(
            sender=User,
            to=to,
            language=language,
            subject=subject,
            text=render_to_string(f"{template}_message.txt", facts).strip() + "\n",
            html=render_to_string(f"{template}_message.html", facts),
            user=user,
            lives_for=lives_for,
        )
