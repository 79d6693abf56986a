"""What of the practice belongs to the practitioner who asks. Not theirs answers 404."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from accounts.doors import person
from accounts.models import Practitioner
from accounts.roles import Actor
from appointments.models import Appointment
from scheduling.models import Schedule


def own_practice(request: HttpRequest) -> Practitioner:
    found: Practitioner = get_object_or_404(Practitioner, user=person(request), is_active=True)
    return found


def as_practitioner(request: HttpRequest) -> Actor:
    return Actor.practitioner(person(request))


def own_appointment(request: HttpRequest, public_id: uuid.UUID) -> Appointment:
    own = Appointment.objects.of_practitioner(person(request)).with_parts()
    found: Appointment = get_object_or_404(own, public_id=public_id)
    return found


def own_schedules(practitioner: Practitioner) -> Sequence[Schedule]:
    """Where they work, the first location first."""
    return list(practitioner.schedules.active().select_related("location").order_by("pk"))
