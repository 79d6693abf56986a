"""What became of each appointment of the demo: its steps, with plausible times."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from accounts.models import User
from accounts.roles import Actor, Role, Source
from appointments.imports import Row, Step
from appointments.transitions import Verb
from clinic.demo.places import CANCELLED_BY_STAFF

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
NOTICE = DAY
EXPIRY = 72 * HOUR

#: What tends to become of a visit, in percent.
FATES = {"comes": 82, "stays away": 7, "patient cancels": 7, "clinic cancels": 4}
#: Who comes now is let in this long before the time.
EARLY = 25 * MINUTE


@dataclass(frozen=True, slots=True)
class Cast:
    """Who acts in the story of one appointment."""

    patient: User | None
    practitioner: User | None
    desk: User
    administrator: User

    @property
    def booker(self) -> Actor:
        return Actor.patient(self.patient) if self.patient else self.reception

    @property
    def reception(self) -> Actor:
        return Actor.reception(self.desk)

    @property
    def doctor(self) -> Actor:
        """Who has no account yet has the administrator note it for them."""
        if self.practitioner:
            return Actor.practitioner(self.practitioner)
        return Actor.administrator(self.administrator)


def story(
    row: Row, *, cast: Cast, fate: str, asked_for: bool, now: dt.datetime, rng: random.Random
) -> Row:
    """The row with what happened to it until ``now``."""
    booked = _booked_at(row, asked_for=asked_for, now=now, rng=rng)
    booker = cast.booker if rng.random() < 0.7 else cast.reception
    row = replace(row, steps=[Step(Verb.BOOK, booked, booker)])
    # Only what a patient asks for has to wait for an answer.
    if asked_for and booker.role == Role.PATIENT:
        row = replace(row, expires_at=min(booked + EXPIRY, row.start))
        if fate == "waits":
            return _unanswered(row, now)
        if fate.endswith("cancels"):
            return _ENDINGS[fate](row, cast, now, rng)
        row = _confirmed(row, cast, now, rng)
        if len(row.steps) == 1:
            return row
    return _ENDINGS.get(fate, _comes)(row, cast, now, rng)


def _booked_at(row: Row, *, asked_for: bool, now: dt.datetime, rng: random.Random) -> dt.datetime:
    """Some days before, in waking hours; what waits for an answer was asked for lately."""
    if asked_for and row.start > now:
        # Recent enough that nobody had to answer yet.
        return _whole(min(now, row.start) - rng.uniform(0.5, 20) * HOUR)
    latest = min(now, row.start)
    at = latest - min(rng.expovariate(1 / 9), 40) * DAY - rng.uniform(1, 5) * HOUR
    local = at.astimezone(row.location.zone)
    if not 8 <= local.hour < 22:
        at -= 10 * HOUR
    return _whole(at)


def _whole(at: dt.datetime) -> dt.datetime:
    return at.astimezone(dt.UTC).replace(microsecond=0)


def _then(row: Row, verb: Verb, at: dt.datetime, by: Actor, now: dt.datetime) -> Row:
    """The row with one more step, unless that lies in the future."""
    at = max(_whole(at), row.steps[-1].at)
    return replace(row, steps=[*row.steps, Step(verb, at, by)]) if at <= now else row


def _unanswered(row: Row, now: dt.datetime) -> Row:
    expires = row.expires_at or row.start
    return _then(row, Verb.EXPIRE, expires + 3 * MINUTE, Actor.system(Source.TASK), now)


def _confirmed(row: Row, cast: Cast, now: dt.datetime, rng: random.Random) -> Row:
    by = cast.doctor if rng.random() < 0.6 else cast.reception
    last = row.expires_at or row.start
    at = row.steps[0].at + rng.uniform(0.02, 0.9) * (last - row.steps[0].at)
    return _then(row, Verb.CONFIRM, min(at, now) if rng.random() < 0.5 else at, by, now)


def _patient_cancels(row: Row, cast: Cast, now: dt.datetime, rng: random.Random) -> Row:
    first, last = row.steps[-1].at, row.start - NOTICE
    if cast.patient is None or last <= first:
        return _clinic_cancels(row, cast, now, rng)
    at = first + rng.uniform(0.1, 1) * (min(last, now) - first)
    return _then(row, Verb.CANCEL, at, Actor.patient(cast.patient), now)


def _clinic_cancels(row: Row, cast: Cast, now: dt.datetime, rng: random.Random) -> Row:
    first = row.steps[-1].at
    at = first + rng.uniform(0.2, 1) * (min(row.start, now) - first)
    row = replace(row, cancellation_reason=rng.choice(CANCELLED_BY_STAFF))
    return _then(row, Verb.CANCEL, at, cast.reception, now)


def _stays_away(row: Row, cast: Cast, now: dt.datetime, rng: random.Random) -> Row:
    return _then(row, Verb.NO_SHOW, row.end + rng.uniform(1, 25) * MINUTE, cast.doctor, now)


def _says_so(row: Row, cast: Cast, now: dt.datetime) -> Row:
    """Every second patient answers the reminder of the day before."""
    reminded = row.start - 20 * HOUR
    if cast.patient is None or row.start.hour % 2 or row.steps[-1].at >= reminded:
        return row
    by = Actor(cast.patient, Role.PATIENT, Source.MAIL)
    return _then(row, Verb.SAY_COMING, reminded, by, now)


def _comes(row: Row, cast: Cast, now: dt.datetime, rng: random.Random) -> Row:
    row = _says_so(row, cast, now)
    arrived = row.start - rng.uniform(0.1, 1) * EARLY
    row = _then(row, Verb.ARRIVE, arrived, cast.reception, now)
    return _then(row, Verb.FULFIL, row.end + rng.uniform(-3, 8) * MINUTE, cast.doctor, now)


_ENDINGS: dict[str, Callable[[Row, Cast, dt.datetime, random.Random], Row]] = {
    "comes": _comes,
    "stays away": _stays_away,
    "patient cancels": _patient_cancels,
    "clinic cancels": _clinic_cancels,
}
