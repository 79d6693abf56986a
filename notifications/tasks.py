"""Work of the worker. Ids in; safe to run twice and side by side."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from notifications import delivery, digests, outbox, pulse


@shared_task
def deliver(ids: list[int]) -> int:
    """Send these rows, as far as they are due and nobody else is at them."""
    return delivery.deliver(ids).sent


@shared_task
def sweep() -> int:
    """Send everything that is due: what no wake-up call reached, and reminders."""
    pulse.swept(timezone.now())
    return delivery.deliver_due()


@shared_task
def owe_missing_reminders() -> int:
    """For patients whose account or address came after their appointment."""
    return outbox.owe_missing_reminders(now=timezone.now())


@shared_task
def owe_digests() -> int:
    """Lists of the day whose hour has come, and word of requests that wait too long."""
    return digests.owe(now=timezone.now())
