"""Whatever sends mail is killed, frozen, flushed: every message arrives, and once.

Starts a MariaDB, a Redis and a mail server of its own in an empty folder, gunicorn, two
workers and a scheduler as in production. Workers and their children are killed while
messages are owed; then one part after the other fails while visitors book. At the end what
the mail server took is held against the outbox.

    make chaos                                  (20 minutes)
    make chaos CHAOS="--kills 20 --messages 300 --seconds 6"
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "chaos"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


DATABASE, REDIS, SMTP = free_port(), free_port(), free_port()
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "clinic.settings",
    "ENV_FILE": os.devnull,
    "DATABASE_URL": f"mysql://root@127.0.0.1:{DATABASE}/chaos",
    "REDIS_URL": f"redis://127.0.0.1:{REDIS}/0",
    "EMAIL_URL": f"smtp://127.0.0.1:{SMTP}",
    "VAR_DIR": str(FOLDER),
    "SECRET_KEY": "only-for-the-chaos-" * 3,
    "BASE_URL": "http://localhost",
    "ALLOWED_HOSTS": "localhost",
    "LOG_LEVEL": "WARNING",
}
sys.path.insert(0, str(ROOT))

import django  # noqa: E402

django.setup()

import redis  # noqa: E402
from django.db import DatabaseError, connection  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402
from stage import (  # noqa: E402
    CLOSES,
    OPENS,
    PRACTITIONERS,
    Clinic,
    Session,
    Verdict,
    Wish,
    book_url,
    create_database,
    integrity,
    serving,
    some_start,
)

from accounts.models import Practitioner, User  # noqa: E402
from accounts.roles import Actor, Role  # noqa: E402
from appointments import services  # noqa: E402
from notifications.letters import message_id  # noqa: E402
from notifications.models import Notification, State  # noqa: E402
from scheduling.models import ServiceOffering  # noqa: E402

PAGE_LIMIT, RECOVERY_LIMIT, REPEATS_LIMIT = 2.0, 60.0, 5
WORKERS, VISITORS = 2, 4
#: From so many pages on, one of a hundred can be spoken of.
ENOUGH_PAGES = 100
#: Between two appointments that are given while something fails (seconds).
PACE = 0.7
#: The day on which the appointments of the first part begin; visitors book before it.
FAR = 14
OPEN_STATES = [State.PENDING, State.SENDING]


#: When it was asked for, how long it took, with which status.
Page = tuple[float, float, int]


# --- the parts --------------------------------------------------------------------


class Part:
    """A process that can be ended, killed, frozen and started again."""

    def __init__(self, name: str, command: list[str], port: int = 0) -> None:
        self.name, self.command, self.port = name, command, port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (FOLDER / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        if self.port:
            wait_for(lambda: listens(self.port), f"{self.name} to listen")

    def send(self, number: int) -> None:
        """To the process and its children."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self.process is None:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.process.wait()
        self.process = None

    def children(self) -> list[int]:
        assert self.process is not None
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                after_name = stat.read_text().rpartition(")")[2].split()
                if int(after_name[1]) == self.process.pid:
                    found.append(int(stat.parent.name))
        return found


class Works:
    """Everything that runs, and the switch of the mail server."""

    def __init__(self) -> None:
        data = FOLDER / "database"
        self.database = Part("mariadb", [
            "mariadbd", "--no-defaults", f"--datadir={data}", f"--port={DATABASE}",
            "--bind-address=127.0.0.1", f"--socket={FOLDER / 'mariadb.sock'}",
            f"--pid-file={FOLDER / 'mariadb.pid'}", "--user=root", "--innodb-buffer-pool-size=256M",
        ], DATABASE)  # fmt: skip
        self.redis = Part("redis", [
            "redis-server", "--port", str(REDIS), "--save", "", "--dir", str(FOLDER),
        ], REDIS)  # fmt: skip
        sink = str(Path(__file__).with_name("sink.py"))
        self.smtp = Part("sink", [sys.executable, sink, str(SMTP), str(FOLDER)], SMTP)
        celery = [sys.executable, "-m", "celery", "--app", "clinic"]
        self.workers = [
            Part(f"worker-{n}", [
                *celery, "worker", "--concurrency", "2", "--loglevel", "WARNING",
                "--hostname", f"chaos-{n}@%h",
            ]) for n in range(WORKERS)
        ]  # fmt: skip
        self.clocks = [
            Part(f"beat-{n}", [
                *celery, "beat", "--loglevel", "WARNING", "--schedule", str(FOLDER / f"beat-{n}"),
                "--pidfile", "",
            ]) for n in range(2)
        ]  # fmt: skip
        self.mode("well")

    def mode(self, name: str) -> None:
        """In one step: the mail server never reads half of it."""
        draft = FOLDER / "mode.draft"
        draft.write_text(name)
        draft.replace(FOLDER / "mode")

    @property
    def parts(self) -> list[Part]:
        return [*self.clocks, *self.workers, self.smtp, self.redis, self.database]

    def stop(self) -> None:
        for part in self.parts:
            part.stop()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(true: Callable[[], object], what: str, seconds: float = 120) -> float:
    """How long it took."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"Waited {seconds:.0f} s in vain for {what}.")
        time.sleep(0.1)
    return time.monotonic() - began


def install() -> None:
    for program in ("mariadb-install-db", "mariadbd", "redis-server"):
        if not shutil.which(program):
            raise SystemExit(f"Needs the program {program} (install it).")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", f"--datadir={FOLDER / 'database'}", "--user=root",
         "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


# --- what is owed, and what has arrived -------------------------------------------


def open_rows(until: dt.datetime) -> int | None:
    """How many messages that were due by then are still not out; None without a database."""
    try:
        due = Notification.objects.filter(due_at__lte=until, state__in=OPEN_STATES)
        return due.count()
    except DatabaseError:
        connection.close()
        return None


def arrived() -> list[tuple[float, str]]:
    """When the mail server took which Message-ID."""
    file = FOLDER / "mails"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(float(when), name) for when, name, _to in (line.split("\t") for line in lines)]


def repeats(since: float, until: float) -> int:
    """Mails that came once more in this stretch of time."""
    seen: set[str] = set()
    count = 0
    for when, name in arrived():
        count += name in seen and since <= when < until
        seen.add(name)
    return count


class Booker:
    """Gives appointments far ahead, each at a time of its own: two messages due at once."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.offerings = list(ServiceOffering.objects.with_parts().filter(duration=15))
        assert len(self.offerings) == PRACTITIONERS
        self.made = 0
        self.turn = threading.Lock()
        self.times = self._times()

    def _times(self) -> Iterator[tuple[Any, dt.datetime]]:
        day = timezone.now().astimezone(self.clinic.place.zone).date() + dt.timedelta(days=FAR)
        quarters = (CLOSES.hour - OPENS.hour) * 4
        while True:
            opens = dt.datetime.combine(day, OPENS, tzinfo=self.clinic.place.zone)
            for quarter in range(quarters):
                for offering in self.offerings:
                    yield offering, opens + dt.timedelta(minutes=15 * quarter)
            day += dt.timedelta(days=1)

    def book(self) -> None:
        with self.turn:
            offering, start = next(self.times)
            _user, patient = self.clinic.people[self.made % len(self.clinic.people)]
            self.made += 1
        desk = Actor(None, Role.RECEPTION)
        services.book(offering=offering, patient=patient, start=start, by=desk)

    @contextlib.contextmanager
    def at_an_even_pace(self) -> Iterator[None]:
        """Two messages and more each second, also while the database is away."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(PACE):
                try:
                    self.book()
                except DatabaseError:
                    connection.close()
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


# --- visitors ---------------------------------------------------------------------


class Visitors:
    """A handful of patients who look for times and book, all the while."""

    def __init__(self, clinic: Clinic, port: int) -> None:
        self.clinic, self.port = clinic, port
        self.over = threading.Event()
        self.answers: list[Page] = []
        self.threads = [threading.Thread(target=self._visit, args=(n,)) for n in range(VISITORS)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _visit(self, n: int) -> None:
        rng = random.Random(n)
        user, patient = self.clinic.people[n]
        session = Session(user, self.port)
        session.log_in()
        first = timezone.now().astimezone(self.clinic.place.zone).date() + dt.timedelta(days=2)
        while not self.over.is_set():
            start = some_start(rng, self.clinic.place, first)
            wish = Wish(rng.choice(self.clinic.offerings), start, patient)
            times = f"{reverse('appointments:times')}?what=clinica"
            self._timed(lambda: session.ask("GET", times)[0])  # noqa: B023 - called at once
            self._timed(lambda: self._open(session, wish))  # noqa: B023
            if session.token:
                self._timed(lambda: session._book(wish)[0])  # noqa: B023
            self.over.wait(rng.uniform(0.2, 1.0))
        connection.close()

    def _open(self, session: Session, wish: Wish) -> int:
        status, _where, text = session.ask("GET", book_url(wish))
        _before, found, after = text.partition('name="csrfmiddlewaretoken" value="')
        session.token = after.partition('"')[0] if found else session.token
        return status

    def _timed(self, ask: Callable[[], int]) -> None:
        before = time.time()
        try:
            status = ask()
        except OSError:
            status = 0
        self.answers.append((before, time.time() - before, status))

    def between(self, since: float, until: float) -> list[Page]:
        return [answer for answer in list(self.answers) if since <= answer[0] < until]


def p99(answers: list[Page]) -> float:
    seconds = sorted(answer[1] for answer in answers)
    return seconds[min(int(len(seconds) * 0.99), len(seconds) - 1)] if seconds else 0.0


# --- the faults -------------------------------------------------------------------


class Faults:
    def __init__(self, works: Works, booker: Booker, seconds: float) -> None:
        self.works, self.booker, self.seconds = works, booker, seconds

    def each(self) -> Iterator[tuple[str, Callable[[], None]]]:
        yield "nothing fails", self._pass
        yield "Redis killed", lambda: self._down(self.works.redis)
        yield "Redis frozen", lambda: self._frozen(self.works.redis)
        yield "Redis flushed", self._flushed
        yield "Redis full", self._full
        yield "mail server down", lambda: self._down(self.works.smtp)
        yield "mail server frozen", lambda: self._frozen(self.works.smtp)
        for mode in ("slow", "421", "451", "550", "dropped in DATA", "dropped before 250"):
            yield f"mail server: {mode}", lambda mode=mode: self._mode(mode)  # type: ignore[misc]
        yield "database restarted", lambda: self._no_database(signal.SIGTERM)
        yield "database killed", lambda: self._no_database(signal.SIGKILL)
        yield "two schedulers", self._two_clocks
        yield "scheduler dead for three hours", self._no_clock

    def _pass(self) -> None:
        time.sleep(self.seconds)

    def _down(self, part: Part, number: int = signal.SIGKILL) -> None:
        part.stop(number)
        self._pass()
        part.start()

    def _no_database(self, number: int) -> None:
        """It goes while mails are being sent."""
        for _n in range(15):
            self.booker.book()
        self._down(self.works.database, number)

    def _frozen(self, part: Part) -> None:
        part.send(signal.SIGSTOP)
        self._pass()
        part.send(signal.SIGCONT)

    def _flushed(self) -> None:
        for _n in range(5):
            redis.Redis(port=REDIS).flushall()
            time.sleep(self.seconds / 5)

    def _full(self) -> None:
        client = redis.Redis(port=REDIS)
        client.config_set("maxmemory", "1")
        self._pass()
        client.config_set("maxmemory", "0")

    def _mode(self, mode: str) -> None:
        self.works.mode(mode)
        self._pass()
        self.works.mode("well")

    def _two_clocks(self) -> None:
        self.works.clocks[1].start()
        self._pass()
        self.works.clocks[1].stop()

    def _no_clock(self) -> None:
        """Nobody was woken, and what was to leave in three hours is due."""
        self.works.clocks[0].stop()
        last = Notification.objects.order_by("-pk").values_list("pk", flat=True)[0]
        redis_away = redis.Redis(port=REDIS)
        for _n in range(30):
            self.booker.book()
            redis_away.delete("celery")
        now = timezone.now()
        late = Notification.objects.filter(pk__gt=last, due_at__lte=now, state=State.PENDING)
        for n, pk in enumerate(late.values_list("pk", flat=True)):
            due = now - dt.timedelta(hours=3) * (n % 60) / 60
            Notification.objects.filter(pk=pk).update(due_at=due, try_at=due)
        self._pass()
        self.works.clocks[0].start()


def killed(works: Works, booker: Booker, options: Any, verdict: Verdict) -> None:
    """Workers die by the hundred while messages are owed at an even pace."""
    rng = random.Random(options.seed)
    began = time.time()
    over = threading.Event()
    wanted = options.messages // 2

    def owe() -> None:
        pace = options.kills * options.pause / wanted
        while booker.made < wanted:
            next_at = time.monotonic() + pace * rng.uniform(0.5, 1.5)
            booker.book()
            time.sleep(max(0.0, next_at - time.monotonic()))
        over.set()
        connection.close()

    owing = threading.Thread(target=owe)
    owing.start()
    kills: Counter[str] = Counter()
    while sum(kills.values()) < options.kills:
        time.sleep(options.pause * rng.uniform(0.5, 1.5))
        worker = rng.choice(works.workers)
        children = worker.children()
        if children and rng.random() < 0.5:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(children), signal.SIGKILL)
            kills["children"] += 1
        else:
            worker.stop()
            worker.start()
            kills["workers with their children"] += 1
    owing.join()
    now = timezone.now()
    took = wait_for(lambda: open_rows(now) == 0, "the last messages", 300)
    said = ", ".join(f"{n} {what}" for what, n in kills.items())
    sent = Notification.objects.filter(state=State.SENT).count()
    print(f"Killed ({said}), {sent} messages, {time.time() - began:.0f} s:", flush=True)
    told(verdict, began, time.time(), lost=True)
    verdict.expect(took <= RECOVERY_LIMIT, f"all out {took:.0f} s after the last kill")


def told(verdict: Verdict, since: float, until: float, *, lost: bool = False) -> None:
    times = repeats(since, until)
    verdict.expect(times <= REPEATS_LIMIT, f"{times} came again, with the Message-ID of the first")
    if lost:
        missing = not_arrived()
        verdict.expect(not missing, f"{len(missing)} lost")


def not_arrived() -> list[str]:
    there = {name for _when, name in arrived()}
    sent = Notification.objects.filter(state=State.SENT)
    return [row.key for row in sent.iterator() if message_id(row) not in there]


def fail_in_turn(works: Works, booker: Booker, options: Any, v: Verdict) -> None:
    with serving("clinic.wsgi") as port, Visitors(booker.clinic, port) as visitors:
        every: list[Page] = []
        # The first pages of a process are slow, and prove nothing.
        wait_for(lambda: len(visitors.answers) > 20 * VISITORS, "the first pages")
        for name, fault in Faults(works, booker, options.seconds).each():
            if options.only and options.only not in name:
                continue
            since = time.time()
            with booker.at_an_even_pace():
                fault()
            now, again = timezone.now(), time.time()
            took = wait_for(lambda: open_rows(now) == 0, f"what was owed ({name})", 300)  # noqa: B023
            answers = visitors.between(since, time.time())
            mails = sum(since <= when for when, _name in arrived())
            print(f"{name}: {len(answers)} pages, {mails} mails", flush=True)
            every += answers
            if len(answers) >= ENOUGH_PAGES:
                in_time(v, answers)
            broken = [a for a in answers if a[2] not in {200, 302, 409, 422}]
            if "database" in name:
                broken = [a for a in broken if a[0] > again + 5]
            v.expect(not broken, f"{len(broken)} pages refused or broken")
            v.expect(took <= RECOVERY_LIMIT, f"all that was due is out after {took:.0f} s")
            if name.endswith("before 250"):
                # Taken and not confirmed: nobody can know. Recognised by their Message-ID.
                print(f"  ({repeats(since, time.time())} came again, as they must)", flush=True)
            else:
                told(v, since, time.time())
        print("All the while:", flush=True)
        in_time(v, every)


def in_time(verdict: Verdict, answers: list[Page]) -> None:
    slow = p99(answers)
    text = f"99 % of {len(answers)} pages within {slow:.2f} s"
    verdict.expect(slow < PAGE_LIMIT, text)


def final(verdict: Verdict) -> None:
    print("At the end:", flush=True)
    ids = {message_id(row): row for row in Notification.objects.iterator()}
    unknown = [name for _when, name in arrived() if name not in ids]
    verdict.expect(not unknown, f"{len(unknown)} mails that nobody owed")
    verdict.expect(not not_arrived(), f"{len(not_arrived())} lost")
    states = Counter(Notification.objects.filter(due_at__lte=timezone.now()).values_list("state"))
    said = ", ".join(f"{n} {state}" for (state,), n in states.items())
    failed = Notification.objects.filter(state=State.FAILED).exclude(to__startswith="refused")
    verdict.expect(not failed.exists(), f"{failed.count()} given up that were not refused")
    others = set(states) - {(State.SENT,), (State.FAILED,)}
    verdict.expect(not others, f"what was due: {said}")
    problem = integrity()
    verdict.expect(not problem, problem or "check_integrity: every promise holds")


def staff(clinic: Clinic) -> None:
    """Practitioners have accounts, and some patients an address that will be refused."""
    for n, practitioner in enumerate(Practitioner.objects.all()):
        practitioner.user = User.objects.create_user(f"doctor-{n}@example.org", None)
        practitioner.save()
    for n, (user, _patient) in enumerate(clinic.people):
        if n % 10 == 1:
            user.email = f"refused-{n}@example.org"
            user.save()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--messages", type=int, default=3000)
    arguments.add_argument("--seconds", type=float, default=15, help="how long each fault lasts")
    arguments.add_argument("--pause", type=float, default=3, help="seconds from kill to kill")
    arguments.add_argument("--only", default="", help="only faults with this in their name")
    arguments.add_argument("--seed", type=int, default=20261126)
    options = arguments.parse_args()
    # However it ends, nothing of it goes on running.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(143))
    install()
    works, verdict = Works(), Verdict()
    try:
        for part in (works.database, works.redis, works.smtp):
            part.start()
        create_database()
        clinic = Clinic()
        staff(clinic)
        booker = Booker(clinic)
        for part in (*works.workers, works.clocks[0]):
            part.start()
        if options.kills:
            killed(works, booker, options, verdict)
        fail_in_turn(works, booker, options, verdict)
        final(verdict)
    finally:
        works.stop()
    print(f"Promises broken: {verdict.broken}" if verdict.broken else "Every promise holds.")
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
