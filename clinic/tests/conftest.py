"""The world that the tests of all pages walk through."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine as clock
from django.db import transaction

from appointments.tests.factories import NOW
from clinic.tests.world import World


@pytest.fixture(scope="module")
def built_world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Built once for all tests of a module: to build it takes longer than most of them.

    It lies in a transaction that ends with the module; what a test does to it is undone by the
    test's own, as always. Tests that want an empty clinic stand in another module.
    """
    everything = transaction.atomic()
    with django_db_blocker.unblock(), clock.travel(NOW.astimezone(dt.UTC), tick=False):
        everything.__enter__()
        built = World()
    yield built
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        everything.__exit__(None, None, None)


@pytest.fixture
def world(built_world: World, db: None, time_machine: Any) -> World:
    """As it was built, on the day on which it was."""
    time_machine.move_to(NOW, tick=False)
    return copy.deepcopy(built_world)
