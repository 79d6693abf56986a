"""What a change of the rules opens is offered to those who wait, and nothing that was open."""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest

from accounts.models import Coverage, User
from accounts.tests.factories import patient_user
from appointments import freed, opened
from appointments.blocking import Block, block_time, change_week, unblock_time
from appointments.changes import Change, Reach
from appointments.models import FreedTime, WaitingListEntry, WaitingOffer
from appointments.tests.factories import NOW, ZONE, at
from appointments.tests.practice import account_of, admin_page, browser, doctor_of, new_practice
from appointments.tests.race import problems
from appointments.tests.waiting import frees, left, waits
from appointments.undo import undo
from clinic.models import Closure, Organization
from clinic.tests.factories import InsurerFactory
from scheduling.models import DateOverride, ServiceOffering, TimeOff
from scheduling.services import set_offering, set_overrides
from scheduling.weeks import Hours

pytestmark = [pytest.mark.django_db, pytest.mark.once]

STANDS = NOW + dt.timedelta(minutes=10)


@pytest.fixture
def offering() -> ServiceOffering:
    """Every day from nine to five."""
    Organization.current()
    return new_practice()


def change(offering: ServiceOffering, write: partial[None]) -> None:
    by = doctor_of(offering)
    Change(Reach.of(offering.practitioner), partial(write, by=by), by).make(now=NOW)


def spans() -> list[tuple[str, ...]]:
    """On the clock there: from when to when."""
    rows = FreedTime.objects.order_by("start")
    return [tuple(f"{t.astimezone(ZONE):%d/%m %H:%M}" for t in (r.start, r.end)) for r in rows]


def asked(*, now: dt.datetime = STANDS) -> list[tuple[WaitingListEntry, dt.datetime]]:
    freed.sweep(now=now)
    live = WaitingOffer.objects.filter(is_open=True, expires_at__gt=now).order_by("pk")
    return [(offer.entry, offer.start) for offer in live.select_related("entry")]


def longer_day(offering: ServiceOffering) -> None:
    """Tomorrow until seven in the evening."""
    hours = [(dt.time(9), dt.time(19))]
    write = partial(
        set_overrides,
        schedule=offering.schedule,
        dates=[at(0).date()],
        kind=DateOverride.Kind.INSTEAD,
        spans=hours,
    )
    change(offering, write)


def test_a_longer_day_is_offered_once_it_stands(offering):
    entry = waits(offering)
    longer_day(offering)
    assert spans() == [("24/11 17:00", "24/11 19:00")]
    assert asked(now=NOW) == []
    assert asked() == [(entry, at(17))]
    assert problems() == []


def test_for_whoever_waits_for_any_service_of_the_specialty(offering):
    entry = waits(offering, specialty=offering.service.specialty)
    longer_day(offering)
    assert spans() == [("24/11 17:00", "24/11 19:00")]
    assert asked() == [(entry, at(17))]


def test_one_at_a_time_and_then_the_next(offering):
    entries = [waits(offering) for _n in range(3)]
    longer_day(offering)
    assert asked() == [(entries[0], at(17))]
    freed.decline(offer=entries[0].offers.get(), now=STANDS)
    assert asked() == [(entries[1], at(17))]


def test_a_shift_of_the_week_as_far_as_somebody_waits(offering):
    waits(offering, last_day=at(0, days=15).date())
    hours = [Hours(day, dt.time(9), dt.time(17)) for day in range(7)]
    hours.append(Hours(1, dt.time(18), dt.time(20)))
    change_week(schedule=offering.schedule, hours=hours, by=doctor_of(offering), now=NOW)
    assert spans() == [
        ("24/11 18:00", "24/11 20:00"),
        ("01/12 18:00", "01/12 20:00"),
        ("08/12 18:00", "08/12 20:00"),
    ]


def test_time_off_that_is_taken_back(offering):
    entry = waits(offering)
    block = Block(starts_at=at(9), ends_at=at(12))
    block_time(practitioner=offering.practitioner, blocks=[block], by=doctor_of(offering), now=NOW)
    assert spans() == []
    unblock_time(time_off=TimeOff.objects.get(), by=doctor_of(offering), now=STANDS)
    assert spans() == [("24/11 09:00", "24/11 12:00")]
    assert asked() == [(entry, at(9))]


@pytest.mark.usefixtures("this_morning")
@pytest.mark.parametrize("kind", ["closure", "timeoff"])
def test_time_that_the_administration_opens_again(offering, admin, kind):
    """Only what was closed by it, at once: opening cannot be undone."""
    entry = waits(offering)
    day = at(0).date()
    row = (
        Closure.objects.create(first_day=day, last_day=day, name="Feriado")
        if kind == "closure"
        else TimeOff.objects.create(
            practitioner=offering.practitioner, starts_at=at(0), ends_at=at(0, days=2)
        )
    )
    TimeOff.objects.create(
        practitioner=offering.practitioner, starts_at=at(12), ends_at=at(0, days=2)
    )
    page = admin_page(row).removesuffix("change/") + "delete/"
    assert admin.get(page).status_code == 200
    assert spans() == []
    assert admin.post(page, {"post": "yes"}).status_code == 302
    assert spans() == [("24/11 09:00", "24/11 12:00")]
    assert asked(now=NOW) == [(entry, at(9))]
    assert problems() == []


@pytest.mark.usefixtures("this_morning")
def test_nobody_else_opens_time_in_the_administration(offering):
    waits(offering)
    day = at(0).date()
    row = Closure.objects.create(first_day=day, last_day=day, name="Feriado")
    page = admin_page(row).removesuffix("change/") + "delete/"
    for user in (patient_user(), account_of(offering)):
        assert browser(user).post(page, {"post": "yes"}).status_code in {302, 403}
    assert Closure.objects.exists()
    assert spans() == []


def test_a_service_that_can_be_booked_online_from_now_on(offering):
    entry = waits(offering)
    other = new_practice(service=offering.service, booked_online_by="staff")
    other.booked_online_by = ""
    change(other, partial(set_offering, offering=other))
    assert FreedTime.objects.filter(practitioner=other.practitioner).count() == left()
    assert asked()[0][0] == entry


def test_nobody_waits_and_nothing_is_noted(offering, django_assert_num_queries):
    waits(new_practice())
    longer_day(offering)
    assert spans() == []
    WaitingListEntry.objects.update(status=WaitingListEntry.Status.ENDED)
    with django_assert_num_queries(1):
        assert opened.look([offering.practitioner.pk], now=NOW) == {}


def test_what_is_undone_is_offered_to_nobody(offering):
    waits(offering)
    hours = [Hours(day, dt.time(9), dt.time(19)) for day in range(7)]
    by = doctor_of(offering)
    made = change_week(schedule=offering.schedule, hours=hours, by=by, now=NOW)
    assert made.change
    undo(change=made.change, by=by, now=NOW)
    assert asked() == []
    assert left() == 0


def test_who_opens_a_year_opens_no_flood(offering, monkeypatch):
    monkeypatch.setattr(opened, "MOST", 5)
    waits(offering)
    hours = [Hours(day, dt.time(9), dt.time(19)) for day in range(7)]
    change_week(schedule=offering.schedule, hours=hours, by=doctor_of(offering), now=NOW)
    assert len(spans()) == 5
    assert spans()[0] == ("23/11 17:00", "23/11 19:00")


# --- who pays --------------------------------------------------------------------------


def insured(user: User) -> User:
    insurer = InsurerFactory.create()
    Coverage.objects.create(patient=user.patient_accesses.get().patient, insurer=insurer)
    return user


def test_a_practitioner_who_does_not_take_the_coverage_is_not_offered(offering):
    waits(offering, insured(patient_user()))
    uninsured = waits(offering)
    frees(offering)
    assert [entry for entry, _start in asked(now=NOW)] == [uninsured]


def test_one_who_takes_it_is(offering):
    user = insured(patient_user())
    offering.practitioner.insurers.set(Coverage.objects.values_list("insurer", flat=True))
    entry = waits(offering, user)
    frees(offering)
    assert asked(now=NOW) == [(entry, at(10))]


def test_who_named_them_knows_that_they_would_pay(offering):
    entry = waits(offering, insured(patient_user()), practitioner=offering.practitioner)
    frees(offering)
    assert asked(now=NOW) == [(entry, at(10))]
