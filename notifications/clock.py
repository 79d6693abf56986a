"""The scheduler, which says in the database that it lives."""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import Any

from celery.beat import PersistentScheduler
from django.db import DatabaseError
from django.utils import timezone

from notifications import pulse
from notifications.models import Part

log = logging.getLogger(__name__)

#: How often it says so (seconds).
EVERY = 20.0


class Clock(PersistentScheduler):
    _said: float | None = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if self._said is None or time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            say_alive(timezone.now())
        return super().tick(*args, **kwargs)


def say_alive(now: dt.datetime) -> None:
    """Without a database it goes on: what it sends finds the database, or does not."""
    try:
        pulse.beat(Part.CLOCK, now)
    except DatabaseError as error:
        log.warning("The scheduler cannot say that it lives: %s", type(error).__name__)
        pulse.drop_dead_connection()
