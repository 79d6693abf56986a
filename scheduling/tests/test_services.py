"""Verbs of time: what they write, what they leave alone, and who is named."""

import datetime as dt

import pytest

from accounts.roles import Actor
from clinic.models import AuditEvent
from clinic.tests.factories import ServiceFactory
from scheduling.models import ServiceOffering, TimeOff
from scheduling.services import ScheduleRules, add_time_off, remove_time_off, set_offering, set_week
from scheduling.tests.factories import ScheduleFactory, open_offering, open_week
from scheduling.weeks import Hours

pytestmark = pytest.mark.django_db

SYSTEM = Actor.system()


def test_the_week_is_replaced_in_order():
    schedule = ScheduleFactory.create()
    other = ScheduleFactory.create()
    open_week(schedule)
    open_week(other)
    hours = [
        Hours(2, dt.time(15), dt.time(19)),
        Hours(2, dt.time(8), dt.time(12)),
        Hours(0, dt.time(8), dt.time(12), dt.date(2027, 1, 1), dt.date(2027, 1, 31)),
    ]
    set_week(schedule=schedule, hours=hours, by=SYSTEM)
    lines = [(h.weekday, h.start, h.valid_from, h.valid_until) for h in schedule.hours.all()]
    assert lines == [
        (0, dt.time(8), dt.date(2027, 1, 1), dt.date(2027, 1, 31)),
        (2, dt.time(8), None, None),
        (2, dt.time(15), None, None),
    ]
    assert other.hours.count() == 7


def test_a_change_of_the_week_is_logged_before_and_after():
    schedule = ScheduleFactory.create(slot_step=30)
    set_week(schedule=schedule, hours=[], by=SYSTEM)
    rules = ScheduleRules(20, None, None)
    set_week(schedule=schedule, hours=[Hours(0, dt.time(8), dt.time(9))], by=SYSTEM, rules=rules)
    line = AuditEvent.objects.first()
    assert (line.actor, line.action) == ("system", "schedule.set_week")
    assert line.details["before"] == []
    assert line.details["after"][0].endswith("08:00–09:00")
    assert line.details["slot_step"] == 20


def test_the_rules_are_changed_only_when_some_are_given():
    schedule = ScheduleFactory.create(slot_step=30)
    set_week(schedule=schedule, hours=[], by=SYSTEM)
    schedule.refresh_from_db()
    assert schedule.slot_step == 30
    set_week(schedule=schedule, hours=[], by=SYSTEM, rules=ScheduleRules(None, 60, 30))
    schedule.refresh_from_db()
    own = [schedule.slot_step, schedule.min_notice_minutes, schedule.horizon_days]
    assert own == [None, 60, 30]


def test_time_off_comes_and_goes_and_both_are_logged():
    practitioner = ScheduleFactory.create().practitioner
    row = add_time_off(
        practitioner=practitioner, by=SYSTEM, weekday=0, start=dt.time(13), end=dt.time(14)
    )
    assert TimeOff.objects.get() == row
    remove_time_off(time_off=row, by=SYSTEM)
    assert not TimeOff.objects.exists()
    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["time_off.add", "time_off.remove"]


def test_the_log_does_not_hold_the_private_reason():
    practitioner = ScheduleFactory.create().practitioner
    add_time_off(
        practitioner=practitioner,
        by=SYSTEM,
        weekday=0,
        start=dt.time(13),
        end=dt.time(14),
        reason="Terapia",
    )
    assert "Terapia" not in str(AuditEvent.objects.get().details)


def test_a_new_offering_is_saved_and_logged():
    schedule = ScheduleFactory.create()
    offering = ServiceOffering(schedule=schedule, service=ServiceFactory.create(), duration=45)
    set_offering(offering=offering, by=SYSTEM)
    assert ServiceOffering.objects.get().minutes == 45
    assert AuditEvent.objects.get().details["minutes"] == 45


def test_the_same_form_twice_changes_the_one_offering():
    schedule, service = ScheduleFactory.create(), ServiceFactory.create()
    set_offering(offering=ServiceOffering(schedule=schedule, service=service), by=SYSTEM)
    again = ServiceOffering(schedule=schedule, service=service, duration=20)
    set_offering(offering=again, by=SYSTEM)
    assert ServiceOffering.objects.get().minutes == 20


def test_an_offering_is_changed():
    offering = open_offering()
    offering.booked_online_by = "staff"
    set_offering(offering=offering, by=SYSTEM)
    assert ServiceOffering.objects.get().booked_online_by == "staff"
