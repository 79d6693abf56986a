"""The rules that appointments stand on. A change that hits some lists them first.

The classes come from the apps below; what they gain here is the question.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import PatientAdmin as PatientPages
from accounts.admin import PractitionerAdmin as PractitionerPages
from accounts.models import Patient, Practitioner
from appointments.admin.filters import FreeTimeFilter
from appointments.admin.guard import AskingAdmin
from appointments.admin.holidays import ImportsHolidays
from appointments.admin.own_hours import settle_own_hours
from appointments.changes import Reach
from appointments.figures import free_minutes, in_hours
from appointments.hits import upcoming
from appointments.models import Appointment, AppointmentQuerySet
from appointments.offering_rules import Line, as_the_clinic, if_empty, of_the_clinic, usual
from clinic import current
from clinic.admin.base import column
from clinic.admin.catalogue import ClosureAdmin as ClosurePages
from clinic.admin.catalogue import LocationAdmin as LocationPages
from clinic.admin.catalogue import ServiceAdmin as ServicePages
from clinic.admin.catalogue import SpecialtyAdmin as SpecialtyPages
from clinic.models import Closure, Location, Room, Service, Specialty
from scheduling.admin import (
    DateOverrideInline,
    ScheduleInline,
    ServiceOfferingInline,
    WorkingHoursInline,
)
from scheduling.admin import ScheduleAdmin as SchedulePages
from scheduling.admin import TimeOffAdmin as TimeOffPages
from scheduling.closed_days import closes, exceptions_on, own_hours
from scheduling.models import Schedule, TimeOff
from scheduling.rules import Sets, time_of

#: A visit that begins on the eve can last into the day.
EVE = dt.timedelta(days=1)


@admin.register(Location)
class LocationAdmin(AskingAdmin, LocationPages):
    hit_path = "location"

    def rules(self, obj: Location) -> Sets:
        return [*super().rules(obj), Room.objects.filter(location=obj.pk)]

    def get_readonly_fields(self, request: HttpRequest, obj: Location | None = None) -> list[str]:
        """Another zone would move the hours under the appointments that stand in them."""
        used = obj and Appointment.objects.filter(location=obj).exists()
        return ["time_zone"] if used else []


@admin.register(Specialty)
class SpecialtyAdmin(AskingAdmin, SpecialtyPages):
    hit_path = "service__specialty"


@admin.register(Service)
class ServiceAdmin(AskingAdmin, ServicePages):
    hit_path = "service"


@admin.register(Closure)
class ClosureAdmin(ImportsHolidays, ClosurePages):
    def reached(self, upcoming: AppointmentQuerySet, obj: Closure) -> AppointmentQuerySet:
        found = upcoming.filter(local_date__range=(obj.first_day - EVE, obj.last_day))
        return found.filter(location=obj.location) if obj.location else found

    def rules(self, obj: Closure) -> Sets:
        days = [(obj.first_day, obj.last_day)]
        return [*super().rules(obj), exceptions_on(days, obj.location_id)]

    def save_model(self, request: HttpRequest, obj: Closure, form: Any, change: bool) -> None:
        """Asks about the hours on the days that it closes now and did not close before."""
        before = Closure.objects.filter(pk=obj.pk).first()
        super().save_model(request, obj, form, change)
        hours = own_hours([(obj.first_day, obj.last_day)], obj.location_id, closure=obj.pk)
        if before and before.can_be_worked == obj.can_be_worked:
            hours = [one for one in hours if not closes(before, one)]
        by = request.attempt.by  # type: ignore[attr-defined]
        settle_own_hours(request, hours, can_be_worked=obj.can_be_worked, by=by)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["own_hours"] = getattr(request, "own_hours", None)
        return super().render_change_form(request, context, *args, **kwargs)


@admin.register(Patient)
class PatientAdmin(AskingAdmin, PatientPages):
    hit_path = "patient"
    fields = [*PatientPages.fields, "appointments"]
    readonly_fields = [*PatientPages.readonly_fields, "appointments"]

    @column(_("appointments"))
    def appointments(self, patient: Patient) -> SafeString | str:
        return _link_to_appointments("patient", patient)

    def locked(self, obj: Patient) -> Iterable[int]:
        """Those they are going to; whoever is booked meanwhile waits for the patient's row."""
        return set(self.reached(upcoming(), obj).values_list("practitioner", flat=True))

    def about(self, obj: Patient) -> str:
        return gettext("A patient")


@admin.register(Practitioner)
class PractitionerAdmin(AskingAdmin, PractitionerPages):
    hit_path = "practitioner"
    inlines = [ScheduleInline]
    readonly_fields = ["appointments"]

    def get_fields(self, request: HttpRequest, obj: Practitioner | None = None) -> Any:
        return [*super().get_fields(request, obj), "appointments"]

    @column(_("appointments"))
    def appointments(self, practitioner: Practitioner) -> SafeString | str:
        return _link_to_appointments("practitioner", practitioner)

    def reach(self, obj: Practitioner) -> Reach:
        """A new one has no time yet that could be put back."""
        reach = super().reach(obj)
        return reach if obj.pk else replace(reach, rules=list)

    def practitioner_of(self, obj: Practitioner) -> Practitioner | None:
        return obj if obj.pk else None

    def locked(self, obj: Practitioner) -> Iterable[int]:
        return [obj.pk] if obj.pk else []

    def rules(self, obj: Practitioner) -> Sets:
        return [*super().rules(obj), *time_of(obj)]


class SaysTheClinic:
    """An empty box, and the choice of none of one's own, say what the clinic says."""

    @staticmethod
    def clinic_lines(request: HttpRequest) -> dict[str, Line]:
        raise NotImplementedError

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        line = self.clinic_lines(request).get(db_field.name)
        if line and db_field.choices:
            _silent, *own = field.choices
            field.choices = [("", as_the_clinic(line)), *own]
        elif line:
            field.help_text = if_empty(line)
        return field


class OfferingInline(SaysTheClinic, ServiceOfferingInline):
    @staticmethod
    def clinic_lines(request: HttpRequest) -> dict[str, Line]:
        """Notice and horizon are the schedule's first."""
        lines = usual(current.organization(request))
        return {k: v for k, v in lines.items() if k not in {"min_notice_minutes", "horizon_days"}}


@admin.register(Schedule)
class ScheduleAdmin(SaysTheClinic, AskingAdmin, SchedulePages):
    inlines = [WorkingHoursInline, DateOverrideInline, OfferingInline]
    list_display = [*SchedulePages.list_display, "free_this_week"]
    list_filter = [*SchedulePages.list_filter, FreeTimeFilter]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The free time of all rows at once."""
        changes = super().get_changelist_instance(request)
        free = free_minutes(list(changes.result_list), timezone.now())
        for row in changes.result_list:
            row.free = free[row.pk]
        return changes

    @column(_("free hours left this week"))
    def free_this_week(self, row: Any) -> str:
        return in_hours(row.free)

    @staticmethod
    def clinic_lines(request: HttpRequest) -> dict[str, Line]:
        return of_the_clinic(current.organization(request))

    def reach(self, obj: Schedule) -> Reach:
        return Reach.of(obj.practitioner)


@admin.register(TimeOff)
class TimeOffAdmin(AskingAdmin, TimeOffPages):
    def reach(self, obj: TimeOff) -> Reach:
        return Reach.of(obj.practitioner)

    def practitioner_of(self, obj: TimeOff) -> Practitioner:
        return obj.practitioner


def _link_to_appointments(field: str, person: Patient | Practitioner) -> SafeString | str:
    if person._state.adding:
        return "–"
    count: int = _of(field, person).count()
    url = reverse("admin:appointments_appointment_changelist")
    return format_html(
        '<a href="{}?day=all&amp;{}__id__exact={}">{}</a>',
        url,
        field,
        person.pk,
        _("All (%d)") % count,
    )


def _of(field: str, person: Patient | Practitioner) -> QuerySet[Appointment]:
    return Appointment.objects.filter(**{field: person.pk})
