"""One link, many accounts at once: the record becomes one account's own, and once."""

from __future__ import annotations

import datetime as dt
import functools

import pytest
from django.db import connection

from accounts import handover
from accounts.exceptions import OfferOver
from accounts.models import PatientAccess, Relation
from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory, UserFactory, patient_user
from appointments.tests.race import problems, together
from clinic.models import AuditEvent, Organization

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture(autouse=True)
def _organization() -> None:
    Organization.current()


def new_offer(email="tomas@example.org"):
    care = PatientAccessFactory.create(
        user=patient_user(), relation=Relation.CHILD, patient__birth_date=dt.date(1990, 1, 1)
    )
    by = Actor.patient(care.user)
    return handover.offer_record(patient=care.patient, email=email, by=by)


def test_many_accounts_with_one_link():
    for _round in range(10 if connection.vendor == "mysql" else 2):
        offer = new_offer()
        users = UserFactory.create_batch(20)
        results = together(
            [functools.partial(handover.accept_offer, offer=offer, user=user) for user in users]
        )
        made = [r for r in results if isinstance(r, PatientAccess)]
        assert [type(r) for r in results if r not in made] == [OfferOver] * 19
        owner = PatientAccess.objects.get(patient=offer.patient, relation=Relation.SELF)
        assert made == [owner]
        target = f"accounts.patient:{offer.patient_id}"
        lines = AuditEvent.objects.filter(action="record.take_over", target=target)
        assert lines.count() == 1
    assert problems() == []


def test_one_account_with_two_links_gets_one_record():
    for _round in range(10 if connection.vendor == "mysql" else 2):
        offers, user = [new_offer(), new_offer()], UserFactory.create()
        results = together(
            [functools.partial(handover.accept_offer, offer=one, user=user) for one in offers]
        )
        assert sum(isinstance(r, PatientAccess) for r in results) == 1
        assert user.patient_accesses.live().filter(relation=Relation.SELF).count() == 1
    assert problems() == []


def test_taking_it_back_against_taking_it():
    """One of both: a link that was taken back has given the record to nobody."""
    for _round in range(10 if connection.vendor == "mysql" else 2):
        offer, user = new_offer(), UserFactory.create()
        by = Actor.patient(offer.patient.accesses.get().user)
        take = functools.partial(handover.accept_offer, offer=offer, user=user)
        back = functools.partial(handover.withdraw_offer, patient=offer.patient, by=by)
        taken, _none = together([take, back])
        offer.refresh_from_db()
        owned = PatientAccess.objects.filter(patient=offer.patient, user=user).exists()
        assert offer.closed_at is not None
        assert owned is isinstance(taken, PatientAccess)
        assert offer.accepted_by == (user if owned else None)
    assert problems() == []
