"""Whoever chose a time before they logged in: the login keeps it for them."""

from __future__ import annotations

import contextlib
from typing import Any

from allauth.account.signals import user_logged_in
from django.db import OperationalError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import Patient, User
from accounts.roles import Role
from appointments import holds, services
from appointments.addresses import chosen_time
from appointments.exceptions import Refusal
from scheduling.models import ServiceOffering


@receiver(user_logged_in)
def keep_the_chosen_time(
    request: HttpRequest, user: User, response: HttpResponse | None = None, **kwargs: Any
) -> None:
    """Nobody without an account holds anything: the time could only wait in the address.

    What cannot be kept is said by the page that the login leads to.
    """
    offering_id, start = chosen_time(response.get("Location", "") if response else "")
    if start is None or request.method != "POST" or Role.PATIENT not in user.roles:
        return
    offering = ServiceOffering.objects.online().with_parts().filter(pk=offering_id).first()
    if offering:
        # Nobody is kept out because a time could not be kept.
        with contextlib.suppress(Refusal, OperationalError):
            patients = Patient.objects.of(user)
            services.check_anybody(offering, patients, now=timezone.now())
            holds.take(offering=offering, start=start, user=user)
