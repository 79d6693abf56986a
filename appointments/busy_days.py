"""Keeps ``BusyDay`` true to the appointments, in the transaction that changes them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from django.db import connection, models

from appointments.models import Appointment, BusyDay
from clinic.fields import CELL_MINUTES
from scheduling.intervals import Interval, to_instant, to_minute
from scheduling.slots import DAY_CELLS, Mask, Ruler

DAY_MINUTES = DAY_CELLS * CELL_MINUTES
_BYTES = DAY_CELLS // 8
#: Practitioner, location, UTC day since 1970.
Key = tuple[int, int, int]


def keys_of(appointment: Appointment) -> set[Key]:
    """The days that this appointment can occupy something of."""
    start, end = appointment.occupied
    days = range(start // DAY_MINUTES, -(-end // DAY_MINUTES))
    return {(appointment.practitioner_id, appointment.location_id, day) for day in days}


def refresh(keys: Iterable[Key]) -> None:
    """Write these days anew from the appointments. Under the practitioners' locks."""
    for practitioner, location, day in sorted(keys):
        live = expected([practitioner], day, day)
        cells = _pack(live.get((practitioner, location, day), 0))
        row = {"practitioner_id": practitioner, "location_id": location, "day": day}
        if not _own().filter(**row).update(cells=cells):
            _own().bulk_create([BusyDay(**row, cells=cells)])


def _own() -> models.QuerySet[BusyDay]:
    """``BusyDay.objects`` is closed; here, and nowhere else, it is written all the same."""
    return models.QuerySet(BusyDay)


def _ruler(day: int) -> Ruler:
    return Ruler(day * DAY_CELLS, DAY_CELLS)


def _pack(mask: Mask) -> bytes:
    return mask.to_bytes(_BYTES, "little")


def rebuild(practitioners: Iterable[int], first: int, last: int) -> int:
    """Write all days of these practitioners from first to last anew; how many are busy.

    Under the practitioners' locks, as ``refresh``.
    """
    wanted = sorted(set(practitioners))
    _own().filter(practitioner__in=wanted, day__range=(first, last)).delete()
    rows = [
        BusyDay(practitioner_id=practitioner, location_id=location, day=day, cells=_pack(mask))
        for (practitioner, location, day), mask in sorted(expected(wanted, first, last).items())
    ]
    _own().bulk_create(rows, batch_size=1000)
    return len(rows)


def expected(
    practitioners: Iterable[int], first: int, last: int, *, now: dt.datetime | None = None
) -> dict[Key, Mask]:
    """What the days should say, from the appointments; days without any are left out.

    ``now``: without the requests that are overdue by then.
    """
    live = Appointment.objects.standing(now) if now else Appointment.objects.occupying()
    rows = live.filter(
        practitioner__in=practitioners,
        start__gte=to_instant((first - 1) * DAY_MINUTES),
        start__lt=to_instant((last + 2) * DAY_MINUTES),
    )
    days: dict[Key, Mask] = defaultdict(int)
    for practitioner, location, start, end, before, after in rows.values_list(
        "practitioner_id", "location_id", "start", "end", "buffer_before", "buffer_after"
    ):
        span = (to_minute(start) - before, to_minute(end) + after)
        for day in range(span[0] // DAY_MINUTES, -(-span[1] // DAY_MINUTES)):
            if first <= day <= last:
                days[practitioner, location, day] |= _ruler(day).touched([span])
    return days


def read(practitioners: Iterable[int], ruler: Ruler) -> dict[int, dict[int, Mask]]:
    """Busy time on the ruler by practitioner and location. The ruler stands on whole days."""
    first = ruler.first // DAY_CELLS
    last = first + ruler.cells // DAY_CELLS - 1
    # Each day into its place first: one long number for each, not one for each day.
    laid: dict[tuple[int, int], bytearray] = defaultdict(lambda: bytearray(ruler.cells // 8))
    for practitioner, location, day, cells in _rows(sorted(set(practitioners)), first, last):
        at = (day - first) * _BYTES
        laid[practitioner, location][at : at + _BYTES] = cells
    busy: dict[int, dict[int, Mask]] = defaultdict(lambda: defaultdict(int))
    for (practitioner, location), days in laid.items():
        busy[practitioner][location] = int.from_bytes(days, "little")
    return busy


def forget(
    busy: dict[int, dict[int, Mask]],
    gone: Iterable[tuple[int, int, Interval]],
    ruler: Ruler,
    *,
    now: dt.datetime,
) -> None:
    """Take out of what was read that which is overdue: its days anew, in one question or none.

    Not bit by bit: an overbooked visit may lie on the same time.
    """
    first = ruler.first // DAY_CELLS
    last = first + ruler.cells // DAY_CELLS - 1
    stale = {
        (practitioner, location, day)
        for practitioner, location, (start, end) in gone
        for day in range(start // DAY_MINUTES, -(-end // DAY_MINUTES))
        if first <= day <= last
    }
    if not stale:
        return
    days = [day for _practitioner, _location, day in stale]
    true = expected({key[0] for key in stale}, min(days), max(days), now=now)
    for practitioner, location, day in stale:
        shift = (day - first) * DAY_CELLS
        others = busy[practitioner][location] & ~(_ruler(0).full << shift)
        mask = true.get((practitioner, location, day), 0)
        busy[practitioner][location] = others | mask << shift


def _rows(practitioners: list[int], first: int, last: int) -> list[tuple[int, int, int, bytes]]:
    """Past the ORM: a search reads a thousand of these rows, and the ORM takes as long for
    naming a hundred practitioners as the database for finding them."""
    if not practitioners:
        return []
    marks = ", ".join(["%s"] * len(practitioners))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT practitioner_id, location_id, day, cells FROM {BusyDay._meta.db_table}"  # noqa: S608 (marks only)
            f" WHERE practitioner_id IN ({marks}) AND day BETWEEN %s AND %s",
            [*practitioners, first, last],
        )
        return list(cursor.fetchall())
