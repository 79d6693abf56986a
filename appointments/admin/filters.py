"""Filters of the lists; the start page counts with the same definitions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from appointments.figures import all_free_minutes, days, waiting


class DayFilter(admin.SimpleListFilter):
    title = _("day")
    parameter_name = "day"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("today", _("Today")),
            ("tomorrow", _("Tomorrow")),
            ("week", _("The next 7 days")),
            ("last30", _("The last 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {value for value, _label in self.lookup_choices}:
            return queryset
        return queryset.filter(
            local_date__range=days(str(self.value()), timezone.localdate()),
        )


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
