"""The bulk way in keeps every promise of the door it stands beside."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, models
from django.db.backends.base.features import BaseDatabaseFeatures

from accounts.models import Practitioner
from accounts.roles import Actor, Role, Source
from accounts.tests.factories import PatientFactory, PractitionerFactory
from appointments import imports, integrity, locks
from appointments.exceptions import SlotTaken
from appointments.imports import (
    TOLD_ELSEWHERE,
    ImportRefusedError,
    Row,
    Step,
    import_appointments,
)
from appointments.models import Appointment, AppointmentEvent, OccupancyCell
from appointments.signals import appointment_changed
from appointments.tests.factories import NOW, at, book, desk
from appointments.transitions import Status, Verb
from clinic.models import AuditEvent
from clinic.tests.factories import RoomFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

IMPORTER = Actor(None, Role.ADMINISTRATOR, Source.COMMAND)
DOCTOR = Actor(None, Role.PRACTITIONER)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering()


@pytest.fixture
def heard() -> Iterator[list[tuple[Appointment, AppointmentEvent]]]:
    told: list[tuple[Appointment, AppointmentEvent]] = []

    def receiver(appointment: Appointment, event: AppointmentEvent, **kwargs: Any) -> None:
        told.append((appointment, event))

    appointment_changed.connect(receiver)
    yield told
    appointment_changed.disconnect(receiver)


def row(offering: ServiceOffering, start: dt.datetime, *verbs: Verb, **fields: Any) -> Row:
    """Booked three days before, and what else happened a minute apart from the start on.

    Only a request is confirmed before it.
    """
    steps = [Step(Verb.BOOK, min(start, NOW) - dt.timedelta(days=3), desk())]
    first = start if start < NOW else NOW - dt.timedelta(hours=1)
    for number, verb in enumerate(verbs):
        by = Actor.system() if verb == Verb.EXPIRE else DOCTOR
        minutes = number - (verb == Verb.CONFIRM)
        steps.append(Step(verb, first + minutes * MINUTE, by))
    defaults: dict[str, Any] = {
        "patient": fields.pop("patient", None) or PatientFactory.create(),
        "practitioner": offering.practitioner,
        "service": offering.service,
        "location": offering.location,
        "start": start,
        "end": start + 30 * MINUTE,
        "steps": steps,
    }
    return Row(**{**defaults, **fields})


def load(*rows: Row, tell: bool = False) -> list[Appointment]:
    return import_appointments(rows, IMPORTER, tell=tell, now=NOW)


def breaches() -> list[integrity.Breach]:
    return list(integrity.breaches(Counter()))


def refused(*rows: Row) -> list[tuple[int, str]]:
    """The problems of a batch, of which nothing may be left behind."""
    before = Appointment.objects.count(), OccupancyCell.objects.count()
    with pytest.raises(ImportRefusedError) as caught:
        load(*rows)
    assert (Appointment.objects.count(), OccupancyCell.objects.count()) == before
    return caught.value.problems


@pytest.mark.parametrize(
    ("verbs", "fields", "status"),
    [
        ((), {}, Status.BOOKED),
        ((Verb.ARRIVE,), {}, Status.ARRIVED),
        ((Verb.ARRIVE, Verb.FULFIL), {}, Status.FULFILLED),
        ((Verb.NO_SHOW,), {}, Status.NOSHOW),
        ((Verb.CANCEL,), {"cancellation_reason": "Enfermedad"}, Status.CANCELLED),
        ((), {"expires_at": at(10, days=-2)}, Status.PENDING),
        ((Verb.CONFIRM,), {"expires_at": at(10, days=-2)}, Status.BOOKED),
        ((Verb.EXPIRE,), {"expires_at": at(10, days=-2)}, Status.CANCELLED),
    ],
)
def test_the_state_follows_from_the_history(
    offering: ServiceOffering, verbs: tuple[Verb, ...], fields: dict[str, Any], status: Status
) -> None:
    [made] = load(row(offering, at(10, days=-2), *verbs, **fields))
    made = Appointment.objects.get(pk=made.pk)
    assert made.status == status
    assert made.sequence == len(verbs)
    assert made.local_date == at(10, days=-2).date()
    assert list(made.events.values_list("verb", flat=True)) == [Verb.BOOK, *verbs]
    assert made.cells.count() == (12 if made.is_occupying else 0)
    assert breaches() == []


def test_it_writes_what_the_verbs_would_have_written(offering: ServiceOffering) -> None:
    """One by hand and one in bulk differ in nothing but their names."""
    fields = {"start": at(10), "patient": PatientFactory.create()}
    by_hand = book(offering=offering, by=IMPORTER, **fields)
    [in_bulk] = load(
        replace(
            row(offering, at(11), patient=fields["patient"]),
            steps=[Step(Verb.BOOK, NOW, IMPORTER)],
            cancellable_until=at(11) - dt.timedelta(hours=24),
        )
    )
    own = {"id", "public_id", "reference", "start", "end", "cancellable_until", "created_at"}
    assert [
        field.name
        for field in Appointment._meta.concrete_fields
        if field.name not in own and getattr(by_hand, field.name) != getattr(in_bulk, field.name)
    ] == []
    first, second = by_hand.events.get(), in_bulk.events.get()
    assert (first.verb, first.role, first.source, first.at, first.before) == (
        (second.verb, second.role, second.source, second.at, second.before)
    )
    assert {*first.after, TOLD_ELSEWHERE} == set(second.after)


def test_who_said_they_come(offering: ServiceOffering) -> None:
    by = Actor(None, Role.PATIENT, Source.MAIL)
    said = NOW - MINUTE
    coming = row(offering, at(10))
    [made] = load(replace(coming, steps=[*coming.steps, Step(Verb.SAY_COMING, said, by)]))
    assert (made.status, made.sequence, made.coming_since) == (Status.BOOKED, 0, said)
    assert breaches() == []


def test_it_was_asked_on_the_day_it_was_booked(offering: ServiceOffering) -> None:
    [made] = load(row(offering, at(10, days=-2), Verb.NO_SHOW))
    assert Appointment.objects.get(pk=made.pk).created_at == at(10, days=-5)


def test_many_rows_cost_few_queries(
    offering: ServiceOffering, django_assert_max_num_queries: Any
) -> None:
    patients = PatientFactory.create_batch(40)
    rows = [
        row(offering, at(9, days=-n - 1), Verb.ARRIVE, Verb.FULFIL, patient=patient)
        for n, patient in enumerate(patients)
    ]
    with django_assert_max_num_queries(19):
        assert len(load(*rows)) == 40
    assert breaches() == []


def test_it_says_so_in_the_log(offering: ServiceOffering) -> None:
    load(row(offering, at(10)))
    line = AuditEvent.objects.get(action="appointments.import")
    assert (line.actor, line.details) == ("administrator", {"rows": 1})


def test_a_server_that_gives_no_keys_back_is_asked_for_them(
    offering: ServiceOffering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL, which this suite does not run on."""
    features: type[BaseDatabaseFeatures] = type(connection.features)
    monkeypatch.setattr(features, "can_return_rows_from_bulk_insert", False)
    load(row(offering, at(10)), row(offering, at(11)))
    assert Appointment.objects.count() == 2
    assert breaches() == []


# --- refusals ---------------------------------------------------------------------


def test_rows_that_overlap_each_other_are_named(offering: ServiceOffering) -> None:
    rows = [row(offering, at(hour)) for hour in (9, 10, 11)]
    assert refused(*rows, row(offering, at(10, 15))) == [(3, "overlaps row 1")]


def test_a_row_over_a_booked_appointment_is_named(offering: ServiceOffering) -> None:
    there = book(offering=offering, start=at(10))
    rows = [row(offering, at(9)), row(offering, at(9, 45))]
    assert refused(*rows) == [(1, f"overlaps appointment {there.reference}")]


def test_a_patient_cannot_be_in_two_places(offering: ServiceOffering) -> None:
    patient = PatientFactory.create()
    elsewhere = open_offering()
    rows = [row(offering, at(9), patient=patient), row(elsewhere, at(9), patient=patient)]
    assert refused(*rows) == [(1, "overlaps row 0")]


def test_a_room_holds_one_visit(offering: ServiceOffering) -> None:
    room = RoomFactory.create()
    rows = [row(offering, at(9), room=room), row(open_offering(), at(9), room=room)]
    assert refused(*rows) == [(1, "overlaps row 0")]


def test_buffers_count(offering: ServiceOffering) -> None:
    rows = [row(offering, at(9), buffer_after=10), row(offering, at(9, 30))]
    assert refused(*rows) == [(1, "overlaps row 0")]


def test_what_was_cancelled_is_nobodys_time(offering: ServiceOffering) -> None:
    cancelled = row(offering, at(9), Verb.CANCEL, cancellation_reason="Enfermedad")
    assert len(load(cancelled, row(offering, at(9)))) == 2


def test_a_deliberate_overbooking_overlaps_the_practitioner(offering: ServiceOffering) -> None:
    extra = row(offering, at(9), overbooked=True, overbooking_reason="Dolor de pecho")
    assert len(load(row(offering, at(9)), extra)) == 2
    assert breaches() == []


def test_nothing_comes_under_an_overbooking_that_is_there(offering: ServiceOffering) -> None:
    """As for whoever books: the one below was cancelled, its time is still not free."""
    over = {"overbooked": True, "overbooking_reason": "Dolor de pecho"}
    [extra] = load(row(offering, at(9), **over))
    rows = [row(offering, at(10)), row(offering, at(9, 15))]
    assert refused(*rows) == [(1, f"overlaps overbooking {extra.reference}")]
    with pytest.raises(SlotTaken):
        book(offering=offering, start=at(9))
    assert len(load(row(offering, at(9), **over), row(offering, at(9, 30)))) == 2


def test_nobody_is_overbooked_into_another_place(offering: ServiceOffering) -> None:
    over = {"overbooked": True, "overbooking_reason": "Dolor de pecho"}
    elsewhere = open_offering(schedule__practitioner=offering.practitioner)
    there = book(offering=offering, start=at(9))
    rows = [row(offering, at(11)), *(row(elsewhere, at(hour), **over) for hour in (9, 11, 13))]
    assert refused(*rows) == [
        (1, f"overlaps appointment {there.reference} at another location"),
        (2, "overlaps row 0 at another location"),
    ]
    both = [row(one, at(15), **over) for one in (offering, elsewhere)]
    assert refused(*both) == [
        (0, "overlaps row 1 at another location"),
        (1, "overlaps row 0 at another location"),
    ]


def test_the_key_refuses_what_the_look_did_not_see(
    offering: ServiceOffering, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = imports._refuse_taken

    def late(drafts: Any) -> None:
        looks.append(drafts)
        if len(looks) > 1:
            look(drafts)

    monkeypatch.setattr(imports, "_refuse_taken", late)
    assert refused(row(offering, at(9)), row(offering, at(9))) == [(1, "overlaps row 0")]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"start": at(10, 2)}, "is not on the grid"),
        ({"start": at(10) + dt.timedelta(seconds=1)}, "is not on the grid"),
        ({"end": at(10)}, "ends before it starts"),
        ({"overbooked": True}, "needs a reason"),
        ({"expires_at": at(11)}, "expires after the start"),
        ({"steps": []}, "does not begin with book"),
        ({"steps": [Step(Verb.CONFIRM, NOW, DOCTOR)]}, "does not begin with book"),
        ({"steps": [Step(Verb.BOOK, NOW, Actor.system())]}, "system cannot book"),
        ({"steps": [Step(Verb.BOOK, NOW + MINUTE, DOCTOR)]}, "in the future"),
    ],
)
def test_a_row_that_cannot_be_is_refused(
    offering: ServiceOffering, change: dict[str, Any], what: str
) -> None:
    [(number, said)] = refused(row(offering, at(9)), replace(row(offering, at(10)), **change))
    assert number == 1
    assert what in said


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ([(Verb.CONFIRM, 0, DOCTOR)], "practitioner cannot confirm what is booked"),
        ([(Verb.FULFIL, 0, desk())], "reception cannot fulfil what is booked"),
        ([(Verb.NO_SHOW, -1, DOCTOR)], "no_show came too early"),
        ([(Verb.ARRIVE, -60 * 24, DOCTOR)], "arrive came too early"),
        ([(Verb.ARRIVE, 5, DOCTOR), (Verb.FULFIL, 4, DOCTOR)], "fulfil is out of order"),
        ([(Verb.NO_SHOW, 60 * 48, DOCTOR)], "no_show is out of order or in the future"),
        ([(Verb.CANCEL, 60 * 15, DOCTOR)], "cancel came too late"),
        ([(Verb.RESCHEDULE, 0, DOCTOR)], "a move is imported as a cancelled one and another one"),
    ],
)
def test_a_history_that_cannot_have_happened_is_refused(
    offering: ServiceOffering, steps: list[tuple[Verb, int, Actor]], what: str
) -> None:
    start = at(10, days=-1)
    before = row(offering, start)
    after = [Step(verb, start + minutes * MINUTE, by) for verb, minutes, by in steps]
    [(_number, said)] = refused(replace(before, steps=[*before.steps, *after]))
    assert what in said


def test_an_answer_after_the_deadline_is_refused(offering: ServiceOffering) -> None:
    start = at(10, days=-1)
    asked = row(offering, start, expires_at=start - 60 * MINUTE)
    answer = Step(Verb.CONFIRM, start - 60 * MINUTE, DOCTOR)
    [(_number, said)] = refused(replace(asked, steps=[*asked.steps, answer]))
    assert "confirm came too late" in said


def test_a_long_list_of_problems_is_cut_off(offering: ServiceOffering) -> None:
    rows = [replace(row(offering, at(9)), end=at(9)) for _n in range(25)]
    with pytest.raises(ImportRefusedError, match=r"row 19: .*; and 5 more$") as caught:
        load(*rows)
    assert len(caught.value.problems) == 25


# --- telling ----------------------------------------------------------------------


def test_nobody_hears_of_what_has_ended(
    offering: ServiceOffering, heard: list[tuple[Appointment, AppointmentEvent]]
) -> None:
    request = {"expires_at": at(9)}
    past = row(offering, at(10, days=-2), Verb.FULFIL)
    booked, confirmed = load(
        past, row(offering, at(10)), row(offering, at(11), Verb.CONFIRM, **request), tell=True
    )[1:]
    assert [(a, event.verb) for a, event in heard] == [
        (booked, Verb.BOOK),
        (confirmed, Verb.CONFIRM),
    ]
    assert all(event.pk for _a, event in heard)


def test_nobody_hears_of_anything_if_told_not_to(
    offering: ServiceOffering, heard: list[tuple[Appointment, AppointmentEvent]]
) -> None:
    load(row(offering, at(10)), tell=False)
    assert heard == []


def test_a_receiver_that_fails_takes_the_batch_back(offering: ServiceOffering) -> None:
    def failing(**kwargs: Any) -> None:
        raise RuntimeError

    appointment_changed.connect(failing)
    try:
        with pytest.raises(RuntimeError):
            load(row(offering, at(10)), tell=True)
    finally:
        appointment_changed.disconnect(failing)
    assert Appointment.objects.count() == 0


def test_practitioners_are_locked_before_anything_is_read(
    offering: ServiceOffering, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PractitionerFactory.create()
    order: list[Any] = []
    monkeypatch.setattr(locks, "hold", lambda **held: order.append(held["practitioners"]))
    look = imports._refuse_taken

    def noted(drafts: Any) -> None:
        order.append("look")
        look(drafts)

    monkeypatch.setattr(imports, "_refuse_taken", noted)
    load(row(offering, at(9)), row(offering, at(9), practitioner=other))
    assert order == [{offering.practitioner.pk, other.pk}, "look"]


def test_the_manager_stays_closed(offering: ServiceOffering) -> None:
    [made] = load(row(offering, at(9)))
    with pytest.raises(TypeError, match="written by the verbs"):
        Appointment.objects.bulk_create([made])
    assert isinstance(Practitioner.objects, models.Manager)


def test_nothing_to_import_is_no_error() -> None:
    assert load() == []
