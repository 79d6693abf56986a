"""Fields for dates and times that need no date picker, and plain words for what is missing.

``<input type=date>`` follows the language of the browser, not of the page, and nobody
scrolls back to 1948 in a calendar. These fields take what people write anyway, and
when they cannot read it they say what to write.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.formsets import BaseFormSet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, ngettext_lazy

from clinic.fields import YEAR_OUT_OF_RANGE
from clinic.templatetags.clinic_times import local_date
from clinic.text import WEB_ADDRESS, normalise

FIRST_YEAR, LAST_YEAR = 1900, 2200

#: What a month may be called; the first three letters are enough.
MONTHS = (
    ("enero", "january"),
    ("febrero", "february"),
    ("marzo", "march"),
    ("abril", "april"),
    ("mayo", "may"),
    ("junio", "june"),
    ("julio", "july"),
    ("agosto", "august"),
    ("septiembre", "september", "setiembre"),
    ("octubre", "october"),
    ("noviembre", "november"),
    ("diciembre", "december"),
)

WRITE_A_DATE = _("Write the date as day, month and year, for example 8 December 2026.")
WRITE_A_TIME = _("Write the time as hour and minutes, for example 9:30.")
NO_SUCH_DAY = _("There is no such day. Check the day and the month.")


def _number(text: str) -> int | None:
    """A number of at most four digits; nothing longer is a day, a month or a year."""
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None


def _month(text: str) -> int | None:
    """12, “dic”, “diciembre” or “December”."""
    word = normalise(text).rstrip(".")
    if len(word) < 3:
        return _number(word)
    for number, names in enumerate(MONTHS, start=1):
        if any(name.startswith(word) for name in names):
            return number
    return _number(word)


def _real_date(day: int, month: int, year: int) -> dt.date:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        years = {"first": FIRST_YEAR, "last": LAST_YEAR}
        raise ValidationError(YEAR_OUT_OF_RANGE, code="year", params=years)
    try:
        return dt.date(year, month, day)
    except ValueError:
        raise ValidationError(NO_SUCH_DAY, code="no_such_day") from None


class LineField(forms.CharField):
    """Text in a box of one line: names above all, which mails and lists quote.

    A forged request can put into it what no box lets anybody type: new lines that would look
    like lines of ours, and invisible signs that turn the direction of what follows.
    """

    def to_python(self, value: Any) -> str:
        line = " ".join((super().to_python(value) or "").split())
        # The sign of nothing is left for the validator that has a sentence for it.
        return "".join(c for c in line if c.isprintable() or c == "\0")


def no_web_address(value: str) -> None:
    """Names of people stand in mails, whose links all lead to us."""
    if WEB_ADDRESS.search(value):
        raise ValidationError(_("Write only the name, without a web address."), code="web_address")


class SplitDateWidget(forms.MultiWidget):
    """Day, month and year as three small boxes with a label each."""

    template_name = "components/split_date.html"
    labels = (_("Day"), _("Month"), _("Year"))

    def __init__(self, attrs: dict[str, Any] | None = None, *, autocomplete: str = "") -> None:
        boxes: dict[str, forms.Widget | type[forms.Widget]] = {
            part: forms.TextInput(
                {
                    "inputmode": "numeric",
                    "autocomplete": f"{autocomplete}-{part}" if autocomplete else "off",
                }
            )
            for part in ("day", "month", "year")
        }
        super().__init__(boxes, attrs)

    def decompress(self, value: dt.date | None) -> list[str]:
        return [str(value.day), str(value.month), str(value.year)] if value else ["", "", ""]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        for box, label in zip(context["widget"]["subwidgets"], self.labels, strict=True):
            box["label"] = label
        return context


class SplitDateField(forms.MultiValueField):
    """A date known by heart, such as a birth date. Keeps whatever was typed.

    ``earliest`` and ``latest`` are inclusive; ``latest`` may be a callable, asked at each
    cleaning. ``autocomplete`` is for the person's own birth date; pass "" for somebody else's.
    """

    default_error_messages = {
        "day": _("The day is missing."),
        "month": _("The month is missing."),
        "year": _("The year is missing."),
        "numbers": _("Write the date in numbers, for example 27 3 1984."),
        "short_year": _("Write the year with four digits, for example 1984."),
        "latest": _("Write a date no later than %(date)s."),
        "earliest": _("Write a date no earlier than %(date)s."),
    }

    def __init__(
        self,
        *,
        earliest: dt.date | None = None,
        latest: dt.date | Callable[[], dt.date] | None = None,
        autocomplete: str = "bday",
        **kwargs: Any,
    ) -> None:
        self.earliest = earliest
        self.latest = latest
        kwargs.setdefault("widget", SplitDateWidget(autocomplete=autocomplete))
        boxes = [forms.CharField(required=False) for _part in range(3)]
        super().__init__(boxes, require_all_fields=False, **kwargs)

    def compress(self, data_list: Sequence[str]) -> dt.date | None:
        if not any(data_list):
            if self.required and data_list:
                raise self._wrong("required")
            return None
        parts = dict(zip(("day", "month", "year"), data_list, strict=True))
        if missing := [name for name, text in parts.items() if not text]:
            raise ValidationError([self._wrong(name) for name in missing])
        return self.in_range(self._read(**parts))

    def _read(self, day: str, month: str, year: str) -> dt.date:
        numbers = _number(day), _month(month), _number(year)
        if None in numbers:
            raise self._wrong("numbers")
        if len(year) < 4:
            raise self._wrong("short_year")
        return _real_date(*numbers)  # type: ignore[arg-type]  # None is refused above

    def in_range(self, value: dt.date) -> dt.date:
        latest = self.latest() if callable(self.latest) else self.latest
        if latest and value > latest:
            raise self._wrong("latest", date=local_date(latest))
        if self.earliest and value < self.earliest:
            raise self._wrong("earliest", date=local_date(self.earliest))
        return value

    def _wrong(self, code: str, **params: str) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code, params=params)


class LooseDateField(forms.DateField):
    """A date as people write it: 8/12/2026, 8-12-26, 8 de diciembre de 2026, 2026-12-08.

    The day comes first in both languages, only a four digit number in front is a year.
    """

    widget = forms.TextInput(attrs={"autocomplete": "off", "class": "input-short"})
    default_error_messages = {"invalid": WRITE_A_DATE}

    def to_python(self, value: Any) -> dt.date | None:
        if isinstance(value, dt.date) or value in self.empty_values:
            return super().to_python(value)
        words = [word for word in re.split(r"[\s/.,-]+", normalise(str(value)[:60])) if word]
        words = [word for word in words if word not in {"de", "del", "of"}]
        if not words:
            return None
        if len(words) == 4 and words[0].isalpha():
            words = words[1:]  # the day of the week
        if len(words) != 3:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        year_text, month_text, day_text = words if len(words[0]) == 4 else reversed(words)
        day, month, year = _number(day_text), _month(month_text), _number(year_text)
        if day is None or month is None or year is None or len(year_text) not in (2, 4):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return _real_date(day, month, year + 2000 if len(year_text) == 2 else year)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dt.date):
            return f"{value.day}/{value.month}/{value.year}"
        return value


class LooseTimeField(forms.TimeField):
    """A time of day as people write it: 9, 9:30, 09.30, 930, 9 h, 21:15."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "class": "input-short"})
    default_error_messages = {"invalid": WRITE_A_TIME}

    def to_python(self, value: Any) -> dt.time | None:
        if isinstance(value, dt.time) or value in self.empty_values:
            return super().to_python(value)
        text = normalise(str(value)[:20])
        if not text:
            return None
        found = re.fullmatch(r"([0-9]{1,2})(?:[:.,h ]?([0-9]{2}))? ?(?:hs?\.?|horas)?", text)
        if found is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        try:
            return dt.time(int(found[1]), int(found[2] or 0))
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dt.time):
            return f"{value.hour}:{value.minute:02d}"
        return value


#: What Django says and lets nobody replace. It stands here to be collected: our catalogue comes
#: before Django's own, whose Spanish says “por favor”.
_SAID_BY_DJANGO = (
    ngettext_lazy("Please correct the error below.", "Please correct the errors below.", "count"),
    ngettext_lazy(
        "Please submit at most %(num)d form.", "Please submit at most %(num)d forms.", "num"
    ),
    gettext_noop("Please correct the duplicate data for %(field)s."),
    gettext_noop("Please correct the duplicate data for %(field)s, which must be unique."),
    gettext_noop("Please correct the duplicate values below."),
)


def use_plain_words() -> None:
    """Our sentences in place of Django's stock ones, for every form: ours, allauth's, the admin's.

    The keys are those of ``Field.error_messages``; a field's own ``error_messages`` still win.
    Called once, when the apps are ready.
    """
    gone = _("This option is no longer there. Choose another one.")
    words: dict[type[forms.Field], dict[str, Any]] = {
        forms.Field: {"required": _("Fill this in.")},
        forms.BooleanField: {"required": _("Tick the box to go on.")},
        forms.ChoiceField: {"required": _("Choose an option."), "invalid_choice": gone},
        forms.MultipleChoiceField: {"invalid_choice": gone, "invalid_list": gone},
        forms.ModelChoiceField: {"invalid_choice": gone},
        forms.ModelMultipleChoiceField: {"invalid_choice": gone, "invalid_list": gone},
        forms.EmailField: {"invalid": _("Write the whole address, for example ana@example.org.")},
        forms.IntegerField: {"invalid": _("Write a whole number.")},
        forms.DecimalField: {"invalid": _("Write a number.")},
        forms.DateField: {"invalid": WRITE_A_DATE},
        forms.TimeField: {"invalid": WRITE_A_TIME},
    }
    for field, sentences in words.items():
        stock = getattr(field, "default_error_messages", {})
        field.default_error_messages = {**stock, **sentences}
    BaseFormSet.default_error_messages = {
        **BaseFormSet.default_error_messages,
        "missing_management_form": _("The page did not arrive whole. Open it again and save anew."),
    }
