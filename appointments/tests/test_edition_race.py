"""What is remembered while others change it: after a commit nobody sees what was before it."""

from __future__ import annotations

import datetime as dt
import functools

import pytest

from appointments import availability
from appointments.tests.factories import NOW, at, desk
from appointments.tests.race import rounds, together
from clinic.models import Organization
from scheduling.catalogue import catalogue
from scheduling.models import DateOverride, ServiceOffering
from scheduling.services import set_offering, set_overrides
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def shown(pk: int, day: int) -> int:
    """How many times a search shows of this offering, as any request would ask."""
    known = catalogue(Organization.current())
    offerings = [offering for offering in known.online if offering.pk == pk]
    start, end = at(0, days=day), at(0, days=day + 1)
    return len(availability.free_slots(offerings, start=start, end=end, now=NOW))


def close(offering: ServiceOffering, day: int) -> int:
    """Closes the day, and asks at once."""
    assert shown(offering.pk, day) == 16
    set_overrides(
        schedule=offering.schedule,
        dates=[at(0, days=day).date()],
        kind=DateOverride.Kind.CLOSED,
        by=desk(),
    )
    return shown(offering.pk, day)


def withdraw(offering: ServiceOffering, day: int) -> int:
    assert shown(offering.pk, day) == 16
    offering.booked_online_by = "staff"
    set_offering(offering=offering, by=desk())
    gone = shown(offering.pk, day)
    offering.booked_online_by = ""
    set_offering(offering=offering, by=desk())
    return gone if shown(offering.pk, day) == 16 else -1


def test_after_its_commit_a_change_is_seen_whoever_else_changes_and_looks():
    Organization.current()
    Organization.objects.update(horizon_days=rounds() + 2)
    closing = [open_offering(start=dt.time(9), end=dt.time(17)) for _n in range(3)]
    leaving = [open_offering(start=dt.time(9), end=dt.time(17)) for _n in range(2)]
    watched = open_offering(start=dt.time(9), end=dt.time(17))
    for day in range(1, 1 + rounds()):
        deeds = [functools.partial(close, offering, day) for offering in closing]
        deeds += [functools.partial(withdraw, offering, day) for offering in leaving]
        looks = [functools.partial(shown, watched.pk, day) for _n in range(3)]
        assert together([*deeds, *looks]) == [0] * len(deeds) + [16] * len(looks)
