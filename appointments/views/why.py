"""Why a day has no times, for the staff: its stretches, their rules, where to change them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts.doors import person
from accounts.models import Practitioner, User
from accounts.roles import Role
from appointments.explain import Code, Reason, explain, stretches
from appointments.forms.why import WhyForm
from appointments.models import Appointment
from appointments.timetable import window
from appointments.views.doors import own_practice, places_of
from appointments.views.practice import Practice, practice_of
from clinic.models import Closure
from clinic.templatetags.clinic_times import iso_date
from scheduling.intervals import overlaps, to_instant
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff
from scheduling.selectors import OpenTime, open_time
from scheduling.wallclock import day_bounds

#: Where a row is changed, if this person may.
Link = Callable[[models.Model], str]


def own_times(request: HttpRequest) -> HttpResponse:
    """A practitioner asks about their own day. Somebody else's service is not found."""
    practitioner = own_practice(request)
    offerings = _offerings(practitioner)
    wanted = request.GET.get("servicio", "")
    if wanted and wanted not in {str(o.pk) for o in offerings}:
        raise Http404
    link = _practice_link(practice_of(request, ""))
    return _page(request, offerings, link)


def times_at_desk(request: HttpRequest) -> HttpResponse:
    """The desk asks about anybody of its locations; an administrator about everybody."""
    user = person(request)
    is_admin = Role.ADMINISTRATOR in user.roles
    seen = Schedule.objects.all() if is_admin else _of_desk(user)
    people = Practitioner.objects.filter(schedules__in=seen).distinct().order_by("search_text")
    slug = request.GET.get("profesional", "")[:200]
    if not slug:
        return _page(request, [], None, people=people)
    practitioner = get_object_or_404(people, slug=slug.replace("\x00", ""))
    offerings = _offerings(practitioner).filter(schedule__in=seen)
    link = _admin_link if is_admin else _desk_link(request, practitioner)
    return _page(request, offerings, link, people=people, chosen=practitioner)


def _of_desk(user: User) -> models.QuerySet[Schedule]:
    return Schedule.objects.filter(location__in=places_of(user))


def _offerings(practitioner: Practitioner) -> models.QuerySet[ServiceOffering]:
    """Switched off ones too: that is a reason."""
    rows = ServiceOffering.objects.with_parts().filter(schedule__practitioner=practitioner)
    return rows.order_by("-is_active", "schedule_id", "service__search_text", "pk")


def _page(
    request: HttpRequest,
    offerings: Sequence[ServiceOffering] | models.QuerySet[ServiceOffering],
    link: Link | None,
    *,
    people: models.QuerySet[Practitioner] | None = None,
    chosen: Practitioner | None = None,
) -> HttpResponse:
    rows = list(offerings)
    wanted = request.GET.get("servicio", "")
    # Another practitioner chosen: the service of the one before counts as not given.
    offering = next((o for o in rows if str(o.pk) == wanted), rows[0] if rows else None)
    now = timezone.now()
    zone = offering.location.zone if offering else timezone.get_default_timezone()
    data = {
        "profesional": chosen.slug if chosen else "",
        "servicio": str(offering.pk) if offering else "",
        "dia": request.GET.get("dia", "")[:100] or now.astimezone(zone).date(),
    }
    form = WhyForm(data if rows else None, initial=data, practitioners=people, offerings=rows)
    if offering and str(offering.pk) != wanted and form.is_valid():
        offering = _worked(rows, form.cleaned_data["dia"]) or offering
        data["servicio"] = str(offering.pk)
        form = WhyForm(data, initial=data, practitioners=people, offerings=rows)
    context: dict[str, Any] = {"form": form, "is_desk": people is not None, "chosen": chosen}
    if offering is None or not form.is_valid():
        return render(request, "appointments/why.html", context, status=422 if rows else 200)
    return render(
        request,
        "appointments/why.html",
        {**context, **_answer(offering, form.cleaned_data["dia"], now, link)},
    )


def _worked(offerings: Sequence[ServiceOffering], day: dt.date) -> ServiceOffering | None:
    """The first one that is given where this day has hours: who works at two locations on two
    days asks about the one of the day."""
    schedules = {o.schedule_id: o.schedule for o in offerings if o.is_active}
    start, end = window(schedules.values(), day, 1)
    opened = open_time(list(schedules.values()), start, end)
    works = [pk for pk, schedule in schedules.items() if _has_hours(opened[pk], schedule, day)]
    return next((o for o in offerings if o.is_active and o.schedule_id in works), None)


def _has_hours(time: OpenTime, schedule: Schedule, day: dt.date) -> bool:
    whole = day_bounds(day, schedule.location.zone)
    return any(overlaps(shift, whole) for shift in time.shifts)


def _answer(
    offering: ServiceOffering, day: dt.date, now: dt.datetime, link: Link | None
) -> dict[str, Any]:
    verdicts = explain(offering, day=day, now=now)
    end = to_instant(day_bounds(day, offering.location.zone)[1])
    schedule = offering.schedule
    there = schedule.overrides.filter(date=day).first()
    exception = there or DateOverride(schedule=schedule, date=day)
    return {
        "offering": offering,
        "zone": offering.location.zone,
        "day": day,
        "offered": sum(verdict.code == Code.OFFERED for verdict in verdicts),
        "rows": [_row(stretch, link, exception) for stretch in stretches(verdicts, end)],
    }


def _row(stretch: Any, link: Link | None, exception: DateOverride) -> dict[str, Any]:
    """``exception``: of this date, or the one that would let a holiday be worked."""
    reason: Reason = stretch.reason
    url = link(reason.row) if link and reason.row else ""
    if link and not url and isinstance(reason.row, Closure) and reason.row.can_be_worked:
        url = link(exception)
    return {
        "stretch": stretch,
        "is_offered": reason.code == Code.OFFERED,
        "is_visit": isinstance(reason.row, Appointment),
        "url": url,
        "visit_url": link(reason.visit) if link and reason.visit else "",
        # A rule that stands somewhere, only not where this person can change it.
        "elsewhere": reason.row is not None,
    }


def _admin_link(row: models.Model) -> str:
    """The row's page in the administration, or that of the schedule it stands on.

    A service has a page of the desk's that says where each of its values comes from.
    """
    if isinstance(row, ServiceOffering):
        names = [row.practitioner.slug, row.location.slug, row.service.slug]
        return reverse("appointments:desk_service_edit", args=names)
    if not admin.site.is_registered(type(row)):
        row = row.schedule  # type: ignore[attr-defined]
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def _practice_link(practice: Practice) -> Link:
    """The pages of the practice that this person may work on."""

    def link(row: models.Model) -> str:
        if isinstance(row, Appointment):
            return _visit_link(practice, row)
        if isinstance(row, TimeOff):
            return practice.url("time_off")
        if not isinstance(row, Schedule | DateOverride | ServiceOffering):
            return ""
        schedule = row if isinstance(row, Schedule) else row.schedule
        if schedule.pk not in {mine.pk for mine in practice.schedules}:
            return ""
        place = schedule.location.slug
        if isinstance(row, DateOverride) and row._state.adding:
            query = urlencode({"dia": iso_date(row.date), "sede": place})
            return f"{practice.url('override_add')}?{query}"
        if isinstance(row, DateOverride):
            return practice.url("override_change", place, row.date)
        if isinstance(row, ServiceOffering):
            return practice.url("service_edit", place, row.service.slug)
        return practice.url("hours_at", place)

    return link


def _visit_link(practice: Practice, visit: Appointment) -> str:
    if practice.is_own:
        return reverse("appointments:agenda_appointment", args=[visit.public_id])
    if visit.location_id not in {schedule.location_id for schedule in practice.schedules}:
        return ""
    return f"{reverse('appointments:desk')}?dia={iso_date(visit.local_date)}"


def _desk_link(request: HttpRequest, practitioner: Practitioner) -> Link | None:
    """None where the desk has nothing of theirs to change: they are switched off."""
    try:
        return _practice_link(practice_of(request, practitioner.slug))
    except Http404:
        return None
