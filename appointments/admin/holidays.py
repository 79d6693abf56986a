"""Holidays are imported, not typed: shown first, then applied; whom they hit is asked about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from accounts.models import Practitioner
from appointments import locks
from appointments.admin.guard import BUSY, AskingAdmin, attempt, question_context
from appointments.admin.own_hours import settle_own_hours
from appointments.changes import HitsFound, Reach
from appointments.exceptions import Refusal
from appointments.forms.own_hours import OwnHoursForm
from appointments.models import AppointmentQuerySet
from clinic import audit
from clinic.holiday_calendar import Holiday, countries, holidays_of, regions
from clinic.models import Closure, Location
from scheduling.closed_days import exceptions_on, own_hours

#: How many years ahead holidays are known well enough.
YEARS_AHEAD = 3


class WhichForm(forms.Form):
    """Whose holidays, of which year, for which location."""

    country = forms.ChoiceField(label=gettext_lazy("Country"))
    region = forms.ChoiceField(label=gettext_lazy("Region"), required=False)
    year = forms.TypedChoiceField(label=gettext_lazy("Year"), coerce=int)
    location = forms.ModelChoiceField(
        Location.objects.filter(is_active=True),
        label=gettext_lazy("Location"),
        required=False,
        empty_label=gettext_lazy("Every location"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes = countries()
        chosen = str(self.data.get("country") or "")
        known = chosen if chosen in {code for code, _name in codes} else ""
        this_year = timezone.localdate().year
        years = [(year, str(year)) for year in range(this_year, this_year + YEARS_AHEAD + 1)]
        whole = ("", _("The whole country"))
        for name, choices in {
            "country": [("", _("Choose a country")), *codes],
            "region": [whole, *(regions(known) if known else [])],
            "year": years,
        }.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def found(self) -> list[Holiday]:
        """The holidays that are still to come."""
        data = self.cleaned_data
        language = (get_language() or "es").split("-")[0]
        days = holidays_of(data["country"], data["region"], data["year"], language)
        return [one for one in days if one.date >= timezone.localdate()]


class ImportsHolidays(AskingAdmin):
    """The list of closures with a page that fills it."""

    change_list_template = "admin/clinic/closure/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_holidays)
        return [path("importar/", view, name="clinic_closure_import"), *super().get_urls()]

    def import_holidays(self, request: HttpRequest) -> HttpResponse:
        """GET: choose, look. POST: apply what is ticked, or ask about whom it hits."""
        data = request.POST if request.method == "POST" else _of_this_country(request.GET)
        form = WhichForm(data if "country" in data else None)
        if not form.is_bound or not form.is_valid():
            return self._page(request, form, status=422 if form.is_bound else 200)
        rows = _preview(form)
        if request.method != "POST":
            return self._page(request, form, rows=rows)
        ticked = set(request.POST.getlist("day"))
        for row in rows:
            row["ticked"] = row["holiday"].date.isoformat() in ticked
        chosen = [row["holiday"] for row in rows if row["ticked"] and not row["is_there"]]
        if not chosen:
            messages.warning(request, _("Tick the days on which the clinic is closed."))
            return self._page(request, form, rows=rows, status=422)
        return self._apply(request, form, rows, chosen)

    def _apply(
        self,
        request: HttpRequest,
        form: WhichForm,
        rows: list[dict[str, Any]],
        chosen: list[Holiday],
    ) -> HttpResponse:
        try:
            locks.retrying(close)(request, chosen, form.cleaned_data["location"])
        except HitsFound as found:
            context = question_context(request, found)
            messages.warning(request, context["sentence"])
            return self._page(request, form, rows=rows, **context)
        except Refusal as refusal:
            messages.error(request, str(refusal))
            return self._page(request, form, rows=rows, status=409)
        except OperationalError as error:
            if not locks.is_passing(error):
                raise
            messages.error(request, str(BUSY))
            return self._page(request, form, rows=rows, status=409)
        sentence = ngettext(
            "%(count)s holiday imported.", "%(count)s holidays imported.", len(chosen)
        )
        messages.success(request, sentence % {"count": len(chosen)})
        return redirect("admin:clinic_closure_changelist")

    def _page(
        self,
        request: HttpRequest,
        form: WhichForm,
        *,
        rows: Sequence[dict[str, Any]] = (),
        status: int = 200,
        **context: Any,
    ) -> HttpResponse:
        if days := [(row["holiday"].date,) * 2 for row in rows if not row["is_there"]]:
            place = form.cleaned_data["location"]
            hours = own_hours(days, place.pk if place else None)
            shown = OwnHoursForm(request.POST, hours=hours, can_be_worked=True)
            context["own_hours"] = shown if hours else None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import holidays"),
            "opts": self.opts,
            "form": form,
            "rows": rows,
            "some_open": not all(row["is_there"] for row in rows),
            "some_closed": any(row["is_there"] for row in rows),
            "looked": form.is_bound and form.is_valid(),
            "media": self.media,
            **context,
        }
        template = "admin/clinic/closure/import.html"
        return TemplateResponse(request, template, context, status=status)


def _of_this_country(query: QueryDict) -> QueryDict:
    """The address without the region that was chosen for another country."""
    data = query.copy()
    known = {code for code, _name in countries()}
    country = data.get("country", "")
    own = {code for code, _name in regions(country)} if country in known else set()
    if data.get("region") not in own:
        data["region"] = ""
    return data


def _preview(form: WhichForm) -> list[dict[str, Any]]:
    """Each holiday, ticked, unless the location is closed on it already."""
    found = form.found()
    place = form.cleaned_data["location"]
    closed: set[dt.date] = set()
    if found:
        existing = Closure.objects.filter(
            first_day__lte=found[-1].date, last_day__gte=found[0].date
        ).filter(location__in=[place]) | Closure.objects.filter(
            first_day__lte=found[-1].date, last_day__gte=found[0].date, location=None
        )
        spans = list(existing.values_list("first_day", "last_day"))
        closed = {
            one.date for one in found if any(first <= one.date <= last for first, last in spans)
        }
    return [
        {"holiday": one, "is_there": one.date in closed, "ticked": one.date not in closed}
        for one in found
    ]


@transaction.atomic
def close(request: HttpRequest, days: Sequence[Holiday], location: Location | None) -> None:
    """Lock, look, write, look again; raises HitsFound until somebody has chosen."""
    dates = [one.date for one in days]

    def reached(upcoming: AppointmentQuerySet) -> AppointmentQuerySet:
        # What begins on the eve can last into the day.
        eves = [day - dt.timedelta(days=1) for day in dates]
        found = upcoming.filter(local_date__in={*dates, *eves})
        return found.filter(location=location) if location else found

    stretches = [(day, day) for day in dates]
    place = location.pk if location else None
    trying = attempt(
        request,
        Reach(
            practitioner=None,
            locked=Practitioner.objects.values_list("pk", flat=True),
            appointments=reached,
            rules=lambda: [
                Closure.objects.filter(location=location, first_day__in=dates),
                exceptions_on(stretches, place),
            ],
            about=", ".join(one.name for one in days),
        ),
    )
    Closure.objects.bulk_create(
        Closure(
            location=location,
            first_day=one.date,
            last_day=one.date,
            name=one.name[:120],
            can_be_worked=True,
        )
        for one in days
    )
    audit.record(
        actor=str(trying.by),
        action="closure.import",
        target=location or "clinic",
        days=[day.isoformat() for day in dates],
    )
    settle_own_hours(request, own_hours(stretches, place), can_be_worked=True, by=trying.by)
    trying.settle()
