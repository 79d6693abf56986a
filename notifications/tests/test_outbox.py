"""What each change owes to whom, and what it takes back."""

import datetime as dt
import re
from collections import Counter

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from accounts.models import PatientAccess
from accounts.roles import Actor
from accounts.signals import account_mail
from accounts.tests.factories import PatientFactory, UserFactory
from appointments import services
from appointments.models import AppointmentEvent
from appointments.signals import appointment_changed
from appointments.tests.factories import NOW, SYSTEM, at, book, desk
from clinic.models import Organization
from notifications import delivery, integrity, outbox
from notifications.models import Kind, Notification, State
from notifications.tests.factories import SOON, booked, family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]

DAY = dt.timedelta(days=1)


def told(appointment, state=State.PENDING):
    """(kind, address, due) of the rows in this state, reminders last."""
    rows = Notification.objects.filter(appointment=appointment, state=state)
    return [(row.kind, row.to, row.due_at) for row in rows.order_by("due_at", "kind", "to")]


def doctor(appointment):
    return appointment.practitioner.user.email


def test_booking_owes_a_confirmation_a_reminder_and_a_word_to_the_practitioner():
    user, patient = family(email="ana@example.org", language="en")
    appointment = booked(user=user, patient=patient)
    assert told(appointment) == [
        (Kind.BOOKED, "ana@example.org", NOW),
        (Kind.PRACTITIONER_NEW, doctor(appointment), NOW),
        (Kind.REMINDER, "ana@example.org", appointment.start - DAY),
    ]
    row = Notification.objects.get(kind=Kind.BOOKED)
    assert (row.user, row.language, row.sequence) == (user, "en", 0)
    assert row.useful_until == appointment.start
    assert row.subject == row.text == row.html == ""


def test_asking_owes_no_reminder_before_the_answer():
    appointment = booked(asks=True)
    assert [kind for kind, _to, _due in told(appointment)] == [
        Kind.PRACTITIONER_REQUEST,
        Kind.REQUESTED,
    ]


def test_confirming_voids_what_was_asked_and_owes_the_reminder():
    appointment = booked(asks=True)
    by = Actor.practitioner(appointment.practitioner.user)
    services.confirm(appointment=appointment, by=by, now=NOW)
    assert [kind for kind, _to, _due in told(appointment)] == [Kind.CONFIRMED, Kind.REMINDER]
    assert [kind for kind, _to, _due in told(appointment, State.VOID)] == [
        Kind.PRACTITIONER_REQUEST,
        Kind.REQUESTED,
    ]


def test_cancelling_voids_the_reminder_and_tells_both():
    user, patient = family()
    appointment = booked(user=user, patient=patient)
    services.cancel(appointment=appointment, by=Actor.patient(user), now=NOW)
    assert told(appointment) == [
        (Kind.CANCELLED, user.email, NOW),
        (Kind.PRACTITIONER_CANCELLED, doctor(appointment), NOW),
    ]
    assert Notification.objects.filter(kind=Kind.REMINDER).get().state == State.VOID


def test_who_did_it_at_work_needs_no_mail_about_it():
    appointment = booked()
    by = Actor.practitioner(appointment.practitioner.user)
    services.cancel(appointment=appointment, by=by, reason="Congreso", now=NOW)
    assert [kind for kind, _to, _due in told(appointment)] == [Kind.CANCELLED]


def test_the_desk_tells_the_practitioner_too():
    appointment = booked()
    services.cancel(appointment=appointment, by=desk(), reason="Llamó", now=NOW)
    assert [kind for kind, _to, _due in told(appointment)] == [
        Kind.CANCELLED,
        Kind.PRACTITIONER_CANCELLED,
    ]


def test_a_request_that_ends_unanswered():
    appointment = booked(asks=True)
    services.expire(appointment=appointment, by=SYSTEM, now=appointment.expires_at)
    assert [kind for kind, _to, _due in told(appointment)] == [Kind.EXPIRED]


def test_what_happens_on_the_day_owes_nothing_and_voids_the_rest():
    appointment = booked()
    services.mark_arrived(appointment=appointment, by=desk(), now=appointment.start)
    assert told(appointment) == []
    assert len(told(appointment, State.VOID)) == 3


def test_what_has_begun_is_no_news():
    appointment = booked()
    services.mark_arrived(appointment=appointment, by=desk(), now=appointment.start)
    services.cancel(
        appointment=appointment, by=desk(), reason="Se fue", now=appointment.start + DAY / 24
    )
    assert told(appointment) == []


def test_a_row_on_its_way_is_left_to_its_worker():
    appointment = booked()
    Notification.objects.filter(kind=Kind.BOOKED).update(state=State.SENDING)
    services.cancel(appointment=appointment, by=desk(), reason="Congreso", now=NOW)
    assert Notification.objects.get(kind=Kind.BOOKED).state == State.SENDING


def test_everybody_who_acts_for_the_patient_is_told_once():
    mother, child = family(email="madre@example.org")
    family(child, email="padre@example.org")
    ended, _child = family(child, email="antes@example.org")
    PatientAccess.objects.filter(user=ended).update(ended_at=NOW)
    UserFactory.create(email="nadie@example.org")
    appointment = booked(user=mother, patient=child)
    assert [to for kind, to, _due in told(appointment) if kind == Kind.BOOKED] == [
        "madre@example.org",
        "padre@example.org",
    ]


def test_an_inactive_account_is_not_told():
    user, patient = family()
    family(patient, is_active=False)
    appointment = booked(user=user, patient=patient)
    assert [to for kind, to, _due in told(appointment) if kind == Kind.BOOKED] == [user.email]


def test_without_an_account_the_address_of_the_record():
    appointment = book(patient=PatientFactory.create(email="abuela@example.org"), start=at(10))
    row = Notification.objects.get(appointment=appointment, kind=Kind.BOOKED)
    assert (row.to, row.user, row.language) == ("abuela@example.org", None, "es")


def test_with_an_account_not_the_address_of_the_record():
    user, patient = family(PatientFactory.create(email="viejo@example.org"))
    appointment = booked(user=user, patient=patient)
    assert "viejo@example.org" not in [to for _kind, to, _due in told(appointment)]


def test_nobody_to_write_to_is_no_error():
    appointment = book(patient=PatientFactory.create(), start=at(10, days=3))
    assert [kind for kind, _to, _due in told(appointment)] == [Kind.PRACTITIONER_NEW]


@pytest.mark.parametrize("gone", ["user", "inactive", "inactive account"])
def test_a_practitioner_who_cannot_be_written_to(gone):
    offering = open_offering()
    practitioner = offering.practitioner
    if gone == "user":
        practitioner.user = None
    elif gone == "inactive":
        practitioner.is_active = False
    else:
        practitioner.user.is_active = False
        practitioner.user.save()
    practitioner.save()
    event = AppointmentEvent(verb="book", role="patient", at=NOW)
    appointment = book(offering=open_offering())
    Notification.objects.all().delete()
    appointment.practitioner = practitioner
    outbox.owe_for(appointment, event)
    assert told(appointment) == []


@pytest.mark.parametrize(
    ("hours", "days", "expected"),
    [(24, 3, 24), (48, 3, 48), (24, 1, 24), (26, 1, None), (27, 1, None), (25, 1, 25)],
)
def test_the_reminder_comes_as_long_before_as_the_clinic_says(hours, days, expected):
    """NOW is 8:00; at ten o'clock tomorrow is 26 hours away."""
    organization = Organization.current()
    organization.reminders = str(hours)
    organization.save()
    appointment = booked(days=days)
    due = list(
        Notification.objects.filter(kind=Kind.REMINDER).values_list("due_at", "useful_until")
    )
    if expected is None:
        assert due == []
    else:
        start = appointment.start
        assert due == [(start - dt.timedelta(hours=expected), start - dt.timedelta(hours=1))]


def test_no_day_before_reminder_when_booked_less_than_a_day_ahead():
    appointment = booked(start=at(16, days=0))
    assert Kind.REMINDER not in [kind for kind, _to, _due in told(appointment)]


def test_the_same_change_heard_twice_owes_once():
    appointment = booked()
    before = Notification.objects.count()
    appointment_changed.send(
        sender=None, appointment=appointment, event=appointment.events.get(verb="book")
    )
    assert Notification.objects.count() == before == 3


def test_keys_do_not_tell_the_address_of_a_record():
    patient = PatientFactory.create(email="abuela@example.org")
    appointment = book(patient=patient, start=at(10, days=3))
    key = Notification.objects.get(kind=Kind.BOOKED).key
    whom = rf"p{patient.pk}\.[0-9a-f]{{12}}"
    assert re.fullmatch(rf"{appointment.pk}:0:booked:{whom}:{int(NOW.timestamp())}", key)


def test_keys_say_what_and_for_whom_but_not_who():
    user, patient = family(email="ana@example.org")
    appointment = booked(user=user, patient=patient)
    key = Notification.objects.get(kind=Kind.BOOKED).key
    assert key == f"{appointment.pk}:0:booked:u{user.pk}:{int(NOW.timestamp())}"


class Undone(Exception):
    pass


def test_what_is_taken_back_is_not_told():
    def book_and_fail():
        with transaction.atomic():
            booked()
            assert Notification.objects.count() == 3
            raise Undone

    with pytest.raises(Undone):
        book_and_fail()
    assert Notification.objects.count() == 0


@pytest.mark.parametrize("readers", [1, 20])
def test_the_same_number_of_queries_for_any_number_of_readers(readers, django_assert_num_queries):
    user, patient = family()
    for _n in range(readers - 1):
        family(patient)
    appointment = booked(user=user, patient=patient)
    event = appointment.events.get()
    Notification.objects.all().delete()
    fresh = type(appointment).objects.with_parts().get(pk=appointment.pk)
    # clinic, accounts, practitioner's account, write, ids; nothing is older than a new one
    with django_assert_num_queries(5):
        outbox.owe_for(fresh, event)
    assert Notification.objects.count() == readers * 2 + 1


def test_reminders_alone_for_those_who_were_told_elsewhere():
    appointment = booked()
    Notification.objects.all().delete()
    outbox.owe_reminders([appointment], now=NOW)
    outbox.owe_reminders([appointment], now=NOW)
    assert [kind for kind, _to, _due in told(appointment)] == [Kind.REMINDER]


class TestMissingReminders:
    def test_who_left_an_address_later_is_reminded(self):
        patient = PatientFactory.create()
        appointment = book(patient=patient, start=at(10, days=3))
        Notification.objects.all().delete()
        assert outbox.owe_missing_reminders(now=NOW) == 0
        assert told(appointment) == []
        patient.email = "abuela@example.org"
        patient.save()
        assert outbox.owe_missing_reminders(now=NOW) == 1
        due = appointment.start - DAY
        assert told(appointment) == [(Kind.REMINDER, "abuela@example.org", due)]
        assert outbox.owe_missing_reminders(now=NOW) == 0

    def test_not_for_requests_nor_for_what_is_near(self):
        booked(asks=True)
        booked(start=at(16, days=0))
        assert outbox.owe_missing_reminders(now=NOW) == 0

    def test_what_was_withdrawn_stays_so(self):
        booked()
        Notification.objects.filter(kind=Kind.REMINDER).update(state=State.VOID)
        assert outbox.owe_missing_reminders(now=NOW) == 0

    def test_withdrawn_from_a_record_stays_so(self):
        self.of_record()
        Notification.objects.filter(kind=Kind.REMINDER).update(state=State.VOID)
        assert outbox.owe_missing_reminders(now=NOW) == 0
        assert Notification.objects.filter(kind=Kind.REMINDER).count() == 1

    def of_record(self, email="abuela@example.org"):
        return book(patient=PatientFactory.create(email=email), start=at(10, days=3))

    def reminded(self, appointment, after):
        """Whom the mails go to that leave when the reminder is due, and when ``after`` was done."""
        delivery.deliver_due(now=SOON)
        after()
        assert outbox.owe_missing_reminders(now=SOON) == 1
        assert outbox.owe_missing_reminders(now=SOON) == 0
        assert list(integrity.breaches(Counter(), now=SOON)) == []
        mail.outbox.clear()
        delivery.deliver_due(now=appointment.start - DAY)
        return [message.to for message in mail.outbox]

    def test_an_address_of_a_record_that_was_corrected(self):
        appointment = self.of_record("mistyped@example.org")

        def correct():
            appointment.patient.email = "abuela@example.org"
            appointment.patient.save()

        assert self.reminded(appointment, correct) == [["abuela@example.org"]]
        [(_kind, to, _due)] = told(appointment, State.VOID)
        assert to == "mistyped@example.org"

    @pytest.mark.parametrize("email", ["ana@example.org", "abuela@example.org"])
    def test_an_account_that_came_later(self, email):
        appointment = self.of_record()

        def hand_over():
            family(appointment.patient, email=email)

        assert self.reminded(appointment, hand_over) == [[email]]

    def test_not_where_the_address_was_reminded_already(self):
        """Sent on the evening before the quiet hours; then the record gets an account."""
        appointment = self.of_record()
        delivery.deliver_due(now=appointment.start - DAY)
        assert told(appointment, State.SENT)[-1][0] == Kind.REMINDER
        family(appointment.patient, email="Abuela@example.org")
        before = appointment.start - DAY - dt.timedelta(minutes=1)
        assert outbox.owe_missing_reminders(now=before) == 0
        assert Notification.objects.filter(kind=Kind.REMINDER).count() == 1
        assert list(integrity.breaches(Counter(), now=before)) == []

    def test_a_second_account_that_came_later(self):
        appointment = booked()
        first = appointment.patient.accesses.get().user
        second = "padre@example.org"
        sent = self.reminded(appointment, lambda: family(appointment.patient, email=second))
        assert sorted(sent) == sorted([[first.email], [second]])

    def test_an_account_whose_access_ended_and_the_address_of_the_record(self):
        user, patient = family(PatientFactory.create(email="abuela@example.org"))
        appointment = booked(user=user, patient=patient)

        def end():
            PatientAccess.objects.filter(user=user).update(ended_at=NOW)

        assert self.reminded(appointment, end) == [["abuela@example.org"]]

    def test_a_row_with_an_older_key_is_not_doubled(self):
        appointment = self.of_record()
        row = Notification.objects.get(kind=Kind.REMINDER)
        row.key = row.key.replace(row.key.split(":")[3], f"p{appointment.patient_id}")
        row.save()
        organization = Organization.current()
        organization.reminders = "48, 24"
        organization.save()
        assert outbox.owe_missing_reminders(now=NOW) == 1
        rows = Notification.objects.filter(kind=Kind.REMINDER).order_by("pk")
        assert list(rows.values_list("hours_before", flat=True)) == [24, 48]

    @pytest.mark.parametrize("count", [1, 30])
    def test_the_same_number_of_queries_for_any_number(self, count, django_assert_num_queries):
        for n in range(count):
            self.of_record(f"p{n}@example.org")
        Notification.objects.all().delete()
        Organization.current()
        # clinic twice, which, accounts, those there are, write
        with django_assert_num_queries(6):
            assert outbox.owe_missing_reminders(now=NOW) == count


def test_a_mail_about_an_account_is_due_at_once_and_ends():
    user = UserFactory.create(email="ana@example.org")
    before = timezone.now()
    account_mail.send(
        sender=None,
        to="nueva@example.org",
        language="en",
        subject="Your\ncode",
        text="ABC-123",
        html="<p>ABC-123</p>",
        user=user,
        lives_for=dt.timedelta(minutes=15),
    )
    row = Notification.objects.get()
    assert (row.kind, row.to, row.user) == (Kind.ACCOUNT, "nueva@example.org", user)
    assert (row.subject, row.text, row.html) == ("Your code", "ABC-123", "<p>ABC-123</p>")
    assert before <= row.due_at <= timezone.now()
    assert row.useful_until - row.due_at == dt.timedelta(minutes=15)


def test_a_mail_about_an_account_is_good_for_a_day_unless_it_says_so():
    account_mail.send(
        sender=None, to="a@example.org", language="es", subject="s", text="t", html="", user=None
    )
    row = Notification.objects.get()
    assert row.useful_until - row.due_at == DAY


def test_workers_are_woken_with_ids_and_only_after_the_commit(
    monkeypatch, django_capture_on_commit_callbacks
):
    calls: list[list[int]] = []
    monkeypatch.setattr(outbox, "wake", calls.append)
    with django_capture_on_commit_callbacks(execute=True):
        booked()
        assert calls == []
    due = Notification.objects.exclude(kind=Kind.REMINDER).order_by("pk")
    assert [sorted(ids) for ids in calls] == [list(due.values_list("pk", flat=True))]
