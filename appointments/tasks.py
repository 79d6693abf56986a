"""Work that nobody waits for. Ids in; safe to run twice."""

import logging

from celery import shared_task
from django.utils import timezone

from accounts.roles import Actor
from appointments import freed, holds, services
from appointments.exceptions import Refusal
from appointments.models import Appointment
from appointments.transitions import Status

log = logging.getLogger(__name__)


@shared_task
def expire_requests() -> int:
    """Cancel the requests whose time for an answer is over."""
    now = timezone.now()
    due = Appointment.objects.filter(status=Status.PENDING, expires_at__lte=now)
    expired = 0
    for appointment in due[:500]:
        try:
            services.expire(appointment=appointment, by=Actor.system(), now=now)
            expired += 1
        except Refusal as refusal:
            log.info("Request %s was answered meanwhile: %s", appointment.pk, refusal.code)
    return expired


@shared_task
def forget_ended_holds() -> int:
    """Remove the holds that are over; they stand in nobody's way before that either."""
    return holds.sweep()


@shared_task
def offer_freed_time() -> int:
    """Offer freed time to those who wait for it; end the offers that nobody answered."""
    return freed.sweep()
