"""Lock, then look, then write. The order of locks is the same everywhere."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, models

from accounts.models import Patient, Practitioner, User
from clinic.models import Room

P = ParamSpec("P")
R = TypeVar("R")

#: MySQL/MariaDB: lock wait timeout, deadlock, and MariaDB's "record has changed".
_PASSING = frozenset({1205, 1213, 1020})
_TRIES = 4


def hold(
    *,
    practitioners: Iterable[int] = (),
    rooms: Iterable[int] = (),
    patients: Iterable[int] = (),
    accounts: Iterable[int] = (),
) -> None:
    """Hold these rows until the transaction ends: practitioners, rooms, patients, accounts.

    In this order, each kind ascending. On SQLite the transaction itself is the lock (BEGIN
    IMMEDIATE).
    """
    in_order: tuple[tuple[type[models.Model], Iterable[int]], ...] = (
        (Practitioner, practitioners),
        (Room, rooms),
        (Patient, patients),
        (User, accounts),
    )
    for model, ids in in_order:
        if wanted := sorted(set(ids)):
            rows = model._default_manager.select_for_update().filter(pk__in=wanted).order_by("pk")
            list(rows.values_list("pk", flat=True))


class ChangedMeanwhile(OperationalError):
    """What had to be locked is something else now: the verb starts again from the beginning."""


def is_passing(error: OperationalError) -> bool:
    """Whether the same transaction may well succeed if it is tried again."""
    if isinstance(error, ChangedMeanwhile):
        return True
    code = error.args[0] if error.args else None
    return code in _PASSING or "database is locked" in str(error)


def retrying(verb: Callable[P, R]) -> Callable[P, R]:
    """Try a whole verb again after a deadlock or a lock that took too long.

    Stands outside the verb's transaction. Inside another one (the admin's) there
    is nothing to repeat: the database has rolled back the outer work as well.
    """

    @functools.wraps(verb)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, _TRIES):
            try:
                return verb(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not is_passing(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 (jitter)
        return verb(*args, **kwargs)

    return tried
