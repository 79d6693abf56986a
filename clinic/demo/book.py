"""The demo's book while it is being filled: who has whose time already."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from accounts.models import Patient, Practitioner, User
from accounts.roles import Actor
from appointments.imports import Row, Step
from appointments.transitions import Verb
from clinic.demo.histories import NOTICE, Cast, story
from clinic.demo.people import Person
from clinic.demo.places import SERVICES
from clinic.demo.staff import Doctor, Offer
from clinic.fields import CELL_MINUTES
from clinic.models import Organization, Room
from scheduling.intervals import Interval, to_instant, to_minute
from scheduling.models import Schedule, ServiceOffering
from scheduling.selectors import need_of, step_rule
from scheduling.slots import Need
from scheduling.wallclock import local_day


@dataclass(slots=True)
class Treated:
    """A patient, with what the plan has to know: who they are and whose account acts."""

    patient: Patient
    person: Person
    user: User | None


@dataclass(slots=True)
class Desk:
    """A schedule, with what can be booked there."""

    doctor: Doctor
    practitioner: Practitioner
    schedule: Schedule
    offerings: list[tuple[Offer, ServiceOffering]]
    rooms: dict[str, Room]
    organization: Organization

    @property
    def step(self) -> int:
        return step_rule(self.schedule, self.organization).value

    def need(self, offering: ServiceOffering) -> Need:
        return need_of(offering, self.organization)

    def span(self, offering: ServiceOffering, at: int) -> Interval:
        """A visit that begins in this minute, with its buffers."""
        need = self.need(offering)
        return at - need.before, at + need.duration + need.after


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody at a desk, from this minute on, and what becomes of it."""

    desk: Desk
    offer: Offer
    offering: ServiceOffering
    treated: Treated
    at: int
    fate: str

    @property
    def span(self) -> Interval:
        """With its buffers."""
        return self.desk.span(self.offering, self.at)

    @property
    def day(self) -> dt.date:
        return local_day(to_instant(self.at), self.desk.schedule.location.zone)


@dataclass(slots=True)
class Book:
    now: dt.datetime
    people: Sequence[Treated]
    reception: User
    administrator: User
    rows: list[Row] = field(default_factory=list)
    _taken: set[tuple[Practitioner | Room, int]] = field(default_factory=set)
    _days: set[tuple[int, dt.date]] = field(default_factory=set)

    def is_free(self, whose: Practitioner | Room, span: Interval) -> bool:
        return not any((whose, cell) in self._taken for cell in range(*span, CELL_MINUTES))

    def may_come(self, treated: Treated, day: dt.date) -> bool:
        """One visit a day is enough for anybody."""
        return (treated.patient.pk, day) not in self._days

    def add(self, visit: Visit) -> None:
        rng = random.Random(f"{visit.desk.doctor.slug} {visit.at} {visit.treated.person.document}")
        room = visit.desk.rooms.get(SERVICES[visit.offer.service].room)
        if room and not self.is_free(room, visit.span):
            room = None
        row = story(
            _row(visit, room, rng),
            cast=self._cast(visit),
            fate=visit.fate,
            asked_for=visit.offer.asked_for,
            now=self.now,
            rng=rng,
        )
        self.rows.append(row)
        self._days.add((visit.treated.patient.pk, visit.day))
        if visit.fate.endswith("cancels"):
            return  # Its time can be given to another.
        self._take(visit.desk.practitioner, visit.span)
        if room:
            self._take(room, visit.span)

    def overbook(self, desk: Desk) -> None:
        """Somebody with a fever on top of the first visit after today at this desk."""
        below = min(
            (row for row in self.rows if self._is_after_today(row, desk)),
            key=lambda row: row.start,
            default=None,
        )
        if below is None:
            return
        day = local_day(below.start, below.location.zone)
        treated = next(one for one in self.people if self.may_come(one, day))
        booked = Step(Verb.BOOK, self.now - dt.timedelta(minutes=20), self._at_the_desk)
        on_top = replace(
            below,
            patient=treated.patient,
            room=None,
            reason="",
            expires_at=None,
            overbooked=True,
            overbooking_reason="Fiebre desde anoche, de acuerdo con la doctora",
            steps=[booked],
        )
        self.rows.append(on_top)
        self._days.add((treated.patient.pk, day))

    @property
    def _at_the_desk(self) -> Actor:
        return Actor.reception(self.reception)

    def _is_after_today(self, row: Row, desk: Desk) -> bool:
        """And holds its time."""
        zone = row.location.zone
        span = (to_minute(row.start) - row.buffer_before, to_minute(row.end) + row.buffer_after)
        return (
            (row.practitioner, row.location) == (desk.practitioner, desk.schedule.location)
            and local_day(row.start, zone) > local_day(self.now, zone)
            and not self.is_free(desk.practitioner, span)
        )

    def _take(self, whose: Practitioner | Room, span: Interval) -> None:
        self._taken.update((whose, cell) for cell in range(*span, CELL_MINUTES))

    def _cast(self, visit: Visit) -> Cast:
        return Cast(
            patient=visit.treated.user,
            practitioner=visit.desk.practitioner.user,
            desk=self.reception,
            administrator=self.administrator,
        )


def _row(visit: Visit, room: Room | None, rng: random.Random) -> Row:
    """The visit before anything happened to it."""
    start = to_instant(visit.at)
    need, reasons = visit.desk.need(visit.offering), SERVICES[visit.offer.service].reasons
    return Row(
        patient=visit.treated.patient,
        practitioner=visit.desk.practitioner,
        service=visit.offering.service,
        location=visit.desk.schedule.location,
        room=room,
        start=start,
        end=start + dt.timedelta(minutes=need.duration),
        buffer_before=need.before,
        buffer_after=need.after,
        reason=rng.choice(reasons) if reasons and rng.random() < 0.5 else "",
        cancellable_until=start - NOTICE,
        steps=(),
    )
