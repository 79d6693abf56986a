"""The clinic as one request sees it: its row is read once."""

from __future__ import annotations

from django.http import HttpRequest

from clinic.models import Organization


def organization(request: HttpRequest) -> Organization:
    """``Organization.current()``, kept with the request."""
    found: Organization | None = getattr(request, "_organization", None)
    if found is None:
        found = request._organization = Organization.current()  # type: ignore[attr-defined]
    return found
