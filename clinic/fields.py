"""Minutes of the five-minute grid that every time of the clinic stands on, and years in reach."""

from datetime import date, time

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

#: One cell of the occupancy grid. Starts, durations and buffers are multiples of it.
CELL_MINUTES = 5


def on_the_grid(value: int) -> None:
    if value % CELL_MINUTES:
        raise ValidationError(
            _("Use a multiple of %(minutes)s minutes."), params={"minutes": CELL_MINUTES}
        )


def time_on_the_grid(value: time) -> None:
    if value.minute % CELL_MINUTES or value.second or value.microsecond:
        raise ValidationError(
            _("Use a time on the five-minute grid, for example 9:00 or 9:05."),
        )


#: Outside these years there is nothing to see, and arithmetic could leave the calendar.
FIRST_YEAR, LAST_YEAR = 2000, 2199
YEAR_OUT_OF_RANGE = _("Write a year between %(first)s and %(last)s.")


def in_reach(day: date) -> bool:
    return FIRST_YEAR <= day.year <= LAST_YEAR


def day_in_reach(value: date) -> None:
    """Of a day or an instant: a slip in the year is a slip, not the end of the calendar."""
    if not in_reach(value):
        years = {"first": FIRST_YEAR, "last": LAST_YEAR}
        raise ValidationError(YEAR_OUT_OF_RANGE, code="year", params=years)


#: So many reminders one appointment can have, and so many hours before it.
MOST_REMINDERS = 4
LONGEST_REMINDER = 24 * 14


def hours_from(text: str) -> list[int]:
    """The hours of a list as ``48, 24``, the longest first; it has been checked."""
    return sorted({int(part) for part in text.split(",") if part.strip()}, reverse=True)


def hours_in_a_list(text: str) -> None:
    """Refuses what ``hours_from`` could not read, or what is no reminder."""
    for number in filter(None, map(str.strip, text.split(","))):
        if not (number.isascii() and number.isdecimal()):
            raise ValidationError(
                _("“%(part)s” is not a whole number. Write hours and commas, for example “48, 24”.")
                % {"part": number}
            )
        if not 1 <= int(number) <= LONGEST_REMINDER:
            raise ValidationError(
                _("A reminder leaves between 1 and %(most)s hours before.")
                % {"most": LONGEST_REMINDER}
            )
    if len(hours_from(text)) > MOST_REMINDERS:
        raise ValidationError(_("At most %(most)s reminders.") % {"most": MOST_REMINDERS})


def minutes_between(since: time, until: time) -> int:
    """From one time on the clock to the other, perhaps over midnight; none from one to itself."""
    return (until.hour * 60 + until.minute - since.hour * 60 - since.minute) % (24 * 60)
