"""Who waits, what becomes free, and who is offered it: one at a time, in order."""

import datetime as dt

import pytest
from django.db import IntegrityError, models, transaction
from django.utils import translation

from accounts.models import PatientAccess, Relation
from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory, PatientFactory, patient_user
from appointments import availability, freed, holds, offers, services, steps, tasks, waiting
from appointments.exceptions import (
    MoveNotAllowed,
    OfferOver,
    SlotHeld,
    TooLateToMove,
    TooManyWaiting,
)
from appointments.models import Appointment, FreedTime, Hold, WaitingListEntry, WaitingOffer
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import doctor_of
from appointments.tests.race import problems
from appointments.tests.waiting import actor, all_told, frees, left, offered, waits
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import ServiceOfferingFactory, open_offering

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
OVER = NOW + HOUR
Answer = WaitingOffer.Answer


def starts(offering, user=None, *, now=NOW):
    """What the search shows of tomorrow from ten to eleven."""
    parts = ServiceOffering.objects.with_parts().filter(pk=offering.pk)
    found = availability.free_slots(list(parts), start=at(10), end=at(11), now=now, holder=user)
    return [slot.start for slot in found]


def asked(*, now=NOW):
    """Whose turn it is after one sweep."""
    freed.sweep(now=now)
    live = WaitingOffer.objects.filter(is_open=True, expires_at__gt=now)
    return [offer.entry for offer in live.select_related("entry")]


# --- waiting ---------------------------------------------------------------------------


def test_the_same_wish_again_is_the_same_entry(offering):
    user = patient_user()
    first = waits(offering, user)
    assert waits(offering, user, now=NOW + HOUR) == first
    assert waits(offering, user, parts=[0]) != first
    assert first.last_day == NOW.date() + dt.timedelta(days=90)


def test_the_same_wish_on_another_day_is_the_same_entry_and_lives_longer(offering):
    user = patient_user()
    first = waits(offering, user)
    again = waits(offering, user, now=NOW + 30 * DAY)
    assert again == first
    assert again.created_at == NOW
    assert (again.first_day, again.last_day) == (NOW.date(), NOW.date() + 120 * DAY)
    assert WaitingListEntry.objects.count() == 1


def test_wishes_for_days_that_meet_are_one_wish_for_all_of_them(offering):
    user = patient_user()
    day = NOW.date() + 10 * DAY
    early = waits(offering, user, first_day=day, last_day=day + 2 * DAY)
    late = waits(offering, user, first_day=day + 8 * DAY, last_day=day + 9 * DAY)
    assert early != late
    assert waits(offering, user, first_day=day + 3 * DAY, last_day=day + 4 * DAY) == early
    early.refresh_from_db()
    assert (early.first_day, early.last_day) == (day, day + 4 * DAY)
    assert WaitingListEntry.objects.count() == 2


def test_an_account_waits_for_five_times_at_most(offering):
    user = patient_user()
    wishes = [waits(offering, user, weekdays=[day]) for day in range(waiting.MOST)]
    with translation.override("en"), pytest.raises(TooManyWaiting, match="already have 5 alerts"):
        waits(offering, user, weekdays=[6])
    waiting.end(entry=wishes[0], now=NOW)
    assert waits(offering, user, weekdays=[6]).status == "waiting"


def test_nobody_waits_for_somebody_elses_patient(offering):
    with pytest.raises(MoveNotAllowed):
        waits(offering, patient=PatientFactory.create())


def test_only_an_appointment_that_can_be_moved_can_be_replaced(offering):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    visit = book(offering=offering, patient=patient, start=at(10, days=3))
    entry = waits(offering, user, instead_of=visit)
    assert entry.last_day == at(10, days=3).date()
    with pytest.raises(TooLateToMove):
        waits(offering, user, instead_of=visit, now=at(9, days=3))
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    with pytest.raises(MoveNotAllowed):
        waits(offering, user, instead_of=visit)


@pytest.mark.parametrize(
    ("wish", "start", "fits"),
    [
        ({}, at(10), True),
        ({"weekdays": [1]}, at(10), True),
        ({"weekdays": [0, 2]}, at(10), False),
        ({"parts": [0]}, at(11, 30), True),
        ({"parts": [0]}, at(12), False),
        ({"parts": [1]}, at(12), True),
        ({"parts": [1]}, at(18), False),
        ({"parts": [2]}, at(18), True),
        ({"first_day": at(0, days=2).date()}, at(10), False),
        ({"first_day": at(0, days=1).date()}, at(10), True),
        ({"last_day": at(0, days=1).date()}, at(10), True),
        ({"last_day": at(0, days=0).date()}, at(10), False),
    ],
)
def test_which_times_would_do(offering, wish, start, fits):
    assert waiting.would_do(waits(offering, **wish), start) is fits


# --- what becomes free -----------------------------------------------------------------


def test_whatever_gives_time_up_notes_it(offering):
    frees(offering)
    moved = book(offering=offering, start=at(12))
    services.reschedule(
        appointment=moved, offering=offering, start=at(14), by=desk(), same_day_ok=True, now=NOW
    )
    assert list(FreedTime.objects.values_list("start", "end", "due_at")) == [
        (at(10), at(10, 30), NOW),
        (at(12), at(12, 30), NOW),
    ]


def test_what_is_over_frees_nothing(offering):
    visit = book(offering=offering)
    services.mark_no_show(appointment=visit, by=desk(), now=at(11))
    assert FreedTime.objects.count() == 0


def test_while_it_can_be_undone_nobody_is_asked(offering):
    waits(offering)
    frees(offering, tell_at=NOW + dt.timedelta(minutes=10))
    assert asked() == []
    assert len(asked(now=NOW + dt.timedelta(minutes=10))) == 1


def test_with_nobody_waiting_nothing_is_left_to_do(offering):
    frees(offering)
    assert freed.sweep(now=NOW) == 0
    assert left() == 0


def test_what_was_dealt_with_is_forgotten_when_its_time_is_over(offering):
    frees(offering)
    freed.sweep(now=NOW)
    freed.sweep(now=at(10, 29))
    assert FreedTime.objects.get().done_at == NOW
    freed.sweep(now=at(10, 30))
    assert FreedTime.objects.count() == 0


def test_what_was_offered_is_not_forgotten(offering):
    offered(offering)
    freed.sweep(now=at(12))
    freed.sweep(now=at(12))
    assert (left(), WaitingOffer.objects.count()) == (0, 1)


# --- the offer -------------------------------------------------------------------------


def test_the_time_is_kept_and_shown_to_nobody_else(offering):
    user = patient_user()
    offer = offered(offering, user)
    assert (offer.start, offer.end, offer.expires_at) == (at(10), at(10, 30), OVER)
    hold = Hold.objects.get()
    assert (hold.user, hold.place, hold.expires_at) == (user, None, OVER)
    assert at(10) not in starts(offering)
    assert at(10) in starts(offering, user)
    with pytest.raises(SlotHeld):
        book(offering=offering)
    assert problems() == []


def test_whoever_waits_longest_is_asked_first_and_alone(offering):
    later = waits(offering, now=NOW + dt.timedelta(minutes=1))
    first = waits(offering)
    frees(offering)
    now = NOW + dt.timedelta(minutes=2)
    assert asked(now=now) == [first]
    assert asked(now=now) == [first]
    all_told()
    assert asked(now=now + HOUR) == [later]
    all_told()
    assert asked(now=now + 2 * HOUR) == []
    assert list(WaitingOffer.objects.order_by("pk").values_list("answer", flat=True)) == [
        Answer.LAPSED,
        Answer.LAPSED,
    ]
    assert left() == 0
    assert at(10) in starts(offering, now=now + 2 * HOUR)
    assert problems() == []


def test_the_best_match_is_who_wants_that_time(offering):
    other = open_offering()
    waits(offering, parts=[1])
    waits(other)
    waits(offering, practitioner=other.practitioner)
    waits(offering, location=other.location)
    waits(offering, first_day=at(0, days=2).date())
    fits = waits(
        offering, practitioner=offering.practitioner, location=offering.location, parts=[0]
    )
    frees(offering)
    assert asked() == [fits]


def test_a_longer_service_is_offered_where_it_fits(offering):
    long = ServiceOfferingFactory.create(schedule=offering.schedule, duration=60)
    book(offering=offering, start=at(10, 30))
    book(offering=offering, start=at(9, 30))
    entry = waits(long)
    frees(offering)
    assert asked() == []
    frees(offering, start=at(11))
    assert left() == 1
    assert asked() == [entry]
    assert entry.offers.get().start == at(11)


def test_after_an_answer_the_next_is_asked(offering):
    offer = offered(offering)
    after = waits(offering)
    freed.decline(offer=offer, now=NOW)
    freed.decline(offer=offer, now=NOW)
    assert Hold.objects.count() == 0
    assert asked() == [after]
    assert problems() == []


def test_nobody_is_asked_twice_for_one_time(offering):
    offer = offered(offering)
    freed.decline(offer=offer, now=NOW)
    frees(offering)
    assert asked() == []
    frees(offering, start=at(11))
    assert asked() == [offer.entry]


def test_an_account_answers_one_offer_at_a_time(offering):
    """With a day between its two wishes, both for the same times."""
    user = patient_user()
    waits(offering, user, now=NOW - DAY, parts=[0])
    waits(offering, user)
    for start in (at(9), at(10)):
        frees(offering, start=start)
    assert len(asked()) == 1
    assert freed.sweep(now=NOW) == 0
    assert WaitingOffer.objects.count() == 1


def test_what_one_wish_does_not_want_no_other_is_asked(offering):
    user = patient_user()
    waits(offering, user, now=NOW - DAY, parts=[0])
    waits(offering, user)
    frees(offering)
    (entry,) = asked()
    freed.decline(offer=entry.offers.get(), now=NOW)
    assert asked() == []
    assert left() == 0


def test_for_another_child_the_same_time_is_another_question(offering):
    user = patient_user()
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    own = waits(offering, user)
    other = waits(offering, user, patient=child)
    frees(offering)
    assert asked() == [own]
    freed.decline(offer=own.offers.get(), now=NOW)
    assert asked() == [other]


def test_a_time_for_another_child_waits_for_the_answer_for_the_first(offering):
    user = patient_user()
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    own = waits(offering, user, parts=[0])
    other = waits(offering, user, patient=child, parts=[1])
    for start in (at(9), at(15)):
        frees(offering, start=start)
    assert asked() == [own]
    assert (freed.sweep(now=NOW + HOUR / 2), left()) == (0, 2)
    all_told()
    assert asked(now=OVER) == [other]
    assert problems() == []


def test_who_could_not_take_it_is_not_asked(offering):
    Organization.objects.update(most_ahead=1)
    busy, gone, full = patient_user(), patient_user(), patient_user()
    for user in (busy, gone, full):
        waits(offering, user)
    elsewhere = open_offering()
    book(offering=elsewhere, patient=busy.patient_accesses.get().patient, start=at(10))
    book(offering=elsewhere, patient=full.patient_accesses.get().patient, start=at(10, days=9))
    PatientAccess.objects.filter(user=gone).update(ended_at=NOW)
    frees(offering)
    assert asked() == []


def test_what_is_for_known_patients_is_offered_to_them_alone():
    offering = open_offering(booked_online_by="known")
    known, user = patient_user(), patient_user()
    waits(offering, user)
    seen = book(offering=offering, patient=known.patient_accesses.get().patient, start=at(9))
    services.mark_arrived(appointment=seen, by=desk(), now=at(9))
    services.mark_fulfilled(appointment=seen, by=doctor_of(offering), now=at(9))
    entry = waits(offering, known, now=at(9))
    frees(offering, start=at(10, days=3))
    assert asked(now=at(9)) == [entry]


def test_who_cancelled_too_often_there_is_not_asked_to_come_from_elsewhere(offering):
    Organization.current()
    Organization.objects.update(most_cancelled=1)
    user = patient_user()
    patient = user.patient_accesses.get().patient
    gone = book(offering=offering, patient=patient, start=at(12))
    services.cancel(appointment=gone, by=Actor.patient(user), now=NOW)
    colleague = open_offering(service=offering.service)
    later = book(offering=colleague, patient=patient, start=at(10, days=9))
    waits(offering, user, instead_of=later)
    frees(offering)
    assert asked() == []
    Organization.objects.update(most_cancelled=2)
    frees(offering, start=at(11))
    assert len(asked()) == 1


@pytest.mark.parametrize("change", ["closed", "offline"])
def test_what_cannot_be_booked_is_not_offered(offering, change):
    waits(offering)
    frees(offering)
    if change == "closed":
        offering.schedule.hours.all().delete()
    else:
        ServiceOffering.objects.update(booked_online_by="staff")
    assert asked() == []
    assert left() == 0


def test_too_late_to_be_booked_is_too_late_to_be_offered(offering):
    """An hour's notice, and ten minutes to answer."""
    waits(offering)
    frees(offering)
    assert asked(now=at(8, 51)) == []
    assert left() == 0


def test_an_offer_ends_with_the_last_moment_to_book(offering):
    waits(offering)
    frees(offering)
    (entry,) = asked(now=at(8, 30))
    assert entry.offers.get().expires_at == at(9)


def test_where_it_is_night_nothing_holds_up_the_others(offering, monkeypatch):
    """As many rows as one sweep reads wait for the morning in Madrid."""
    far = open_offering(schedule__location__time_zone="Europe/Madrid")
    waits(far)
    entry = waits(offering)
    late = at(19, days=0)  # Eleven in the evening in Madrid.
    monkeypatch.setattr(freed, "BATCH", 2)
    for hour in (9, 10):
        frees(far, start=at(hour) - 4 * HOUR)
    frees(offering, start=at(16))
    assert asked(now=late) == [entry]


def test_what_goes_wrong_holds_up_nothing_either(offering, monkeypatch):
    entry, (first, second) = waits(offering), (at(10), at(12))
    for start in (first, second):
        frees(offering, start=start)
    monkeypatch.setattr(freed, "BATCH", 1)
    look = freed.offer_next
    bad = FreedTime.objects.get(start=first).pk

    def failing(pk, *, now, may_ask):
        if pk == bad:
            raise RuntimeError
        return look(pk, now=now, may_ask=may_ask)

    monkeypatch.setattr(freed, "offer_next", failing)
    assert asked(now=OVER) == []
    assert asked(now=OVER) == [entry]


def test_nobody_is_written_to_at_night(offering):
    waits(offering)
    frees(offering, start=at(16, days=2))
    for now in (at(21, days=0), at(3), at(7, 59)):
        assert asked(now=now) == []
    assert len(asked(now=at(8))) == 1


def test_what_somebody_is_booking_is_offered_if_they_let_it_go(offering):
    entry = waits(offering)
    frees(offering)
    hold = holds.take(offering=offering, start=at(10), user=patient_user(), now=NOW)
    assert asked() == []
    assert left() == 1
    holds.release(hold=hold)
    assert asked() == [entry]


def test_what_was_booked_meanwhile_is_not_offered(offering):
    waits(offering)
    frees(offering)
    book(offering=offering)
    assert asked() == []
    assert left() == 0


def test_a_worker_that_dies_loses_nothing_and_delays_no_other(offering, monkeypatch, caplog):
    first, other = waits(offering), waits(open_offering())
    frees(offering)
    open_ = offers.open_

    def dies(offer):
        if offer.entry == first:
            raise RuntimeError
        return open_(offer)

    monkeypatch.setattr(offers, "open_", dies)
    frees(other.service.offerings.get())
    assert asked() == [other]
    assert "could not be offered" in caplog.text
    assert (Hold.objects.count(), left()) == (1, 2)
    monkeypatch.undo()
    assert set(asked()) == {first, other}
    assert problems() == []


def test_the_clock_calls_the_sweep_by_its_name(offering, time_machine, settings):
    time_machine.move_to(NOW, tick=False)
    waits(offering)
    frees(offering)
    assert tasks.offer_freed_time() == 1
    assert tasks.offer_freed_time() == 0
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert tasks.offer_freed_time.name in scheduled


# --- any service of a specialty --------------------------------------------------------


def test_any_service_of_a_specialty_is_offered_as_what_is_free_there(offering):
    specialty = offering.service.specialty
    entry = waits(offering, specialty=specialty)
    waits(offering, specialty=open_offering().service.specialty)
    other = open_offering(service__specialty=specialty)
    frees(other)
    assert asked() == [entry]
    offer = entry.offers.get()
    assert offer.service == other.service
    made = freed.accept(offer=offer, by=actor(offer), now=NOW)
    assert (made.service, made.start) == (other.service, at(10))
    assert problems() == []


def test_the_service_that_they_may_book_is_offered():
    """The one for known patients stands first, and is not for them."""
    known = open_offering(booked_online_by="known")
    specialty = known.service.specialty
    free = ServiceOfferingFactory.create(
        schedule=known.schedule, service__specialty=specialty, duration=30
    )
    entry = waits(known, specialty=specialty)
    frees(known)
    assert asked() == [entry]
    assert entry.offers.get().service == free.service


def test_with_an_appointment_an_earlier_one_of_the_same_service(offering):
    user, specialty = patient_user(), offering.service.specialty
    entry = waits(offering, user, specialty=specialty)
    visit = booked_by(user, offering, at(10, days=9))
    entry.refresh_from_db()
    assert entry.instead_of == visit
    frees(open_offering(service__specialty=specialty))
    assert asked() == []
    frees(offering)
    assert asked() == [entry]


def test_a_service_and_its_specialty_are_two_wishes(offering):
    user, specialty = patient_user(), offering.service.specialty
    one, any_ = waits(offering, user), waits(offering, user, specialty=specialty)
    assert one != any_
    assert waits(offering, user, specialty=specialty, now=NOW + DAY) == any_
    with translation.override("en"):
        assert any_.what == f"{specialty}: any service"


@pytest.mark.parametrize("both", [True, False])
def test_a_wish_is_for_a_service_or_a_specialty(offering, both):
    specialty = offering.service.specialty
    service = offering.service if both else None
    with pytest.raises(IntegrityError), transaction.atomic():
        waits(offering, service=service, specialty=specialty if both else None)
    assert WaitingListEntry.objects.count() == 0


# --- the answer ------------------------------------------------------------------------


def test_accepting_books_and_ends_the_wish(offering):
    offer = offered(offering)
    made = freed.accept(offer=offer, by=actor(offer), now=NOW)
    assert (made.start, made.patient, made.status) == (at(10), offer.entry.patient, "booked")
    offer.refresh_from_db()
    assert (offer.answer, offer.appointment, offer.is_open) == (Answer.ACCEPTED, made, None)
    assert offer.entry.status == "accepted"
    assert Hold.objects.count() == 0
    assert freed.accept(offer=offer, by=actor(offer), now=NOW) == made
    assert asked() == []
    assert problems() == []


def test_accepting_gives_the_later_appointment_back_to_the_next(offering):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    old = book(offering=offering, patient=patient, start=at(15, days=9))
    offer = offered(offering, user, instead_of=old)
    next_one = waits(offering)
    made = freed.accept(offer=offer, by=actor(offer), now=NOW)
    old.refresh_from_db()
    assert (old.status, made.rescheduled_from) == ("cancelled", old)
    assert made.calendar_name == old.calendar_name
    assert asked() == [next_one]
    assert next_one.offers.get().start == at(15, days=9)
    assert problems() == []


def test_only_an_earlier_time_replaces_an_appointment(offering):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    old = book(offering=offering, patient=patient, start=at(10, days=1))
    waits(offering, user, instead_of=old)
    frees(offering, start=at(11, days=1))
    assert asked() == []
    frees(offering, start=at(9, 30, days=1))
    assert len(asked()) == 1


def test_what_begins_where_the_freed_time_does_comes_first():
    offering = open_offering(schedule__slot_step=15)
    long = ServiceOfferingFactory.create(schedule=offering.schedule, duration=60)
    entry = waits(long)
    frees(offering, start=at(10))
    assert asked() == [entry]
    assert entry.offers.get().start == at(10)


def test_a_wish_follows_the_appointment(offering):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    old = book(offering=offering, patient=patient, start=at(10, days=9))
    entry = waits(offering, user, instead_of=old)
    moved = services.reschedule(
        appointment=old, offering=offering, start=at(10, days=8), by=desk(), now=NOW
    )
    entry.refresh_from_db()
    assert entry.instead_of == moved


def test_after_the_clinic_has_cancelled_the_wish_goes_on(offering):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    old = book(offering=offering, patient=patient, start=at(10, days=9))
    entry = waits(offering, user, instead_of=old)
    services.cancel(appointment=old, by=desk(), reason="x", now=NOW)
    frees(offering)
    assert asked() == [entry]
    offer = entry.offers.get()
    made = freed.accept(offer=offer, by=actor(offer), now=NOW)
    assert (made.rescheduled_from, made.start) == (None, at(10))
    assert problems() == []


def booked_by(user, offering, start):
    return book(
        offering=offering,
        patient=user.patient_accesses.get().patient,
        start=start,
        by=Actor.patient(user),
    )


def test_whoever_books_by_themself_waits_for_an_earlier_time(offering):
    user = patient_user()
    entry = waits(offering, user)
    visit = booked_by(user, offering, at(10, days=9))
    frees(offering, start=at(10, days=10))
    assert asked() == []
    frees(offering)
    assert asked() == [entry]
    made = freed.accept(offer=entry.offers.get(), by=Actor.patient(user), now=NOW)
    assert made.rescheduled_from == visit
    assert list(Appointment.objects.occupying().filter(patient=entry.patient)) == [made]
    assert problems() == []


def test_booking_while_an_offer_is_open_makes_it_a_move(offering):
    user = patient_user()
    offer = offered(offering, user)
    visit = booked_by(user, offering, at(10, days=9))
    made = freed.accept(offer=offer, by=Actor.patient(user), now=NOW)
    assert made.rescheduled_from == visit
    assert Appointment.objects.occupying().filter(patient=offer.entry.patient).count() == 1


@pytest.mark.parametrize("by_specialty", [False, True])
def test_whoever_has_an_appointment_already_waits_for_an_earlier_one(offering, by_specialty):
    """What is later than it would be no improvement."""
    user = patient_user()
    visit = booked_by(user, offering, at(10, days=9))
    wish = {"specialty": offering.service.specialty} if by_specialty else {}
    entry = waits(offering, user, **wish)
    assert (entry.instead_of, entry.last_day) == (visit, visit.local_date)
    frees(offering, start=at(11, days=9))
    assert asked() == []
    frees(offering)
    assert asked() == [entry]
    freed.accept(offer=entry.offers.get(), by=Actor.patient(user), now=NOW)
    assert Appointment.objects.occupying().filter(patient=entry.patient).count() == 1


def test_the_same_wish_after_booking_is_the_same_entry(offering):
    user = patient_user()
    entry = waits(offering, user)
    booked_by(user, offering, at(10, days=9))
    assert waits(offering, user) == entry


def test_a_visit_outside_the_days_or_one_of_several_is_not_meant(offering):
    user = patient_user()
    booked_by(user, offering, at(10, days=9))
    for first, last in ((1, 8), (10, 20)):
        days = {"first_day": at(0, days=first).date(), "last_day": at(0, days=last).date()}
        assert waits(offering, user, **days).instead_of is None
    booked_by(user, offering, at(10, days=5))
    assert waits(offering, user, parts=[2]).instead_of is None


def test_what_can_no_longer_be_moved_is_not_meant(offering):
    user = patient_user()
    booked_by(user, offering, at(10))
    assert waits(offering, user, now=at(9)).instead_of is None


def test_booking_something_else_changes_no_wish(offering):
    user, other = patient_user(), patient_user()
    entry = waits(offering, user, first_day=at(0, days=5).date())
    booked_by(user, open_offering(), at(10, days=9))
    booked_by(other, offering, at(12, days=9))
    booked_by(user, offering, at(10, days=4))
    entry.refresh_from_db()
    assert entry.instead_of is None


def test_without_what_was_booked_any_time_will_do_again(offering):
    user = patient_user()
    entry = waits(offering, user)
    first = booked_by(user, offering, at(10, days=9))
    services.cancel(appointment=first, by=desk(), reason="x", now=NOW)
    frees(offering, start=at(10, days=12))
    assert asked() == [entry]
    freed.decline(offer=entry.offers.get(), now=NOW)
    second = booked_by(user, offering, at(11, days=9))
    entry.refresh_from_db()
    assert entry.instead_of == second


def test_a_wish_ends_with_the_appointment_it_was_to_replace(offering):
    user = patient_user()
    entry = waits(offering, user)
    visit = booked_by(user, offering, at(10))
    freed.sweep(now=visit.start - dt.timedelta(minutes=1))
    assert WaitingListEntry.objects.live().get() == entry
    freed.sweep(now=visit.start)
    assert not WaitingListEntry.objects.live().exists()


def test_undoing_a_cancellation_goes_before_the_offer(offering):
    waits(offering)
    visit = frees(offering)
    (entry,) = asked()
    steps.undo_step(appointment=visit, by=desk(), now=NOW)
    offer = entry.offers.get()
    assert (offer.is_open, offer.answer) == (None, Answer.WITHDRAWN)
    assert asked() == []
    assert left() == 0
    assert problems() == []


def test_a_patients_own_cancelling_ends_the_wish(offering):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    old = book(offering=offering, patient=patient, start=at(10, days=9))
    entry = waits(offering, user, instead_of=old)
    services.cancel(appointment=old, by=Actor.patient(user), now=NOW)
    entry.refresh_from_db()
    assert entry.status == "ended"


def test_nobody_else_accepts(offering):
    offer = offered(offering)
    with pytest.raises(MoveNotAllowed):
        freed.accept(offer=offer, by=Actor.patient(patient_user()), now=NOW)
    assert problems() == []


def test_a_lapsed_offer_cannot_be_accepted_nor_declined(offering):
    offer = offered(offering)
    with pytest.raises(OfferOver):
        freed.accept(offer=offer, by=actor(offer), now=OVER)
    with pytest.raises(OfferOver):
        freed.decline(offer=offer, now=OVER)
    freed.sweep(now=OVER)
    offer.refresh_from_db()
    assert offer.answer == Answer.LAPSED


def test_what_cannot_be_booked_any_more_leaves_all_as_it_was(offering):
    user = patient_user()
    old = book(offering=offering, patient=user.patient_accesses.get().patient, start=at(10, days=9))
    offer = offered(offering, user, instead_of=old)
    WaitingOffer.objects.update(expires_at=at(12, days=9))
    with pytest.raises(TooLateToMove):
        freed.accept(offer=offer, by=actor(offer), now=at(9, days=9))
    offer.refresh_from_db()
    old.refresh_from_db()
    assert (offer.is_open, offer.answer, old.status) == (True, "", "booked")
    assert Hold.objects.filter(offer=offer).exists()


def test_a_wish_that_has_ended_takes_no_offer(offering):
    """Also when the offer was made at the moment in which the wish ended."""
    offer = offered(offering)
    WaitingListEntry.objects.filter(pk=offer.entry_id).update(status="ended")
    with pytest.raises(OfferOver):
        freed.accept(offer=offer, by=actor(offer), now=NOW)
    assert Appointment.objects.occupying().count() == 0


def test_ending_a_wish_declines_what_is_offered(offering):
    offer = offered(offering)
    waiting.end(entry=offer.entry, now=NOW)
    offer.refresh_from_db()
    assert (offer.answer, offer.entry.status) == (Answer.DECLINED, "ended")
    assert asked() == []
    assert problems() == []


# --- holds of offers -------------------------------------------------------------------


def test_an_offer_takes_none_of_the_two_places(offering):
    user = patient_user()
    offered(offering, user)
    for hour in (12, 14):
        holds.take(offering=offering, start=at(hour), user=user, now=NOW)
    assert Hold.objects.count() == 3


def test_booking_it_another_way_withdraws_the_offer(offering):
    user = patient_user()
    offer = offered(offering, user)
    by = Actor.patient(user)
    book(offering=offering, patient=user.patient_accesses.get().patient, by=by)
    offer.refresh_from_db()
    assert (offer.is_open, offer.answer) == (None, Answer.WITHDRAWN)
    assert problems() == []


def test_whoever_takes_the_time_of_an_offer_that_is_over_ends_it(offering):
    offer = offered(offering)
    book(offering=offering, now=OVER)
    offer.refresh_from_db()
    assert (offer.is_open, offer.answer) == (None, Answer.LAPSED)
    assert problems() == []


def test_housekeeping_leaves_the_holds_of_offers_to_the_offers(offering):
    offered(offering)
    assert holds.sweep(now=OVER) == 0
    all_told()
    freed.sweep(now=OVER)
    assert Hold.objects.count() == 0
    assert problems() == []


def test_letting_go_of_the_hold_ends_the_offer(offering):
    offer = offered(offering)
    assert holds.release(hold=Hold.objects.get()) is True
    offer.refresh_from_db()
    assert offer.is_open is None
    assert problems() == []


def test_wishes_whose_days_are_over_end(offering):
    entry = waits(offering, last_day=at(0, days=2).date())
    freed.sweep(now=at(12, days=3))
    assert WaitingListEntry.objects.get().status == "waiting"
    freed.sweep(now=at(12, days=4))
    entry.refresh_from_db()
    assert entry.status == "ended"


# --- check_integrity -------------------------------------------------------------------


def of_offers() -> list[str]:
    """Its message may have become untrue as well."""
    return [problem for problem in problems() if problem.startswith("offers")]


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda offer: Hold.objects.all().delete(), "is open, and nothing keeps its time"),
        (
            lambda offer: models.QuerySet(Hold).update(user=patient_user()),
            "is kept for another account",
        ),
        (
            lambda offer: models.QuerySet(Hold).update(expires_at=OVER + HOUR),
            "its hold keeps another time",
        ),
        (
            lambda offer: WaitingOffer.objects.update(is_open=None, answer="declined"),
            "is over, and its time is still kept",
        ),
        (
            lambda offer: WaitingOffer.objects.update(answer="declined"),
            "open is True, answer declined",
        ),
    ],
)
def test_a_broken_promise_is_found(offering, broken, what):
    offer = offered(offering)
    assert problems() == []
    broken(offer)
    assert of_offers() == [f"offers are kept: offer {offer.pk}: {what}"]


def test_a_hold_for_no_offer_is_found(offering):
    offered(offering)
    hold = Hold.objects.get()
    WaitingOffer.objects.update(hold=None, is_open=None, answer="declined")
    assert of_offers() == [f"offers are kept: hold {hold.pk}: keeps time for no offer"]
