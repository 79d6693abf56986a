"""What a mail says that tells of several appointments at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from appointments.models import Appointment
from appointments.services import can_cancel
from appointments.transitions import Status
from clinic.models import Organization
from clinic.templatetags.clinic_times import (
    in_zone,
    local_datetime,
    local_day,
    local_time,
    zone_name,
)
from notifications import digests, links
from notifications.facts import Fact
from notifications.links import Way
from notifications.models import Kind, Notification

Context = dict[str, Any]


def reminder(row: Notification, clinic: Organization, now: dt.datetime) -> Context:
    """Everything that the recipient's family has on that day, in the order of the clock."""
    told = {each.appointment: each for each in row.told if each.appointment}
    visits = sorted(told, key=lambda visit: visit.start)
    first = visits[0]
    return {
        "count": len(visits),
        "days_ahead": (first.local_date - in_zone(now, first.zone).date()).days,
        "day": local_day(first.start, first.zone),
        "headline": _headline(visits),
        "facts": [fact for visit in visits for fact in _expected(visit, visits, clinic, now)],
        "phone": _phone(visits, clinic),
        "ways": list(_ways([told[visit] for visit in visits], visits, now)),
    }


def _ways(
    rows: Sequence[Notification], visits: Sequence[Appointment], now: dt.datetime
) -> Iterator[Way]:
    """To all of them, with a login; and an answer to each, without one."""
    if rows[0].user:
        yield _way(gettext("See the appointments"), reverse("appointments:list"))
    for row, when in zip(rows, _apart(visits), strict=True):
        yield from links.answers(row, when, now)


def _apart(visits: Sequence[Appointment]) -> Iterator[str]:
    """What tells each from the others: its time; where that is not enough, also for whom."""
    times = [_time(visit, visits) for visit in visits]
    for visit, time in zip(visits, times, strict=True):
        yield time if times.count(time) == 1 else f"{time} ({visit.patient.full_name})"


def _time(visit: Appointment, visits: Sequence[Appointment]) -> str:
    time = local_time(visit.start, visit.zone)
    return f"{time} ({zone_name(visit.zone)})" if _zones(visits) > 1 else time


def _way(text: str, path: str) -> Way:
    return Way(text, f"{settings.BASE_URL}{path}", is_main=True)


def _headline(visits: Sequence[Appointment]) -> str:
    first = visits[0]
    day = capfirst(local_day(first.start, first.zone))
    if _zones(visits) > 1:
        return day
    clock = gettext("%(city)s time") % {"city": zone_name(first.zone)}
    return f"{day} ({clock})"


def _expected(
    visit: Appointment, visits: Sequence[Appointment], clinic: Organization, now: dt.datetime
) -> Iterator[Fact]:
    """One visit in one line, as the clock orders them; what to do before it in another."""
    time, place = _time(visit, visits), visit.location
    words = [
        visit.patient.full_name,
        gettext("with %(practitioner)s") % {"practitioner": visit.practitioner},
        str(visit.service) if clinic.service_in_mails else "",
        f"{place.name}, {place.address}",
        gettext("reference %(reference)s") % {"reference": visit.reference},
    ]
    if can_cancel(visit, now):
        until = local_datetime(visit.cancellable_until, visit.zone)
        words.append(gettext("can be cancelled until %(until)s") % {"until": until})
    yield Fact(time, " · ".join(filter(None, words)))
    if visit.service.preparation:
        yield Fact(
            gettext("Before you come (%(time)s)") % {"time": time}, visit.service.preparation
        )


def _zones(visits: Sequence[Appointment]) -> int:
    return len({visit.zone.key for visit in visits})


def _phone(visits: Sequence[Appointment], clinic: Organization) -> str:
    """That of the place if all are at one."""
    places = {visit.location_id for visit in visits}
    own = visits[0].location.phone if len(places) == 1 else None
    phone = own or clinic.phone
    return phone.as_international if phone else ""


def list_of_the_day(visits: Sequence[Appointment], clinic: Organization) -> Context:
    """How many come and when; who, only if the clinic wants that in a mail."""
    first = visits[0]
    asked = sum(visit.status == Status.PENDING for visit in visits)
    facts = _who(visits) if clinic.names_to_practitioners else _how_many(visits)
    return {
        "first": first,
        "count": len(visits),
        "asked": asked,
        "time": local_time(first.start, first.zone),
        "headline": _headline(visits),
        "facts": list(facts),
        "ways": [
            _way(
                gettext("See the day in the agenda"),
                reverse("appointments:agenda_day", args=[f"{first.local_date}"]),
            )
        ],
    }


def _who(visits: Sequence[Appointment]) -> Iterator[Fact]:
    for visit in visits:
        words = [visit.patient.full_name, visit.location.name]
        if visit.status == Status.PENDING:
            words.append(gettext("to confirm"))
        yield Fact(local_time(visit.start, visit.zone), " · ".join(words))


def _how_many(visits: Sequence[Appointment]) -> Iterator[Fact]:
    """A line for each location."""
    for place in dict.fromkeys(visit.location for visit in visits):
        here = [visit for visit in visits if visit.location == place]
        count = ngettext("%(count)d appointment", "%(count)d appointments", len(here))
        since = local_time(here[0].start, place.zone)
        until = local_time(max(visit.end for visit in here), place.zone)
        yield Fact(place.name, f"{count % {'count': len(here)}}, {since}–{until}")


def requests_at_the_desk(found: Sequence[Appointment], clinic: Organization) -> Context:
    """How many wait at each location, and when the soonest of them would be."""
    facts = []
    for place in dict.fromkeys(visit.location for visit in found):
        here = [visit for visit in found if visit.location == place]
        count = ngettext("%(count)d request", "%(count)d requests", len(here)) % {
            "count": len(here)
        }
        soonest = gettext("the first for %(when)s") % {
            "when": local_datetime(here[0].start, place.zone)
        }
        facts.append(Fact(place.name, f"{count}, {soonest}"))
    return {
        "count": len(found),
        "headline": ngettext(
            "%(count)d request waits for an answer",
            "%(count)d requests wait for an answer",
            len(found),
        )
        % {"count": len(found)},
        "facts": facts,
        "ways": [_way(gettext("See them and answer"), reverse("appointments:desk_requests"))],
    }


def listed(row: Notification, now: dt.datetime) -> list[Appointment]:
    """What a list tells of: at least one, or it is not true any more."""
    if row.kind == Kind.PRACTITIONER_DAY:
        return list(digests.visits_of(row))
    asked = Appointment.objects.unanswered(now)
    return list(asked.filter(location__in=digests.desk_of(row)).with_parts())


#: By kind: what the mails say that hang on no single appointment.
LISTS: dict[Kind, Callable[[Sequence[Appointment], Organization], Context]] = {
    Kind.PRACTITIONER_DAY: list_of_the_day,
    Kind.REQUESTS: requests_at_the_desk,
}
