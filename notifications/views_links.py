"""The page behind a link in a mail: one question, one button. Looking changes nothing."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache

from appointments import asked
from notifications import links
from notifications.links import Link, Standing


@never_cache
def link(request: HttpRequest, purpose: str, token: str) -> HttpResponse:
    """What is no link of ours, or nobody's any more, is no page."""
    found = links.read(purpose, token)
    if found is None:
        raise Http404
    now = timezone.now()
    with translation.override(_language(request, found)):
        if request.method != "POST":
            return _page(request, found, links.standing(found, now))
        stands = links.follow(found, now)
        if stands == Standing.DONE:
            return redirect(request.path)
        return _page(request, found, stands, status=409)


def _page(request: HttpRequest, found: Link, stands: Standing, status: int = 200) -> HttpResponse:
    """No more than the mail says, and the patient by first name only."""
    context = {
        "appointment": found.appointment,
        "zone": found.appointment.zone,
        "purpose": found.purpose.name,
        "stands": stands.name,
        "would_replace": asked.to_replace(found.appointment, timezone.now()),
        "log_in": _where_to_log_in(found),
    }
    response = render(request, "notifications/link.html", context, status=status)
    response["Content-Language"] = translation.get_language()
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _language(request: HttpRequest, found: Link) -> str:
    """That of the mail, unless another was chosen in this browser."""
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    return request.LANGUAGE_CODE if chosen else found.recipient.language


def _where_to_log_in(found: Link) -> str:
    """Where somebody with an account sees everything; nothing for whoever has none."""
    if found.recipient.user is None:
        return ""
    name = "appointments:agenda_appointment" if found.is_work else "appointments:detail"
    return reverse(name, args=[found.appointment.public_id])
