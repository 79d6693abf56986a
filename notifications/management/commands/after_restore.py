"""To be run on a database that was restored from a backup, before its worker starts."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from notifications import pulse


class Command(BaseCommand):
    help = "Holds every message that was due by now: the backup does not know what has left since."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        held = pulse.hold(now=now, written_until=now)
        self.stdout.write(
            f"Messages held: {held}. An administrator decides about them under "
            "Administration, Messages, State of the mails."
        )
