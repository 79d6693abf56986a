"""Giving an appointment, at the desk and in the agenda: choose, find the patient, done.

The same page all along: its address says what is known so far. A gap brings the time,
a patient's page the patient; one button gives the appointment.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.models import Patient, PatientQuerySet, User
from accounts.roles import Actor, Role
from accounts.rules import may_overbook
from appointments import agenda, freed, giving, services
from appointments.availability import present_step
from appointments.coverage import would_pay
from appointments.exceptions import OverbookingReasonNeeded, Refusal
from appointments.forms.giving import GivingForm
from appointments.giving import Verdict
from appointments.models import Appointment, WaitingOffer
from appointments.timetable import OfferedSlot
from appointments.views import searches
from appointments.views.doors import as_practitioner, own_practice, places_of
from appointments.views.practice import at_the_desk
from appointments.views.public import small_page
from clinic.templatetags.clinic_times import local_datetime, local_time
from clinic.text import uuid_of
from scheduling.intervals import to_instant
from scheduling.models import ServiceOffering
from scheduling.wallclock import day_bounds, instant_of

PAGE = 20
#: What the form asks for; the rest it carries along.
SEARCH = ("q", "servicio", "dia", "hora", "paciente", "ahora", "vez")
#: So long after a visit the next one is proposed.
NEXT_VISIT = dt.timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Counter:
    """Through which door appointments are given: what, to whom, and by whom."""

    by: Actor
    offerings: Sequence[ServiceOffering]
    patients: PatientQuerySet
    is_desk: bool

    @property
    def url(self) -> str:
        return reverse("appointments:desk_give" if self.is_desk else "appointments:give")

    def form(self, *args: Any, **kwargs: Any) -> GivingForm:
        return GivingForm(*args, offerings=self.offerings, is_desk=self.is_desk, **kwargs)

    def visits(self) -> Any:
        """The appointments that this door may see."""
        if self.is_desk:
            assert self.by.user is not None  # noqa: S101 (for mypy)
            return Appointment.objects.filter(location__in=places_of(self.by.user))
        return Appointment.objects.filter(practitioner__user=self.by.user)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says: for what, when, for whom; None for what is still open."""

    offering: ServiceOffering
    start: dt.datetime | None
    is_here: bool
    patient: Patient | None
    q: str
    #: Of a number the address carries only the key.
    s: str = ""

    @property
    def is_again(self) -> bool:
        """The clock has shown this time already that night."""
        return bool(self.start and self.start.astimezone(self.offering.location.zone).fold)

    def query(self, **changed: str) -> str:
        """The same as an address, every part written out; an empty one is left out."""
        parts = {"servicio": str(self.offering.pk)}
        if self.is_here:
            parts["ahora"] = "1"
        elif self.start:
            local = self.start.astimezone(self.offering.location.zone)
            parts |= {"dia": local.date().isoformat(), "hora": f"{local:%H:%M}"}
            parts |= {"vez": "2"} if local.fold else {}
        if self.patient:
            parts["paciente"] = str(self.patient.public_id)
        looked_for = {"s": self.s} if self.s else {"q": self.q}
        parts = {**parts, **looked_for, **changed}
        return urlencode({name: value for name, value in parts.items() if value})


def give_url(user: User, offered: OfferedSlot) -> str:
    """Where this person gives that time to a patient, or else any time; empty: nowhere."""
    asked = Asked(offered.offering, offered.start, is_here=False, patient=None, q="").query()
    own, desk = reverse("appointments:give"), reverse("appointments:desk_give")
    if Role.PRACTITIONER in user.roles and offered.offering.practitioner.user_id == user.pk:
        return f"{own}?{asked}"
    if user.roles & {Role.RECEPTION, Role.ADMINISTRATOR}:
        return f"{desk}?{asked}" if offered.offering.location in places_of(user) else desk
    return own if Role.PRACTITIONER in user.roles else ""


def give_at_desk(request: HttpRequest) -> HttpResponse:
    user = person(request)
    offerings = _offerings().filter(schedule__location__in=places_of(user))
    patients = Patient.objects.active().with_coverage()
    counter = Counter(at_the_desk(user), list(offerings), patients, is_desk=True)
    return _give(request, counter)


def give(request: HttpRequest) -> HttpResponse:
    """In one's own agenda, to one's own patients."""
    own = own_practice(request)
    offerings = _offerings().filter(schedule__practitioner=own)
    patients = giving.patients_of(own).with_coverage()
    return _give(request, Counter(as_practitioner(request), list(offerings), patients, False))


def _offerings() -> Any:
    order = ("schedule__practitioner__search_text", "schedule_id", "service__search_text", "pk")
    return ServiceOffering.objects.bookable().with_parts().order_by(*order)


def _give(request: HttpRequest, counter: Counter) -> HttpResponse:
    if "despues" in request.GET:
        return _after(request, counter)
    if "find" in request.POST:
        return searches.asked_again(request, *SEARCH)
    if elsewhere := searches.moved(request):
        return elsewhere
    if not counter.offerings:
        return render(request, "appointments/give_nothing.html", {"is_desk": counter.is_desk})
    now = timezone.now()
    patient = _patient(counter, request.GET.get("paciente", ""))
    form, asked = _read(request, counter, patient, now)
    if asked is None:
        context = {"form": form, "counter": counter, "known": patient}
        return render(request, "appointments/give.html", context, status=422)
    if request.method == "POST":
        return _post(request, counter, asked)
    return _page(request, counter, asked, now)


def _after(request: HttpRequest, counter: Counter) -> HttpResponse:
    """The next visit of an appointment: the same again, some weeks later, at the first time."""
    public_id = uuid_of(request.GET["despues"]) or uuid.UUID(int=0)
    last = get_object_or_404(counter.visits().with_parts(), public_id=public_id)
    same = (last.practitioner_id, last.location_id, last.service_id)
    query = {"paciente": last.patient.public_id, "dia": last.local_date + NEXT_VISIT}
    for o in counter.offerings:
        if same == (o.schedule.practitioner_id, o.schedule.location_id, o.service_id):
            query["servicio"] = o.pk
    return HttpResponseRedirect(f"{counter.url}?{urlencode(query)}")


def _read(
    request: HttpRequest, counter: Counter, patient: Patient | None, now: dt.datetime
) -> tuple[GivingForm, Asked | None]:
    """What is known; whatever else the address says counts as not given."""
    offering = _chosen(request, counter.offerings, patient)
    is_here = "ahora" in request.GET
    data = {name: request.GET.get(name, "")[:200] for name in ("dia", "hora")}
    kept = searches.key_of(request)
    data["q"] = searches.text_of(request) if kept else request.GET.get("q", "")[:200]
    form = counter.form({**data, "servicio": str(offering.pk)}, is_here=is_here)
    if not form.is_valid():
        if patient:
            del form.fields["q"]
        return form, None
    if is_here:
        start: dt.datetime | None = present_step(now)
    else:
        day, clock = form.cleaned_data["dia"], form.cleaned_data["hora"]
        start = _start(offering, day, clock, now, again=request.GET.get("vez") == "2")
    q = form.cleaned_data["q"]
    return form, Asked(offering, start, is_here, patient, q, kept if q else "")


def _chosen(
    request: HttpRequest, offerings: Sequence[ServiceOffering], patient: Patient | None
) -> ServiceOffering:
    """The one in the address; else what is given most often in that schedule, or what this
    patient had last."""
    wanted, schedule = request.GET.get("servicio", ""), request.GET.get("horario", "")
    if exact := [o for o in offerings if str(o.pk) == wanted]:
        return exact[0]
    there = [o for o in offerings if str(o.schedule_id) == schedule]
    if there:
        return giving.most_given(there)
    last = giving.had_last(patient, offerings) if patient else None
    return last or offerings[0]


def _start(
    offering: ServiceOffering,
    day: dt.date | None,
    clock: dt.time | None,
    now: dt.datetime,
    *,
    again: bool,
) -> dt.datetime | None:
    """``again``: of two such times in the night of a clock change, the second."""
    zone = offering.location.zone
    day = day or now.astimezone(zone).date()
    if clock:
        return to_instant(instant_of(day, clock, zone, again=again))
    return giving.first_free(offering, since=to_instant(day_bounds(day, zone)[0]), now=now)


def _patient(counter: Counter, text: str) -> Patient | None:
    public_id = uuid_of(text)
    return counter.patients.filter(public_id=public_id).first() if public_id else None


def _post(request: HttpRequest, counter: Counter, asked: Asked) -> HttpResponse:
    patient = _patient(counter, request.POST.get("paciente", ""))
    start = asked.start
    if patient is None or start is None:
        raise Http404
    asked = replace(asked, patient=patient)
    why = request.POST.get("motivo", "").strip()[:300]
    try:
        made = _made(counter, asked, start, why, uuid_of(request.POST.get("key", "")))
    except Refusal as refusal:
        return _page(request, counter, asked, timezone.now(), refused=refusal, why=why)
    sentence = _("Given: %(name)s, %(when)s.")
    facts = {"name": patient.full_name, "when": local_datetime(made.start, made.zone)}
    messages.success(request, sentence % facts, extra_tags=agenda.anchor(made))
    return redirect(_row_url(counter, made))


def _made(
    counter: Counter, asked: Asked, start: dt.datetime, why: str, key: uuid.UUID | None
) -> Appointment:
    what: dict[str, Any] = {
        "offering": asked.offering,
        "patient": asked.patient,
        "by": counter.by,
        "request_key": key,
    }
    if asked.is_here:
        return services.walk_in(**what, why=why)
    if offer := _offer_to(asked, timezone.now()):
        return freed.accept(offer=offer, by=counter.by)
    if why:
        return services.overbook(**what, start=start, why=why)
    return services.book(**what, start=start)


def _row_url(counter: Counter, made: Appointment) -> str:
    if counter.is_desk:
        query = urlencode({"sede": made.location.slug, "dia": made.local_date.isoformat()})
        return f"{reverse('appointments:desk')}?{query}#{agenda.anchor(made)}"
    return f"{reverse('appointments:agenda_day', args=[made.local_date])}#{agenda.anchor(made)}"


def _page(
    request: HttpRequest,
    counter: Counter,
    asked: Asked,
    now: dt.datetime,
    *,
    refused: Refusal | None = None,
    why: str = "",
) -> HttpResponse:
    """Where one is: what, when, for whom, and what is missing."""
    may = may_overbook(counter.by, asked.offering.practitioner)
    verdict, offer = Verdict(), _offer_to(asked, now)
    if asked.start and offer is None:
        verdict = giving.look(asked.offering, asked.start, now=now, may_overbook=may)
    if verdict.kept:
        # Seen by this page a moment later than by the verb, and in more words.
        refused = refused and verdict.refusal
    page = _found(request, counter, asked)
    shown = [asked.patient] if asked.patient else list(page or [])
    no_reason = bool(refused and verdict.may_go_over and not why and "motivo" in request.POST)
    context = {
        "form": _form(counter, asked),
        "counter": counter,
        "asked": asked,
        "offering": asked.offering,
        "zone": asked.offering.location.zone,
        "refusal": OverbookingReasonNeeded() if no_reason else refused or verdict.refusal,
        "goes_over": verdict.may_go_over,
        "can_give": asked.start and (verdict.refusal is None or verdict.may_go_over),
        "offer": offer,
        **_others(counter, offer, refused or verdict.refusal),
        **_kept(counter, asked, verdict),
        "later": f"{counter.url}?{replace(asked, is_here=False, start=None).query()}",
        "why": why,
        "no_reason": no_reason,
        "times": _times(counter, asked, now),
        "page": page,
        "pays": would_pay(asked.offering.practitioner, shown),
        "action": f"{counter.url}?{asked.query(paciente='')}",
        "keeps": asked.query(),
        "wish": _wish(asked),
        "without_patient": f"{counter.url}?{asked.query(paciente='')}",
        "key": uuid.uuid4(),
    }
    status = 422 if no_reason else 409 if refused else 200
    return render(request, "appointments/give.html", context, status=status)


def _wish(asked: Asked) -> str:
    """What they would wait for, as the address of the waiting list says it."""
    service, place = asked.offering.service, asked.offering.location
    what = f"{service.specialty.slug}/{service.slug}"
    return urlencode({"what": what, "who": asked.offering.practitioner.slug, "where": place.slug})


def _others(
    counter: Counter, offer: WaitingOffer | None, refusal: Refusal | None
) -> dict[str, Any]:
    """Other appointments of the patient: when they are is said of those this door may see."""
    given_back = freed.to_give_back(offer.entry) if offer else None
    clash = getattr(refusal, "appointment", None)
    ids = [one.pk for one in (given_back, clash) if one]
    seen = set(counter.visits().filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    return {
        "given_back": given_back,
        "sees_given_back": given_back and given_back.pk in seen,
        "clash": clash if clash and clash.pk in seen else None,
    }


def _offer_to(asked: Asked, now: dt.datetime) -> WaitingOffer | None:
    """To this patient: giving it is their yes, by telephone or in person."""
    if asked.patient is None or asked.start is None or asked.is_here:
        return None
    return giving.offer_to(asked.patient, asked.offering, asked.start, now=now)


def _kept(counter: Counter, asked: Asked, verdict: Verdict) -> dict[str, Any]:
    """What keeps the time from being given, and for whom, if this door may know them."""
    if verdict.kept is None:
        return {}
    offer = giving.offer_of(verdict.kept)
    if offer is None:
        return {"kept": verdict.kept}
    whose = counter.patients.filter(pk=offer.entry.patient_id).first()
    if whose is None:
        return {"kept": verdict.kept}
    wish = replace(asked, patient=whose, q="", s="")
    url = f"{counter.url}?{wish.query()}" if _offer_to(wish, offer.offered_at) == offer else ""
    return {"kept": verdict.kept, "kept_for": whose, "take_url": url}


def _form(counter: Counter, asked: Asked) -> GivingForm:
    """As it is understood, not as it was asked."""
    local = asked.start.astimezone(asked.offering.location.zone) if asked.start else None
    initial = {
        "q": asked.q,
        "servicio": str(asked.offering.pk),
        "dia": local and local.date(),
        "hora": local and local.time(),
    }
    form = counter.form(initial=initial, is_here=asked.is_here)
    if asked.patient:
        del form.fields["q"]
    return form


def _times(counter: Counter, asked: Asked, now: dt.datetime) -> list[dict[str, Any]]:
    """The other free times of that day."""
    if asked.is_here or asked.start is None:
        return []
    zone = asked.offering.location.zone
    start, end = day_bounds(asked.start.astimezone(zone).date(), zone)
    slots = giving.free_starts(
        asked.offering, start=to_instant(start), end=to_instant(end), now=now
    )
    return [
        {
            "url": f"{counter.url}?{replace(asked, start=slot.start).query()}",
            "text": local_time(slot.start, zone),
            "is_chosen": slot.start == asked.start,
        }
        for slot in slots
    ]


def _found(request: HttpRequest, counter: Counter, asked: Asked) -> Any:
    """The patients that match, a page of them; None when nobody is looked for."""
    if asked.patient or not asked.q:
        return None
    rows = counter.patients.find(asked.q).order_by("search_text", "pk")
    return Paginator(rows, PAGE).get_page(small_page(request.GET.get("page")))
