"""Times that somebody is booking at this moment: looked at, and let go when they block."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from appointments import holds
from appointments.models import Hold
from clinic.admin.base import ReadOnlyAdmin, column
from clinic.templatetags.clinic_times import local_datetime


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ["when", "practitioner", "service", "location", "user", "expires_at"]
    list_filter = ["location"]
    list_select_related = ["practitioner", "service", "location", "user"]
    search_fields = ["practitioner__search_text"]
    search_help_text = _("Practitioner or e-mail")
    fields = ["practitioner", "service", "location", "start", "end", "user", "expires_at"]
    actions = ["release"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        """What is over has ended, whether its row is still there or not."""
        return super().get_queryset(request).live(timezone.now())  # type: ignore[attr-defined]

    def matches(self, word: str) -> Q:
        return super().matches(word) | Q(user__email__icontains=word)

    @column(_("time"), ordering="start")
    def when(self, hold: Hold) -> str:
        return str(local_datetime(hold.start, hold.zone))

    @admin.action(description=_("Let go: others can take the time"))
    def release(self, request: HttpRequest, queryset: QuerySet[Hold]) -> None:
        released = 0
        for hold in queryset:
            if holds.release(hold=hold):
                self._record(request, "release", hold)
                released += 1
        text = ngettext("%(n)d time let go.", "%(n)d times let go.", released) % {"n": released}
        self.message_user(request, text, messages.SUCCESS)
