"""The calendar file: what programs read, and what it must not say."""

import datetime as dt
from uuid import UUID

import pytest
from ical.calendar_stream import IcsCalendarStream
from ical.exceptions import CalendarParseError
from icalendar import Calendar

from accounts.models import Patient, Practitioner
from appointments.ical import Entry, calendar_feed, calendar_file
from appointments.models import Appointment
from appointments.tests.factories import ZONE
from appointments.transitions import Status
from clinic.models import Location, Service, Specialty

PUBLIC_ID = UUID("0f9a3c1e-7d57-4c86-9a4e-6f1d1f6d2c11")
URL = f"https://turnos.example.org/turnos/{PUBLIC_ID}/"
NOW = dt.datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=ZONE)


def appointment(**fields):
    """An appointment in memory: the builder asks no database."""
    location = Location(
        name="Sede Ñuñoa",
        address="Av. Rivadavia 4500; piso 3, timbre «Ácaro»",
        phone="+541148650000",
    )
    return Appointment(
        **{
            "public_id": PUBLIC_ID,
            "reference": "ABCD2345",
            "patient": Patient(first_name="Tomás", last_name="Gómez", document_number="30111222"),
            "practitioner": Practitioner(title="Dra.", first_name="Lucía", last_name="Ferreyra"),
            "service": Service(name="Electrocardiograma", specialty=Specialty(name="Cardiología")),
            "location": location,
            "start": dt.datetime(2026, 12, 8, 10, 30, tzinfo=ZONE),
            "end": dt.datetime(2026, 12, 8, 11, 0, tzinfo=ZONE),
            "status": Status.BOOKED,
            "reason": "canary-reason",
            "sequence": 3,
            **fields,
        }
    )


def build(of=None, **arguments):
    arguments = {"cancelled": False, "language": "en", "url": URL, "now": NOW, **arguments}
    return calendar_file(of or appointment(), **arguments)


def event_of(data):
    [event] = Calendar.from_ical(data).walk("VEVENT")
    return event


def unfold(data):
    """RFC 5545 3.1 by hand, so that the library does not check itself."""
    return data.replace(b"\r\n ", b"").decode().split("\r\n")


def test_a_calendar_reads_back_what_was_written():
    event = event_of(build())
    assert event.decoded("dtstart") == dt.datetime(2026, 12, 8, 13, 30, tzinfo=dt.UTC)
    assert event.decoded("dtend") == dt.datetime(2026, 12, 8, 14, 0, tzinfo=dt.UTC)
    assert event.decoded("dtstamp") == dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
    assert str(event["uid"]) == str(PUBLIC_ID)
    assert event["sequence"] == 3
    assert str(event["summary"]) == "Medical appointment"
    assert str(event["location"]) == "Sede Ñuñoa, Av. Rivadavia 4500; piso 3, timbre «Ácaro»"
    assert str(event["url"]) == URL
    assert str(event["description"]) == (f"Reference ABCD2345\nPhone +541148650000\n{URL}")


def read_by_another(data):
    """What a second library finds, which has written nothing and refuses what is not valid."""
    return IcsCalendarStream.calendar_from_ics(data.decode())


@pytest.mark.parametrize(
    ("status", "cancelled", "method", "says", "takes"),
    [
        (Status.BOOKED, False, "PUBLISH", "CONFIRMED", "OPAQUE"),
        (Status.PENDING, False, "PUBLISH", "TENTATIVE", "OPAQUE"),
        (Status.CANCELLED, True, "CANCEL", "CANCELLED", "TRANSPARENT"),
    ],
)
@pytest.mark.parametrize("language", ["es", "en"])
def test_another_program_reads_the_file(language, status, cancelled, method, says, takes):
    data = build(
        appointment(status=status),
        cancelled=cancelled,
        language=language,
        organizer="hola@example.org",
    )
    calendar = read_by_another(data)
    (event,) = calendar.events
    assert calendar.method == method
    assert (event.uid, event.sequence) == (str(PUBLIC_ID), 3)
    assert event.dtstart == dt.datetime(2026, 12, 8, 13, 30, tzinfo=dt.UTC)
    assert event.dtend == dt.datetime(2026, 12, 8, 14, 0, tzinfo=dt.UTC)
    assert (event.status, event.classification, event.transparency) == (says, "PRIVATE", takes)
    assert event.location == "Sede Ñuñoa, Av. Rivadavia 4500; piso 3, timbre «Ácaro»"
    assert "ABCD2345" in event.description
    assert event.description.endswith(f"\n{URL}")
    assert str(event.url) == URL
    assert (event.organizer.uri, event.organizer.common_name) == (
        "mailto:hola@example.org",
        "Sede Ñuñoa",
    )


def test_another_program_reads_the_feed():
    other = UUID("5d0f6a34-93c0-4f0f-8e0f-0f5f7c1f9f10")
    rows = [appointment(), appointment(public_id=other, status=Status.CANCELLED, sequence=4)]
    data = calendar_feed([Entry(row, NOW, URL) for row in rows], language="es")
    calendar = read_by_another(data)
    assert calendar.method == "PUBLISH"
    assert [(e.uid, e.sequence, e.status) for e in calendar.events] == [
        (str(PUBLIC_ID), 3, "CONFIRMED"),
        (str(other), 4, "CANCELLED"),
    ]
    assert {e.dtstart for e in calendar.events} == {dt.datetime(2026, 12, 8, 13, 30, tzinfo=dt.UTC)}
    assert {e.location for e in calendar.events} == {
        "Sede Ñuñoa, Av. Rivadavia 4500; piso 3, timbre «Ácaro»"
    }


@pytest.mark.parametrize("wrong", [b"DTSTART:20261208T1", b"SEQUENCE:x", b"STATUS:MAYBE"])
def test_the_other_program_refuses_what_is_wrong(wrong):
    """Or its reading would prove nothing."""
    name = wrong.split(b":")[0]
    lines = [wrong if line.startswith(name) else line for line in build().split(b"\r\n")]
    with pytest.raises(CalendarParseError):
        read_by_another(b"\r\n".join(lines))


def test_lines_end_in_crlf_and_stay_within_75_octets():
    data = build(language="es")
    assert data.endswith(b"END:VCALENDAR\r\n")
    assert data.replace(b"\r\n", b"").count(b"\n") == 0
    assert data.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(len(line) for line in data.split(b"\r\n")) <= 75
    assert b"\r\n " in data, "nothing was long enough to be folded"


def test_the_lines_themselves():
    lines = unfold(build())
    assert lines[0] == "BEGIN:VCALENDAR"
    for line in (
        "VERSION:2.0",
        "METHOD:PUBLISH",
        "DTSTART:20261208T133000Z",
        "DTEND:20261208T140000Z",
        "SEQUENCE:3",
        "CLASS:PRIVATE",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        r"LOCATION:Sede Ñuñoa\, Av. Rivadavia 4500\; piso 3\, timbre «Ácaro»",
    ):
        assert lines.count(line) == 1, line


def test_a_request_is_tentative():
    assert "STATUS:TENTATIVE" in unfold(build(appointment(status=Status.PENDING)))


def test_cancelling_takes_the_same_entry_out():
    kept = event_of(build(appointment(sequence=0)))
    lines = unfold(build(appointment(status=Status.CANCELLED, sequence=1), cancelled=True))
    assert "METHOD:CANCEL" in lines
    assert "STATUS:CANCELLED" in lines
    assert "TRANSP:TRANSPARENT" in lines
    assert f"UID:{kept['uid']}" in lines
    assert "SEQUENCE:1" in lines


def test_the_clinic_is_the_organizer_if_it_has_an_address():
    event = event_of(build(organizer="hola@example.org"))
    assert str(event["organizer"]) == "mailto:hola@example.org"
    assert event["organizer"].params["CN"] == "Sede Ñuñoa"
    assert "organizer" not in event_of(build())


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("language", ["es", "en"])
def test_it_says_nothing_private(language, cancelled):
    text = "\n".join(unfold(build(language=language, cancelled=cancelled)))
    for word in (
        *("canary-reason", "Electrocardiograma", "Cardiología", "30111222"),
        *("Tomás", "Gómez", "Dra.", "Lucía", "Ferreyra"),
    ):
        assert word not in text


def test_the_same_input_gives_the_same_file():
    assert build() == build()
