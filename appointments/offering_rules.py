"""The rules of one service in words: what holds, and who says so."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.models import Organization
from clinic.templatetags.clinic_times import duration
from scheduling.models import ServiceOffering
from scheduling.selectors import Origin, Rule, booking_rules


@dataclass(frozen=True, slots=True)
class Line:
    """``origin`` is empty where only the service as it is given here can say it."""

    term: str
    value: str
    origin: str = ""

    @property
    def note(self) -> str:
        return f"({self.origin})" if self.origin else ""


def lines(offering: ServiceOffering, organization: Organization) -> list[Line]:
    """Every rule of booking it. The offering comes with its service, schedule and practitioner."""
    rules = booking_rules(offering, organization)
    return [
        Line(_("Length"), duration(offering.minutes), _length_origin(offering)),
        Line(_("Free around it"), _buffers(offering)),
        Line(_("Price"), _price(offering)),
        Line(_("Online"), _who(offering)),
        Line(_("Booking"), capfirst(offering.get_confirmation_display())),
        *_windows(rules),
        _line(_("To travel from another location"), rules.travel_rule, _minutes),
        Line(_("A time every"), duration(offering.schedule.slot_step), _("the schedule")),
    ]


def inherited(offering: ServiceOffering, organization: Organization) -> dict[str, Line]:
    """By field, what holds when the service says nothing of its own."""
    silent = copy.copy(offering)
    silent.duration = None
    silent.min_notice_minutes = silent.horizon_days = silent.cancel_notice_hours = None
    names = ("min_notice_minutes", "horizon_days", "cancel_notice_hours")
    windows = dict(zip(names, _windows(booking_rules(silent, organization)), strict=True))
    length = Line(_("Length"), duration(silent.minutes), _length_origin(silent))
    return {"duration": length, **windows}


def of_the_clinic(organization: Organization) -> dict[str, Line]:
    """By field of a schedule, what holds when the schedule says nothing of its own."""
    notice = Rule(organization.min_notice_minutes, Origin.CLINIC)
    horizon = Rule(organization.horizon_days, Origin.CLINIC)
    return {
        "min_notice_minutes": _line(_("Minimum notice"), notice, _minutes),
        "horizon_days": _line(_("Can be booked ahead"), horizon, _days),
    }


def _windows(rules: Any) -> Iterator[Line]:
    yield _line(_("Minimum notice"), rules.min_notice_rule, _minutes)
    yield _line(_("Can be booked ahead"), rules.horizon_rule, _days)
    yield _line(_("Notice for cancelling or moving"), rules.cancel_notice_rule, _hours)


def _line(term: str, rule: Rule, say: Any) -> Line:
    return Line(term, say(rule.value), str(rule.origin.label))


def _minutes(count: int) -> str:
    return ngettext("%(count)s minute", "%(count)s minutes", count) % {"count": count}


def _days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def _hours(count: int) -> str:
    return ngettext("%(count)s hour", "%(count)s hours", count) % {"count": count}


def _length_origin(offering: ServiceOffering) -> str:
    return _("this service") if offering.duration else _("the usual length")


def _who(offering: ServiceOffering) -> str:
    if not offering.is_online:
        return _("only the staff")
    return _("patients seen before book it") if offering.known_only else _("patients book it")


def _buffers(offering: ServiceOffering) -> str:
    if not offering.buffer_before and not offering.buffer_after:
        return _("nothing")
    return _("%(before)s before, %(after)s after") % {
        "before": duration(offering.buffer_before),
        "after": duration(offering.buffer_after),
    }


def _price(offering: ServiceOffering) -> str:
    if offering.price is None:
        return _("not given")
    price = f"$ {number_format(offering.price, decimal_pos=2, use_l10n=True, force_grouping=True)}"
    seen_by = _("patients see it") if offering.show_price else _("only the staff")
    return f"{price} · {seen_by}"
