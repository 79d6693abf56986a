"""Against a mail server that speaks, refuses and hangs up."""

import datetime as dt
import socket
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from appointments.tests.factories import NOW
from notifications import delivery
from notifications.models import Kind, Notification, State
from notifications.tests.factories import SOON, account_mail, booked, family, pending

pytestmark = [pytest.mark.django_db, pytest.mark.once]


class Server:
    """Answers by the local part of the address: ``451-rcpt@…`` gets a 451 at RCPT."""

    def __init__(self):
        self.mails = []
        self.connections = 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.endswith("-rcpt@example.org"):
            return f"{address[:3]} 4.0.0 no"
        if address.startswith("hangs-up@"):
            server.transport.close()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        address = envelope.rcpt_tos[0]
        if address.endswith("-data@example.org"):
            return f"{address[:3]} 5.0.0 no"
        self.mails.append(envelope.content)
        if address.startswith("takes-and-hangs-up@"):
            server.transport.close()
        return "250 OK"


class Speaker(SMTP):
    async def smtp_DATA(self, arg):  # noqa: N802
        if self.envelope.rcpt_tos[0].startswith("hangs-up-in-data@"):
            await self.push("354 Go on")
            self.transport.close()
            return
        await super().smtp_DATA(arg)


class Post(Controller):
    def factory(self):
        return Speaker(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def server(settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Server()
    controller = Post(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_TIMEOUT = 5
    yield handler
    controller.stop()


def owed(address):
    return account_mail(to=address, lives_for=dt.timedelta(days=1))


def test_a_whole_mail_over_one_connection(server):
    user, patient = family(email="ana@example.org")
    appointment = booked(user=user, patient=patient)
    assert delivery.deliver_due(now=SOON) == 2
    assert server.connections == 1
    messages = [message_from_bytes(data, policy=policy.default) for data in server.mails]
    [message] = [m for m in messages if m["To"] == "ana@example.org"]
    parts = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert parts == ["text/plain", "text/html", "text/calendar"]
    assert str(appointment.public_id) in message.get_body(("plain",)).get_content()
    [calendar] = message.iter_attachments()
    assert calendar.get_payload(decode=True).endswith(b"END:VCALENDAR\r\n")


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("451-rcpt@example.org", State.PENDING),
        ("421-rcpt@example.org", State.PENDING),
        ("550-rcpt@example.org", State.FAILED),
        ("452-data@example.org", State.PENDING),
        ("554-data@example.org", State.FAILED),
        ("450-rcpt@example.org", State.PENDING),
        ("421-data@example.org", State.PENDING),
        ("hangs-up@example.org", State.PENDING),
        ("hangs-up-in-data@example.org", State.PENDING),
        ("takes-and-hangs-up@example.org", State.PENDING),
    ],
)
def test_a_refusal_concerns_one_row(server, address, state):
    before, bad, after = pending(), owed(address), pending()
    assert delivery.deliver_due(now=NOW) == 2
    states = dict(Notification.objects.values_list("pk", "state"))
    assert states == {before.pk: State.SENT, bad.pk: state, after.pk: State.SENT}
    bad.refresh_from_db()
    assert bad.last_error
    assert bad.tries == 1


def test_what_was_taken_but_not_confirmed_comes_again_with_the_same_id(server):
    row = owed("takes-and-hangs-up@example.org")
    delivery.deliver_due(now=NOW)
    row.refresh_from_db()
    delivery.deliver_due(now=row.try_at)
    ids = [message_from_bytes(data)["Message-ID"] for data in server.mails]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_nobody_answers(server, settings, caplog):
    settings.EMAIL_PORT = 1
    row = pending()
    assert delivery.deliver_due(now=NOW) == 0
    row.refresh_from_db()
    assert (row.state, row.tries) == (State.PENDING, 0)
    assert "No mail server" in caplog.text


def test_a_server_that_says_nothing(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_TIMEOUT = 0.3
    row = pending()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_HOST, settings.EMAIL_PORT = silent.getsockname()
        assert delivery.deliver_due(now=NOW) == 0
    row.refresh_from_db()
    assert (row.state, row.tries) == (State.PENDING, 0)
    assert row.kind == Kind.ACCOUNT
