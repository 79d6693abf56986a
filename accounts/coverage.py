"""Who pays a patient's visits: said by whoever looks after the record, read by who works here."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from accounts import rules
from accounts.exceptions import NotAllowed
from accounts.models import Coverage, Patient
from accounts.roles import Actor
from clinic import audit
from clinic.models import Insurer


@dataclass(frozen=True, slots=True)
class Said:
    """``is_known`` False: nothing. Known without an insurer: the patient pays."""

    is_known: bool = False
    insurer: Insurer | None = None
    plan: str = ""
    member_number: str = ""


@transaction.atomic
def set_coverage(*, patient: Patient, said: Said, by: Actor) -> bool:
    """Write it down, or forget it; whether anything changed. The log names no insurer, no number.

    Refuses: NotAllowed.
    """
    access = patient.accesses.filter(user=by.user).first() if by.user else None
    if not rules.may_act_for(by, access):
        raise NotAllowed
    Patient.objects.select_for_update().get(pk=patient.pk)
    now = Coverage.objects.select_related("insurer").filter(patient=patient).first()
    if said == _said(now):
        return False
    if not said.is_known:
        Coverage.objects.filter(patient=patient).delete()
    else:
        values = {
            "insurer": said.insurer,
            "plan": said.plan,
            "member_number": said.member_number,
        }
        Coverage.objects.update_or_create(patient=patient, defaults=values)
    audit.record(actor=str(by), action="patient.coverage", target=patient)
    return True


def _said(row: Coverage | None) -> Said:
    return Said(True, row.insurer, row.plan, row.member_number) if row else Said()
