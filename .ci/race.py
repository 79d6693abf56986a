"""Many people at the real server at once: no double booking, no 500, no free time refused.

Starts gunicorn on a database of its own and sends it what browsers send, with sessions
and CSRF tokens: patients book online, administrators in the administration and into
rooms. Then 200 people press the button of one time. Then the same crowd meets a site
without its guards, and has to find overlaps there: else the proof proves nothing.

    make race
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

from django.utils import timezone  # noqa: E402
from stage import (  # noqa: E402
    ADMINISTRATORS,
    CLOSES,
    DAYS,
    PATIENTS,
    PRACTITIONERS,
    Answer,
    Clinic,
    Session,
    Verdict,
    Wish,
    create_database,
    integrity,
    serving,
    some_start,
)

from appointments.models import Appointment  # noqa: E402

# --- a crowd ----------------------------------------------------------------------


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
        answers = timed(lambda: one_slot(clinic, port))
        statuses = Counter(a.status for a in answers)
        verdict.expect(statuses == {302: 1, 409: PATIENTS - 1}, "one yes, and a no to all others")
        verdict.expect(sum(bool(a.made) for a in answers) == 1, "one appointment")
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
