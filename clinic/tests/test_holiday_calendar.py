"""The calendar of holidays: a thin look into the library."""

import datetime as dt

import pytest
from django.utils import translation

from clinic.holiday_calendar import Holiday, countries, holidays_of, regions

pytestmark = pytest.mark.once


def test_the_countries_are_named_and_sorted():
    found = countries()
    assert ("AR", "Argentina") in found
    assert ("NZ", "New Zealand") in found
    assert [name for _code, name in found] == sorted(name for _code, name in found)


def test_every_country_can_be_asked():
    for code, _name in countries():
        regions(code)


def test_the_regions_of_a_country_carry_names():
    assert ("X", "Córdoba") in regions("AR")
    assert ("CN", "Canarias") in regions("ES")
    assert regions("UY") == []


def test_the_holidays_of_a_year_in_the_language_of_the_page():
    found = holidays_of("AR", "", 2026, "es")
    assert found[0] == Holiday(dt.date(2026, 1, 1), "Año Nuevo")
    assert found == sorted(found)
    assert holidays_of("AR", "", 2026, "en")[0].name == "New Year's Day"


def test_a_region_adds_its_own():
    country = {h.date for h in holidays_of("ES", "", 2026, "es")}
    canaries = {h.date for h in holidays_of("ES", "CN", 2026, "es")}
    assert dt.date(2026, 5, 30) in canaries - country


@pytest.mark.parametrize("region", ["", "ZZ", "\x00"])
def test_an_unknown_region_is_the_country(region):
    assert holidays_of("ES", region, 2026, "es") == holidays_of("ES", "", 2026, "es")


def test_a_country_without_the_language_speaks_its_own():
    assert holidays_of("JP", "", 2026, "es")[0].name == "元日"


def test_names_are_translated_when_they_are_read():
    with translation.override("en"):
        assert dict(countries())["ES"] == "Spain"
