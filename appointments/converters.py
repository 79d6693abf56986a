"""Days and weeks in addresses: what is not in the calendar is not an address."""

from __future__ import annotations

import datetime as dt

from django.urls import register_converter

from clinic.fields import in_reach


class DayConverter:
    """``2026-12-08``"""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> dt.date:
        day = dt.date.fromisoformat(value)
        if not in_reach(day):
            raise ValueError(value)
        return day

    def to_url(self, value: dt.date | str) -> str:
        return value if isinstance(value, str) else value.isoformat()


class WeekConverter:
    """``2026-W50``, the ISO week; in Python its Monday."""

    regex = "[0-9]{4}-W[0-9]{2}"

    def to_python(self, value: str) -> dt.date:
        monday = dt.date.fromisocalendar(int(value[:4]), int(value[6:]), 1)
        if not in_reach(monday):
            raise ValueError(value)
        return monday

    def to_url(self, value: dt.date | str) -> str:
        if isinstance(value, str):
            return value
        year, week, _weekday = value.isocalendar()
        return f"{year}-W{week:02}"


register_converter(DayConverter, "day")
register_converter(WeekConverter, "week")
