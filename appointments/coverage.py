"""What a patient's coverage means for a search and for a booking. It never refuses anything."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import Patient, Practitioner
from clinic.models import Insurer


def shared_insurer(patients: Iterable[Patient]) -> Insurer | None:
    """The one all of them have; None when they differ, or somebody has not said."""
    found = {p.known_coverage.insurer if p.known_coverage else None for p in patients}
    return found.pop() if len(found) == 1 else None


def would_pay(practitioner: Practitioner, patients: Iterable[Patient]) -> list[Patient]:
    """Whose visit would be private with this practitioner although they have an insurer."""
    insured = [p for p in patients if p.known_coverage and p.known_coverage.insurer]
    if not insured:
        return []
    accepted = set(practitioner.insurers.active().values_list("pk", flat=True))
    return [p for p in insured if p.coverage.insurer_id not in accepted]
