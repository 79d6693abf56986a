"""A time kept for whoever fills in the form: for whom, how long, against whom."""

import datetime as dt
from collections import Counter

import pytest
from django.db import IntegrityError, models, transaction

from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory, UserFactory, patient_user
from appointments import availability, explain, holds, imports, integrity, services, store, tasks
from appointments.exceptions import MoveNotAllowed, SlotClosed, SlotHeld, SlotTaken
from appointments.models import Appointment, Hold, OccupancyCell, Resource
from appointments.tests.factories import NOW, at, book, desk
from appointments.transitions import Verb
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_offering

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
OVER = NOW + 10 * MINUTE


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering()


@pytest.fixture
def user():
    return patient_user()


def keep(user, offering, start=None, now=NOW) -> Hold:
    return holds.take(offering=offering, start=start or at(10), user=user, now=now)


def shown(offering, *, holder=None, now=NOW) -> set[dt.datetime]:
    found = availability.free_slots(
        list(ServiceOffering.objects.online().with_parts().filter(pk=offering.pk)),
        start=at(9),
        end=at(12),
        now=now,
        holder=holder,
    )
    return {slot.start for slot in found}


def press(user, offering, start=None, now=NOW) -> Appointment:
    patient = user.patient_accesses.get().patient
    return book(
        offering=offering, patient=patient, start=start or at(10), by=Actor.patient(user), now=now
    )


def test_it_keeps_the_time_with_its_buffers_for_ten_minutes(user):
    offering = open_offering(buffer_before=5, buffer_after=10)
    hold = keep(user, offering)
    assert (hold.start, hold.end) == (at(10), at(10, 30))
    assert hold.expires_at == OVER
    cells = OccupancyCell.objects.filter(hold=hold, appointment=None).order_by("cell")
    first = int(at(9, 55).timestamp()) // 300
    assert [(c.resource, c.resource_id, c.cell) for c in cells] == [
        (Resource.PRACTITIONER, offering.practitioner.pk, first + n) for n in range(9)
    ]


def test_how_long_is_set_at_the_clinic(user, offering):
    Organization.objects.update_or_create(pk=1, defaults={"hold_minutes": 3})
    assert keep(user, offering).expires_at == NOW + 3 * MINUTE


def test_it_does_not_outlast_the_start(user):
    Organization.objects.update_or_create(pk=1, defaults={"min_notice_minutes": 0})
    start = NOW + 5 * MINUTE
    offering = open_offering(schedule__slot_step=5, start=dt.time(8))
    assert keep(user, offering, start).expires_at == start


def test_others_do_not_see_it_and_its_owner_does(user, offering):
    before = shown(offering)
    assert at(10) in before
    keep(user, offering)
    assert shown(offering) == before - {at(10)}
    assert shown(offering, holder=patient_user()) == before - {at(10)}
    assert shown(offering, holder=user) == before


def test_it_reappears_by_the_clock_alone(user, offering):
    keep(user, offering)
    assert at(10) not in shown(offering, now=OVER - MINUTE)
    assert at(10) in shown(offering, now=OVER)
    assert Hold.objects.count() == 1


def test_at_another_location_the_way_there_is_kept_too(user, offering):
    elsewhere = ServiceOfferingFactory.create(
        schedule=ScheduleFactory.create(practitioner=offering.practitioner),
        service=offering.service,
    )
    Hold.objects.create(
        user=user,
        practitioner=offering.practitioner,
        service=offering.service,
        location=elsewhere.location,
        start=at(10),
        end=at(10, 30),
        expires_at=OVER,
        created_at=NOW,
    )
    gone = {at(9, 30), at(10), at(10, 30)}
    assert shown(offering) & gone == set()
    assert gone <= shown(offering, holder=user)


@pytest.mark.parametrize("by", ["patient", "desk"])
def test_another_is_refused_while_it_is_live_and_books_when_it_is_over(user, offering, by):
    keep(user, offering)
    other = patient_user()
    wish = {
        "offering": offering,
        "patient": other.patient_accesses.get().patient,
        "by": Actor.patient(other) if by == "patient" else desk(),
    }
    with pytest.raises(SlotHeld):
        book(**wish, now=OVER - MINUTE)
    made = book(**wish, now=OVER)
    assert Hold.objects.count() == 0
    assert OccupancyCell.objects.filter(hold__isnull=False).count() == 0
    assert OccupancyCell.objects.filter(appointment=made).count() == 12


def test_the_owner_books_it_and_the_hold_is_gone(user, offering):
    keep(user, offering)
    press(user, offering)
    assert Hold.objects.count() == 0
    assert list(integrity.breaches(Counter())) == []


def test_the_owner_books_after_its_end_if_nobody_else_did(user, offering):
    keep(user, offering)
    assert press(user, offering, now=OVER + MINUTE).status == "booked"


def test_asking_again_makes_it_no_longer(user, offering):
    first = keep(user, offering)
    again = keep(user, offering, now=NOW + 9 * MINUTE)
    assert (again.pk, again.expires_at) == (first.pk, OVER)


def test_a_third_one_lets_the_oldest_go(user, offering):
    for n, hour in enumerate((9, 10, 11)):
        keep(user, offering, at(hour), now=NOW + n * MINUTE)
    assert {hold.start for hold in Hold.objects.all()} == {at(10), at(11)}
    assert at(9) in shown(offering)


def test_one_that_is_over_takes_no_place(user, offering):
    keep(user, offering, at(9))
    keep(user, offering, at(10), now=NOW + 5 * MINUTE)
    keep(user, offering, at(11), now=OVER)
    assert {hold.start for hold in Hold.objects.all()} == {at(10), at(11)}


def test_the_key_lets_no_account_have_one_place_twice(user, offering):
    hold = keep(user, offering)
    hold.pk = None
    with transaction.atomic(), pytest.raises(IntegrityError):
        hold.save(force_insert=True)


def test_the_own_hold_makes_way_for_one_that_overlaps(user):
    offering = open_offering(schedule__slot_step=15)
    keep(user, offering, at(10))
    keep(user, offering, at(10, 15), now=NOW + MINUTE)
    assert {hold.start for hold in Hold.objects.all()} == {at(10, 15)}


def test_what_is_taken_held_or_closed_cannot_be_held(user, offering):
    keep(patient_user(), offering, at(9))
    book(offering=offering, start=at(10))
    for start, refusal in ((at(9), SlotHeld), (at(10), SlotTaken), (at(3), SlotClosed)):
        with pytest.raises(refusal) as caught:
            keep(user, offering, start)
        assert type(caught.value) is refusal
    assert Hold.objects.filter(user=user).count() == 0


def test_an_account_without_a_patient_holds_nothing(offering):
    with pytest.raises(MoveNotAllowed):
        keep(UserFactory.create(), offering)


def test_a_cell_has_exactly_one_taker(user, offering):
    hold, visit = keep(user, offering), book(start=at(10))
    for takers in ({"hold": hold, "appointment": visit}, {}):
        cell = OccupancyCell(resource=1, resource_id=999, cell=1, **takers)
        with transaction.atomic(), pytest.raises(IntegrityError):
            models.QuerySet(OccupancyCell).bulk_create([cell])


def test_a_move_takes_the_time_that_its_patient_holds(user, offering):
    visit = press(user, offering, at(9, days=3))
    keep(user, offering, at(11, days=3))
    moved = services.reschedule(
        appointment=visit,
        offering=offering,
        start=at(11, days=3),
        by=Actor.patient(user),
        now=NOW,
    )
    assert (moved.start, Hold.objects.count()) == (at(11, days=3), 0)


def test_nobody_moves_to_a_time_that_another_holds(user, offering):
    visit = press(user, offering, at(9, days=3))
    keep(patient_user(), offering, at(11, days=3))
    with pytest.raises(SlotHeld):
        services.reschedule(
            appointment=visit,
            offering=offering,
            start=at(11, days=3),
            by=Actor.patient(user),
            now=NOW,
        )
    visit.refresh_from_db()
    assert visit.status == "booked"


def test_what_is_brought_back_goes_before_what_is_being_booked(user, offering):
    """Undoing a change of hours: the appointment stood there first."""
    visit = book(offering=offering)
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    keep(user, offering)
    visit.refresh_from_db()
    store.change(visit, verb=Verb.RESTORE, by=desk(), now=NOW, status="booked")
    assert Hold.objects.count() == 0
    assert OccupancyCell.objects.filter(appointment=visit).count() == 12


def test_an_import_goes_before_it_too(user, offering):
    hold = keep(user, offering)
    far = keep(user, offering, at(11))
    row = imports.Row(
        patient=patient_user().patient_accesses.get().patient,
        practitioner=offering.practitioner,
        service=offering.service,
        location=offering.location,
        start=at(10),
        end=at(10, 30),
        steps=[imports.Step(Verb.BOOK, NOW, desk())],
    )
    imports.import_appointments([row], by=Actor.system(), now=NOW, tell=False)
    assert not Hold.objects.filter(pk=hold.pk).exists()
    assert Hold.objects.filter(pk=far.pk).exists()


def test_letting_go_frees_the_time_at_once(user, offering):
    hold = keep(user, offering)
    assert holds.release(hold=hold) is True
    assert holds.release(hold=hold) is False
    assert at(10) in shown(offering)
    assert OccupancyCell.objects.count() == 0


def test_the_sweep_removes_what_is_over_and_nothing_else(offering, time_machine):
    keep(patient_user(), offering, at(9))
    live = keep(patient_user(), offering, at(10), now=NOW + 5 * MINUTE)
    time_machine.move_to(OVER, tick=False)
    assert tasks.forget_ended_holds() == 1
    assert Hold.objects.get() == live
    assert tasks.forget_ended_holds() == 0


def test_integrity_knows_what_a_hold_takes(user, offering):
    hold = keep(user, offering)
    counts: Counter[str] = Counter()
    assert list(integrity.held(counts)) == []
    assert counts["holds"] == 1
    cells: models.QuerySet = models.QuerySet(OccupancyCell).filter(hold=hold)
    cells.filter(pk=cells.earliest("cell").pk).delete()
    assert [str(b) for b in integrity.held(Counter())] == [
        f"cells are true: hold {hold.pk}: lacks cells: 1 of the practitioner"
    ]


def test_the_practice_is_told_why_the_time_is_not_offered(user, offering):
    keep(user, offering)
    day = at(10).date()
    verdicts = {v.start: v.code for v in explain.explain(offering, day=day, now=NOW)}
    assert verdicts[at(10)] == explain.Code.HELD
    assert verdicts[at(10, 30)] == explain.Code.OFFERED
    later = {v.start: v.code for v in explain.explain(offering, day=day, now=OVER)}
    assert later[at(10)] == explain.Code.OFFERED


def test_a_family_of_accounts_is_not_one(user, offering):
    """Another account of the same patient is another account: it did not choose the time."""
    keep(user, offering)
    other = UserFactory.create()
    patient = user.patient_accesses.get().patient
    PatientAccessFactory.create(user=other, patient=patient)
    with pytest.raises(SlotHeld):
        book(offering=offering, patient=patient, by=Actor.patient(other), start=at(10))
