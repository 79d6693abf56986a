"""Looks through the whole database for a promise that does not hold."""

from collections import Counter
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from appointments import integrity as of_appointments
from appointments import integrity_offers as of_offers
from notifications import integrity as of_messages


class Command(BaseCommand):
    help = "Checks that no appointments overlap, that history is whole and that messages are true."

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        found, now = 0, timezone.now()
        for breach in chain(
            of_appointments.breaches(counts),
            of_appointments.unanswered(counts, now=now),
            of_appointments.busy(counts),
            of_appointments.held(counts),
            of_appointments.own_records(counts),
            of_offers.breaches(counts, now=now),
            of_messages.breaches(counts, now=now),
        ):
            found += 1
            self.stdout.write(str(breach))
        looked_at = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
        if found:
            raise CommandError(f"Promises broken: {found}. Looked at {looked_at}.", returncode=1)
        self.stdout.write(self.style.SUCCESS(f"Every promise holds. Looked at {looked_at}."))
