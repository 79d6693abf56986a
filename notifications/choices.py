"""What an account wants to be told of. Looked at when a message leaves, not when it is owed."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.roles import Actor
from clinic import audit
from clinic.models import Organization
from notifications.models import TO_PRACTITIONER, Kind, MailChoices, Notification

#: These have a switch of the same name.
SWITCHED = TO_PRACTITIONER | {Kind.REQUESTS}


def choices_of(user: User) -> MailChoices:
    """Those that were made, or those of somebody who has made none."""
    try:
        return user.mail_choices
    except MailChoices.DoesNotExist:
        return MailChoices(user=user)


def wants(row: Notification) -> bool:
    """Whoever has no account cannot choose."""
    if row.user is None:
        return True
    mine = choices_of(row.user)
    if row.kind == Kind.REMINDER:
        return mine.reminders and row.hours_before not in mine.declined_hours
    if row.kind == Kind.PRACTITIONER_DAY:
        return mine.day_list_at is not None
    return row.kind not in SWITCHED or getattr(mine, row.kind)


def is_planned(row: Notification) -> bool:
    """Whether the clinic still sends this reminder."""
    return row.hours_before in Organization.current().reminder_hours


@transaction.atomic
def choose(*, user: User, by: Actor, **values: Any) -> MailChoices:
    """Keep these choices; what was not asked stays as it was."""
    mine, _new = MailChoices.objects.select_for_update().get_or_create(user=user)
    changed = [name for name, value in values.items() if getattr(mine, name) != value]
    if changed:
        for name in changed:
            setattr(mine, name, values[name])
        mine.save(update_fields=changed)
        audit.record(actor=str(by), action="account.mail_choices", target=user, fields=changed)
    return mine
