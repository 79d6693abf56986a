"""From a chosen slot to an appointment: one page, one button."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.doors import person
from accounts.models import Patient
from accounts.roles import Actor
from appointments import availability, holds, limits, services, timetable
from appointments.addresses import search_before
from appointments.coverage import would_pay
from appointments.exceptions import (
    LimitReached,
    OnlyKnownPatients,
    PatientBusy,
    Refusal,
    SameDay,
)
from appointments.forms.booking import BookingForm
from appointments.models import Appointment
from appointments.timetable import OfferedSlot
from appointments.views.giving import give_url
from appointments.views.public import book_url, long_time, what_of
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.selectors import booking_rules
from scheduling.slots import Slot

#: What somebody typed before the login came in between, and for which time: kept in the session.
DRAFT = "booking_draft"


def book(request: HttpRequest) -> HttpResponse:
    """Check what was chosen, then book it. Open to everybody, so that what an expired
    login interrupts is not lost; books nothing without an account.

    A time that is pressed arrives here as ``hold``: it is kept, then the page is shown.
    """
    offered = chosen_slot(request)
    holding = "hold" in request.POST
    if not request.user.is_authenticated:
        if request.method == "POST" and not holding:
            request.session[DRAFT] = [book_url(offered), request.POST.get("reason", "")[:500]]
        return redirect_to_login(_with_search(request, book_url(offered)))
    patients = list(Patient.objects.of(person(request)).with_coverage().order_by("pk"))
    if not patients:
        context = {"give_url": give_url(person(request), offered)}
        return render(request, "appointments/book_no_patient.html", context, status=403)
    if request.method == "POST" and not holding:
        return _book(request, offered, BookingForm(request.POST, patients=patients))
    # Back, a second tab: whoever has this time already is shown that they have it.
    if made := services.booked_at(offered.offering, offered.start, patients):
        return redirect("appointments:detail", public_id=made.public_id)
    form = BookingForm(
        initial={
            "key": uuid.uuid4(),
            "reason": _draft(request, offered),
            "patient": _who_again(request, offered, patients),
        },
        patients=patients,
    )
    try:
        services.check_anybody(offered.offering, patients, now=timezone.now())
        if holding:
            holds.take(offering=offered.offering, start=offered.start, user=person(request))
            return redirect(_address(request, offered))
        _look(request, offered)
    except Refusal as refusal:
        return _refused(request, offered, form, refusal)
    return _page(request, offered, form)


def _address(request: HttpRequest, offered: OfferedSlot) -> str:
    """Of this page, with what it was asked about besides the time."""
    return _with_search(request, book_url(offered) + ("&again=1" if "again" in request.GET else ""))


def _with_search(request: HttpRequest, url: str) -> str:
    """An address of this page that remembers which search led here."""
    search = search_before(request)
    if not search:
        return url
    return url + ("&" if "?" in url else "?") + urlencode({"search": search})


def _times_url(request: HttpRequest, **otherwise: str) -> str:
    """The page of times as it was left, or these times."""
    return f"{reverse('appointments:times')}?{search_before(request) or urlencode(otherwise)}"


def _look(request: HttpRequest, offered: OfferedSlot) -> None:
    """Refuse before anybody types what could not be booked."""
    now, user = timezone.now(), person(request)
    availability.check(offered.offering, start=offered.start, now=now, online=True, holder=user)


def _keep(request: HttpRequest, offered: OfferedSlot, patients: Iterable[Patient]) -> None:
    """While something is corrected the time is kept; if it cannot be, the next try says so."""
    with contextlib.suppress(Refusal):
        services.check_anybody(offered.offering, patients, now=timezone.now())
        holds.take(offering=offered.offering, start=offered.start, user=person(request))


def _draft(request: HttpRequest, offered: OfferedSlot) -> str:
    """Only for the time it was typed for: a browser may have several people in front of it."""
    url, reason = request.session.get(DRAFT, ("", ""))
    return reason if url == book_url(offered) else ""


def _who_again(request: HttpRequest, offered: OfferedSlot, patients: list[Patient]) -> str:
    """“Book again” is for whoever went there last; everybody else is asked for whom it is."""
    if "again" not in request.GET:
        return ""
    visits = Appointment.objects.filter(
        patient__in=patients, practitioner=offered.offering.practitioner, start__lt=timezone.now()
    )
    last = visits.order_by("-start").select_related("patient").first()
    return str(last.patient.public_id) if last else ""


def chosen_slot(request: HttpRequest) -> OfferedSlot:
    """The slot in the address, or in the form where an alternative was chosen."""
    slot = request.POST.get("slot", "")
    offering_id, _at, start = slot.partition("@")
    offering_id = offering_id or request.GET.get("offering", "")
    start = start or request.GET.get("start", "")
    offering = ServiceOffering.objects.with_parts().filter(pk=_number(offering_id)).first()
    instant = _instant(start)
    if offering is None or instant is None:
        raise Http404
    end = instant + dt.timedelta(minutes=offering.minutes)
    return OfferedSlot(Slot(instant, end, offering.pk), offering)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _instant(text: str) -> dt.datetime | None:
    """``2026-12-08T13:30Z``, and nothing else, within the years that can be booked."""
    try:
        instant = dt.datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return instant if 2000 <= instant.year < 2200 else None


def _book(request: HttpRequest, offered: OfferedSlot, form: BookingForm) -> HttpResponse:
    if not form.is_valid():
        _keep(request, offered, form.patients.values())
        return _page(request, offered, form, status=422)
    try:
        appointment = services.book(
            offering=offered.offering,
            patient=form.chosen_patient,
            start=offered.start,
            by=Actor.patient(person(request)),
            reason=form.cleaned_data["reason"],
            request_key=form.cleaned_data["key"],
            same_day_ok=form.cleaned_data["same_day"],
        )
    except (SameDay, PatientBusy) as refusal:
        if isinstance(refusal, SameDay):
            _keep(request, offered, [form.chosen_patient])
        return _page(request, offered, form, status=409, clash=refusal)
    except Refusal as refusal:
        return _refused(request, offered, form, refusal)
    request.session.pop(DRAFT, None)
    return redirect("appointments:detail", public_id=appointment.public_id)


def _page(
    request: HttpRequest,
    offered: OfferedSlot,
    form: BookingForm,
    *,
    status: int = 200,
    clash: SameDay | PatientBusy | None = None,
) -> HttpResponse:
    now, organization = timezone.now(), Organization.current()
    rules = booking_rules(offered.offering, organization)
    until = offered.start - rules.cancel_notice
    patients = list(form.patients.values())
    asking = limits.who_needs_approval(patients, now=now, organization=organization)
    context: dict[str, Any] = {
        "hold": holds.held_by(person(request), offered.offering, offered.start, now),
        "asks": not rules.is_automatic or len(asking) == len(patients),
        "rules": rules,
        "asking": [p.full_name for p in patients if p.pk in asking],
        "offered": offered,
        "offering": offered.offering,
        "form": form,
        "only_patient": patients[0] if len(patients) == 1 else None,
        "cancellable_until": until if until > now else None,
        "action": _with_search(request, book_url(offered)),
        "times_url": _times_url(
            request,
            what=what_of(offered.offering.service),
            who=offered.offering.practitioner.slug,
        ),
        "would_pay": would_pay(offered.offering.practitioner, form.patients.values()),
        "clash": clash,
        "may_repeat": isinstance(clash, SameDay),
    }
    return render(request, "appointments/book.html", context, status=status)


def _refused(
    request: HttpRequest, offered: OfferedSlot, form: BookingForm, refusal: Refusal
) -> HttpResponse:
    """Say why, keep what was typed, and offer what is near."""
    same: list[OfferedSlot] = []
    others: list[OfferedSlot] = []
    if not isinstance(refusal, LimitReached):
        same, others = timetable.nearest(
            offered.offering, around=offered.start, now=timezone.now(), holder=person(request)
        )
    if isinstance(refusal, OnlyKnownPatients):
        # Other times of the same practitioner would be refused as well.
        same = []
    data = form.data if form.is_bound else form.initial
    context = {
        "offered": offered,
        "offering": offered.offering,
        "refusal": refusal,
        "is_limit": isinstance(refusal, LimitReached),
        "same": [_alternative(o) for o in same],
        "others": [_alternative(o) for o in others],
        "kept": {"reason": data.get("reason", ""), "patient": data.get("patient", "")},
        "key": uuid.uuid4(),
        "action": _with_search(request, reverse("appointments:book")),
        "times_url": _times_url(request, what=what_of(offered.offering.service)),
    }
    return render(request, "appointments/book_refused.html", context, status=409)


def _alternative(offered: OfferedSlot) -> dict[str, Any]:
    start = offered.start.strftime("%Y-%m-%dT%H:%MZ")
    return {
        "value": f"{offered.offering.pk}@{start}",
        "text": long_time(offered),
        "practitioner": offered.offering.practitioner,
        "location": offered.offering.location,
        "url": book_url(offered),
    }
