"""People for tests. Each has the facts that make the role true."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts import services
from accounts.models import Patient, PatientAccess, Practitioner, Receptionist, Relation, User

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    name = factory.Sequence(lambda n: f"Person {n}")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **{"password": PASSWORD, **kwargs})


class PatientFactory(DjangoModelFactory[Patient]):
    class Meta:
        model = Patient

    first_name = "Ana"
    last_name = factory.Sequence(lambda n: f"Gómez {n}")
    birth_date = dt.date(1990, 5, 17)


class PatientAccessFactory(DjangoModelFactory[PatientAccess]):
    class Meta:
        model = PatientAccess

    user = factory.SubFactory(UserFactory)
    patient = factory.SubFactory(PatientFactory)
    relation = Relation.SELF


class PractitionerFactory(DjangoModelFactory[Practitioner]):
    class Meta:
        model = Practitioner
        skip_postgeneration_save = True

    user = factory.SubFactory(UserFactory)
    title = "Dra."
    first_name = "Lucía"
    last_name = factory.Sequence(lambda n: f"Ferreyra {n}")
    slug = factory.Sequence(lambda n: f"lucia-ferreyra-{n}")
    licence_number = factory.Sequence(lambda n: f"MN {n}")

    @factory.post_generation
    def specialties(self, create: bool, extracted: list[object] | None, **kwargs: object) -> None:
        if create and extracted:
            self.specialties.set(extracted)  # type: ignore[attr-defined]


class ReceptionistFactory(DjangoModelFactory[Receptionist]):
    class Meta:
        model = Receptionist
        skip_postgeneration_save = True

    user = factory.SubFactory(UserFactory)

    @factory.post_generation
    def locations(self, create: bool, extracted: list[object] | None, **kwargs: object) -> None:
        if create and extracted:
            self.locations.set(extracted)  # type: ignore[attr-defined]


def patient_user(**patient: object) -> User:
    """An account with its own patient record."""
    access = PatientAccessFactory.create(**{f"patient__{k}": v for k, v in patient.items()})
    return access.user


def administrator() -> User:
    return User.objects.create_superuser("admin@example.org", PASSWORD, name="Admin")


def verified(user: User, language: str = "") -> User:
    """An account that has shown its e-mail is its own: it logs in without a code.

    After the login the pages speak its language.
    """
    services.mark_email_verified(user=user)
    if language:
        user.language = language
        user.save(update_fields=["language"])
    return user
