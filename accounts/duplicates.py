"""Whether somebody who is about to be registered, or corrected, is known already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Patient
from accounts.services import Details
from clinic.text import normalise

#: More would not be read; the best reasons stand first.
MOST = 10


@dataclass(frozen=True, slots=True)
class Likely:
    """A record that may be the same person, and what speaks for it."""

    patient: Patient
    why: str | Promise


_WHY: list[tuple[str, Any]] = [
    ("document", _("the same document number")),
    ("name", _("the same name and birth date")),
    ("phone", _("the same phone")),
]


def likely(details: Details, *, besides: Patient | None = None) -> list[Likely]:
    """Other records with the same document, name and birth date, or phone; one query."""
    document = plain_document(details.document_number)
    alike = Q(birth_date=details.birth_date) if details.birth_date else Q()
    if document:
        alike |= Q(search_text__contains=document)
    if details.phone:
        alike |= Q(phone=details.phone)
    if not alike:
        return []
    found = []
    for patient in Patient.objects.active().with_coverage().filter(alike).order_by("pk"):
        same = {
            "document": document and plain_document(patient.document_number) == document,
            "name": _is_named(patient, details) and patient.birth_date == details.birth_date,
            "phone": details.phone and str(patient.phone or "") == str(details.phone),
        }
        if any(same.values()) and patient != besides:
            rank = next(n for n, (key, _why) in enumerate(_WHY) if same[key])
            found.append((rank, patient.pk, Likely(patient, _WHY[rank][1])))
    return [one for _rank, _pk, one in sorted(found, key=lambda row: row[:2])][:MOST]


def plain_document(number: str) -> str:
    """``30.123.456`` and ``30123456`` are one number."""
    return normalise("".join(c for c in number if c.isalnum()))


def _is_named(patient: Patient, details: Details) -> bool:
    return normalise(patient.full_name) == normalise(f"{details.first_name} {details.last_name}")
