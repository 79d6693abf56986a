"""Signs of life, standstill, and what is held after a restore."""

import datetime as dt
import logging
from io import StringIO

import pytest
from celery import current_app as app
from django.core import mail
from django.core.management import call_command
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import (
    PractitionerFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments.tests.factories import NOW
from notifications import clock, delivery, pulse, tasks
from notifications.models import Kind, Notification, Part, Pulse, State
from notifications.tests.factories import pending

pytestmark = pytest.mark.django_db

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _new_machine(settings, tmp_path):
    settings.VAR_DIR = tmp_path


def swept_at(now):
    """The last sweep that the database knows of."""
    Pulse.objects.create(part=Part.SWEEP, at=now)


def written(row, at):
    Notification.objects.filter(pk=row.pk).update(created_at=at)
    return row


def states():
    return list(Notification.objects.order_by("pk").values_list("state", flat=True))


class TestStandstill:
    def test_a_new_clinic_is_well(self):
        assert pulse.health(NOW).stands_since is None

    @pytest.mark.parametrize("part", [Part.CLOCK, Part.SWEEP])
    def test_a_part_that_gives_no_sign(self, part):
        pulse.beat(part, NOW)
        assert pulse.health(NOW + pulse.STANDSTILL - MINUTE).stands_since is None
        assert pulse.health(NOW + pulse.STANDSTILL).stands_since == NOW
        pulse.beat(part, NOW + 3 * MINUTE)
        assert pulse.health(NOW + pulse.STANDSTILL).stands_since is None

    def test_a_message_that_should_have_left(self):
        row = pending(lives_for=HOUR)
        assert pulse.health(NOW + 3 * MINUTE).stands_since is None
        assert pulse.health(NOW + 4 * MINUTE).stands_since == row.due_at

    def test_a_message_that_waits_for_its_next_try_is_no_standstill(self):
        row = pending(lives_for=HOUR)
        Notification.objects.filter(pk=row.pk).update(tries=4, try_at=NOW + HOUR)
        assert pulse.health(NOW + 30 * MINUTE).stands_since is None

    def test_a_mail_server_that_takes_nothing(self):
        pulse.mail_stands(NOW)
        pulse.mail_stands(NOW + MINUTE)
        assert pulse.health(NOW + 4 * MINUTE).stands_since == NOW
        assert pulse.mail_went(NOW + 5 * MINUTE)
        assert not pulse.mail_went(NOW + 5 * MINUTE)
        assert pulse.health(NOW + 6 * MINUTE).stands_since is None

    def test_a_silence_that_was_brief_is_not_spoken_of(self):
        pulse.mail_stands(NOW)
        assert not pulse.mail_went(NOW + pulse.BRIEF - dt.timedelta(seconds=1))

    def test_two_questions_for_any_number(self, django_assert_num_queries):
        for _n in range(30):
            pending()
        pulse.beat(Part.CLOCK, NOW)
        with django_assert_num_queries(2):
            pulse.health(NOW + HOUR)


class TestAfterARestore:
    def test_a_database_that_has_gone_back_is_noticed_however_young(self):
        pulse.swept(NOW - HOUR)
        pulse.swept(NOW)
        written(pending(lives_for=9 * HOUR), NOW - 2 * HOUR)
        Pulse.objects.filter(part=Part.SWEEP).update(at=NOW - HOUR)
        assert pulse.swept(NOW + MINUTE) == 1
        assert states() == [State.HELD]
        assert pulse.swept(NOW + 2 * MINUTE) == 0

    def test_a_machine_that_was_off_for_a_week_has_not_gone_back(self):
        pulse.swept(NOW)
        written(pending(lives_for=999 * HOUR), NOW - HOUR)
        assert pulse.swept(NOW + 168 * HOUR) == 0
        assert states() == [State.PENDING]

    def test_another_machine_may_have_swept_since(self):
        pulse.swept(NOW)
        Pulse.objects.filter(part=Part.SWEEP).update(at=NOW + HOUR)
        written(pending(lives_for=9 * HOUR), NOW - HOUR)
        assert pulse.swept(NOW + 2 * HOUR) == 0

    @pytest.mark.parametrize("spoilt", ["", "nonsense", None])
    def test_a_memory_that_cannot_be_read_is_none(self, settings, tmp_path, caplog, spoilt):
        if spoilt is None:
            settings.VAR_DIR = tmp_path / "not there"
        else:
            (tmp_path / "last-sweep").write_text(spoilt)
        swept_at(NOW)
        written(pending(lives_for=9 * HOUR), NOW)
        assert pulse.swept(NOW + HOUR) == 0
        assert pulse._remembered() == (None if spoilt is None else NOW + HOUR)
        assert ("cannot be remembered" in caplog.text) is (spoilt is None)

    def test_on_a_new_machine_what_was_due_and_written_before_a_gap_is_held(self):
        swept_at(NOW)
        old = written(pending(lives_for=9 * HOUR), NOW - HOUR)
        young = written(pending(lives_for=9 * HOUR), NOW + 5 * HOUR)
        ahead = written(pending(lives_for=9 * HOUR), NOW - HOUR)
        Notification.objects.filter(pk=ahead.pk).update(try_at=NOW + 7 * HOUR)
        assert pulse.swept(NOW + pulse.GAP) == 1
        assert states() == [State.HELD, State.PENDING, State.PENDING]
        assert delivery.deliver_due(now=NOW + pulse.GAP) == 1
        assert [m.to for m in mail.outbox] == [[young.to]]
        assert pulse.health(NOW + pulse.GAP).held == 1
        assert old.to not in str(mail.outbox[0].message())

    def test_the_rest_of_a_family_was_told_with_whom_was_due(self):
        swept_at(NOW)
        first, second, other_day = (written(pending(lives_for=99 * HOUR), NOW) for _n in range(3))
        whole = {"kind": Kind.REMINDER, "to": first.to, "hours_before": 24}
        days = {first: (NOW, 3), second: (NOW + 9 * HOUR, 3), other_day: (NOW + 9 * HOUR, 4)}
        for row, (try_at, day) in days.items():
            fields = {**whole, "try_at": try_at, "day": dt.date(2026, 12, day)}
            Notification.objects.filter(pk=row.pk).update(**fields)
        assert pulse.swept(NOW + pulse.GAP) == 2
        assert states() == [State.HELD, State.HELD, State.PENDING]

    def test_what_a_dead_worker_left_is_held_too(self):
        swept_at(NOW)
        row = written(pending(lives_for=9 * HOUR), NOW)
        delivery.claim(row.pk, now=NOW)
        assert pulse.swept(NOW + pulse.GAP) == 1
        row.refresh_from_db()
        assert (row.state, row.lease_until) == (State.HELD, None)

    def test_three_hours_are_no_gap(self):
        swept_at(NOW)
        written(pending(lives_for=9 * HOUR), NOW)
        assert pulse.swept(NOW + 3 * HOUR) == 0
        assert states() == [State.PENDING]

    def test_the_first_sweep_of_all_holds_nothing(self):
        written(pending(lives_for=9 * HOUR), NOW)
        assert pulse.swept(NOW + 8 * HOUR) == 0

    def test_once_is_enough(self, caplog):
        swept_at(NOW)
        written(pending(lives_for=9 * HOUR), NOW)
        assert [pulse.swept(NOW + 7 * HOUR) for _n in range(2)] == [1, 0]
        assert [r.levelno for r in caplog.records] == [logging.ERROR]

    def test_what_is_held_can_become_too_late(self):
        row = pending()
        Notification.objects.filter(pk=row.pk).update(state=State.HELD)
        delivery.mark_late(now=NOW + HOUR)
        assert states() == [State.LATE]

    def test_the_command_holds_whatever_is_due(self, time_machine):
        time_machine.move_to(NOW + MINUTE, tick=False)
        pending(), pending()
        ahead = pending()
        Notification.objects.filter(pk=ahead.pk).update(try_at=NOW + HOUR)
        said = StringIO()
        call_command("after_restore", stdout=said)
        assert "Messages held: 2." in said.getvalue()
        assert states() == [State.HELD, State.HELD, State.PENDING]

    def test_the_sweep_asks(self, time_machine):
        time_machine.move_to(NOW, tick=False)
        swept_at(NOW - 7 * HOUR)
        row = written(pending(), NOW - 8 * HOUR)
        assert tasks.sweep() == 0
        row.refresh_from_db()
        assert row.state == State.HELD
        assert Pulse.objects.get(pk=Part.SWEEP).at == NOW


class TestClock:
    @pytest.fixture
    def scheduler(self, tmp_path, monkeypatch):
        monkeypatch.setitem(app.conf, "beat_schedule", {})
        made = clock.Clock(app=app, schedule_filename=str(tmp_path / "schedule"))
        yield made
        made.close()

    def test_it_says_that_it_lives_now_and_then(self, scheduler, time_machine, monkeypatch):
        time_machine.move_to(NOW, tick=False)
        monotonic = [100.0]
        monkeypatch.setattr("notifications.clock.time.monotonic", lambda: monotonic[0])
        scheduler.tick()
        assert Pulse.objects.get(pk=Part.CLOCK).at == NOW
        time_machine.move_to(NOW + MINUTE, tick=False)
        scheduler.tick()
        assert Pulse.objects.get(pk=Part.CLOCK).at == NOW
        monotonic[0] += clock.EVERY
        scheduler.tick()
        assert Pulse.objects.get(pk=Part.CLOCK).at == NOW + MINUTE

    def test_a_database_that_is_away_does_not_stop_it(self, scheduler, monkeypatch, caplog):
        def gone(*args):
            raise DatabaseError("secret")

        monkeypatch.setattr(pulse, "beat", gone)
        assert scheduler.tick() > 0
        assert "DatabaseError" in caplog.text
        assert "secret" not in caplog.text

    def test_celery_takes_it(self):
        assert app.conf.beat_scheduler == "notifications.clock:Clock"
        assert app.conf.broker_connection_max_retries is None


class TestWhoIsTold:
    @pytest.fixture
    def standing(self, time_machine):
        time_machine.move_to(NOW, tick=False)
        Pulse.objects.create(part=Part.MAIL, stands_since=NOW - HOUR)

    @pytest.mark.parametrize("language", ["es", "en"])
    def test_administrators_and_reception(self, client, standing, language):
        sentence = {
            "es": "Los correos están detenidos desde el lunes 23 de noviembre de 2026, 7:00.",
            "en": "Mails have stood still since Monday 23 November 2026, 7:00.",
        }[language]
        client.cookies["django_language"] = language
        client.force_login(administrator())
        page = client.get(reverse("admin:index")).content.decode()
        assert sentence in page
        assert reverse("admin:notifications_notification_health") in page
        client.force_login(ReceptionistFactory.create().user)
        page = client.get(reverse("appointments:desk")).content.decode()
        assert sentence in page
        assert reverse("admin:index") not in page

    def test_nobody_else(self, client, standing):
        for user in (patient_user(), PractitionerFactory.create().user, None):
            if user:
                client.force_login(user)
            page = Client().get("/") if user is None else client.get(reverse("accounts:profile"))
            assert "mail-banner" not in page.content.decode()

    def test_not_while_all_goes_well(self, client):
        client.force_login(administrator())
        assert "mail-banner" not in client.get(reverse("admin:index")).content.decode()

    def test_a_patients_page_asks_nothing_about_it(self, client, standing, monkeypatch):
        client.force_login(patient_user())

        def asked(now):
            raise AssertionError("asked")

        monkeypatch.setattr(pulse, "health", asked)
        assert client.get(reverse("home")).status_code == 200

    def test_held_messages_wait_for_an_administrator(self, client, time_machine):
        time_machine.move_to(NOW, tick=False)
        row = pending()
        Notification.objects.filter(pk=row.pk).update(state=State.HELD)
        client.force_login(administrator())
        assert "1 mensaje espera una decisión." in client.get("/admin/").content.decode()

    def test_for_machines(self, client, time_machine):
        time_machine.move_to(NOW, tick=False)
        url = reverse("mail_healthz")
        response = client.get(url)
        assert (response.status_code, response.content) == (200, b"ok\n")
        Pulse.objects.create(part=Part.MAIL, stands_since=NOW - HOUR)
        response = client.get(url)
        assert response.status_code == 503
        assert response.content == b"mail stands still since 2026-11-23T10:00:00Z\n"
