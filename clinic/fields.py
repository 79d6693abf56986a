"""Minutes of the five-minute grid that every time of the clinic stands on."""

from datetime import time

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
