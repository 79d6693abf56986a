"""Redis and the mail server may fail: booking does not notice, and the mails follow.

The workers here are real processes on a real broker, with the settings of production.
"""

import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from unittest import mock

import pytest
from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection
from django.utils import timezone
from kombu import pools

from accounts.roles import Actor
from accounts.tests.factories import PatientAccessFactory
from appointments import services
from appointments.models import Appointment
from clinic.celery import app
from clinic.environment import folder_broker, redis_broker
from notifications import delivery, tasks
from notifications import wake as wake_module
from notifications.models import Kind, Notification, State
from notifications.wake import Breaker, queue_depth
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db(transaction=True)

#: What a page may wait for a broker that is away: once, and then not again (seconds).
#: Generous, because a slow machine breaks no promise: without the guard it is ten and more.
FIRST, NEXT = 5.0, 3.0


@pytest.fixture(autouse=True)
def _fresh_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    # However slow the machine, no second try belongs to the test.
    monkeypatch.setattr(wake_module, "breaker", Breaker(pause=3600))


@contextmanager
def broker(url: str, options: dict) -> Iterator[None]:
    """This process publishes there."""
    before = app.conf.broker_url, app.conf.broker_transport_options
    _publish_to(url, options)
    try:
        yield
    finally:
        _publish_to(*before)


def _publish_to(url: str, options: dict) -> None:
    app.conf.update(broker_url=url, broker_transport_options=options)
    pools.reset()
    app._pool = app.amqp._producer_pool = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[subprocess.Popen]:
    """A server of our own, to be frozen and killed."""
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port), "redis-server")
        yield process
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def worker(**environment: str) -> Iterator[subprocess.Popen]:
    """The worker of production on the database of this test."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        environment["SQLITE_PATH"] = str(database["NAME"])
    else:
        login = f"{database['USER']}:{database['PASSWORD']}"
        host = f"{database['HOST']}:{database['PORT'] or 3306}"
        environment["DATABASE_URL"] = f"mysql://{login}@{host}/{database['NAME']}"
    command = [sys.executable, "-m", "celery", "--app", "clinic", "--quiet", "worker"]
    command += ["--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING"]
    command += ["--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env={
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
            "VAR_DIR": str(settings.VAR_DIR),
            **environment,
        },
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_for(true: Callable[[], object], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def book_one(offering: ServiceOffering) -> tuple[Appointment, float]:
    """Booked by a patient now; and how long that took.

    In three days, so that at any hour of today both reminders are still to come.
    """
    access = PatientAccessFactory.create()
    now = timezone.now()
    number = Appointment.objects.count()
    day = now.astimezone(offering.location.zone) + dt.timedelta(days=3)
    start = day.replace(hour=9 + number // 2, minute=30 * (number % 2), second=0, microsecond=0)
    began = time.monotonic()
    appointment = services.book(
        offering=offering, patient=access.patient, start=start, by=Actor.patient(access.user)
    )
    return appointment, time.monotonic() - began


def states(kind: Kind) -> list[str]:
    rows = Notification.objects.filter(kind=kind).order_by("pk")
    return list(rows.values_list("state", flat=True))


def assert_booking_never_waits(caplog: pytest.LogCaptureFixture, why: str, times: int = 4) -> None:
    offering = open_offering()
    publish = mock.patch.object(tasks.deliver, "apply_async", wraps=tasks.deliver.apply_async)
    with publish as tries:
        first, *rest = [book_one(offering)[1] for _n in range(times)]
    assert tries.call_count == 1, "the first finds out; nobody after it asks the broker"
    assert first < FIRST
    assert max(rest) < NEXT
    assert states(Kind.BOOKED) == [State.PENDING] * times
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"No worker can be woken ({why}).")


def test_booking_with_a_redis_that_refuses(caplog):
    with broker(f"redis://127.0.0.1:{free_port()}/0", redis_broker()):
        assert_booking_never_waits(caplog, "OperationalError")


@pytest.mark.redis
@pytest.mark.parametrize("before", ["never used", "in use"])
def test_booking_with_a_redis_that_is_frozen(tmp_path, caplog, before):
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with redis_server(port, tmp_path) as redis, broker(url, redis_broker()):
        if before == "in use":
            tasks.deliver.delay([0])
        redis.send_signal(signal.SIGSTOP)
        try:
            assert_booking_never_waits(caplog, "OperationalError")
        finally:
            redis.send_signal(signal.SIGCONT)


def test_booking_with_a_broker_folder_that_is_gone(tmp_path, caplog):
    options = folder_broker(tmp_path)
    shutil.rmtree(tmp_path / "broker")
    (tmp_path / "broker").write_text("not a folder")
    with broker("filesystem://localhost", options):
        assert_booking_never_waits(caplog, "NotADirectoryError")


def _mails_leave_at_once(folder: Path) -> None:
    offering = open_offering()
    book_one(offering)
    # The worker may still be starting.
    wait_for(lambda: states(Kind.BOOKED) == [State.SENT], "the first mail", 60)
    book_one(offering)
    wait_for(lambda: states(Kind.BOOKED) == [State.SENT] * 2, "a mail when all is well", 5)
    assert states(Kind.REMINDER) == [State.PENDING] * 4
    wait_for(lambda: states(Kind.PRACTITIONER_NEW) == [State.SENT] * 2, "the practitioner's", 5)
    assert len(list(folder.glob("*.eml"))) == 4


@pytest.mark.slow
def test_a_worker_is_woken_through_files(tmp_path):
    # A folder of its own: what other tests have published would be worked off first.
    with (
        broker("filesystem://localhost", folder_broker(tmp_path)),
        worker(VAR_DIR=str(tmp_path), EMAIL_FILE_PATH=str(tmp_path / "mail")),
    ):
        _mails_leave_at_once(tmp_path / "mail")


@pytest.mark.slow
@pytest.mark.redis
def test_a_worker_is_woken_through_redis(tmp_path):
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with (
        redis_server(port, tmp_path),
        broker(url, redis_broker()),
        worker(REDIS_URL=url, EMAIL_FILE_PATH=str(tmp_path / "mail")),
    ):
        _mails_leave_at_once(tmp_path / "mail")


class MailServer:
    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.subjects.append(message_from_bytes(envelope.content)["Subject"])
        return "250 OK"


@pytest.mark.slow
@pytest.mark.redis
def test_with_redis_and_smtp_down_booking_works_and_the_mails_follow(tmp_path, settings, caplog):
    redis_port, smtp_port = free_port(), free_port()
    url = f"redis://127.0.0.1:{redis_port}/0"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", smtp_port
    with broker(url, redis_broker()):
        assert_booking_never_waits(caplog, "OperationalError", times=3)
        assert delivery.deliver_due() == 0, "there is no mail server"
        assert states(Kind.BOOKED) == [State.PENDING] * 3

        handler = MailServer()
        mail_server = Controller(handler, hostname="127.0.0.1", port=smtp_port)
        mail_server.start()
        try:
            with (
                redis_server(redis_port, tmp_path),
                worker(REDIS_URL=url, EMAIL_URL=f"smtp://127.0.0.1:{smtp_port}"),
            ):
                tasks.sweep.delay()  # as beat does every ten seconds
                wait_for(lambda: states(Kind.BOOKED) == [State.SENT] * 3, "what was owed", 60)
                wait_for(lambda: states(Kind.PRACTITIONER_NEW) == [State.SENT] * 3, "the rest", 10)
        finally:
            mail_server.stop()
    assert len(handler.subjects) == 6


# --- how long the queue is ---------------------------------------------------------

#: What a page may wait for a queue that is away: half a second, on a slow machine (seconds).
AT_ONCE = 2.5


def test_the_queue_in_files(tmp_path):
    with broker("filesystem://localhost", folder_broker(tmp_path)):
        assert queue_depth() == 0
        tasks.deliver.delay([1])
        tasks.deliver.delay([2])
        assert queue_depth() == 2


def test_a_queue_that_is_not_there():
    with broker(f"redis://127.0.0.1:{free_port()}/0", redis_broker()):
        began = time.monotonic()
        assert queue_depth() is None
        assert time.monotonic() - began < AT_ONCE


@pytest.mark.redis
def test_the_queue_in_redis_and_one_that_is_frozen(tmp_path):
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with redis_server(port, tmp_path) as redis, broker(url, redis_broker()):
        assert queue_depth() == 0
        tasks.deliver.delay([1])
        assert queue_depth() == 1
        redis.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert queue_depth() is None
            assert time.monotonic() - began < AT_ONCE
        finally:
            redis.send_signal(signal.SIGCONT)
