"""Schedules for tests."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.tests.factories import PractitionerFactory
from clinic.tests.factories import LocationFactory, ServiceFactory
from scheduling.models import Schedule, ServiceOffering, WorkingHours


class ScheduleFactory(DjangoModelFactory[Schedule]):
    class Meta:
        model = Schedule

    practitioner = factory.SubFactory(PractitionerFactory)
    location = factory.SubFactory(LocationFactory)
    slot_step = 30


class ServiceOfferingFactory(DjangoModelFactory[ServiceOffering]):
    class Meta:
        model = ServiceOffering

    schedule = factory.SubFactory(ScheduleFactory)
    service = factory.SubFactory(ServiceFactory)


def open_week(schedule: Schedule, start: dt.time = dt.time(9), end: dt.time = dt.time(17)) -> None:
    """The same hours on each of the seven days."""
    WorkingHours.objects.bulk_create(
        WorkingHours(schedule=schedule, weekday=day, start=start, end=end) for day in range(7)
    )


def open_offering(
    *, start: dt.time = dt.time(9), end: dt.time = dt.time(17), **fields: Any
) -> ServiceOffering:
    """A service of 30 minutes that can be booked every day from nine to five."""
    offering = ServiceOfferingFactory.create(**fields)
    open_week(offering.schedule, start, end)
    offering.practitioner.specialties.add(offering.service.specialty)
    return offering
