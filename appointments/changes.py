"""Changes of a practitioner's rules that may hit appointments: rehearsed first, then made.

Not predicted but tried: inside a transaction the rules are written, and what has an
obstacle now that it did not have before is hit (``hits.newly_hit``). The rehearsal is
undone; the change itself refuses if by then it hits others than were shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import blocking, hits, locks
from appointments.models import Appointment


@dataclass(frozen=True, slots=True)
class Change:
    """``write`` changes the rules of this practitioner's time; nothing else happens in it."""

    practitioner: Practitioner
    write: Callable[[], Any]
    by: Actor

    def would_hit(self, now: dt.datetime | None = None) -> list[Appointment]:
        """The upcoming appointments that it would hit, soonest first. Changes nothing."""
        rehearse = locks.retrying(self._rehearse)
        return rehearse(now or timezone.now())

    def _rehearse(self, now: dt.datetime) -> list[Appointment]:
        with transaction.atomic():
            found = self._write(now)
            transaction.set_rollback(True)
        return found

    def make(self, *, now: dt.datetime | None = None, **answer: Any) -> list[Appointment]:
        """Change the rules, and do with what they hit as was answered (see ``blocking``)."""
        return locks.retrying(self._make)(now or timezone.now(), answer)

    def _make(self, now: dt.datetime, answer: dict[str, Any]) -> list[Appointment]:
        with transaction.atomic():
            found = self._write(now)
            return blocking._settle(found, by=self.by, now=now, **answer)

    def _write(self, now: dt.datetime) -> list[Appointment]:
        """Lock, look, write, look again."""
        locks.hold(practitioners=[self.practitioner.pk])
        rows = hits.upcoming(now).filter(practitioner=self.practitioner)
        coming = list(rows.order_by("start", "pk"))
        before = hits.obstacles(coming)
        self.write()
        after = hits.obstacles(list(rows))
        hit = hits.newly_hit(before, after)
        return [appointment for appointment in coming if appointment.pk in hit]
