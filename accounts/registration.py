"""Records made at the desk, for somebody without an account, and corrected there."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from django.db import transaction

from accounts import rules
from accounts.coverage import Said, set_coverage
from accounts.duplicates import Likely, likely
from accounts.exceptions import AccountRefusal, NotAllowed
from accounts.models import Patient
from accounts.roles import Actor
from accounts.services import Details, create_record, is_same_person, update_patient
from clinic import audit
from clinic.models import Insurer, Organization


class KnownAlready(AccountRefusal):
    """Not an error: whoever registers or corrects looks at these first."""

    code = "known_already"

    def __init__(self, known: Sequence[Likely]) -> None:
        self.known = known
        super().__init__()


@transaction.atomic
def register_patient(
    *,
    details: Details,
    said: Said,
    by: Actor,
    seen: Collection[uuid.UUID] = (),
    request_key: uuid.UUID | None = None,
) -> Patient:
    """Record and coverage, both or neither; one desk after the other.

    The same ``request_key`` again, for the same person, returns the record it made the first
    time. Refuses: NotAllowed, KnownAlready if others than ``seen`` may be the same person.
    """
    if not rules.may_register(by):
        raise NotAllowed
    _wait_for_ones_turn(said)
    if request_key and (made := Patient.objects.filter(request_key=request_key).first()):
        if is_same_person(made, details):
            return made
        # Back to the form, and somebody else typed into it.
        request_key = None
    known = likely(details)
    if any(one.patient.public_id not in seen for one in known):
        raise KnownAlready(known)
    patient = create_record(details, request_key)
    audit.record(actor=str(by), action="patient.register", target=patient)
    set_coverage(patient=patient, said=said, by=by)
    return patient


@transaction.atomic
def correct_patient(
    *,
    patient: Patient,
    details: Details,
    said: Said,
    by: Actor,
    seen: Collection[uuid.UUID] = (),
) -> list[str]:
    """What changed. What the record has in common with others already is not asked about again.

    Refuses: NotAllowed, KnownAlready if others than ``seen`` may now be the same person.
    """
    if not rules.may_register(by):
        raise NotAllowed
    before = likely(_details_of(patient), besides=patient)
    known = [one for one in likely(details, besides=patient) if one not in before]
    if any(one.patient.public_id not in seen for one in known):
        raise KnownAlready(known)
    return update_patient(patient=patient, details=details, said=said, by=by)


def _details_of(patient: Patient) -> Details:
    return Details(
        first_name=patient.first_name,
        last_name=patient.last_name,
        birth_date=patient.birth_date,
        document_number=patient.document_number,
        phone=str(patient.phone or ""),
    )


def _wait_for_ones_turn(said: Said) -> None:
    """Two desks with one caller have to see each other: there is no row of theirs yet to lock.

    The insurer first: whoever edits one holds it and then the clinic's row.
    """
    if said.insurer:
        Insurer.objects.select_for_update().get(pk=said.insurer.pk)
    Organization.objects.select_for_update().get(pk=Organization.current().pk)
