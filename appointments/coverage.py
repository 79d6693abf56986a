"""What a patient's coverage means for a search and for a booking. It never refuses anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from accounts.models import Patient, Practitioner
from clinic.models import Insurer


def shared_insurer(patients: Iterable[Patient]) -> Insurer | None:
    """The one all of them have; None when they differ, or somebody has not said."""
    found = {p.known_coverage.insurer if p.known_coverage else None for p in patients}
    return found.pop() if len(found) == 1 else None


def would_pay(
    practitioner: Practitioner, patients: Collection[Patient]
) -> dict[Insurer, list[Patient]]:
    """Whose visit would be private with this practitioner although they have an insurer.

    By insurer. No names where it is so for all of them.
    """
    insured: dict[Insurer, list[Patient]] = defaultdict(list)
    for patient in patients:
        if patient.known_coverage and patient.known_coverage.insurer:
            insured[patient.known_coverage.insurer].append(patient)
    if not insured:
        return {}
    accepted = set(practitioner.insurers.active())
    return {
        insurer: theirs if len(theirs) < len(patients) else []
        for insurer, theirs in insured.items()
        if insurer not in accepted
    }
