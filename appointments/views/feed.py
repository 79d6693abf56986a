"""The calendar that programs subscribe to, and the page on which its address is made."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.roles import Actor, Role
from appointments import feeds
from appointments.models import CalendarFeed


def feed(request: HttpRequest, token: str) -> HttpResponse:
    """No login: calendar programs have none, the address is the key. Asking again is cheap."""
    found = feeds.find(token)
    if found is None:
        raise Http404
    now = feeds.content(found, timezone.now())
    # By the tag alone: an address of a place or an access that ended leaves no date behind.
    if (response := get_conditional_response(request, etag=now.etag)) is None:
        if feeds.is_asked_too_often(found):
            return HttpResponse(status=429, headers={"Retry-After": "3600"})
        response = HttpResponse(now.as_file(), content_type="text/calendar; charset=utf-8")
    response["ETag"] = now.etag
    response["Last-Modified"] = http_date(now.changed_at.timestamp())
    response["Cache-Control"] = "private, no-cache"
    response["X-Robots-Tag"] = "noindex"
    return response


def feed_settings(request: HttpRequest) -> HttpResponse:
    """Which calendars there are; a button makes an address, another ends it."""
    user = person(request)
    if request.method == "POST":
        kind = next((k for k in feeds.kinds_of(user) if k == request.POST.get("kind")), None)
        if kind is None:
            raise Http404
        if request.POST.get("do") == "end":
            feeds.revoke(user=user, kind=kind, by=_as(request, kind))
            messages.success(request, _("The address no longer works."))
            return redirect("appointments:feed_settings")
        address = feeds.renew(user=user, kind=kind, by=_as(request, kind))
        return _page(request, made=kind, address=address)
    return _page(request)


def _as(request: HttpRequest, kind: CalendarFeed.Kind) -> Actor:
    is_practice = kind == CalendarFeed.Kind.PRACTICE
    return Actor(person(request), Role.PRACTITIONER if is_practice else Role.PATIENT)


def _page(
    request: HttpRequest, *, made: CalendarFeed.Kind | None = None, address: str = ""
) -> HttpResponse:
    """The address is on this one page only: nobody can look it up later, we neither."""
    user = person(request)
    existing = {row.kind: row for row in CalendarFeed.objects.filter(user=user)}
    rows: list[dict[str, Any]] = [
        {
            "kind": kind,
            "since": timezone.localdate(existing[kind].created_at) if kind in existing else None,
            "address": address if kind == made else "",
        }
        for kind in feeds.kinds_of(user)
    ]
    context = {"rows": rows, "webcal": "webcal:" + address.partition(":")[2]}
    return render(request, "appointments/feed_settings.html", context)
