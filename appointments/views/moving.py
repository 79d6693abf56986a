"""A patient moves an appointment: choose another time, see old and new, one button."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import asked, holds, services, timetable
from appointments.coverage import would_pay
from appointments.exceptions import (
    AskedAlready,
    LimitReached,
    MoveNotAllowed,
    OnlyKnownPatients,
    PatientBusy,
    Refusal,
    SameDay,
    TooLateToMove,
)
from appointments.forms.search import OtherTimesForm
from appointments.models import Appointment
from appointments.timetable import OfferedSlot, PartOfDay
from appointments.transitions import Status
from appointments.views.booking import chosen_slot
from appointments.views.patient import own_visit
from appointments.views.public import SlotDay, long_time, slot_groups, time_links
from clinic.forms import LooseDateField
from clinic.models import Location, Organization
from clinic.templatetags.clinic_times import local_date
from scheduling.models import ServiceOffering
from scheduling.selectors import booking_rules


def move(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Without a time: the free times. With one: old and new, and the button."""
    appointment = own_visit(request, public_id)
    if not services.can_move(appointment, timezone.now()):
        return _refused(request, appointment)
    offerings = _open_to(appointment)
    waiting = asked.requests_of(appointment).standing(timezone.now())
    if request.method != "POST" and waiting.exists():
        return _refused(request, appointment)
    if "start" not in request.GET:
        return _times(request, appointment, offerings)
    offered = chosen_slot(request)
    if offered.offering not in offerings:
        raise Http404
    try:
        services.check_elsewhere(appointment, offered.offering, timezone.now())
        if request.method != "POST" or "hold" in request.POST:
            now = timezone.now()
            services.check_request(appointment, offered.offering, offered.start, now)
    except Refusal as refusal:
        return _times(request, appointment, offerings, refusal=refusal)
    if "hold" in request.POST:
        return _hold(request, appointment, offered, offerings)
    if request.method != "POST":
        return _confirm(request, appointment, offered)
    return _move(request, appointment, offered, offerings)


def _open_to(appointment: Appointment) -> list[ServiceOffering]:
    """The same service, with the same practitioner and with everybody who is open to them."""
    online = ServiceOffering.objects.online().with_parts().filter(service=appointment.service)
    known = services.who_has_seen(appointment.patient) | {appointment.practitioner_id}
    organization = Organization.current()
    return [
        one
        for one in online
        if not booking_rules(one, organization).known_only or one.schedule.practitioner_id in known
    ]


def _hold(
    request: HttpRequest,
    appointment: Appointment,
    offered: OfferedSlot,
    offerings: Sequence[ServiceOffering],
) -> HttpResponse:
    """Keep the time that was pressed, then ask. What one's own old time overlaps is kept by it."""
    try:
        if not (appointment.start < offered.slot.end and offered.start < appointment.end):
            holds.take(offering=offered.offering, start=offered.start, user=person(request))
    except Refusal as refusal:
        return _times(request, appointment, offerings, wanted=offered, refusal=refusal)
    return redirect(move_url(_here(appointment), offered))


def _move(
    request: HttpRequest,
    appointment: Appointment,
    offered: OfferedSlot,
    offerings: Sequence[ServiceOffering],
) -> HttpResponse:
    try:
        moved = services.reschedule(
            appointment=appointment,
            offering=offered.offering,
            start=offered.start,
            by=Actor.patient(person(request)),
            same_day_ok="same_day" in request.POST,
        )
    except (SameDay, PatientBusy) as clash:
        return _confirm(request, appointment, offered, clash=clash)
    except (AskedAlready, MoveNotAllowed, TooLateToMove):
        appointment.refresh_from_db()
        return _refused(request, appointment)
    except (OnlyKnownPatients, LimitReached) as refusal:
        return _times(request, appointment, offerings, refusal=refusal)
    except Refusal as refusal:
        return _times(request, appointment, offerings, wanted=offered, refusal=refusal)
    if moved.replaces_id:
        messages.success(request, _("The new time is asked for. The old one stays until then."))
    elif moved.state == Status.PENDING:
        messages.success(request, _("The new time is asked for. The old one is given back."))
    else:
        messages.success(request, _("The appointment has the new time. The old one is given back."))
    return redirect("appointments:detail", public_id=moved.public_id)


def move_url(here: str, offered: OfferedSlot) -> str:
    """The page with old and new, and the button. ``here``: the address of this move."""
    start = offered.start.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    query = urlencode({"offering": offered.offering.pk, "start": start})
    return f"{here}?{query}"


def _here(appointment: Appointment) -> str:
    return reverse("appointments:move", args=[appointment.public_id])


def _back(appointment: Appointment) -> str:
    return reverse("appointments:detail", args=[appointment.public_id])


@dataclass(frozen=True, slots=True)
class _Choice:
    """Whose times are shown, where and at what time of day."""

    whom: Practitioner
    where: Location | None
    part: PartOfDay | None

    def of(self, offerings: Sequence[ServiceOffering]) -> list[ServiceOffering]:
        theirs = [one for one in offerings if one.practitioner == self.whom]
        return [one for one in theirs if self.where in (None, one.location)]

    @property
    def words(self) -> dict[str, str]:
        """As it stands in the address."""
        where = self.where.slug if self.where else ""
        part = self.part.name.lower() if self.part else ""
        return {"con": self.whom.slug, "where": where, "part": part}


def _chosen(
    request: HttpRequest,
    appointment: Appointment,
    people: Sequence[Practitioner],
    places: Sequence[Location],
    wanted: OfferedSlot | None,
) -> _Choice:
    """What is none of these counts as not chosen. ``wanted``: whose time was just refused."""
    asked, own = request.GET, appointment.practitioner
    if wanted:
        return _Choice(wanted.offering.practitioner, None, None)
    return _Choice(
        next((one for one in people if one.slug == asked.get("con")), own),
        next((place for place in places if place.slug == asked.get("where")), None),
        next((part for part in PartOfDay if part.name.lower() == asked.get("part")), None),
    )


def _times(
    request: HttpRequest,
    appointment: Appointment,
    offerings: Sequence[ServiceOffering],
    *,
    wanted: OfferedSlot | None = None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    people = people_of(appointment, offerings)
    places = sorted({one.location for one in offerings}, key=lambda place: place.name)
    choice, here = _chosen(request, appointment, people, places, wanted), _here(appointment)
    kept = {name: word for name, word in choice.words.items() if word}
    if choice.whom == appointment.practitioner:
        del kept["con"]
    context: dict[str, Any] = {
        "appointment": appointment,
        "back": _back(appointment),
        "refusal": refusal,
        "may_hold": True,
        "here": here,
        "is_narrowed": bool(kept),
        "form": OtherTimesForm(
            initial={**choice.words, "since": since(request)}, people=people, places=places
        ),
        **free_times(
            request,
            appointment,
            choice.of(offerings),
            here=here,
            kept=kept,
            part=choice.part,
        ),
    }
    status = 409 if refusal else 200
    return render(request, "appointments/move_times.html", context, status=status)


def free_times(
    request: HttpRequest,
    appointment: Appointment,
    offerings: Sequence[ServiceOffering],
    *,
    here: str,
    kept: Mapping[str, str],
    part: PartOfDay | None = None,
) -> dict[str, Any]:
    """Seven days of one practitioner and service; the links lead to the button.

    ``kept``: what the weeks before and after are asked with, too.
    """
    now = timezone.now()
    today = now.astimezone(appointment.zone).date()
    first = max(since(request) or today, today)
    found = timetable.times(
        offerings,
        first=first,
        now=now,
        organization=Organization.current(),
        holder=person(request),
        part=part,
    )
    one = found[0] if found else None
    week = dt.timedelta(days=timetable.WINDOW_DAYS)
    return {
        "days": [_day(appointment, day, here) for day in one.days()] if one else [],
        "later": one and one.later and _later(one.later, here),
        "next_week": _from(here, first + week, kept),
        "previous_week": _from(here, max(first - week, today), kept) if first > today else "",
    }


def _from(here: str, day: dt.date, kept: Mapping[str, str]) -> str:
    return f"{here}?{urlencode({'since': day.isoformat(), **kept})}"


def people_of(appointment: Appointment, offerings: Sequence[ServiceOffering]) -> list[Practitioner]:
    """Who can be chosen: who it is with so far, and whoever offers the same."""
    everybody = {appointment.practitioner, *(one.practitioner for one in offerings)}
    return sorted(everybody, key=lambda one: one.search_text)


def since(request: HttpRequest) -> dt.date | None:
    """What is no date, or none of these centuries, counts as not given."""
    try:
        found: dt.date | None = LooseDateField(required=False).clean(request.GET.get("since", ""))
    except ValidationError:
        return None
    return found


def _day(appointment: Appointment, day: timetable.Day, here: str) -> SlotDay:
    elsewhere = any(o.offering.location != appointment.location for o in day.slots)
    times = [
        link._replace(url=move_url(here, o))
        for link, o in zip(time_links(day), day.slots, strict=True)
    ]
    return SlotDay(local_date(day.date), slot_groups(day, times, shows_place=elsewhere))


def _later(offered: OfferedSlot, here: str) -> dict[str, str]:
    return {"url": move_url(here, offered), "text": long_time(offered)}


def _confirm(
    request: HttpRequest,
    appointment: Appointment,
    offered: OfferedSlot,
    *,
    clash: SameDay | PatientBusy | None = None,
) -> HttpResponse:
    now, other = timezone.now(), clash.appointment if clash else None
    rules = booking_rules(offered.offering, Organization.current())
    until = offered.start - rules.cancel_notice
    whom = offered.offering.practitioner
    stands = services.asks_first(appointment, offered.offering, now)
    is_other = whom != appointment.practitioner
    context = {
        "other": whom if is_other else None,
        "pays": list(would_pay(whom, [appointment.patient])) if is_other else [],
        "asks": services.asks_anew(appointment, offered.offering, now),
        "stands": stands,
        "appointment": appointment,
        "offered": offered,
        "is_final": appointment.state == Status.BOOKED and not stands and until <= now,
        "offering": offered.offering,
        "rules": rules,
        "hold": holds.held_by(person(request), offered.offering, offered.start, now),
        "clash": clash,
        "clash_url": other and reverse("appointments:detail", args=[other.public_id]),
        "may_repeat": isinstance(clash, SameDay),
        "back": _back(appointment),
        "here": f"{_here(appointment)}?con={whom.slug}" if is_other else _here(appointment),
        "action": move_url(_here(appointment), offered),
    }
    status = 409 if clash else 200
    return render(request, "appointments/move.html", context, status=status)


def _refused(request: HttpRequest, appointment: Appointment) -> HttpResponse:
    """Too late, or no longer what it was: say which; a move done twice leads to its result."""
    if moved := Appointment.objects.filter(rescheduled_from=appointment).first():
        return redirect("appointments:detail", public_id=moved.public_id)
    context = {
        "appointment": appointment,
        "asked_move": asked.requests_of(appointment).with_parts().first(),
        "would_replace": asked.to_replace(appointment, timezone.now()),
        "zone": appointment.zone,
        "title": _("This appointment cannot be moved here"),
    }
    status = 409 if request.method == "POST" else 200
    return render(request, "appointments/move_refused.html", context, status=status)
