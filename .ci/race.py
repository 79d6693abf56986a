"""Many people at the real server at once: no double booking, no 500, no free time refused.

Starts gunicorn on a database of its own and sends it what browsers send, with sessions
and CSRF tokens: patients book online, administrators in the administration and into
rooms. Then 200 people press the button of one time. Then the same crowd meets a site
without its guards, and has to find overlaps there: else the proof proves nothing.

    make race
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import itertools
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
SERVER_URL = os.environ.get("TEST_DATABASE_URL", "mysql://root@127.0.0.1:3306/clinic")
RED = "red" in sys.argv[1:2]
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "clinic.settings",
    "ENV_FILE": os.devnull,
    "DATABASE_URL": SERVER_URL + ("_race_red" if RED else "_race"),
    "VAR_DIR": str(ROOT / "var" / "race"),
    "SECRET_KEY": "only-for-the-race-" * 3,
    "BASE_URL": "http://localhost",
    "ALLOWED_HOSTS": "localhost",
    "LOG_LEVEL": "ERROR",
}
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import CommandError, call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Patient, PatientAccess, Practitioner, User  # noqa: E402
from appointments.models import Appointment  # noqa: E402
from clinic.models import Location, Organization, Room, Service, Specialty  # noqa: E402
from scheduling.models import Schedule, ServiceOffering, WorkingHours  # noqa: E402

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


def crowd(sessions: list[Session], wishes: list[list[Wish]]) -> list[Answer]:
    """Everybody logs in and opens the form; then all of them send at once."""
    for session, own in zip(sessions, wishes, strict=True):
        session.log_in()
        session.open_form(own[0])
    gate = threading.Barrier(len(sessions))

    def work(session: Session, own: list[Wish]) -> None:
        gate.wait()
        for wish in own:
            session.send(wish)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(sessions, wishes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for session in sessions for answer in session.answers]


# --- what has to be true ----------------------------------------------------------


def overlaps() -> Counter[str]:
    """Pairs that share somebody's time, from the appointments alone."""
    found: Counter[str] = Counter({"practitioner": 0, "patient": 0, "room": 0})
    live = list(Appointment.objects.occupying().order_by("start"))
    for name in found:
        of: dict[int, list[Appointment]] = {}
        for one in live:
            if (owner := getattr(one, f"{name}_id")) is not None:
                of.setdefault(owner, []).append(one)
        for rows in of.values():
            for a, b in itertools.combinations(rows, 2):
                found[name] += a.start < b.end and b.start < a.end
    return found


def refused_though_free(answers: list[Answer]) -> list[Answer]:
    """Nothing is cancelled here: a time that is free at the end was free when it was refused."""
    taken: dict[tuple[str, int], list[tuple[dt.datetime, dt.datetime]]] = {}
    for row in Appointment.objects.occupying():
        for name in ("practitioner", "patient", "room"):
            taken.setdefault((name, getattr(row, f"{name}_id")), []).append((row.start, row.end))

    def is_free(wish: Wish) -> bool:
        start, end = wish.span
        return all(
            end <= s or e <= start for key in wish.keys for s, e in taken.get(key, [])
        ) and end <= _closes(wish)

    return [a for a in answers if not a.made and is_free(a.wish)]


def _closes(wish: Wish) -> dt.datetime:
    local = wish.start.astimezone(wish.offering.location.zone)
    return dt.datetime.combine(local.date(), CLOSES, tzinfo=wish.offering.location.zone)


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


def filled(answers: list[Answer], verdict: Verdict) -> None:
    made = sum({a.made: a.wish.offering.minutes for a in answers if a.made}.values())
    lost = refused_though_free(answers)
    could = made + sum(a.wish.offering.minutes for a in lost)
    share = made / could if could else 0
    verdict.expect(
        share >= 0.99, f"{share:.2%} of what could be filled is filled ({len(lost)} lost)"
    )


def shown_is_there(answers: list[Answer]) -> bool:
    shown = [a.made for a in answers if a.made]
    there = Appointment.objects.all()
    public = {str(pk) for pk in there.values_list("public_id", flat=True)}
    private = {str(pk) for pk in there.values_list("pk", flat=True)}
    known = public | private
    # Whoever asks for their own visit once more is shown it once more.
    return all(one in known for one in shown) and len(set(shown)) == len(public)


# --- the three races --------------------------------------------------------------


def many(clinic: Clinic, port: int, options: Any) -> list[Answer]:
    """Everybody wants something of the same five practitioners in the same five days."""
    rng = random.Random(options.seed)
    first = timezone.now().astimezone(clinic.place.zone).date() + dt.timedelta(days=2)
    visitors = [user for user, _patient in clinic.people[: options.sessions - ADMINISTRATORS]]
    sessions = [Session(user, port) for user in (*clinic.bosses, *visitors)]
    own = {user.pk: patient for user, patient in clinic.people}
    wishes: list[list[Wish]] = [[] for _n in sessions]
    for n in range(options.attempts):
        at = n % len(sessions)
        user = sessions[at].user
        wishes[at].append(
            Wish(
                rng.choice(clinic.offerings),
                some_start(rng, clinic.place, first),
                rng.choice(clinic.people)[1] if user.is_staff else own[user.pk],
                rng.choice(clinic.rooms) if user.is_staff else None,
            )
        )
    return crowd(sessions, wishes)


def one_slot(clinic: Clinic, port: int) -> list[Answer]:
    """Two hundred people, one time."""
    first = timezone.now().astimezone(clinic.place.zone).date() + dt.timedelta(days=2 + DAYS)
    start = dt.datetime.combine(first, dt.time(10), tzinfo=clinic.place.zone).astimezone(dt.UTC)
    sessions = [Session(user, port) for user, _patient in clinic.people]
    offering = clinic.offerings[0]
    wishes = [[Wish(offering, start, patient)] for _user, patient in clinic.people]
    return crowd(sessions, wishes)


def told(answers: list[Answer], took: float) -> None:
    seconds = sorted(a.seconds for a in answers)
    print(
        f"  {len(answers):,} attempts in {took:.0f} s ({len(answers) / took:.0f}/s), answers: "
        + ", ".join(f"{n:,} × {status}" for status, n in Counter(a.status for a in answers).items())
        + f"; median {statistics.median(seconds):.2f} s, "
        f"99 % within {seconds[int(len(seconds) * 0.99)]:.2f} s",
        flush=True,
    )


def timed(race: Callable[[], list[Answer]]) -> list[Answer]:
    before = time.perf_counter()
    answers = race()
    told(answers, time.perf_counter() - before)
    return answers


def guarded(options: Any) -> int:
    verdict = Verdict()
    clinic = Clinic()
    with serving("clinic.wsgi") as port:
        print(f"{options.sessions} sessions at {PRACTITIONERS} practitioners, with the guard:")
        answers = timed(lambda: many(clinic, port, options))
        verdict.expect({a.status for a in answers} <= {302, 409}, "every answer is a yes or a no")
        verdict.expect(
            all(bool(a.made) == (a.status == 302) for a in answers), "a yes names what it made"
        )
        verdict.expect(shown_is_there(answers), "every success shown is in the database")
        verdict.expect(not sum(overlaps().values()), f"overlaps: {dict(overlaps())}")
        filled(answers, verdict)
        print(f"{PATIENTS} people at one time:")
        made = [a for a in timed(lambda: one_slot(clinic, port)) if a.made]
        verdict.expect(len(made) == 1, f"appointments: {len(made)}")
    verdict.expect(not sum(overlaps().values()), f"overlaps: {dict(overlaps())}")
    problem = integrity()
    verdict.expect(not problem, problem or "check_integrity: every promise holds")
    return verdict.broken


def unguarded(options: Any) -> int:
    verdict = Verdict()
    clinic = Clinic()
    with serving("clinic.tests.unguarded:application") as port:
        print("The same crowd where nothing guards (this has to find overlaps):")
        timed(lambda: many(clinic, port, options))
    found = overlaps()
    verdict.expect(bool(sum(found.values())), f"overlaps are found: {dict(found)}")
    verdict.expect(bool(integrity()), "check_integrity finds them too")
    return verdict.broken


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("site", choices=["guarded", "red"])
    arguments.add_argument("--attempts", type=int, default=10_000)
    arguments.add_argument("--sessions", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=20261123)
    options = arguments.parse_args()
    Path(os.environ["VAR_DIR"]).mkdir(parents=True, exist_ok=True)
    create_database()
    return 1 if (unguarded if RED else guarded)(options) else 0


if __name__ == "__main__":
    sys.exit(main())
