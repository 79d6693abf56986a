"""What belongs to the person who asks: their practice, their desk. Not theirs answers 404."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from accounts.doors import person
from accounts.models import Practitioner, User
from accounts.roles import Actor, Role
from appointments.models import Appointment
from clinic import current
from clinic.models import Location
from scheduling.catalogue import catalogue


def own_practice(request: HttpRequest) -> Practitioner:
    found: Practitioner = get_object_or_404(Practitioner, user=person(request), is_active=True)
    return found


def own_agenda(request: HttpRequest) -> Practitioner:
    """The same practice for pages that change nothing: nobody is asked again."""
    user = person(request)
    people = catalogue(current.organization(request)).people.values()
    found = next((someone for someone in people if someone.user_id == user.pk), None)
    if found is None:
        raise Http404
    return found


def as_practitioner(request: HttpRequest) -> Actor:
    return Actor.practitioner(person(request))


def own_appointment(request: HttpRequest, public_id: uuid.UUID) -> Appointment:
    own = Appointment.objects.of_practitioner(person(request)).with_parts().with_replaced()
    found: Appointment = get_object_or_404(own, public_id=public_id)
    return found


def appointment_of_desk(request: HttpRequest, public_id: uuid.UUID) -> Appointment:
    """At one of the locations of this desk. Never the reason: it is the practitioner's."""
    here = Appointment.objects.filter(location__in=places_of(person(request)))
    rows = here.for_desk().with_parts().with_replaced()
    found: Appointment = get_object_or_404(rows, public_id=public_id)
    return found


def places_of(user: User) -> list[Location]:
    """All locations for an administrator, else those of the desk."""
    if Role.ADMINISTRATOR in user.roles:
        return list(Location.objects.filter(is_active=True))
    return list(Location.objects.filter(receptionists__user=user, is_active=True))
