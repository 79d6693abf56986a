"""The link of an invitation: signed, with an end, and dead once the password is set."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts import rules
from accounts.models import User

VALID_FOR = dt.timedelta(days=7)
_SALT = "accounts.invitations"


def make_token(user: User) -> str:
    return signing.dumps({"user": user.pk, "state": _state(user)}, salt=_SALT)


def read_token(token: str) -> User | None:
    """Whom this link still lets in; None for a used, old, changed or invented one."""
    try:
        said: Any = signing.loads(token, salt=_SALT, max_age=VALID_FOR)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=said["user"]).first()
    if user is None or not rules.awaits_invitation(user):
        return None
    return user if constant_time_compare(said["state"], _state(user)) else None


def _state(user: User) -> str:
    """Changes with the password and the address, and takes every earlier link with it."""
    return salted_hmac(_SALT, f"{user.password}:{user.email}").hexdigest()[:24]
