"""The history on an appointment's page: each change with its values, in words."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

from django.db.models import DateTimeField, Field, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role, Source
from appointments import story
from appointments.models import Appointment, AppointmentEvent
from appointments.transitions import Status
from clinic.admin.base import Inline, column
from clinic.templatetags.clinic_times import local_datetime

_ROLES = {
    Role.PATIENT: _("patient"),
    Role.PRACTITIONER: _("practitioner"),
    Role.RECEPTION: _("reception"),
    Role.ADMINISTRATOR: _("administrator"),
    Role.SYSTEM: _("the system"),
}
_SOURCES = {
    Source.WEB: _("the pages"),
    Source.ADMIN: _("the administration"),
    Source.COMMAND: _("a command"),
    Source.TASK: _("a timetable"),
    Source.MAIL: _("a link in an e-mail"),
}


Names = dict[type[Model], dict[int, str]]


class EventInline(Inline):
    """Who did what, and from where."""

    _names: Names | None = None

    model = AppointmentEvent
    can_add = False
    can_change = False
    fields = ["when", "deed", "by", "as_what", "from_where", "what"]
    readonly_fields = ["when", "deed", "by", "as_what", "from_where", "what"]
    verbose_name_plural = _("what happened")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AppointmentEvent]:
        return (
            super()
            .get_queryset(request)
            .select_related("by", "appointment__location", "appointment__practitioner")
        )

    @column(_("when"))
    def when(self, event: AppointmentEvent) -> str:
        return local_datetime(event.at, event.appointment.zone)

    @column(_("what"))
    def deed(self, event: AppointmentEvent) -> str:
        return story.sentence(event)

    @column(_("as"))
    def as_what(self, event: AppointmentEvent) -> str:
        return str(_ROLES.get(event.role, event.role))  # type: ignore[call-overload]

    @column(_("from where"))
    def from_where(self, event: AppointmentEvent) -> str:
        return str(_SOURCES.get(event.source, event.source))  # type: ignore[call-overload]

    @column(_("what changed"))
    def what(self, event: AppointmentEvent) -> str:
        return "; ".join(self._change(event, field) for field in _changed(event))

    def _change(self, event: AppointmentEvent, field: Field) -> str:
        """``state: Requested → Confirmed``"""
        before, after = (
            self._in_words(event, field, row.get(field.attname))
            for row in (event.before, event.after)
        )
        return f"{field.verbose_name}: {before} → {after}"

    def _in_words(self, event: AppointmentEvent, field: Field, value: Any) -> str:
        if value in (None, ""):
            return "–"
        if kind := field.related_model:
            return self._names_of(event)[kind].get(value, str(value))
        if field.name == "status":
            return str(Status(value).label)
        if isinstance(field, DateTimeField):
            return local_datetime(dt.datetime.fromisoformat(value), event.appointment.zone)
        return str(value)

    def _names_of(self, event: AppointmentEvent) -> Names:
        """Of all lines at once: the page has one appointment, and each page an inline anew."""
        if self._names is None:
            self._names = _names_in(AppointmentEvent.objects.filter(appointment=event.appointment))
        return self._names


def chain_of(appointment: Appointment) -> SafeString | str:
    """The times it had and has, each a link to its page; the one that is shown is none."""
    parts = story.chain(appointment)
    links = ((_link(part, appointment),) for part in parts)
    return format_html_join(" → ", "{}", links) if len(parts) > 1 else ""


def _link(part: Appointment, shown: Appointment) -> SafeString | str:
    when = local_datetime(part.start, part.zone)
    if part.pk == shown.pk:
        return when
    url = reverse("admin:appointments_appointment_change", args=[part.pk])
    return format_html('<a href="{}">{}</a>', url, when)


def _changed(event: AppointmentEvent) -> list[Field]:
    """The fields whose value is another after it."""
    changed = [name for name, old in event.before.items() if old != event.after.get(name)]
    return [cast("Field", Appointment._meta.get_field(name)) for name in changed]


def _names_in(events: Iterable[AppointmentEvent]) -> Names:
    """A question for each kind of what they name, however many there are."""
    keys: dict[type[Model], set[int]] = defaultdict(set)
    for event in events:
        for field in _changed(event):
            if kind := field.related_model:
                values = (row.get(field.attname) for row in (event.before, event.after))
                keys[kind] |= {value for value in values if value}
    return {
        model: {pk: str(row) for pk, row in model._base_manager.in_bulk(pks).items()}
        for model, pks in keys.items()
    }
