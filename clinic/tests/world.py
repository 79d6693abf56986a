"""A small clinic with one of everybody, and an example of every address.

The tests of the doors run over all addresses of the site. An address that takes
arguments and has no example here fails them: nobody has thought about it yet.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from accounts.roles import Role
from accounts.tests.factories import (
    PatientAccessFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from appointments.freed import offer_next
from appointments.models import Appointment, FreedTime, RuleChange, WaitingOffer
from appointments.tests.factories import NOW, at, book
from appointments.tests.waiting import to_be_called, waits
from clinic.policy import PRACTICE_PAGES
from scheduling.models import DateOverride, ServiceOffering, TimeOff
from scheduling.tests.factories import open_offering

Kwargs = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    arguments: frozenset[str]


def addresses() -> list[Address]:
    """Every address of the site except the admin's, by its name."""
    return [a for a in all_addresses() if not a.name.startswith("admin:")]


def all_addresses() -> list[Address]:
    return list(_walk(get_resolver(), ()))


def admin_names() -> list[str]:
    """The admin's addresses that take no argument."""
    found = {a.name for a in all_addresses() if not a.arguments}
    return sorted(name for name in found if name.startswith("admin:") and name != "admin:")


def _walk(resolver: URLResolver, namespaces: tuple[str, ...]) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _walk(pattern, inner)
        elif isinstance(pattern, URLPattern):
            arguments = {*pattern.pattern.converters, *_groups(pattern)}
            yield Address(":".join((*namespaces, pattern.name or "")), frozenset(arguments))


def _groups(pattern: URLPattern) -> set[str]:
    return set(pattern.pattern.regex.groupindex)


class World:
    """Two of each, so that there is always a stranger."""

    def __init__(self) -> None:
        self._sessions: dict[int, str] = {}
        self.appointment = self._visit()
        self.foreign = self._visit()
        self.users: dict[Role | None, User | None] = {
            None: None,
            Role.PATIENT: self._patient_of(self.appointment),
            Role.PRACTITIONER: self.appointment.practitioner.user,
            Role.RECEPTION: self._receptionist(),
            Role.ADMINISTRATOR: administrator(),
        }
        self.nobody = UserFactory.create()
        self.child = PatientAccessFactory.create(
            user=self.users[Role.PATIENT], relation="child"
        ).patient
        #: A second one: whose care has ended has no record to hand over.
        self.grown = PatientAccessFactory.create(
            user=self.users[Role.PATIENT], relation="child"
        ).patient
        self.carer = PatientAccessFactory.create(patient=self.appointment.patient, relation="other")
        self.time_off = self._vacation(self.appointment)
        self.foreign_time_off = self._vacation(self.foreign)
        #: A second one: what the practitioner has removed the desk cannot remove again.
        self.removed_at_the_desk = self._vacation(self.appointment)
        self.changes = [self._change(self.users[r]) for r in (Role.PRACTITIONER, Role.RECEPTION)]
        self.offers = [self._offer(self.users[Role.PATIENT]), self._offer(patient_user())]
        #: At this desk's location, and elsewhere.
        self.calls = [to_be_called(self._here()), to_be_called(open_offering())]
        self.closed = [self._closed(self.appointment, days) for days in (50, 51)]

    def browser(self, user: User | None) -> Client:
        """A browser of theirs: in the session they had, unless a page has ended it."""
        client = Client()
        if user is None:
            return client
        key = self._sessions.get(user.pk, "")
        if Session.objects.filter(pk=key).exists():
            client.cookies[settings.SESSION_COOKIE_NAME] = key
        else:
            client.force_login(user)
            self._sessions[user.pk] = client.cookies[settings.SESSION_COOKIE_NAME].value
        return client

    @staticmethod
    def _visit() -> Appointment:
        user = patient_user()
        return book(
            offering=open_offering(),
            patient=user.patient_accesses.get().patient,
            start=at(10, days=3),
        )

    @staticmethod
    def _offer(user: User | None) -> WaitingOffer:
        """A time that became free, offered to this person."""
        offering = open_offering()
        entry = waits(offering, user)
        time = FreedTime.objects.create(
            practitioner=offering.practitioner,
            location=offering.schedule.location,
            start=at(10),
            end=at(10, 30),
            due_at=NOW,
        )
        offer_next(time.pk, now=NOW)
        return entry.offers.get()

    def _here(self) -> ServiceOffering:
        """Of a colleague, so that nothing of it is seen in the practitioner's own agenda."""
        return open_offering(schedule__location=self.appointment.location)

    @staticmethod
    def _patient_of(appointment: Appointment) -> User:
        return appointment.patient.accesses.get().user

    def _receptionist(self) -> User:
        return ReceptionistFactory.create(locations=[self.appointment.location]).user

    @staticmethod
    def _vacation(appointment: Appointment) -> TimeOff:
        return TimeOff.objects.create(
            practitioner=appointment.practitioner,
            starts_at=at(0, days=30),
            ends_at=at(0, days=40),
        )

    def _change(self, user: User | None) -> tuple[Kwargs, Kwargs, Kwargs]:
        """A change of hours by this person, and one by somebody else."""
        made = [
            RuleChange.objects.create(
                practitioner=self.appointment.practitioner,
                about=str(self.appointment.practitioner),
                by=who,
                role=Role.PRACTITIONER,
                at=NOW,
                undo_until=NOW + dt.timedelta(minutes=10),
            )
            for who in (user, self.foreign.practitioner.user)
        ]
        own, foreign = ({"public_id": change.public_id} for change in made)
        return own, foreign, {"public_id": uuid.UUID(int=1)}

    @staticmethod
    def _closed(appointment: Appointment, days: int) -> dt.date:
        """A date on which the practitioner does not work."""
        schedule = appointment.practitioner.schedules.get()
        row = DateOverride.objects.create(
            schedule=schedule, date=at(0, days=days).date(), kind=DateOverride.Kind.CLOSED
        )
        return row.date

    def kwargs(self, name: str, *, whose: str = "own") -> Kwargs:
        """Arguments of an address: one's own object, a stranger's, or one that is missing."""
        if name in self.objects:
            own, foreign, missing = self.objects[name]
            return {"own": own, "foreign": foreign, "missing": missing}[whose]
        return self.plain.get(name, {})

    @cached_property
    def plain(self) -> dict[str, Kwargs]:
        """Addresses whose argument is nobody's property."""
        return {
            "appointments:practitioner": {"slug": self.appointment.practitioner.slug},
            "appointments:agenda_week": {"monday": dt.date(2026, 11, 23)},
            "appointments:agenda_day": {"day": NOW.date()},
            "account_reset_password_from_key": {"uidb36": "1", "key": "set-password"},
            "accounts:invitation": {"token": "x"},
            "appointments:feed": {"token": "x"},
            "accounts:take_over": {"token": "x"},
            "notifications:demo_message": {"name": "nothing"},
            "notifications:link": {"purpose": "voy", "token": "x"},
        }

    @cached_property
    def objects(self) -> dict[str, tuple[Kwargs, Kwargs, Kwargs]]:
        """Addresses of somebody's object: own, a stranger's, missing."""
        visit = (
            {"public_id": self.appointment.public_id},
            {"public_id": self.foreign.public_id},
            {"public_id": uuid.UUID(int=1)},
        )
        mine, theirs = self.offers
        offer, entry = (
            ({"public_id": one}, {"public_id": other}, {"public_id": uuid.UUID(int=1)})
            for one, other in (
                (mine.public_id, theirs.public_id),
                (mine.entry.public_id, theirs.entry.public_id),
            )
        )
        call, wish = (
            ({"public_id": one}, {"public_id": other}, {"public_id": uuid.UUID(int=1)})
            for one, other in (
                [offer.public_id for offer in self.calls],
                [offer.entry.public_id for offer in self.calls],
            )
        )
        confirm = tuple({**one, "verb": "confirmar"} for one in visit)
        patient = (
            {"public_id": self.appointment.patient.public_id},
            {"public_id": self.foreign.patient.public_id},
            {"public_id": uuid.UUID(int=1)},
        )
        # Reception finds everybody the clinic knows: only who is unknown is a stranger.
        known = (patient[0], {"public_id": uuid.UUID(int=2)}, patient[2])
        family = ({"public_id": self.child.public_id}, patient[1], patient[2])
        place = (
            {"location": self.appointment.location.slug},
            {"location": self.foreign.location.slug},
            {"location": "missing"},
        )
        services = (self.appointment.service, self.foreign.service)
        offering = tuple(
            {**where, "service": slug}
            for where, slug in zip(
                place, (services[0].slug, services[1].slug, "missing"), strict=True
            )
        )
        block = (
            {"pk": self.time_off.pk},
            {"pk": self.foreign_time_off.pk},
            {"pk": 999_999},
        )
        return {
            **self._practices(place, block, offering),
            "appointments:detail": visit,
            "appointments:cancel": visit,
            "appointments:move": visit,
            "appointments:waiting_end": entry,
            "appointments:offer": offer,
            "appointments:change": self.changes[0],
            "appointments:desk_change": self.changes[1],
            "appointments:calendar": visit,
            "appointments:agenda_appointment": visit,
            "appointments:agenda_cancel": visit,
            "appointments:agenda_move": visit,
            "appointments:desk_move": visit,
            "appointments:agenda_action": confirm,  # type: ignore[dict-item]
            "appointments:patient_history": patient,
            "appointments:desk_appointment": visit,
            "appointments:desk_cancel": visit,
            "appointments:desk_action": confirm,  # type: ignore[dict-item]
            "appointments:desk_offer": call,
            "appointments:desk_waiting_end": wish,
            "appointments:desk_waiting_new": known,
            "appointments:desk_patient": known,
            "appointments:desk_patient_edit": known,
            "accounts:family_edit": family,
            "accounts:family_end": family,
            "accounts:family_hand_over": (
                {"public_id": self.grown.public_id},
                *patient[1:],
            ),
            "accounts:access_end": (
                {"pk": self.carer.pk},
                {"pk": self.foreign.patient.accesses.get().pk},
                {"pk": 999_999},
            ),
        }

    def _practices(self, place: Any, block: Any, offering: Any) -> dict[str, Any]:
        """The pages of a practice: one's own, and the same ones at the desk."""
        whose = (
            {"practitioner": self.appointment.practitioner.slug},
            {"practitioner": self.foreign.practitioner.slug},
            {"practitioner": "missing"},
        )
        own_day, desks_day = (
            tuple({**where, "day": day} for where in place) for day in self.closed
        )
        inside = {
            "hours_at": place,
            "hours_from": place,
            "override_change": own_day,
            "override_remove": own_day,
            "time_off_remove": block,
            "service_edit": offering,
        }
        found: dict[str, Any] = {f"appointments:{name}": rows for name, rows in inside.items()}
        inside["override_change"] = inside["override_remove"] = desks_day
        inside["time_off_remove"] = ({"pk": self.removed_at_the_desk.pk}, *block[1:])
        for name in PRACTICE_PAGES:
            rows = inside.get(name, ({}, {}, {}))
            found[f"appointments:desk_{name}"] = tuple(
                {**one, **row} for one, row in zip(whose, rows, strict=True)
            )
        return found

    def url(self, name: str, *, whose: str = "own") -> str:
        return reverse(name, kwargs=self.kwargs(name, whose=whose))
