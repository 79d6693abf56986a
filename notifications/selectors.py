"""Who has to be told."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from accounts.models import Patient, PatientAccess, Practitioner, User


@dataclass(frozen=True, slots=True)
class Recipient:
    #: Names the recipient in the key of a row without saying who it is.
    token: str
    to: str
    language: str
    user: User | None

    @classmethod
    def account(cls, user: User) -> Recipient:
        return cls(f"u{user.pk}", user.email, user.language, user)


def recipients_for(patient: Patient) -> list[Recipient]:
    """The accounts that act for the patient; without any, the address of the record."""
    live = PatientAccess.objects.live().filter(patient=patient, user__is_active=True)
    users = [access.user for access in live.select_related("user").order_by("user_id")]
    if users:
        return [Recipient.account(user) for user in users]
    if patient.email:
        return [Recipient(f"p{patient.pk}", patient.email, settings.LANGUAGE_CODE, None)]
    return []


def may_still_read(user: User, patient: Patient) -> bool:
    """Whether this account still acts for the patient."""
    if not user.is_active:
        return False
    return PatientAccess.objects.live().filter(user=user, patient=patient).exists()


def recipient_at_work(practitioner: Practitioner) -> Recipient | None:
    user = practitioner.user
    if user is None or not user.is_active or not practitioner.is_active:
        return None
    return Recipient.account(user)
