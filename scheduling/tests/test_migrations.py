"""What was usual is said by the clinic from now on, and the way back."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from clinic.models import Organization
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [
    ("scheduling", "0004_serviceoffering_known_only"),
    ("clinic", "0014_closure_can_be_worked"),
]
SAID = ["schedule__slot_step", "buffer_before", "buffer_after", "show_price", "confirmation"]


def migrate(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def latest():
    executor = MigrationExecutor(connection)
    targets = executor.loader.graph.leaf_nodes()
    yield targets
    MigrationExecutor(connection).migrate(targets)


def test_to_the_clinics_defaults_and_back(latest):
    own = ServiceOfferingFactory.create(
        schedule=ScheduleFactory.create(slot_step=30),
        buffer_before=5,
        buffer_after=0,
        show_price=True,
        confirmation="manual",
        booked_online_by="known",
    )
    usual = ServiceOfferingFactory.create(schedule=ScheduleFactory.create(slot_step=None))
    staff = ServiceOfferingFactory.create(booked_online_by="staff")
    Organization.current()
    Organization.objects.update(slot_step=20, buffer_after=10, confirmation="manual")

    old = migrate(BEFORE)
    rows = old.get_model("scheduling", "ServiceOffering").objects
    fields = [*SAID, "is_online", "known_only"]
    assert rows.values_list(*fields).get(pk=own.pk) == (30, 5, 0, True, "manual", True, True)
    assert rows.values_list(*fields).get(pk=usual.pk) == (20, 0, 10, False, "manual", True, False)
    assert rows.values_list(*fields).get(pk=staff.pk)[5:] == (False, False)
    usually = {"buffer_after": 0, "confirmation": "automatic", "is_online": True}
    rows.filter(pk=usual.pk).update(**usually)
    old.get_model("scheduling", "Schedule").objects.filter(pk=usual.schedule_id).update(
        slot_step=15
    )

    migrate(latest)
    for row in (own, usual, staff):
        row.refresh_from_db()
        row.schedule.refresh_from_db()
    assert (own.schedule.slot_step, own.buffer_before, own.buffer_after) == (30, 5, None)
    assert (own.show_price, own.confirmation, own.booked_online_by) == (True, "manual", "known")
    assert (usual.schedule.slot_step, usual.buffer_before, usual.buffer_after) == (None,) * 3
    assert (usual.show_price, usual.confirmation, usual.booked_online_by) == (None, "", "")
    assert staff.booked_online_by == "staff"
    clinic = Organization.current()
    assert (clinic.slot_step, clinic.buffer_after, clinic.confirmation) == (15, 0, "automatic")
