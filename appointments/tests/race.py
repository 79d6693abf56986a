"""Many people at once, each with a connection of their own."""

from __future__ import annotations

import datetime as dt
import functools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import combinations
from typing import Any

import time_machine
from django.core.management import CommandError, call_command
from django.db import connection

from appointments.exceptions import Refusal
from appointments.models import Appointment
from appointments.tests.factories import NOW, at

Deed = Callable[[], Any]
#: So many seconds one of two comes after the other, at most.
LATE = 0.008
#: From so many rounds on, each end that can be has to have been.
MANY = 100


def rounds(usual: int = 10) -> int:
    """How often two verbs meet: on SQLite the writers queue, and a few times say as much."""
    if connection.vendor != "mysql":
        return 3
    return int(os.environ.get("RACE_PAIRS") or usual)


def hours() -> Iterator[dt.datetime]:
    """For each round an hour of its own, with the hour after it free: 9, 11, 13, 15."""
    for n in range(rounds()):
        yield at(9 + 2 * (n % 4), days=1 + n // 4)


def problems(*, now: dt.datetime = NOW) -> list[str]:
    """What ``check_integrity`` finds, the whole of it: appointments, holds, offers, messages."""
    said = StringIO()
    with time_machine.travel(now, tick=False):
        try:
            call_command("check_integrity", stdout=said, no_color=True)
        except CommandError as error:
            return said.getvalue().splitlines() or [str(error)]
    return []


def late(number: int) -> tuple[float, float]:
    """How long the left and the right wait in this round; else the one with less to do always wins.

    In turn one of them, up to some milliseconds, and the same in every run.
    """
    wait = random.Random(number).uniform(0, LATE)
    return (wait, 0.0) if number % 2 else (0.0, wait)


def meet(number: int, left: Deed, right: Deed) -> tuple[Any, Any]:
    """Two people in the moment of this round."""
    waits = late(number)
    first, second = together(
        [
            functools.partial(_after, wait, deed)
            for wait, deed in zip(waits, (left, right), strict=True)
        ]
    )
    return first, second


def _after(wait: float, deed: Deed) -> Any:
    time.sleep(wait)
    return deed()


def happened(ends: Counter[Any], *allowed: Any) -> None:
    """Nothing but these ends, in all rounds together; with many rounds each of them."""
    assert set(ends) <= set(allowed), ends
    assert ends.total() == rounds(), ends
    if rounds() >= MANY:
        assert set(ends) == set(allowed), ends


def told(appointment: Appointment) -> Counter[str]:
    """The messages about it to the patient that still stand or have gone."""
    rows = appointment.notifications.exclude(state="void")
    return Counter(rows.exclude(kind__startswith="practitioner").values_list("kind", flat=True))


def together(deeds: Sequence[Deed], *, patience: float = 120) -> list[Any]:
    """Run all of them at the same moment; each result is what was returned or raised.

    Whoever is not done after so many seconds waits for ever.
    """
    gate = threading.Barrier(len(deeds))
    results: list[Any] = [None] * len(deeds)

    def run(number: int) -> None:
        try:
            connection.ensure_connection()
            gate.wait(timeout=60)
            results[number] = deeds[number]()
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=patience)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    return results


def duels(meetings: Sequence[tuple[Deed, Deed]]) -> list[tuple[Any, Any]]:
    """Two people with a connection each, who meet at every round in the same moment."""
    gate = threading.Barrier(2)

    def side(number: int) -> list[Any]:
        return [
            _at(gate, functools.partial(_after, late(n)[number], one[number]))
            for n, one in enumerate(meetings)
        ]

    patience = 120 + len(meetings)
    left, right = together([functools.partial(side, n) for n in (0, 1)], patience=patience)
    return list(zip(left, right, strict=True))


def _at(gate: threading.Barrier, deed: Deed) -> Any:
    gate.wait(timeout=60)
    try:
        return deed()
    except Exception as error:  # noqa: BLE001 (the test looks at it)
        return error


def split(results: Sequence[Any]) -> tuple[list[Appointment], list[Refusal]]:
    """Successes and friendly refusals; anything else fails the test."""
    strange = [r for r in results if not isinstance(r, Appointment | Refusal | list)]
    assert strange == []
    return (
        [r for r in results if isinstance(r, Appointment)],
        [r for r in results if isinstance(r, Refusal)],
    )


def overlaps_in_database() -> dict[str, int]:
    """Pairs of live appointments that share time, by resource; the slow way, pair by pair."""
    live = list(Appointment.objects.occupying())
    found = {"practitioner": 0, "patient": 0, "room": 0}
    for one, other in combinations(live, 2):
        touching = one.start < other.end and other.start < one.end
        buffered = one.occupied[0] < other.occupied[1] and other.occupied[0] < one.occupied[1]
        found["patient"] += touching and one.patient_id == other.patient_id
        found["practitioner"] += buffered and one.practitioner_id == other.practitioner_id
        found["room"] += buffered and one.room_id is not None and one.room_id == other.room_id
    return found
