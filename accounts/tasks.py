"""Work that nobody waits for; safe to run twice."""

from importlib import import_module

from celery import shared_task
from django.conf import settings


@shared_task
def forget_ended_sessions() -> None:
    """A session can hold what somebody typed about their health: it is not kept for nothing."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
