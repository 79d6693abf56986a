"""The catalogue for tests."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from clinic.models import Insurer, Location, Room, Service, Specialty

BUENOS_AIRES = "America/Argentina/Buenos_Aires"


class LocationFactory(DjangoModelFactory[Location]):
    class Meta:
        model = Location

    name = factory.Sequence(lambda n: f"Sede {n}")
    slug = factory.Sequence(lambda n: f"sede-{n}")
    time_zone = BUENOS_AIRES
    address = "Av. Rivadavia 4500"
    phone = "+541148650000"


class RoomFactory(DjangoModelFactory[Room]):
    class Meta:
        model = Room

    location = factory.SubFactory(LocationFactory)
    name = factory.Sequence(lambda n: f"Consultorio {n}")


class SpecialtyFactory(DjangoModelFactory[Specialty]):
    class Meta:
        model = Specialty

    name = factory.Sequence(lambda n: f"Cardiología {n}")
    slug = factory.Sequence(lambda n: f"cardiologia-{n}")


class InsurerFactory(DjangoModelFactory[Insurer]):
    class Meta:
        model = Insurer

    name = factory.Sequence(lambda n: f"Mutual {n}")
    slug = factory.Sequence(lambda n: f"mutual-{n}")


class ServiceFactory(DjangoModelFactory[Service]):
    class Meta:
        model = Service

    specialty = factory.SubFactory(SpecialtyFactory)
    name = factory.Sequence(lambda n: f"Consulta {n}")
    slug = factory.Sequence(lambda n: f"consulta-{n}")
    default_duration = 30
