"""A mail server in trouble, a slow one, and a database that is away at the worst moment."""

import datetime as dt
import smtplib
import threading

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import OperationalError, connection

from appointments.tests.factories import NOW
from notifications import delivery, faults, letters, pulse
from notifications.models import Notification, Part, Pulse, State
from notifications.tests.factories import pending

pytestmark = pytest.mark.django_db

HOUR, MINUTE, SECOND = (dt.timedelta(seconds=n) for n in (3600, 60, 1))
GONE = smtplib.SMTPServerDisconnected("gone")
NO_SUCH_USER = smtplib.SMTPRecipientsRefused({"x@example.org": (550, b"5.1.1 No such user")})
NOT_NOW = smtplib.SMTPRecipientsRefused({"ana@example.org": (451, b"4.7.1 Not now")})


class Troubled(EmailBackend):
    error: Exception | None = None

    def send_messages(self, messages):
        if Troubled.error:
            raise Troubled.error
        return super().send_messages(messages)


@pytest.fixture
def server(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{__name__}.Troubled"
    monkeypatch.setattr(Troubled, "error", None)
    return Troubled


def states():
    return list(Notification.objects.order_by("pk").values_list("state", "tries"))


@pytest.mark.parametrize("error", [GONE, NOT_NOW])
def test_after_three_failures_in_a_row_the_rest_waits(server, error):
    for _n in range(5):
        pending()
    server.error = error
    assert delivery.deliver_due(now=NOW) == 0
    assert states() == [(State.PENDING, 1)] * 3 + [(State.PENDING, 0)] * 2
    assert pulse.health(NOW + HOUR).mail_stands_since == NOW


def test_what_could_not_be_written_ends_no_round(server, monkeypatch):
    rows = [pending() for _n in range(5)]
    whole = letters.letter_for

    def letter_for(row, now):
        if row.pk != rows[-1].pk:
            raise ValueError
        return whole(row, now)

    monkeypatch.setattr(delivery, "letter_for", letter_for)
    assert delivery.deliver_due(now=NOW) == 1
    assert pulse.health(NOW).mail_stands_since is None


@pytest.mark.once
@pytest.mark.parametrize(
    ("text", "count"),
    [(b"No", 300), (b"5.1.1 No such user", 20), (b"5.4.5 Limit", 20), (b"5.7.1 Relaying", 20)],
)
def test_a_server_that_refuses_everything_for_good_loses_nothing(server, text, count):
    """A quota, a closed account: not one of three hundred addresses is to blame."""
    for _n in range(count):
        pending(lives_for=9 * HOUR)
    server.error = smtplib.SMTPRecipientsRefused({"x@example.org": (550, text)})
    now = NOW
    for _n in range(40):
        delivery.deliver_due(now=now)
        now += MINUTE / 6
    assert {state for state, _tries in states()} == {State.PENDING}
    assert pulse.health(now).stands_since == NOW
    server.error = None
    for _n in range(20):
        delivery.deliver_due(now=now)
        now += MINUTE
    assert {state for state, _tries in states()} == {State.SENT}
    assert len(mail.outbox) == count
    assert pulse.health(now).stands_since is None


def test_so_does_a_server_that_is_asked_for_one_mail_at_a_time(server):
    server.error = smtplib.SMTPDataError(554, b"Account suspended")
    for n in range(5):
        delivery.deliver([pending(lives_for=9 * HOUR).pk], now=NOW + n * MINUTE)
    assert states() == [(State.PENDING, 1)] * 5
    assert pulse.health(NOW + HOUR).mail_stands_since == NOW + 2 * MINUTE


def test_a_quota_that_is_reached_on_the_way_costs_three_at_most(server):
    pending()
    delivery.deliver_due(now=NOW)
    server.error = smtplib.SMTPDataError(550, b"Too many messages today")
    for _n in range(20):
        pending(lives_for=9 * HOUR)
    for n in range(6):
        delivery.deliver_due(now=NOW + MINUTE + n * MINUTE)
    found = [state for state, _tries in states()]
    assert found.count(State.FAILED) <= delivery.ENOUGH_FAILURES
    assert found.count(State.PENDING) >= 17
    assert pulse.health(NOW + 7 * MINUTE).mail_stands_since


def test_one_bad_address_among_good_ones_is_given_up_at_once(server, monkeypatch):
    rows = [pending() for _n in range(7)]
    send = server.send_messages

    def send_messages(self, messages):
        server.error = NO_SUCH_USER if messages[0].to == [rows[3].to] else None
        return send(self, messages)

    monkeypatch.setattr(server, "send_messages", send_messages)
    assert delivery.deliver_due(now=NOW) == 6
    assert states()[3] == (State.FAILED, 1)
    assert pulse.health(NOW).mail_stands_since is None


def test_an_address_that_does_not_exist_is_believed_when_asked_again(server):
    """Where nothing else is sent that could tell the address from the server."""
    row = pending(lives_for=9 * HOUR)
    server.error, now = NO_SUCH_USER, NOW
    for tries in (1, 2, 3):
        delivery.deliver_due(now=now)
        row.refresh_from_db()
        assert row.tries == tries
        now = row.try_at
    assert row.state == State.FAILED
    assert pulse.health(now).mail_stands_since is None


#: What the server says does not depend on the database.
@pytest.mark.once
@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPSenderRefused(550, b"Not yours", "turnos@example.org"),
        smtplib.SMTPDataError(421, b"Closing"),
        smtplib.SMTPServerDisconnected("in DATA"),
        smtplib.SMTPDataError(550, b"5.4.5 Limit"),
        smtplib.SMTPRecipientsRefused({"x@example.org": (451, b"Trouble here")}),
    ],
    ids=repr,
)
def test_a_weekend_without_a_server_is_survived(server, error):
    for _n in range(5):
        pending(lives_for=99 * HOUR)
    server.error, now = error, NOW
    while now < NOW + 66 * HOUR:
        delivery.deliver_due(now=now)
        now = max(now, min(Notification.objects.values_list("try_at", flat=True))) + MINUTE
    assert {state for state, _tries in states()} == {State.PENDING}
    assert max(tries for _state, tries in states()) < faults.MAX_TRIES
    assert pulse.health(now).stands_since
    server.error = None
    while now < NOW + 75 * HOUR:
        delivery.deliver_due(now=now)
        now += HOUR / 2
    assert {state for state, _tries in states()} == {State.SENT}


def test_one_address_that_says_not_now_is_no_standstill(server):
    pending()
    server.error = NOT_NOW
    delivery.deliver_due(now=NOW)
    assert pulse.health(NOW + HOUR).mail_stands_since is None


def test_when_it_goes_again_nobody_waits_for_an_hour(server):
    rows = [pending(lives_for=HOUR) for _n in range(3)]
    server.error = GONE
    delivery.deliver_due(now=NOW)
    Notification.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).update(try_at=NOW + HOUR / 2)
    server.error = None
    assert delivery.deliver_due(now=NOW + MINUTE) == 3
    assert len(mail.outbox) == 3
    assert pulse.health(NOW + MINUTE).stands_since is None
    assert Pulse.objects.get(pk=Part.MAIL).at == NOW + MINUTE


def test_a_brief_silence_changes_nobodys_wait(server):
    rows = [pending() for _n in range(2)]
    server.error = GONE
    delivery.deliver([rows[0].pk], now=NOW)
    Notification.objects.filter(pk=rows[0].pk).update(try_at=NOW + HOUR)
    server.error = None
    assert delivery.deliver_due(now=NOW + dt.timedelta(seconds=10)) == 1


def test_no_mail_is_begun_when_the_time_is_over(server):
    rows = [pending() for _n in range(2)]
    done = delivery.deliver([row.pk for row in rows], now=NOW, end=0.0)
    assert (done.sent, states()) == (0, [(State.PENDING, 0)] * 2)


def test_a_mail_that_left_is_marked_when_the_database_is_back(server, monkeypatch):
    row, settle, away = pending(), delivery._settle, [1, 2]
    monkeypatch.setattr("notifications.delivery.time.sleep", lambda seconds: None)

    def _settle(*args, **values):
        if away:
            away.pop()
            raise OperationalError(2006, "Server has gone away")
        settle(*args, **values)

    monkeypatch.setattr(delivery, "_settle", _settle)
    assert delivery.deliver_due(now=NOW) == 1
    row.refresh_from_db()
    assert (row.state, away) == (State.SENT, [])


def test_a_database_that_stays_away_is_not_waited_for_without_end(server, monkeypatch):
    row = pending()
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("notifications.delivery.time.sleep", lambda seconds: None)
    monkeypatch.setattr("notifications.delivery.time.monotonic", lambda: float(next(clock)))

    def gone(*args, **values):
        raise OperationalError(2006, "Server has gone away")

    monkeypatch.setattr(delivery, "_settle", gone)
    with pytest.raises(OperationalError):
        delivery.deliver([row.pk], now=NOW)
    row.refresh_from_db()
    assert row.state == State.SENDING


def test_421_is_of_the_server_and_450_of_the_mail():
    def refused(code):
        return smtplib.SMTPRecipientsRefused({"ana@example.org": (code, b"no")})

    assert faults.is_of_server(refused(421))
    assert faults.is_of_server(smtplib.SMTPDataError(421, b"no"))
    assert faults.is_of_server(smtplib.SMTPSenderRefused(451, b"no", "turnos@example.org"))
    assert faults.is_of_server(TimeoutError())
    assert faults.is_of_server(GONE)
    assert not faults.is_of_server(refused(450))
    assert not faults.is_of_server(smtplib.SMTPDataError(452, b"no"))
    assert not faults.is_of_server(UnicodeError())


@pytest.mark.django_db(transaction=True)
def test_the_lease_of_a_slow_mail_is_renewed(server, monkeypatch):
    row = pending()
    slow, renewed = threading.Event(), threading.Event()
    monkeypatch.setattr(delivery, "RENEWED_EVERY", 0.02)
    leases: list[dt.datetime] = []

    def send_messages(self, messages):
        before = Notification.objects.get(pk=row.pk).lease_until
        while (after := Notification.objects.get(pk=row.pk).lease_until) == before:
            slow.wait(0.02)
        leases.extend(lease for lease in (before, after) if lease)
        renewed.set()
        return 1

    monkeypatch.setattr(Troubled, "send_messages", send_messages)
    assert delivery.deliver([row.pk], now=NOW).sent == 1
    assert renewed.is_set()
    assert leases[0] < leases[1]
    row.refresh_from_db()
    assert (row.state, row.lease_until) == (State.SENT, None)
    connection.close()


def test_some_addresses_that_say_not_now_keep_their_waits(server):
    """Full mailboxes stop nobody, and their tries last for a day whatever else is sent."""
    full = [pending(lives_for=24 * HOUR) for _n in range(3)]
    for minute in range(30):
        now = NOW + minute * MINUTE
        server.error = NOT_NOW
        delivery.deliver([row.pk for row in full], now=now)
        server.error = None
        written = pending(lives_for=24 * HOUR)
        # So long after the failures that it would end a standstill.
        later = now + 2 * pulse.BRIEF - SECOND
        assert delivery.deliver([written.pk], now=later) == delivery.Round(1)
        assert pulse.health(later).mail_stands_since is None
    tries = Notification.objects.filter(pk__in=[row.pk for row in full])
    # Half a minute, one and a half, four and a half, thirteen and a half.
    assert max(tries.values_list("tries", flat=True)) <= 5


def test_rows_that_are_not_asked_about_do_not_hide_a_server_in_trouble(server):
    rows = [pending() for _n in range(8)]
    # Every second one helps nobody any more.
    Notification.objects.filter(pk__in=[row.pk for row in rows[1::2]]).update(useful_until=NOW)
    server.error = GONE
    assert delivery.deliver([row.pk for row in rows], now=NOW) == delivery.Round(0, reached=False)
    asked = Notification.objects.filter(state=State.PENDING, tries=1)
    assert asked.count() == delivery.ENOUGH_FAILURES


def test_with_nothing_left_to_send_the_server_is_asked_whether_it_is_back(server, monkeypatch):
    pulse.mail_stands(NOW)
    monkeypatch.setattr(server, "open", lambda self: (_ for _ in ()).throw(GONE), raising=False)
    delivery.deliver_due(now=NOW + MINUTE)
    assert pulse.health(NOW + MINUTE).mail_stands_since == NOW
    monkeypatch.undo()
    delivery.deliver_due(now=NOW + 2 * MINUTE)
    assert pulse.health(NOW + 2 * MINUTE).mail_stands_since is None
