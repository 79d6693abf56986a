"""What the great proofs share: a clinic in an empty database, the real server, visitors.

Imported once Django is set up. What it says is printed; what is broken is counted.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import os
import random
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Patient, PatientAccess, Practitioner, User
from clinic.models import Location, Organization, Room, Service, Specialty
from scheduling.models import Schedule, ServiceOffering, WorkingHours

ROOT = Path(__file__).resolve().parent.parent
PRACTITIONERS, DAYS, PATIENTS, ROOMS = 5, 5, 200, 2
LENGTHS = range(15, 65, 5)
OPENS, CLOSES = dt.time(9), dt.time(17)
#: One of so many sessions is an administrator's.
ADMINISTRATORS = 10
ZONE = "America/Argentina/Buenos_Aires"


# --- the clinic -------------------------------------------------------------------


def create_database() -> None:
    """A fresh one: what an earlier race left is thrown away."""
    import MySQLdb  # noqa: PLC0415

    there = settings.DATABASES["default"]
    name = there["NAME"]
    with contextlib.closing(
        MySQLdb.connect(
            host=there["HOST"] or "127.0.0.1",
            port=int(there["PORT"] or 3306),
            user=there["USER"],
            password=there["PASSWORD"],
        )
    ) as server:
        cursor = server.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        cursor.execute(f"CREATE DATABASE `{name}` COLLATE utf8mb4_bin")
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


class Clinic:
    def __init__(self) -> None:
        organization = Organization.current()
        # Whether times are kept apart is asked here, not how many one person may have.
        organization.most_ahead = organization.most_cancelled = 0
        organization.save()
        self.place = Location.objects.create(name="Centro", slug="centro", time_zone=ZONE)
        self.rooms = [
            Room.objects.create(location=self.place, name=f"Consultorio {n}") for n in range(ROOMS)
        ]
        specialty = Specialty.objects.create(name="Clínica", slug="clinica")
        services = [
            Service.objects.create(
                specialty=specialty, name=f"Consulta de {n}", slug=f"consulta-{n}"
            )
            for n in LENGTHS
        ]
        self.offerings = [
            one for n in range(PRACTITIONERS) for one in self._practitioner(n, services)
        ]
        self.people = [self._patient(n) for n in range(PATIENTS)]
        self.bosses = [
            User.objects.create_user(f"boss-{n}@example.org", None, is_staff=True)
            for n in range(ADMINISTRATORS)
        ]

    def _practitioner(self, n: int, services: list[Service]) -> list[ServiceOffering]:
        person = Practitioner.objects.create(
            first_name="Lucía", last_name=f"Ferreyra {n}", slug=f"lucia-{n}", licence_number=str(n)
        )
        schedule = Schedule.objects.create(practitioner=person, location=self.place, slot_step=5)
        WorkingHours.objects.bulk_create(
            WorkingHours(schedule=schedule, weekday=day, start=OPENS, end=CLOSES)
            for day in range(7)
        )
        return [
            ServiceOffering.objects.create(
                schedule=schedule, service=service, duration=int(service.slug.split("-")[1])
            )
            for service in services
        ]

    def _patient(self, n: int) -> tuple[User, Patient]:
        user = User.objects.create_user(f"patient-{n}@example.org", None)
        patient = Patient.objects.create(
            first_name="Ana", last_name=f"Gómez {n}", birth_date=dt.date(1990, 1, 1)
        )
        PatientAccess.objects.create(user=user, patient=patient, relation="self")
        return user, patient


@dataclass(frozen=True, slots=True)
class Wish:
    """One attempt: what somebody wants, and when, in minutes since 1970."""

    offering: ServiceOffering
    start: dt.datetime
    patient: Patient
    room: Room | None = None

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        return self.start, self.start + dt.timedelta(minutes=self.offering.minutes)

    @property
    def keys(self) -> set[tuple[str, int]]:
        """Whose time it takes."""
        taken = {
            ("practitioner", self.offering.schedule.practitioner_id),
            ("patient", self.patient.pk),
        }
        return taken | ({("room", self.room.pk)} if self.room else set())


def some_start(rng: random.Random, place: Location, first: dt.date) -> dt.datetime:
    day = first + dt.timedelta(days=rng.randrange(DAYS))
    minute = 5 * rng.randrange((CLOSES.hour - OPENS.hour) * 12)
    opens = dt.datetime.combine(day, OPENS, tzinfo=place.zone)
    return (opens + dt.timedelta(minutes=minute)).astimezone(dt.UTC)


# --- the server and who visits it -------------------------------------------------


@contextlib.contextmanager
def serving(application: str) -> Iterator[int]:
    """gunicorn as in production; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", "4", "--threads", "8", "--no-control-socket"]
    command += ["--log-level", "error", "--keep-alive", "60"]
    said = Path(os.environ["VAR_DIR"]) / "server.log"
    with said.open("w") as log, subprocess.Popen(command, cwd=ROOT, stderr=log) as server:
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    for _n in range(120):
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            if connection.getresponse().status == 200:
                return
        time.sleep(0.5)
    raise SystemExit("The server does not answer.")


@dataclass(slots=True)
class Answer:
    wish: Wish
    status: int
    made: str
    seconds: float


@dataclass(slots=True)
class Session:
    """A browser of one person: its cookies, its token, one connection that stays open."""

    user: User
    port: int
    answers: list[Answer] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    connection: http.client.HTTPConnection | None = None

    def log_in(self) -> None:
        client = Client()
        client.force_login(self.user)
        self.cookies["sessionid"] = client.cookies["sessionid"].value

    def ask(
        self, method: str, url: str, fields: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        headers = {
            "Host": "localhost",
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode(fields | {"csrfmiddlewaretoken": self.token}) if fields else None
        for last in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                self.connection.request(method, url, body, headers)
                response = self.connection.getresponse()
                text = response.read().decode()
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                # A connection that was kept and is gone: browsers send it once more.
                self.connection.close()
                self.connection = None
                if last:
                    raise
            else:
                for cookie in response.headers.get_all("Set-Cookie") or []:
                    name, _mark, value = cookie.partition(";")[0].partition("=")
                    self.cookies[name] = value
                return response.status, response.headers.get("Location", ""), text
        raise AssertionError

    def open_form(self, wish: Wish) -> None:
        """The page with the form gives the token that every button needs."""
        page = "/admin/appointments/appointment/add/" if self.user.is_staff else book_url(wish)
        _status, _where, text = self.ask("GET", page)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
        if not found:
            raise SystemExit(f"No form at {page}: {text[:500]}")
        self.token = found[1]

    def send(self, wish: Wish) -> None:
        before = time.perf_counter()
        try:
            if self.user.is_staff:
                status, made = self._administer(wish)
            else:
                status, made = self._book(wish)
        except OSError as error:
            status, made = 0, repr(error)
        self.answers.append(Answer(wish, status, made, time.perf_counter() - before))

    def _book(self, wish: Wish) -> tuple[int, str]:
        fields = {"key": str(uuid.uuid4()), "same_day": "on", "reason": ""}
        status, where, _text = self.ask("POST", book_url(wish), fields)
        found = re.fullmatch(r"/turnos/([0-9a-f-]{36})/", where)
        return status, found[1] if found else ""

    def _administer(self, wish: Wish) -> tuple[int, str]:
        local = wish.start.astimezone(wish.offering.location.zone)
        fields = {
            "patient": str(wish.patient.pk),
            "practitioner": str(wish.offering.schedule.practitioner_id),
            "service": str(wish.offering.service_id),
            "location": "",
            "day": f"{local:%Y-%m-%d}",
            "time": f"{local:%H:%M}",
            "room": str(wish.room.pk) if wish.room else "",
            "reason": "",
            "request_key": str(uuid.uuid4()),
        }
        status, where, _text = self.ask("POST", "/admin/appointments/appointment/add/", fields)
        found = re.fullmatch(r"/admin/appointments/appointment/(\d+)/change/", where)
        return status, found[1] if found else ""


def book_url(wish: Wish) -> str:
    query = {"offering": str(wish.offering.pk), "start": f"{wish.start:%Y-%m-%dT%H:%MZ}"}
    return "/reservar/?" + urlencode(query)


# --- what has to be true ----------------------------------------------------------


def integrity() -> str:
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            call_command("check_integrity", stdout=nowhere)
    except CommandError as error:
        return str(error)
    return ""


class Verdict:
    def __init__(self) -> None:
        self.broken = 0

    def expect(self, holds: bool, text: str) -> None:
        self.broken += not holds
        print(("  ok      " if holds else "  BROKEN  ") + text, flush=True)
