"""How much a patient books online before the clinic wants to hear from them."""

import datetime as dt

import pytest

from accounts.roles import Actor
from accounts.tests.factories import patient_user
from appointments import limits, services
from appointments.exceptions import TooManyAhead, TooManyCancelled
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from clinic.models import Organization
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def user():
    return patient_user()


@pytest.fixture
def offering() -> ServiceOffering:
    return open_offering()


def limit(**fields: int) -> None:
    Organization.objects.update_or_create(pk=1, defaults=fields)


def press(user, offering, *, days=1, now=NOW, **more) -> Appointment:
    patient = user.patient_accesses.get().patient
    return book(
        offering=offering,
        patient=patient,
        start=more.pop("start", at(10, days=days)),
        by=more.pop("by", Actor.patient(user)),
        now=now,
        **more,
    )


def test_ten_ahead_unless_the_clinic_says_otherwise(user, offering):
    for days in range(1, 11):
        press(user, offering, days=days)
    with pytest.raises(TooManyAhead) as caught:
        press(user, offering, days=11)
    assert str(caught.value) == (
        "Este paciente ya tiene 10 turnos por venir, el máximo que se puede reservar por internet."
        " Para pedir otro hay que llamar a la clínica."
    )


def test_only_what_is_ahead_and_stands_counts(user, offering):
    limit(most_ahead=2)
    past = press(user, offering, days=1)
    gone = press(user, offering, days=4)
    services.cancel(appointment=gone, by=desk(), reason="x", now=NOW)
    now = past.end
    press(user, offering, days=5, now=now)
    press(user, offering, days=6, now=now)
    with pytest.raises(TooManyAhead):
        press(user, offering, days=7, now=now)


def test_each_patient_and_staff_apart(user, offering):
    limit(most_ahead=1)
    press(user, offering, days=1)
    press(patient_user(), offering, days=2)
    press(user, offering, days=3, by=desk())
    assert Appointment.objects.count() == 3


def test_a_move_is_not_one_more(user, offering):
    limit(most_ahead=1, most_cancelled=1)
    visit = press(user, offering, days=3)
    for days in (4, 5):
        visit = services.reschedule(
            appointment=visit,
            offering=offering,
            start=at(10, days=days),
            by=Actor.patient(user),
            now=NOW,
        )
    assert visit.start == at(10, days=5)


def cycle(user, offering, *, days: int, by: Actor | None = None, now=NOW) -> None:
    """Book and give it up again."""
    visit = press(user, offering, days=days, now=now)
    services.cancel(appointment=visit, by=by or Actor.patient(user), reason="x", now=now)


def test_after_some_cancelled_with_one_practitioner_the_clinic_is_asked(user, offering):
    limit(most_cancelled=2, most_cancelled_days=30)
    cycle(user, offering, days=3)
    cycle(user, offering, days=4)
    with pytest.raises(TooManyCancelled) as caught:
        press(user, offering, days=5)
    assert str(offering.practitioner) in str(caught.value)
    # With others, by the desk, for others and a month later it goes on.
    press(user, open_offering(), days=6)
    press(user, offering, days=7, by=desk())
    press(patient_user(), offering, days=8)
    press(user, offering, days=40, now=NOW + 30 * DAY)


def test_what_the_clinic_cancels_does_not_count(user, offering):
    limit(most_cancelled=1)
    cycle(user, offering, days=3, by=desk())
    assert press(user, offering, days=3).status == "booked"


def test_zero_is_no_limit(user, offering):
    limit(most_ahead=0, most_cancelled=0, approval_after_no_shows=0)
    for days in range(3, 9):
        cycle(user, offering, days=days)
    for days in range(1, 13):
        assert press(user, offering, days=days).status == "booked"


def missed(user, offering, *, days: int) -> None:
    """A visit that long ago to which nobody came."""
    start = at(10, days=-days)
    visit = press(user, offering, start=start, by=desk(), now=start - DAY)
    services.mark_no_show(appointment=visit, by=desk(), now=start + DAY)


def test_who_did_not_come_asks_instead_of_booking(user, offering):
    limit(approval_after_no_shows=2)
    missed(user, offering, days=200)
    assert press(user, offering, days=1).status == "booked"
    missed(user, offering, days=100)
    asked = press(user, offering, days=2)
    assert (asked.status, asked.expires_at) == ("pending", min(NOW + 2 * DAY, asked.start))
    assert press(user, offering, days=3, by=desk()).status == "booked"
    assert press(patient_user(), offering, days=4).status == "booked"


def test_who_came_late_after_all_has_not_stayed_away(user, offering):
    limit(approval_after_no_shows=1)
    start = at(10, days=-3)
    visit = press(user, offering, start=start, by=desk(), now=start - DAY)
    services.mark_no_show(appointment=visit, by=desk(), now=start + dt.timedelta(minutes=10))
    assert press(user, offering, days=1).status == "pending"
    services.mark_arrived(appointment=visit, by=desk(), now=start + dt.timedelta(minutes=20))
    assert press(user, offering, days=2).status == "booked"


def test_after_a_year_it_is_forgotten(user, offering):
    limit(approval_after_no_shows=1)
    missed(user, offering, days=367)
    assert press(user, offering).status == "booked"


def test_of_several_all_have_to_be_refused(offering, django_assert_num_queries):
    limit(most_ahead=1, most_cancelled=1)
    organization = Organization.current()
    family = [patient_user() for _n in range(10)]
    for day, one in enumerate(family, start=1):
        press(one, offering, days=day)
    patients = [one.patient_accesses.get().patient for one in family]
    other = patient_user().patient_accesses.get().patient
    facts = {"now": NOW, "organization": organization}
    for some in (patients[:1], patients):
        with django_assert_num_queries(2), pytest.raises(TooManyAhead):
            limits.check_any(some, offering.practitioner, **facts)
        limits.check_any([*some, other], offering.practitioner, **facts)


def test_who_has_to_ask_costs_one_question_whatever_the_number(offering, django_assert_num_queries):
    limit(approval_after_no_shows=1)
    organization = Organization.current()
    family = [patient_user() for _n in range(30)]
    missed(family[0], offering, days=3)
    patients = [user.patient_accesses.get().patient for user in family]
    for some in (patients[:1], patients):
        with django_assert_num_queries(1):
            found = limits.who_needs_approval(some, now=NOW, organization=organization)
        assert found == {patients[0].pk}
