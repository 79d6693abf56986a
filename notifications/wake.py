"""Tells a worker that mail is waiting. Only a favour: the sweep finds everything without it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from celery import current_app
from kombu.exceptions import ChannelError

from notifications import tasks

log = logging.getLogger(__name__)

#: After a failure nobody in this process tries again for so long (seconds).
PAUSE = 30.0
#: A wake-up call that no worker took by then is stale: the sweep has been there (seconds).
EXPIRES = 60


class Breaker:
    """Lets one caller in ``pause`` seconds find out that the broker is still away."""

    def __init__(self, pause: float = PAUSE) -> None:
        self.pause = pause
        self._lock = threading.Lock()
        self._open_from = 0.0
        self._failed = False

    def allows(self) -> bool:
        with self._lock:
            if not self._failed:
                return True
            if time.monotonic() < self._open_from:
                return False
            # Whoever comes meanwhile does not wait beside the one who tries.
            self._open_from = time.monotonic() + self.pause
            return True

    def failed(self) -> bool:
        """Whether this is the first failure of an outage."""
        with self._lock:
            first = not self._failed
            self._failed = True
            self._open_from = time.monotonic() + self.pause
            return first

    def succeeded(self) -> bool:
        """Whether an outage has just ended."""
        with self._lock:
            was_failed, self._failed = self._failed, False
            return was_failed


breaker = Breaker()


def wake(ids: Sequence[int]) -> None:
    """Ask a worker to send these rows now. Never raises, and never waits long."""
    if not ids or not breaker.allows():
        return
    try:
        tasks.deliver.apply_async(args=[list(ids)], retry=False, expires=EXPIRES)
    except Exception as error:  # noqa: BLE001 - whatever it is, the page must not notice
        if breaker.failed():
            log.warning(
                "No worker can be woken (%s). Mail leaves with the next sweep; "
                "tried again every %d seconds.",
                type(error).__name__,
                breaker.pause,
            )
    else:
        if breaker.succeeded():
            log.warning("Workers can be woken again.")


def queue_depth() -> int | None:
    """How many tasks wait for a worker; None if the broker does not say so at once."""
    queue = current_app.conf.task_default_queue
    try:
        with current_app.connection_for_read() as connection:
            # The default channel keeps to the short timeouts of the settings.
            declared = connection.default_channel.queue_declare(queue=queue, passive=True)
            return declared.message_count
    except ChannelError:
        return 0  # an empty queue is not there
    except Exception as error:  # noqa: BLE001 - whatever it is, the page says that it is away
        log.info("The queue cannot be reached (%s).", type(error).__name__)
        return None
