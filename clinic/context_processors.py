"""What every page shows around its content. Lazy: a page that shows none of it asks nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role
from clinic import current
from notifications import pulse

#: What the header offers, by who looks: (label, name of the URL).
VISITOR = [(_("Book an appointment"), "home"), (_("Practitioners"), "appointments:practitioners")]
PATIENT = [
    (_("Book an appointment"), "home"),
    (_("My appointments"), "appointments:list"),
    (_("My family"), "accounts:family"),
]
PRACTITIONER = [
    (_("Agenda"), "appointments:agenda"),
    (_("Requests"), "appointments:agenda_requests"),
    (_("Working hours"), "appointments:hours"),
    (_("Time off"), "appointments:time_off"),
    (_("Services"), "appointments:services"),
]
RECEPTION = [
    (_("Appointments of the day"), "appointments:desk"),
    (_("Requests"), "appointments:desk_requests"),
    (_("Give an appointment"), "appointments:desk_give"),
    (_("Patients"), "appointments:desk_patients"),
    (_("Schedules"), "appointments:desk_practitioners"),
]
ADMINISTRATOR = [(_("Administration"), "admin:index")]
SIGNED_OUT = [(_("Log in"), "account_login"), (_("Create account"), "account_signup")]
SIGNED_IN = [(_("My details"), "accounts:profile"), (_("Log out"), "account_logout")]

_TOLD_OF_MAIL = {Role.RECEPTION, Role.ADMINISTRATOR}
#: Pages without an entry of their own, and where they belong.
BELONGS = {"appointments:waiting": "appointments:list"}

LANGUAGE_NAMES = {"es": "Español", "en": "English"}


@dataclass(frozen=True, slots=True)
class NavItem:
    label: Any
    url: str
    #: Value of aria-current: the page itself, a page below it, or empty.
    current: str = ""


@dataclass(frozen=True, slots=True)
class Navigation:
    main: list[NavItem]
    account: list[NavItem]

    def __iter__(self) -> Any:
        yield from self.main
        yield from self.account


def clinic(request: HttpRequest) -> dict[str, Any]:
    language = (get_language() or "es").split("-")[0]
    return {
        "organization": SimpleLazyObject(lambda: current.organization(request)),
        "navigation": SimpleLazyObject(lambda: navigation(request)),
        "language": language,
        "other_language": "en" if language == "es" else "es",
        "other_language_name": LANGUAGE_NAMES["en" if language == "es" else "es"],
        "demo": settings.DEMO,
        "mail_trouble": SimpleLazyObject(lambda: mail_trouble(request)),
    }


def mail_trouble(request: HttpRequest) -> pulse.Health | None:
    """For those who answer the telephone when mails do not arrive; None while all goes well."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not user.roles & _TOLD_OF_MAIL:
        return None
    health = pulse.health(timezone.now())
    return health if health.stands_since or health.held else None


def navigation(request: HttpRequest) -> Navigation:
    """The links of the header for this person, the one of the current page marked."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        main, account = VISITOR, SIGNED_OUT
    else:
        main, account = _main_links(user.roles), SIGNED_IN
    items = [[(label, reverse(name)) for label, name in rows] for rows in (main, account)]
    urls = [url for rows in items for _label, url in rows]
    here = _longest_match(request.path, urls)
    for name, entry in BELONGS.items():
        if request.path.startswith(reverse(name)) and reverse(entry) in urls:
            here = reverse(entry)
    return Navigation(
        *(
            [NavItem(label, url, _current(url, here, request.path)) for label, url in rows]
            for rows in items
        )
    )


def _main_links(roles: frozenset[Role]) -> list[tuple[Any, str]]:
    links: list[tuple[Any, str]] = []
    if Role.PRACTITIONER in roles:
        links += PRACTITIONER
    if roles & {Role.RECEPTION, Role.ADMINISTRATOR}:
        links += RECEPTION
    if Role.ADMINISTRATOR in roles:
        links += ADMINISTRATOR
    if Role.PATIENT in roles or not links:
        links += PATIENT
    return links


def _longest_match(path: str, urls: list[str]) -> str:
    """The entry the page belongs to: /agenda/ for /agenda/2026-12-08/, home only for itself."""
    matches = [url for url in urls if path == url or (url != "/" and path.startswith(url))]
    return max(matches, key=len, default="")


def _current(url: str, here: str, path: str) -> str:
    if url != here:
        return ""
    return "page" if url == path else "true"
