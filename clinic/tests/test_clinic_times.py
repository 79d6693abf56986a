"""Instants as people read them, in two languages and across the changes of clocks."""

import datetime as dt
import zoneinfo

import pytest
from django.template import Context, Template
from django.utils import translation

from clinic.templatetags import clinic_times as times

pytestmark = pytest.mark.once

BUENOS_AIRES = zoneinfo.ZoneInfo("America/Argentina/Buenos_Aires")
MADRID = zoneinfo.ZoneInfo("Europe/Madrid")
START = dt.datetime(2026, 12, 8, 13, 30, tzinfo=dt.UTC)


def render(text: str, **context: object) -> str:
    return Template("{% load clinic_times %}" + text).render(Context(context))


@pytest.mark.parametrize(
    ("language", "date", "day", "month"),
    [
        ("es", "martes 8 de diciembre de 2026", "martes 8 de diciembre", "diciembre de 2026"),
        ("en", "Tuesday 8 December 2026", "Tuesday 8 December", "December 2026"),
    ],
)
def test_dates_are_written_in_full(language, date, day, month):
    with translation.override(language):
        assert times.local_date(START, BUENOS_AIRES) == date
        assert times.local_day(START, BUENOS_AIRES) == day
        assert times.local_month(START, BUENOS_AIRES) == month
        assert times.local_datetime(START, BUENOS_AIRES) == f"{date}, 10:30"


def test_a_regional_language_is_its_language():
    with translation.override("es-ar"):
        assert times.local_day(START, BUENOS_AIRES) == "martes 8 de diciembre"


def test_an_hour_has_no_leading_zero_and_24_of_them():
    assert times.local_time(dt.datetime(2026, 12, 8, 12, 5, tzinfo=dt.UTC), BUENOS_AIRES) == "9:05"
    assert times.local_time(dt.datetime(2026, 12, 8, 23, 0, tzinfo=dt.UTC), BUENOS_AIRES) == "20:00"


def test_the_day_is_the_one_of_the_zone_not_of_utc():
    late = dt.datetime(2026, 12, 9, 1, 0, tzinfo=dt.UTC)
    assert times.iso_date(late, BUENOS_AIRES) == "2026-12-08"
    assert times.iso_date(late, "UTC") == "2026-12-09"


def test_the_hour_that_happens_twice_is_told_apart_for_machines():
    """Madrid, 25 October 2026: 2:30 comes at 00:30 and at 01:30 UTC."""
    first, second = (dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC) for hour in (0, 1))
    assert times.local_time(first, MADRID) == times.local_time(second, MADRID) == "2:30"
    assert 'datetime="2026-10-25T02:30+02:00"' in times.when(first, MADRID)
    assert 'datetime="2026-10-25T02:30+01:00"' in times.when(second, MADRID)


def test_a_plain_date_needs_no_zone_and_an_instant_does():
    with translation.override("es"):
        assert times.local_date(dt.date(2026, 3, 1)) == "domingo 1 de marzo de 2026"
    with pytest.raises(ValueError, match="only in a zone"):
        times.local_date(START)


@pytest.mark.parametrize("shown", ["local_time", "local_date", "local_day", "local_datetime"])
def test_nothing_is_shown_for_nothing(shown):
    assert getattr(times, shown)(None, BUENOS_AIRES) == ""


def test_zone_name_is_its_city():
    assert times.zone_name(BUENOS_AIRES) == "Buenos Aires"
    assert times.zone_name("America/Santiago") == "Santiago"


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(0, "0 min"), (45, "45 min"), (60, "1 h"), (90, "1 h 30 min"), (None, "")],
)
def test_duration(minutes, text):
    assert times.duration(minutes) == text


@pytest.mark.parametrize(
    ("show", "machine", "people"),
    [
        ("datetime", "2026-12-08T10:30-03:00", "Tuesday 8 December 2026, 10:30"),
        ("date", "2026-12-08", "Tuesday 8 December 2026"),
        ("day", "2026-12-08", "Tuesday 8 December"),
        ("time", "2026-12-08T10:30-03:00", "10:30"),
    ],
)
def test_when_says_it_to_people_and_machines(show, machine, people):
    with translation.override("en"):
        text = render("{% when start zone show %}", start=START, zone=BUENOS_AIRES, show=show)
    assert text == f'<time datetime="{machine}">{people}</time>'


def test_when_can_say_whose_clock_it_is():
    with translation.override("en"):
        text = render("{% when start zone name_zone=True %}", start=START, zone=BUENOS_AIRES)
    assert "10:30 (Buenos Aires time)</time>" in text


def test_time_range_is_read_aloud_as_a_range():
    with translation.override("en"):
        text = times.time_range(START, START + dt.timedelta(minutes=45), BUENOS_AIRES)
    assert ">10:30</time>" in text
    assert '<span class="visually-hidden"> to </span>' in text
    assert ">11:15</time>" in text
