"""A practitioner's time off: what is blocked, block more, unblock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appointments.agenda import home_zone
from appointments.blocking import block_time, unblock_time
from appointments.forms.schedule import (
    BlockForm,
    DaysOffForm,
    HoursOffForm,
    WeeklyOffForm,
    whole_days,
)
from appointments.views.hits import settle
from appointments.views.practice import Practice, practice_of
from scheduling.models import TimeOff

#: The three kinds: (name of the address, label of the tab, form).
KINDS: list[tuple[str, Any, type[BlockForm]]] = [
    ("time_off_add", gettext_lazy("Whole days"), DaysOffForm),
    ("time_off_add_hours", gettext_lazy("Some hours of a day"), HoursOffForm),
    ("time_off_add_weekly", gettext_lazy("Every week"), WeeklyOffForm),
]


@dataclass(frozen=True, slots=True)
class Line:
    """A block as the list shows it; ``zone`` is the clock it is read on."""

    row: TimeOff
    zone: Any
    whole_days: bool
    #: Not what holds at other places than those of this desk too.
    may_remove: bool

    @property
    def first_day(self) -> dt.date | None:
        return self.row.starts_at and self.row.starts_at.astimezone(self.zone).date()

    @property
    def last_day(self) -> dt.date | None:
        """The last day that it touches: an end at midnight belongs to the day before."""
        if self.row.ends_at is None:
            return None
        return (self.row.ends_at - dt.timedelta(microseconds=1)).astimezone(self.zone).date()


def time_off(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    practice = practice_of(request, practitioner)
    zone = home_zone(practice.practitioner)
    rows = list(practice.time_off().select_related("location"))
    once = [r for r in rows if r.ends_at and r.ends_at > timezone.now()]
    context = {
        "practice": practice,
        "page_tabs": practice.tabs("time_off"),
        "weekly": [_line(r, zone, practice) for r in rows if r.is_weekly],
        "once": [_line(r, zone, practice) for r in sorted(once, key=lambda r: (r.starts_at, r.pk))],
    }
    return render(request, "appointments/schedule_time_off.html", context)


def _line(row: TimeOff, zone: Any, practice: Practice) -> Line:
    zone = row.location.zone if row.location else zone
    whole = bool(row.starts_at and row.ends_at and whole_days(row.starts_at, row.ends_at, zone))
    return Line(row, zone, whole, may_remove=practice.is_whole or row.location is not None)


def add_days(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    return _add(request, practitioner, "time_off_add", DaysOffForm)


def add_hours(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    return _add(request, practitioner, "time_off_add_hours", HoursOffForm)


def add_weekly(request: HttpRequest, practitioner: str = "") -> HttpResponse:
    return _add(request, practitioner, "time_off_add_weekly", WeeklyOffForm)


def _add(
    request: HttpRequest, practitioner: str, kind: str, form_class: type[BlockForm]
) -> HttpResponse:
    """Block time; what it hits is asked about first."""
    practice = practice_of(request, practitioner)
    if request.method != "POST":
        form = form_class(**_choices(practice), initial=_suggested(request))
        return _form_page(request, practice, kind, form)
    form = form_class(request.POST, **_choices(practice))
    if not form.is_valid():
        return _form_page(request, practice, kind, form, status=422)
    if "edit" in request.POST:
        return _form_page(request, practice, kind, form)
    blocks = form.blocks()
    question = settle(
        request,
        change=partial(
            block_time, practitioner=practice.practitioner, blocks=blocks, by=practice.by
        ),
    )
    if question:
        return question
    messages.success(request, _("The time off is saved."))
    return redirect(practice.url("time_off"))


def _suggested(request: HttpRequest) -> dict[str, str]:
    """The day that a link from the agenda brings along; nonsense is refused when it is sent."""
    day = request.GET.get("dia", "")[:30]
    return {"first_day": day, "day": day}


def _choices(practice: Practice) -> dict[str, Any]:
    return {"schedules": practice.schedules, "everywhere": practice.is_whole}


def _form_page(
    request: HttpRequest, practice: Practice, kind: str, form: BlockForm, *, status: int = 200
) -> HttpResponse:
    tabs = [
        {"url": practice.url(name), "label": label, "current": name == kind}
        for name, label, _form in KINDS
    ]
    context = {"form": form, "tabs": tabs, "practice": practice}
    return render(request, "appointments/schedule_time_off_form.html", context, status=status)


def remove(request: HttpRequest, pk: int, practitioner: str = "") -> HttpResponse:
    """A page that asks once, then the time is open again."""
    practice = practice_of(request, practitioner)
    row = get_object_or_404(practice.time_off().select_related("location"), pk=pk)
    line = _line(row, home_zone(practice.practitioner), practice)
    if not line.may_remove:
        raise Http404
    if request.method == "POST":
        unblock_time(time_off=row, by=practice.by)
        messages.success(request, _("The time off is removed. This time can be booked again."))
        return redirect(practice.url("time_off"))
    context = {"line": line, "practice": practice}
    return render(request, "appointments/schedule_time_off_remove.html", context)
