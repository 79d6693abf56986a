"""A move that waits for an answer: the patient keeps what they have until it is confirmed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import translation

from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import asked, freed, services, steps, story
from appointments.blocking import Block, block_time
from appointments.changes import Answer, Hit, HitsFound, Place
from appointments.exceptions import (
    AskedAlready,
    MoveNotAllowed,
    NothingToUndo,
    SameDay,
    SlotTaken,
    TooManyAhead,
    TouchesTheOld,
)
from appointments.models import Appointment, FreedTime, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import account_of, browser, new_practice, second_place, words
from appointments.tests.race import problems
from appointments.tests.waiting import frees, offered, waits
from appointments.undo import undo
from clinic.models import Organization
from scheduling.tests.factories import open_offering, open_week

pytestmark = pytest.mark.django_db


class Case:
    """A confirmed appointment of tomorrow at ten, and a practitioner who confirms by hand."""

    def __init__(self, start: Any = None, **fields: Any) -> None:
        Organization.current()
        self.user = patient_user()
        self.by = Actor.patient(self.user)
        self.patient = self.user.patient_accesses.get().patient
        self.offering = new_practice()
        self.other = open_offering(
            service=self.offering.service,
            schedule__location=self.offering.schedule.location,
            confirmation="manual",
            **fields,
        )
        start = start or at(10)
        self.old = book(
            offering=self.offering, patient=self.patient, start=start, by=self.by, reason="Control"
        )

    def ask(self, start: Any = None, **kwargs: Any) -> Appointment:
        kwargs.setdefault("by", self.by)
        kwargs.setdefault("offering", self.other)
        kwargs.setdefault("now", NOW)
        return services.reschedule(appointment=self.old, start=start or at(12, days=3), **kwargs)

    @property
    def states(self) -> tuple[str, list[str]]:
        """The old one's, and those of whatever else this patient has."""
        others = Appointment.objects.filter(patient=self.patient).exclude(pk=self.old.pk)
        return fresh(self.old).status, list(others.order_by("pk").values_list("status", flat=True))


def fresh(appointment: Appointment) -> Appointment:
    return Appointment.objects.get(pk=appointment.pk)


def verbs(appointment: Appointment) -> list[str]:
    return [event.verb for event in appointment.events.order_by("pk")]


def test_both_are_kept_until_the_answer():
    case = Case()
    request = case.ask()
    assert case.states == ("booked", ["pending"])
    assert (request.replaces, request.rescheduled_from, request.reason) == (
        case.old,
        None,
        "Control",
    )
    assert OccupancyCell.objects.filter(appointment=case.old).exists()
    assert OccupancyCell.objects.filter(appointment=request).exists()
    assert verbs(case.old) == ["book"]
    assert problems() == []


def test_the_yes_makes_the_move():
    case = Case()
    request = services.confirm(appointment=case.ask(), by=desk(), now=NOW)
    assert case.states == ("cancelled", ["booked"])
    assert (request.rescheduled_from, request.expires_at) == (case.old, None)
    assert not OccupancyCell.objects.filter(appointment=case.old).exists()
    assert (verbs(case.old), verbs(request)) == (["book", "reschedule"], ["book", "confirm"])
    assert FreedTime.objects.get().start == at(10)
    assert problems() == []


@pytest.mark.parametrize("end", ["declined", "expired", "withdrawn"])
def test_without_a_yes_the_old_one_is_as_it_was(end):
    case = Case()
    request = case.ask()
    if end == "declined":
        services.cancel(appointment=request, by=desk(), reason="x", now=NOW)
    elif end == "withdrawn":
        services.cancel(appointment=request, by=case.by, now=NOW)
    else:
        assert request.expires_at is not None
        assert services.expire_overdue(now=request.expires_at) == 1
    assert case.states == ("booked", ["cancelled"])
    assert verbs(case.old) == ["book"]
    assert fresh(case.old).sequence == 0
    assert problems() == []


def test_whose_old_one_is_gone_has_a_request_on_its_own():
    case = Case()
    request = case.ask()
    services.cancel(appointment=case.old, by=case.by, now=NOW)
    assert asked.to_replace(fresh(request), NOW) is None
    confirmed = services.confirm(appointment=request, by=desk(), now=NOW)
    assert case.states == ("cancelled", ["booked"])
    assert confirmed.rescheduled_from is None
    assert verbs(case.old) == ["book", "cancel"]
    assert problems() == []


def test_what_has_begun_is_no_longer_given_up():
    """They came, or are noted as not having come: the answer changes nothing of it."""
    case = Case()
    request = case.ask()
    services.confirm(appointment=request, by=desk(), now=at(10))
    assert case.states == ("booked", ["booked"])
    services.mark_arrived(appointment=case.old, by=desk(), now=at(10))
    assert case.states == ("arrived", ["booked"])
    assert problems(now=at(10)) == []


def test_the_same_request_twice_is_one_and_another_is_refused():
    case = Case()
    request = case.ask()
    assert case.ask() == request
    with pytest.raises(AskedAlready) as refused:
        case.ask(at(13, days=3))
    assert refused.value.appointment == request
    with pytest.raises(AskedAlready):
        case.ask(at(13, days=3), offering=case.offering)
    services.cancel(appointment=request, by=case.by, now=NOW)
    assert case.ask(at(13, days=3)).start == at(13, days=3)
    assert case.states == ("booked", ["cancelled", "pending"])
    assert problems() == []


@pytest.mark.parametrize("by", ["patient", "desk"])
def test_a_request_to_move_is_not_moved_itself(by):
    case = Case()
    request = case.ask()
    actor = case.by if by == "patient" else desk()
    with pytest.raises(MoveNotAllowed):
        services.reschedule(
            appointment=request, offering=case.other, start=at(14, days=3), by=actor, now=NOW
        )
    assert not services.can_move(fresh(request), NOW)
    services.cancel(appointment=case.old, by=case.by, now=NOW)
    assert services.can_move(fresh(request), NOW)


def test_a_request_that_was_not_answered_is_given_up_for_another():
    """Nothing confirmed is lost: one question takes the place of the other."""
    case = Case()
    waiting = book(offering=case.other, patient=case.patient, start=at(12, days=4), by=case.by)
    third = open_offering(service=case.offering.service, confirmation="manual")
    moved = services.reschedule(
        appointment=waiting, offering=third, start=at(12, days=5), by=case.by, now=NOW
    )
    assert (fresh(waiting).status, moved.status) == ("cancelled", "pending")
    assert (moved.rescheduled_from, moved.replaces) == (waiting, None)


def test_the_desk_moves_at_once_and_the_request_goes_along():
    case = Case()
    request = case.ask()
    moved = services.reschedule(
        appointment=case.old, offering=case.offering, start=at(15), by=desk(), now=NOW
    )
    assert fresh(request).replaces == moved
    services.confirm(appointment=request, by=desk(), now=NOW)
    assert [fresh(a).status for a in (case.old, moved, request)] == [
        "cancelled",
        "cancelled",
        "booked",
    ]
    assert fresh(request).rescheduled_from == moved
    assert problems() == []


@pytest.mark.parametrize("start", [at(9, 45), at(10), at(10, 15)])
def test_a_time_that_touches_the_old_one_is_refused(start):
    case = Case()
    with pytest.raises(TouchesTheOld):
        case.ask(start)
    assert case.states == ("booked", [])
    # On the same day is no second appointment of the day: it takes the place of the first.
    assert case.ask(at(10, 30)).start == at(10, 30)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "This time touches the appointment you have, which stays until the new time"),
        ("es", "Ese horario se superpone con el turno que ya tiene, que sigue en pie hasta que"),
    ],
)
def test_and_the_page_says_so_with_other_times(language, said, this_morning):
    case = Case()
    client = browser(case.user)
    client.cookies["django_language"] = language
    start = at(10, 15).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    link = f"/turnos/{case.old.public_id}/mover/?offering={case.other.pk}&start={start}"
    for answer in (client.get(link), client.post(link), client.post(link, {"hold": ""})):
        assert answer.status_code == 409
        assert said in words(answer)
    assert case.states == ("booked", [])


def test_the_practitioners_own_time_around_it_counts_too():
    case = Case()
    north = second_place(case.offering)
    open_week(north.schedule)
    type(north).objects.filter(pk=north.pk).update(confirmation="manual", buffer_before=15)
    north = type(north).objects.with_parts().get(pk=north.pk)
    with pytest.raises(TouchesTheOld):
        case.ask(at(10, 30), offering=north)
    assert case.states == ("booked", [])


def test_another_appointment_of_that_day_is_asked_about_still():
    case = Case()
    book(offering=case.offering, patient=case.patient, start=at(9, days=3))
    with pytest.raises(SameDay):
        case.ask()
    assert case.ask(same_day_ok=True).status == "pending"


def test_the_two_count_as_one():
    case = Case()
    Organization.objects.update(most_ahead=2)
    request = case.ask()
    book(offering=case.offering, patient=case.patient, start=at(9, days=6), by=case.by)
    with pytest.raises(TooManyAhead):
        book(offering=case.offering, patient=case.patient, start=at(9, days=7), by=case.by)
    services.confirm(appointment=request, by=desk(), now=NOW)
    with pytest.raises(TooManyAhead):
        book(offering=case.offering, patient=case.patient, start=at(9, days=7), by=case.by)


def test_a_request_on_its_own_counts_for_one():
    case = Case()
    Organization.objects.update(most_ahead=1)
    case.ask()
    services.cancel(appointment=case.old, by=desk(), reason="x", now=NOW)
    with pytest.raises(TooManyAhead):
        book(offering=case.offering, patient=case.patient, start=at(9, days=6), by=case.by)


# --- taken back -----------------------------------------------------------------------


def test_the_yes_is_taken_back_with_all_it_did():
    case = Case()
    request = services.confirm(appointment=case.ask(), by=desk(), now=NOW)
    back = steps.undo_step(appointment=request, by=desk(), now=NOW)
    assert case.states == ("booked", ["pending"])
    assert (back.rescheduled_from, back.replaces, back.expires_at is None) == (
        None,
        case.old,
        False,
    )
    assert verbs(case.old) == ["book", "reschedule", "undo"]
    assert problems() == []
    services.confirm(appointment=request, by=desk(), now=NOW)
    assert case.states == ("cancelled", ["booked"])
    assert problems() == []


def test_whose_time_was_given_away_meanwhile_keeps_the_new_one():
    case = Case()
    request = services.confirm(appointment=case.ask(), by=desk(), now=NOW)
    book(offering=case.offering, start=at(10))
    with pytest.raises(SlotTaken):
        steps.undo_step(appointment=request, by=desk(), now=NOW)
    assert case.states == ("cancelled", ["booked"])
    assert problems() == []


def test_a_no_is_not_taken_back_beside_another_request():
    case = Case()
    request = case.ask()
    services.cancel(appointment=request, by=desk(), reason="x", now=NOW)
    steps.undo_step(appointment=request, by=desk(), now=NOW)
    assert case.states == ("booked", ["pending"])
    services.cancel(appointment=request, by=desk(), reason="x", now=NOW)
    case.ask(at(14, days=3))
    with pytest.raises(NothingToUndo):
        steps.undo_step(appointment=request, by=desk(), now=NOW)
    assert case.states == ("booked", ["cancelled", "pending"])
    assert problems() == []


def test_what_the_clinic_cancelled_does_not_come_back_beside_what_took_its_place():
    case = Case()
    request = case.ask()
    services.cancel(appointment=case.old, by=desk(), reason="x", now=NOW)
    services.confirm(appointment=request, by=desk(), now=NOW)
    with pytest.raises(NothingToUndo):
        steps.undo_step(appointment=case.old, by=desk(), now=NOW)
    assert case.states == ("cancelled", ["booked"])


def blocked(case: Case, hit: Hit) -> Any:
    return block_time(
        practitioner=case.offering.practitioner,
        blocks=[Block(starts_at=at(10), ends_at=at(11))],
        by=desk(),
        answer=Answer(
            seen=frozenset({case.old.pk}),
            for_all=hit,
            places={case.old.pk: Place(case.offering.pk, at(15))} if hit == Hit.MOVE else {},
            note="x",
        ),
        now=NOW,
    )


def test_undoing_a_change_of_hours_brings_the_request_back_to_what_it_was_for():
    case = Case()
    request = case.ask()
    made = blocked(case, Hit.MOVE)
    moved = Appointment.objects.get(rescheduled_from=case.old)
    assert fresh(request).replaces == moved
    undo(change=made.change, by=desk(), now=NOW)
    assert fresh(request).replaces == case.old
    assert case.states == ("booked", ["pending", "cancelled"])
    assert problems() == []


def test_nor_does_a_change_of_hours_that_is_undone_make_two_of_one():
    case = Case()
    request = case.ask()
    made = blocked(case, Hit.CANCEL)
    services.confirm(appointment=request, by=desk(), now=NOW)
    assert undo(change=made.change, by=desk(), now=NOW).lost == [case.old]
    assert case.states == ("cancelled", ["booked"])
    assert problems() == []


def test_a_change_of_hours_keeps_or_declines_a_request_and_proposes_no_time():
    case = Case()
    case.ask()
    block = {
        "practitioner": case.other.practitioner,
        "blocks": [Block(starts_at=at(12, days=3), ends_at=at(13, days=3))],
        "by": desk(),
        "now": NOW,
    }
    with pytest.raises(HitsFound) as found:
        block_time(**block)
    (hit,) = found.value.hits
    assert hit.proposal is None
    pk = hit.appointment.pk
    block_time(**block, answer=Answer(seen=frozenset({pk}), for_all=Hit.CANCEL, note="x"))
    assert case.states == ("booked", ["cancelled"])
    assert problems() == []


# --- the waiting list -----------------------------------------------------------------


def test_a_wish_follows_when_the_move_is_made_and_not_before():
    case = Case(at(10, days=9))
    entry = waits(case.offering, case.user, instead_of=case.old)
    request = case.ask()
    entry.refresh_from_db()
    assert entry.instead_of == case.old
    services.confirm(appointment=request, by=desk(), now=NOW)
    entry.refresh_from_db()
    assert entry.instead_of == request
    steps.undo_step(appointment=request, by=desk(), now=NOW)
    entry.refresh_from_db()
    assert entry.instead_of == case.old


def test_who_accepts_a_time_that_needs_an_answer_keeps_the_old_one():
    case = Case(at(10, days=9))
    offer = offered(case.other, case.user, instead_of=case.old)
    made = freed.accept(offer=offer, by=case.by, now=NOW)
    assert (made.replaces, made.status) == (case.old, "pending")
    assert case.states == ("booked", ["pending"])
    assert problems() == []


def test_nobody_is_offered_what_they_could_not_ask_for():
    case = Case(at(10, days=9))
    entry = waits(case.other, case.user, instead_of=case.old)
    case.ask()
    frees(case.other, start=at(9, days=2))
    assert freed.sweep(now=NOW) == 0
    assert not entry.offers.exists()


# --- what people read -----------------------------------------------------------------


def test_the_story_says_what_was_asked_and_what_came_of_it():
    case = Case()
    request = case.ask()
    with translation.override("en"):
        (deed,) = story.for_patient(request, case.user)
        assert deed.sentence.startswith("You asked to move it from ")
        services.confirm(appointment=request, by=desk(), now=NOW)
        told = [deed.sentence for deed in story.for_patient(fresh(request), case.user)]
    assert len(told) == 3
    assert told[2] == "Reception confirmed the move: the old time was given up."


def test_patients_see_what_stays_on_each_page(this_morning):
    case = Case()
    request = case.ask()
    client = browser(case.user)
    mine = words(client.get("/turnos/"))
    assert "You asked to move it to Thursday 26 November 2026, 12:00." in mine
    assert (
        "Instead of Tuesday 24 November 2026, 10:00, which stays until this is confirmed." in mine
    )
    page = words(client.get(f"/turnos/{request.public_id}/"))
    assert "stays as it is until this one is confirmed." in page
    assert "Withdraw the request" in page
    assert "Change the time" not in page
    page = words(client.get(f"/turnos/{case.old.public_id}/"))
    assert "You asked to move it to Thursday 26 November 2026, 12:00." in page
    assert "Change the time" not in page
    page = words(client.get(f"/turnos/{case.old.public_id}/mover/"))
    assert "You have already asked to move it to Thursday 26 November 2026, 12:00." in page
    page = words(client.get(f"/turnos/{request.public_id}/mover/"))
    assert "This is a request to move the appointment of Tuesday 24 November 2026, 10:00." in page
    page = words(client.get(f"/turnos/{request.public_id}/cancelar/"))
    assert "Your appointment of Tuesday 24 November 2026, 10:00 with" in page
    client.post(f"/turnos/{request.public_id}/cancelar/", {"reason": ""})
    assert case.states == ("booked", ["cancelled"])
    assert "stays as it is." in words(client.get(f"/turnos/{request.public_id}/"))


def test_the_staff_sees_what_confirming_gives_up(this_morning):
    case = Case()
    request = case.ask()
    said = "confirming it gives up the appointment of Tuesday 24 November 2026, 10:00"
    theirs = browser(account_of(case.other))
    page = words(theirs.get("/agenda/solicitudes/"))
    assert said in page
    assert "Give another time" not in page
    assert said in words(theirs.get(f"/agenda/turnos/{request.public_id}/"))
    mine = browser(account_of(case.offering))
    asked_for = "The patient has asked to move it to Thursday 26 November 2026, 12:00."
    assert asked_for in words(mine.get(f"/agenda/turnos/{case.old.public_id}/"))
    # Nobody reads in another's agenda.
    assert mine.get(f"/agenda/turnos/{request.public_id}/").status_code == 404
    answer = theirs.get(f"/agenda/turnos/{request.public_id}/mover/", follow=True)
    assert "answer it first" in answer.content.decode()


@pytest.mark.parametrize("rows", [1, 8])
def test_more_requests_ask_no_more(rows, this_morning, django_assert_max_num_queries):
    case = Case()
    for n in range(rows):
        old = book(offering=case.offering, patient=case.patient, start=at(10, days=n + 5))
        services.reschedule(
            appointment=old,
            offering=case.other,
            start=at(15, days=n + 5),
            by=case.by,
            same_day_ok=True,
            now=NOW,
        )
    mine, theirs = browser(case.user), browser(account_of(case.other))
    mine.get("/turnos/")
    theirs.get("/agenda/solicitudes/")
    with django_assert_max_num_queries(12):
        mine.get("/turnos/")
    with django_assert_max_num_queries(14):
        theirs.get("/agenda/solicitudes/")
