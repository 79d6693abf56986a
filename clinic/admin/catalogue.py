"""The clinic itself, what it offers, and its log.

Location, specialty, service and closure are registered in ``appointments.admin``,
which knows whose appointment a change would hit.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from clinic.admin.base import ClinicAdmin, Inline, ReadOnlyAdmin
from clinic.models import AuditEvent, Insurer, Organization, Room


@admin.register(Organization)
class OrganizationAdmin(ClinicAdmin):
    can_add = False
    search_fields = ["name"]
    fieldsets = [
        (None, {"fields": ["name", "phone", "urgent_phone", "email"]}),
        (
            _("Rules, unless a schedule or a service has its own"),
            {
                "fields": [
                    "slot_step",
                    ("buffer_before", "buffer_after"),
                    "booked_online_by",
                    "confirmation",
                    "min_notice_minutes",
                    "horizon_days",
                    "cancel_notice_hours",
                    "show_prices",
                    "travel_minutes",
                    "adult_age",
                ],
                "description": _(
                    "They hold at once. Appointments that are booked stay as they are."
                ),
            },
        ),
        (
            _("Booking online"),
            {
                "fields": [
                    "request_expiry_hours",
                    "hold_minutes",
                    "offer_minutes",
                    "most_ahead",
                    "most_cancelled",
                    "most_cancelled_days",
                    "approval_after_no_shows",
                ]
            },
        ),
        (
            _("Messages"),
            {
                "fields": [
                    "reminders",
                    ("quiet_from", "quiet_until"),
                    "requests_told_after",
                    "names_to_practitioners",
                    "service_in_mails",
                ]
            },
        ),
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one clinic: its page instead of a list of one."""
        return redirect("admin:clinic_organization_change", Organization.current().pk)


class RoomInline(Inline):
    model = Room
    fields = ["name", "is_active"]


class LocationAdmin(ClinicAdmin):
    list_display = ["name", "address", "phone", "time_zone", "is_active"]
    list_filter = ["is_active"]
    search_help_text = _("Name or address")
    fields = [
        "name",
        "slug",
        "address",
        "directions",
        "phone",
        "time_zone",
        "is_active",
    ]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [RoomInline]


class SpecialtyAdmin(ClinicAdmin):
    list_display = ["name", "slug", "is_active"]
    list_filter = ["is_active"]
    search_help_text = _("Name")
    fields = ["name", "slug", "is_active"]
    prepopulated_fields = {"slug": ["name"]}


class ServiceAdmin(ClinicAdmin):
    list_display = ["name", "specialty", "default_duration", "is_active"]
    list_filter = ["is_active", ("specialty", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["specialty"]
    search_help_text = _("Name")
    fields = ["specialty", "name", "slug", "default_duration", "preparation", "is_active"]
    autocomplete_fields = ["specialty"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Insurer)
class InsurerAdmin(ClinicAdmin):
    list_display = ["name", "slug", "is_active"]
    list_filter = ["is_active"]
    search_help_text = _("Name")
    fields = ["name", "slug", "is_active"]
    prepopulated_fields = {"slug": ["name"]}


class ClosureAdmin(ClinicAdmin):
    #: Opening a closed day again hits nobody.
    can_remove = True
    list_display = ["first_day", "last_day", "name", "location", "can_be_worked"]
    list_filter = [("location", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["location"]
    date_hierarchy = "first_day"
    search_fields = []
    ordering = ["-first_day"]
    fields = ["name", "first_day", "last_day", "location", "can_be_worked"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "target"]
    list_filter = ["at", "action"]
    search_fields = ["actor", "action", "target"]
    search_help_text = _("E-mail of the person, deed, or row like accounts.patient:17")
    fields = ["at", "actor", "action", "target", "details"]
