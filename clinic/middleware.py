"""What every request passes: the language, the door it wants to open, what the browser may do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.http import urlencode

from clinic import unsent
from clinic.policy import Door, row_for

log = logging.getLogger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponse]


#: What Django and django-csp do not say already. No page here needs anything of the device.
_CAUTION = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class CautionMiddleware:
    """Tells the browser what no page of ours will ever ask for; static files included."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in _CAUTION.items():
            response.headers.setdefault(name, value)
        return response


class SpanishFirstMiddleware:
    """Spanish until somebody chooses another language or logs in; a cookie says which.

    Django's own middleware would ask the browser, and a clinic's shared
    computer says English too often.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        language = chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ["Cookie"])
        return response


class PolicyMiddleware:
    """Deny by default: a view runs only if its row in the policy table says so."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        was_inside = request.user.is_authenticated
        response = self.get_response(request)
        if request.user.is_authenticated or getattr(request, "is_personal", True):
            add_never_cache_headers(response)
        unsent.tidy(request, response, was_inside=was_inside)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        row = row_for(name)
        if row is None:
            log.error("No row in the policy table for %r: closed.", name)
            raise Http404
        if request.method not in row.methods:
            return HttpResponseNotAllowed(sorted(row.methods))
        if row.who is Door.PUBLIC:
            request.is_personal = False  # type: ignore[attr-defined]
            return None
        user = request.user
        if not user.is_authenticated:
            # A button has no page of its own to come back to.
            wanted = request.get_full_path() if "GET" in row.methods else reverse("start")
            if request.method == "POST" and unsent.keep(request):
                wanted = f"{reverse('send_again')}?{urlencode({'next': wanted})}"
            return redirect_to_login(wanted)
        if isinstance(row.who, frozenset) and not (user.roles & row.who):
            raise PermissionDenied
        unsent.forget_when_sent(request)
        return None
