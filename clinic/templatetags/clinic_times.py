"""Instants as people read them: in the zone of the place, in full, on the 24 hour clock.

Instants are stored in UTC. Nothing is shown without saying in whose zone, so each
filter takes the zone: ``{{ appointment.start|local_time:location.zone }}``. The hour that the
clock shows twice in an autumn night says which of the two it is.
"""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections.abc import Callable

from django import template
from django.utils import dateformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

register = template.Library()

Zone = dt.tzinfo | str

#: Dates in full, never abbreviated. Not in the catalogue: a date needs no translator.
DATE_FORMATS = {
    "es": {"date": r"l j \d\e F \d\e Y", "day": r"l j \d\e F", "month": r"F \d\e Y"},
    "en": {"date": "l j F Y", "day": "l j F", "month": "F Y"},
}


def _written(value: dt.date, shape: str) -> str:
    return _written_in((get_language() or "es").split("-")[0], value, shape)


@functools.lru_cache(maxsize=4096)
def _written_in(language: str, value: dt.date, shape: str) -> str:
    """The same few days are written on every page, many times. In the language that is active."""
    formats = DATE_FORMATS.get(language, DATE_FORMATS["en"])
    return dateformat.format(value, formats[shape])


def in_zone(instant: dt.datetime, zone: Zone) -> dt.datetime:
    """The same instant on the wall clock of the zone."""
    return instant.astimezone(zoneinfo.ZoneInfo(zone) if isinstance(zone, str) else zone)


def _day(value: dt.date, zone: Zone | None) -> dt.date:
    """A date as it is; an instant as the date it has in the zone."""
    if not isinstance(value, dt.datetime):
        return value
    if zone is None:
        raise ValueError("An instant has a date only in a zone: {{ start|local_date:zone }}.")
    return in_zone(value, zone).date()


def _utc(instant: dt.datetime) -> dt.datetime:
    """What the caches below may keep apart: in one zone, both 2:30 of that night are equal."""
    return instant.astimezone(dt.UTC)


def comes_twice(moment: dt.datetime) -> bool:
    """Whether its clock shows this time twice. Of an instant in a zone, see ``in_zone``."""
    return moment.replace(fold=1 - moment.fold).utcoffset() != moment.utcoffset()


@register.filter
def local_time(instant: dt.datetime | None, zone: Zone) -> str:
    """``9:30``; ``1:30 (after the clock change)`` when the clock shows it twice that night."""
    if instant is None:
        return ""
    clock, is_again = _clock(_utc(instant), zone)
    if is_again is None:
        return clock
    which = gettext("after the clock change") if is_again else gettext("before the clock change")
    return f"{clock} ({which})"


@functools.lru_cache(maxsize=4096)
def _clock(instant: dt.datetime, zone: Zone) -> tuple[str, bool | None]:
    """The clock, and whether it has shown this time before; None: it shows it once."""
    clock = in_zone(instant, zone)
    return f"{clock.hour}:{clock.minute:02}", bool(clock.fold) if comes_twice(clock) else None


@register.filter
def clock_query(instant: dt.datetime, zone: Zone) -> str:
    """``hora=9:30`` for an address; ``hora=1:30&vez=2`` when the clock shows it again."""
    clock, is_again = _clock(_utc(instant), zone)
    return f"hora={clock}{'&vez=2' if is_again else ''}"


@register.filter
def local_date(value: dt.date | None, zone: Zone | None = None) -> str:
    """``martes 8 de diciembre de 2026``; takes a plain date too, without a zone."""
    return _written(_day(value, zone), "date") if value else ""


@register.filter
def local_day(value: dt.date | None, zone: Zone | None = None) -> str:
    """``martes 8 de diciembre``, where the year is plain from what stands around it."""
    return _written(_day(value, zone), "day") if value else ""


@register.filter
def local_month(value: dt.date | None, zone: Zone | None = None) -> str:
    """``diciembre de 2026``"""
    return _written(_day(value, zone), "month") if value else ""


@register.filter
def local_datetime(instant: dt.datetime | None, zone: Zone) -> str:
    """``martes 8 de diciembre de 2026, 10:30``"""
    return f"{local_date(instant, zone)}, {local_time(instant, zone)}" if instant else ""


@register.filter
def iso_date(value: dt.date | None, zone: Zone | None = None) -> str:
    """``2026-12-08``, for addresses and for ``<time datetime>``."""
    return _day(value, zone).isoformat() if value else ""


@register.filter
def zone_name(zone: Zone) -> str:
    """``Buenos Aires``: the city of a zone, for saying whose clock it is."""
    return str(zone).rsplit("/", 1)[-1].replace("_", " ")


@register.filter
def duration(minutes: int | None) -> str:
    """``45 min``, ``1 h``, ``1 h 30 min``"""
    if minutes is None:
        return ""
    hours, rest = divmod(int(minutes), 60)
    parts = [f"{hours} h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest} min")
    return " ".join(parts)


@register.simple_tag
def when(
    instant: dt.datetime, zone: Zone, show: str = "datetime", name_zone: bool = False
) -> SafeString:
    """``<time>`` of an instant. ``show`` is datetime, date, day or time."""
    return _when(get_language(), _utc(instant), zone, show, name_zone)


@functools.lru_cache(maxsize=4096)
def _when(
    _language: str | None, instant: dt.datetime, zone: Zone, show: str, name_zone: bool
) -> SafeString:
    shapes: dict[str, Callable[[dt.datetime, Zone], str]] = {
        "datetime": local_datetime,
        "date": local_date,
        "day": local_day,
        "time": local_time,
    }
    text = shapes[show](instant, zone)
    if name_zone:
        text += " (" + gettext("%(city)s time") % {"city": zone_name(zone)} + ")"
    moment = in_zone(instant, zone)
    machine = (
        moment.date().isoformat() if show in ("date", "day") else moment.isoformat("T", "minutes")
    )
    return format_html('<time datetime="{}">{}</time>', machine, text)


@register.simple_tag
def time_range(start: dt.datetime, end: dt.datetime, zone: Zone) -> SafeString:
    """``13:00–14:00`` of ``[start, end)``, read aloud as “13:00 to 14:00”."""
    return _time_range(get_language(), _utc(start), _utc(end), zone)


@functools.lru_cache(maxsize=4096)
def _time_range(
    _language: str | None, start: dt.datetime, end: dt.datetime, zone: Zone
) -> SafeString:
    return format_html(
        '{}<span aria-hidden="true">–</span><span class="visually-hidden"> {} </span>{}',
        when(start, zone, "time"),
        gettext("to"),
        when(end, zone, "time"),
    )
