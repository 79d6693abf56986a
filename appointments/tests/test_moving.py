"""Moving an appointment: the new time taken and the old one given back, both or neither."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import history, services
from appointments.blocking import Block, block_time
from appointments.changes import Answer, Hit, Made, Place
from appointments.exceptions import (
    MoveNotAllowed,
    PatientBusy,
    SameDay,
    SameTime,
    SlotClosed,
    SlotPast,
    SlotTaken,
    SlotTooSoon,
    TooLateToMove,
)
from appointments.models import Appointment, OccupancyCell
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import new_practice
from appointments.tests.race import (
    happened,
    hours,
    meet,
    overlaps_in_database,
    problems,
    split,
    together,
    told,
)
from appointments.undo import Undone, undo
from clinic.models import Organization
from clinic.tests.factories import RoomFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

HOUR = dt.timedelta(hours=1)


def move(appointment: Appointment, start: dt.datetime, **kwargs: Any) -> Appointment:
    kwargs.setdefault("by", desk())
    kwargs.setdefault("now", NOW)
    offering = kwargs.pop("offering", None) or ServiceOffering.objects.get(
        schedule__practitioner=appointment.practitioner, service=appointment.service
    )
    return services.reschedule(appointment=appointment, offering=offering, start=start, **kwargs)


def fresh(appointment: Appointment) -> Appointment:
    return Appointment.objects.get(pk=appointment.pk)


@pytest.mark.django_db
class TestMove:
    def test_one_is_given_up_the_other_takes_its_place(self):
        old = book(reason="Control")
        new = move(old, at(12), note="Reunión")
        old = fresh(old)
        assert (old.status, old.cancellation_reason) == ("cancelled", "Reunión")
        assert (new.status, new.start, new.reason) == ("booked", at(12), "Control")
        assert (new.patient, new.practitioner) == (old.patient, old.practitioner)
        assert new.rescheduled_from == old
        assert new.reference != old.reference
        assert [e.verb for e in old.events.all()] == ["book", "reschedule"]
        assert [e.verb for e in new.events.all()] == ["book"]
        assert not OccupancyCell.objects.filter(appointment=old).exists()
        assert problems() == []

    @pytest.mark.parametrize("minutes", [-15, -5, 5, 15])
    def test_onto_a_part_of_its_own_time(self, minutes):
        old = book()
        new = move(old, at(10) + dt.timedelta(minutes=minutes))
        assert Appointment.objects.occupying().get() == new
        assert problems() == []

    def test_a_chain_is_one_entry_in_a_calendar(self):
        first = book()
        second = move(first, at(11))
        third = move(second, at(12))
        services.cancel(appointment=third, by=desk(), reason="Enfermedad", now=NOW)
        rows = [fresh(a) for a in (first, second, third)]
        assert {a.calendar_name for a in rows} == {first.public_id}
        numbers = [a.calendar_sequence for a in rows]
        assert numbers == sorted(set(numbers))

    def test_its_own_time_is_no_move(self):
        old = book()
        with pytest.raises(SameTime):
            move(old, at(10))
        assert fresh(old).status == "booked"

    def test_the_same_move_twice_is_one(self):
        old = book()
        new = move(old, at(12))
        assert move(old, at(12)) == new
        with pytest.raises(MoveNotAllowed):
            move(old, at(13))
        assert Appointment.objects.count() == 2

    @pytest.mark.parametrize(
        ("start", "refusal"),
        [(at(12), SlotTaken), (at(18), SlotClosed), (at(9, days=-1), SlotPast)],
    )
    def test_refused_the_old_one_stays_as_it_was(self, start, refusal):
        offering = open_offering()
        book(offering=offering, start=at(12))
        old = book(offering=offering)
        with pytest.raises(refusal):
            move(old, start)
        assert (fresh(old).status, fresh(old).sequence) == ("booked", 0)
        assert [e.verb for e in old.events.all()] == ["book"]
        assert problems() == []

    def test_the_patient_cannot_be_in_two_places(self):
        old = book()
        other = book(patient=old.patient, start=at(12))
        with pytest.raises(PatientBusy) as refusal:
            move(old, at(12, 15))
        assert refusal.value.appointment == other

    def test_only_what_is_to_come_is_moved(self):
        old = book()
        services.cancel(appointment=old, by=desk(), reason="x", now=NOW)
        with pytest.raises(MoveNotAllowed):
            move(old, at(12))

    def test_to_another_practitioner(self):
        old = book()
        other = open_offering(service=old.service, schedule__location=old.location)
        new = move(old, at(10), offering=other)
        assert (new.practitioner, new.status) == (other.practitioner, "booked")
        assert problems() == []

    def test_the_room_goes_along_if_it_is_free(self):
        offering = open_offering()
        room = RoomFactory.create(location=offering.location)
        old = book(offering=offering, room=room)
        other = open_offering(schedule__location=offering.location)
        book(offering=other, start=at(14), room=room)
        new = move(old, at(10, 15))
        assert new.room == room
        assert move(new, at(14)).room is None
        assert problems() == []

    def test_a_request_stays_a_request(self):
        user = patient_user()
        patient = user.patient_accesses.get().patient
        offering = open_offering(confirmation="manual")
        old = book(offering=offering, patient=patient, by=Actor.patient(user), start=at(10, days=5))
        new = move(old, at(10, days=6), now=NOW + dt.timedelta(hours=1))
        assert (new.status, fresh(old).expires_at) == ("pending", None)
        assert old.expires_at is not None
        assert new.expires_at == old.expires_at + dt.timedelta(hours=1)

    def test_what_was_confirmed_stays_confirmed(self):
        user = patient_user()
        patient = user.patient_accesses.get().patient
        offering = open_offering(confirmation="manual")
        old = book(offering=offering, patient=patient, start=at(10, days=5))
        by = Actor.patient(user)
        new = move(old, at(10, days=6), by=by)
        assert (new.status, new.expires_at) == ("booked", None)
        other = open_offering(service=offering.service, confirmation="manual")
        assert move(new, at(11, days=6), by=by, offering=other).status == "pending"
        assert fresh(new).status == "booked"

    def test_patients_within_the_notice_staff_always(self):
        user = patient_user()
        patient = user.patient_accesses.get().patient
        offering = open_offering(cancel_notice_hours=24)
        old = book(offering=offering, patient=patient, start=at(10))
        late = at(10, days=0) + dt.timedelta(seconds=1)
        with pytest.raises(TooLateToMove):
            move(old, at(10, days=3), by=Actor.patient(user), now=late)
        assert move(old, at(10, days=3), now=late).status == "booked"

    def test_patients_within_the_windows_of_booking(self):
        user = patient_user()
        patient = user.patient_accesses.get().patient
        offering = open_offering(min_notice_minutes=120)
        old = book(offering=offering, patient=patient, start=at(10, days=3))
        with pytest.raises(SlotTooSoon):
            move(old, at(9, 30, days=0), by=Actor.patient(user))

    def test_a_second_one_on_the_day_is_asked_about_but_not_itself(self):
        user = patient_user()
        patient = user.patient_accesses.get().patient
        by = Actor.patient(user)
        old = book(patient=patient, start=at(10, days=3))
        new = move(old, at(11, days=3), by=by)
        book(patient=patient, start=at(10, days=4))
        with pytest.raises(SameDay):
            move(new, at(11, days=4), by=by)
        assert move(new, at(11, days=4), by=by, same_day_ok=True).start == at(11, days=4)

    def test_a_note_of_system_is_nobodys(self):
        with pytest.raises(MoveNotAllowed):
            move(book(), at(12), by=Actor.system())

    def test_the_history_says_from_where(self):
        old = book(offering=new_practice())
        new = move(old, at(12))
        reader = patient_user()
        with translation.override("en"):
            whats = [history.line(event, reader).what for event in fresh(old).events.all()]
            assert whats == ["Booked", "Moved to another time"]
            line = history.last_line(new, reader)
            assert line
            assert line.what == "Moved here from Tuesday 24 November 2026, 10:00"


# --- many at once


BOOKED = {"booked": 1, "reminder": 1}
MOVED = {"moved": 1, "reminder": 1}


def one_more(offering: ServiceOffering, start: dt.datetime) -> Appointment:
    """Of somebody whom mails reach."""
    patient = patient_user().patient_accesses.get().patient
    return book(offering=offering, start=start, patient=patient)


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
class TestCrossing:
    """As often as RACE_PAIRS says. Everybody has an account, and is told what became of them."""

    @pytest.fixture(autouse=True)
    def _one_reminder(self) -> None:
        Organization.objects.update_or_create(pk=1, defaults={"reminders": "1"})

    def test_two_who_want_each_others_time(self):
        """Neither can have what the other still holds; nobody loses what they have."""
        one = open_offering()
        for start in hours():
            left, right = one_more(one, start), one_more(one, start + HOUR)
            deeds = [
                functools.partial(move, left, right.start),
                functools.partial(move, right, left.start),
            ]
            made, refused = split(together(deeds))
            assert (made, [type(r) for r in refused]) == ([], [SlotTaken, SlotTaken])
            assert {fresh(left).status, fresh(right).status} == {"booked"}
            assert [told(left), told(right)] == [BOOKED, BOOKED]
        assert problems() == []

    def test_move_and_cancel_end_in_one_of_both(self):
        one = open_offering()
        ends: Counter[Any] = Counter()
        for number, start in enumerate(hours()):
            visit = one_more(one, start)
            gone = functools.partial(
                services.cancel, appointment=visit, by=desk(), reason="x", now=NOW
            )
            meeting = meet(number, functools.partial(move, visit, start + HOUR), gone)
            made, refused = split(meeting)
            assert (len(made), [type(r) for r in refused]) == (1, [MoveNotAllowed])
            assert fresh(visit).status == "cancelled"
            is_moved = made[0] != visit
            ends["moved" if is_moved else "cancelled"] += 1
            assert told(visit) == ({} if is_moved else {"cancelled": 1})
            assert not is_moved or told(made[0]) == MOVED
        happened(ends, "moved", "cancelled")
        assert problems() == []

    def test_many_move_to_one_time(self):
        number = 20 if connection.vendor == "mysql" else 8
        one = open_offering(duration=15)
        visits = [
            one_more(one, at(9, days=2) + dt.timedelta(minutes=15 * n)) for n in range(number)
        ]
        results = together([functools.partial(move, v, at(10)) for v in visits])
        made, refused = split(results)
        assert (len(made), len(refused)) == (1, number - 1)
        assert Appointment.objects.occupying().count() == number
        live = Appointment.objects.occupying()
        assert [told(a) for a in live if a not in made] == [BOOKED] * (number - 1)
        assert [told(made[0]), told(fresh(made[0].rescheduled_from))] == [MOVED, {}]
        assert overlaps_in_database() == {"practitioner": 0, "patient": 0, "room": 0}
        assert problems() == []

    def test_two_practitioners_who_send_their_patients_to_each_other(self):
        """Both changes take both practitioners: one after the other, none is lost."""
        for start in hours():
            one = open_offering()
            other = open_offering(service=one.service, schedule__location=one.location)
            left, right = one_more(one, start), one_more(other, start + HOUR)
            deeds = [
                functools.partial(
                    block_time,
                    practitioner=mine.practitioner,
                    blocks=[Block(starts_at=visit.start, ends_at=visit.end)],
                    by=desk(),
                    answer=Answer(
                        seen=frozenset({visit.pk}),
                        for_all=Hit.MOVE,
                        places={visit.pk: Place(theirs.pk, visit.start)},
                    ),
                    now=NOW,
                )
                for mine, theirs, visit in ((one, other, left), (other, one, right))
            ]
            results = together(deeds)
            assert [type(r) for r in results] == [Made, Made]
            moved = Appointment.objects.filter(rescheduled_from__in=[left, right])
            assert {a.practitioner for a in moved} == {one.practitioner, other.practitioner}
            assert [told(a) for a in moved] == [MOVED, MOVED]
            assert [told(left), told(right)] == [{}, {}]
        assert problems() == []

    def test_undo_against_whoever_takes_the_time(self):
        """The patient books elsewhere at the hour that is being given back: one of both."""
        elsewhere = open_offering()
        ends: Counter[Any] = Counter()
        for number, start in enumerate(hours()):
            # One of their own each time: undoing looks at all that was made since.
            one = open_offering(service=elsewhere.service)
            visit = one_more(one, start)
            made = block_time(
                practitioner=one.practitioner,
                blocks=[Block(starts_at=start, ends_at=start + HOUR)],
                by=desk(),
                answer=Answer(seen=frozenset({visit.pk}), for_all=Hit.CANCEL, note="x"),
                now=NOW,
            )
            take = functools.partial(book, offering=elsewhere, patient=visit.patient, start=start)
            back = functools.partial(undo, change=made.change, by=desk(), now=NOW)
            booked, undone = meet(number, take, back)
            ends[type(booked)] += 1
            assert isinstance(undone, Undone)
            if isinstance(booked, Appointment):
                assert (undone.restored, undone.lost) == ([], [visit])
                assert [told(booked), told(visit)] == [BOOKED, {"away": 1}]
            else:
                assert isinstance(booked, PatientBusy)
                assert (undone.restored, undone.lost) == ([visit], [])
                assert told(visit) == {"confirmed": 1, "reminder": 1}
        happened(ends, Appointment, PatientBusy)
        assert problems() == []
