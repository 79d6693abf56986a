"""Pages of the house itself: the way in for each role, health, and refusals."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.adapter import next_page
from accounts.roles import Role
from clinic import unsent
from clinic.policy import row_for
from notifications import pulse

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


def mail_healthz(request: HttpRequest) -> HttpResponse:
    """Whether mails leave; for whoever is called at night when they do not."""
    since = pulse.health(timezone.now()).stands_since
    if since is None:
        return HttpResponse("ok\n", content_type="text/plain")
    text = f"mail stands still since {since:%Y-%m-%dT%H:%M:%SZ}\n"
    return HttpResponse(text, content_type="text/plain", status=503)


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

    Not what another site has sent: one press of our own button would make it true.
    """
    # As the browser itself says, or as Django has concluded from what it says.
    elsewhere = unsent.is_from_elsewhere(request) or reason.startswith(("Origin", "Referer"))
    fields = [] if elsewhere else unsent.typed(request)
    # A button has no page of its own to open again.
    row = row_for(request.resolver_match.view_name if request.resolver_match else "")
    page = request.get_full_path() if row and "GET" in row.methods else reverse("start")
    context = {"fields": fields, "action": request.get_full_path(), "page": page}
    return render(request, "403_csrf.html", context, status=403)


def send_again(request: HttpRequest) -> HttpResponse:
    """After the login that came in between: what was typed, and the button to send it."""
    wanted = next_page(request) or reverse("start")
    kept = unsent.of(request)
    if kept is None:
        return redirect(wanted)
    context = {
        "fields": kept.fields,
        "words": kept.words,
        "action": kept.path,
        "page": wanted,
    }
    return render(request, "send_again.html", context)
