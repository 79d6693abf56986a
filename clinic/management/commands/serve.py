"""The whole clinic on one machine: the web, the worker and its clock, started and ended together.

Production runs the three apart, under the machine's own supervisor (docs/operations.md).
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from clinic.management.demo import ACCOUNTS, PASSWORD

#: How long a part may take to end its work before it is killed.
PATIENCE_SECONDS = 8


class Command(BaseCommand):
    help = "Runs the web, the worker and its clock on this machine until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"))
        parser.add_argument(
            "--prepare",
            action="store_true",
            help="First brings the database and the static files up to date.",
        )

    def handle(self, *args: Any, host: str, port: str, prepare: bool, **options: Any) -> None:
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        require_free(host, port)
        # The database and the mails hold health data: only the owner of the process reads them.
        os.umask(0o077)
        if prepare:
            self.stdout.write("Preparing the database and the files …")
            self.stdout.flush()
            self.prepare(verbosity=options["verbosity"] - 1)
        address = f"http://{'localhost' if host in {'127.0.0.1', '0.0.0.0'} else host}:{port}"  # noqa: S104
        environment = {
            **os.environ,
            "BASE_URL": os.environ.get("BASE_URL") or address,
            # Celery's caution against root is for servers; here it would hide the address.
            "PYTHONWARNINGS": "ignore:You're running the worker",
        }
        parts: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name, command in (("web", web(host, port)), ("worker", worker())):
                # A session of its own: Ctrl-C reaches this process, which ends the parts in order.
                parts[name] = subprocess.Popen(  # noqa: S603
                    command, cwd=settings.BASE_DIR, env=environment, start_new_session=True
                )
            self.watch(parts, f"http://{nearest(host)}:{port}/healthz", address)
        finally:
            stop(parts)

    def prepare(self, verbosity: int) -> None:
        call_command("migrate", interactive=False, verbosity=verbosity)
        call_command("createcachetable", verbosity=verbosity)
        if settings.DEMO:
            call_command("load_demo", "--if-empty", verbosity=verbosity)
        call_command("collectstatic", interactive=False, verbosity=verbosity)

    def watch(self, parts: dict[str, subprocess.Popen[bytes]], probe: str, address: str) -> None:
        """Until a signal ends it; raises when a part ended by itself."""
        greeted = False
        while True:
            for name, process in parts.items():
                if (code := process.poll()) is not None:
                    raise CommandError(f"The {name} ended by itself ({code}); stopped the rest.")
            if not greeted and answers(probe):
                greeted = True
                self.greet(address)
            time.sleep(0.2)

    def greet(self, address: str) -> None:
        self.stdout.write(self.style.SUCCESS(f"\nThe clinic is open: {address}/\n"))
        if settings.DEMO:
            self.stdout.write(f"Demo accounts, password {PASSWORD} for all:")
            for email, role in ACCOUNTS.items():
                self.stdout.write(f"  {email:<22} {role}")
            self.stdout.write(f"Mails that were sent: {address}/demo/correos/")
        self.stdout.write("Ctrl-C ends it.\n")
        self.stdout.flush()


def end(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C and TERM are the ordinary way to end: no traceback, exit code 0."""
    raise SystemExit(0)


def require_free(host: str, port: str) -> None:
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise CommandError(f"PORT={port!r}: write a number from 1 to 65535, for example 8000.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise CommandError(
                    f"--host {host}: no address of this machine ({error.strerror}). "
                    "Leave it out for this machine alone, or write 0.0.0.0 for all its addresses."
                ) from error
            raise CommandError(
                f"Port {port} is not free ({error.strerror}). "
                f"Choose another one: PORT={int(port) % 65535 + 1} make run"
            ) from error


def nearest(host: str) -> str:
    """Where this machine itself finds what is bound there."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104


def web(host: str, port: str) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "clinic.wsgi", "--bind", f"{host}:{port}"),
        *("--workers", "2", "--threads", "4", "--no-control-socket", "--log-level", "warning"),
        *("--graceful-timeout", "3"),
    ]


def worker() -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--app", "clinic", "--quiet", "worker", "--beat"),
        *("--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *("--schedule", str(Path(settings.VAR_DIR) / "celerybeat-schedule")),
    ]


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - our own address
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def stop(parts: dict[str, subprocess.Popen[bytes]]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C changes nothing
    for process in parts.values():
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for process in parts.values():
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
