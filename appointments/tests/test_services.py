"""The verbs: what they write, and what they refuse."""

import datetime as dt
import uuid

import pytest

from accounts.roles import Actor, Role
from accounts.tests.factories import PatientFactory, UserFactory
from appointments import services
from appointments.exceptions import (
    MoveNotAllowed,
    NotYet,
    PatientBusy,
    ReasonNeeded,
    SameDay,
    SlotTaken,
    SlotTooSoon,
    TooLateToCancel,
)
from appointments.models import Appointment, AppointmentEvent, OccupancyCell, Resource
from appointments.tasks import expire_requests
from appointments.tests.factories import NOW, SYSTEM, at, book, desk
from clinic.models import Confirmation, Organization
from clinic.tests.factories import RoomFactory
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient_actor() -> Actor:
    return Actor.patient(UserFactory.create())


def cells(resource: Resource) -> list[int]:
    found = OccupancyCell.objects.filter(resource=resource).order_by("cell")
    return list(found.values_list("cell", flat=True))


def test_booking_writes_the_appointment_its_cells_and_its_event():
    room = RoomFactory.create()
    appointment = book(start=at(10), room=room, reason="Control")
    saved = Appointment.objects.get()
    assert (saved.status, saved.start, saved.end) == ("booked", at(10), at(10, 30))
    assert saved.local_date == at(10).date()
    first = int(at(10).timestamp()) // 300
    for resource in Resource:
        assert cells(resource) == list(range(first, first + 6))
    event = AppointmentEvent.objects.get()
    assert (event.appointment, event.verb, event.role) == (appointment, "book", "reception")
    assert event.before == {}
    assert event.after["status"] == "booked"


def test_buffers_occupy_the_practitioner_and_not_the_patient():
    offering = open_offering(buffer_before=10, buffer_after=5)
    book(offering=offering, start=at(10))
    first = int(at(10).timestamp()) // 300
    assert cells(Resource.PRACTITIONER) == list(range(first - 2, first + 7))
    assert cells(Resource.PATIENT) == list(range(first, first + 6))


def test_the_same_time_cannot_be_booked_twice():
    offering = open_offering()
    book(offering=offering)
    with pytest.raises(SlotTaken):
        book(offering=offering)
    assert Appointment.objects.count() == 1


def test_the_same_form_sent_twice_makes_one_appointment(patient_actor):
    offering, patient, key = open_offering(), PatientFactory.create(), uuid.uuid4()
    wish = {"offering": offering, "patient": patient, "by": patient_actor, "request_key": key}
    assert book(**wish) == book(**wish)
    assert Appointment.objects.count() == 1
    assert AppointmentEvent.objects.count() == 1


def test_a_key_of_somebody_elses_form_is_refused(patient_actor):
    key = uuid.uuid4()
    book(request_key=key)
    with pytest.raises(MoveNotAllowed):
        book(request_key=key, start=at(12))


def test_a_patient_cannot_be_in_two_places(patient_actor):
    patient = PatientFactory.create()
    first = book(patient=patient, start=at(10))
    with pytest.raises(PatientBusy) as caught:
        book(patient=patient, start=at(10), by=patient_actor, same_day_ok=True)
    assert caught.value.appointment == first


def test_a_second_appointment_on_a_day_is_asked_about_once(patient_actor):
    patient = PatientFactory.create()
    first = book(patient=patient, start=at(10))
    with pytest.raises(SameDay) as caught:
        book(patient=patient, start=at(15), by=patient_actor)
    assert caught.value.appointment == first
    book(patient=patient, start=at(15), by=patient_actor, same_day_ok=True)
    book(patient=patient, start=at(15, days=2), by=patient_actor)
    assert Appointment.objects.count() == 3


def test_patients_keep_the_notice_and_staff_need_not(patient_actor):
    soon = NOW + dt.timedelta(minutes=5)
    offering = open_offering(start=dt.time(8), end=dt.time(17))
    with pytest.raises(SlotTooSoon):
        book(offering=offering, start=soon, by=patient_actor)
    assert book(offering=offering, start=soon).start == soon


def test_a_practice_that_confirms_gets_a_request(patient_actor):
    offering = open_offering(confirmation=Confirmation.MANUAL)
    appointment = book(offering=offering, by=patient_actor)
    assert appointment.status == "pending"
    assert appointment.expires_at == at(10)
    far = book(offering=offering, start=at(10, days=9), by=patient_actor)
    assert far.expires_at == NOW + dt.timedelta(hours=48)
    assert book(offering=offering, start=at(12)).status == "booked"


def test_confirming_answers_the_request(patient_actor):
    offering = open_offering(confirmation=Confirmation.MANUAL)
    appointment = book(offering=offering, by=patient_actor)
    doctor = Actor.practitioner(offering.practitioner.user)
    services.confirm(appointment=appointment, by=doctor, now=NOW)
    appointment.refresh_from_db()
    assert (appointment.status, appointment.expires_at) == ("booked", None)
    assert appointment.sequence == 1
    event = appointment.events.last()
    assert (event.verb, event.by) == ("confirm", offering.practitioner.user)
    assert (event.before["status"], event.after["status"]) == ("pending", "booked")


def test_a_request_nobody_answers_expires_and_frees_its_time(patient_actor, time_machine):
    offering = open_offering(confirmation=Confirmation.MANUAL)
    appointment = book(offering=offering, by=patient_actor, start=at(10, days=9))
    time_machine.move_to(NOW + dt.timedelta(hours=47))
    assert expire_requests() == 0
    with pytest.raises(NotYet):
        services.expire(appointment=appointment, by=SYSTEM)
    time_machine.move_to(NOW + dt.timedelta(hours=48))
    assert expire_requests() == 1
    assert expire_requests() == 0
    appointment.refresh_from_db()
    assert appointment.status == "cancelled"
    assert OccupancyCell.objects.count() == 0


def test_cancelling_gives_every_cell_back(patient_actor):
    appointment = book()
    services.cancel(appointment=appointment, by=patient_actor, now=NOW)
    assert OccupancyCell.objects.count() == 0
    appointment.refresh_from_db()
    assert appointment.status == "cancelled"


def test_patients_cancel_until_the_notice_and_staff_after_it(patient_actor):
    appointment = book(start=at(10, days=3))
    deadline = at(10, days=2)
    assert appointment.cancellable_until == deadline
    with pytest.raises(TooLateToCancel):
        services.cancel(
            appointment=appointment, by=patient_actor, now=deadline + dt.timedelta(seconds=1)
        )
    services.cancel(
        appointment=appointment, by=desk(), reason="Llamó", now=deadline + dt.timedelta(hours=1)
    )
    assert Appointment.objects.get().cancellation_reason == "Llamó"


def test_the_notice_that_was_promised_holds_when_the_rule_changes(patient_actor):
    appointment = book(start=at(10, days=3))
    Organization.objects.update(cancel_notice_hours=72)
    services.cancel(appointment=appointment, by=patient_actor, now=at(9, days=2))
    assert Appointment.objects.get().status == "cancelled"


def test_staff_say_why_they_cancel():
    appointment = book()
    with pytest.raises(ReasonNeeded):
        services.cancel(appointment=appointment, by=desk(), reason="  ", now=NOW)
    assert Appointment.objects.get().status == "booked"


def test_the_visit_goes_its_way():
    offering = open_offering()
    doctor = Actor.practitioner(offering.practitioner.user)
    appointment = book(offering=offering)
    with pytest.raises(NotYet):
        services.mark_arrived(appointment=appointment, by=doctor, now=NOW)
    services.mark_arrived(appointment=appointment, by=doctor, now=at(9, 50))
    services.mark_fulfilled(appointment=appointment, by=doctor, now=at(10, 25))
    appointment.refresh_from_db()
    assert appointment.status == "fulfilled"
    assert OccupancyCell.objects.filter(appointment=appointment).exists()
    assert [e.verb for e in appointment.events.all()] == ["book", "arrive", "fulfil"]


def test_who_did_not_come_frees_the_time():
    appointment = book()
    with pytest.raises(NotYet):
        services.mark_no_show(appointment=appointment, by=desk(), now=at(9, 59))
    services.mark_no_show(appointment=appointment, by=desk(), now=at(10, 10))
    assert Appointment.objects.get().status == "noshow"
    assert OccupancyCell.objects.count() == 0


def test_a_stale_move_is_refused_and_overwrites_nothing(patient_actor):
    appointment = book()
    services.cancel(appointment=appointment, by=patient_actor, now=NOW)
    with pytest.raises(MoveNotAllowed):
        services.mark_arrived(appointment=appointment, by=desk(), now=at(9, 50))
    assert Appointment.objects.get().status == "cancelled"
    assert AppointmentEvent.objects.count() == 2


def test_an_inactive_patient_cannot_be_booked():
    patient = PatientFactory.create(is_active=False)
    with pytest.raises(MoveNotAllowed):
        book(patient=patient)


def test_the_system_does_not_book():
    with pytest.raises(MoveNotAllowed):
        book(by=Actor(None, Role.SYSTEM))
