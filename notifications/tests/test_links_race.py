"""A link pressed at the same moment as something else: one allowed end, nothing twice."""

import functools

import pytest

from appointments import services
from appointments.exceptions import MoveNotAllowed
from appointments.models import Appointment, AppointmentEvent
from appointments.tests.factories import NOW, at, desk
from appointments.tests.race import duels, problems, rounds
from appointments.transitions import Status
from clinic.models import Organization
from notifications import links
from notifications.links import Purpose, Standing
from notifications.models import Kind, Notification
from notifications.selectors import Recipient
from notifications.tests.factories import booked, family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def visits():
    Organization.objects.update_or_create(pk=1, defaults={"most_ahead": 0, "horizon_days": 200})
    user, patient = family()
    offering = open_offering()
    start = lambda n: at(9 + n % 8, days=2 + n // 8)  # noqa: E731
    made = [
        booked(user=user, patient=patient, offering=offering, start=start(n), same_day_ok=True)
        for n in range(rounds())
    ]
    return user, made


def press(purpose, visit, user):
    token = links.address(purpose, visit, Recipient.account(user)).split("/")[-2]

    def deed():
        found = links.read(purpose, token)
        assert found is not None
        return links.follow(found, NOW)

    return deed


def of_visit(visit):
    return list(
        AppointmentEvent.objects.filter(appointment=visit)
        .exclude(verb="book")
        .values_list("verb", flat=True)
    )


@pytest.mark.parametrize("purpose", [Purpose.COME, Purpose.CANCEL])
def test_a_double_click_is_one(visits, purpose):
    user, made = visits
    results = duels([(press(purpose, v, user), press(purpose, v, user)) for v in made])
    assert {r for pair in results for r in pair} == {Standing.DONE}
    assert all(len(of_visit(visit)) == 1 for visit in made)
    told = Notification.objects.filter(kind=Kind.CANCELLED).count()
    assert told == (len(made) if purpose == Purpose.CANCEL else 0)
    assert problems() == []


def test_coming_meets_the_clinics_cancelling(visits):
    user, made = visits
    cancel = functools.partial(services.cancel, by=desk(), reason="x", now=NOW)
    results = duels(
        [(press(Purpose.COME, v, user), functools.partial(cancel, appointment=v)) for v in made]
    )
    for visit, (said, gone) in zip(made, results, strict=True):
        assert said in {Standing.DONE, Standing.CANCELLED}
        assert isinstance(gone, Appointment)
        assert of_visit(visit)[-1] == "cancel"
    assert set(Appointment.objects.values_list("status", flat=True)) == {Status.CANCELLED}
    assert problems() == []


def test_cancelling_meets_the_clinics_move(visits):
    user, made = visits
    offering = made[0].practitioner.schedules.get().offerings.get()
    move = functools.partial(services.reschedule, offering=offering, by=desk(), now=NOW)
    results = duels(
        [
            (
                press(Purpose.CANCEL, v, user),
                functools.partial(move, appointment=v, start=at(9 + n % 8, days=90 + n // 8)),
            )
            for n, v in enumerate(made)
        ]
    )
    for said, moved in results:
        if isinstance(moved, Appointment):
            assert said == Standing.MOVED
        else:
            assert isinstance(moved, MoveNotAllowed)
            assert said == Standing.DONE
    assert problems() == []


def test_two_who_answer_a_request_at_once():
    Organization.objects.update_or_create(pk=1, defaults={"most_ahead": 0, "horizon_days": 120})
    made = [booked(asks=True, days=3 + n) for n in range(min(rounds(), 10))]
    by_mail = [press(Purpose.CONFIRM, v, v.practitioner.user) for v in made]
    confirm = functools.partial(services.confirm, now=NOW)
    at_desk = [functools.partial(confirm, appointment=v, by=desk()) for v in made]
    for said, _answer in duels(list(zip(by_mail, at_desk, strict=True))):
        assert said == Standing.DONE
    assert all(of_visit(visit) == ["confirm"] for visit in made)
    assert problems() == []
