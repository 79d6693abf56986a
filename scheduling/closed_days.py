"""Days on which nobody works, and what is said to whoever gives hours to one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.utils.translation import gettext

from clinic.models import Closure
from clinic.templatetags.clinic_times import local_date


def shut_between(location: int, first: dt.date, last: dt.date) -> list[Closure]:
    """The closures of this location in which no exception holds, in order."""
    shut = Closure.objects.at(location, first, last).filter(can_be_worked=False)
    return list(shut.order_by("first_day"))


def why_shut(closures: Iterable[Closure], first: dt.date, last: dt.date) -> str:
    """The sentence about the first of these days that one of them closes; else nothing."""
    for closure in closures:
        if closure.first_day <= last and first <= closure.last_day:
            sentence = gettext(
                "On %(day)s it is closed: %(name)s. Only the administration can open that day."
            )
            words = {"day": local_date(max(first, closure.first_day)), "name": closure.name}
            return sentence % words
    return ""
