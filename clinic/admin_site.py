"""The administration: Django's admin behind the clinic's own login, with the day's figures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.adapter import next_page
from accounts.roles import Role
from appointments.figures import all_free_minutes, in_hours, waiting, within
from appointments.transitions import Status
from clinic.models import Organization
from notifications.models import Notification, State

#: Whose models are administered. Packages register theirs too, unasked: a group gives
#: nobody anything here, and a verified address is verified by its owner.
OURS = frozenset({"clinic", "accounts", "scheduling", "appointments", "notifications"})

#: The start page and the sidebar, in the order of a manager's day.
GROUPS: list[tuple[str, str | Promise, list[str]]] = [
    (
        "appointments",
        _("Appointments"),
        ["Appointment", "Hold", "WaitingListEntry", "WaitingOffer"],
    ),
    ("people", _("People"), ["Patient", "Practitioner", "Receptionist", "User"]),
    ("time", _("Times"), ["Schedule", "TimeOff", "Closure"]),
    ("offer", _("The clinic"), ["Organization", "Location", "Specialty", "Service", "Insurer"]),
    (
        "log",
        _("Messages and log"),
        ["Notification", "MessageText", "MailChoices", "AuditEvent"],
    ),
]


#: How many are what: Spanish has another word for several of them.
STATES: dict[Status, str | Promise] = {
    Status.PENDING: pgettext_lazy("several", "Requested"),
    Status.BOOKED: pgettext_lazy("several", "Confirmed"),
    Status.ARRIVED: _("In the waiting room"),
    Status.FULFILLED: pgettext_lazy("several", "Seen"),
    Status.CANCELLED: pgettext_lazy("several", "Cancelled"),
    Status.NOSHOW: pgettext_lazy("several", "Did not come"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the start page, and the list that shows exactly those rows."""

    label: str | Promise
    value: int | str
    url: str
    note: str | Promise = ""


class Lookups(AutocompleteJsonView):
    """What is offered while one types."""

    def process_request(self, request: HttpRequest) -> Any:
        """For the box of a field; the other end of one has no box, and Django trips over it."""
        found = super().process_request(request)
        if not getattr(found[2], "concrete", False):
            raise PermissionDenied
        return found


class ClinicAdminSite(AdminSite):
    index_template = "admin/start.html"
    empty_value_display = "–"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Nothing is removed by the dozen.
        self.disable_action("delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        models = (
            model_or_iterable
            if isinstance(model_or_iterable, list | tuple)
            else [model_or_iterable]
        )
        ours = [model for model in models if model._meta.app_label in OURS]
        super().register(ours, admin_class, **options)

    # --- one door
    def has_permission(self, request: HttpRequest) -> bool:
        roles: frozenset[Role] = getattr(request.user, "roles", frozenset())
        return Role.ADMINISTRATOR in roles

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Not a second login: the clinic's own counts the tries."""
        target = next_page(request) or reverse("admin:index")
        if self.has_permission(request):
            return redirect(target)
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(target)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        return redirect("account_change_password")

    def logout(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """The form posts to the clinic's own way out; a link to here leads there."""
        return redirect("account_logout")

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        return Lookups.as_view(admin_site=self)(request)  # type: ignore[return-value]

    # --- what every page shows
    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        name = SimpleLazyObject(lambda: str(Organization.current()))
        return {**super().each_context(request), "site_header": name, "site_title": name}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Grouped by what people come for, not by where the code lives."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {model["object_name"]: model for app in apps for model in app["models"]}
        return [
            {
                "name": name,
                "app_label": label,
                "app_url": "",
                "has_module_perms": True,
                "models": [models[n] for n in names if n in models],
            }
            for label, name, names in GROUPS
        ]

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        now = timezone.now()
        context = {
            "title": _("Today"),
            "today": timezone.localdate(now),
            "states": list(states_of_today()),
            "figures": [free_hours(now), unanswered(), no_shows(), *mail_health(now)],
        }
        return super().index(request, {**context, **(extra_context or {})})


def _list(model: str, query: str) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?{query}"


def states_of_today() -> Iterator[Figure]:
    """Also the states that nobody is in: a nought is an answer."""
    rows = within("today").order_by().values_list("status").annotate(Count("pk"))
    counts = dict(rows)
    for status in Status:
        url = _list("appointments_appointment", f"day=today&status__exact={status.value}")
        yield Figure(STATES[status], counts.get(status.value, 0), url)


def free_hours(now: dt.datetime) -> Figure:
    minutes = all_free_minutes(now)
    return Figure(
        _("Free hours left this week"),
        in_hours(sum(minutes.values())),
        _list("scheduling_schedule", "free=week"),
        _("schedules with free time: %(count)s") % {"count": len(minutes)},
    )


def unanswered() -> Figure:
    return Figure(
        _("Requests waiting for more than 24 hours"),
        waiting().count(),
        _list("appointments_appointment", "day=all&waiting=24h"),
    )


def no_shows() -> Figure:
    return Figure(
        _("Did not come, in the last 30 days"),
        within("last30").filter(status=Status.NOSHOW).count(),
        _list("appointments_appointment", f"day=last30&status__exact={Status.NOSHOW.value}"),
    )


def mail_health(now: dt.datetime) -> Iterator[Figure]:
    """How many messages should have left by now, and for how long the oldest has waited."""
    due = Notification.objects.due(now).aggregate(rows=Count("pk"), oldest=Min("due_at"))
    late = int((now - due["oldest"]).total_seconds()) // 60 if due["rows"] else 0
    yield Figure(
        _("Messages that should have left"),
        due["rows"],
        _list("notifications_notification", "due=now"),
        _("minutes the oldest has waited: %(minutes)s") % {"minutes": late} if due["rows"] else "",
    )
    yield Figure(
        _("Messages that could not be delivered"),
        Notification.objects.filter(state=State.FAILED).count(),
        _list("notifications_notification", f"state__exact={State.FAILED.value}"),
    )
