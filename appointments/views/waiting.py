"""Wait for a time that becomes free, and answer when one is offered."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.text import capfirst

from accounts.doors import person
from accounts.models import Patient, User
from accounts.roles import Actor
from appointments import freed, services, timetable, waiting
from appointments.coverage import would_pay
from appointments.exceptions import OfferOver, Refusal
from appointments.forms.waiting import PARTS, WaitingForm
from appointments.models import Appointment, WaitingListEntry, WaitingOffer
from appointments.transitions import UPCOMING
from appointments.views.public import book_url, long_time, may_hold
from clinic.text import uuid_of
from scheduling.models import ServiceOffering


@dataclass(frozen=True, slots=True)
class Row:
    """A wish, and what is offered for it at this moment."""

    entry: WaitingListEntry
    days: str
    parts: str
    offer: WaitingOffer | None


def waiting_list(request: HttpRequest) -> HttpResponse:
    """What this account waits for."""
    user = person(request)
    patients = list(Patient.objects.of(user))
    mine = WaitingListEntry.objects.live().filter(user=user, patient__in=patients)
    entries = list(mine.with_parts())
    context = {
        "rows": _rows(entries, timezone.now()),
        "several": len(patients) > 1,
        "is_full": len(entries) >= waiting.MOST,
        "most": waiting.MOST,
    }
    return render(request, "appointments/waiting.html", context)


def _rows(entries: Sequence[WaitingListEntry], now: dt.datetime) -> list[Row]:
    live = WaitingOffer.objects.filter(entry__in=entries, is_open=True, expires_at__gt=now)
    offers = {offer.entry_id: offer for offer in live.select_related("location")}
    return [
        Row(
            entry,
            days_of(entry),
            parts_of(entry),
            offers.get(entry.pk),
        )
        for entry in entries
    ]


def days_of(entry: WaitingListEntry) -> str:
    """On which days of the week; empty for all."""
    return _named(entry.weekdays, WEEKDAYS)


def parts_of(entry: WaitingListEntry) -> str:
    return _named(entry.parts, dict(PARTS))


def _named(mask: int, names: dict[int, Any]) -> str:
    """Which of them; empty for all."""
    chosen = [str(name) for number, name in names.items() if mask >> number & 1]
    return "" if len(chosen) == len(names) else capfirst("; ".join(chosen))


def waiting_new(request: HttpRequest) -> HttpResponse:
    """The form; in the address what was looked for, or the appointment to come before."""
    user = person(request)
    patients = list(Patient.objects.of(user).order_by("pk"))
    old = _old(request.GET.get("instead_of", ""), user)
    if old and not services.can_move(old, timezone.now()):
        return redirect("appointments:detail", public_id=old.public_id)
    bound = request.POST if request.method == "POST" else None
    form = WaitingForm(bound, patients=patients, instead_of=old, initial=_asked(request.GET, old))
    if bound is None:
        return _form(request, form, old)
    if not form.is_valid():
        return _form(request, form, old, status=422)
    try:
        waiting.join(user=user, **form.wish())
    except Refusal as refusal:
        return _form(request, form, old, status=409, refusal=refusal)
    return redirect("appointments:waiting")


def _old(public_id: str, user: User) -> Appointment | None:
    """The appointment to come before; 404 for what is not this account's."""
    if not public_id:
        return None
    key = uuid_of(public_id) or uuid.UUID(int=0)
    mine = Appointment.objects.of_patients_of(user).with_parts()
    found: Appointment = get_object_or_404(mine, public_id=key)
    return found


def _asked(query: QueryDict, old: Appointment | None) -> dict[str, Any]:
    if old:
        return {"who": old.practitioner.slug}
    return {name: query.get(name, "") for name in ("what", "who", "where")}


def _form(
    request: HttpRequest,
    form: WaitingForm,
    old: Appointment | None,
    *,
    status: int = 200,
    refusal: Refusal | None = None,
) -> HttpResponse:
    context = {"form": form, "appointment": old, "refusal": refusal}
    return render(request, "appointments/waiting_new.html", context, status=status)


def waiting_end(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    mine = WaitingListEntry.objects.filter(user=person(request))
    waiting.end(entry=get_object_or_404(mine, public_id=public_id))
    return redirect("appointments:waiting")


# --- the offer ------------------------------------------------------------------------


def offer(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What is offered and what it replaces, and two buttons. Once over, what else is free."""
    found = _own_offer(request, public_id)
    if request.method != "POST":
        return _offer(request, found)
    try:
        if "decline" in request.POST:
            freed.decline(offer=found)
            return redirect("appointments:waiting")
        made = freed.accept(offer=found, by=Actor.patient(person(request)))
    except OfferOver:
        return _offer(request, _own_offer(request, public_id), status=409)
    except Refusal as refusal:
        return _offer(request, _own_offer(request, public_id), status=409, refusal=refusal)
    return redirect("appointments:detail", public_id=made.public_id)


def _own_offer(request: HttpRequest, public_id: uuid.UUID) -> WaitingOffer:
    """To this account, for a patient it still acts for; 404 for anybody else's."""
    user = person(request)
    mine = WaitingOffer.objects.filter(
        entry__user=user, entry__patient__in=Patient.objects.of(user)
    )
    parts = mine.select_related(
        "entry__patient",
        "entry__instead_of__location",
        "entry__instead_of__practitioner",
        "service__specialty",
        "practitioner",
        "location",
        "appointment",
    )
    found: WaitingOffer = get_object_or_404(parts, public_id=public_id)
    return found


def _offer(
    request: HttpRequest,
    found: WaitingOffer,
    *,
    status: int = 200,
    refusal: Refusal | None = None,
) -> HttpResponse:
    if made := found.appointment:
        return redirect("appointments:detail", public_id=made.public_id)
    now, offering = timezone.now(), freed.offering_of(found)
    old = found.entry.instead_of
    context: dict[str, Any] = {
        "offer": found,
        "zone": found.zone,
        "patient": found.entry.patient,
        "old": old if old and old.state in UPCOMING else None,
        "refusal": refusal,
    }
    if offering and found.is_live(now):
        context["offering"] = offering
        context["pays"] = list(would_pay(offering.practitioner, [found.entry.patient]))
        if old := context["old"]:
            context["stands"] = services.asks_first(old, offering, now)
            context["asks"] = services.asks_anew(old, offering, now)
        else:
            context["asks"] = services.needs_answer(offering, found.entry.patient, now)
        return render(request, "appointments/offer.html", context, status=status)
    context["is_declined"] = found.answer == WaitingOffer.Answer.DECLINED
    context["near"] = _near(offering, found, now, person(request)) if offering else []
    context["may_hold"] = may_hold(request)
    return render(request, "appointments/offer_over.html", context, status=status)


def _near(
    offering: ServiceOffering, found: WaitingOffer, now: dt.datetime, holder: User
) -> list[dict[str, Any]]:
    same, others = timetable.nearest(offering, around=found.start, now=now, holder=holder)
    return [{"offered": o, "url": book_url(o), "text": long_time(o)} for o in (*same, *others)]
