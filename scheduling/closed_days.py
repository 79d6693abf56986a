"""Days that a closure closes: where nobody works, and who has hours of their own on them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from clinic.models import Closure
from clinic.templatetags.clinic_times import local_date
from scheduling.models import DateOverride, Schedule

#: The first and the last day of each stretch.
Days = Sequence[tuple[dt.date, dt.date]]


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


@dataclass(frozen=True, slots=True)
class OwnHours:
    """The hours that the exceptions of one schedule give to a date."""

    schedule: Schedule
    rows: list[DateOverride]

    @property
    def date(self) -> dt.date:
        return self.rows[0].date

    @property
    def hours(self) -> str:
        return ", ".join(f"{row.start:%H:%M}–{row.end:%H:%M}" for row in self.rows)


def exceptions_on(days: Days, location: int | None) -> QuerySet[DateOverride]:
    """Those of this location, or of all of them, on these days."""
    wanted = Q(pk__in=[])
    for stretch in days:
        wanted |= Q(date__range=stretch)
    rows = DateOverride.objects.filter(wanted)
    return rows if location is None else rows.filter(schedule__location=location)


def own_hours(days: Days, location: int | None, *, closure: int | None = None) -> list[OwnHours]:
    """Who works on these days by an exception, from today on, by date and name.

    Without those days on which nobody works anyway because of another closure than this one.
    """
    rows = exceptions_on(days, location).filter(
        date__gte=timezone.localdate(),
        schedule__is_active=True,
        schedule__practitioner__is_active=True,
    )
    found: dict[tuple[int, dt.date], list[DateOverride]] = {}
    parts = rows.select_related("schedule__practitioner", "schedule__location")
    for row in parts.order_by("date", "schedule__practitioner__search_text", "schedule", "start"):
        found.setdefault((row.schedule_id, row.date), []).append(row)
    others = list(Closure.objects.filter(can_be_worked=False).exclude(pk=closure)) if found else []
    each = [OwnHours(rows[0].schedule, rows) for rows in found.values()]
    return [one for one in each if _holds(one) and not any(closes(c, one) for c in others)]


def closes(closure: Closure, one: OwnHours) -> bool:
    here = closure.location_id in {None, one.schedule.location_id}
    return here and closure.first_day <= one.date <= closure.last_day


def _holds(one: OwnHours) -> bool:
    """Closed wins over every hour of the same date."""
    return all(row.kind != DateOverride.Kind.CLOSED for row in one.rows)
