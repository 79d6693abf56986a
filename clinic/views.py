"""Pages of the house itself: the way in for each role, health, and refusals."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.roles import Role

#: Where each role begins its day; the first that fits.
_STARTS = (
    (Role.PRACTITIONER, "appointments:agenda"),
    (Role.RECEPTION, "appointments:desk"),
    (Role.ADMINISTRATOR, "admin:index"),
    (Role.PATIENT, "home"),
)


def start(request: HttpRequest) -> HttpResponse:
    """After login: to the page on which this person works."""
    roles = request.user.roles  # type: ignore[union-attr]
    return redirect(next((url for role, url in _STARTS if role in roles), "home"))


def healthz(request: HttpRequest) -> HttpResponse:
    """Whether the site and its database answer; for load balancers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "500.html", status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page was open too long: offer what was typed again, behind a fresh token.

    Secrets are never written back into a page, nor anything of the doors themselves.
    """
    fields = [] if request.path.startswith(_SECRET_PATHS) else _typed(request)
    return render(request, "403_csrf.html", {"fields": fields}, status=403)


_SECRET_PATHS = ("/cuenta/", "/admin/", "/idioma/")


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What a form said, as long as it is of a size that a person types."""
    pairs = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and "password" not in name
    ]
    return pairs if len(pairs) <= 200 else []
