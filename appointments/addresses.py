"""What the addresses of the pages for everybody say: a time of the confirm page, a search."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlencode, urlsplit

from django.http import HttpRequest
from django.urls import reverse

#: What of an address is a search.
SEARCH = ("what", "where", "who", "since", "until", "part", "coverage")


def chosen_time(page: str) -> tuple[int, dt.datetime | None]:
    """Offering and start of a confirm page; (0, None) for every other address."""
    try:
        address = urlsplit(page)
        asked = parse_qs(address.query, max_num_fields=20)
        start = dt.datetime.strptime(asked["start"][0], "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)
        offering = asked["offering"][0]
    except (ValueError, KeyError):
        return 0, None
    known = offering.isascii() and offering.isdigit() and len(offering) < 16
    if address.path != reverse("appointments:book") or not known or not 2000 <= start.year < 2200:
        return 0, None
    return int(offering), start


def search_in(query: str) -> str:
    """What of a query string is a search, written anew: nothing else is carried along."""
    try:
        asked = parse_qs(query[:1500], keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return ""
    said = {name: asked[name][-1][:100] for name in SEARCH if name in asked}
    # An empty coverage is any coverage; none at all is one's own.
    return urlencode({name: value for name, value in said.items() if value or name == "coverage"})


def search_before(request: HttpRequest) -> str:
    """The search that led to this page: in its address, or on the page of times left just now."""
    if "search" in request.GET:
        return search_in(request.GET["search"])
    try:
        left = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    is_ours = left.netloc == request.get_host() and left.path == reverse("appointments:times")
    return search_in(left.query) if is_ours else ""
