"""The list of a day and the requests at a desk: owed once, true when they leave, discreet."""

import datetime as dt

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Actor
from accounts.tests.factories import PatientFactory, ReceptionistFactory, patient_user
from appointments import services
from appointments import tasks as appointments_tasks
from appointments.tests.factories import NOW, at, book, desk
from clinic.models import Organization
from clinic.tests.factories import LocationFactory
from notifications import delivery, digests, pulse, tasks
from notifications.models import Kind, MailChoices, Notification, Part, Pulse, State
from notifications.tests.factories import booked, chooses, pending
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

SEVEN = at(7, days=1)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


def clinic(**fields):
    Organization.current()
    Organization.objects.update(**fields)


@pytest.fixture
def offering():
    """Of a practitioner who wants the list at seven, in English."""
    offering = open_offering(schedule__location__name="Sede Centro")
    user = offering.practitioner.user
    user.language = "en"
    user.save()
    chooses(user, day_list_at=dt.time(7))
    return offering


def visit(offering, hour=9, days=1, **kwargs):
    return book(offering=offering, start=at(hour, days=days), **kwargs)


def lists():
    return list(Notification.objects.filter(kind=Kind.PRACTITIONER_DAY).order_by("pk"))


def sent(kind):
    """The mails of this kind that left."""
    subjects = Notification.objects.filter(kind=kind, state=State.SENT).values_list(
        "subject", flat=True
    )
    return [message for message in mail.outbox if message.subject in set(subjects)]


class TestListOfTheDay:
    def test_owed_at_its_hour_and_once(self, offering):
        visit(offering)
        assert digests.owe(now=SEVEN - MINUTE) == 0
        assert digests.owe(now=SEVEN) == 1
        assert digests.owe(now=SEVEN) == 0
        assert digests.owe(now=SEVEN + HOUR) == 0
        [row] = lists()
        assert (row.due_at, row.user) == (SEVEN, offering.practitioner.user)
        assert row.key == f"d{offering.practitioner.pk}:20261124:practitioner_day"
        assert row.useful_until == at(9)

    def test_a_task_that_comes_late_owes_what_is_still_of_use(self, offering):
        visit(offering, 9)
        visit(offering, 16)
        assert digests.owe(now=SEVEN + 4 * HOUR - MINUTE) == 1
        [row] = lists()
        assert (row.due_at, row.useful_until) == (SEVEN, SEVEN + 4 * HOUR)

    @pytest.mark.parametrize("late", [at(9), at(11)])
    def test_not_when_it_is_too_late(self, offering, late):
        visit(offering, 9)
        assert digests.owe(now=late) == 0

    def test_nothing_for_a_day_without_appointments(self, offering):
        visit(offering, days=2)
        gone = visit(offering)
        services.cancel(appointment=gone, by=desk(), reason="x", now=NOW)
        assert digests.owe(now=SEVEN) == 0

    def test_nobody_gets_it_who_has_not_asked_for_it(self, offering):
        visit(offering)
        MailChoices.objects.update(day_list_at=None)
        visit(open_offering())
        assert digests.owe(now=SEVEN) == 0

    @pytest.mark.parametrize("who", ["practitioner", "user"])
    def test_nor_who_works_here_no_more(self, offering, who):
        visit(offering)
        row = offering.practitioner if who == "practitioner" else offering.practitioner.user
        type(row).objects.filter(pk=row.pk).update(is_active=False)
        assert digests.owe(now=SEVEN) == 0

    def test_the_hour_is_that_of_the_place(self, offering):
        far = open_offering(schedule__location__time_zone="Europe/Madrid")
        chooses(far.practitioner.user, day_list_at=dt.time(7))
        book(offering=far, start=at(9).replace(hour=6))
        digests.owe(now=at(3))
        [row] = lists()
        assert row.user == far.practitioner.user
        assert row.due_at.astimezone(dt.UTC).hour == 6

    def test_it_says_how_many_and_when_and_names_nobody(self, offering):
        visit(offering, 9, patient=PatientFactory.create(first_name="Canarina"))
        visit(offering, 11, reason="canary-reason")
        digests.owe(now=SEVEN)
        delivery.deliver_due(now=SEVEN)
        [message] = sent(Kind.PRACTITIONER_DAY)
        assert message.subject == "Today: 2 appointments, the first at 9:00"
        assert message.body == (
            "Tuesday 24 November (Buenos Aires time)\n"
            "\n"
            "You have 2 appointments today, the first at 9:00.\n"
            "\n"
            "Sede Centro: 2 appointments, 9:00–11:30\n"
            "\n"
            "See the day in the agenda:\n"
            "http://localhost:8000/agenda/2026-11-24/\n"
            "\n"
            "Consultorio\n"
        )

    def test_names_if_the_clinic_wants_them(self, offering):
        clinic(names_to_practitioners=True)
        patient = PatientFactory.create(first_name="Canarina", last_name="Paz")
        visit(offering, 9, patient=patient, reason="canary-reason")
        digests.owe(now=SEVEN)
        delivery.deliver_due(now=SEVEN)
        [message] = sent(Kind.PRACTITIONER_DAY)
        assert message.subject == "Today: 1 appointment, at 9:00"
        assert "\n9:00: Canarina Paz · Sede Centro\n" in message.body
        for secret in ("canary-reason", str(offering.service), str(offering.service.specialty)):
            assert secret not in message.body + message.alternatives[0][0]

    def test_it_is_true_when_it_leaves(self, offering):
        visit(offering, 9)
        gone = visit(offering, 10)
        digests.owe(now=SEVEN)
        services.cancel(appointment=gone, by=desk(), reason="x", now=SEVEN)
        delivery.deliver_due(now=SEVEN + MINUTE)
        assert "You have 1 appointment today" in sent(Kind.PRACTITIONER_DAY)[0].body

    def test_void_when_all_were_cancelled_meanwhile(self, offering):
        gone = visit(offering, 9)
        digests.owe(now=SEVEN)
        services.cancel(appointment=gone, by=desk(), reason="x", now=SEVEN)
        delivery.deliver_due(now=SEVEN + MINUTE)
        assert lists()[0].state == State.VOID

    def test_unwanted_when_it_was_switched_off_meanwhile(self, offering):
        visit(offering, 9)
        digests.owe(now=SEVEN)
        MailChoices.objects.update(day_list_at=None)
        delivery.deliver_due(now=SEVEN + MINUTE)
        assert lists()[0].state == State.UNWANTED

    def test_requests_are_counted_apart(self):
        offering = open_offering(confirmation="manual")
        chooses(offering.practitioner.user, day_list_at=dt.time(7))
        book(offering=offering, start=at(15), by=asking())
        digests.owe(now=SEVEN)
        delivery.deliver_due(now=SEVEN)
        assert "Hoy hay 1 turno, a las 15:00. Falta confirmar 1.\n" in (
            sent(Kind.PRACTITIONER_DAY)[0].body
        )

    @pytest.mark.parametrize("number", [1, 12])
    def test_the_same_number_of_queries_for_any_number_of_practitioners(self, number):
        for _n in range(number):
            offering = open_offering()
            chooses(offering.practitioner.user, day_list_at=dt.time(7))
            visit(offering)
        with CaptureQueriesContext(connection) as queries:
            assert digests._owe_lists(SEVEN) == number
        assert len(queries) <= 6


def asking():
    return Actor.patient(patient_user())


@pytest.fixture
def place():
    return LocationFactory.create(name="Sede Centro", slug="centro")


@pytest.fixture
def reception(place):
    receptionist = ReceptionistFactory.create(locations=[place], user__language="en")
    return receptionist.user


def request(place, hour=10, days=2, now=NOW):
    offering = open_offering(confirmation="manual", schedule__location=place)
    return book(offering=offering, start=at(hour, days=days), by=asking(), now=now)


def words(user=None):
    rows = Notification.objects.filter(kind=Kind.REQUESTS).order_by("pk")
    return list(rows.filter(user=user) if user else rows)


class TestRequestsAtTheDesk:
    def test_one_message_when_they_have_waited_for_an_hour(self, place, reception):
        request(place)
        request(place, 11)
        assert digests.owe(now=NOW + 59 * MINUTE) == 0
        assert digests.owe(now=NOW + HOUR) == 1
        assert digests.owe(now=NOW + HOUR) == 0
        assert digests.owe(now=NOW + 5 * HOUR) == 0
        assert len(words()) == 1

    def test_again_when_another_has_waited(self, place, reception):
        request(place)
        digests.owe(now=NOW + HOUR)
        request(place, 11, now=NOW + HOUR)
        assert digests.owe(now=NOW + 2 * HOUR - MINUTE) == 0
        assert digests.owe(now=NOW + 2 * HOUR) == 1
        assert digests.owe(now=NOW + 3 * HOUR) == 0

    def test_what_it_says(self, place, reception):
        request(place, 10, days=3)
        request(place, 15, days=2)
        digests.owe(now=NOW + HOUR)
        delivery.deliver_due(now=NOW + HOUR)
        [message] = sent(Kind.REQUESTS)
        assert message.to == [reception.email]
        assert message.subject == "2 requests to confirm"
        assert "Sede Centro: 2 requests, the first for Wednesday 25 November 2026, 15:00\n" in (
            message.body
        )
        assert "http://localhost:8000/recepcion/solicitudes/\n" in message.body
        assert "Gómez" not in message.body

    def test_the_number_is_that_of_the_moment_it_leaves(self, place, reception):
        answered = request(place)
        request(place, 11)
        digests.owe(now=NOW + HOUR)
        services.confirm(appointment=answered, by=desk(), now=NOW + HOUR)
        delivery.deliver_due(now=NOW + HOUR + MINUTE)
        assert sent(Kind.REQUESTS)[0].subject == "1 request to confirm"

    def test_void_when_all_are_answered(self, place, reception):
        answered = request(place)
        digests.owe(now=NOW + HOUR)
        services.confirm(appointment=answered, by=desk(), now=NOW + HOUR)
        delivery.deliver_due(now=NOW + HOUR + MINUTE)
        assert words()[0].state == State.VOID

    def test_only_to_those_who_work_at_that_desk(self, place, reception):
        other = ReceptionistFactory.create(locations=[LocationFactory.create()])
        closed = ReceptionistFactory.create(locations=[place], is_active=False)
        gone = ReceptionistFactory.create(locations=[place], user__is_active=False)
        request(place)
        digests.owe(now=NOW + HOUR)
        assert [row.user for row in words()] == [reception]
        assert not {other.user, closed.user, gone.user} & {row.user for row in words()}

    def test_who_switched_it_off_is_not_told(self, place, reception):
        chooses(reception, requests=False)
        request(place)
        digests.owe(now=NOW + HOUR)
        delivery.deliver_due(now=NOW + HOUR)
        assert [row.state for row in words()] == [State.UNWANTED]

    def test_not_at_night_but_in_the_morning(self, place, reception):
        request(place, now=at(20, 30, days=0))
        assert digests.owe(now=at(21, 30, days=0)) == 0
        assert digests.owe(now=at(7, 59)) == 0
        assert digests.owe(now=at(8)) == 1

    def test_the_clinic_decides_how_long_they_may_wait(self, place, reception):
        request(place)
        clinic(requests_told_after=15)
        assert digests.owe(now=NOW + 15 * MINUTE) == 1

    def test_zero_is_never(self, place, reception):
        request(place)
        clinic(requests_told_after=0)
        assert digests.owe(now=NOW + 9 * HOUR) == 0

    def test_what_cannot_be_answered_any_more_is_not_told(self, place, reception):
        asked = request(place, 9, days=1)
        assert digests.owe(now=asked.expires_at) == 0
        assert digests.owe(now=asked.start) == 0

    def test_both_by_the_clock(self, place, reception, time_machine, settings):
        request(place)
        time_machine.move_to(NOW + HOUR)
        assert tasks.owe_digests() == 1
        scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
        assert tasks.owe_digests.name in scheduled


class TestAfterARestore:
    """The backup lacks what left since: it is held, and not owed again."""

    @pytest.fixture(autouse=True)
    def _new_machine(self, settings, tmp_path):
        settings.VAR_DIR = tmp_path

    def test_the_list_of_a_morning_in_between(self, offering):
        visit(offering)
        pulse.hold(now=SEVEN + HOUR, written_until=SEVEN + HOUR)
        assert [row.state for row in lists()] == [State.HELD]
        assert digests.owe(now=SEVEN + HOUR + MINUTE) == 0

    def test_the_word_of_requests_that_waited_in_between(self, place, reception):
        request(place)
        pulse.hold(now=NOW + 2 * HOUR, written_until=NOW + 2 * HOUR)
        assert [row.state for row in words(reception)] == [State.HELD]
        assert digests.owe(now=NOW + 2 * HOUR + MINUTE) == 0

    def test_also_if_the_task_came_before_the_sweep_that_finds_out(self, offering):
        visit(offering)
        Pulse.objects.create(part=Part.SWEEP, at=SEVEN - 8 * HOUR)
        assert digests.owe(now=SEVEN) == 1
        pulse.swept(SEVEN + MINUTE)
        assert [row.state for row in lists()] == [State.HELD]

    def test_the_end_of_a_request_that_came_in_between(self):
        asked = booked(asks=True)
        Notification.objects.update(state=State.SENT)
        over = asked.expires_at
        assert over
        later = over + HOUR
        pulse.hold(now=later, written_until=over - HOUR)
        [row] = Notification.objects.exclude(state=State.SENT)
        assert (row.kind, row.state) == (Kind.EXPIRED, State.HELD)
        assert appointments_tasks.expire_requests() == 0
        assert delivery.deliver_due(now=later + MINUTE) == 0
        assert services.expire_overdue(now=later + MINUTE) == 0

    def test_what_tasks_told_before_the_sweep_that_finds_out(self):
        asked = booked(asks=True)
        Notification.objects.update(state=State.SENT)
        over = asked.expires_at
        assert over
        Pulse.objects.create(part=Part.SWEEP, at=over - 8 * HOUR)
        assert services.expire_overdue(now=over) == 1
        offer = pending(lives_for=9 * HOUR)
        fields = {"kind": Kind.OFFER, "created_at": over, "try_at": over}
        Notification.objects.filter(pk=offer.pk).update(**fields)
        pulse.swept(over + MINUTE)
        found = Notification.objects.filter(kind__in=[Kind.EXPIRED, Kind.OFFER])
        assert {row.state for row in found} == {State.HELD}
        assert found.count() == 2

    def test_tomorrows_list_leaves_as_always(self, offering):
        visit(offering)
        pulse.hold(now=NOW, written_until=NOW)
        assert lists() == []
        assert digests.owe(now=SEVEN) == 1
