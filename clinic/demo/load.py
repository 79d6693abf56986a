"""Builds the demo clinic in an empty database, in one transaction."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts.models import (
    Coverage,
    Patient,
    PatientAccess,
    Practitioner,
    Receptionist,
    User,
)
from accounts.roles import Actor, Role, Source
from appointments.imports import import_appointments
from appointments.models import Appointment
from appointments.transitions import Status
from clinic.demo import alerts, staff
from clinic.demo.book import Book, Desk, Treated
from clinic.demo.days import closures
from clinic.demo.people import Person, everybody
from clinic.demo.places import INSURERS, ORGANIZATION, PLACES, SERVICES, SPECIALTIES
from clinic.demo.visits import fill
from clinic.management.demo import PASSWORD
from clinic.models import (
    Closure,
    Confirmation,
    Insurer,
    Location,
    Organization,
    Room,
    Service,
    Specialty,
)
from notifications.outbox import owe_reminders
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff, WorkingHours
from scheduling.wallclock import local_day

ADMINISTRATOR = "admin@demo.test"
RECEPTION = "recepcion@demo.test"
SEED = 2026


@dataclass(slots=True)
class Clinic:
    """What has been built so far, by the short names of the content."""

    now: dt.datetime
    today: dt.date
    organization: Organization = field(default_factory=Organization)
    locations: dict[str, Location] = field(default_factory=dict)
    rooms: dict[str, dict[str, Room]] = field(default_factory=dict)
    specialties: dict[str, Specialty] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    insurers: list[Insurer] = field(default_factory=list)
    users: dict[str, User] = field(default_factory=dict)
    desks: list[Desk] = field(default_factory=list)
    people: list[Treated] = field(default_factory=list)


@transaction.atomic
def load(now: dt.datetime | None = None) -> list[Appointment]:
    """The whole demo; the same on every run of a day.

    Nobody is told of it by mail: what was booked long ago was told of long ago. What
    people will be reminded of is owed like everything else.
    """
    now = now or timezone.now()
    clinic = Clinic(now, now.date())
    _build_places(clinic)
    people = everybody(clinic.today, random.Random(SEED))
    _build_accounts(clinic, people)
    for doctor in staff.STAFF:
        _build_practitioner(clinic, doctor)
    _build_exceptions(clinic)
    _build_patients(clinic, people)
    book = Book(now, clinic.people, clinic.users[RECEPTION], clinic.users[ADMINISTRATOR])
    fill(book, clinic.desks)
    book.overbook(next(desk for desk in clinic.desks if desk.doctor.slug == staff.DOCTOR))
    by = Actor(clinic.users[ADMINISTRATOR], Role.ADMINISTRATOR, Source.COMMAND)
    made = import_appointments(book.rows, by, tell=False, now=now)
    alerts.build(now=now)
    owe_reminders((a for a in made if a.status == Status.BOOKED and a.start > now), now=now)
    return made


def _build_places(clinic: Clinic) -> None:
    clinic.organization = Organization(**ORGANIZATION)
    clinic.organization.save()
    for place in PLACES:
        location = Location.objects.create(
            slug=place.slug,
            name=place.name,
            address=place.address,
            directions=place.directions,
            phone=place.phone,
        )
        clinic.locations[place.slug] = location
        clinic.rooms[place.slug] = {
            name: Room.objects.create(location=location, name=name) for name in place.rooms
        }
    clinic.today = local_day(clinic.now, location.zone)
    for slug, name in SPECIALTIES.items():
        clinic.specialties[slug] = Specialty.objects.create(slug=slug, name=name)
    for slug, visit in SERVICES.items():
        clinic.services[slug] = Service.objects.create(
            slug=slug,
            name=visit.name,
            specialty=clinic.specialties[visit.specialty],
            default_duration=visit.minutes,
            preparation=visit.preparation,
        )
    clinic.insurers = [
        Insurer.objects.create(slug=slug, name=name) for slug, name in INSURERS.items()
    ]
    Closure.objects.bulk_create(closures(clinic.today, clinic.locations["belgrano"]))


def _build_accounts(clinic: Clinic, people: Sequence[Person]) -> None:
    """Every account with its address verified, so that nobody is asked for a code."""
    names = {ADMINISTRATOR: "Andrea Molinari", RECEPTION: "Recepción Parque"}
    names |= {d.email: f"{d.first_name} {d.last_name}" for d in staff.STAFF if d.email}
    names |= {p.email: f"{p.first_name} {p.last_name}" for p in people if p.account}
    # Hashing is slow on purpose; once is enough for accounts that share a password.
    password = make_password(PASSWORD)
    User.objects.bulk_create(
        User(
            email=email,
            name=name,
            password=password,
            is_staff=email == ADMINISTRATOR,
            is_superuser=email == ADMINISTRATOR,
        )
        for email, name in names.items()
    )
    clinic.users = {user.email: user for user in User.objects.filter(email__in=names)}
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True)
        for user in clinic.users.values()
    )
    desk = Receptionist.objects.create(user=clinic.users[RECEPTION], may_overbook=True)
    desk.locations.add(clinic.locations["parque"])


def _build_practitioner(clinic: Clinic, doctor: staff.Doctor) -> None:
    practitioner = Practitioner.objects.create(
        user=clinic.users.get(doctor.email),
        slug=doctor.slug,
        title=doctor.title,
        first_name=doctor.first_name,
        last_name=doctor.last_name,
        licence_number=doctor.licence,
        biography=doctor.biography,
    )
    practitioner.specialties.set([clinic.specialties[slug] for slug in doctor.specialties])
    practitioner.insurers.set(_accepted(clinic.insurers, staff.STAFF.index(doctor)))
    for desk in doctor.desks:
        clinic.desks.append(_build_desk(clinic, doctor, practitioner, desk))
    TimeOff.objects.bulk_create(
        TimeOff(practitioner=practitioner, weekday=day, start=start, end=end, reason=reason)
        for line, reason in doctor.weekly_off
        for day, start, end in staff.hours(line)
    )
    zone = clinic.desks[-1].schedule.location.zone
    monday = clinic.today - dt.timedelta(days=clinic.today.weekday())
    for weeks, days, reason in doctor.away:
        first = monday + dt.timedelta(weeks=weeks)
        TimeOff.objects.create(
            practitioner=practitioner,
            starts_at=dt.datetime.combine(first, dt.time.min, tzinfo=zone),
            ends_at=dt.datetime.combine(first + dt.timedelta(days=days), dt.time.min, tzinfo=zone),
            reason=reason,
        )


def _accepted(insurers: Sequence[Insurer], number: int) -> list[Insurer]:
    """Everybody sees patients of some, nobody of all, and of each somebody."""
    return [one for n, one in enumerate(insurers) if (n + number) % 3 or n == number % 5][:4]


def _build_desk(
    clinic: Clinic, doctor: staff.Doctor, practitioner: Practitioner, desk: staff.Desk
) -> Desk:
    schedule = Schedule.objects.create(
        practitioner=practitioner, location=clinic.locations[desk.place], slot_step=desk.step
    )
    WorkingHours.objects.bulk_create(
        WorkingHours(schedule=schedule, weekday=day, start=start, end=end)
        for day, start, end in staff.hours(desk.week)
    )
    offerings = []
    for offer in desk.offers:
        offering = ServiceOffering.objects.create(
            schedule=schedule,
            service=clinic.services[offer.service],
            duration=offer.minutes,
            buffer_after=offer.after,
            price=offer.price,
            booked_online_by=offer.online_for,
            confirmation=Confirmation.MANUAL if offer.asked_for else "",
        )
        offerings.append((offer, offering))
    return Desk(
        doctor, practitioner, schedule, offerings, clinic.rooms[desk.place], clinic.organization
    )


def _build_exceptions(clinic: Clinic) -> None:
    """A day off, a Saturday of extra hours, and a doctor who is at work today."""
    schedules = {desk.doctor.slug: desk.schedule for desk in clinic.desks}
    monday = clinic.today + dt.timedelta(days=7 - clinic.today.weekday())
    DateOverride.objects.create(
        schedule=schedules["ines-barreiro"],
        date=monday + dt.timedelta(days=1),
        kind=DateOverride.Kind.CLOSED,
    )
    DateOverride.objects.create(
        schedule=schedules["martin-olmedo"],
        date=monday + dt.timedelta(days=5),
        kind=DateOverride.Kind.EXTRA,
        start=dt.time(9),
        end=dt.time(12),
    )
    doctor = schedules[staff.DOCTOR]
    if not WorkingHours.objects.filter(
        schedule__practitioner=doctor.practitioner, weekday=clinic.today.weekday()
    ).exists():
        # On a Sunday too, whoever tries the demo finds her day full.
        DateOverride.objects.bulk_create(
            DateOverride(
                schedule=doctor,
                date=clinic.today,
                kind=DateOverride.Kind.EXTRA,
                start=dt.time(start),
                end=dt.time(end),
            )
            for start, end in ((8, 13), (14, 18))
        )


def _build_patients(clinic: Clinic, people: Sequence[Person]) -> None:
    rows = [
        Patient(
            first_name=person.first_name,
            last_name=person.last_name,
            birth_date=person.born,
            document_number=person.document,
            phone=person.phone,
            email="" if person.account else person.email,
        )
        for person in people
    ]
    Patient.objects.bulk_create(rows)
    # MySQL gives no keys back for many rows at once.
    patients = {p.public_id: p for p in Patient.objects.all()}
    accesses = []
    for person, row in zip(people, rows, strict=True):
        carer = person.cared_for_by or person
        user = clinic.users.get(carer.email) if carer.account else None
        patient = patients[row.public_id]
        clinic.people.append(Treated(patient, person, user))
        if user:
            accesses.append(PatientAccess(user=user, patient=patient, relation=person.relation))
    PatientAccess.objects.bulk_create(accesses)
    _build_coverage(clinic)


def _build_coverage(clinic: Clinic) -> None:
    """A family has one coverage; every sixth pays, every seventh has not said."""
    rows, families = [], [t.person.cared_for_by or t.person for t in clinic.people]
    for treated, head in zip(clinic.people, families, strict=True):
        number = next(n for n, one in enumerate(families) if one is head)
        if number % 7 == 6:
            continue
        insurer = None if number % 6 == 5 else clinic.insurers[number % len(clinic.insurers)]
        plan = str(210 + 100 * (number % 3)) if insurer else ""
        member = f"{insurer.pk}-{treated.patient.pk:06d}" if insurer else ""
        rows.append(
            Coverage(patient=treated.patient, insurer=insurer, plan=plan, member_number=member)
        )
    Coverage.objects.bulk_create(rows)
