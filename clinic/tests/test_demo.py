"""The demo is loaded once, keeps every promise and looks like a real place."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import TestCase

from accounts.models import Patient, PatientAccess, Practitioner, Relation, User
from accounts.roles import Role
from appointments import integrity as of_appointments
from appointments import integrity_offers as of_offers
from appointments.availability import free_slots
from appointments.models import (
    Appointment,
    AppointmentEvent,
    AppointmentQuerySet,
    WaitingListEntry,
)
from appointments.transitions import Status
from clinic.demo import staff
from clinic.demo.load import load
from clinic.management.demo import ACCOUNTS, PASSWORD
from clinic.models import Closure, Insurer, Location, Organization, Room, Service, Specialty
from clinic.tests.factories import LocationFactory
from notifications import integrity as of_messages
from notifications.models import Kind, Notification, State
from scheduling.models import DateOverride, ServiceOffering, TimeOff, WorkingHours

ZONE = ZoneInfo("America/Argentina/Buenos_Aires")


class AtAnyHour:
    """The demo as it is loaded at ``now``, and what holds at any hour of any day."""

    now: dt.datetime

    @classmethod
    def setUpTestData(cls) -> None:
        load(now=cls.now)

    @property
    def today(self) -> dt.date:
        return self.now.date()

    def hers(self) -> AppointmentQuerySet:
        return Appointment.objects.filter(practitioner__user__email="medica@demo.test")

    def test_every_promise_holds(self) -> None:
        counts: Counter[str] = Counter()
        assert list(of_appointments.breaches(counts)) == []
        assert list(of_appointments.unanswered(counts, now=self.now)) == []
        assert list(of_offers.breaches(counts, now=self.now)) == []
        assert list(of_messages.breaches(counts, now=self.now)) == []
        assert counts["appointments"] > 1200
        assert counts["patients"] == 150
        assert counts["messages waiting"] > 200

    def test_the_doctors_day_is_full(self) -> None:
        today = self.hers().filter(local_date=self.today).exclude(status=Status.CANCELLED)
        assert today.count() >= 8
        week = self.today + dt.timedelta(days=1), self.today + dt.timedelta(days=7)
        busy = self.hers().filter(local_date__range=week).values("local_date").distinct()
        assert busy.count() >= 4

    def test_requests_wait_for_the_doctor(self) -> None:
        waiting = self.hers().filter(status=Status.PENDING)
        assert waiting.count() >= 4
        assert not waiting.filter(expires_at__lte=self.now).exists()

    def test_nothing_has_happened_that_cannot_have(self) -> None:
        assert not AppointmentEvent.objects.filter(at__gt=self.now).exists()
        over = Appointment.objects.filter(end__lte=self.now - dt.timedelta(hours=1))
        left = {Status.FULFILLED, Status.CANCELLED, Status.NOSHOW}
        assert set(over.values_list("status", flat=True)) == left
        ahead = Appointment.objects.filter(start__gt=self.now + dt.timedelta(hours=1))
        to_come = {Status.BOOKED, Status.PENDING, Status.CANCELLED}
        assert set(ahead.values_list("status", flat=True)) == to_come

    def test_nobody_is_flooded_with_mail(self) -> None:
        """Reminders wait for their time; nothing leaves on the first start."""
        assert set(Notification.objects.values_list("kind", "state")) == {
            (Kind.REMINDER, State.PENDING)
        }
        assert not Notification.objects.filter(try_at__lte=self.now).exists()

    def test_free_times_remain_with_everybody(self) -> None:
        for practitioner in Practitioner.objects.all():
            slots = self.free(practitioner, days=42)
            assert len(slots) > 20, practitioner

    def test_the_one_everybody_wants_is_full_for_days(self) -> None:
        assert self.free(Practitioner.objects.get(slug=staff.FULL), days=10) == []

    def test_somebody_waits_for_a_time_that_becomes_free(self) -> None:
        theirs = WaitingListEntry.objects.live().filter(user__email="paciente@demo.test")
        assert theirs.count() == 2
        assert theirs.exclude(instead_of=None).get().instead_of.start > self.now

    def free(self, practitioner: Practitioner, *, days: int) -> list[object]:
        offerings = ServiceOffering.objects.online().with_parts()
        return list(
            free_slots(
                list(offerings.filter(schedule__practitioner=practitioner)),
                start=self.now,
                end=self.now + dt.timedelta(days=days),
                now=self.now,
            )
        )


@pytest.mark.once
@pytest.mark.slow
class SundayNight(AtAnyHour, TestCase):
    now = dt.datetime(2027, 1, 10, 23, 50, tzinfo=ZONE)


@pytest.mark.once
@pytest.mark.slow
class HolidayBeforeDawn(AtAnyHour, TestCase):
    now = dt.datetime(2026, 12, 8, 4, 0, tzinfo=ZONE)

    def test_the_clinic_is_open_all_the_same(self) -> None:
        assert not Closure.objects.filter(first_day=self.today).exists()
        assert Closure.objects.filter(name__contains="Navidad").exists()


@pytest.mark.slow
class WednesdayMorning(AtAnyHour, TestCase):
    """And what is in it."""

    now = dt.datetime(2026, 10, 28, 10, 30, tzinfo=ZONE)

    def test_the_place(self) -> None:
        organization = Organization.current()
        assert organization.name == "Centro Médico del Parque"
        assert organization.phone.is_valid()
        assert Location.objects.count() == 2
        assert all(location.phone.is_valid() for location in Location.objects.all())
        assert Room.objects.count() >= 4
        assert Specialty.objects.count() == 8
        assert Service.objects.count() == 20
        assert all(service.preparation for service in Service.objects.all())
        lengths = {service.default_duration for service in Service.objects.all()}
        assert (min(lengths), max(lengths)) == (15, 60)
        assert organization.show_prices
        prices = Counter(offering.price is None for offering in ServiceOffering.objects.all())
        assert prices[False] > 10
        assert prices[True] > 3

    def test_the_staff(self) -> None:
        practitioners = Practitioner.objects.all()
        assert len(practitioners) >= 12
        for practitioner in practitioners:
            assert practitioner.biography
            assert 2 < practitioner.insurers.count() < Insurer.objects.count()
            assert practitioner.licence_number.startswith("MN ")
            assert practitioner.specialties.exists()
            assert ServiceOffering.objects.filter(schedule__practitioner=practitioner).exists()

    def test_every_kind_of_rule_of_time(self) -> None:
        times = Counter(WorkingHours.objects.values_list("schedule", "weekday"))
        assert max(times.values()) == 2, "split shifts"
        assert any(p.schedules.count() == 2 for p in Practitioner.objects.all())
        assert TimeOff.objects.filter(weekday__isnull=False, reason="Almuerzo").exists()
        vacation = TimeOff.objects.get(reason="Vacaciones", starts_at__gt=self.now)
        assert vacation.starts_at is not None
        assert vacation.ends_at == vacation.starts_at + dt.timedelta(days=12)
        assert set(DateOverride.objects.values_list("kind", flat=True)) == {"closed", "extra"}

    def test_holidays_of_two_years_and_a_day_of_ones_own(self) -> None:
        today = self.today
        for year in (today.year, today.year + 1):
            assert Closure.objects.filter(first_day__year=year, location=None).count() >= 14
        own = Closure.objects.exclude(location=None).get()
        assert own.first_day > today

    def test_the_patients(self) -> None:
        patients = Patient.objects.all()
        assert len(patients) == 150
        assert all(p.document_number and p.birth_date for p in patients)
        assert len({p.full_name for p in patients}) == 150
        assert all(p.phone.is_valid() for p in patients if p.phone)
        today = self.today
        children = [p for p in patients if (p.age_on(today) or 0) < 16]
        assert len(children) >= 30
        for child in children:
            access = PatientAccess.objects.get(patient=child)
            assert access.relation == Relation.CHILD
        assert PatientAccess.objects.filter(relation=Relation.PARENT).exists()

    def test_every_status_and_who_did_it(self) -> None:
        found = set(Appointment.objects.values_list("status", flat=True))
        assert found >= set(Status) - {Status.ARRIVED}
        reasons = Appointment.objects.filter(status=Status.CANCELLED).exclude(
            cancellation_reason=""
        )
        assert reasons.count() > 20
        verbs = set(AppointmentEvent.objects.values_list("verb", flat=True))
        assert verbs >= {"book", "confirm", "arrive", "fulfil", "cancel", "no_show"}
        assert set(AppointmentEvent.objects.values_list("role", flat=True)) >= {
            Role.PATIENT,
            Role.RECEPTION,
            Role.PRACTITIONER,
        }

    def test_three_months_back_and_six_weeks_ahead(self) -> None:
        today = self.today
        first = Appointment.objects.earliest("start").local_date
        last = Appointment.objects.latest("start").local_date
        assert 87 <= (today - first).days <= 91
        assert 38 <= (last - today).days <= 42

    def test_the_accounts_can_log_in(self) -> None:
        roles = {
            "patient": Role.PATIENT,
            "practitioner": Role.PRACTITIONER,
            "reception": Role.RECEPTION,
            "administrator": Role.ADMINISTRATOR,
        }
        for email, role in ACCOUNTS.items():
            user = User.objects.get(email=email)
            assert user.check_password(PASSWORD)
            assert user.roles == {roles[role]}
            assert EmailAddress.objects.filter(
                user=user, email=email, verified=True, primary=True
            ).exists()
        assert User.objects.get(email="admin@demo.test").is_superuser
        assert User.objects.filter(is_superuser=True).count() == 1
        desk = User.objects.get(email="recepcion@demo.test").receptionist
        assert desk.locations.count() == 1

    def test_the_patient_of_the_demo_has_a_past_and_a_future(self) -> None:
        user = User.objects.get(email="paciente@demo.test")
        relations = PatientAccess.objects.filter(user=user).values_list("relation", flat=True)
        assert Counter(relations) == {Relation.SELF: 1, Relation.CHILD: 3}
        theirs = Appointment.objects.of_patients_of(user)
        upcoming = theirs.upcoming(self.now)
        assert upcoming.count() >= 5
        assert upcoming.values("patient").distinct().count() == 4
        assert theirs.filter(end__lt=self.now).count() >= 8
        assert Notification.objects.filter(user=user, kind=Kind.REMINDER).count() >= 4


# --- the same again ---------------------------------------------------------------


def planned(now: dt.datetime) -> list[tuple[dt.datetime, str, str, str]]:
    """The visits that a load at this moment would write."""
    with transaction.atomic(), mock.patch("clinic.demo.load.import_appointments") as imported:
        imported.return_value = []
        load(now=now)
        rows = imported.call_args.args[0]
        transaction.set_rollback(True)
    return [(r.start, r.practitioner.slug, r.service.slug, r.patient.full_name) for r in rows]


@pytest.mark.django_db
def test_a_day_always_gets_the_same_visits() -> None:
    """What became of them depends on the hour; whether they are there does not."""
    morning = dt.datetime(2026, 10, 28, 7, 0, tzinfo=ZONE)
    first = planned(morning)
    assert len(first) > 1200
    assert planned(morning + dt.timedelta(hours=16)) == first
    assert planned(morning + dt.timedelta(days=1)) != first


# --- the command ------------------------------------------------------------------


def run(*args: str) -> str:
    out = StringIO()
    call_command("load_demo", *args, stdout=out)
    return out.getvalue()


@pytest.fixture
def loads(settings: Any) -> Iterator[mock.Mock]:
    settings.EMBEDDED = True
    with mock.patch("clinic.management.commands.load_demo.load", return_value=[1, 2]) as loads:
        yield loads


@pytest.mark.django_db
@pytest.mark.parametrize("args", [(), ("--if-empty",)])
def test_an_empty_database_is_filled(loads: mock.Mock, args: tuple[str, ...]) -> None:
    assert run(*args).startswith("Loaded the demo clinic: 2 appointments in ")
    loads.assert_called_once_with()


@pytest.mark.django_db
def test_a_clinic_is_left_as_it_is(loads: mock.Mock) -> None:
    LocationFactory.create()
    with pytest.raises(CommandError, match="already; nothing was done"):
        run()
    assert "left as it is" in run("--if-empty")
    assert run("--if-empty", "--verbosity=0") == ""
    loads.assert_not_called()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("embedded", "demo", "refused"),
    [(True, False, False), (False, True, False), (True, True, False), (False, False, True)],
)
def test_a_real_clinic_gets_no_accounts_with_a_known_password(
    loads: mock.Mock, settings: Any, embedded: bool, demo: bool, refused: bool
) -> None:
    settings.EMBEDDED, settings.DEMO = embedded, demo
    if not refused:
        run("--if-empty")
    else:
        with pytest.raises(CommandError, match="not a demo"):
            run("--if-empty")
    assert loads.called is not refused


@pytest.mark.django_db
def test_half_a_demo_is_none() -> None:
    with (
        mock.patch("clinic.demo.load.import_appointments", side_effect=ValueError("no")),
        pytest.raises(ValueError, match="no"),
    ):
        load()
    assert not Location.objects.exists()
