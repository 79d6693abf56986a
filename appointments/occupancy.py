"""Which cells an appointment holds, and keeping the table true to it."""

from __future__ import annotations

from collections.abc import Iterable

from appointments.models import Appointment, OccupancyCell, Resource, cells_of
from scheduling.intervals import to_minute

CellKey = tuple[int, int, int]


def wanted(appointment: Appointment) -> set[CellKey]:
    """The cells this appointment has to hold, by (resource, id, cell).

    A deliberate overbooking takes none of the practitioner's: that is what it means.
    """
    if not appointment.is_occupying:
        return set()
    occupied = cells_of(appointment.occupied)
    visit = cells_of((to_minute(appointment.start), to_minute(appointment.end)))
    keys = {(int(Resource.PATIENT), appointment.patient_id, cell) for cell in visit}
    if not appointment.overbooked:
        keys |= {(int(Resource.PRACTITIONER), appointment.practitioner_id, c) for c in occupied}
    if appointment.room_id:
        keys |= {(int(Resource.ROOM), appointment.room_id, cell) for cell in occupied}
    return keys


def sync(appointment: Appointment, *, fresh: bool = False) -> None:
    """Give back what is no longer needed, then take what is missing.

    In sorted order, in the caller's transaction. Raises IntegrityError when
    somebody else holds a cell. ``fresh``: nothing can be there yet.
    """
    want = wanted(appointment)
    have: dict[CellKey, int] = {}
    if not fresh:
        have = {
            (resource, resource_id, cell): pk
            for pk, resource, resource_id, cell in OccupancyCell.objects.filter(
                appointment=appointment
            ).values_list("pk", "resource", "resource_id", "cell")
        }
    if extra := [pk for key, pk in have.items() if key not in want]:
        OccupancyCell.objects.filter(pk__in=extra).delete()
    claim(appointment, want - have.keys())


def claim(appointment: Appointment, keys: Iterable[CellKey]) -> None:
    OccupancyCell.objects.bulk_create(
        OccupancyCell(resource=resource, resource_id=pk, cell=cell, appointment=appointment)
        for resource, pk, cell in sorted(keys)
    )
