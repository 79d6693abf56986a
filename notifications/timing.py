"""When a reminder leaves: so long before on the wall clock, and not at night. Pure.

See docs/decisions/0022-reminders.md.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from scheduling.intervals import to_instant
from scheduling.quiet import QuietHours
from scheduling.wallclock import instant_of, local_day

#: A reminder that would arrive later than this before the start reminds nobody.
USEFUL = dt.timedelta(hours=1)
#: What would leave in quiet hours leaves so long before they begin: a worker that is a
#: little late still sends it on that evening.
BEFORE_QUIET = dt.timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Due:
    """``promised`` is the time without quiet hours: it names the reminder, whatever they are."""

    promised: dt.datetime
    at: dt.datetime
    useful_until: dt.datetime


def promised(start: dt.datetime, zone: ZoneInfo, hours: int) -> dt.datetime:
    """Whole days go by the clock on the wall, whatever it was changed in between."""
    days, rest = divmod(hours, 24)
    start = start.astimezone(dt.UTC)
    if days:
        day = local_day(start, zone) - dt.timedelta(days=days)
        start = to_instant(instant_of(day, start.astimezone(zone).time(), zone))
    return start - dt.timedelta(hours=rest)


def reminder(
    start: dt.datetime, zone: ZoneInfo, hours: int, quiet: QuietHours, *, now: dt.datetime
) -> Due | None:
    """None if it is made sure so late that the reminder would follow on its heels.

    Out of the quiet hours it goes to the evening before; if that is over already, to the
    morning, as long as it is of use then.
    """
    start = start.astimezone(dt.UTC)
    named = promised(start, zone, hours)
    if named <= now:
        return None
    at = named
    if quiet.covers(named, zone):
        at = quiet.began(named, zone) - BEFORE_QUIET
        if at <= now:
            at = quiet.ends(named, zone)
    useful_until = max(start - USEFUL, named + (start - named) / 2)
    return Due(named, at, useful_until) if at < useful_until else None
