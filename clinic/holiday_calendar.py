"""The public holidays of countries and their regions, from the ``holidays`` library. Pure."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import holidays
from django.utils.translation import gettext_lazy as _
from holidays.registry import COUNTRIES

#: Those that the clinic's people read about in their language; the others as the library says.
NAMES = {
    "AR": _("Argentina"),
    "BO": _("Bolivia"),
    "BR": _("Brazil"),
    "CL": _("Chile"),
    "CO": _("Colombia"),
    "CR": _("Costa Rica"),
    "CU": _("Cuba"),
    "DO": _("Dominican Republic"),
    "EC": _("Ecuador"),
    "ES": _("Spain"),
    "GT": _("Guatemala"),
    "HN": _("Honduras"),
    "MX": _("Mexico"),
    "NI": _("Nicaragua"),
    "PA": _("Panama"),
    "PE": _("Peru"),
    "PR": _("Puerto Rico"),
    "PY": _("Paraguay"),
    "SV": _("El Salvador"),
    "US": _("United States"),
    "UY": _("Uruguay"),
    "VE": _("Venezuela"),
}
#: What the library calls the languages of the interface.
LANGUAGES = {"es": "es", "en": "en_US"}


@dataclass(frozen=True, slots=True, order=True)
class Holiday:
    date: dt.date
    name: str


def countries() -> list[tuple[str, str]]:
    """Code and name of every country, by name."""
    named = {row[1]: _spaced(row[0]) for row in COUNTRIES.values()}
    named |= {code: str(name) for code, name in NAMES.items()}
    return sorted(named.items(), key=lambda item: item[1])


def regions(country: str) -> list[tuple[str, str]]:
    """Code and name of the regions that have holidays of their own, by name."""
    calendar = _calendar(country)
    named = {code: code for code in calendar.subdivisions}
    for name, code in calendar.subdivisions_aliases.items():
        if named.get(code) == code:
            named[code] = name
    return sorted(named.items(), key=lambda item: item[1])


def holidays_of(country: str, region: str, year: int, language: str) -> list[Holiday]:
    """The public holidays of a year, in order; the region's own ones among them.

    In the language if the library has it, else in the country's own. Empty for what
    the library does not know.
    """
    known = {code for code, _name in regions(country)}
    calendar = _calendar(country)
    wanted = LANGUAGES.get(language, "")
    found = holidays.country_holidays(
        country,
        subdiv=region if region in known else None,
        years=year,
        language=wanted if wanted in calendar.supported_languages else calendar.default_language,
    )
    return sorted(Holiday(day, name) for day, name in found.items())


def _calendar(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


def _spaced(name: str) -> str:
    """``UnitedStates`` → ``United States``"""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
