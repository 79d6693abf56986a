"""The clinic's log of deeds and of reads. Lines are only added."""

from typing import Any

from django.db import models

from clinic.models import AuditEvent


def describe(target: models.Model | str) -> str:
    """``accounts.patient:17``: findable, and free of personal data."""
    if isinstance(target, str):
        return target
    return f"{target._meta.label_lower}:{target.pk}"


def record(*, actor: str, action: str, target: models.Model | str, **details: Any) -> AuditEvent:
    return AuditEvent.objects.create(
        actor=actor[:254], action=action, target=describe(target)[:200], details=details
    )
