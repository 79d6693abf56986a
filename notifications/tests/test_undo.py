"""What a change of hours does to appointments, the notices that wait, and undoing it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from accounts.models import PatientAccess
from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import services
from appointments.blocking import Block, block_time, blocking, change_week
from appointments.changes import UNDO_FOR, Answer, Hit, HitBy, HitsFound, Made, Place, PlaceGone
from appointments.integrity import breaches, busy
from appointments.models import Appointment, RuleChange
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import doctor_of, new_practice, second_place
from appointments.tests.waiting import waits
from appointments.undo import RulesChangedSince, TooLateToUndo, undo
from notifications import integrity as messages
from notifications.delivery import verdict
from notifications.models import Kind, Notification, State
from scheduling.models import ServiceOffering, TimeOff
from scheduling.services import ScheduleRules
from scheduling.tests.factories import open_offering, open_week
from scheduling.weeks import Hours

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]

MORNING = Block(starts_at=at(9), ends_at=at(12), reason="Congreso")


def visit_of(offering: ServiceOffering, **kwargs: Any) -> Appointment:
    """Of a patient who can be written to; told of it long ago."""
    patient = kwargs.pop("patient", None) or patient_user().patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, **kwargs)
    Notification.objects.exclude(kind=Kind.REMINDER).filter(state=State.PENDING).update(
        state=State.SENT
    )
    return visit


def ask(
    offering: ServiceOffering, *blocks: Block, by: Actor | None = None, now: dt.datetime = NOW
) -> list[HitBy]:
    change = blocking(
        practitioner=offering.practitioner, blocks=blocks or [MORNING], by=by or doctor_of(offering)
    )
    with pytest.raises(HitsFound) as found:
        change.make(now=now)
    return found.value.hits


def answer(hits: list[HitBy], hit: Hit, **kwargs: Any) -> Answer:
    places = {
        h.appointment.pk: Place(h.proposal.offering.pk, h.proposal.start)
        for h in hits
        if h.proposal
    }
    seen = frozenset(h.appointment.pk for h in hits)
    return Answer(seen=seen, for_all=hit, places=places, **{"note": "Congreso", **kwargs})


def block(
    offering: ServiceOffering, chosen: Answer | None, *blocks: Block, now: dt.datetime = NOW
) -> Made:
    return block_time(
        practitioner=offering.practitioner,
        blocks=blocks or [MORNING],
        by=doctor_of(offering),
        answer=chosen,
        now=now,
    )


def fresh(appointment: Appointment) -> Appointment:
    return Appointment.objects.get(pk=appointment.pk)


def problems(now: dt.datetime = NOW) -> list[str]:
    counts: Counter[str] = Counter()
    rows = (*breaches(counts), *busy(counts), *messages.breaches(counts, now=now))
    return [str(row) for row in rows]


def news() -> list[tuple[str, str]]:
    rows = Notification.objects.exclude(kind=Kind.REMINDER).exclude(state=State.SENT)
    return sorted(rows.values_list("kind", "state"))


# --- where to


def test_the_nearest_free_time_after_the_change():
    offering = new_practice()
    visit_of(offering, start=at(11, 30))
    (hit,) = ask(offering)
    assert hit.proposal is not None
    assert (hit.proposal.start, hit.proposal.offering) == (at(12), offering)


def test_no_two_get_the_same_time():
    offering = new_practice()
    for minutes in (0, 30):
        visit_of(offering, start=at(11, minutes))
    found = [hit.proposal.start for hit in ask(offering) if hit.proposal]
    assert len(set(found)) == 2
    assert all(not at(9) <= start < at(12) for start in found)


def test_a_patient_is_not_sent_to_two_places():
    offering = new_practice()
    visit = visit_of(offering, start=at(11, 30))
    book(patient=visit.patient, start=at(12))
    (hit,) = ask(offering)
    assert hit.proposal is not None
    assert hit.proposal.start == at(12, 30)


def test_elsewhere_with_the_same_before_another_here():
    offering = new_practice()
    visit_of(offering)
    other = second_place(offering)
    open_week(other.schedule)
    open_offering(service=offering.service, schedule__location=offering.location)
    away = Block(location=offering.location, starts_at=at(0), ends_at=at(0, days=200))
    (hit,) = ask(offering, away)
    assert hit.proposal is not None
    assert hit.proposal.offering == other


def test_with_another_here_if_there_is_nothing_with_the_same():
    offering = new_practice()
    visit_of(offering)
    open_offering(service=offering.service)
    here = open_offering(service=offering.service, schedule__location=offering.location)
    away = Block(starts_at=at(0), ends_at=at(0, days=200))
    (own,) = ask(offering, away)
    assert own.proposal is None
    (hit,) = ask(offering, away, by=desk())
    assert hit.proposal is not None
    assert (hit.proposal.offering, hit.proposal.start) == (here, at(10))


def test_nowhere():
    offering = new_practice()
    visit_of(offering)
    (hit,) = ask(offering, Block(starts_at=at(0), ends_at=at(0, days=200)))
    assert hit.proposal is None


def test_many_cost_few_questions(django_assert_max_num_queries):
    offering = new_practice()
    for n in range(6):
        visit_of(offering, start=at(9) + dt.timedelta(minutes=30 * n))
    change = blocking(practitioner=offering.practitioner, blocks=[MORNING], by=doctor_of(offering))
    with django_assert_max_num_queries(45):
        assert len(change.would_hit(NOW)) == 6


# --- settled


def test_moved_to_the_time_proposed():
    offering = new_practice()
    visit = visit_of(offering, start=at(11, 30), reason="Control")
    hits = ask(offering)
    made = block(offering, answer(hits, Hit.MOVE))
    moved = Appointment.objects.get(rescheduled_from=visit)
    assert (moved.start, moved.status, moved.reason) == (at(12), "booked", "Control")
    assert fresh(visit).cancellation_reason == "Congreso"
    assert [one["moved_to"] for one in made.change.settled] == [moved.pk]
    assert problems() == []


def test_one_differs_from_all():
    offering = new_practice()
    visits = [visit_of(offering, start=at(hour)) for hour in (9, 10, 11)]
    hits = ask(offering)
    own = {visits[0].pk: Hit.CANCEL, visits[1].pk: Hit.KEEP}
    block(offering, answer(hits, Hit.MOVE, own=own))
    assert [fresh(v).status for v in visits] == ["cancelled", "booked", "cancelled"]
    assert Appointment.objects.filter(rescheduled_from=visits[2]).exists()
    assert problems() == []


def test_a_place_that_is_gone_changes_nothing_and_shows_another():
    offering = new_practice()
    visits = [visit_of(offering, start=at(11)), visit_of(offering, start=at(11, 30))]
    hits = ask(offering)
    assert hits[1].proposal is not None
    book(offering=offering, start=hits[1].proposal.start)
    with pytest.raises(PlaceGone) as gone:
        block(offering, answer(hits, Hit.MOVE))
    assert [fresh(v).status for v in visits] == ["booked", "booked"]
    assert not TimeOff.objects.exists()
    assert not RuleChange.objects.exists()
    again = answer(gone.value.hits, Hit.MOVE)
    block(offering, again)
    assert [fresh(v).status for v in visits] == ["cancelled", "cancelled"]


def test_to_another_practitioner_both_are_told():
    offering = new_practice()
    visit = visit_of(offering)
    open_offering(service=offering.service, schedule__location=offering.location)
    away = Block(starts_at=at(0), ends_at=at(0, days=200))
    chosen = answer(ask(offering, away, by=desk()), Hit.MOVE)
    block_time(practitioner=offering.practitioner, blocks=[away], by=desk(), answer=chosen, now=NOW)
    assert Appointment.objects.get(rescheduled_from=visit).start == at(10)
    assert news() == [
        ("moved", "pending"),
        ("practitioner_cancelled", "pending"),
        ("practitioner_new", "pending"),
    ]
    assert problems() == []


# --- the notices wait


@pytest.mark.parametrize(("hit", "kind"), [(Hit.CANCEL, "away"), (Hit.MOVE, "moved")])
def test_the_notices_wait_ten_minutes(hit, kind):
    offering = new_practice()
    visit_of(offering)
    block(offering, answer(ask(offering), hit))
    row = Notification.objects.get(kind=kind)
    assert (row.due_at, row.try_at) == (NOW + UNDO_FOR, NOW + UNDO_FOR)
    assert not Notification.objects.due(NOW + UNDO_FOR - dt.timedelta(seconds=1)).exists()
    assert Notification.objects.due(NOW + UNDO_FOR).filter(pk=row.pk).exists()


def test_what_is_about_to_begin_is_told_at_once():
    offering = new_practice()
    visit_of(offering, start=at(9, days=0))
    today = Block(starts_at=at(8, days=0), ends_at=at(12, days=0))
    block(offering, answer(ask(offering, today), Hit.CANCEL), today)
    assert Notification.objects.get(kind=Kind.AWAY).due_at == NOW


def test_other_cancellations_are_told_at_once():
    visit = visit_of(new_practice())
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    assert Notification.objects.get(kind=Kind.CANCELLED).due_at == NOW


# --- undone


def take_back(made: Made, offering: ServiceOffering, *, minutes: int = 5) -> Any:
    now = NOW + dt.timedelta(minutes=minutes)
    return undo(change=made.change, by=doctor_of(offering), now=now)


def test_a_cancellation_undone():
    offering = new_practice()
    visit = visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    done = take_back(made, offering)
    visit = fresh(visit)
    assert ([a.pk for a in done.restored], done.lost) == ([visit.pk], [])
    assert (visit.status, visit.cancellation_reason) == ("booked", "")
    assert [e.verb for e in visit.events.all()] == ["book", "cancel", "restore"]
    assert not TimeOff.objects.exists()
    assert news() == [("away", "void")]
    reminders = Notification.objects.filter(kind=Kind.REMINDER, sequence=visit.sequence)
    assert [r.state for r in reminders] == ["pending"]
    assert problems() == []


def test_a_move_undone_and_moved_again():
    offering = new_practice()
    visit = visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.MOVE))
    moved = Appointment.objects.get(rescheduled_from=visit)
    take_back(made, offering)
    visit, moved = fresh(visit), fresh(moved)
    assert (visit.status, moved.status, moved.rescheduled_from) == ("booked", "cancelled", None)
    assert [e.verb for e in moved.events.all()] == ["book", "withdraw"]
    assert visit.calendar_sequence > moved.calendar_sequence
    assert visit.calendar_name == moved.calendar_name
    assert {state for _kind, state in news()} == {"void"}
    assert problems() == []
    later = services.reschedule(
        appointment=visit, offering=offering, start=at(15), by=desk(), now=NOW + UNDO_FOR
    )
    assert later.rescheduled_from == visit
    assert later.calendar_sequence > visit.calendar_sequence
    assert problems() == []


def test_who_was_told_of_a_move_at_once_is_told_that_it_is_undone():
    offering = new_practice()
    visit = visit_of(offering, start=at(9, days=0))
    today = Block(starts_at=at(8, days=0), ends_at=at(12, days=0))
    block(offering, answer(ask(offering, today), Hit.MOVE), today)
    moved = Appointment.objects.get(rescheduled_from=visit)
    told = moved.notifications.get(kind=Kind.MOVED)
    assert told.due_at == NOW
    moved.notifications.filter(pk=told.pk).update(state=State.SENT)
    take_back_soon = NOW + dt.timedelta(minutes=2)
    change = RuleChange.objects.get()
    undo(change=change, by=doctor_of(offering), now=take_back_soon)
    assert fresh(visit).status == "booked"
    again = Notification.objects.waiting().get(appointment=visit, kind=Kind.CONFIRMED)
    assert (again.to, again.due_at) == (told.to, take_back_soon)
    assert problems(now=take_back_soon) == []


@pytest.mark.parametrize("was_told", [True, False])
def test_whom_it_went_to_is_told_that_it_is_undone_if_they_were_told_at_all(was_told):
    offering = new_practice()
    visit = visit_of(offering, start=at(9, days=0))
    open_offering(service=offering.service, schedule__location=offering.location)
    away = Block(starts_at=at(0, days=0), ends_at=at(0, days=200))
    chosen = answer(ask(offering, away, by=desk()), Hit.MOVE)
    made = block_time(
        practitioner=offering.practitioner, blocks=[away], by=desk(), answer=chosen, now=NOW
    )
    moved = Appointment.objects.get(rescheduled_from=visit)
    assert moved.practitioner != visit.practitioner
    told = moved.notifications.get(kind=Kind.PRACTITIONER_NEW)
    assert told.due_at == NOW
    if was_told:
        moved.notifications.filter(pk=told.pk).update(state=State.SENT)
    soon = NOW + dt.timedelta(minutes=2)
    undo(change=made.change, by=desk(), now=soon)
    assert fresh(visit).status == "booked"
    off = Notification.objects.with_parts().filter(
        appointment=moved, kind=Kind.PRACTITIONER_CANCELLED
    )
    assert [(row.to, row.due_at, row.state) for row in off] == (
        [(told.to, soon, State.PENDING)] if was_told else []
    )
    assert all(verdict(row, soon) is None for row in off)
    assert problems(now=soon) == []


def test_a_wish_to_come_earlier_goes_back_with_the_appointment():
    offering = new_practice()
    visit = visit_of(offering)
    entry = waits(offering, visit.patient.accesses.get().user, instead_of=visit)
    made = block(offering, answer(ask(offering), Hit.MOVE))
    entry.refresh_from_db()
    assert entry.instead_of == Appointment.objects.get(rescheduled_from=visit)
    take_back(made, offering)
    entry.refresh_from_db()
    assert (entry.instead_of, entry.status) == (visit, "waiting")


def test_a_request_undone_is_a_request_again():
    user = patient_user()
    offering = new_practice(confirmation="manual")
    patient = user.patient_accesses.get().patient
    visit = visit_of(offering, patient=patient, by=Actor.patient(user))
    deadline = visit.expires_at
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    take_back(made, offering)
    visit = fresh(visit)
    assert (visit.status, visit.expires_at) == ("pending", deadline)
    assert problems() == []


def test_a_time_that_is_taken_is_said():
    offering = new_practice()
    lost, kept = visit_of(offering), visit_of(offering, start=at(11))
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    # Their patient has taken something else at that hour.
    book(patient=lost.patient, start=at(10))
    done = take_back(made, offering)
    assert [a.pk for a in done.lost] == [lost.pk]
    assert [a.pk for a in done.restored] == [kept.pk]
    assert fresh(lost).status == "cancelled"
    waiting = Notification.objects.get(kind=Kind.AWAY, appointment=lost)
    assert waiting.state == State.PENDING
    assert problems() == []


def test_a_way_that_is_too_long_is_said():
    offering = new_practice()
    kept, lost = visit_of(offering), visit_of(offering, start=at(11, 30))
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    elsewhere = second_place(offering)
    open_week(elsewhere.schedule)
    book(offering=elsewhere, start=at(12, 15))
    done = take_back(made, offering)
    assert [a.pk for a in done.lost] == [lost.pk]
    assert [a.pk for a in done.restored] == [kept.pk]
    assert problems() == []


def test_who_was_told_already_is_told_that_it_stands():
    offering = new_practice()
    visit = visit_of(offering, start=at(9, days=0))
    today = Block(starts_at=at(8, days=0), ends_at=at(12, days=0))
    made = block(offering, answer(ask(offering, today), Hit.CANCEL), today)
    Notification.objects.filter(kind=Kind.AWAY).update(state=State.SENT)
    take_back(made, offering)
    row = Notification.objects.get(kind=Kind.CONFIRMED)
    assert (row.appointment_id, row.state) == (visit.pk, "pending")
    assert problems() == []


def test_the_week_and_its_step_undone():
    offering = new_practice()
    before = sorted(offering.schedule.hours.values_list("pk", "weekday", "start", "end"))
    made = change_week(
        schedule=offering.schedule,
        hours=[Hours(0, dt.time(8), dt.time(9))],
        rules=ScheduleRules(20, 120, 45),
        by=doctor_of(offering),
        now=NOW,
    )
    assert offering.schedule.hours.count() == 1
    take_back(made, offering)
    offering.schedule.refresh_from_db()
    after = sorted(offering.schedule.hours.values_list("pk", "weekday", "start", "end"))
    assert (after, offering.schedule.slot_step) == (before, 30)
    assert (offering.schedule.min_notice_minutes, offering.schedule.horizon_days) == (None, None)


def test_twice_is_as_once():
    offering = new_practice()
    visit = visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    take_back(made, offering)
    again = take_back(made, offering)
    assert (again.restored, again.lost) == ([], [])
    assert fresh(visit).sequence == 2


def test_too_late():
    offering = new_practice()
    visit = visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    with pytest.raises(TooLateToUndo):
        take_back(made, offering, minutes=10)
    assert fresh(visit).status == "cancelled"
    assert TimeOff.objects.count() == 1


def test_changed_again_in_the_meantime():
    offering = new_practice()
    visit = visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    TimeOff.objects.update(reason="Otra cosa")
    with pytest.raises(RulesChangedSince):
        take_back(made, offering)
    assert fresh(visit).status == "cancelled"


def test_other_rules_stay_as_they_are():
    offering = new_practice()
    visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    block(offering, None, Block(starts_at=at(0, days=50), ends_at=at(0, days=60)))
    take_back(made, offering)
    assert TimeOff.objects.get().starts_at == at(0, days=50)


def test_what_has_gone_on_is_not_brought_back():
    offering = new_practice()
    visit = visit_of(offering)
    made = block(offering, answer(ask(offering), Hit.MOVE))
    moved = Appointment.objects.get(rescheduled_from=visit)
    services.cancel(appointment=moved, by=desk(), reason="x", now=NOW)
    done = take_back(made, offering)
    assert [a.pk for a in done.lost] == [visit.pk]
    assert (fresh(visit).status, fresh(moved).status) == ("cancelled", "cancelled")
    assert problems() == []


def test_nobody_to_write_to_is_no_problem():
    offering = new_practice()
    visit = visit_of(offering)
    PatientAccess.objects.all().delete()
    made = block(offering, answer(ask(offering), Hit.CANCEL))
    take_back(made, offering)
    assert fresh(visit).status == "booked"
