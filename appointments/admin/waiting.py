"""The waiting list and what was offered from it, to look at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from appointments.models import WaitingListEntry, WaitingOffer
from clinic.admin.base import ReadOnlyAdmin, column
from clinic.templatetags.clinic_times import local_datetime


@admin.register(WaitingListEntry)
class WaitingListEntryAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "patient",
        "wanted",
        "practitioner",
        "location",
        "last_day",
        "status",
    ]
    list_filter = ["status", "location", "service", "specialty"]
    list_select_related = ["patient", "service", "specialty", "practitioner", "location"]
    search_fields = ["patient__search_text"]
    search_help_text = _("Patient or e-mail")
    fields = [
        "created_at",
        "status",
        "user",
        "patient",
        "service",
        "specialty",
        "practitioner",
        "location",
        "first_day",
        "last_day",
        "instead_of",
    ]

    def matches(self, word: str) -> Q:
        return super().matches(word) | Q(user__email__icontains=word)

    @column(_("service"), ordering="service")
    def wanted(self, entry: WaitingListEntry) -> str:
        return entry.what


@admin.register(WaitingOffer)
class WaitingOfferAdmin(ReadOnlyAdmin):
    list_display = [
        "when",
        "practitioner",
        "service",
        "patient",
        "offered_at",
        "expires_at",
        "answer_given",
    ]
    list_filter = ["answer", "location"]
    list_select_related = ["practitioner", "service", "location", "entry__patient"]
    search_fields = ["entry__patient__search_text"]
    search_help_text = _("Patient or e-mail")
    fields = [
        "entry",
        "practitioner",
        "service",
        "location",
        "start",
        "end",
        "offered_at",
        "expires_at",
        "answer_given",
        "answered_at",
        "never_told",
        "appointment",
    ]
    readonly_fields = ["answer_given"]

    def matches(self, word: str) -> Q:
        return super().matches(word) | Q(entry__user__email__icontains=word)

    @column(_("time"), ordering="start")
    def when(self, offer: WaitingOffer) -> str:
        return str(local_datetime(offer.start, offer.zone))

    @column(_("patient"), ordering="entry__patient")
    def patient(self, offer: WaitingOffer) -> str:
        return str(offer.entry.patient)

    @column(_("answer"), ordering="answer")
    def answer_given(self, offer: WaitingOffer) -> str:
        return str(offer.get_answer_display() or _("open"))
