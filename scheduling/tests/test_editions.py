"""Whatever decides what can be booked puts a new mark on the clinic, in the same transaction."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.db import transaction

from accounts.tests.factories import PatientFactory, PractitionerFactory
from clinic.editions import EditedModel, EditedQuerySet
from clinic.models import Closure, Organization
from clinic.tests.factories import InsurerFactory, LocationFactory, ServiceFactory, SpecialtyFactory
from scheduling.almanac import almanac
from scheduling.models import DateOverride, TimeOff, WorkingHours
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory

pytestmark = pytest.mark.django_db
DAY, NINE, TEN = dt.date(2026, 12, 8), dt.time(9), dt.time(10)


def hours() -> WorkingHours:
    return WorkingHours.objects.create(
        schedule=ScheduleFactory.create(), weekday=0, start=NINE, end=TEN
    )


def override() -> DateOverride:
    return DateOverride.objects.create(schedule=ScheduleFactory.create(), date=DAY, kind="closed")


def time_off() -> TimeOff:
    return TimeOff.objects.create(
        practitioner=PractitionerFactory.create(), weekday=0, start=NINE, end=TEN
    )


MAKE: dict[str, Callable[[], Any]] = {
    "location": LocationFactory.create,
    "specialty": SpecialtyFactory.create,
    "service": ServiceFactory.create,
    "insurer": InsurerFactory.create,
    "closure": lambda: Closure.objects.create(first_day=DAY, last_day=DAY, name="Feriado"),
    "practitioner": PractitionerFactory.create,
    "schedule": ScheduleFactory.create,
    "workinghours": hours,
    "dateoverride": override,
    "timeoff": time_off,
    "serviceoffering": ServiceOfferingFactory.create,
}


def edition() -> uuid.UUID:
    return Organization.current().edition


def copy_of(row):
    """A second row like it, with another key and other unique words."""
    twin = type(row)._default_manager.get(pk=row.pk)
    twin.pk = None
    twin._state.adding = True
    for field in row._meta.concrete_fields:
        if field.unique and not field.primary_key:
            setattr(twin, field.attname, f"{getattr(row, field.attname)}-2")
    return twin


def make_many(row) -> None:
    twin = copy_of(row)
    if hasattr(twin, "name"):
        twin.name += " 2"
    if hasattr(twin, "user_id"):
        twin.user = None
    if hasattr(twin, "service_id"):
        twin.service = ServiceFactory.create()
    if hasattr(twin, "slot_step"):
        twin.location = LocationFactory.create()
    before = edition()
    type(row)._default_manager.bulk_create([twin])
    assert edition() != before


WRITE = {
    "save": lambda row: row.save(),
    "save one field": lambda row: row.save(update_fields=[row._meta.concrete_fields[1].name]),
    "update": lambda row: (
        type(row)
        ._default_manager.filter(pk=row.pk)
        .update(
            **{
                row._meta.concrete_fields[1].attname: getattr(
                    row, row._meta.concrete_fields[1].attname
                )
            }
        )
    ),
    "bulk_update": lambda row: type(row)._default_manager.bulk_update(
        [row], [row._meta.concrete_fields[1].name]
    ),
    "bulk_create": make_many,
    "delete": lambda row: row.delete(),
    "delete many": lambda row: type(row)._default_manager.filter(pk=row.pk).delete(),
    "loaddata": lambda row: next(
        iter(serializers.deserialize("json", serializers.serialize("json", [row])))
    ).save(),
}


@pytest.mark.parametrize("way", WRITE)
@pytest.mark.parametrize("kind", MAKE)
def test_every_way_of_writing_renews_the_edition(kind, way):
    Organization.current()
    row = MAKE[kind]()
    before = edition()
    WRITE[way](row)
    assert edition() != before


def test_every_kind_of_row_is_tried_here_and_has_the_right_managers():
    kinds = [model for model in apps.get_models() if issubclass(model, EditedModel)]
    assert {model._meta.model_name for model in kinds} == set(MAKE)
    for model in kinds:
        assert model._meta.managers
        for manager in model._meta.managers:
            assert isinstance(manager.get_queryset(), EditedQuerySet), model


def test_whom_a_practitioner_sees_renews_it_too():
    person, insurer = PractitionerFactory.create(), InsurerFactory.create()
    marks = [edition()]
    for write in (
        lambda: person.insurers.add(insurer),
        lambda: person.insurers.remove(insurer),
        lambda: insurer.practitioners.set([person]),
        person.insurers.clear,
    ):
        write()
        marks.append(edition())
    assert len(set(marks)) == 5


def test_the_mark_goes_back_with_the_change_and_never_comes_again():
    before, row = edition(), LocationFactory.create()
    after = edition()
    marks = set()
    for _n in range(3):
        with transaction.atomic():
            row.save()
            marks.add(edition())
            transaction.set_rollback(True)
        assert edition() == after
    assert len(marks | {before, after}) == 5


def test_whoever_saves_the_clinic_late_does_not_bring_an_old_mark_back():
    late = Organization.current()
    LocationFactory.create()
    marks = {late.edition, edition()}
    late.save()
    marks.add(edition())
    late.save(update_fields=["name"])
    assert len(marks | {edition()}) == 4


def test_patients_and_their_kind_do_not_renew_it():
    before = edition()
    PatientFactory.create().save()
    assert edition() == before


@pytest.mark.parametrize("write", ["save", "save one field", "update"])
def test_a_rule_of_the_clinic_renews_it_too(write):
    row = Organization.current()
    before = edition()
    row.slot_step = 60
    if write == "update":
        Organization.objects.update(slot_step=60)
    else:
        row.save(**({"update_fields": ["slot_step"]} if write == "save one field" else {}))
    after = Organization.current()
    assert after.edition != before
    assert after.slot_step == 60


def test_what_is_remembered_keeps_the_row_that_its_mark_came_with():
    asked = Organization.current()
    kept = almanac(asked)
    asked.slot_step = 60
    assert kept.organization.slot_step == 15
    assert almanac(Organization.current()) is kept
    asked.save()
    assert almanac(Organization.current()).organization.slot_step == 60
