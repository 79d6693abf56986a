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


#: A zone, the first instant of the hour that its clock shows twice, and what it shows then.
TWICE = [
    (MADRID, dt.datetime(2026, 10, 25, 0, 0, tzinfo=dt.UTC), 2),
    ("America/Santiago", dt.datetime(2026, 4, 5, 2, 0, tzinfo=dt.UTC), 23),
]
WHICH = {
    "en": ("before the clock change", "after the clock change"),
    "es": ("antes del cambio de hora", "después del cambio de hora"),
}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(("zone", "start", "hour"), TWICE)
def test_the_hour_that_happens_twice_is_told_apart(language, zone, start, hour):
    """Wherever a time is written: alone, after its date, as an element, of a range."""
    with translation.override(language):
        for hours, which in enumerate(WHICH[language]):
            instant = start + dt.timedelta(hours=hours, minutes=30)
            said = f"{hour}:30 ({which})"
            assert times.local_time(instant, zone) == said
            assert times.local_datetime(instant, zone).endswith(f", {said}")
            assert f">{said}</time>" in times.when(instant, zone, "time")
            end = instant + dt.timedelta(minutes=15)
            assert f">{hour}:45 ({which})</time>" in times.time_range(instant, end, zone)


@pytest.mark.parametrize(("zone", "start", "hour"), TWICE)
def test_on_the_clock_of_its_zone_too_they_are_two(zone, start, hour):
    """Python calls them equal, so a cache that is handed them would mix them up."""
    first, second = (
        times.in_zone(start + dt.timedelta(hours=hours, minutes=20), zone) for hours in (0, 1)
    )
    assert first == second
    for write in (times.local_time, times.when, times.clock_query):
        assert write(first, zone) != write(second, zone)
    assert times.time_range(first, first, zone) != times.time_range(second, second, zone)


@pytest.mark.parametrize(("zone", "start", "hour"), TWICE)
def test_a_time_that_comes_once_says_nothing_more(zone, start, hour):
    """The minutes around that hour, and every hour of the spring day that has 23."""
    before, after = start - dt.timedelta(minutes=5), start + dt.timedelta(hours=2)
    assert times.local_time(before, zone) == f"{hour - 1}:55"
    assert times.local_time(after, zone) == f"{(hour + 1) % 24}:00"
    month, day = (3, 28) if zone == MADRID else (9, 5)
    spring = dt.datetime(2026, month, day, 12, tzinfo=dt.UTC)
    for quarter in range(96):
        assert "(" not in times.local_time(spring + quarter * dt.timedelta(minutes=15), zone)


def test_the_hour_that_happens_twice_is_told_apart_for_machines():
    """Madrid, 25 October 2026: 2:30 comes at 00:30 and at 01:30 UTC."""
    first, second = (dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC) for hour in (0, 1))
    assert 'datetime="2026-10-25T02:30+02:00"' in times.when(first, MADRID)
    assert 'datetime="2026-10-25T02:30+01:00"' in times.when(second, MADRID)
    assert times.clock_query(first, MADRID) == "hora=2:30"
    assert times.clock_query(second, MADRID) == "hora=2:30&vez=2"


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
