"""The offer to undo, on the page after a change was saved."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.template import Context
from django.utils import timezone

from appointments.models import RuleChange
from appointments.views.undo import change_url

register = template.Library()


@register.inclusion_tag(
    "admin/appointments/_undo.html", takes_context=True, name="admin_undo_offers"
)
@register.inclusion_tag("appointments/_undo_offers.html", takes_context=True)
def undo_offers(context: Context) -> dict[str, Any]:
    """This person's changes of the last minutes that can still be undone, the newest first."""
    request = getattr(context, "request", None)
    if request is None:
        return {"offers": []}
    now = timezone.now()
    rows = RuleChange.objects.filter(by=request.user, undo_until__gt=now, undone_at=None)
    return {"offers": [_offer(row, now) for row in rows[:5]]}


def _offer(row: RuleChange, now: dt.datetime) -> dict[str, Any]:
    minutes = -(-int((row.undo_until - now).total_seconds()) // 60)
    return {"change": row, "url": change_url(row), "minutes": minutes}
