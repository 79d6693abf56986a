"""What the pages cost, as ratios in one run: 1 is a logged-in page of 18 kB.

Makes a clinic of 400 practitioners and 500,000 appointments over three years in a
database of its own, then asks for the pages in turn with the page floor, in this one
process and through every middleware, so that a machine that slows down slows both.

The past's appointments come without cells and events: no page here reads them.

    make bench                              both databases, one after the other
    make bench-mariadb, make bench-sqlite   one of them
    make bench-later ON=mariadb             one, in the background, into var/bench/mariadb.txt
    .ci/bench.py --appointments 120000      a smaller past: nearly the same in less time
    .ci/bench.py --keep --only agenda       the clinic of the last run, one kind of page
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import itertools
import logging
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("VAR_DIR", str(ROOT / "var" / "bench"))
os.environ.setdefault("SECRET_KEY", "only-for-the-benchmark")
os.environ.setdefault("BASE_URL", "http://localhost")
os.environ.setdefault("LOG_LEVEL", "ERROR")
sys.path.insert(0, str(ROOT))

import django  # noqa: E402
from django.conf import settings  # noqa: E402

django.setup()
settings.ALLOWED_HOSTS = ["testserver"]
settings.STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# The broker is nobody's business here: a wake-up call would measure the disk.
settings.CELERY_TASK_ALWAYS_EAGER = False

from django.core.management import call_command  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import clear_url_caches, path  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Patient, PatientAccess, Practitioner, User  # noqa: E402
from appointments import busy_days  # noqa: E402
from appointments.models import Appointment, OccupancyCell, Resource, cells_of  # noqa: E402
from appointments.timetable import first_slots  # noqa: E402
from clinic import editions, policy, urls  # noqa: E402
from clinic.models import Location, Organization, Service, Specialty  # noqa: E402
from notifications import wake  # noqa: E402
from scheduling.almanac import Line, OpenMask  # noqa: E402
from scheduling.intervals import to_minute  # noqa: E402
from scheduling.models import Schedule, ServiceOffering, WorkingHours  # noqa: E402
from scheduling.selectors import Block, OpenTime  # noqa: E402
from scheduling.slots import Need, Ruler, bits  # noqa: E402

PRACTITIONERS, APPOINTMENTS, PATIENTS = 400, 500_000, 20_000
AHEAD, HORIZON = 60, 90
NO_LIMIT = 1000.0
#: A search asks so often, however many practitioners it looks at.
MOST_QUERIES = 8
ZONE = "America/Argentina/Buenos_Aires"
T = TypeVar("T")


# --- the clinic -------------------------------------------------------------------


def chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def write(model: type[models.Model], rows: Iterable[dict[str, Any]], size: int = 5000) -> None:
    """Past the models: half a million of them take longer to make than to write.

    Each row by the names of its columns, every row the same ones.
    """
    with connection.cursor() as cursor:
        for chunk in chunks(rows, size):
            names = list(chunk[0])
            fields = [model._meta.get_field(name) for name in names]
            columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
            marks = ", ".join(["%s"] * len(fields))
            sql = f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({marks})"  # noqa: S608
            ready = [field.get_db_prep_save for field in fields]
            values = [
                [prepare(row[name], connection) for prepare, name in zip(ready, names, strict=True)]
                for row in chunk
            ]
            cursor.executemany(sql, values)


@contextlib.contextmanager
def in_a_hurry() -> Iterator[None]:
    """Nothing here has to outlive a power cut."""
    settings_of = {
        "mysql": ("SET SESSION unique_checks = {0}, foreign_key_checks = {0}", (0, 1)),
        "sqlite": ("PRAGMA synchronous = {}", ("OFF", "NORMAL")),
    }
    sql, (hurry, normal) = settings_of[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql.format(hurry))
    yield
    with connection.cursor() as cursor:
        cursor.execute(sql.format(normal))


class Clinic:
    """Small first (20 practitioners, 1,000 appointments), then grown to its full size.

    Specialty "a" has 20 practitioners, "b" has 100, "c" is booked up for 60 days, "e" has 100
    who give four services each, the rest stands around and must not be felt.
    """

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.number = itertools.count(1)
        self.now = timezone.now().replace(second=0, microsecond=0)

    def begin(self) -> None:
        call_command("flush", interactive=False, verbosity=0)
        organization = Organization.current()
        organization.horizon_days = HORIZON
        # One account books more here than a clinic lets anybody.
        organization.most_ahead = organization.most_cancelled = 0
        organization.save()
        self.place = Location.objects.create(name="Centro", slug="centro", time_zone=ZONE)
        own, *self.others = self._patients()
        self.user = User.objects.create_user("bench@example.org", None, name="Bench")
        PatientAccess.objects.create(user=self.user, patient_id=own, relation="self")
        self.people: dict[str, list[Practitioner]] = {}

    def _patients(self) -> list[int]:
        rows = [
            Patient(first_name=f"Ana {n}", last_name=f"Gómez {n}", birth_date=dt.date(1990, 1, 1))
            for n in range(PATIENTS)
        ]
        for chunk in chunks(rows, 2000):
            Patient.objects.bulk_create(chunk)
        return list(Patient.objects.order_by("pk").values_list("pk", flat=True))

    def hire(self, name: str, number: int, services: int = 1) -> None:
        specialty = Specialty.objects.create(name=name, slug=name)
        given = [
            Service.objects.create(
                specialty=specialty, name=f"Consulta {name} {n}", slug=f"consulta-{name}-{n}"
            )
            for n in range(services)
        ]
        user = User.objects.create_user(f"doctor-{name}@example.org", None)
        self.people[name] = []
        for n in range(number):
            person = Practitioner.objects.create(
                first_name="Lucía",
                last_name=f"Ferreyra {name} {n}",
                slug=f"lucia-{name}-{n}",
                licence_number=f"{name}-{n}",
                user=None if n else user,
            )
            schedule = Schedule.objects.create(
                practitioner=person, location=self.place, slot_step=30
            )
            WorkingHours.objects.bulk_create(
                WorkingHours(schedule=schedule, weekday=day, start=start, end=end)
                for day in range(5)
                for start, end in ((dt.time(9), dt.time(13)), (dt.time(14), dt.time(18)))
            )
            for times, service in enumerate(given, 1):
                # Longer ones too: what fits is not the same for each.
                ServiceOffering.objects.create(
                    schedule=schedule, service=service, duration=None if times == 1 else times * 15
                )
            self.people[name].append(person)

    def go_on(self) -> None:
        """With what the last run left."""
        self.user = User.objects.get(email="bench@example.org")

    def book_ahead(self, name: str, *, days: int, daily: int) -> None:
        """``daily`` of 16 half hours on each working day."""
        service = Service.objects.filter(specialty__name=name).order_by("pk")[0]
        for person in self.people[name]:
            rows = [self._visit(person, service, at) for at in self._ahead(days, daily)]
            with transaction.atomic():
                write(Appointment, rows)
                write(OccupancyCell, self._cells(rows))
        self._note_busy_days(name)

    def fill_past(self, name: str, number: int) -> None:
        """So many visits of everybody over three years."""
        service = Service.objects.filter(specialty__name=name).order_by("pk")[0]
        for person in self.people[name]:
            with transaction.atomic():
                write(Appointment, self._past(person, service, number))
        self._note_busy_days(name)

    def _note_busy_days(self, name: str) -> None:
        today = to_minute(self.now) // busy_days.DAY_MINUTES
        # Few people at a time: each has up to a thousand days.
        for some in chunks(self.people[name], 10):
            with transaction.atomic():
                ids = [person.pk for person in some]
                busy_days.rebuild(ids, today - 1200, today + HORIZON + 2)

    def _cells(self, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The practitioner's; the patients are drawn by lot and may be in two places."""
        for row in rows:
            for cell in cells_of((to_minute(row["start"]), to_minute(row["end"]))):
                yield {
                    "resource": Resource.PRACTITIONER,
                    "resource_id": row["practitioner"],
                    "cell": cell,
                    "appointment": row["id"],
                }

    def _ahead(self, days: int, daily: int) -> Iterator[dt.datetime]:
        today = self.now.astimezone(self.place.zone).date()
        for n in range(1, days + 1):
            day = today + dt.timedelta(days=n)
            if day.weekday() < 5:
                for hour in sorted(self.random.sample(range(16), daily)):
                    yield self._at(day, hour)

    def _at(self, day: dt.date, half_hour: int) -> dt.datetime:
        minute = (9 if half_hour < 8 else 10) * 60 + half_hour * 30
        clock = dt.time(minute // 60, minute % 60)
        return dt.datetime.combine(day, clock, tzinfo=self.place.zone).astimezone(dt.UTC)

    def _past(
        self, person: Practitioner, service: Service, number: int
    ) -> Iterator[dict[str, Any]]:
        today = self.now.astimezone(self.place.zone).date()
        for n in range(number):
            day = today - dt.timedelta(days=1 + n % 1034)
            yield self._visit(person, service, self._at(day, n // 1034 % 16), "fulfilled")

    def _visit(
        self, person: Practitioner, service: Service, at: dt.datetime, status: str = "booked"
    ) -> dict[str, Any]:
        number = next(self.number)
        plain = {"buffer_before": 0, "buffer_after": 0, "overbooked": False}
        plain |= {"sequence": 0, "calendar_base": 0, "created_at": self.now}
        empty = {"reason": "", "cancellation_reason": "", "overbooking_reason": ""}
        return {
            "id": number,
            "public_id": uuid.UUID(int=self.random.getrandbits(128), version=4),
            # Half a million drawn by lot would meet.
            "reference": f"{number:08}",
            "patient": self.random.choice(self.others),
            "practitioner": person.pk,
            "service": service.pk,
            "location": self.place.pk,
            "start": at,
            "end": at + dt.timedelta(minutes=30),
            "local_date": at.astimezone(self.place.zone).date(),
            "status": status,
            "cancellable_until": at,
            **plain,
            **empty,
        }


# --- the stop-watch ---------------------------------------------------------------


def floor_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(FLOOR.render({"rows": range(290), "user": request.user}, request))


FLOOR = engines["django"].from_string(
    "{% extends 'base.html' %}{% block content %}<h1>{{ user.name }}</h1><ul>{% for row in rows %}"
    "<li>Martes 8 de diciembre de 2026, {{ row }}: consulta</li>{% endfor %}</ul>{% endblock %}"
)


class Watch:
    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.rows: list[tuple[str, float, float, int]] = []

    def ratio(
        self, what: str, limit: float, deed: Callable[[], Any], floor: Callable[[], Any]
    ) -> float:
        """The median of the ratios of both, asked in turn; how many queries the deed took."""
        deed(), floor()
        queries: list[str] = []
        with connection.execute_wrapper(counter(queries)):
            deed()
        pairs = [(clock(deed), clock(floor)) for _n in range(self.rounds)]
        found = statistics.median(d / f for d, f in pairs)
        self.rows.append((what, found, limit, len(queries)))
        most = f"at most {limit:4.1f}" if limit < NO_LIMIT else ""
        print(f"{what:50} {found:6.2f}  {most:12}  {len(queries):3} queries", flush=True)
        return found

    def growth(self, what: str, limit: float, found: float) -> None:
        self.rows.append((what, found, limit, 0))
        print(f"{what:50} {found:6.2f}   at most {limit:4.1f}", flush=True)

    def missed(self) -> list[str]:
        """What costs more than it may, in time or (a search) in queries."""
        return [
            what
            for what, found, limit, queries in self.rows
            if found > limit or (what.startswith("search") and queries > MOST_QUERIES)
        ]


def counter(queries: list[str]) -> Callable[..., Any]:
    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    return count


def clock(deed: Callable[[], Any]) -> float:
    before = time.perf_counter()
    deed()
    return time.perf_counter() - before


def page(client: Client, url: str) -> Callable[[], Any]:
    def ask() -> None:
        answer = client.get(url)
        assert answer.status_code == 200, (url, answer.status_code)

    return ask


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def bookings(client: Client, clinic: Clinic, number: int) -> Callable[[], Any]:
    """One POST after the other, each at a free time of its own, all found beforehand."""
    places = iter(list(itertools.islice(free_places(clinic), number)))

    def book() -> None:
        offering, start = next(places)
        answer = client.post(
            f"/reservar/?offering={offering}&start={start:%Y-%m-%dT%H:%MZ}",
            {"key": str(uuid.uuid4()), "same_day": "on"},
        )
        assert answer.status_code == 302, answer.status_code

    return book


def free_places(clinic: Clinic) -> Iterator[tuple[int, dt.datetime]]:
    offerings = list(
        ServiceOffering.objects.online().with_parts().filter(service__specialty__name="b")
    )
    taken: set[dt.datetime] = set()
    start = clinic.now + dt.timedelta(days=2)
    while True:
        found = first_slots(
            offerings, start=start, now=clinic.now, organization=Organization.current()
        )
        for one in found.values():
            if one.start not in taken:
                taken.add(one.start)
                yield one.offering.pk, one.start
        start += dt.timedelta(minutes=30)


def refusals(client: Client, clinic: Clinic, specialty: str) -> Callable[[], Any]:
    """A POST for a time that is taken: the first visit of somebody from the day after tomorrow."""
    soon = clinic.now + dt.timedelta(days=2)
    taken = Appointment.objects.filter(
        service__specialty__name=specialty, status="booked", start__gt=soon
    )
    visit = taken.order_by("start", "pk")[0]
    offering = ServiceOffering.objects.get(schedule__practitioner=visit.practitioner)
    url = f"/reservar/?offering={offering.pk}&start={visit.start:%Y-%m-%dT%H:%MZ}"

    def refused() -> None:
        answer = client.post(url, {"key": str(uuid.uuid4()), "same_day": "on"})
        assert answer.status_code == 409, answer.status_code

    return refused


def after_a_change(client: Client, url: str) -> Callable[[], Any]:
    """The same page as the first one of this process after somebody changed any rule."""
    ask = page(client, url)

    def deed() -> None:
        editions.renew()
        ask()

    return deed


def engine() -> None:
    """The pure arithmetic alone: thirty days of one practitioner, half full."""
    rng = random.Random(1)
    shifts = [(d * 1440 + 540, d * 1440 + 1080) for d in range(30)]
    busy = [
        (d * 1440 + 540 + 30 * n, d * 1440 + 570 + 30 * n)
        for d in range(30)
        for n in rng.sample(range(18), 9)
    ]
    lunch = [(d * 1440 + 780, d * 1440 + 840) for d in range(30)]
    rules = OpenTime(shifts, shifts, [Block(hour, "time_off", "", 1) for hour in lunch])

    def starts() -> list[int]:
        ruler = Ruler.of_days(shifts[0][0], shifts[-1][1])
        opened = OpenMask.of(rules, ruler, 15)
        line = Line.of(opened, ruler, busy={1: ruler.touched(busy)}, here=1, travel=0)
        return [ruler.minute(bit) for bit in bits(line.starts(Need(30, 5, 5)))]

    found = starts()
    took = statistics.median(clock(starts) for _n in range(200))
    rate, micro = len(found) / took, took * 1e6
    say(f"The engine alone: {rate:,.0f} slots a second ({micro:.0f} µs for 30 days of one person)")


def engine_share(client: Client, url: str) -> None:
    """How much of the search of 100 the arithmetic takes, from the masks to the chosen starts."""
    spent: list[float] = []
    reckon = Line.starts

    def timed(line: Any, need: Any) -> int:
        before = time.perf_counter()
        found = reckon(line, need)
        spent.append(time.perf_counter() - before)
        return found

    ask, shares = page(client, url), []
    Line.starts = timed  # type: ignore[method-assign]
    for _n in range(20):
        spent.clear()
        whole = clock(ask)
        shares.append(sum(spent) / whole)
    Line.starts = reckon  # type: ignore[method-assign]
    share = statistics.median(shares)
    print(f"{'its share of the search of 100 practitioners':50} {share:6.1%}  ({len(spent)} runs)")


def create_database() -> None:
    """On MySQL or MariaDB the benchmark makes its own database, beside the clinic's."""
    if connection.vendor != "mysql":
        return
    import MySQLdb  # noqa: PLC0415 (only where it is installed for)

    there = connection.settings_dict
    with MySQLdb.connect(
        host=there["HOST"],
        port=int(there["PORT"] or 3306),
        user=there["USER"],
        password=there["PASSWORD"],
    ) as server:
        server.cursor().execute(
            f"CREATE DATABASE IF NOT EXISTS `{there['NAME']}` COLLATE utf8mb4_bin"
        )


def grow(clinic: Clinic, watch: Watch, appointments: int, measured: bool) -> None:
    """The clinic from small to full, and what a search of 20 practitioners feels of it."""
    one = "/horarios/?what=a"

    def measure() -> float:
        floor, ask = page(client, "/floor/"), page(client, one)
        return watch.ratio("search, 20 practitioners", NO_LIMIT, ask, floor) if measured else 0

    say(f"{connection.vendor}: a clinic of 20 practitioners and 1,000 appointments")
    clinic.begin()
    clinic.hire("a", 20)
    clinic.book_ahead("a", days=14, daily=5)
    client = login(clinic.user)
    small = measure()

    say(f"The same, among {PRACTITIONERS} practitioners")
    clinic.hire("b", 100)
    clinic.hire("c", 20)
    clinic.hire("e", 100, services=4)
    clinic.hire("d", PRACTITIONERS - 240)
    wide = measure()

    say(f"The same, with {appointments:,} appointments (takes a while)")
    before = time.perf_counter()
    with in_a_hurry():
        for name, daily in (("b", 6), ("c", 16), ("d", 6), ("e", 6)):
            clinic.book_ahead(name, days=AHEAD, daily=daily)
        past = -(-max(appointments - Appointment.objects.count(), 0) // PRACTITIONERS)
        for name in clinic.people:
            clinic.fill_past(name, past)
    analyze()
    print(f"{Appointment.objects.count():,} appointments, {time.perf_counter() - before:.0f} s")
    full = measure()
    if measured:
        watch.growth("400 practitioners instead of 20", 1.3, wide / small)
        watch.growth("the appointments instead of 1,000", 1.2, full / wide)


def analyze() -> None:
    """So that the planner of queries knows how much there is now."""
    tables = " TABLE appointments_appointment, appointments_busyday"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" + (tables if connection.vendor == "mysql" else ""))


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def searches(clinic: Clinic, watch: Watch) -> None:
    client = login(clinic.user)
    ask, floor = page(client, "/horarios/?what=b"), page(client, "/floor/")
    any_service = page(client, "/horarios/?what=e")
    full = page(client, "/horarios/?what=c")
    changed = after_a_change(client, "/horarios/?what=b")
    watch.ratio("search, 100 practitioners, first page", 2.0, ask, floor)
    watch.ratio("the same, any of four services", 2.0, any_service, floor)
    watch.ratio("the same, first time after a change of the rules", NO_LIMIT, changed, floor)
    watch.ratio("search, 20 practitioners booked up for 60 days", 4.0, full, floor)


def one_practitioner(clinic: Clinic, watch: Watch) -> None:
    client = login(clinic.user)
    floor = page(client, "/floor/")
    some, none = (page(client, f"/horarios/?who=lucia-{name}-3") for name in "bc")
    watch.ratio("one practitioner's next free times", 1.4, some, floor)
    watch.ratio("one practitioner, booked up for 60 of 90 days", 1.4, none, floor)


def agendas(clinic: Clinic, watch: Watch) -> None:
    """The floor is asked by the same practitioner."""
    doctor = login(User.objects.get(email="doctor-b@example.org"))
    floor = page(doctor, "/floor/")
    day = (clinic.now + dt.timedelta(days=(7 - clinic.now.weekday()) % 7 + 1)).date()
    year, week, _day = day.isocalendar()
    watch.ratio("agenda of a day", 1.4, page(doctor, f"/agenda/{day}/"), floor)
    watch.ratio("agenda of a week", 1.6, page(doctor, f"/agenda/semana/{year}-W{week:02}/"), floor)


def one_booking(clinic: Clinic, watch: Watch) -> None:
    client = login(clinic.user)
    book = bookings(client, clinic, watch.rounds + 2)
    what = "booking (one POST, all guards, event, outbox)"
    cost = watch.ratio(what, 100 / 14, book, page(client, "/floor/"))
    print(f"{'bookings for every 100 page floors':50} {100 / cost:6.1f}   at least 14")


def one_refusal(clinic: Clinic, watch: Watch) -> None:
    """What somebody gets whose time another was quicker to take."""
    client = login(clinic.user)
    for name, what in (("b", "100 practitioners half booked"), ("c", "20 booked up for 60 days")):
        refused = refusals(client, clinic, name)
        watch.ratio(f"refusal, {what}", NO_LIMIT, refused, page(client, "/floor/"))


def the_engine(clinic: Clinic, _watch: Watch) -> None:
    engine()
    engine_share(login(clinic.user), "/horarios/?what=b")


PARTS: dict[str, Callable[[Clinic, Watch], None]] = {
    "search": searches,
    "one": one_practitioner,
    "agenda": agendas,
    "booking": one_booking,
    "refusal": one_refusal,
    "engine": the_engine,
}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=60)
    arguments.add_argument("--appointments", type=int, default=APPOINTMENTS)
    arguments.add_argument("--only", nargs="+", choices=["growth", *PARTS], metavar="PART")
    arguments.add_argument("--keep", action="store_true", help="the clinic of the last run")
    options = arguments.parse_args()
    Path(os.environ["VAR_DIR"]).mkdir(parents=True, exist_ok=True)
    # A refusal is a warning in the log; here there are hundreds.
    logging.disable(logging.WARNING)
    wake.wake = lambda ids: None  # type: ignore[assignment]
    policy.POLICY["floor"] = policy.logged_in()
    urls.urlpatterns.append(path("floor/", floor_view, name="floor"))
    clear_url_caches()
    create_database()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)

    clinic, watch = Clinic(), Watch(options.rounds)
    wanted = options.only or ["growth", *PARTS]
    if options.keep:
        clinic.go_on()
    else:
        grow(clinic, watch, options.appointments, measured="growth" in wanted)
    client = login(clinic.user)
    size = len(client.get("/floor/").content) / 1000
    took = statistics.median(clock(page(client, "/floor/")) for _n in range(20)) * 1000
    say(f"The pages ({connection.vendor}); the page floor: {size:.1f} kB, {took:.1f} ms here")
    for name, part in PARTS.items():
        if name in wanted:
            part(clinic, watch)
    missed = watch.missed()
    say("Missed: " + "; ".join(missed) if missed else "Every limit is kept.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
