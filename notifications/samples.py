"""A mail as it would look, about people who do not exist. Nothing of it is ever saved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Patient, Practitioner, User
from appointments.models import Appointment, WaitingListEntry, WaitingOffer
from appointments.transitions import Status
from clinic.models import Location, Organization, Service
from notifications.letters import (
    Letter,
    context_of,
    letter_for,
    our_opening,
    subject_when,
    told_of,
    values_of,
)
from notifications.letters_of_several import LISTS
from notifications.models import TRUE_WHILE, Kind, Notification
from notifications.texts import Words

#: The day after has the longest name, in both languages.
_EVE_OF_LONGEST = dt.datetime(2026, 9, 29, 12, tzinfo=dt.UTC)
_LONG_AGO = _EVE_OF_LONGEST - dt.timedelta(days=30)
#: No row has it: what is looked up by it is nothing.
NOBODY = 0


def letter(kind: Kind, language: str, words: Words, now: dt.datetime | None = None) -> Letter:
    """As if there were an appointment tomorrow at half past ten."""
    now = now or timezone.now()
    with translation.override(language):
        visits = _visits(kind, now)
        return letter_for(_row(kind, language, now), _leaves(kind, visits, now), words, visits)


def opening(kind: Kind, language: str, now: dt.datetime | None = None) -> str:
    """What our own opening says there."""
    now = now or timezone.now()
    with translation.override(language):
        row = _row(kind, language, now)
        context = context_of(row, Organization.current(), now, _visits(kind, now))
        return our_opening(row, context)


def longest_subject(kind: Kind, language: str, words: Words) -> str:
    """On the day with the longest name, at the place with the longest."""
    with translation.override(language):
        row, visits = _row(kind, language, _EVE_OF_LONGEST), _visits(kind, _EVE_OF_LONGEST)
        context = context_of(row, Organization.current(), _EVE_OF_LONGEST, visits)
        values = values_of(row, context, _leaves(kind, visits, _LONG_AGO))
        if not visits:
            names = Location.objects.filter(is_active=True).values_list("name", flat=True)
            values["when"] = subject_when(told_of(row), weekday=False)
            values["place"] = max([values["place"], *names], key=len)
        return " ".join(words.filled("subject", values).split())


def _row(kind: Kind, language: str, now: dt.datetime) -> Notification:
    user = User(pk=NOBODY, email="ana@example.org", language=language)
    row = Notification(
        pk=NOBODY, key="sample", kind=kind, user=user, to=user.email, language=language
    )
    if kind == Kind.OFFER:
        row.offer = _offer(now)
    elif kind not in LISTS:
        row.appointment = _appointment(kind, now)
    return row


def _visits(kind: Kind, now: dt.datetime) -> list[Appointment]:
    """What a list tells of."""
    return [_appointment(kind, now)] if kind in LISTS else []


def _leaves(kind: Kind, visits: Sequence[Appointment], now: dt.datetime) -> dt.datetime:
    """A list of the day leaves on that day; all else now."""
    return visits[0].start if kind == Kind.PRACTITIONER_DAY else now


def _parts(now: dt.datetime) -> dict[str, Any]:
    """Whom, with whom, where and when; the place is the clinic's first, if it has one."""
    place = Location.objects.filter(is_active=True).order_by("pk").first() or Location(
        pk=NOBODY,
        name=_("Main location"),
        address=_("1 Example Street"),
        time_zone=settings.TIME_ZONE,
    )
    day = now.astimezone(place.zone).date() + dt.timedelta(days=1)
    start = dt.datetime.combine(day, dt.time(10, 30), tzinfo=place.zone)
    return {
        "practitioner": _practitioner(),
        "service": Service(name=_("Visit")),
        "location": place,
        "start": start,
        "end": start + dt.timedelta(minutes=30),
    }


def _practitioner() -> Practitioner:
    names = {"title": "Dra.", "first_name": "Lucía", "last_name": "Pérez"}
    return Practitioner(slug="ejemplo", **names)


def _patient() -> Patient:
    return Patient(pk=NOBODY, first_name="Ana", last_name="García")


def _appointment(kind: Kind, now: dt.datetime) -> Appointment:
    parts = _parts(now)
    return Appointment(
        pk=NOBODY,
        reference="EJEMPLO2",
        patient=_patient(),
        status=TRUE_WHILE.get(kind, Status.BOOKED),
        local_date=parts["start"].date(),
        cancellable_until=parts["start"] - dt.timedelta(hours=1),
        expires_at=parts["start"] - dt.timedelta(hours=2),
        **parts,
    )


def _offer(now: dt.datetime) -> WaitingOffer:
    kept = dt.timedelta(minutes=Organization.current().offer_minutes)
    entry = WaitingListEntry(patient=_patient())
    return WaitingOffer(
        pk=NOBODY, entry=entry, offered_at=now, expires_at=now + kept, **_parts(now)
    )
