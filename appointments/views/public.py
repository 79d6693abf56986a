"""Pages for everybody: home, times, practitioners. They write nothing."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Patient, Practitioner, User
from accounts.roles import Role
from appointments import search, timetable
from appointments.coverage import shared_insurer
from appointments.forms.search import FullSearchForm, SearchForm
from appointments.models import Appointment
from appointments.search import Wish
from appointments.timetable import OfferedSlot, PractitionerTimes
from clinic.models import Insurer, Organization, Service, Specialty
from clinic.templatetags.clinic_times import local_date, local_day, local_time
from scheduling.models import ServiceOffering

#: How many practitioners one page shows.
PAGE = 10
#: How many of a practitioner's days and times a card shows before "all times".
CARD_DAYS, CARD_TIMES = 3, 5


@dataclass(frozen=True, slots=True)
class TimeLink:
    """A time as a link: what is shown, and what a screen reader adds."""

    url: str
    text: str
    more: str


def book_url(offered: OfferedSlot) -> str:
    """The address of the confirm page for this slot; it carries nothing personal."""
    start = offered.start.astimezone(dt.UTC)
    minute = f"{start:%Y-%m-%dT%H}%3A{start:%M}Z"
    return f"{reverse('appointments:book')}?offering={offered.offering.pk}&start={minute}"


def time_links(day: timetable.Day) -> list[TimeLink]:
    """The times of one day as links; what they share is said once for all of them."""
    offerings = {o.offering.pk: o.offering for o in day.slots}
    more = {
        pk: _(", %(day)s, with %(practitioner)s, %(location)s")
        % {
            "day": local_day(day.date),
            "practitioner": offering.practitioner,
            "location": offering.location,
        }
        for pk, offering in offerings.items()
    }
    return [
        TimeLink(book_url(o), local_time(o.start, o.offering.location.zone), more[o.offering.pk])
        for o in day.slots
    ]


def long_time(offered: OfferedSlot) -> str:
    """``martes 8 de diciembre, 10:30``"""
    zone = offered.offering.location.zone
    return f"{local_day(offered.start, zone)}, {local_time(offered.start, zone)}"


def account(request: HttpRequest) -> User | None:
    return request.user if request.user.is_authenticated else None


def may_hold(request: HttpRequest) -> bool:
    """Whether a time that this person presses is kept: then it is a button, else a link."""
    return request.user.is_authenticated and Role.PATIENT in request.user.roles


def home(request: HttpRequest) -> HttpResponse:
    context: dict[str, Any] = {"search_form": SearchForm()}
    user = request.user
    if user.is_authenticated and Role.PATIENT in user.roles:
        now, patients = timezone.now(), list(Patient.objects.of(user))
        mine = Appointment.objects.filter(patient__in=patients)
        context["next_appointment"] = mine.upcoming(now).with_parts().first()
        context["again"] = [
            {"offered": o, "url": f"{book_url(o)}&again=1", "text": long_time(o)}
            for o in search.book_again(
                patients, now=now, organization=Organization.current(), holder=user
            )
        ]
        context["may_hold"] = True
    return render(request, "appointments/home.html", context)


def times(request: HttpRequest) -> HttpResponse:
    """Free times for a search; the address can be shared."""
    form = FullSearchForm(request.GET)
    own = _preselect_own_insurer(request, form)
    valid = form.is_valid()
    wish = form.wish() if valid else Wish()
    context: dict[str, Any] = {"search_form": form, "form": form, "wish": wish}
    context["may_hold"] = may_hold(request)
    if valid and (wish.specialty or wish.practitioner or wish.name):
        context |= _results(request, wish)
        if own:
            context |= {"own_insurer": own, "everybody": "?" + _query(request, coverage="")}
    if wish.practitioner:
        context["search_form"] = FullSearchForm(_with_name(request.GET, wish.practitioner))
    return render(request, "appointments/times.html", context, status=200 if valid else 422)


def _preselect_own_insurer(request: HttpRequest, form: FullSearchForm) -> Insurer | None:
    """The coverage of whoever searches, unless they have chosen a coverage or a person."""
    user = request.user
    if not user.is_authenticated or "coverage" in request.GET or request.GET.get("who"):
        return None
    own = shared_insurer(Patient.objects.of(user).with_coverage())
    if own is None or own not in form.insurers:
        return None
    shown = request.GET.copy()
    shown["coverage"] = own.slug
    form.data = shown
    return own


def _with_name(query: QueryDict, practitioner: Practitioner) -> QueryDict:
    """The search again, with the name of a person where the link had a short name."""
    shown = query.copy()
    shown["who"] = practitioner.full_name
    return shown


def _results(request: HttpRequest, wish: Wish) -> dict[str, Any]:
    services = search.services_for(wish)
    if not services:
        return {"nothing": True}
    service = wish.service if wish.service in services else services[0]
    offerings = list(search.offerings_for(wish, any_service=True).filter(service=service))
    organization = Organization.current()
    now = timezone.now()
    today = min(now.astimezone(o.location.zone).date() for o in offerings)
    first = max(wish.first or today, today)
    # A range that is over says no more than one without an end.
    last = wish.last if wish.last and wish.last >= first else None
    found = timetable.times(
        offerings,
        first=first,
        last=last,
        part=wish.part,
        now=now,
        organization=organization,
        holder=account(request),
    )
    alone = found[0] if len(found) == 1 else None
    return {
        "service": service,
        "tabs": _tabs(request, services, service),
        "first_time": _first_time(found, last),
        "alone": alone and _alone(request, alone, offerings, first, today, last),
        "cards": None if alone else _cards(request, found, last),
        "since": first,
    }


def _tabs(request: HttpRequest, services: list[Service], current: Service) -> list[dict[str, Any]]:
    """The other services the search may mean, as links."""
    return [
        {
            "label": service.name,
            "url": "?" + _query(request, what=f"{service.specialty.slug}/{service.slug}"),
            "current": service == current,
        }
        for service in services
    ]


def _query(request: HttpRequest, **changes: str) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    for name, value in changes.items():
        query[name] = value
    return query.urlencode()


def _since(day: dt.date, last: dt.date | None) -> dict[str, str]:
    """What a link from this day on asks for: a day after the range ends the range."""
    beyond = last is not None and day > last
    return {"since": day.isoformat(), **({"until": ""} if beyond else {})}


def _first_time(found: list[PractitionerTimes], last: dt.date | None) -> dict[str, Any] | None:
    firsts = [p.first or p.later for p in found]
    offered = min((o for o in firsts if o), key=lambda o: o.start, default=None)
    if offered is None:
        return None
    return {
        "offered": offered,
        "url": book_url(offered),
        "text": long_time(offered),
        "is_beyond": last is not None and offered.day > last,
    }


def _alone(
    request: HttpRequest,
    one: PractitionerTimes,
    offerings: list[ServiceOffering],
    first: dt.date,
    today: dt.date,
    last: dt.date | None,
) -> dict[str, Any]:
    """Seven days of one practitioner, and the ways to other weeks."""
    week = dt.timedelta(days=timetable.WINDOW_DAYS)
    several = len({o.location.pk for o in offerings}) > 1
    later = one.later
    return {
        "practitioner": one.practitioner,
        "known_only": all(o.known_only for o in offerings),
        "days": [_day(day, several=several) for day in one.days()],
        "next_week": (
            "?" + _query(request, since=(first + week).isoformat())
            if last is None or first + week <= last
            else ""
        ),
        "previous_week": (
            "?" + _query(request, since=max(first - week, today).isoformat())
            if first > today
            else ""
        ),
        "whole_day": "?" + _query(request, part="") if request.GET.get("part") else "",
        "later": later and {"url": book_url(later), "text": long_time(later)},
        "later_week": later and "?" + _query(request, **_since(later.day, last)),
    }


def _day(day: timetable.Day, *, several: bool) -> dict[str, Any]:
    places = sorted({str(o.offering.location) for o in day.slots})
    return {
        "heading": local_date(day.date),
        "note": " · ".join(places) if several else "",
        "times": time_links(day),
    }


def _cards(
    request: HttpRequest, found: list[PractitionerTimes], last: dt.date | None
) -> dict[str, Any]:
    page = Paginator(found, PAGE).get_page(small_page(request.GET.get("page")))
    return {"page": page, "people": [_card(request, person, last) for person in page]}


def small_page(page: str | None) -> str | None:
    """A page number that a person may have typed; anything longer is the first page."""
    return page if page and len(page) < 7 else None


def _card(request: HttpRequest, person: PractitionerTimes, last: dt.date | None) -> dict[str, Any]:
    days = list(itertools.islice(person.days(most_times=CARD_TIMES), CARD_DAYS))
    later = person.later
    places = {str(free.offering.location) for free in person.free}
    offered = [free.offering for free in person.free]
    if later:
        places.add(str(later.offering.location))
        offered.append(later.offering)
    since = _since(later.day, last) if later else {"since": request.GET.get("since", "")[:10]}
    return {
        "practitioner": person.practitioner,
        "places": " · ".join(sorted(places)),
        "known_only": bool(offered) and all(o.known_only for o in offered),
        "days": [{"heading": local_day(day.date), "times": time_links(day)} for day in days],
        "later": later and {"url": book_url(later), "text": long_time(later)},
        "all_url": "?" + _query(request, who=person.practitioner.slug, **since),
    }


def practitioners(request: HttpRequest) -> HttpResponse:
    """Everybody who can be booked, by name or specialty, with their first free time."""
    text = request.GET.get("q", "")[:100]
    specialties = [row.specialty for row in search.specialties_online()]
    wanted = request.GET.get("specialty")
    specialty = next((s for s in specialties if s.slug == wanted), None)
    people = Practitioner.objects.active().filter(pk__in=search.practitioners_online())
    if text:
        people = people.search(text)
    if specialty:
        people = people.filter(specialties=specialty)
    people = people.order_by("search_text").prefetch_related(
        Prefetch("specialties", Specialty.objects.order_by("search_text"))
    )
    page = Paginator(people, PAGE).get_page(small_page(request.GET.get("page")))
    context = {
        "page": page,
        "q": text,
        "specialties": specialties,
        "specialty": specialty,
        "people": _with_first_time(list(page), account(request)),
        "may_hold": may_hold(request),
    }
    return render(request, "appointments/practitioner_list.html", context)


def _with_first_time(people: list[Practitioner], holder: User | None) -> list[dict[str, Any]]:
    offerings = list(
        ServiceOffering.objects.online().with_parts().filter(schedule__practitioner__in=people)
    )
    now = timezone.now()
    firsts = timetable.first_slots(
        offerings, start=now, now=now, organization=Organization.current(), holder=holder
    )
    places: dict[int, set[str]] = {}
    for offering in offerings:
        places.setdefault(offering.practitioner.pk, set()).add(str(offering.location))
    return [
        {
            "practitioner": person,
            "specialties": ", ".join(s.name for s in person.specialties.all()),
            "places": " · ".join(sorted(places.get(person.pk, ()))),
            "next_url": book_url(firsts[person.pk]) if person.pk in firsts else "",
            "next_text": long_time(firsts[person.pk]) if person.pk in firsts else "",
        }
        for person in people
    ]


def _first_slots(offerings: list[ServiceOffering]) -> dict[int, OfferedSlot]:
    now, organization = timezone.now(), Organization.current()
    return timetable.first_slots(offerings, start=now, now=now, organization=organization)


def practitioner(request: HttpRequest, slug: str) -> HttpResponse:
    """One practitioner: who they are and what can be booked with them."""
    known = Prefetch("insurers", Insurer.objects.filter(is_active=True))
    person = get_object_or_404(
        Practitioner.objects.active().prefetch_related("specialties", known), slug=slug
    )
    offerings = list(
        ServiceOffering.objects.online()
        .with_parts()
        .filter(schedule__practitioner=person)
        .order_by("service__search_text", "schedule__location__search_text")
    )
    now = timezone.now()
    firsts = timetable.first_slots(
        offerings, start=now, now=now, organization=Organization.current(), holder=account(request)
    )
    services: dict[int, dict[str, Any]] = {}
    for offering in offerings:
        row = services.setdefault(
            offering.service_id, {"service": offering.service, "offerings": [], "url": ""}
        )
        row["offerings"].append(offering)
        what = f"{offering.service.specialty.slug}/{offering.service.slug}"
        query = urlencode({"what": what, "who": person.slug})
        row["url"] = f"{reverse('appointments:times')}?{query}"
    first = firsts.get(person.pk)
    context = {
        "practitioner": person,
        "services": list(services.values()),
        "first": first and {"url": book_url(first), "text": long_time(first), "offered": first},
        "may_hold": may_hold(request),
    }
    return render(request, "appointments/practitioner_detail.html", context)
