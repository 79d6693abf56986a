"""Promise 1 and 3: every way round the verbs is closed, and history stays."""

import pytest
from django.core import serializers
from django.db import IntegrityError, models, transaction

from appointments import holds, store
from appointments.exceptions import ClosedPath
from appointments.models import Appointment, AppointmentEvent, BusyDay, Hold, OccupancyCell
from appointments.signals import appointment_changed
from appointments.tests.factories import NOW, at, book, desk, patient_user
from clinic.models import AppendOnlyError, AuditEvent
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db


def load(row: models.Model, **changes: object) -> None:
    """The row with these changes, as ``manage.py loaddata`` writes it."""
    for name, value in changes.items():
        setattr(row, name, value)
    for one in serializers.deserialize("json", serializers.serialize("json", [row])):
        one.save()


@pytest.mark.parametrize(
    "write",
    [
        lambda a: a.save(),
        lambda a: a.delete(),
        lambda a: Appointment.objects.create(status="booked"),
        lambda a: Appointment.objects.bulk_create([a]),
        lambda a: Appointment.objects.bulk_update([a], ["start"]),
        lambda a: Appointment.objects.filter(pk=a.pk).update(start=at(12)),
        lambda a: Appointment.objects.all().delete(),
        lambda a: Appointment.objects.update_or_create(pk=a.pk),
        lambda a: Appointment.objects.get_or_create(pk=a.pk + 1),
        lambda a: a.patient.appointments.update(status="cancelled"),
        lambda a: a.patient.appointments.create(status="booked"),
        lambda a: Appointment._base_manager.update(status="cancelled"),
        lambda a: load(a, end=at(13)),
    ],
)
def test_an_appointment_is_written_by_its_verbs_alone(write):
    appointment = book()
    before = Appointment.objects.values().get()
    with pytest.raises(ClosedPath):
        write(appointment)
    assert Appointment.objects.values().get() == before


@pytest.mark.parametrize(
    "write",
    [
        lambda rows: rows.delete(),
        lambda rows: rows.update(pk=1),
        lambda rows: rows.create(),
        lambda rows: rows.bulk_create([rows.model()]),
        lambda rows: rows.bulk_update([rows.first()], [rows.model._meta.get_fields()[1].name]),
        lambda rows: rows.get_or_create(pk=0),
        lambda rows: rows.update_or_create(pk=0),
        lambda rows: rows._raw_delete("default"),
        lambda rows: rows.first().save(),
        lambda rows: rows.first().delete(),
        lambda rows: load(rows.first()),
    ],
)
@pytest.mark.parametrize("kept", [OccupancyCell, BusyDay])
def test_what_follows_from_appointments_is_written_by_nobody_else(kept, write):
    visit = book()
    before = list(kept.objects.order_by("pk").values())
    assert before
    sets = [kept.objects.all(), *([visit.cells.all()] if kept is OccupancyCell else [])]
    for rows in sets:
        with pytest.raises(ClosedPath):
            write(rows)
    assert list(kept.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "write",
    [
        lambda rows: rows.update(end=at(15)),
        lambda rows: rows.bulk_create([Hold()]),
        lambda rows: rows.bulk_update([rows.get()], ["end"]),
        lambda rows: rows.get_or_create(pk=0),
        lambda rows: rows.update_or_create(pk=rows.get().pk, defaults={"end": at(15)}),
    ],
)
def test_a_hold_is_never_changed_and_takes_its_cells_with_it(write):
    hold = holds.take(user=patient_user(), offering=open_offering(), start=at(10), now=NOW)
    with pytest.raises(ClosedPath):
        write(Hold.objects.all())
    assert Hold.objects.get().end == hold.end
    assert hold.cells.count() > 0
    Hold.objects.all().delete()
    assert not OccupancyCell.objects.exists()


@pytest.mark.parametrize(
    "write",
    [
        lambda e: e.save(),
        lambda e: e.delete(),
        lambda e: AppointmentEvent.objects.update(verb="x"),
        lambda e: AppointmentEvent.objects.all().delete(),
        lambda e: AppointmentEvent.objects.bulk_update([e], ["verb"]),
        lambda e: e.appointment.events.update(verb="x"),
        lambda e: load(e, verb="x"),
    ],
)
def test_an_event_is_never_changed_or_removed(write):
    book()
    event = AppointmentEvent.objects.get()
    with pytest.raises(AppendOnlyError):
        write(event)
    assert AppointmentEvent.objects.get().verb == "book"


def test_an_audit_line_is_never_changed_or_removed():
    line = AuditEvent.objects.create(actor="a", action="b", target="c")
    with pytest.raises(AppendOnlyError):
        line.save()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.all().delete()
    with pytest.raises(AppendOnlyError):
        load(line, action="c")
    assert AuditEvent.objects.get().action == "b"


@pytest.mark.parametrize("part", ["patient", "practitioner", "service", "location"])
def test_what_an_appointment_names_cannot_be_deleted(part):
    named = getattr(book(), part)
    with pytest.raises(models.ProtectedError):
        named.delete()


def test_the_key_refuses_an_overlap_that_skips_every_check():
    """The store without lock and look: the database alone says no."""
    offering = open_offering()
    first = book(offering=offering, start=at(10))
    twin = Appointment(
        patient=book(start=at(16)).patient,
        practitioner=first.practitioner,
        service=first.service,
        location=first.location,
        start=at(10, 15),
        end=at(10, 45),
        status="booked",
        cancellable_until=at(10),
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        store.insert(twin, by=desk(), now=NOW)
    assert Appointment.objects.filter(practitioner=first.practitioner).count() == 1


def test_a_receiver_that_fails_undoes_the_change(monkeypatch):
    def fails(**kwargs: object) -> None:
        raise RuntimeError("outbox")

    monkeypatch.setattr(appointment_changed, "send", fails)
    with pytest.raises(RuntimeError):
        book()
    assert not Appointment.objects.exists()
    assert not AppointmentEvent.objects.exists()
