"""What the tests of the pages share: where they stand in time, and who sits at the browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.factories import administrator, patient_user
from appointments.tests.factories import NOW
from appointments.tests.practice import account_of, browser
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering


@pytest.fixture
def this_morning(time_machine: Any) -> Any:
    """The clock stands still at NOW until the test moves it."""
    time_machine.move_to(NOW, tick=False)
    return time_machine


@pytest.fixture
def offering() -> ServiceOffering:
    """Half an hour a visit, every day from nine to five."""
    Organization.current()
    return open_offering()


@pytest.fixture
def user() -> User:
    """A patient's account."""
    return patient_user()


@pytest.fixture
def boss() -> User:
    return administrator()


@pytest.fixture
def admin(boss: User) -> Client:
    """An administrator's browser."""
    return browser(boss)


@pytest.fixture
def doctor(offering: ServiceOffering) -> Client:
    """The browser of the practitioner whose ``offering`` the test has made."""
    return browser(account_of(offering))
