"""Appointments in the administration: looked at, booked and moved by the verbs, never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.doors import person
from accounts.roles import Actor
from appointments import services
from appointments.admin import moves
from appointments.admin.booking import BookingForm
from appointments.admin.filters import EVERY_DAY, DayFilter, WaitingFilter, is_newest_first
from appointments.admin.guard import RefusingAdmin
from appointments.admin.history import EventInline, chain_of
from appointments.coverage import would_pay
from appointments.export import as_csv
from appointments.models import Appointment
from clinic import audit
from clinic.admin.base import column, joined
from clinic.templatetags.clinic_times import local_datetime, zone_name
from clinic.templatetags.clinic_ui import status_look


@admin.register(Appointment)
class AppointmentAdmin(RefusingAdmin):
    can_change = False
    reads_are_logged = True
    everything = f"day={EVERY_DAY}"
    not_deleted = _(
        "Appointments are not deleted. One that will not take place is cancelled, on its page: "
        "its time is free again, and its history stays."
    )
    change_form_template = "admin/appointments/appointment_change_form.html"
    list_display = ["when", "patient", "practitioner", "service", "location", "state"]
    list_filter = [
        DayFilter,
        "status",
        WaitingFilter,
        ("location", admin.RelatedOnlyFieldListFilter),
        ("practitioner", admin.RelatedOnlyFieldListFilter),
        ("service", admin.RelatedOnlyFieldListFilter),
    ]
    date_hierarchy = "local_date"
    search_fields = ["patient__search_text", "practitioner__search_text"]
    search_help_text = _("Patient, practitioner or reference")
    actions = [*(moves.action(name) for name in moves.MOVES), "export"]
    inlines = [EventInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "reference",
                    "when",
                    "until",
                    "moves",
                    "state",
                    "patient",
                    "coverage",
                    "practitioner",
                    "service",
                    "location",
                    "room",
                    "reason",
                ]
            },
        ),
        (
            _("Details"),
            {
                "fields": [
                    "asked_on",
                    "can_be_cancelled_until",
                    "request_expires",
                    "cancellation_reason",
                    "overbooked",
                    "overbooking_reason",
                ]
            },
        ),
    ]
    readonly_fields = [
        "when",
        "until",
        "state",
        "coverage",
        "moves",
        "asked_on",
        "can_be_cancelled_until",
        "request_expires",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Appointment]:
        return super().get_queryset(request).with_parts()  # type: ignore[attr-defined]

    def get_ordering(self, request: HttpRequest) -> Any:
        """What is still to come from now on; what has been, back from now."""
        return ["-start", "-pk"] if is_newest_first(request) else ["start", "pk"]

    def matches(self, word: str) -> Q:
        return super().matches(word) | Q(reference=word.upper())

    # --- instants, on the clock of the place
    @column(_("when"), ordering="start")
    def when(self, row: Appointment) -> str:
        return local_datetime(row.start, row.zone)

    @column(_("until"))
    def until(self, row: Appointment) -> str:
        return f"{local_datetime(row.end, row.zone)} ({zone_name(row.zone)})"

    @column(_("asked on"))
    def asked_on(self, row: Appointment) -> str:
        return local_datetime(row.created_at, row.zone)

    @column(_("can be cancelled until"))
    def can_be_cancelled_until(self, row: Appointment) -> str:
        return local_datetime(row.cancellable_until, row.zone)

    @column(_("request expires"))
    def request_expires(self, row: Appointment) -> str:
        return local_datetime(row.expires_at, row.zone) or self.get_empty_value_display()

    @column(_("state"), ordering="status")
    def state(self, row: Appointment) -> SafeString:
        look = status_look(row.status)
        words = [look.word, _("Overbooked")] if row.overbooked else [look.word]
        return format_html(
            '<span aria-hidden="true">{}</span>\N{NO-BREAK SPACE}{}', look.shape, joined(words)
        )

    @column(_("moved"))
    def moves(self, row: Appointment) -> SafeString | str:
        return chain_of(row) or self.get_empty_value_display()

    @column(_("coverage"))
    def coverage(self, row: Appointment) -> str:
        known = row.patient.known_coverage
        return str(known) if known else self.get_empty_value_display()

    # --- booking
    def get_fieldsets(self, request: HttpRequest, obj: Appointment | None = None) -> Any:
        if obj:
            return self.fieldsets
        who = ["patient", "practitioner", "service", "location"]
        when = ["day", "time", "room", "reason", "request_key"]
        return [(None, {"fields": [*who, *when]})]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Appointment | None = None
    ) -> list[str]:
        return list(self.readonly_fields) if obj else []

    def get_inlines(self, request: HttpRequest, obj: Appointment | None) -> list[Any]:
        return self.inlines if obj else []

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs |= {"form": BookingForm, "fields": []}
        return super().get_form(request, obj, change=change, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Appointment:
        """The lock, the look and the writing are the verb's; a refusal goes above the form."""
        data = form.cleaned_data
        return services.book(
            offering=data["offering"],
            patient=data["patient"],
            start=data["start"],
            by=Actor.administrator(person(request)),
            reason=data["reason"],
            room=data["room"],
            request_key=data["request_key"],
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Written already."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing hangs on the form of a booking."""

    # --- an appointment's page: what can be done now
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        buttons = moves.moves_for(obj) if obj else []
        # Where: the desk's page, which an administrator may use for every active location.
        move_url = ""
        if obj and obj.is_upcoming(timezone.now()) and obj.location.is_active:
            move_url = reverse("appointments:desk_move", args=[obj.public_id])
        context = {**(extra_context or {}), "buttons": buttons, "move_url": move_url}
        return super().change_view(request, object_id, form_url, context)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        for insurer in would_pay(obj.practitioner, [obj.patient]):
            facts = {"practitioner": obj.practitioner, "insurer": insurer}
            sentence = _(
                "%(practitioner)s does not work with %(insurer)s. The visit would be private."
            )
            messages.warning(request, str(sentence % facts))
        response = super().response_add(request, obj, post_url_continue)
        if "_addanother" in request.POST or "_popup" in request.POST:
            return response
        return redirect("admin:appointments_appointment_change", obj.pk)

    @admin.action(description=_("Export for a spreadsheet (CSV)"))
    def export(
        self, request: HttpRequest, queryset: QuerySet[Appointment]
    ) -> StreamingHttpResponse:
        response = as_csv(queryset)
        audit.record(
            actor=str(request.user),
            action="appointment.export",
            target="appointments.appointment",
            rows=queryset.count(),
        )
        return response
