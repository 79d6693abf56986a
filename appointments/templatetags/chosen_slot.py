"""The time somebody chose before the login came in between, read from where they are going."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django import template
from django.urls import reverse

from scheduling.models import ServiceOffering

register = template.Library()


@register.inclusion_tag("appointments/_chosen_slot.html")
def chosen_slot(next_page: str | None) -> dict[str, Any]:
    """A banner for ``/reservar/?offering=17&start=2026-12-08T13:30Z``, nothing for other pages."""
    offering_id, start = _read(next_page or "")
    if start is None:
        return {}
    offering = ServiceOffering.objects.online().with_parts().filter(pk=offering_id).first()
    return {"offering": offering, "start": start} if offering else {}


def _read(next_page: str) -> tuple[int, dt.datetime | None]:
    """The two halves of a chosen time; (0, None) for whatever is not one."""
    try:
        address = urlsplit(next_page)
        asked = parse_qs(address.query, max_num_fields=20)
        start = dt.datetime.strptime(asked["start"][0], "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)
        offering = asked["offering"][0]
    except (ValueError, KeyError):
        return 0, None
    known = offering.isascii() and offering.isdigit() and len(offering) < 16
    if address.path != reverse("appointments:book") or not known or not 2000 <= start.year < 2200:
        return 0, None
    return int(offering), start
