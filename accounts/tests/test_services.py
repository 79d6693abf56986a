"""The verbs about patients and accounts."""

import datetime as dt

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError
from django.utils import timezone

from accounts import services
from accounts.exceptions import NotAllowed, TooManyPeople
from accounts.models import Patient, PatientAccess, Relation, User
from accounts.roles import Actor, Role
from accounts.services import Details
from accounts.tests.factories import (
    PatientAccessFactory,
    PractitionerFactory,
    UserFactory,
    patient_user,
)
from clinic.models import AuditEvent

pytestmark = pytest.mark.django_db

BORN = dt.date(2019, 4, 2)
TOMAS = Details("Tomás", "Gómez", BORN)


def last_line() -> tuple[str, str, str, dict[str, object]]:
    line = AuditEvent.objects.latest("pk")
    return line.actor, line.action, line.target, line.details


def sign_up(email: str = "Ana@Example.org") -> User:
    details = Details("Ana", "Gómez", dt.date(1990, 5, 17), phone="+541143215678")
    return services.sign_up(
        email=email, password="tres palabras largas", language="en", details=details
    )


def test_sign_up_makes_an_account_and_its_record():
    user = sign_up()
    access = PatientAccess.objects.get()
    assert (user.email, user.name, user.language) == ("ana@example.org", "Ana Gómez", "en")
    assert (access.user, access.relation) == (user, Relation.SELF)
    assert (access.patient.full_name, access.patient.phone) == ("Ana Gómez", "+541143215678")
    assert user.roles == {Role.PATIENT}
    assert not user.is_staff
    assert not user.is_superuser
    assert user.check_password("tres palabras largas")
    assert last_line() == (user.email, "account.sign_up", f"accounts.user:{user.pk}", {})


def test_a_second_sign_up_with_the_address_leaves_nothing_behind():
    sign_up()
    with pytest.raises(IntegrityError):
        sign_up()
    assert User.objects.count() == Patient.objects.count() == 1


def test_a_doctor_becomes_a_patient_once():
    user = PractitionerFactory.create().user
    details = Details("Lucía", "Ferreyra", BORN, phone="+541143215678")
    patient = services.create_own_record(user=user, details=details, by=Actor.patient(user))
    again = services.create_own_record(user=user, details=details, by=Actor.patient(user))
    assert again == patient == services.own_record(user)
    assert User.objects.get().roles == {Role.PATIENT, Role.PRACTITIONER}
    assert AuditEvent.objects.count() == 1


def test_an_account_without_a_record_has_none():
    child_only = PatientAccessFactory.create(relation=Relation.CHILD).user
    assert services.own_record(child_only) is None


def test_add_dependant():
    user = patient_user()
    access = services.add_dependant(
        user=user, relation=Relation.CHILD, details=TOMAS, by=Actor.patient(user)
    )
    assert (access.user, access.relation, access.patient.birth_date) == (user, "child", BORN)
    assert last_line() == (
        user.email,
        "access.add",
        f"accounts.patientaccess:{access.pk}",
        {"patient": access.patient_id, "relation": "child"},
    )


def test_the_same_child_twice_is_one_child():
    user = patient_user()
    by = Actor.patient(user)
    first = services.add_dependant(user=user, relation=Relation.CHILD, details=TOMAS, by=by)
    shouted = Details(" TOMAS", "gomez", BORN)
    assert (
        services.add_dependant(user=user, relation=Relation.CHILD, details=shouted, by=by) == first
    )
    assert Patient.objects.count() == 2


def test_a_twin_is_another_child():
    user = patient_user()
    by = Actor.patient(user)
    services.add_dependant(user=user, relation=Relation.CHILD, details=TOMAS, by=by)
    services.add_dependant(
        user=user, relation=Relation.CHILD, details=Details("Juana", "Gómez", BORN), by=by
    )
    assert user.patient_accesses.count() == 3


def test_knowing_name_and_birth_date_of_a_child_gives_no_access_to_it():
    other = PatientAccessFactory.create(
        relation=Relation.CHILD,
        patient__first_name="Tomás",
        patient__last_name="Gómez",
        patient__birth_date=BORN,
    )
    user = patient_user()
    access = services.add_dependant(
        user=user, relation=Relation.CHILD, details=TOMAS, by=Actor.patient(user)
    )
    assert access.patient != other.patient


def test_a_care_that_ended_does_not_come_back_by_adding_the_name():
    ended = PatientAccessFactory.create(
        relation=Relation.CHILD,
        patient__first_name="Tomás",
        patient__last_name="Gómez",
        patient__birth_date=BORN,
        ended_at=timezone.now(),
    )
    access = services.add_dependant(
        user=ended.user, relation=Relation.CHILD, details=TOMAS, by=Actor.patient(ended.user)
    )
    assert access.patient != ended.patient


def test_nobody_adds_a_second_self():
    user = patient_user()
    with pytest.raises(NotAllowed):
        services.add_dependant(
            user=user, relation=Relation.SELF, details=TOMAS, by=Actor.patient(user)
        )


def test_there_is_an_end_to_a_family():
    user = UserFactory.create()
    PatientAccessFactory.create_batch(services.MOST_PEOPLE, user=user, relation=Relation.OTHER)
    with pytest.raises(TooManyPeople):
        services.add_dependant(
            user=user, relation=Relation.CHILD, details=TOMAS, by=Actor.patient(user)
        )


def test_update_writes_what_changed_and_logs_its_names():
    user = patient_user(first_name="Ana", last_name="Gómez", document_number="1")
    patient = services.own_record(user)
    details = Details("Anita", "Gómez", patient.birth_date, "2", phone="+541143215678")
    changed = services.update_patient(patient=patient, details=details, by=Actor.patient(user))
    patient.refresh_from_db()
    user.refresh_from_db()
    assert changed == ["first_name", "document_number", "phone"]
    assert (patient.first_name, patient.document_number) == ("Anita", "2")
    assert user.name == "Anita Gómez"
    assert patient.search_text.startswith("gomez anita")
    assert last_line()[1:] == (
        "patient.update",
        f"accounts.patient:{patient.pk}",
        {"fields": ["first_name", "document_number", "phone"]},
    )


def test_an_update_without_a_change_leaves_no_line():
    user = patient_user(phone="+541143215678")
    patient = services.own_record(user)
    details = Details(patient.first_name, patient.last_name, patient.birth_date, "", patient.phone)
    assert services.update_patient(patient=patient, details=details, by=Actor.patient(user)) == []
    assert AuditEvent.objects.count() == 0


def test_a_phone_that_was_not_asked_for_stays():
    user = patient_user(phone="+541143215678")
    patient = services.own_record(user)
    services.update_patient(
        patient=patient, details=Details("A", "B", None), by=Actor.patient(user)
    )
    patient.refresh_from_db()
    assert patient.phone == "+541143215678"


def test_a_child_with_a_new_name_does_not_rename_the_parent():
    access = PatientAccessFactory.create(relation=Relation.CHILD, user__name="Ana Gómez")
    services.update_patient(patient=access.patient, details=TOMAS, by=Actor.patient(access.user))
    assert User.objects.get().name == "Ana Gómez"


def test_a_stranger_updates_nothing():
    patient = services.own_record(patient_user())
    stranger = patient_user()
    with pytest.raises(NotAllowed):
        services.update_patient(patient=patient, details=TOMAS, by=Actor.patient(stranger))
    assert Patient.objects.get(pk=patient.pk).first_name == "Ana"


def test_update_dependant_changes_the_relation_too():
    access = PatientAccessFactory.create(relation=Relation.OTHER)
    services.update_dependant(
        access=access, relation=Relation.PARENT, details=TOMAS, by=Actor.patient(access.user)
    )
    access.refresh_from_db()
    assert (access.relation, access.patient.first_name) == (Relation.PARENT, "Tomás")


def test_nobody_in_care_becomes_oneself():
    access = PatientAccessFactory.create(relation=Relation.OTHER)
    with pytest.raises(NotAllowed):
        services.update_dependant(
            access=access, relation=Relation.SELF, details=TOMAS, by=Actor.patient(access.user)
        )


def test_ending_keeps_the_record():
    access = PatientAccessFactory.create(relation=Relation.CHILD)
    services.end_access(access=access, by=Actor.patient(access.user))
    assert access.user.patient_accesses.live().count() == 0
    assert Patient.objects.filter(pk=access.patient_id, is_active=True).exists()
    assert last_line()[1] == "access.end"


def test_nobody_ends_being_themself():
    user = patient_user()
    with pytest.raises(NotAllowed):
        services.end_access(access=user.patient_accesses.get(), by=Actor.patient(user))
    assert user.patient_accesses.live().count() == 1


def test_update_account_writes_only_changes():
    user = UserFactory.create(name="Ana", language="es")
    by = Actor.patient(user)
    services.update_account(user=user, name="Ana", language="es", by=by)
    assert AuditEvent.objects.count() == 0
    services.update_account(user=user, language="en", by=by)
    assert User.objects.get().language == "en"
    assert last_line()[3] == {"fields": ["language"]}


def test_a_verified_address_is_the_one_and_the_primary():
    user = UserFactory.create(email="new@example.org")
    EmailAddress.objects.create(user=user, email="old@example.org", primary=True, verified=True)
    services.mark_email_verified(user=user)
    services.mark_email_verified(user=user)
    assert set(EmailAddress.objects.values_list("email", "primary", "verified")) == {
        ("old@example.org", False, True),
        ("new@example.org", True, True),
    }
