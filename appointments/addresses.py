"""Reads the time that an address of the confirm page names."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlsplit

from django.urls import reverse


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
