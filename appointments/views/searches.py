"""What was looked for stays out of addresses when it has a number: a document, a telephone.

The session keeps the last few searches, each under a short key that the address carries.
"""

from __future__ import annotations

import secrets

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict

from clinic.text import MAX_QUERY

#: So many searches of one browser are known; of an older one the key finds nothing.
MOST = 20
_KEPT = "searches"


def text_of(request: HttpRequest) -> str:
    """What the address looks for; nothing under a key that is not known."""
    key = key_of(request)
    found = request.session.get(_KEPT, {}).get(key, "") if key else request.GET.get("q", "")
    return _clean(found)


def key_of(request: HttpRequest) -> str:
    return request.GET.get("s", "")[:40]


def by_key(request: HttpRequest, asked: QueryDict) -> str:
    """This query as an address may carry it."""
    query = asked.copy()
    text = _clean(query.get("q", ""))
    if _has_number(text):
        del query["q"]
        query["s"] = _remember(request, text)
    return query.urlencode()


def moved(request: HttpRequest) -> HttpResponse | None:
    """Where a number that came in the address is looked for instead."""
    if request.method not in {"GET", "HEAD"} or not _has_number(request.GET.get("q", "")):
        return None
    return HttpResponseRedirect(f"{request.path}?{by_key(request, request.GET)}")


def asked_again(request: HttpRequest, *names: str) -> HttpResponse:
    """The search that was sent, as an address that can be reloaded and gone back to."""
    asked = QueryDict(mutable=True)
    for name in names:
        if text := request.POST.get(name, "")[:200].replace("\x00", ""):
            asked[name] = text
    return HttpResponseRedirect(f"{request.path}?{by_key(request, asked)}")


def _has_number(text: str) -> bool:
    """Also beside a name."""
    return any(c.isdigit() for c in text)


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()[:MAX_QUERY]


def _remember(request: HttpRequest, text: str) -> str:
    """The same text has the same key."""
    kept: dict[str, str] = request.session.get(_KEPT, {})
    key = next((key for key, said in kept.items() if said == text), "")
    key = key or secrets.token_urlsafe(6)
    others = [(name, said) for name, said in kept.items() if name != key]
    request.session[_KEPT] = dict([*others, (key, text)][-MOST:])
    return key
