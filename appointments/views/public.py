"""Pages for everybody: home, times, practitioners. They write nothing."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Patient, Practitioner, User
from accounts.roles import Role
from appointments import search, timetable
from appointments.addresses import search_in
from appointments.coverage import shared_insurer
from appointments.forms.search import NARROWING, FullSearchForm, SearchForm
from appointments.models import Appointment
from appointments.search import Wish
from appointments.timetable import Lineup, OfferedSlot, PractitionerTimes
from clinic import current
from clinic.models import Insurer, OnlineFor, Service, Specialty
from clinic.templatetags.clinic_times import local_date, local_day, local_time
from clinic.templatetags.clinic_ui import initials
from clinic.text import APART
from scheduling.catalogue import Catalogue, catalogue
from scheduling.models import ServiceOffering
from scheduling.selectors import booking_rules, online_rule

#: How many practitioners one page shows.
PAGE = 10
#: How many of a practitioner's days and times a card shows before "all times".
CARD_DAYS, CARD_TIMES = 3, 5


class TimeLink(NamedTuple):
    """A time as a link: what is shown, and what a screen reader adds."""

    url: str
    text: str
    more: str


class Days(NamedTuple):
    """Which days were asked for: from which on, today's date, and until which, if that was said."""

    first: dt.date
    today: dt.date
    last: dt.date | None


class SlotGroup(NamedTuple):
    """Times that go together, and what is said of them: the place, where that is not clear."""

    times: list[TimeLink]
    note: str = ""


class SlotDay(NamedTuple):
    """What components/slot_times.html shows of one day."""

    heading: str
    groups: list[SlotGroup]


def book_url(offered: OfferedSlot) -> str:
    """The address of the confirm page for this slot; it carries nothing personal."""
    return _book_url(_book_page(get_script_prefix()), offered)


@functools.lru_cache(maxsize=4)
def _book_page(_prefix: str) -> str:
    return reverse("appointments:book")


@functools.lru_cache(maxsize=1024)
def _person_page(_prefix: str, slug: str) -> str:
    return reverse("appointments:practitioner", args=[slug])


def _book_url(page: str, offered: OfferedSlot) -> str:
    return f"{page}?offering={offered.slot.offering_id}&start={_in_address(offered.slot.start)}"


@functools.lru_cache(maxsize=4096)
def _in_address(start: dt.datetime) -> str:
    return start.astimezone(dt.UTC).isoformat()[:16].replace(":", "%3A") + "Z"


def time_links(day: timetable.Day) -> list[TimeLink]:
    """The times of one day as links; what they share is said once for all of them."""
    offerings = {o.slot.offering_id: o.offering for o in day.slots}
    more = {
        pk: _(", %(day)s, with %(practitioner)s, %(location)s")
        % {
            "day": local_day(day.date),
            "practitioner": offering.practitioner,
            "location": offering.location,
        }
        for pk, offering in offerings.items()
    }
    zones = {pk: offering.location.zone for pk, offering in offerings.items()}
    page = _book_page(get_script_prefix())
    return [
        TimeLink(_book_url(page, o), local_time(o.slot.start, zones[pk]), more[pk])
        for o in day.slots
        for pk in (o.slot.offering_id,)
    ]


def slot_groups(
    day: timetable.Day, links: Iterable[TimeLink], *, shows_place: bool
) -> list[SlotGroup]:
    """The times of one day; ``shows_place``: those of each place apart, under its name."""
    if not shows_place:
        return [SlotGroup(list(links))]
    groups: dict[str, list[TimeLink]] = {}
    for offered, link in zip(day.slots, links, strict=True):
        groups.setdefault(str(offered.offering.location), []).append(link)
    return [SlotGroup(times, place) for place, times in groups.items()]


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
    form = _home_form(request)
    context: dict[str, Any] = {"search_form": form}
    user = request.user
    if user.is_authenticated and Role.PATIENT in user.roles:
        now, patients = timezone.now(), list(Patient.objects.of(user))
        clinic = current.organization(request)
        mine = Appointment.objects.filter(patient__in=patients)
        context["next_appointment"] = mine.upcoming(now).with_parts().first()
        context["again"] = [
            {"offered": o, "url": f"{book_url(o)}&again=1", "text": long_time(o)}
            for o in search.book_again(patients, now=now, organization=clinic, holder=user)
        ]
        context["may_hold"] = True
    status = 422 if form.errors else 200
    return render(request, "appointments/home.html", context, status=status)


def _home_form(request: HttpRequest) -> SearchForm:
    """Empty, or with the search that somebody comes back from, in the form it was made with."""
    query, known = request.GET, _known(request)
    narrowed = any(name in query for name in NARROWING)
    kind = FullSearchForm if narrowed else SearchForm
    if not any(name in query for name in kind.base_fields):
        return kind(known=known)
    form = kind(query, known=known)
    person = form.wish().practitioner if form.is_valid() else None
    return kind(_with_name(query, person), known=known) if person else form


def times(request: HttpRequest) -> HttpResponse:
    """Free times for a search; the address can be shared."""
    known = _known(request)
    form = FullSearchForm(request.GET, known=known)
    own = _preselect_own_insurer(request, form)
    valid = form.is_valid()
    wish = form.wish() if valid else Wish()
    context: dict[str, Any] = {"search_form": form, "form": form, "wish": wish}
    context["home_url"] = _home_url(request)
    context["may_hold"] = may_hold(request)
    if valid and (wish.specialty or wish.practitioner or wish.name):
        context |= _results(request, wish, known)
        if own:
            context |= {"own_insurer": own, "everybody": "?" + _query(request, coverage="")}
    if wish.practitioner:
        form.data = _with_name(request.GET, wish.practitioner)
    return render(request, "appointments/times.html", context, status=200 if valid else 422)


def _home_url(request: HttpRequest) -> str:
    """Back to the home page with this search in its form."""
    query = search_in(request.META.get("QUERY_STRING", ""))
    return reverse("home") + ("?" + query if query else "")


def _known(request: HttpRequest) -> Catalogue:
    return catalogue(current.organization(request))


def _preselect_own_insurer(request: HttpRequest, form: FullSearchForm) -> Insurer | None:
    """The coverage of whoever searches, unless they have chosen a coverage or a person."""
    user = request.user
    chosen = "coverage" in request.GET or request.GET.get("who")
    if not user.is_authenticated or chosen or not form.insurers:
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


def _results(request: HttpRequest, wish: Wish, known: Catalogue) -> dict[str, Any]:
    services = search.services_for(wish, known)
    if not services or (wish.service and wish.service not in services):
        # Another service is never what was asked for: it is a link.
        return {"nothing": True, "tabs": _tabs(request, services, None)}
    asked = wish.service
    if len(services) == 1:
        (asked,) = services
    offerings = search.offerings_for(replace(wish, service=asked), known)
    if asked is None:
        offerings = search.by_service(offerings, services, known)
    now = timezone.now()
    days = _days(wish, known.zones_of(offerings), now)
    found = timetable.times(
        offerings,
        first=days.first,
        last=days.last,
        part=wish.part,
        now=now,
        organization=current.organization(request),
        holder=account(request),
    )
    alone = found[0] if len(found) == 1 else None
    # One practitioner's page is of one service; among several each card names its own.
    service = asked or (alone.service if alone else None)
    if alone and service and not asked:
        offerings = [o for o in offerings if o.service_id == service.pk]
    pinned = asked is None
    return {
        "services": services,
        "service": service,
        "subject": service or wish.specialty,
        "tabs": _tabs(request, services, service),
        "first_time": _first_time(found, days.last),
        "shows_place": _are_at_several_places(offerings),
        "alone": alone and _alone(request, alone, offerings, days, pinned=pinned),
        "cards": None if alone else _cards(request, found, days, pinned=pinned),
        "others_url": _others_url(service or wish.specialty),
        "since": days.first,
        "waiting_url": _waiting_url(wish, service) if _may_wait(request) else "",
    }


def _days(wish: Wish, zones: Iterable[ZoneInfo], now: dt.datetime) -> Days:
    today = min(now.astimezone(zone).date() for zone in zones)
    first = max(wish.first or today, today)
    # A range that is over says no more than one without an end.
    return Days(first, today, wish.last if wish.last and wish.last >= first else None)


def what_of(subject: Service | Specialty) -> str:
    """As the address of a search says it."""
    if isinstance(subject, Service):
        return f"{subject.specialty.slug}/{subject.slug}"
    return subject.slug


def _others_url(subject: Service | Specialty | None) -> str:
    """The other practitioners for the same."""
    if subject is None:
        return reverse("appointments:practitioners")
    return "?" + urlencode({"what": what_of(subject)})


def _may_wait(request: HttpRequest) -> bool:
    """Only patients are told of freed times; whoever has no account yet can become one."""
    user = request.user
    return not user.is_authenticated or Role.PATIENT in user.roles


def _waiting_url(wish: Wish, service: Service | None) -> str:
    """Where to wait for what there is not: the same service, practitioner and location.

    Whoever looked for any service of a specialty waits for any of it.
    """
    subject = service if wish.service or not wish.specialty else wish.specialty
    query = {"what": what_of(subject)} if subject else {}
    if wish.practitioner:
        query["who"] = wish.practitioner.slug
    if wish.location:
        query["where"] = wish.location.slug
    return reverse("appointments:waiting_new") + ("?" + urlencode(query) if query else "")


def _tabs(
    request: HttpRequest, services: list[Service], current: Service | None
) -> list[dict[str, Any]]:
    """The services the search may mean, as links."""
    return [
        {
            "label": service.name,
            "url": "?" + _query(request, what=what_of(service)),
            "current": service == current,
        }
        for service in services
    ]


def _query(request: HttpRequest, **changes: str) -> str:
    query = {name: values for name, values in request.GET.lists() if name != "page"}
    query |= {name: [value] for name, value in changes.items()}
    return urlencode(query, doseq=True)


def _since(day: dt.date, last: dt.date | None) -> dict[str, str]:
    """What a link from this day on asks for: a day after the range ends the range."""
    beyond = last is not None and day > last
    return {"since": day.isoformat(), **({"until": ""} if beyond else {})}


def _first_time(found: Lineup, last: dt.date | None) -> dict[str, Any] | None:
    offered = found.first
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
    days: Days,
    *,
    pinned: bool,
) -> dict[str, Any]:
    """Seven days of one practitioner, and the ways to other weeks.

    ``pinned``: the ways keep to the service shown, which nobody asked for.
    """
    first, today, last = days
    same = _pin(one) if pinned else {}
    week = dt.timedelta(days=timetable.WINDOW_DAYS)
    several = _are_at_several_places(offerings)
    later = one.later
    return {
        "practitioner": one.practitioner,
        "known_only": _only_known(request, offerings),
        "days": [_day(day, several=several) for day in one.days()],
        "next_week": (
            "?" + _query(request, since=(first + week).isoformat(), **same)
            if last is None or first + week <= last
            else ""
        ),
        "previous_week": (
            "?" + _query(request, since=max(first - week, today).isoformat(), **same)
            if first > today
            else ""
        ),
        "whole_day": "?" + _query(request, part="") if request.GET.get("part") else "",
        "later": later
        and {
            "url": book_url(later),
            "text": long_time(later),
            "place": str(later.offering.location) if several else "",
        },
        "later_week": later and "?" + _query(request, **_since(later.day, last), **same),
    }


def _are_at_several_places(offerings: Iterable[ServiceOffering]) -> bool:
    return len({o.schedule.location_id for o in offerings}) > 1


def _only_known(request: HttpRequest, offerings: list[ServiceOffering]) -> bool:
    """Whether all of these are only for patients seen before."""
    clinic = current.organization(request)
    return bool(offerings) and all(
        online_rule(o, clinic).value == OnlineFor.KNOWN for o in offerings
    )


def _pin(person: PractitionerTimes) -> dict[str, str]:
    """What a link that keeps to the service of these times asks for."""
    return {"what": what_of(person.service)} if person.service else {}


def _day(day: timetable.Day, *, several: bool) -> SlotDay:
    return SlotDay(local_date(day.date), slot_groups(day, time_links(day), shows_place=several))


def _cards(request: HttpRequest, found: Lineup, days: Days, *, pinned: bool) -> dict[str, Any]:
    page = Paginator(found, PAGE).get_page(small_page(request.GET.get("page")))
    return {
        "page": page,
        "people": [_card(request, person, days, pinned=pinned) for person in page],
    }


def small_page(page: str | None) -> str | None:
    """A page number that a person may have typed; anything longer is the first page."""
    return page if page and len(page) < 7 else None


def _card(
    request: HttpRequest, person: PractitionerTimes, wanted: Days, *, pinned: bool
) -> dict[str, Any]:
    """``pinned``: each practitioner with a service of their own, which the card names."""
    days = list(itertools.islice(person.days(most_times=CARD_TIMES), CARD_DAYS))
    later = person.later
    places = {str(free.offering.location) for free in person.free}
    offered = [free.offering for free in person.free]
    if later:
        places.add(str(later.offering.location))
        offered.append(later.offering)
    if later:
        since = _since(later.day, wanted.last)
    else:
        since = {"since": wanted.first.isoformat() if request.GET.get("since") else ""}
    same = _pin(person) if pinned else {}
    return {
        "service": person.service if pinned else None,
        "practitioner": person.practitioner,
        "name": str(person.practitioner),
        "initials": initials(person.practitioner.full_name),
        "url": _person_page(get_script_prefix(), person.practitioner.slug),
        "places": APART.join(sorted(places)),
        "known_only": _only_known(request, offered),
        "days": [_card_day(day, several=len(places) > 1) for day in days],
        "later": later and {"url": book_url(later), "text": long_time(later)},
        "is_beyond": bool(later and wanted.last and later.day > wanted.last),
        "all_url": "?" + _query(request, who=person.practitioner.slug, **since, **same),
        "all_text": _("All times of %(name)s") % {"name": person.practitioner},
    }


def _card_day(day: timetable.Day, *, several: bool) -> SlotDay:
    return SlotDay(local_day(day.date), slot_groups(day, time_links(day), shows_place=several))


def practitioners(request: HttpRequest) -> HttpResponse:
    """Everybody who can be booked, by name or specialty, with their first free time."""
    text = request.GET.get("q", "")[:100]
    known = _known(request)
    specialties = known.specialties
    wanted = request.GET.get("specialty")
    specialty = next((s for s in specialties if s.slug == wanted), None)
    online = search.practitioners_online(known, text)
    people = Practitioner.objects.active().filter(pk__in=online)
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
        "people": _with_first_time(list(page), request),
        "may_hold": may_hold(request),
    }
    return render(request, "appointments/practitioner_list.html", context)


def _with_first_time(people: list[Practitioner], request: HttpRequest) -> list[dict[str, Any]]:
    wanted = {person.pk for person in people}
    offerings = [o for o in _known(request).online if o.schedule.practitioner_id in wanted]
    now = timezone.now()
    firsts = timetable.first_slots(
        offerings,
        start=now,
        now=now,
        organization=current.organization(request),
        holder=account(request),
    )
    places: dict[int, set[str]] = {}
    for offering in offerings:
        places.setdefault(offering.practitioner.pk, set()).add(str(offering.location))
    return [
        {
            "practitioner": person,
            "specialties": ", ".join(s.name for s in person.specialties.all()),
            "places": APART.join(sorted(places.get(person.pk, ()))),
            "next_url": book_url(firsts[person.pk]) if person.pk in firsts else "",
            "next_text": long_time(firsts[person.pk]) if person.pk in firsts else "",
            "next_place": _next_place(firsts.get(person.pk), places.get(person.pk, ())),
        }
        for person in people
    ]


def _next_place(first: OfferedSlot | None, places: Collection[str]) -> str:
    """Where the first time is, of somebody who works at several places."""
    return str(first.offering.location) if first and len(places) > 1 else ""


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
    now, organization = timezone.now(), current.organization(request)
    firsts = timetable.first_slots(
        offerings, start=now, now=now, organization=organization, holder=account(request)
    )
    services: dict[int, dict[str, Any]] = {}
    for offering in offerings:
        row = services.setdefault(
            offering.service_id, {"service": offering.service, "offerings": [], "url": ""}
        )
        row["offerings"].append((offering, booking_rules(offering, organization)))
        query = urlencode({"what": what_of(offering.service), "who": person.slug})
        row["url"] = f"{reverse('appointments:times')}?{query}"
    first = firsts.get(person.pk)
    context = {
        "practitioner": person,
        "services": list(services.values()),
        "first": first and {"url": book_url(first), "text": long_time(first), "offered": first},
        "may_hold": may_hold(request),
    }
    return render(request, "appointments/practitioner_detail.html", context)
