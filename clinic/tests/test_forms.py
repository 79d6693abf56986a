"""Dates and times as people type them, and the sentences that help when they cannot be read."""

import datetime as dt

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.utils import translation

from clinic.forms import LineField, LooseDateField, LooseTimeField, SplitDateField

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


class BirthForm(forms.Form):
    born = SplitDateField(label="Birth date", latest=lambda: dt.date(2026, 12, 8))


class AnyDayForm(forms.Form):
    day = SplitDateField(required=False, autocomplete="", earliest=dt.date(2026, 1, 1))


def born(day: str, month: str, year: str) -> BirthForm:
    return BirthForm({"born_day": day, "born_month": month, "born_year": year})


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("27", "3", "1984"), dt.date(1984, 3, 27)),
        ((" 07 ", "03", "1984"), dt.date(1984, 3, 7)),
        (("1", "Dic.", "2000"), dt.date(2000, 12, 1)),
        (("1", "setiembre", "2000"), dt.date(2000, 9, 1)),
        (("29", "February", "2024"), dt.date(2024, 2, 29)),
        (("8", "12", "2026"), dt.date(2026, 12, 8)),
    ],
)
def test_a_split_date_is_read(parts, expected):
    form = born(*parts)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["born"] == expected


@pytest.mark.parametrize(
    ("parts", "sentences"),
    [
        (("", "", ""), ["Fill this in."]),
        ((" ", " ", " "), ["Fill this in."]),
        (("", "3", "1984"), ["The day is missing."]),
        (("27", "", ""), ["The month is missing.", "The year is missing."]),
        (("27", "3", "84"), ["Write the year with four digits, for example 1984."]),
        (("x", "3", "1984"), ["Write the date in numbers, for example 27 3 1984."]),
        (("27", "ma", "1984"), ["Write the date in numbers, for example 27 3 1984."]),
        (("٣", "3", "1984"), ["Write the date in numbers, for example 27 3 1984."]),
        (("1" * 5000, "3", "1984"), ["Write the date in numbers, for example 27 3 1984."]),
        (("29", "2", "2023"), ["There is no such day. Check the day and the month."]),
        (("0", "0", "1984"), ["There is no such day. Check the day and the month."]),
        (("1", "1", "1899"), ["Write a year between 1900 and 2200."]),
        (("1", "1", "9999"), ["Write a year between 1900 and 2200."]),
        (("9", "12", "2026"), ["Write a date no later than Tuesday 8 December 2026."]),
    ],
)
def test_a_split_date_says_what_to_write(parts, sentences):
    assert born(*parts).errors == {"born": sentences}


def test_a_split_date_keeps_what_was_typed():
    html = str(born("31", "feb", "84")["born"])
    assert 'name="born_day" value="31"' in html
    assert 'name="born_month" value="feb"' in html
    assert 'name="born_year" value="84"' in html


def test_each_box_has_a_label_a_keyboard_and_autofill():
    html = str(BirthForm(initial={"born": dt.date(1984, 3, 27)})["born"])
    assert '<label for="id_born_0">Day</label>' in html
    assert '<label for="id_born_1">Month</label>' in html
    assert '<label for="id_born_2">Year</label>' in html
    assert html.count('inputmode="numeric"') == 3
    assert 'autocomplete="bday-day"' in html
    assert 'name="born_year" value="1984"' in html


def test_somebody_elses_date_is_not_filled_in_by_the_browser():
    html = str(AnyDayForm()["day"])
    assert html.count('autocomplete="off"') == 3


def test_an_optional_split_date_may_be_empty_but_not_half():
    assert AnyDayForm({}).is_valid()
    assert AnyDayForm({"day_day": "1"}).errors == {
        "day": ["The month is missing.", "The year is missing."]
    }


def test_a_split_date_may_have_an_earliest_day():
    form = AnyDayForm({"day_day": "31", "day_month": "12", "day_year": "2025"})
    assert form.errors == {"day": ["Write a date no earlier than Thursday 1 January 2026."]}


def test_unchanged_dates_are_seen_as_unchanged():
    data = {"born_day": "27", "born_month": "3", "born_year": "1984"}
    assert BirthForm(data, initial={"born": dt.date(1984, 3, 27)}).changed_data == []
    assert BirthForm(data, initial={"born": dt.date(1984, 3, 28)}).changed_data == ["born"]


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    "text",
    [
        "8/12/2026",
        "08-12-2026",
        "8.12.26",
        " 8 12 2026 ",
        "2026-12-08",
        "2026/12/8",
        "8 de diciembre de 2026",
        "martes 8 de diciembre de 2026",
        "Tuesday 8 December 2026",
        "8 dic 2026",
    ],
)
def test_a_loose_date_is_read_the_same_in_both_languages(text, language):
    with translation.override(language):
        assert LooseDateField().clean(text) == dt.date(2026, 12, 8)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mañana", "Write the date as day, month and year, for example 8 December 2026."),
        ("8/12", "Write the date as day, month and year, for example 8 December 2026."),
        ("12/2026", "Write the date as day, month and year, for example 8 December 2026."),
        ("8/12/202", "Write the date as day, month and year, for example 8 December 2026."),
        ("8/12/2026/1", "Write the date as day, month and year, for example 8 December 2026."),
        ("9" * 5000, "Write the date as day, month and year, for example 8 December 2026."),
        ("\x008/12/2026", "Write the date as day, month and year, for example 8 December 2026."),
        ("31/2/2026", "There is no such day. Check the day and the month."),
        ("12/31/2026", "There is no such day. Check the day and the month."),
        ("1/1/0001", "Write a year between 1900 and 2200."),
        ("9999-12-31", "Write a year between 1900 and 2200."),
        ("", "Fill this in."),
    ],
)
def test_a_loose_date_says_what_to_write(text, sentence):
    with pytest.raises(ValidationError) as refused:
        LooseDateField().clean(text)
    assert refused.value.messages == [sentence]


@pytest.mark.parametrize("text", ["", "  ", "/"])
def test_an_optional_loose_date_may_be_empty(text):
    assert LooseDateField(required=False).clean(text) is None


def test_a_loose_date_is_shown_as_it_is_typed():
    field = LooseDateField()
    assert field.prepare_value(dt.date(2026, 12, 8)) == "8/12/2026"
    assert field.prepare_value("8/12") == "8/12"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9", dt.time(9)),
        ("9:30", dt.time(9, 30)),
        ("09.30", dt.time(9, 30)),
        ("930", dt.time(9, 30)),
        ("0930", dt.time(9, 30)),
        ("9h30", dt.time(9, 30)),
        ("9 h", dt.time(9)),
        ("21:15 hs", dt.time(21, 15)),
        ("0:00", dt.time(0)),
        (dt.time(7, 45), dt.time(7, 45)),
    ],
)
def test_a_loose_time_is_read(text, expected):
    assert LooseTimeField().clean(text) == expected


@pytest.mark.parametrize("text", ["24:00", "9:60", "9:3", "x", "12345", "-1", "9" * 5000])
def test_a_loose_time_says_what_to_write(text):
    with pytest.raises(ValidationError) as refused:
        LooseTimeField().clean(text)
    assert refused.value.messages == ["Write the time as hour and minutes, for example 9:30."]


def test_a_loose_time_is_shown_without_a_leading_zero():
    field = LooseTimeField()
    assert field.prepare_value(dt.time(9, 5)) == "9:05"
    assert field.prepare_value("9:5") == "9:5"
    assert LooseTimeField(required=False).clean(" ") is None


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("  Ana   María ", "Ana María"),
        ("Ana\r\nReferencia: X", "Ana Referencia: X"),
        ("Ana\u2028\x0b\tGómez", "Ana Gómez"),
        ("\u202eanA\x07", "anA"),
        ("Ñandú O’Brien 李", "Ñandú O’Brien 李"),
    ],
)
def test_a_line_is_one_line(typed, line):
    assert LineField().clean(typed) == line


@pytest.mark.parametrize("typed", ["\r\n", "\u202e", ""])
def test_a_line_of_invisible_signs_is_empty(typed):
    with pytest.raises(ValidationError, match=r"Fill this in\."):
        LineField().clean(typed)


def test_a_line_refuses_the_sign_of_nothing():
    with pytest.raises(ValidationError, match="Null characters"):
        LineField().clean("Ana\0")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (forms.CharField(), "", "Fill this in."),
        (forms.BooleanField(), "", "Tick the box to go on."),
        (forms.ChoiceField(choices=[("a", "A")]), "", "Choose an option."),
        (
            forms.ChoiceField(choices=[("a", "A")]),
            "b",
            "This option is no longer there. Choose another one.",
        ),
        (forms.MultipleChoiceField(choices=[("a", "A")]), [], "Choose an option."),
        (forms.EmailField(), "ana@", "Write the whole address, for example ana@example.org."),
        (forms.IntegerField(), "x", "Write a whole number."),
        (forms.CharField(error_messages={"required": "Write your name."}), "", "Write your name."),
    ],
)
def test_stock_fields_speak_plainly(field, value, sentence):
    with pytest.raises(ValidationError) as refused:
        field.clean(value)
    assert refused.value.messages == [sentence]
