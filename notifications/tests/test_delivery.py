"""Claim, look once more, send, mark; and what happens when something dies."""

import datetime as dt
import smtplib
import threading
from collections import Counter

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import OperationalError, connection
from django.db.models import QuerySet

from accounts.models import Patient, PatientAccess, User
from accounts.tests.factories import PatientFactory, UserFactory
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.transitions import Status
from notifications import delivery, faults, integrity, letters, outbox
from notifications.models import NO_READER, Kind, Notification, State
from notifications.tests.factories import SOON, account_mail, booked, chooses, family, pending

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


class Picky(EmailBackend):
    """Fails as ``fails`` says: an exception for each address, or for opening at all."""

    fails: dict = {}

    def open(self):
        if error := self.fails.get("open"):
            raise error

    def send_messages(self, messages):
        for message in messages:
            if error := self.fails.get(message.to[0]):
                raise error
        return super().send_messages(messages)


@pytest.fixture
def picky(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{__name__}.Picky"
    monkeypatch.setattr(Picky, "fails", {})
    return Picky.fails


def state_of(row):
    row.refresh_from_db()
    return row.state


@pytest.mark.django_db
@pytest.mark.usefixtures("one_reminder")
class TestSending:
    def test_what_is_due_leaves_and_is_marked(self):
        user, patient = family(email="ana@example.org")
        booked(user=user, patient=patient)
        assert delivery.deliver_due(now=SOON) == 2
        row = Notification.objects.get(kind=Kind.BOOKED)
        assert (row.state, row.tries, row.sent_at, row.lease_until) == (State.SENT, 1, SOON, None)
        assert row.subject in [message.subject for message in mail.outbox]
        assert ["ana@example.org"] in [message.to for message in mail.outbox]
        assert Notification.objects.get(kind=Kind.REMINDER).state == State.PENDING

    def test_a_second_sweep_finds_nothing(self):
        booked()
        delivery.deliver_due(now=SOON)
        assert delivery.deliver_due(now=SOON) == 0
        assert len(mail.outbox) == 2

    def test_due_means_from_that_moment_on(self):
        appointment = booked()
        delivery.deliver_due(now=SOON)
        due = appointment.start - dt.timedelta(hours=24)
        assert delivery.deliver_due(now=due - dt.timedelta(microseconds=1)) == 0
        assert delivery.deliver_due(now=due) == 1

    def test_only_the_named_rows(self):
        rows = [pending() for _n in range(3)]
        done = delivery.deliver([rows[1].pk, 10**9], now=SOON)
        assert done == delivery.Round(sent=1)
        assert [state_of(row) for row in rows] == [State.PENDING, State.SENT, State.PENDING]

    def test_more_than_a_batch(self, monkeypatch):
        monkeypatch.setattr(delivery, "BATCH", 2)
        for _n in range(5):
            pending()
        assert delivery.deliver_due(now=SOON) == 5

    def test_the_address_of_today(self):
        user, patient = family(email="antes@example.org")
        booked(user=user, patient=patient)
        user.email = "ahora@example.org"
        user.save()
        delivery.deliver_due(now=SOON)
        assert ["ahora@example.org"] in [message.to for message in mail.outbox]
        assert Notification.objects.get(kind=Kind.BOOKED).to == "ahora@example.org"

    def test_a_mail_about_an_account_is_wiped_when_it_has_left(self):
        row = account_mail(html="<p>El código es ABC-123.</p>")
        assert delivery.deliver_due(now=SOON) == 1
        assert state_of(row) == State.SENT
        assert row.text == row.html == ""
        [message] = mail.outbox
        assert (message.to, message.subject) == (["ana@example.org"], "Su código")
        assert message.body == "El código es ABC-123."
        assert message.message().get_payload()[1].get_payload() == "<p>El código es ABC-123.</p>"


@pytest.mark.django_db
@pytest.mark.usefixtures("one_reminder")
class TestLookingOnceMore:
    def test_too_late_is_not_sent(self):
        appointment = booked()
        assert delivery.deliver_due(now=appointment.start) == 0
        assert set(Notification.objects.values_list("state", flat=True)) == {State.LATE}

    def test_a_late_reminder_is_sent_while_it_helps(self):
        appointment = booked()
        delivery.deliver_due(now=SOON)
        assert delivery.deliver_due(now=appointment.start - 61 * MINUTE) == 1
        assert Notification.objects.get(kind=Kind.REMINDER).state == State.SENT

    def test_an_old_code_is_neither_sent_nor_kept(self):
        row = account_mail(lives_for=15 * MINUTE)
        assert delivery.deliver_due(now=NOW + 15 * MINUTE) == 0
        assert state_of(row) == State.LATE
        assert row.text == ""

    def test_late_while_being_sent(self):
        """Left behind by a dead worker, found again when it helps nobody any more."""
        row = pending()
        delivery.claim(row.pk, now=NOW)
        assert delivery.deliver_due(now=NOW + dt.timedelta(hours=1)) == 0
        assert state_of(row) == State.LATE

    def test_changed_behind_the_back_of_the_outbox(self):
        appointment = booked()
        claimed = delivery.claim(Notification.objects.get(kind=Kind.BOOKED).pk, now=NOW)
        services.cancel(appointment=appointment, by=desk(), reason="Congreso", now=NOW)
        again = Notification.objects.with_parts().get(pk=claimed.pk)
        assert again.state == State.SENDING
        assert delivery.verdict(again, SOON) == State.VOID

    def test_another_status_than_it_tells_of(self):
        booked()
        row = Notification.objects.with_parts().get(kind=Kind.BOOKED)
        assert delivery.verdict(row, SOON) is None
        row.appointment.status = "cancelled"
        assert delivery.verdict(row, SOON) == State.VOID

    @pytest.mark.parametrize("how", ["access ended", "account closed"])
    def test_who_may_not_read_it_any_more_is_not_told(self, how):
        user, patient = family()
        booked(user=user, patient=patient)
        if how == "access ended":
            PatientAccess.objects.filter(user=user).update(ended_at=NOW)
        else:
            type(user).objects.filter(pk=user.pk).update(is_active=False)
        delivery.deliver_due(now=SOON)
        assert Notification.objects.get(kind=Kind.BOOKED).state == State.VOID
        assert Notification.objects.get(kind=Kind.PRACTITIONER_NEW).state == State.SENT

    @pytest.mark.parametrize("how", ["left", "account closed", "another account"])
    def test_a_practitioner_who_left_reads_no_name_any_more(self, how):
        appointment = booked()
        practitioner = appointment.practitioner
        user = practitioner.user
        assert user
        if how == "left":
            type(practitioner).objects.filter(pk=practitioner.pk).update(is_active=False)
        elif how == "account closed":
            User.objects.filter(pk=user.pk).update(is_active=False)
        else:
            other = UserFactory.create()
            type(practitioner).objects.filter(pk=practitioner.pk).update(user=other)
        delivery.deliver_due(now=SOON)
        [row] = Notification.objects.filter(kind=Kind.PRACTITIONER_NEW)
        assert row.state == State.VOID
        assert not any(user.email in message.to for message in mail.outbox)
        assert Notification.objects.get(kind=Kind.BOOKED).state == State.SENT

    @pytest.mark.parametrize(
        ("email", "state"),
        [
            ("Abuela@Example.org", State.SENT),
            ("corrected@example.org", State.VOID),
            ("", State.VOID),
        ],
    )
    def test_an_address_that_is_no_longer_the_records(self, email, state):
        patient = PatientFactory.create(email="abuela@example.org")
        book(patient=patient, start=at(10, days=3))
        Patient.objects.filter(pk=patient.pk).update(email=email)
        delivery.deliver_due(now=SOON)
        first = Notification.objects.filter(kind=Kind.BOOKED).order_by("pk").first()
        assert first.state == state

    def test_the_record_of_somebody_who_has_an_account_now(self):
        patient = PatientFactory.create(email="abuela@example.org")
        book(patient=patient, start=at(10, days=3))
        user, _patient = family(patient)
        delivery.deliver_due(now=SOON)
        assert self.booked_to() == [("abuela@example.org", State.VOID), (user.email, State.SENT)]

    def test_what_an_address_should_have_got_the_corrected_one_gets(self):
        """Once, also if the row to the first address comes up again."""
        patient = PatientFactory.create(email="mistyped@example.org")
        appointment = book(patient=patient, start=at(10, days=3))
        Patient.objects.filter(pk=patient.pk).update(email="abuela@example.org")
        delivery.deliver_due(now=SOON)
        told = [("mistyped@example.org", State.VOID), ("abuela@example.org", State.SENT)]
        assert self.booked_to() == told
        Notification.objects.filter(to="mistyped@example.org").update(state=State.PENDING)
        delivery.deliver_due(now=SOON)
        assert self.booked_to() == told
        # Of the reminders too the new address gets each, at its time.
        delivery.deliver_due(now=appointment.start - DAY)
        reminders = Notification.objects.filter(kind=Kind.REMINDER, state=State.SENT)
        assert list(reminders.values_list("to", "hours_before")) == [("abuela@example.org", 24)]
        assert list(integrity.breaches(Counter(), now=appointment.start - DAY)) == []

    def test_an_address_that_was_changed_and_changed_back_gets_it(self, picky):
        patient = PatientFactory.create(email="abuela@example.org")
        book(patient=patient, start=at(10, days=3))
        picky["mistyped@example.org"] = smtplib.SMTPServerDisconnected("gone")
        Patient.objects.filter(pk=patient.pk).update(email="mistyped@example.org")
        delivery.deliver_due(now=SOON)
        void, other = ("abuela@example.org", State.VOID), "mistyped@example.org"
        assert self.booked_to() == [void, (other, State.PENDING)]
        Patient.objects.filter(pk=patient.pk).update(email="abuela@example.org")
        delivery.deliver_due(now=SOON + 5 * MINUTE)
        assert self.booked_to() == [("abuela@example.org", State.SENT), (other, State.VOID)]
        assert list(integrity.breaches(Counter(), now=SOON)) == []

    @pytest.mark.parametrize(("why", "again"), [(NO_READER, State.PENDING), ("", State.VOID)])
    def test_a_reminder_that_lost_its_reader_is_missing_and_a_withdrawn_one_is_not(
        self, why, again
    ):
        patient = PatientFactory.create(email="abuela@example.org")
        book(patient=patient, start=at(10, days=3))
        rows = Notification.objects.filter(kind=Kind.REMINDER)
        rows.update(state=State.VOID, last_error=why)
        assert outbox.owe_missing_reminders(now=SOON) == (again == State.PENDING)
        assert [row.state for row in rows] == [again]
        assert outbox.owe_missing_reminders(now=SOON) == 0

    def test_what_a_lost_reader_had_declined_the_next_one_gets(self):
        user, patient = family()
        appointment = booked(user=user, patient=patient)
        chooses(user, reminders=False)
        delivery.deliver_due(now=SOON)
        PatientAccess.objects.filter(user=user).update(ended_at=NOW)
        Patient.objects.filter(pk=patient.pk).update(email="abuela@example.org")
        delivery.deliver_due(now=appointment.start - DAY)
        rows = Notification.objects.filter(kind=Kind.REMINDER).order_by("pk")
        assert [(row.to, row.state) for row in rows] == [
            (user.email, State.VOID),
            ("abuela@example.org", State.SENT),
        ]

    def test_nobody_follows_where_it_is_not_true_any_more(self):
        patient = PatientFactory.create(email="mistyped@example.org")
        appointment = book(patient=patient, start=at(10, days=3))
        Patient.objects.filter(pk=patient.pk).update(email="abuela@example.org")
        past_the_verbs: QuerySet[Appointment] = QuerySet(Appointment).filter(pk=appointment.pk)
        past_the_verbs.update(status=Status.CANCELLED)
        delivery.deliver_due(now=SOON)
        assert self.booked_to() == [("mistyped@example.org", State.VOID)]

    @staticmethod
    def booked_to():
        rows = Notification.objects.filter(kind=Kind.BOOKED).order_by("pk")
        return list(rows.values_list("to", "state"))


@pytest.mark.django_db
class TestFailing:
    def test_a_temporary_no_is_tried_again_later(self, picky, caplog):
        row = pending()
        picky[row.to] = smtplib.SMTPRecipientsRefused({row.to: (451, b"4.7.1 Greylisted")})
        assert delivery.deliver_due(now=NOW) == 0
        assert state_of(row) == State.PENDING
        assert row.last_error == "SMTPRecipientsRefused: 451 4.7.1 Greylisted"
        wait = row.try_at - NOW
        assert faults.FIRST * 0.8 <= wait <= faults.FIRST * 1.2
        assert row.text, "still needed"
        assert row.to not in caplog.text
        picky.clear()
        assert delivery.deliver_due(now=NOW) == 0, "not before its time"
        assert delivery.deliver_due(now=row.try_at) == 1
        assert state_of(row) == State.SENT
        assert (row.tries, row.last_error, row.due_at) == (2, "", NOW)

    def test_a_permanent_no_is_believed(self, picky):
        _good, row = pending(), pending()
        picky[row.to] = smtplib.SMTPRecipientsRefused({row.to: (550, b"5.1.1 No such user")})
        delivery.deliver_due(now=NOW)
        assert state_of(row) == State.FAILED
        assert row.last_error == "SMTPRecipientsRefused: 550 5.1.1 No such user"
        assert row.text == ""

    def test_enough_is_enough(self, picky):
        row = pending(lives_for=dt.timedelta(days=9))
        picky[row.to] = smtplib.SMTPRecipientsRefused({row.to: (451, b"4.7.1 Greylisted")})
        now, tried = NOW, 0
        while state_of(row) == State.PENDING:
            now = max(now, row.try_at)
            delivery.deliver_due(now=now)
            tried += 1
        assert state_of(row) == State.FAILED
        assert (row.tries, tried) == (faults.MAX_TRIES, faults.MAX_TRIES)
        assert dt.timedelta(hours=14) < now - NOW < dt.timedelta(hours=30)

    def test_one_bad_row_delays_nobody(self, picky, monkeypatch):
        bad, broken, good = (pending() for _n in range(3))
        picky[bad.to] = smtplib.SMTPServerDisconnected("gone")
        whole = letters.letter_for

        def letter_for(row, now):
            if row.pk == broken.pk:
                raise UnicodeEncodeError("ascii", "canary", 0, 1, "no")
            return whole(row, now)

        monkeypatch.setattr("notifications.delivery.letter_for", letter_for)
        assert delivery.deliver_due(now=NOW) == 1
        states = [state_of(row) for row in (bad, broken, good)]
        assert states == [State.PENDING, State.PENDING, State.SENT]
        assert broken.last_error == "UnicodeEncodeError", "its text may quote the mail"

    def test_no_mail_server_costs_no_tries(self, picky, caplog):
        rows = [pending() for _n in range(3)]
        picky["open"] = ConnectionRefusedError(111, "Connection refused")
        assert delivery.deliver_due(now=NOW) == 0
        for row in rows:
            assert state_of(row) == State.PENDING
            assert (row.tries, row.try_at) == (0, NOW)
            assert row.last_error == "ConnectionRefusedError: Connection refused"
        assert [r.getMessage() for r in caplog.records] == [
            "No mail server (ConnectionRefusedError); 3 messages wait."
        ]
        del picky["open"]
        assert delivery.deliver_due(now=NOW) == 3

    def test_a_backend_that_takes_nothing_has_not_sent(self, monkeypatch):
        row = pending()
        monkeypatch.setattr(EmailBackend, "send_messages", lambda self, messages: 0)
        delivery.deliver_due(now=NOW)
        assert state_of(row) == State.PENDING

    def test_a_database_that_goes_away_is_not_the_rows_fault(self, monkeypatch):
        row = pending()

        def gone(row, now):
            raise OperationalError(2006, "Server has gone away")

        monkeypatch.setattr("notifications.delivery.letter_for", gone)
        with pytest.raises(OperationalError):
            delivery.deliver_due(now=NOW)
        assert state_of(row) == State.SENDING, "until the lease ends"


@pytest.mark.django_db
class TestLease:
    def test_nobody_else_gets_a_claimed_row(self):
        row = pending()
        assert delivery.claim(row.pk, now=NOW).pk == row.pk
        assert delivery.claim(row.pk, now=NOW) is None
        assert delivery.deliver_due(now=NOW + delivery.LEASE - MINUTE) == 0

    def test_a_dead_worker_only_delays(self):
        """Killed after the mail server said yes: it leaves twice, recognisably."""
        row = pending()
        claimed = delivery.claim(row.pk, now=NOW)
        first = letters.letter_for(claimed, NOW).message
        assert delivery.deliver_due(now=NOW + delivery.LEASE) == 1
        [second] = mail.outbox
        assert second.extra_headers["Message-ID"] == first.extra_headers["Message-ID"]
        assert state_of(row) == State.SENT
        assert row.tries == 2

    def test_a_row_that_kills_each_worker_is_given_up(self):
        row = pending()
        Notification.objects.filter(pk=row.pk).update(tries=faults.MAX_TRIES)
        assert delivery.deliver_due(now=NOW) == 0
        assert state_of(row) == State.FAILED

    def test_who_lost_the_lease_does_not_mark(self, caplog):
        row = pending()
        slow = delivery.claim(row.pk, now=NOW)
        delivery.claim(row.pk, now=NOW + delivery.LEASE)
        delivery._settle(slow, State.FAILED)
        assert state_of(row) == State.SENDING
        assert "outlived its lease" in caplog.text


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_the_row():
    rows = [pending() for _n in range(10)]
    workers = 6
    start = threading.Barrier(workers)
    got: list[int] = []

    def work():
        try:
            start.wait()
            got.extend(row.pk for row in rows if delivery.claim(row.pk, now=NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(row.pk for row in rows)
    assert set(Notification.objects.values_list("tries", flat=True)) == {1}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_sweeps_at_once_send_once():
    for _n in range(20):
        pending()
    sent = []

    def work():
        try:
            sent.append(delivery.deliver_due(now=NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == len(mail.outbox) == 20
    assert len({message.to[0] for message in mail.outbox}) == 20
