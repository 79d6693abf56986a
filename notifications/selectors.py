"""Who has to be told."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.utils.crypto import salted_hmac

from accounts.models import Patient, PatientAccess, Practitioner, User

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recipient:
    #: Names the recipient without saying who it is.
    token: str
    to: str
    language: str
    user: User | None

    @classmethod
    def account(cls, user: User) -> Recipient:
        return cls(f"u{user.pk}", user.email, user.language, user)

    @property
    def in_key(self) -> str:
        """For the key of a row: a corrected address of a record is another recipient."""
        if self.user:
            return self.token
        mark = salted_hmac("notifications.outbox", self.to.casefold()).hexdigest()
        return f"{self.token}.{mark[:12]}"


def batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """All of them, so many at a time."""
    rest = iter(rows)
    while some := list(itertools.islice(rest, size)):
        yield some


def recipients_for(patient: Patient) -> list[Recipient]:
    """The accounts that act for the patient; without any, the address of the record."""
    return recipients_of([patient])[patient.pk]


def recipients_of(patients: Iterable[Patient]) -> dict[int, list[Recipient]]:
    """The same for many at once, by the id of the patient."""
    found: dict[int, list[Recipient]] = {}
    records = {patient.pk: patient for patient in patients}
    for some in batches(records, 500):
        live = PatientAccess.objects.live().filter(patient__in=some, user__is_active=True)
        for access in live.select_related("user").order_by("user_id"):
            found.setdefault(access.patient_id, []).append(Recipient.account(access.user))
    return {pk: found.get(pk) or _by_record(patient) for pk, patient in records.items()}


def _by_record(patient: Patient) -> list[Recipient]:
    if not patient.email:
        return []
    return [Recipient(f"p{patient.pk}", patient.email, settings.LANGUAGE_CODE, None)]


def may_still_read(user: User, patient: Patient) -> bool:
    """Whether this account still acts for the patient."""
    if not user.is_active:
        return False
    return PatientAccess.objects.live().filter(user=user, patient=patient).exists()


def is_address_of_record(to: str, patient: Patient) -> bool:
    """Whether this address, of no account, is still the one to write to."""
    today = recipients_for(patient)
    return any(who.user is None and who.to.casefold() == to.casefold() for who in today)


def recipient_at_work(practitioner: Practitioner) -> Recipient | None:
    user = practitioner.user
    if user is None or not user.is_active or not practitioner.is_active:
        return None
    return Recipient.account(user)
