"""``check_integrity`` finds each broken promise, and nothing where all is well.

What is broken here is broken with raw SQL: every other way is closed.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from accounts.roles import Actor
from accounts.tests.factories import (
    PatientAccessFactory,
    PatientFactory,
    UserFactory,
    patient_user,
)
from appointments import freed, locks, services, tasks, waiting
from appointments import integrity as of_appointments
from appointments import integrity_offers as of_offers
from appointments.blocking import Block, block_time
from appointments.changes import Answer, Hit, Place
from appointments.imports import Row, Step, import_appointments
from appointments.integrity import Breach
from appointments.models import (
    Appointment,
    AppointmentEvent,
    FreedTime,
    OccupancyCell,
    WaitingOffer,
)
from appointments.steps import undo_step
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.waiting import actor, frees, offered, waits
from appointments.transitions import Status, Verb
from appointments.undo import undo
from clinic.models import Confirmation
from clinic.tests.factories import RoomFactory
from notifications import integrity as of_messages
from notifications.models import Kind, Notification, State
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db


def raw(model: type[models.Model], pk: int, **values: Any) -> None:
    """Past every guard."""
    fields = [model._meta.get_field(name) for name in values]
    sets = ", ".join(f"{connection.ops.quote_name(f.column)} = %s" for f in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {model._meta.db_table} SET {sets} WHERE id = %s",
            [
                *(
                    f.get_db_prep_save(v, connection)
                    for f, v in zip(fields, values.values(), strict=True)
                ),
                pk,
            ],
        )


def found() -> list[Breach]:
    counts: Counter[str] = Counter()
    return [
        *of_appointments.breaches(counts),
        *of_appointments.unanswered(counts, now=NOW),
        *of_appointments.own_records(counts),
        *of_messages.breaches(counts, now=NOW),
    ]


def told() -> list[tuple[str, str]]:
    return [(breach.promise, breach.what) for breach in found()]


def reachable(**patient: Any) -> Any:
    return PatientAccessFactory.create(**patient).patient


@pytest.fixture
def appointment() -> Appointment:
    """The day after tomorrow, for somebody who has an account."""
    return book(start=at(10, days=2), patient=reachable())


def test_all_is_well_after_a_life_of_every_kind() -> None:
    offering = open_offering()
    for hour, verb in enumerate((services.cancel, services.mark_arrived, None), start=9):
        made = book(offering=offering, start=at(hour), patient=reachable())
        if verb is services.cancel:
            verb(appointment=made, by=desk(), reason="Enfermedad", now=NOW)
        elif verb:
            verb(appointment=made, by=desk(), now=at(hour))
            services.mark_fulfilled(appointment=made, by=Actor.practitioner(None), now=at(hour))  # type: ignore[arg-type]
    book(offering=offering, start=at(15, days=3), room=RoomFactory.create())
    assert found() == []


def moved(visit: Appointment, start: dt.datetime) -> Appointment:
    offering = ServiceOffering.objects.get(schedule__practitioner=visit.practitioner)
    return services.reschedule(
        appointment=visit, offering=offering, start=start, by=desk(), now=NOW
    )


def asked_for() -> Appointment:
    """A request, by an account of the patient."""
    user = patient_user()
    patient = user.patient_accesses.get().patient
    offering = open_offering(confirmation=Confirmation.MANUAL)
    return book(offering=offering, patient=patient, start=at(10, days=5), by=Actor.patient(user))


def test_all_is_well_after_moves_and_what_was_undone() -> None:
    first = book(start=at(10, days=2), patient=reachable())
    last = moved(moved(first, at(11, days=2)), at(10, days=2))
    services.cancel(appointment=last, by=desk(), reason="Enfermedad", now=NOW)
    assert found() == []
    undo_step(appointment=last, by=desk(), now=NOW)
    assert found() == []
    offering = ServiceOffering.objects.get()
    block = Block(starts_at=last.start, ends_at=last.end, reason="Congreso")
    elsewhere = {last.pk: Place(offering.pk, at(15, days=2))}
    answer = Answer(seen=frozenset(elsewhere), for_all=Hit.MOVE, places=elsewhere)
    who = {"practitioner": offering.practitioner, "by": desk(), "now": NOW}
    made = block_time(blocks=[block], answer=answer, **who)
    assert found() == []
    assert undo(change=made.change, by=desk(), now=NOW).restored == [last]
    assert found() == []
    moved(last, at(16, days=2))
    assert found() == []


def test_all_is_well_while_a_request_waits_and_after_it_expired(
    time_machine: time_machine.TimeMachineFixture,
) -> None:
    asked = asked_for()
    assert asked.expires_at
    assert list(of_appointments.unanswered(Counter(), now=asked.expires_at)) == []
    time_machine.move_to(asked.expires_at, tick=False)
    assert tasks.expire_requests() == 1
    assert list(of_appointments.unanswered(Counter(), now=at(10, days=9))) == []
    assert found() == []


# --- overlaps ---------------------------------------------------------------------


def overlapping(*, name: str) -> tuple[Appointment, Appointment]:
    """Two appointments of one practitioner, patient or room, moved together by raw SQL."""
    shared: dict[str, Any] = {}
    if name == "practitioner":
        shared["offering"] = open_offering()
    elif name == "patient":
        shared["patient"] = PatientFactory.create()
    else:
        shared["room"] = RoomFactory.create()
    first = book(start=at(10), **shared)
    second = book(start=at(12), **shared)
    raw(Appointment, second.pk, start=at(10, 25), end=at(10, 55))
    return first, second


@pytest.mark.parametrize("name", ["practitioner", "room", "patient"])
def test_an_overlap_is_found(name: str) -> None:
    first, second = overlapping(name=name)
    owner = getattr(first, f"{name}_id")
    what = f"{first.reference} and {second.reference} overlap"
    assert list(of_appointments.overlaps(Counter())) == [
        Breach("no overlap", f"{name} {owner}", what)
    ]


@pytest.mark.parametrize("name", ["practitioner", "room", "patient"])
def test_what_is_cancelled_overlaps_nobody(name: str) -> None:
    _first, second = overlapping(name=name)
    raw(Appointment, second.pk, status=Status.CANCELLED)
    assert list(of_appointments.overlaps(Counter())) == []


def test_a_deliberate_overbooking_is_allowed_the_practitioner_only() -> None:
    first, second = overlapping(name="practitioner")
    raw(Appointment, second.pk, overbooked=True, overbooking_reason="Urgencia")
    assert list(of_appointments.overlaps(Counter())) == []
    raw(Appointment, second.pk, patient=first.patient_id)
    assert [breach.of for breach in of_appointments.overlaps(Counter())] == [
        f"patient {first.patient_id}"
    ]


def test_buffers_are_the_practitioners_time_and_not_the_patients() -> None:
    patient = PatientFactory.create()
    offering = open_offering()
    first = book(offering=offering, start=at(10), patient=patient)
    book(offering=offering, start=at(10, 30), patient=patient)
    assert list(of_appointments.overlaps(Counter())) == []
    raw(Appointment, first.pk, buffer_after=5)
    assert [breach.of for breach in of_appointments.overlaps(Counter())] == [
        f"practitioner {first.practitioner_id}"
    ]


def test_a_long_visit_is_compared_with_all_that_lie_in_it() -> None:
    offering = open_offering()
    long, *_others = (book(offering=offering, start=at(hour)) for hour in (9, 10, 11))
    raw(Appointment, long.pk, end=at(12))
    assert len(list(of_appointments.overlaps(Counter()))) == 2


# --- cells, days, history ---------------------------------------------------------


def test_a_missing_cell_is_found(appointment: Appointment) -> None:
    cells: models.QuerySet[OccupancyCell] = models.QuerySet(OccupancyCell)
    cells = cells.filter(appointment=appointment, resource=1)
    cells.filter(pk=cells[0].pk).delete()
    assert told() == [("cells are true", "lacks cells: 1 of the practitioner")]


def test_a_cell_too_many_is_found(appointment: Appointment) -> None:
    cell = OccupancyCell(appointment=appointment, resource=3, resource_id=7, cell=1)
    models.QuerySet(OccupancyCell).bulk_create([cell])
    assert told() == [("cells are true", "should not hold cells: 1 of the patient")]


def test_cells_that_were_kept_after_the_end_are_found(appointment: Appointment) -> None:
    """Somebody cancelled with SQL."""
    raw(Appointment, appointment.pk, status=Status.CANCELLED)
    assert told() == [
        ("cells are true", "should not hold cells: 6 of the patient, 6 of the practitioner"),
        ("history tells the present", "status is 'cancelled', last noted 'booked'"),
        *(
            ("messages are true", f"{row.kind} {row.pk} is untrue")
            for row in appointment.notifications.order_by("pk")
        ),
    ]


def test_a_wrong_day_is_found(appointment: Appointment) -> None:
    raw(Appointment, appointment.pk, local_date=at(10, days=3).date())
    assert told() == [("day is right", "says 2026-11-26, starts on 2026-11-25")]


def test_the_day_is_the_locations_own() -> None:
    """22:00 in Buenos Aires is tomorrow in UTC."""
    book(offering=open_offering(start=dt.time(20), end=dt.time(23)), start=at(22))
    assert found() == []


def test_an_appointment_without_history_is_found(appointment: Appointment) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM appointments_appointmentevent")
    assert told() == [("history is whole", "does not begin with book")]


def event_of(appointment: Appointment, verb: str) -> AppointmentEvent:
    return appointment.events.get(verb=verb)


@pytest.fixture
def cancelled(appointment: Appointment) -> Appointment:
    return services.cancel(appointment=appointment, by=desk(), reason="Enfermedad", now=NOW)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"verb": "confirm"}, "confirm does not lead from booked to cancelled"),
        ({"verb": "vanish"}, "vanish does not lead from booked to cancelled"),
        ({"at": NOW - dt.timedelta(hours=1)}, "cancel is noted before book"),
        ({"before": {"status": "arrived"}}, "cancel starts from another state than booked"),
    ],
)
def test_a_history_that_was_tampered_with_is_found(
    cancelled: Appointment, values: dict[str, Any], what: str
) -> None:
    raw(AppointmentEvent, event_of(cancelled, "cancel").pk, **values)
    assert told() == [("history is whole", what)]


def test_a_change_that_left_no_event_is_found(cancelled: Appointment) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM appointments_appointmentevent WHERE verb = 'cancel'")
    assert told() == [
        ("history is whole", "0 changes noted, 1 made"),
        ("history tells the present", "cancellation_reason is 'Enfermedad', last noted ''"),
        ("history tells the present", "status is 'cancelled', last noted 'booked'"),
    ]


def test_a_time_that_was_moved_past_the_verbs_is_found(appointment: Appointment) -> None:
    moved = at(10, 5, days=2)
    raw(Appointment, appointment.pk, start=moved)
    noted = at(10, days=2).astimezone(dt.UTC).isoformat()
    assert (
        "history tells the present",
        f"start is {moved.astimezone(dt.UTC).isoformat()!r}, last noted {noted!r}",
    ) in told()


def test_that_somebody_comes_without_a_word_of_it_is_found(appointment: Appointment) -> None:
    """A remark makes no version: no number is missing where its event is."""
    by = Actor.patient(appointment.patient.accesses.get().user)
    services.say_coming(appointment=appointment, by=by, now=NOW)
    assert found() == []
    raw(Appointment, appointment.pk, coming_since=None)
    noted = NOW.astimezone(dt.UTC).isoformat()
    what = f"coming_since is None, last noted {noted!r}"
    assert told() == [("history tells the present", what)]
    raw(Appointment, appointment.pk, coming_since=NOW)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM appointments_appointmentevent WHERE verb = 'say_coming'")
    assert told() == [("history is whole", "nobody noted that the patient comes")]


def test_a_move_that_led_nowhere_is_found(appointment: Appointment) -> None:
    """The patient has neither the one nor the other."""
    new = moved(appointment, at(12, days=2))
    raw(Appointment, new.pk, rescheduled_from=None)
    assert [(b.of, b.promise, b.what) for b in found()] == [
        (
            f"appointment {appointment.reference}",
            "a move is whole",
            "was given up for another time, and there is none",
        ),
        (
            f"appointment {new.reference}",
            "history tells the present",
            f"rescheduled_from_id is None, last noted {appointment.pk}",
        ),
    ]


def test_a_move_that_gave_nothing_up_is_found(appointment: Appointment) -> None:
    """The patient has both."""
    new = moved(appointment, at(12, days=2))
    raw(Appointment, appointment.pk, status=Status.BOOKED)
    assert ("a move is whole", f"was moved to {new.reference}, and still keeps its time") in told()


def test_a_move_that_nobody_made_is_found(appointment: Appointment) -> None:
    other = book(start=at(15, days=2), patient=appointment.patient)
    raw(Appointment, other.pk, rescheduled_from=appointment.pk)
    whole = [what for promise, what in told() if promise == "a move is whole"]
    assert whole == [
        f"was moved to {other.reference}, and its last step is book",
        f"was moved to {other.reference}, and still keeps its time",
    ]


def asked_to_move(appointment: Appointment, start: dt.datetime) -> Appointment:
    by = Actor.patient(appointment.patient.accesses.get().user)
    other = open_offering(service=appointment.service, confirmation="manual")
    return services.reschedule(
        appointment=appointment, offering=other, start=start, by=by, same_day_ok=True, now=NOW
    )


def test_two_open_requests_to_move_one_appointment_are_found(appointment: Appointment) -> None:
    request = asked_to_move(appointment, at(12, days=2))
    assert found() == []
    second = asked_to_move(book(start=at(9, days=3), patient=appointment.patient), at(12, days=3))
    raw(Appointment, second.pk, replaces=appointment.pk)
    what = "is not the only one that would replace an appointment"
    assert sorted((b.of, b.promise, b.what) for b in found()) == sorted(
        (f"appointment {row.reference}", "a request is whole", what) for row in (request, second)
    )


def test_a_request_to_move_what_was_moved_is_found(appointment: Appointment) -> None:
    """The request goes along with a move; one that was left behind would make two of one."""
    request = asked_to_move(appointment, at(12, days=2))
    new = moved(appointment, at(15, days=2))
    assert found() == []
    raw(Appointment, request.pk, replaces=appointment.pk)
    assert told() == [("a request is whole", "would replace an appointment that was moved")]
    raw(Appointment, request.pk, replaces=book(start=at(16, days=2)).pk)
    assert told() == [("a request is whole", "would replace an appointment of another patient")]
    raw(Appointment, request.pk, replaces=new.pk)
    assert found() == []


def test_nobody_is_moved_to_two_times(appointment: Appointment) -> None:
    """The key of the database sees to it, whoever writes."""
    moved(appointment, at(12, days=2))
    other = book(start=at(15, days=2), patient=appointment.patient)
    with pytest.raises(IntegrityError), transaction.atomic():
        raw(Appointment, other.pk, rescheduled_from=appointment.pk)


@pytest.mark.parametrize(
    ("expires_at", "what"),
    [
        (NOW - dt.timedelta(minutes=59), None),
        (NOW - dt.timedelta(minutes=61), "expired at 2026-11-23T09:59:00+00:00"),
        (None, "never expires"),
    ],
)
def test_a_request_that_outlives_its_time_is_found(
    expires_at: dt.datetime | None, what: str | None
) -> None:
    asked = asked_for()
    raw(Appointment, asked.pk, expires_at=expires_at)
    assert told() == ([("requests expire", f"{what} and still keeps its time")] if what else [])


def test_a_request_that_is_answered_meanwhile_is_no_breach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asked_for()
    raw(Appointment, asked.pk, expires_at=NOW - dt.timedelta(days=1))

    def answered(**held: Any) -> None:
        raw(Appointment, asked.pk, status=Status.BOOKED)

    monkeypatch.setattr(locks, "hold", answered)
    assert list(of_appointments.unanswered(Counter(), now=NOW)) == []


def test_what_was_mended_meanwhile_is_no_breach(
    appointment: Appointment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change between two reads looks wrong for a moment; under the lock it does not."""
    raw(Appointment, appointment.pk, local_date=at(10, days=3).date())

    def mended(**held: Any) -> None:
        raw(Appointment, appointment.pk, local_date=at(10, days=2).date())

    monkeypatch.setattr(locks, "hold", mended)
    assert found() == []


# --- messages ---------------------------------------------------------------------


def message(appointment: Appointment, kind: Kind) -> Notification:
    """The first of this kind."""
    return Notification.objects.filter(appointment=appointment, kind=kind).order_by("pk")[0]


def test_a_reminder_that_nobody_will_get_is_found(appointment: Appointment) -> None:
    message(appointment, Kind.REMINDER).delete()
    assert told() == [("everybody is reminded", "has no reminder")]


def test_a_reminder_that_an_administrator_withdrew_is_not_missing(
    appointment: Appointment,
) -> None:
    raw(Notification, message(appointment, Kind.REMINDER).pk, state=State.VOID)
    assert found() == []


def test_one_of_two_who_will_not_be_reminded_is_found(appointment: Appointment) -> None:
    PatientAccessFactory.create(patient=appointment.patient, relation="child")
    assert set(told()) == {("everybody is reminded", "has no reminder")}


def test_who_cannot_be_reached_needs_no_reminder() -> None:
    book(start=at(10, days=2))
    assert Notification.objects.filter(kind=Kind.REMINDER).count() == 0
    assert found() == []


def test_what_is_close_needs_no_reminder_any_more() -> None:
    made = book(start=at(16, days=0), patient=reachable())
    assert Notification.objects.filter(appointment=made, kind=Kind.REMINDER).count() == 0
    assert found() == []


def test_a_message_of_another_version_is_found(appointment: Appointment) -> None:
    row = message(appointment, Kind.BOOKED)
    raw(Notification, row.pk, sequence=3)
    assert told() == [("messages are true", f"booked {row.pk} is untrue")]


def test_a_message_that_lies_about_for_ever_is_found(appointment: Appointment) -> None:
    row = message(appointment, Kind.BOOKED)
    raw(Notification, row.pk, useful_until=NOW - dt.timedelta(hours=2))
    assert told() == [("messages are true", f"booked {row.pk} is too late")]
    raw(Notification, row.pk, state=State.LATE)
    assert found() == []


def test_a_message_written_twice_is_found(appointment: Appointment) -> None:
    row = message(appointment, Kind.BOOKED)
    row.pk, row.key, row.state = None, "again", State.SENT
    row.save(force_insert=True)
    assert told() == [("each message once", "booked of version 0 2 times to one address")]


def promises() -> set[str]:
    return {promise for promise, _what in told()}


def made_by_hand(appointment: Appointment) -> None:
    """Written when it happened, not imported; its patient could be reached before."""
    raw(Appointment, appointment.pk, created_at=NOW)
    for access in appointment.patient.accesses.all():
        raw(type(access), access.pk, created_at=NOW - dt.timedelta(days=1))


def test_an_appointment_that_nobody_was_told_of_is_found(appointment: Appointment) -> None:
    made_by_hand(appointment)
    assert found() == []
    account = appointment.patient.accesses.get().user_id
    Notification.objects.filter(appointment=appointment).exclude(kind=Kind.REMINDER).delete()
    assert told() == [("everybody is told", f"account {account} is not told")]
    Notification.objects.all().delete()
    assert told()[0] == ("everybody is told", f"account {account} is not told")
    assert promises() == {"everybody is told", "everybody is reminded"}


def test_who_came_later_need_not_be_told(appointment: Appointment) -> None:
    made_by_hand(appointment)
    Notification.objects.all().delete()
    access = appointment.patient.accesses.get()
    raw(type(access), access.pk, created_at=NOW + dt.timedelta(hours=1))
    assert promises() == {"everybody is reminded"}


@pytest.mark.parametrize("tell", [True, False])
def test_what_was_imported_says_whether_its_people_know(tell: bool) -> None:
    offering, patient = open_offering(), reachable()
    for access in patient.accesses.all():
        raw(type(access), access.pk, created_at=NOW - dt.timedelta(days=1))
    start = at(10, days=2)
    row = Row(
        patient=patient,
        practitioner=offering.practitioner,
        service=offering.service,
        location=offering.location,
        start=start,
        end=start + dt.timedelta(minutes=30),
        steps=[Step(Verb.BOOK, NOW, desk())],
    )
    import_appointments([row], desk(), tell=tell, now=NOW)
    assert found() == [] or not tell
    Notification.objects.exclude(kind=Kind.REMINDER).delete()
    assert ("everybody is told" in promises()) is tell


KINDS_OF_A_LIFE = [
    ("requested", {Kind.REQUESTED}),
    ("booked", {Kind.BOOKED}),
    ("booked", {Kind.PRACTITIONER_NEW}),
    ("requested", {Kind.PRACTITIONER_REQUEST}),
    ("confirmed", {Kind.CONFIRMED}),
    ("moved", {Kind.MOVED}),
    ("moved", {Kind.PRACTITIONER_MOVED}),
    ("cancelled", {Kind.CANCELLED}),
    ("cancelled", {Kind.PRACTITIONER_CANCELLED}),
    ("expired", {Kind.EXPIRED}),
    ("away", {Kind.AWAY}),
]


@pytest.mark.parametrize(("life", "kinds"), KINDS_OF_A_LIFE)
def test_each_message_that_is_lost_is_found(life: str, kinds: set[Kind]) -> None:
    """Its reminders and what others were told do not count."""
    patient = reachable()
    asked = life in {"requested", "confirmed", "expired"}
    offering = open_offering(
        schedule__practitioner__user=UserFactory.create(),
        confirmation="manual" if asked else "automatic",
    )
    by = Actor.patient(patient.accesses.get().user) if asked else desk()
    made = book(offering=offering, start=at(10, days=4), patient=patient, by=by)
    if life == "confirmed":
        services.confirm(appointment=made, by=desk(), now=NOW)
    elif life == "moved":
        made = moved(made, at(12, days=4))
    elif life in {"cancelled", "away"}:
        away = life == "away"
        services.cancel(appointment=made, by=desk(), reason="x", away=away, now=NOW)
    elif life == "expired":
        raw(Appointment, made.pk, expires_at=NOW)
        services.expire_overdue(now=NOW)
    for access in patient.accesses.all():
        raw(type(access), access.pk, created_at=NOW - dt.timedelta(days=1))
    user = offering.practitioner.user
    raw(type(user), user.pk, date_joined=NOW - dt.timedelta(days=1))
    assert "everybody is told" not in promises()
    lost = Notification.objects.filter(appointment=made, kind__in=kinds)
    assert lost.count() == 1
    lost.delete()
    assert "everybody is told" in promises()


@pytest.mark.parametrize(
    ("state", "lease_until", "what"),
    [
        (State.SENDING, None, "is being sent for ever"),
        (State.SENDING, NOW + dt.timedelta(days=1), "is being sent for ever"),
        (State.PENDING, NOW, "has a lease, but is not being sent"),
        (State.SENT, NOW, "has a lease, but is not being sent"),
        (State.SENDING, NOW - dt.timedelta(days=1), None),
        (State.HELD, None, None),
    ],
)
def test_a_lease_that_never_ends_is_found(
    appointment: Appointment, state: State, lease_until: dt.datetime | None, what: str | None
) -> None:
    raw(Notification, message(appointment, Kind.BOOKED).pk, state=state, lease_until=lease_until)
    assert told() == ([("no message is stuck", what)] if what else [])


def test_a_held_message_of_another_version_is_found(appointment: Appointment) -> None:
    row = message(appointment, Kind.BOOKED)
    raw(Notification, row.pk, state=State.HELD, sequence=3)
    assert told() == [("messages are true", f"booked {row.pk} is untrue")]


# --- the command ------------------------------------------------------------------


def run(out: StringIO) -> str:
    """The command looks at its own clock: what is to come is different tomorrow."""
    with time_machine.travel(NOW, tick=False):
        call_command("check_integrity", stdout=out, no_color=True)
    return out.getvalue()


def test_the_command_counts_what_it_looked_at(appointment: Appointment) -> None:
    said = run(StringIO())
    assert said.startswith("Every promise holds. Looked at 1 appointments, 1 busy days, 12 cells, ")
    assert "1 patients, 1 practitioners" in said


def test_the_command_prints_each_breach_and_fails(appointment: Appointment) -> None:
    raw(Appointment, appointment.pk, local_date=at(10, days=3).date())
    out = StringIO()
    with pytest.raises(CommandError, match="Promises broken: 1") as caught:
        run(out)
    assert caught.value.returncode == 1
    assert out.getvalue() == (
        f"day is right: appointment {appointment.reference}: "
        "says 2026-11-26, starts on 2026-11-25\n"
    )


def test_it_reads_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    offering = open_offering()
    made = [book(offering=offering, start=at(hour)) for hour in range(9, 14)]
    raw(Appointment, made[4].pk, local_date=at(10, days=3).date())
    seen: list[int] = []
    chunks = of_appointments.chunks

    def small(rows: Any, size: int = 2) -> Iterator[Any]:
        for chunk in chunks(rows, min(size, 2)):
            seen.append(len(chunk))
            yield chunk

    monkeypatch.setattr(of_appointments, "chunks", small)
    found_: Callable[..., Any] = of_appointments.breaches
    assert [b.promise for b in found_(Counter())] == ["day is right"]
    assert seen[-3:] == [2, 2, 1]


def test_each_chunk_asks_the_same_number_of_questions(
    django_assert_num_queries: Any,
) -> None:
    """However many of it were moved, and however much happened to them."""
    offering = open_offering()
    visit = book(offering=offering, start=at(9))
    with CaptureQueriesContext(connection) as before:
        assert list(of_appointments.breaches(Counter())) == []
    for hour in (10, 11, 12):
        visit = moved(visit, at(hour))
    with django_assert_num_queries(len(before)):
        assert list(of_appointments.breaches(Counter())) == []


def test_a_record_of_two_accounts_and_an_account_with_two_records():
    first = PatientAccessFactory.create()
    assert told() == []
    PatientAccessFactory.create(patient=first.patient)
    PatientAccessFactory.create(user=first.user)
    PatientAccessFactory.create(user=first.user, relation="child")
    PatientAccessFactory.create(patient=first.patient, ended_at=NOW)
    assert [(breach.of, breach.what) for breach in found()] == [
        (f"patient {first.patient_id}", "is the own record of several accounts"),
        (f"user {first.user_id}", "has several own records"),
    ]


# --- what becomes free ------------------------------------------------------------


def overlooked() -> list[Breach]:
    return list(of_offers.breaches(Counter(), now=NOW))


def not_asked(visit: Appointment) -> list[Breach]:
    of, what = f"appointment {visit.reference}", "gave up time, and nobody is asked"
    return [Breach("freed time is offered", of, what)]


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering()


def test_freed_time_that_nobody_noted_is_found(offering: ServiceOffering) -> None:
    waits(offering, now=NOW - dt.timedelta(days=1))
    visit = frees(offering)
    assert overlooked() == []
    FreedTime.objects.all().delete()
    assert overlooked() == not_asked(visit)


def test_what_a_move_gave_up_is_missed_too(offering: ServiceOffering) -> None:
    waits(offering, now=NOW - dt.timedelta(days=1))
    visit = book(offering=offering)
    moved(visit, at(12))
    FreedTime.objects.all().delete()
    assert overlooked() == not_asked(visit)


def test_what_was_noted_for_an_earlier_visit_does_not_count(offering: ServiceOffering) -> None:
    """Of the same time: what was dealt with before it was given up again."""
    waits(offering, now=NOW - dt.timedelta(days=1))
    frees(offering)
    FreedTime.objects.update(done_at=NOW - dt.timedelta(hours=1))
    assert len(overlooked()) == 1
    FreedTime.objects.update(done_at=NOW)
    assert overlooked() == []


@pytest.mark.parametrize(
    "wish",
    [
        {"now": NOW + dt.timedelta(minutes=1)},
        {"parts": [2]},
        {"first_day": at(0, days=2).date()},
        {"last_day": at(0, days=0).date()},
    ],
)
def test_time_that_nobody_waited_for_need_not_be_noted(
    offering: ServiceOffering, wish: dict[str, Any]
) -> None:
    wish.setdefault("now", NOW - dt.timedelta(days=1))
    waits(offering, **wish)
    frees(offering)
    FreedTime.objects.all().delete()
    assert overlooked() == []


def test_a_wish_that_has_ended_misses_nothing(offering: ServiceOffering) -> None:
    entry = waits(offering, now=NOW - dt.timedelta(days=1))
    visit = frees(offering)
    FreedTime.objects.all().delete()
    assert overlooked() == not_asked(visit)
    waiting.end(entry=entry, now=NOW)
    assert overlooked() == []


def test_time_that_is_taken_again_is_not_missed(offering: ServiceOffering) -> None:
    waits(offering, now=NOW - dt.timedelta(days=1))
    frees(offering)
    FreedTime.objects.all().delete()
    book(offering=offering)
    assert overlooked() == []


def test_what_nobody_wanted_then_is_not_missed_later(offering: ServiceOffering) -> None:
    """The sweep passed them over, they had reached a limit; what it closed stays closed."""
    user = patient_user()
    waits(offering, user, now=NOW - dt.timedelta(days=1), parts=[0])
    busy = book(offering=open_offering(), patient=user.patient_accesses.get().patient)
    frees(offering)
    assert freed.sweep(now=NOW) == 0
    services.cancel(appointment=busy, by=desk(), reason="x", now=NOW)
    assert overlooked() == []
    FreedTime.objects.filter(practitioner=offering.practitioner).delete()
    assert len(overlooked()) == 1


def test_an_offer_that_became_another_visit_is_found(offering: ServiceOffering) -> None:
    offer = offered(offering)
    made = freed.accept(offer=offer, by=actor(offer), now=NOW)
    what = "became another visit than was offered"
    wrong = [Breach("offers are kept", f"offer {offer.pk}", what)]
    for name, value in (
        ("start", at(10, 5)),
        ("patient_id", PatientFactory.create().pk),
        ("practitioner_id", open_offering().practitioner.pk),
    ):
        assert overlooked() == []
        right = getattr(WaitingOffer.objects.get().appointment, name)
        column = name.removesuffix("_id")
        raw(Appointment, made.pk, **{column: value})
        assert overlooked() == wrong
        raw(Appointment, made.pk, **{column: right})


def test_each_chunk_of_given_up_times_asks_the_same(
    offering: ServiceOffering, django_assert_num_queries: Any
) -> None:
    waits(offering, now=NOW - dt.timedelta(days=1))
    frees(offering)
    with CaptureQueriesContext(connection) as before:
        assert overlooked() == []
    for day in (2, 3, 4):
        for hour in range(9, 17):
            frees(offering, start=at(hour, days=day))
    with django_assert_num_queries(len(before)):
        assert overlooked() == []
