"""Fills an empty database with the clinic of the demo."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clinic.demo.load import load
from clinic.models import Location


class Command(BaseCommand):
    help = "Loads the demo clinic, once: invented people, three months back and six weeks ahead."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--if-empty",
            action="store_true",
            help="Does nothing, without complaint, where there is a clinic already.",
        )

    def handle(self, *args: Any, if_empty: bool, **options: Any) -> None:
        if not (settings.EMBEDDED or settings.DEMO):
            raise CommandError(
                "This is not a demo: the accounts of the demo have a known password. "
                "Set DEMO=true if you mean it."
            )
        if Location.objects.exists():
            if not if_empty:
                raise CommandError("There is a clinic in this database already; nothing was done.")
            self.say("There is a clinic in this database already; left as it is.", options)
            return
        begun = time.monotonic()
        made = load()
        seconds = time.monotonic() - begun
        self.say(f"Loaded the demo clinic: {len(made)} appointments in {seconds:.1f} s.", options)

    def say(self, line: str, options: dict[str, Any]) -> None:
        if options["verbosity"]:
            self.stdout.write(line)
