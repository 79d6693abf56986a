"""Writes the busy days anew from the appointments."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import Max, Min

from accounts.models import Practitioner
from appointments import busy_days, locks
from appointments.models import Appointment
from scheduling.intervals import to_minute


class Command(BaseCommand):
    help = "Writes what helps the search (the busy days) anew from the appointments."

    def handle(self, *args: Any, **options: Any) -> None:
        span = Appointment.objects.aggregate(first=Min("start"), last=Max("end"))
        if span["first"] is None:
            self.stdout.write("There are no appointments.")
            return
        first = to_minute(span["first"]) // busy_days.DAY_MINUTES - 1
        last = to_minute(span["last"]) // busy_days.DAY_MINUTES + 1
        days = 0
        for pk in Practitioner.objects.order_by("pk").values_list("pk", flat=True):
            with transaction.atomic():
                locks.hold(practitioners=[pk])
                days += busy_days.rebuild([pk], first, last)
        self.stdout.write(f"{days} busy days written.")
