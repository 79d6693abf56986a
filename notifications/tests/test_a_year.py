"""A year of reminders under every clock change of five zones, on a clock that jumps.

Somebody is reminded at the time of day at which they come, so many days before, whatever
was done to the clocks in between; each reminder once; and nobody of what is off.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.db.models import Min

from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import book, desk
from clinic.models import Organization
from notifications import delivery
from notifications.models import Kind, Notification, State
from notifications.tests.factories import family
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.slow]

YEAR = 2027
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
#: Half an hour of summer; a summer time that is taken back for Ramadan; both hemispheres.
ZONES = {
    "Europe/Madrid": 2,
    "America/New_York": 2,
    "America/Santiago": 2,
    "Australia/Lord_Howe": 2,
    "Africa/Casablanca": 2,
}


def clock_changes(zone: ZoneInfo) -> Iterator[dt.date]:
    """The days of the year on whose morning the clock has been changed."""
    day = dt.date(YEAR, 1, 1)
    while day.year == YEAR:
        begins, ends = (
            dt.datetime.combine(one, dt.time(), tzinfo=zone).utcoffset() for one in (day, day + DAY)
        )
        if begins != ends:
            yield day
        day += DAY


@dataclass
class Year:
    zone: ZoneInfo
    offering: ServiceOffering
    now: dt.datetime
    #: When each live appointment has to be reminded of.
    promised: dict[int, set[dt.datetime]] = field(default_factory=dict)

    def at(self, day: dt.date, clock: dt.time) -> dt.datetime:
        return dt.datetime.combine(day, clock, tzinfo=self.zone)

    def book(self, start: dt.datetime, now: dt.datetime) -> Appointment:
        _user, patient = family()
        made = book(offering=self.offering, patient=patient, start=start, now=now, by=desk())
        self.promise(made, now)
        return made

    def promise(self, appointment: Appointment, now: dt.datetime) -> None:
        local = appointment.start.astimezone(self.zone)
        days = [dt.timedelta(hours=hours) for hours in Organization.current().reminder_hours]
        # Minus whole days on the wall clock, which is what arithmetic in one zone does.
        instants = {(local - before).astimezone(dt.UTC) for before in days}
        self.promised[appointment.pk] = {one for one in instants if one > now}

    def run_until(self, end: dt.datetime) -> None:
        """From one moment at which something is due to the next."""
        while True:
            waiting = Notification.objects.filter(state=State.PENDING, try_at__lte=end)
            due = waiting.aggregate(first=Min("try_at"))["first"]
            if due is None:
                break
            self.now = max(self.now, due)
            delivery.deliver_due(now=self.now)
        self.now = max(self.now, end)


@pytest.fixture
def year(request):
    zone = ZoneInfo(request.param)
    Organization.objects.update_or_create(pk=1, defaults={"reminders": "48, 24"})
    offering = open_offering(schedule__location__time_zone=request.param)
    return Year(zone, offering, dt.datetime(YEAR, 1, 1, tzinfo=zone))


@pytest.mark.parametrize("year", ZONES, indirect=True)
def test_each_reminder_once_at_its_local_time(year):
    changes = list(clock_changes(year.zone))
    assert len(changes) == ZONES[year.zone.key]
    ordinary = [dt.date(YEAR, 6, 15)]
    around = [change + n * DAY for change in changes for n in range(2)]
    for n, day in enumerate(sorted({*ordinary, *around})):
        start = year.at(day, dt.time(9 + n % 8, 30 * (n % 2)))
        year.run_until(year.at(day - 6 * DAY, dt.time(12)))
        year.book(start, year.now)
        cancelled = year.book(start + HOUR, year.now) if start.hour < 14 else None
        moved = year.book(start + 2 * HOUR, year.now) if start.hour < 14 else None
        # Between the two reminders; some clocks are changed in this very stretch.
        year.run_until(year.at(day - DAY - DAY / 2, dt.time(20)) - 6 * HOUR)
        if cancelled and moved:
            kept = {one for one in year.promised[cancelled.pk] if one <= year.now}
            services.cancel(appointment=cancelled, by=desk(), reason="Congreso", now=year.now)
            year.promised[cancelled.pk] = kept
            kept = {one for one in year.promised[moved.pk] if one <= year.now}
            later = year.at(day + 4 * DAY, dt.time(16))
            new = services.reschedule(
                appointment=moved, offering=year.offering, start=later, by=desk(), now=year.now
            )
            year.promised[moved.pk] = kept
            year.promise(new, year.now)
    year.run_until(year.at(dt.date(YEAR + 1, 1, 1), dt.time()))

    reminders = Notification.objects.filter(kind=Kind.REMINDER, state=State.SENT)
    sent: dict[int, list[dt.datetime]] = {pk: [] for pk in year.promised}
    for row in reminders.select_related("appointment"):
        sent[row.appointment_id].append(row.sent_at)
        assert row.sent_at
        assert row.sent_at < row.appointment.start
    assert {pk: sorted(times) for pk, times in sent.items()} == {
        pk: sorted(times) for pk, times in year.promised.items()
    }
    crossing = [row for row in reminders if _crosses(row, year.zone)]
    assert len(crossing) >= len(changes), "or the year shows nothing"
    ids = Counter(message.extra_headers["Message-ID"] for message in mail.outbox)
    assert set(ids.values()) == {1}
    assert not Notification.objects.filter(state__in=[State.PENDING, State.FAILED]).exists()


def _crosses(row: Notification, zone: ZoneInfo) -> bool:
    start, sent = row.appointment.start.astimezone(zone), row.sent_at.astimezone(zone)
    return start.utcoffset() != sent.utcoffset()


@pytest.mark.parametrize("year", ["Europe/Madrid"], indirect=True)
def test_of_what_is_past_nobody_is_reminded(year):
    """The works stood still for days, and went again."""
    start = year.at(dt.date(YEAR, 3, 29), dt.time(10))
    appointment = year.book(start, start - 5 * DAY)
    delivery.deliver_due(now=start - 5 * DAY)
    mail.outbox.clear()
    assert delivery.deliver_due(now=start + HOUR) == 0
    assert mail.outbox == []
    states = Notification.objects.filter(kind=Kind.REMINDER, appointment=appointment)
    assert set(states.values_list("state", flat=True)) == {State.LATE}
