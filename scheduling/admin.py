"""A practitioner's time in the administration.

The classes are registered in ``appointments.admin``, which knows whose
appointment a change would hit.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic import current
from clinic.admin.base import ClinicAdmin, Inline, Rows, StackedInline, column
from clinic.models import Location
from clinic.templatetags.clinic_times import local_datetime
from scheduling.closed_days import shut_between, why_shut
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff, WorkingHours
from scheduling.selectors import Rule, step_rule

#: Exceptions older than this are history; nobody needs them in a form.
_OLD = dt.timedelta(days=31)


class WorkingHoursInline(Inline):
    model = WorkingHours
    can_remove = True
    fields = ["weekday", "start", "end", "valid_from", "valid_until"]


class DateOverrideRows(Rows):
    """What is written now; an exception that was there before its day was closed may stay."""

    def clean(self) -> None:
        """Hours on a day on which nobody works would be saved for nothing."""
        super().clean()
        written = [form for form in self.forms if self._gives_hours(form)]
        days = [form.cleaned_data["date"] for form in written]
        if not days or self.instance.location_id is None:
            return
        shut = shut_between(self.instance.location_id, min(days), max(days))
        for form, day in zip(written, days, strict=True):
            if sentence := why_shut(shut, day, day):
                form.add_error("date", sentence)

    def _gives_hours(self, form: ModelForm) -> bool:
        data = form.cleaned_data
        if not form.has_changed() or data.get(DELETION_FIELD_NAME):
            return False
        return bool(data.get("date")) and data.get("kind") not in {None, DateOverride.Kind.CLOSED}


class DateOverrideInline(Inline):
    model = DateOverride
    formset = DateOverrideRows
    can_remove = True
    fields = ["date", "kind", "start", "end"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DateOverride]:
        return super().get_queryset(request).filter(date__gte=timezone.localdate() - _OLD)


class ServiceOfferingInline(StackedInline):
    """Unticked instead of removed: what was booked keeps its rules."""

    model = ServiceOffering
    autocomplete_fields = ["service"]
    fields = [
        ("service", "is_active"),
        ("duration", "buffer_before", "buffer_after"),
        ("price", "show_price"),
        ("booked_online_by", "confirmation"),
        ("min_notice_minutes", "horizon_days", "cancel_notice_hours"),
    ]


class ScheduleInline(Inline):
    """On a practitioner's page: where they work. What changes is changed on the schedule's own."""

    model = Schedule
    can_change = False
    fields = ["location", "step", "is_active"]
    readonly_fields = ["step"]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        # There is one inline for each request.
        self.organization = current.organization(request)
        return super().get_queryset(request).select_related("practitioner", "location")

    @column(_("a time every (minutes)"))
    def step(self, schedule: Schedule) -> str:
        return with_origin(step_rule(schedule, self.organization))


def with_origin(rule: Rule[Any]) -> str:
    return f"{rule.value} ({rule.origin.label})"


class ScheduleAdmin(ClinicAdmin):
    list_display = ["practitioner", "location", "step", "is_active"]
    list_filter = [
        "is_active",
        ("location", admin.RelatedOnlyFieldListFilter),
        ("practitioner__specialties", admin.RelatedOnlyFieldListFilter),
    ]
    list_select_related = ["practitioner", "location"]
    search_fields = ["practitioner__search_text", "location__search_text"]
    search_help_text = _("Practitioner or location")
    autocomplete_fields = ["practitioner", "location"]
    fields = [
        "practitioner",
        "location",
        "slot_step",
        "min_notice_minutes",
        "horizon_days",
        "is_active",
    ]
    inlines = [WorkingHoursInline, DateOverrideInline, ServiceOfferingInline]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        organization = current.organization(request)
        for row in changes.result_list:
            row.step = with_origin(step_rule(row, organization))
        return changes

    @column(_("a time every (minutes)"), ordering="slot_step")
    def step(self, row: Any) -> str:
        return str(row.step)

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> list[str]:
        """Whose time it is, and where, is what the appointments in it rest on."""
        return ["practitioner", "location"] if obj else []


class TimeOffAdmin(ClinicAdmin):
    can_remove = True
    list_display = ["practitioner", "when", "location", "reason"]
    list_filter = [
        ("practitioner", admin.RelatedOnlyFieldListFilter),
        ("location", admin.RelatedOnlyFieldListFilter),
        ("weekday", admin.EmptyFieldListFilter),
    ]
    list_select_related = ["practitioner", "location"]
    search_fields = ["practitioner__search_text"]
    search_help_text = _("Practitioner")
    autocomplete_fields = ["practitioner", "location"]
    fieldsets = [
        (None, {"fields": ["practitioner", "location", "reason"]}),
        (
            _("Once"),
            {
                "fields": ["starts_at", "ends_at"],
                "description": _("As the clock on the wall of the location shows it."),
            },
        ),
        (_("Or every week"), {"fields": ["weekday", "start", "end"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TimeOff]:
        return super().get_queryset(request).prefetch_related("practitioner__schedules__location")

    def get_readonly_fields(self, request: HttpRequest, obj: TimeOff | None = None) -> list[str]:
        return ["practitioner"] if obj else []

    @column(_("when"))
    def when(self, row: TimeOff) -> str:
        if row.starts_at and row.ends_at:
            zone = zone_of(row)
            return f"{local_datetime(row.starts_at, zone)} – {local_datetime(row.ends_at, zone)}"
        return f"{row.get_weekday_display()} {row.start:%H:%M}–{row.end:%H:%M}"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Its instants are typed and shown on the clock of the place they are for."""
        row = self.get_object(request, object_id) if object_id else None
        with timezone.override(_posted_zone(request, row)):
            response = super().changeform_view(request, object_id, form_url, extra_context)
            if isinstance(response, TemplateResponse):
                response.render()
        return response


def zone_of(row: TimeOff) -> dt.tzinfo:
    """Of its location; without one, of the first place where the practitioner works."""
    if row.location:
        return row.location.zone
    schedules = row.practitioner.schedules.all()
    return next((s.location.zone for s in schedules), timezone.get_default_timezone())


def _posted_zone(request: HttpRequest, row: TimeOff | None) -> dt.tzinfo:
    """The zone of what is being typed: the location and the practitioner as chosen in the form."""
    if request.method != "POST":
        return zone_of(row) if row else timezone.get_default_timezone()
    locations = Location.objects.all()
    if location := _number(request.POST.get("location")):
        locations = locations.filter(pk=location)
    else:
        practitioner = row.practitioner_id if row else _number(request.POST.get("practitioner"))
        locations = locations.filter(schedules__practitioner=practitioner).order_by("schedules__pk")
    found = locations.first()
    return found.zone if found else timezone.get_default_timezone()


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 18 else None
