"""One person at the desk is one record, however often and from wherever the form comes."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from accounts import registration
from accounts.coverage import Said
from accounts.exceptions import NotAllowed
from accounts.models import Patient
from accounts.registration import KnownAlready, register_patient
from accounts.roles import Actor, Role
from accounts.services import Details
from accounts.tests.factories import UserFactory
from clinic.models import AuditEvent
from clinic.tests.factories import InsurerFactory

pytestmark = pytest.mark.django_db

DESK = Actor(None, Role.RECEPTION)
ELSA = Details("Elsa", "Núñez", dt.date(1951, 4, 3), document_number="6543210")
JOSE = Details("José", "Núñez", dt.date(1949, 8, 1))
KEY = uuid.UUID(int=7)


def register(details: Details = ELSA, **kwargs: Any) -> Patient:
    return register_patient(details=details, **{"said": Said(), "by": DESK, **kwargs})


def test_the_same_form_twice_is_one_record():
    assert register(request_key=KEY) == register(request_key=KEY)
    assert Patient.objects.count() == 1
    assert AuditEvent.objects.filter(action="patient.register").count() == 1


def test_all_the_same_twice_is_one_record_more():
    first = register()
    again = {"seen": {first.public_id}, "request_key": KEY}
    assert register(**again) == register(**again)
    assert Patient.objects.count() == 2


def test_back_and_somebody_else_is_another_record():
    elsa = register(request_key=KEY)
    jose = register(JOSE, request_key=KEY)
    assert (elsa.full_name, jose.full_name) == ("Elsa Núñez", "José Núñez")


def test_another_tab_is_told_who_is_known():
    elsa = register(request_key=KEY)
    with pytest.raises(KnownAlready) as refused:
        register(request_key=uuid.UUID(int=8))
    assert [one.patient for one in refused.value.known] == [elsa]


def test_record_and_coverage_are_one(monkeypatch):
    def failing(**_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(registration, "set_coverage", failing)
    with pytest.raises(RuntimeError):
        register(said=Said(True, InsurerFactory.create()))
    assert Patient.objects.count() == 0


def test_who_may_not_makes_none():
    with pytest.raises(NotAllowed):
        register(by=Actor.patient(UserFactory.create()))
