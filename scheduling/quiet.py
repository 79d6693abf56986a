"""The hours in which nobody is written to unasked, on the clock of a place."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from clinic.models import Organization
from scheduling.intervals import to_instant
from scheduling.wallclock import instant_of, local_day

ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time to another, mostly over midnight; from one to itself is never."""

    since: dt.time
    until: dt.time

    @classmethod
    def of(cls, organization: Organization) -> QuietHours:
        return cls(organization.quiet_from, organization.quiet_until)

    def covers(self, instant: dt.datetime, zone: ZoneInfo) -> bool:
        clock = instant.astimezone(zone).time()
        if self.since <= self.until:
            return self.since <= clock < self.until
        return clock >= self.since or clock < self.until

    def began(self, instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """When those began that cover this instant."""
        day = local_day(instant, zone)
        if instant.astimezone(zone).time() < self.since:
            day -= ONE_DAY
        return to_instant(instant_of(day, self.since, zone))

    def ends(self, instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """When those end that cover this instant."""
        day = local_day(instant, zone)
        if instant.astimezone(zone).time() >= self.until:
            day += ONE_DAY
        return to_instant(instant_of(day, self.until, zone))
