"""On top of another appointment, on purpose: who may, what it takes, and how it is marked."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from accounts.roles import Actor, Role
from accounts.tests.factories import (
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import holds, services
from appointments.exceptions import (
    OverbookingNotAllowed,
    OverbookingReasonNeeded,
    PatientBusy,
    RoomTaken,
    SlotClosed,
    SlotHeld,
    SlotPast,
    SlotTaken,
)
from appointments.integrity import breaches, busy
from appointments.models import Appointment, OccupancyCell, Resource
from appointments.steps import undo_step
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import doctor_of, new_practice, second_place
from appointments.tests.race import split, together
from appointments.transitions import Status
from clinic.models import Organization
from clinic.tests.factories import RoomFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_week

WHY = "Urgencia, la doctora está de acuerdo"


def trusted() -> Actor:
    """A receptionist to whom overbooking was given."""
    return Actor.reception(ReceptionistFactory.create(may_overbook=True).user)


def over(offering: ServiceOffering, by: Actor | None = None, **kwargs: Any) -> Appointment:
    kwargs.setdefault("patient", None)
    patient = kwargs.pop("patient") or PatientFactory.create()
    return services.overbook(
        offering=offering,
        patient=patient,
        by=by or trusted(),
        **{"start": at(10), "why": WHY, "now": NOW, **kwargs},
    )


def problems() -> list[str]:
    counts: Counter[str] = Counter()
    return [str(one) for one in (*breaches(counts), *busy(counts))]


def cells_of(visit: Appointment) -> set[int]:
    held = OccupancyCell.objects.filter(appointment=visit)
    return set(held.values_list("resource", flat=True))


@pytest.mark.django_db
class TestOnTop:
    def test_it_is_marked_and_takes_the_patients_time_only(self):
        offering = new_practice()
        book(offering=offering)
        visit = over(offering)
        assert (visit.overbooked, visit.overbooking_reason) == (True, WHY)
        assert visit.status == Status.BOOKED
        assert cells_of(visit) == {Resource.PATIENT}
        event = visit.events.get()
        assert event.after["overbooked"] is True
        assert event.after["overbooking_reason"] == WHY
        assert problems() == []

    def test_it_takes_the_rooms_time_too(self):
        offering = new_practice()
        room = RoomFactory.create(location=offering.location)
        book(offering=offering)
        over(offering, room=room)
        with pytest.raises(RoomTaken):
            over(offering, room=room)
        assert problems() == []

    def test_the_patient_is_in_one_place(self):
        offering = new_practice()
        visit = book(offering=offering)
        with pytest.raises(PatientBusy):
            over(offering, patient=visit.patient)

    def test_a_free_time_is_simply_booked(self):
        visit = over(new_practice())
        assert (visit.overbooked, visit.overbooking_reason) == (False, "")
        assert cells_of(visit) == {Resource.PATIENT, Resource.PRACTITIONER}

    def test_when_the_one_below_goes_the_time_is_not_free(self):
        offering = new_practice()
        below = book(offering=offering)
        over(offering)
        services.cancel(appointment=below, by=doctor_of(offering), reason="x", now=NOW)
        with pytest.raises(SlotTaken):
            book(offering=offering)

    def test_never_outside_the_hours_or_in_the_past(self):
        offering = new_practice()
        with pytest.raises(SlotClosed):
            over(offering, start=at(18))
        with pytest.raises(SlotPast):
            over(offering, start=at(9, days=-1))

    def test_not_while_the_practitioner_is_elsewhere(self):
        offering = new_practice()
        elsewhere = second_place(offering)
        open_week(elsewhere.schedule)
        book(offering=elsewhere, start=at(10))
        with pytest.raises(SlotTaken):
            over(offering)

    def test_not_on_top_of_what_somebody_is_booking_now(self):
        offering, user = new_practice(), patient_user()
        holds.take(offering=offering, start=at(10), user=user, now=NOW)
        with pytest.raises(SlotHeld):
            over(offering)
        patient = user.patient_accesses.get().patient
        assert book(offering=offering, patient=patient, by=Actor.patient(user)).start == at(10)
        assert over(offering).overbooked
        assert problems() == []

    def test_it_needs_its_reason(self):
        offering = new_practice()
        with pytest.raises(OverbookingReasonNeeded):
            over(offering, why="  ")

    def test_the_same_key_again_is_the_same_appointment(self):
        offering = new_practice()
        book(offering=offering)
        first = over(offering, request_key="6f1c3a52-6e0b-4c39-8a0e-000000000001")
        again = over(
            offering,
            patient=first.patient,
            request_key="6f1c3a52-6e0b-4c39-8a0e-000000000001",
        )
        assert again == first
        assert Appointment.objects.count() == 2


@pytest.mark.django_db
class TestWhoMay:
    @pytest.mark.parametrize("given", [True, False])
    def test_a_receptionist_to_whom_it_was_given(self, given):
        by = Actor.reception(ReceptionistFactory.create(may_overbook=given).user)
        offering = new_practice()
        book(offering=offering)
        if given:
            assert over(offering, by).overbooked
        else:
            with pytest.raises(OverbookingNotAllowed):
                over(offering, by)

    def test_not_one_who_works_here_no_longer(self):
        user = ReceptionistFactory.create(may_overbook=True, is_active=False).user
        with pytest.raises(OverbookingNotAllowed):
            over(new_practice(), Actor.reception(user))

    def test_the_administrator_and_the_practitioner_themself(self):
        offering = new_practice()
        book(offering=offering)
        assert over(offering, Actor(administrator(), Role.ADMINISTRATOR)).overbooked
        assert over(offering, doctor_of(offering)).overbooked

    @pytest.mark.parametrize("role", [Role.PATIENT, Role.SYSTEM, Role.RECEPTION])
    def test_nobody_else(self, role):
        offering = new_practice()
        with pytest.raises(OverbookingNotAllowed):
            over(offering, Actor(None, role))
        with pytest.raises(OverbookingNotAllowed):
            over(offering, doctor_of(new_practice()))


@pytest.mark.django_db
class TestWalkIn:
    def test_booked_at_the_running_step_and_arrived(self):
        offering = new_practice()
        now = at(10, 3, days=0)
        visit = services.walk_in(
            offering=offering, patient=PatientFactory.create(), by=trusted(), now=now
        )
        assert visit.start == at(10, 0, days=0)
        assert Appointment.objects.get().status == Status.ARRIVED
        assert list(visit.events.values_list("verb", flat=True)) == ["book", "arrive"]
        assert visit.notifications.count() == 0
        assert problems() == []

    def test_on_top_of_another_with_the_reason(self):
        offering = new_practice()
        book(offering=offering, start=at(10, days=0))
        now, patient = at(10, 5, days=0), PatientFactory.create()
        with pytest.raises(SlotTaken):
            services.walk_in(offering=offering, patient=patient, by=trusted(), now=now)
        visit = services.walk_in(offering=offering, patient=patient, by=trusted(), why=WHY, now=now)
        assert visit.overbooked
        assert visit.status == Status.ARRIVED

    def test_the_same_form_again_leaves_it_as_it_is(self):
        offering, patient, by = new_practice(), PatientFactory.create(), trusted()
        what = {"offering": offering, "patient": patient, "by": by, "now": at(10, days=0)}
        key = "6f1c3a52-6e0b-4c39-8a0e-000000000002"
        first = services.walk_in(**what, request_key=key)
        assert services.walk_in(**what, request_key=key) == first
        assert Appointment.objects.get().events.count() == 2

    def test_not_outside_the_hours(self):
        with pytest.raises(SlotClosed):
            services.walk_in(
                offering=new_practice(),
                patient=PatientFactory.create(),
                by=trusted(),
                now=at(20, days=0),
            )


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
class TestAtOnce:
    """With real connections: true races on MariaDB, a queue on SQLite."""

    @pytest.fixture(autouse=True)
    def _organization(self) -> None:
        Organization.current()

    @staticmethod
    def crowd() -> int:
        return 30 if connection.vendor == "mysql" else 8

    def test_one_patient_on_top_of_many_practitioners_comes_to_one(self):
        patient, by = PatientFactory.create(), trusted()
        deeds = []
        for _n in range(self.crowd()):
            offering = new_practice()
            book(offering=offering)
            deeds.append(functools.partial(over, offering, by, patient=patient))
        made, refused = split(together(deeds))
        assert len(made) == 1
        assert {type(r) for r in refused} == {PatientBusy}
        assert problems() == []

    def test_one_room_is_given_once(self):
        offering, by = new_practice(), trusted()
        room = RoomFactory.create(location=offering.location)
        book(offering=offering)
        patients = PatientFactory.create_batch(self.crowd())
        made, refused = split(
            together(
                [functools.partial(over, offering, by, patient=p, room=room) for p in patients]
            )
        )
        assert len(made) == 1
        assert {type(r) for r in refused} == {RoomTaken}
        assert problems() == []

    def test_booked_and_overbooked_at_once_both_have_their_place(self):
        """Whoever comes first: one holds the time, all others are marked or refused."""
        offering, by = new_practice(), trusted()
        patients = PatientFactory.create_batch(self.crowd())
        half = len(patients) // 2
        deeds = [functools.partial(over, offering, by, patient=p) for p in patients[:half]]
        deeds += [functools.partial(book, offering=offering, patient=p) for p in patients[half:]]
        made, refused = split(together(deeds))
        assert {type(r) for r in refused} <= {SlotTaken}
        assert sum(not visit.overbooked for visit in made) == 1
        assert sum(visit.overbooked for visit in made) >= half - 1
        assert problems() == []

    def test_the_same_form_twice_is_one_appointment(self):
        offering, by, patient = new_practice(), trusted(), PatientFactory.create()
        book(offering=offering)
        key = "6f1c3a52-6e0b-4c39-8a0e-000000000003"
        deed = functools.partial(over, offering, by, patient=patient, request_key=key)
        made, refused = split(together([deed] * self.crowd()))
        assert refused == []
        assert len({visit.pk for visit in made}) == 1
        assert Appointment.objects.count() == 2

    def test_a_step_undone_many_times_at_once_is_undone_once(self):
        offering = new_practice()
        visit = book(offering=offering)
        services.cancel(appointment=visit, by=trusted(), reason="x", now=NOW)
        soon = NOW + dt.timedelta(minutes=1)
        from_desk = trusted()
        deeds: list[Any] = [
            functools.partial(undo_step, appointment=visit, by=from_desk, now=soon)
        ] * self.crowd()
        deeds += [functools.partial(book, offering=offering) for _n in range(3)]
        together(deeds)
        live = Appointment.objects.occupying().count()
        assert live == 1
        assert Appointment.objects.get(pk=visit.pk).events.filter(verb="undo").count() <= 1
        assert problems() == []
