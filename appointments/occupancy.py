"""Which cells an appointment or a hold takes, and keeping the table true to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import models
from django.db.models import Q

from accounts.models import User
from appointments import offers
from appointments.models import Appointment, Hold, OccupancyCell, Resource, cells_of
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


def wanted_by_hold(hold: Hold) -> set[CellKey]:
    """The practitioner's only: for whom and in which room it will be is not known yet."""
    return {(int(Resource.PRACTITIONER), hold.practitioner_id, c) for c in cells_of(hold.occupied)}


def sync(
    appointment: Appointment,
    *,
    now: dt.datetime,
    taker: User | None,
    before_any_hold: bool = False,
    fresh: bool = False,
) -> None:
    """Give back what is no longer needed, then take what is missing.

    In sorted order, in the caller's transaction. Raises IntegrityError when
    somebody else holds a cell. ``taker`` and ``before_any_hold`` as in ``push_aside``.
    ``fresh``: nothing can be there yet.
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
        _own().filter(pk__in=extra).delete()
    missing = want - have.keys()
    push_aside(missing, now=now, taker=taker, before_any_hold=before_any_hold)
    claim(appointment, missing)


def push_aside(
    keys: Iterable[CellKey],
    *,
    now: dt.datetime,
    taker: User | None,
    before_any_hold: bool = False,
) -> None:
    """Remove the holds in these cells that are over, and those of the taker's own account.

    What was offered with such a hold is over too. ``before_any_hold``: all of them. Under the
    practitioner's lock.
    """
    theirs = {(pk, cell) for resource, pk, cell in keys if resource == Resource.PRACTITIONER}
    if not theirs:
        return
    cells = [cell for _pk, cell in theirs]
    rows = OccupancyCell.objects.filter(
        resource=Resource.PRACTITIONER,
        resource_id__in={pk for pk, _cell in theirs},
        cell__range=(min(cells), max(cells)),
        hold__isnull=False,
    ).values_list("resource_id", "cell", "hold_id")
    # Kept for nobody's account is nobody's own.
    own = Q(user=taker, user__isnull=False)
    if in_the_way := sorted({hold for pk, cell, hold in rows if (pk, cell) in theirs}):
        weaker = Q() if before_any_hold else Q(expires_at__lte=now) | own
        gone = list(Hold.objects.filter(weaker, pk__in=in_the_way).values_list("pk", flat=True))
        offers.lose(gone, now=now)
        Hold.objects.filter(pk__in=gone).delete()


def claim(taker: Appointment | Hold, keys: Iterable[CellKey]) -> None:
    claim_many((key, taker) for key in keys)


def claim_many(claims: Iterable[tuple[CellKey, Appointment | Hold]]) -> None:
    """In sorted order: whoever takes the same cells waits instead of ending in a deadlock."""
    _own().bulk_create(
        (
            OccupancyCell(
                resource=resource,
                resource_id=pk,
                cell=cell,
                **{"hold" if isinstance(taker, Hold) else "appointment": taker},
            )
            for (resource, pk, cell), taker in sorted(claims, key=lambda claim: claim[0])
        ),
        batch_size=1000,
    )


def _own() -> models.QuerySet[OccupancyCell]:
    """``OccupancyCell.objects`` is closed; here, and nowhere else, it is written all the same."""
    return models.QuerySet(OccupancyCell)
