"""Who stands behind a request."""

from django.http import HttpRequest

from accounts.models import User


def person(request: HttpRequest) -> User:
    """The account behind the request; the policy table lets nobody else come this far."""
    assert isinstance(request.user, User)  # noqa: S101 (for the reader and mypy)
    return request.user
