"""The hour that the clock shows twice in an autumn night: wherever it stands, one knows which."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest

from accounts.tests.factories import PatientFactory, administrator, patient_user
from appointments.models import Appointment
from appointments.tests.factories import book
from appointments.tests.practice import account_of, browser, main_part, words
from notifications import letters
from notifications.models import Kind, Notification
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

#: A zone, that day, the hour on the clock, and the first instant of it.
NIGHTS = [
    ("Europe/Madrid", "2027-10-31", 2, dt.datetime(2027, 10, 31, 0, tzinfo=dt.UTC)),
    ("America/Santiago", "2027-04-03", 23, dt.datetime(2027, 4, 4, 2, tzinfo=dt.UTC)),
]
EACH = pytest.mark.parametrize(("zone", "day", "hour", "first"), NIGHTS)
WHICH = ("before the clock change", "after the clock change")
HALF = dt.timedelta(minutes=30)


@pytest.fixture
def night(zone, day, hour, first, time_machine) -> ServiceOffering:
    """Open from one until midnight; the patient looks two days before."""
    time_machine.move_to(first - dt.timedelta(days=2), tick=False)
    return open_offering(schedule__location__time_zone=zone, start=dt.time(1), end=dt.time(0))


def both(night: ServiceOffering, first: dt.datetime, **fields) -> list[Appointment]:
    """At half past of the first hour, and of the second."""
    return [
        book(
            offering=night,
            start=first + HALF + again * dt.timedelta(hours=1),
            now=first - dt.timedelta(days=2),
            **fields,
        )
        for again in (0, 1)
    ]


def rows_of(response) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode().removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text)))


def said(hour: int) -> list[str]:
    return [f"{hour}:30 ({which})" for which in WHICH]


@EACH
def test_in_the_times_to_choose_from(night, day, hour, first):
    """The search, and the page of a move: each its own address, each its own words."""
    user = patient_user()
    page = browser().get("/horarios/", {"who": night.practitioner.slug})
    slots = re.findall(r'<a class="slot"[^>]*>([^<]*)<', main_part(page))
    assert [text for text in slots if "(" in text and ":30" in text] == said(hour)
    patient = user.patient_accesses.get().patient
    visit = book(
        offering=night,
        patient=patient,
        start=first - dt.timedelta(hours=6),
        now=first - dt.timedelta(days=2),
    )
    moving = words(browser(user).get(f"/turnos/{visit.public_id}/mover/"))
    assert [text for text in said(hour) if text in moving] == said(hour)


@EACH
def test_in_the_days_and_on_the_pages_of_the_appointment(night, day, hour, first):
    user = patient_user()
    patient = user.patient_accesses.get().patient
    [one, two] = both(night, first, patient=patient)
    doctor, boss, theirs = browser(account_of(night)), browser(administrator()), browser(user)
    where = night.location.slug
    for client, url in (
        (doctor, f"/agenda/{day}/"),
        (boss, f"/recepcion/?sede={where}&dia={day}"),
        (theirs, "/turnos/"),
    ):
        text = words(client.get(url))
        assert [part for part in said(hour) if part in text] == said(hour), url
    for visit, own in zip((one, two), said(hour), strict=True):
        for client, at in (
            (theirs, "turnos"),
            (doctor, "agenda/turnos"),
            (boss, "recepcion/turnos"),
        ):
            assert own in words(client.get(f"/{at}/{visit.public_id}/")), at


@EACH
def test_in_the_mails(night, day, hour, first):
    user = patient_user()
    user.language = "en"
    user.save()
    patient = user.patient_accesses.get().patient
    visits = both(night, first, patient=patient)
    for visit, own in zip(visits, said(hour), strict=True):
        [row] = Notification.objects.with_parts().filter(
            appointment=visit, kind=Kind.BOOKED, user=user
        )
        message = letters.letter_for(row, visit.created_at).message
        assert own in message.body
        assert own in str(message.alternatives[0][0])


@EACH
def test_in_a_file_for_a_spreadsheet(night, day, hour, first):
    """The clock stays a clock that can be sorted; the zone says which of the two it is."""
    both(night, first, patient=None)
    book(
        offering=night,
        patient=PatientFactory.create(),
        start=first - dt.timedelta(hours=1),
        now=first - dt.timedelta(days=2),
    )
    date = dt.date.fromisoformat(day)
    asked = {"desde": f"{date:%d/%m/%Y}", "hasta": f"{date:%d/%m/%Y}"}
    found = rows_of(browser(administrator()).post("/recepcion/exportar/", asked))
    rows = [(row["From"], row["Time zone"]) for row in found]
    summer, winter = ("+02:00", "+01:00") if hour == 2 else ("-03:00", "-04:00")
    assert rows == [
        (f"{hour - 1:02}:00", zone_of(night)),
        (f"{hour:02}:30", f"{zone_of(night)} {summer}"),
        (f"{hour:02}:30", f"{zone_of(night)} {winter}"),
    ]


def zone_of(night: ServiceOffering) -> str:
    return night.location.time_zone
