"""Work that nobody waits for. Ids in; safe to run twice."""

from celery import shared_task
from django.utils import timezone

from appointments import freed, holds, services


@shared_task
def expire_requests() -> int:
    """Cancel the requests whose time for an answer is over."""
    return services.expire_overdue(now=timezone.now())


@shared_task
def forget_ended_holds() -> int:
    """Remove the holds that are over; they stand in nobody's way before that either."""
    return holds.sweep()


@shared_task
def offer_freed_time() -> int:
    """Offer freed time to those who wait for it; end the offers that nobody answered."""
    return freed.sweep()
