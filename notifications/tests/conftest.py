"""What tests of messages share."""

import pytest

from clinic.models import Organization


@pytest.fixture
def one_reminder(monkeypatch):
    """A clinic that reminds once, a day before: for tests about something else."""
    field = Organization._meta.get_field("reminders")
    monkeypatch.setattr(field, "_get_default", lambda: "24")
