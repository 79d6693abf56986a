"""The days on which the demo clinic is closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import holidays

from clinic.models import Closure, Location

#: How far the demo's book reaches into the past and into the future.
PAST_DAYS = 91
FUTURE_DAYS = 42


def closures(today: dt.date, own: Location) -> Iterator[Closure]:
    """The national holidays around the demo's book, and one day on which ``own`` is closed.

    Not today, whatever day it is: whoever tries the demo on a holiday finds it at work.
    """
    first_year = (today - dt.timedelta(days=PAST_DAYS)).year
    national = holidays.country_holidays(
        "AR", years=range(first_year, today.year + 2), language="es"
    )
    for day, name in sorted(national.items()):
        if day == today:
            continue
        yield Closure(first_day=day, last_day=day, name=name[:120], can_be_worked=True)
    day = today + dt.timedelta(days=16)
    while day.weekday() >= 5 or day in national:
        day += dt.timedelta(days=1)
    yield Closure(location=own, first_day=day, last_day=day, name="Desinfección del edificio")
