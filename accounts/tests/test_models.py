"""The facts about people, and what the database holds on to."""

import datetime as dt

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import Patient, PatientAccess, Relation, User
from accounts.roles import Role
from accounts.tests.factories import (
    PatientAccessFactory,
    PatientFactory,
    PractitionerFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("typed", ["ANA@Example.ORG", "  ana@example.org ", "Ana@example.org"])
def test_an_address_is_one_whatever_its_case(typed):
    user = User.objects.create_user(typed, "secret secret")
    assert user.email == "ana@example.org"
    assert User.objects.get_by_natural_key(typed) == user


def test_saving_lower_cases_too():
    user = UserFactory.create()
    user.email = "OTHER@Example.org"
    user.save()
    assert User.objects.get(pk=user.pk).email == "other@example.org"


def test_the_same_address_twice_is_refused():
    UserFactory.create(email="ana@example.org")
    with pytest.raises(IntegrityError):
        UserFactory.create(email="ANA@example.org")


@pytest.mark.parametrize(
    ("one", "other"),
    [("josé@example.org", "jose@example.org"), ("ana😀@example.org", "ana😷@example.org")],
)
def test_addresses_that_differ_by_one_sign_are_two_people(one, other):
    """A collation that takes é for e would let one person into the account of the other."""
    first, second = UserFactory.create(email=one), UserFactory.create(email=other)
    assert User.objects.get(email=one) == first
    assert User.objects.get(email=other) == second


def nobody() -> User:
    return UserFactory.create()


def practitioner() -> User:
    return PractitionerFactory.create().user  # type: ignore[return-value]


def former_practitioner() -> User:
    return PractitionerFactory.create(is_active=False).user  # type: ignore[return-value]


def receptionist() -> User:
    return ReceptionistFactory.create().user


def former_receptionist() -> User:
    return ReceptionistFactory.create(is_active=False).user


def parent_only() -> User:
    return PatientAccessFactory.create(relation=Relation.CHILD).user


def former_parent() -> User:
    return PatientAccessFactory.create(ended_at=timezone.now()).user


def patient_whose_record_is_closed() -> User:
    return patient_user(is_active=False)


def doctor_who_is_a_patient() -> User:
    user = patient_user()
    PractitionerFactory.create(user=user)
    return user


def closed_account() -> User:
    user = doctor_who_is_a_patient()
    user.is_active = False
    user.save()
    return user


@pytest.mark.parametrize(
    ("make", "roles"),
    [
        (nobody, set()),
        (patient_user, {Role.PATIENT}),
        (parent_only, {Role.PATIENT}),
        (former_parent, set()),
        (patient_whose_record_is_closed, set()),
        (practitioner, {Role.PRACTITIONER}),
        (former_practitioner, set()),
        (receptionist, {Role.RECEPTION}),
        (former_receptionist, set()),
        (administrator, {Role.ADMINISTRATOR}),
        (doctor_who_is_a_patient, {Role.PATIENT, Role.PRACTITIONER}),
        (closed_account, set()),
    ],
)
def test_roles_follow_from_the_facts(make, roles):
    assert User.objects.get(pk=make().pk).roles == roles


@pytest.mark.parametrize("query", ["perez", "PÉREZ", "jose perez", "  José   Pérez ", "30.111"])
def test_search_is_blind_to_accents_and_case(query):
    found = PatientFactory.create(
        first_name="José", last_name="Pérez", document_number="30.111.222"
    )
    PatientFactory.create(first_name="Ana", last_name="Gómez")
    expected = [found] if query != "30.111" else []
    assert list(Patient.objects.search(query)) == expected


def test_search_finds_by_document_and_phone_digits():
    found = PatientFactory.create(document_number="30.111.222", phone="+541143215678")
    PatientFactory.create()
    assert list(Patient.objects.search("30111222")) == [found]
    assert list(Patient.objects.search("43215678")) == [found]


def test_the_patients_of_an_account():
    access = PatientAccessFactory.create()
    PatientAccessFactory.create(user=access.user, ended_at=timezone.now())
    PatientAccessFactory.create(user=access.user, patient__is_active=False)
    PatientAccessFactory.create()
    assert list(Patient.objects.of(access.user)) == [access.patient]


def test_one_access_per_account_and_patient():
    access = PatientAccessFactory.create()
    with pytest.raises(IntegrityError):
        PatientAccess.objects.create(
            user=access.user, patient=access.patient, relation=Relation.OTHER
        )


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (dt.date(2000, 2, 29), dt.date(2026, 2, 28), 25),
        (dt.date(2000, 2, 29), dt.date(2026, 3, 1), 26),
        (dt.date(2026, 11, 23), dt.date(2026, 11, 23), 0),
        (dt.date(2026, 11, 24), dt.date(2026, 11, 23), None),
        (None, dt.date(2026, 11, 23), None),
    ],
)
def test_age(born, day, age):
    assert Patient(birth_date=born).age_on(day) == age


@pytest.mark.parametrize(
    ("name", "full", "short"),
    [("Ana Gómez", "Ana Gómez", "Ana"), ("", "ana@example.org", "ana@example.org")],
)
def test_what_a_user_is_called(name, full, short):
    user = User(email="ana@example.org", name=name)
    assert (user.get_full_name(), user.get_short_name()) == (full, short)
