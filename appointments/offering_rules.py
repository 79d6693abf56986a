"""The rules of one service in words: what holds, and who says so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Practitioner
from clinic.models import Confirmation, OnlineFor, Organization, Service
from clinic.templatetags.clinic_times import duration
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import BookingRules, Origin, Rule, booking_rules

T = TypeVar("T")


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
        _line(_("Free before"), rules.before_rule, duration),
        _line(_("Free after"), rules.after_rule, duration),
        _price(offering, rules),
        _line(_("Online"), rules.online_rule, _who),
        _line(_("Booking"), rules.confirmation_rule, _confirmation),
        *_windows(rules),
        _line(_("To travel from another location"), rules.travel_rule, _minutes),
        _line(_("A time every"), rules.step_rule, duration),
    ]


def inherited(offering: ServiceOffering, organization: Organization) -> dict[str, Line]:
    """By field, what holds when the service says nothing of its own."""
    silent = copy.copy(offering)
    silent.duration = silent.buffer_before = silent.buffer_after = silent.show_price = None
    silent.min_notice_minutes = silent.horizon_days = silent.cancel_notice_hours = None
    silent.confirmation = silent.booked_online_by = ""
    rules = booking_rules(silent, organization)
    names = ("min_notice_minutes", "horizon_days", "cancel_notice_hours")
    return {
        "duration": Line(_("Length"), duration(silent.minutes), _length_origin(silent)),
        "buffer_before": _line(_("Free before"), rules.before_rule, duration),
        "buffer_after": _line(_("Free after"), rules.after_rule, duration),
        "booked_online_by": _line(_("Online"), rules.online_rule, _who),
        "confirmation": _line(_("Booking"), rules.confirmation_rule, _confirmation),
        "show_price": _line(_("Price"), rules.price_rule, _seen_by),
        **dict(zip(names, _windows(rules), strict=True)),
    }


def usual(organization: Organization) -> dict[str, Line]:
    """By field of a service, what the clinic says for all of them."""
    schedule = Schedule(practitioner=Practitioner())
    anywhere = ServiceOffering(schedule=schedule, service=Service())
    lines = inherited(anywhere, organization)
    return {name: line for name, line in lines.items() if line.origin == str(Origin.CLINIC.label)}


def of_the_clinic(organization: Organization) -> dict[str, Line]:
    """By field of a schedule, what holds when the schedule says nothing of its own."""
    notice = Rule(organization.min_notice_minutes, Origin.CLINIC)
    horizon = Rule(organization.horizon_days, Origin.CLINIC)
    step = Rule(organization.slot_step, Origin.CLINIC)
    return {
        "slot_step": _line(_("A time every"), step, _minutes),
        "min_notice_minutes": _line(_("Minimum notice"), notice, _minutes),
        "horizon_days": _line(_("Can be booked ahead"), horizon, _days),
    }


def as_the_clinic(line: Line) -> str:
    """The first of some choices: none of one's own."""
    return _("As the clinic: %(value)s") % {"value": line.value}


def if_empty(line: Line) -> str:
    """What an empty box means."""
    return _("Empty: %(value)s (%(origin)s).") % {"value": line.value, "origin": line.origin}


def _windows(rules: BookingRules) -> Iterator[Line]:
    yield _line(_("Minimum notice"), rules.min_notice_rule, _minutes)
    yield _line(_("Can be booked ahead"), rules.horizon_rule, _days)
    yield _line(_("Notice for cancelling or moving"), rules.cancel_notice_rule, _hours)


def _line(term: str, rule: Rule[T], say: Callable[[T], str]) -> Line:
    return Line(term, say(rule.value), str(rule.origin.label))


def _minutes(count: int) -> str:
    return ngettext("%(count)s minute", "%(count)s minutes", count) % {"count": count}


def _days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def _hours(count: int) -> str:
    return ngettext("%(count)s hour", "%(count)s hours", count) % {"count": count}


def _length_origin(offering: ServiceOffering) -> str:
    return _("this service") if offering.duration else _("the usual length")


def _who(who: str) -> str:
    return {
        OnlineFor.EVERYBODY: _("patients book it"),
        OnlineFor.KNOWN: _("patients seen before book it"),
        OnlineFor.STAFF: _("only the staff"),
    }[OnlineFor(who)]


def _confirmation(confirmation: str) -> str:
    return str(Confirmation(confirmation).label)


def _seen_by(shown: bool) -> str:
    return _("patients see it") if shown else _("only the staff")


def _price(offering: ServiceOffering, rules: BookingRules) -> Line:
    if offering.price is None:
        return Line(_("Price"), _("not given"))
    price = f"$ {number_format(offering.price, decimal_pos=2, use_l10n=True, force_grouping=True)}"
    return _line(_("Price"), rules.price_rule, lambda shown: f"{price} · {_seen_by(shown)}")
