"""A form that was sent when the session had ended: kept for whoever wrote it, and nobody else.

What was typed waits on the server, in the session in which the login comes next; a
cookie says whose browser this was, as a signed mark that names nobody. Only an account
with the same mark is offered it, and a page with a button sends it. See docs/decisions/0019.
"""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

#: Where it lies in the session.
KEY = "unsent_form"
#: Says whose browser this was; outlives the session, ends with the logout.
MARK_COOKIE = "last_account"
MARK_AGE = 60 * 60 * 24 * 400
LIVES_FOR = 60 * 60
MOST_FIELDS, MOST_LETTERS = 200, 20_000
#: A capital, an accent or a blank; and what looks like that but is a key or a time.
_WRITTEN, _MACHINE = re.compile(r"[^a-z0-9_\-]"), re.compile(r"^\S*[0-9][\w@:.+\-]*$")
#: What is typed there is never written back into a page.
SECRET_PATHS = ("/cuenta/", "/admin/", "/idioma/")


@dataclass(frozen=True, slots=True)
class Unsent:
    path: str
    fields: list[tuple[str, str]]
    mark: str
    at: float

    @property
    def words(self) -> list[str]:
        """What a person wrote, without what the page itself had put into the form."""
        return [v for _name, v in self.fields if _WRITTEN.search(v) and not _MACHINE.match(v)]

    @property
    def is_over(self) -> bool:
        return time.time() - self.at > LIVES_FOR


def typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What a form said, if it may be offered again; empty otherwise.

    Never secrets, nor anything of the doors themselves, nor what is no form of a person's size.
    """
    if request.path.startswith(SECRET_PATHS):
        return []
    pairs = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and "password" not in name
    ]
    letters = sum(len(name) + len(value) for name, value in pairs)
    is_small = len(pairs) <= MOST_FIELDS and letters <= MOST_LETTERS
    return pairs if is_small and not request.FILES else []


def is_from_elsewhere(request: HttpRequest) -> bool:
    """As the browser itself says. One press of our own button would make it true."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"


def mark_of(user: Any) -> str:
    return salted_hmac("clinic.unsent", str(user.pk)).hexdigest()[:32]


def keep(request: HttpRequest) -> bool:
    """Keep what was sent until the login. Only called when the token of the form was right."""
    mark = request.COOKIES.get(MARK_COOKIE, "")
    fields = [] if is_from_elsewhere(request) else typed(request)
    if not mark or not fields:
        return False
    unsent = Unsent(request.get_full_path(), fields, mark[:64], time.time())
    request.session[KEY] = asdict(unsent)
    # The login gives the session its usual life again.
    request.session.set_expiry(LIVES_FOR)
    return True


def of(request: HttpRequest) -> Unsent | None:
    """What waits for the account that is logged in now."""
    unsent = _in(request)
    if unsent is None or unsent.is_over:
        return None
    return unsent if constant_time_compare(unsent.mark, mark_of(request.user)) else None


def _in(request: HttpRequest) -> Unsent | None:
    kept = request.session.get(KEY)
    return Unsent(**{**kept, "fields": [tuple(p) for p in kept["fields"]]}) if kept else None


def forget_when_sent(request: HttpRequest) -> None:
    """It is offered once: whatever becomes of the form now, its own page answers."""
    kept = request.session.get(KEY) if request.method == "POST" else None
    if kept and kept["path"] == request.get_full_path():
        del request.session[KEY]


def tidy(request: HttpRequest, response: HttpResponse, *, was_inside: bool) -> None:
    """After each answer: somebody else's words go, and the mark follows who is logged in."""
    user = request.user
    if not user.is_authenticated:
        if was_inside:
            response.delete_cookie(MARK_COOKIE, samesite="Lax")
        return
    if KEY in request.session and of(request) is None:
        del request.session[KEY]
    mark = mark_of(user)
    if request.COOKIES.get(MARK_COOKIE) != mark:
        response.set_cookie(
            MARK_COOKIE,
            mark,
            max_age=MARK_AGE,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
