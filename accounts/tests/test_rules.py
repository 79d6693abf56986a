"""Who may do what: the tables."""

import pytest
from django.utils import timezone

from accounts import rules
from accounts.models import PatientAccess, Relation, User
from accounts.roles import Actor, Role

pytestmark = pytest.mark.once

ANA, LUIS = User(pk=1, email="ana@example.org"), User(pk=2, email="luis@example.org")


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.PATIENT, False),
        (Role.PRACTITIONER, False),
        (Role.RECEPTION, False),
        (Role.ADMINISTRATOR, True),
        (Role.SYSTEM, True),
    ],
)
def test_who_may_invite(role, may):
    assert rules.may_invite(Actor(ANA, role)) is may


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.PATIENT, False),
        (Role.PRACTITIONER, False),
        (Role.RECEPTION, True),
        (Role.ADMINISTRATOR, True),
        (Role.SYSTEM, False),
    ],
)
def test_who_may_register_patients(role, may):
    assert rules.may_register(Actor(ANA, role)) is may


@pytest.mark.parametrize(
    ("is_active", "last_login", "awaits"),
    [
        (True, None, True),
        (True, timezone.now(), False),
        (False, None, False),
        (False, timezone.now(), False),
    ],
)
def test_who_awaits_an_invitation(is_active, last_login, awaits):
    user = User(is_active=is_active, last_login=last_login)
    assert rules.awaits_invitation(user) is awaits


@pytest.mark.parametrize(
    ("access", "end"),
    [("own record", False), ("child", True), ("ended", False), ("somebody else's", True)],
)
def test_the_person_themself_ends_what_others_see(access, end):
    assert rules.may_end(Actor.patient(ANA), ACCESSES[access], is_own_record=True) is end


ACCESSES = {
    "own record": PatientAccess(user=ANA, relation=Relation.SELF),
    "child": PatientAccess(user=ANA, relation=Relation.CHILD),
    "ended": PatientAccess(user=ANA, relation=Relation.CHILD, ended_at=timezone.now()),
    "somebody else's": PatientAccess(user=LUIS, relation=Relation.CHILD),
    "none": None,
}


@pytest.mark.parametrize(
    ("by", "access", "act", "end"),
    [
        (Actor.patient(ANA), "own record", True, False),
        (Actor.patient(ANA), "child", True, True),
        (Actor.patient(ANA), "ended", False, False),
        (Actor.patient(ANA), "somebody else's", False, False),
        (Actor.patient(ANA), "none", False, None),
        (Actor.practitioner(LUIS), "child", False, False),
        (Actor.reception(LUIS), "child", True, True),
        (Actor.reception(LUIS), "none", True, None),
        (Actor.administrator(LUIS), "child", True, True),
        (Actor.administrator(LUIS), "ended", True, False),
        (Actor.system(), "child", False, False),
    ],
)
def test_who_acts_for_a_patient_and_who_ends_it(by, access, act, end):
    row = ACCESSES[access]
    assert rules.may_act_for(by, row) is act
    if row is not None:
        assert rules.may_end(by, row) is end
