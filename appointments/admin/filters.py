"""Filters of the lists; the start page counts with the same definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from appointments.figures import all_free_minutes, days, waiting
from clinic.admin.base import names_rows

#: What one comes for, unless one asks for something else.
FROM_TODAY, EVERY_DAY = "from_today", "all"
_NEWEST_FIRST = {"last30", "past", EVERY_DAY}


class DayFilter(admin.SimpleListFilter):
    """From today on, the soonest first; whoever searches, or chooses a year, looks everywhere."""

    title = _("day")
    parameter_name = "day"

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        self.usual = usual_days(request)
        super().__init__(request, *args)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (FROM_TODAY, _("From today on")),
            ("today", _("Today")),
            ("tomorrow", _("Tomorrow")),
            ("week", _("The next 7 days")),
            ("last30", _("The last 30 days")),
            ("past", _("Before today")),
            (EVERY_DAY, _("All")),
        ]

    def value(self) -> str:
        return super().value() or self.usual

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Django's own “All” is what one sees without choosing: here, from today on.

        Not as a choice, if it is none: a search from there looks everywhere.
        """
        unchosen, from_today, *others = super().choices(changelist)
        if self.usual == FROM_TODAY:
            from_today["query_string"] = unchosen["query_string"]
        yield from (from_today, *others)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {value for value, _label in self.lookup_choices} - {EVERY_DAY}:
            return queryset
        return queryset.filter(local_date__range=days(self.value(), timezone.localdate()))


def usual_days(request: HttpRequest) -> str:
    """What is shown if nobody has chosen. Rows that were ticked are meant, whatever their day:
    the page may have been opened yesterday, or have been another choice of days."""
    chosen = request.GET.get("q") or any(name.startswith("local_date") for name in request.GET)
    return EVERY_DAY if chosen or names_rows(request) else FROM_TODAY


def is_newest_first(request: HttpRequest) -> bool:
    return (request.GET.get("day") or usual_days(request)) in _NEWEST_FIRST


class WaitingFilter(admin.SimpleListFilter):
    title = _("request")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("24h", _("Waiting for more than 24 hours"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=waiting()) if self.value() == "24h" else queryset


class FreeTimeFilter(admin.SimpleListFilter):
    title = _("free time")
    parameter_name = "free"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("week", _("Free hours left this week"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "week":
            return queryset
        return queryset.filter(pk__in=all_free_minutes(timezone.now()))
