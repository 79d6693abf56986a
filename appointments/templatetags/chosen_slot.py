"""The time somebody chose before the login came in between, read from where they are going."""

from __future__ import annotations

from typing import Any

from django import template

from appointments.addresses import chosen_time
from scheduling.models import ServiceOffering

register = template.Library()


@register.inclusion_tag("appointments/_chosen_slot.html")
def chosen_slot(next_page: str | None) -> dict[str, Any]:
    """A banner for ``/reservar/?offering=17&start=2026-12-08T13:30Z``, nothing for other pages."""
    offering_id, start = chosen_time(next_page or "")
    if start is None:
        return {}
    offering = ServiceOffering.objects.online().with_parts().filter(pk=offering_id).first()
    return {"offering": offering, "start": start} if offering else {}
