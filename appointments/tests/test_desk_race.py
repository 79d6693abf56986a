"""Several desks at once, and one person who is to be registered."""

from __future__ import annotations

import functools
import uuid
from typing import Any

import pytest

from accounts.coverage import Said
from accounts.models import Coverage, Patient
from accounts.registration import KnownAlready
from accounts.tests.test_registration import register
from appointments.tests.race import together
from clinic.models import Organization
from clinic.tests.factories import InsurerFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


def meet(*keys: int) -> list[Any]:
    Organization.current()
    said = Said(True, InsurerFactory.create(), "210")
    wish = functools.partial(register, said=said)
    return together([functools.partial(wish, request_key=uuid.UUID(int=key)) for key in keys])


def test_a_double_click_is_one_record():
    results = meet(*[7] * 8)
    assert set(results) == {Patient.objects.get()}
    assert Coverage.objects.get().plan == "210"


def test_two_desks_with_one_caller_make_one_record():
    results = meet(*range(8))
    elsa = Patient.objects.get()
    assert results.count(elsa) == 1
    assert {type(one) for one in results if one != elsa} == {KnownAlready}
