"""Whoever closes a day is told who has hours of their own on it, and says what holds."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.roles import Actor
from appointments.exceptions import Refusal
from appointments.forms.own_hours import OwnHoursForm
from scheduling import services
from scheduling.closed_days import OwnHours


class OwnHoursFound(Refusal):
    """Nothing is saved yet."""

    code = "own_hours"
    sentence = _(
        "Practitioners have hours of their own on these days. Look at the list, then save again."
    )


def settle_own_hours(
    request: HttpRequest, hours: Sequence[OwnHours], *, can_be_worked: bool, by: Actor
) -> None:
    """Do with these hours as was answered; raises OwnHoursFound until somebody has.

    In the transaction that closes their days, before it looks whom that hits.
    """
    if not hours:
        return
    form = OwnHoursForm(request.POST, hours=hours, can_be_worked=can_be_worked)
    request.own_hours = form  # type: ignore[attr-defined]
    if not form.is_answered():
        raise OwnHoursFound
    if form.closes:
        for one in hours:
            services.remove_overrides(schedule=one.schedule, date=one.date, by=by)
