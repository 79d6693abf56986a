"""The outbox, to look at: what was sent to whom, what waits, what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import display_for_value
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.doors import person
from accounts.roles import Actor
from clinic.admin.base import ClinicAdmin, ReadOnlyAdmin
from notifications import services
from notifications.exceptions import MessageRefusal
from notifications.health import ShowsHealth
from notifications.models import MailChoices, MessageText, Notification
from notifications.texts_admin import MessageTextAdmin


class DueFilter(admin.SimpleListFilter):
    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("now", _("Should have left"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "now":
            return queryset
        return queryset.filter(pk__in=Notification.objects.due(timezone.now()))


@admin.register(Notification)
class NotificationAdmin(ShowsHealth, ReadOnlyAdmin):
    list_display = ["subject_or_kind", "to", "due_at", "state", "outcome"]
    list_filter = [DueFilter, "state", "kind", "due_at"]
    search_fields = ["appointment__patient__search_text"]
    search_help_text = _("E-mail, patient or reference of the appointment")
    actions = ["send_again", "withdraw"]
    fields = (
        "kind",
        "subject",
        "to",
        "language",
        "appointment",
        "state",
        "told_with",
        "due_at",
        "useful_until",
        "tries",
        "try_at",
        "last_error",
        "created_at",
        "sent_at",
    )

    def matches(self, word: str) -> Q:
        return (
            super().matches(word) | Q(to__icontains=word) | Q(appointment__reference=word.upper())
        )

    @admin.display(description=_("message"), ordering="kind")
    def subject_or_kind(self, row: Notification) -> str:
        return row.subject or row.get_kind_display()

    @admin.display(description=_("sent on, or last error"), ordering="sent_at")
    def outcome(self, row: Notification) -> str:
        if row.last_error:
            facts = {"error": row.last_error, "tries": row.tries}
            return _("%(error)s (tries: %(tries)s)") % facts if row.tries else row.last_error
        return display_for_value(row.sent_at, self.get_empty_value_display())

    @admin.action(description=_("Send again"))
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        self._each(request, queryset, services.send_again)

    @admin.action(description=_("Withdraw"))
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        self._each(request, queryset, services.withdraw)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Notification], verb: Callable[..., object]
    ) -> None:
        """Do it to each row; say how many it was done to, and why not to the others."""
        by, done, refused = Actor.administrator(person(request)), 0, set()
        for row in queryset:
            try:
                verb(notification=row, by=by)
                done += 1
            except MessageRefusal as refusal:
                refused.add(str(refusal))
        if done:
            text = ngettext("Done for %(count)d message.", "Done for %(count)d messages.", done)
            messages.success(request, text % {"count": done})
        for sentence in sorted(refused):
            messages.warning(request, sentence)


@admin.register(MailChoices)
class MailChoicesAdmin(ClinicAdmin):
    """On somebody's behalf, for instance when they call."""

    list_display = ["user", "reminders", "day_list_at", "requests"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    search_help_text = _("E-mail")
    autocomplete_fields = ["user"]
    fields = [
        "user",
        "reminders",
        "practitioner_request",
        "practitioner_new",
        "practitioner_moved",
        "practitioner_cancelled",
        "day_list_at",
        "requests",
    ]


admin.site.register(MessageText, MessageTextAdmin)
