"""What the mails say, in which words, and how long they are."""

import datetime as dt
import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from django.core import mail
from django.core.mail import BadHeaderError
from icalendar import Calendar

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import PatientFactory
from appointments import services
from appointments.tests.factories import NOW, SYSTEM, ZONE, at, book, desk
from clinic.models import Organization
from notifications import delivery, digests, letters, links
from notifications.backends import EmlFileBackend
from notifications.links import Purpose
from notifications.models import Kind, Notification
from notifications.selectors import Recipient
from notifications.tests.factories import SOON, account_mail, booked, family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LANGUAGES = ["es", "en"]
#: The longest names of weekday and month in both languages.
LONGEST = dt.datetime(2026, 9, 30, 20, 30, tzinfo=ZONE)


def letter(kind, now=SOON):
    row = Notification.objects.with_parts().filter(kind=kind).first()
    return letters.letter_for(row, now)


def text_of(kind, now=SOON):
    return letter(kind, now).message.body


def html_of(kind, now=SOON):
    return letter(kind, now).message.alternatives[0][0]


def in_english(**fields):
    """An account that reads English, and its patient."""
    return family(language="en", **fields)


def link_to(purpose, appointment, user):
    return links.address(purpose, appointment, Recipient.account(user))


def every_kind(language="en"):
    """One row of each kind about an appointment, true or not."""
    user, patient = family(language=language)
    appointment = booked(user=user, patient=patient)
    services.cancel(appointment=appointment, by=desk(), reason="Congreso", now=NOW)
    [row] = Notification.objects.filter(kind=Kind.CANCELLED)
    for kind in Kind:
        if kind not in {Kind.ACCOUNT, Kind.CANCELLED, Kind.PRACTITIONER_CANCELLED}:
            row.pk, row.kind, row.key = None, kind, f"copy:{kind}"
            row._state.adding = True
            row.save()
    User.objects.update(language=language)
    return Notification.objects.with_parts().filter(appointment=appointment)


ABOUT_APPOINTMENTS = [kind for kind in Kind if kind not in {Kind.ACCOUNT, *digests.KINDS}]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ABOUT_APPOINTMENTS)
def test_no_subject_is_longer_than_50_characters(kind, language):
    row = every_kind(language).filter(kind=kind).first()
    row.appointment.start = LONGEST
    for days in (0, 1, 2, 30):
        subject = letters.letter_for(row, LONGEST - dt.timedelta(days=days)).subject
        assert 10 <= len(subject) <= letters.MAX_SUBJECT, subject
        assert "20:30" in subject
        assert "\n" not in subject


@pytest.mark.parametrize("kind", ABOUT_APPOINTMENTS)
def test_every_kind_is_small_and_shows_no_picture(kind):
    row = every_kind().filter(kind=kind).first()
    message = letters.letter_for(row, SOON).message
    html = message.alternatives[0][0]
    assert len(html.encode()) < 30_000
    assert not re.search(r"<img|<script|<link|url\(|@import", html)
    links = set(re.findall(r'(?:href|src)="([^"]+)"', html))
    assert 1 <= len(links) <= 4
    assert all(link.startswith("http://localhost:8000/") for link in links)


@pytest.mark.parametrize("length", range(1, 80, 3))
@pytest.mark.parametrize("word", ["miércoles ", "ñ", "turno "])
def test_a_subject_begins_in_the_line_of_its_name(word, length, tmp_path):
    """As the bytes say it: whoever reads no further than that line reads its beginning."""
    subject = f"{word * 80}"[:length].strip()
    message = letters.Mail(subject, "Texto", to=["ana@example.org"])
    EmlFileBackend(file_path=str(tmp_path)).send_messages([message])
    (file,) = tmp_path.glob("*.eml")
    raw = file.read_bytes()
    (line,) = re.findall(rb"^Subject:(.*)$", raw, re.MULTILINE)
    assert line.strip()
    assert max(map(len, raw.partition(b"\n\n")[0].splitlines())) <= 78
    for rules in (policy.compat32, policy.default):
        read = message_from_bytes(raw, policy=rules)["Subject"].replace("\n ", " ")
        assert str(make_header(decode_header(read))) == subject


def test_a_mail_to_a_patient_has_such_a_subject():
    row = every_kind("es").filter(kind=Kind.BOOKED).first()
    row.appointment.start = LONGEST
    letter = letters.letter_for(row, NOW)
    assert "miércoles" in letter.subject
    assert re.search(rb"^Subject: \S", letter.message.message().as_bytes(), re.MULTILINE)


def test_a_subject_of_two_lines_is_still_refused():
    with pytest.raises(BadHeaderError):
        letters.Mail("Código\nBcc: b@example.org", "", to=["a@example.org"]).message()


def test_subjects_say_the_thing_itself():
    user, patient = in_english()
    booked(user=user, patient=patient)
    assert letter(Kind.BOOKED).subject == "Appointment booked: Thursday 26 November, 10:00"
    assert letter(Kind.PRACTITIONER_NEW).subject.endswith(", 10:00")


def test_the_weekday_gives_way_where_room_is_short():
    row = every_kind().get(kind=Kind.CONFIRMED)
    row.appointment.start = LONGEST
    assert letters.letter_for(row, SOON).subject == "Appointment confirmed: 30 September, 20:30"


@pytest.mark.parametrize(
    ("when", "subject", "opening"),
    [
        (at(10, days=2), "Reminder: appointment tomorrow at 10:00", "We expect you tomorrow."),
        (at(0, 30, days=3), "Reminder: appointment today at 10:00", "We expect you today."),
        (at(23, days=1), "Reminder: Thursday 26 November, 10:00", "We expect you on this day."),
    ],
)
def test_tomorrow_is_meant_on_the_clock_of_the_place(when, subject, opening):
    user, patient = in_english()
    booked(user=user, patient=patient)
    assert letter(Kind.REMINDER, when).subject == subject
    assert opening in text_of(Kind.REMINDER, when)


def test_the_text_as_a_patient_reads_it():
    organization = Organization.current()
    organization.name = "Consultorio O’Higgins & Cía."
    organization.save()
    user, patient = in_english()
    patient.first_name, patient.last_name = "Seán", "O'Brien <x>"
    patient.save()
    offering = open_offering(
        service__preparation="8 hours of fasting.\nBring earlier results.",
        schedule__location__name="Sede Centro",
        schedule__location__directions="Line A, Castro Barros station",
    )
    appointment = booked(user=user, patient=patient, offering=offering)
    assert text_of(Kind.BOOKED) == (
        "Thursday 26 November 2026, 10:00 (Buenos Aires time)\n"
        "\n"
        "Your appointment is booked.\n"
        "\n"
        "Patient: Seán O'Brien <x>\n"
        f"With: {appointment.practitioner}\n"
        "Where: Sede Centro, Av. Rivadavia 4500\n"
        "How to get there: Line A, Castro Barros station\n"
        f"Reference: {appointment.reference}\n"
        "Can be cancelled until: Wednesday 25 November 2026, 10:00\n"
        "\n"
        "Before you come: 8 hours of fasting.\n"
        "Bring earlier results.\n"
        "\n"
        "See the appointment:\n"
        f"http://localhost:8000/turnos/{appointment.public_id}/\n"
        "\n"
        "Change the time:\n"
        f"http://localhost:8000/turnos/{appointment.public_id}/mover/\n"
        "\n"
        "Cancel the appointment:\n"
        f"{link_to(Purpose.CANCEL, appointment, user)}\n"
        "\n"
        "To ask or to change something, call +54 11 4865-0000.\n"
        "\n"
        "Consultorio O’Higgins & Cía.\n"
    )


def test_html_escapes_what_people_typed():
    user, patient = in_english()
    patient.last_name = "<b>O'Brien</b>"
    patient.save()
    booked(user=user, patient=patient)
    html = html_of(Kind.BOOKED)
    assert "<b>" not in html
    assert "&lt;b&gt;O&#x27;Brien&lt;/b&gt;" in html


def test_date_first_in_both_parts():
    user, patient = in_english()
    booked(user=user, patient=patient)
    html = re.sub(r"<head>.*</head>", "", html_of(Kind.BOOKED), flags=re.DOTALL)
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()
    assert shown.startswith("Thursday 26 November 2026, 10:00 (Buenos Aires time) Your")


def test_the_date_in_spanish_and_the_page_in_the_readers_language():
    booked()
    assert text_of(Kind.BOOKED).startswith("Jueves 26 de noviembre de 2026, 10:00 (")
    assert '<html lang="es">' in html_of(Kind.BOOKED)


def test_the_clock_of_the_location_counts():
    user, patient = in_english()
    offering = open_offering(schedule__location__time_zone="America/Santiago")
    start = dt.datetime(2026, 11, 26, 13, 0, tzinfo=dt.UTC)
    booked(user=user, patient=patient, offering=offering, start=start)
    assert text_of(Kind.BOOKED).startswith("Thursday 26 November 2026, 10:00 (Santiago time)\n")


def test_too_late_to_cancel_says_no_date():
    user, patient = in_english()
    booked(user=user, patient=patient, start=at(16, days=0))
    assert "Can be cancelled" not in text_of(Kind.BOOKED)
    assert "call +54 11 4865-0000" in text_of(Kind.BOOKED)


def test_a_request_says_until_when_it_waits():
    user, patient = in_english()
    booked(user=user, patient=patient, asks=True)
    until = "Wednesday 25 November 2026, 8:00"
    assert f"If nobody answers before {until}, the request ends." in text_of(Kind.REQUESTED)
    User.objects.update(language="en")
    assert f"Without an answer before {until}" in text_of(Kind.PRACTITIONER_REQUEST)


def test_the_practitioners_link_leads_to_the_agenda():
    appointment = booked()
    url = f"http://localhost:8000/agenda/turnos/{appointment.public_id}/"
    assert f"\n{url}\n" in text_of(Kind.PRACTITIONER_NEW)
    assert f'href="{url}"' in html_of(Kind.PRACTITIONER_NEW)


def test_without_an_account_there_is_no_link_to_a_login():
    patient = PatientFactory.create(email="abuela@example.org")
    book(patient=patient, start=at(10, days=3))
    for kind in (Kind.BOOKED, Kind.REMINDER):
        for body in (text_of(kind), html_of(kind)):
            assert set(re.findall(r"http://[^/]+(/\w+/)", body)) == {"/correo/"}
    assert "al +54 11 4865-0000" in text_of(Kind.BOOKED)


class TestCancelled:
    def test_by_the_reader(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        services.cancel(appointment=appointment, by=Actor.patient(user), now=NOW)
        assert "\nYou cancelled this appointment.\n" in text_of(Kind.CANCELLED)

    def test_by_another_account(self):
        user, patient = in_english()
        other, _patient = family(patient)
        appointment = booked(user=other, patient=patient)
        services.cancel(appointment=appointment, by=Actor.patient(other), now=NOW)
        row = Notification.objects.with_parts().get(kind=Kind.CANCELLED, user=user)
        body = letters.letter_for(row, SOON).message.body
        assert "cancelled by another account of the patient" in body

    def test_by_the_practitioner_with_the_reason(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        by = Actor.practitioner(appointment.practitioner.user)
        services.cancel(appointment=appointment, by=by, reason="She's ill & away", now=NOW)
        body = text_of(Kind.CANCELLED)
        assert f"\n{appointment.practitioner} cancelled this appointment.\n" in body
        assert "\nReason: She's ill & away\n" in body
        assert "She&#x27;s ill &amp; away" in html_of(Kind.CANCELLED)

    def test_by_the_clinic(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        services.cancel(appointment=appointment, by=desk(), reason="Closed", now=NOW)
        assert "\nThe clinic cancelled this appointment.\n" in text_of(Kind.CANCELLED)

    def test_what_the_patient_said_is_not_repeated(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        services.cancel(appointment=appointment, by=Actor.patient(user), reason="canary", now=NOW)
        User.objects.update(language="en")
        assert "canary" not in text_of(Kind.CANCELLED) + text_of(Kind.PRACTITIONER_CANCELLED)
        assert "The patient cancelled" in text_of(Kind.PRACTITIONER_CANCELLED)

    def test_nothing_to_prepare_for(self):
        offering = open_offering(service__preparation="8 hours of fasting")
        appointment = booked(offering=offering)
        services.cancel(appointment=appointment, by=desk(), reason="Closed", now=NOW)
        assert "fasting" not in text_of(Kind.CANCELLED)

    def test_a_request_that_ended(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient, asks=True)
        services.expire(appointment=appointment, by=SYSTEM, now=appointment.expires_at)
        assert "Nobody could confirm your request in time." in text_of(Kind.EXPIRED)


class TestEnvelope:
    def sent(self):
        delivery.deliver_due(now=SOON)
        return {
            m.to[0]: message_from_bytes(m.message().as_bytes(), policy=policy.default)
            for m in mail.outbox
        }

    def test_headers(self, settings):
        settings.BASE_URL = "https://turnos.example.org"
        organization = Organization.current()
        organization.email = "hola@example.org"
        organization.save()
        user, patient = in_english()
        booked(user=user, patient=patient)
        message = self.sent()[user.email]
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Reply-To"] == "hola@example.org"
        assert re.fullmatch(r"<[0-9a-f]{32}@turnos\.example\.org>", message["Message-ID"])
        assert "https://turnos.example.org/turnos/" in message.get_body(("plain",)).get_content()

    def test_each_row_has_its_own_id_for_ever(self):
        booked()
        account_mail()
        rows = list(Notification.objects.with_parts())
        assert len({letters.message_id(row) for row in rows}) == len(rows) == 5
        assert [letters.message_id(row) for row in rows] == [
            letters.message_id(row) for row in Notification.objects.with_parts()
        ]

    def test_the_calendar_file_of_a_booking(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        [part] = self.sent()[user.email].iter_attachments()
        assert part.get_content_type() == "text/calendar"
        assert part.get_param("method") == "PUBLISH"
        assert part.get_filename() == "turno.ics"
        [event] = Calendar.from_ical(part.get_payload(decode=True)).walk("VEVENT")
        assert str(event["uid"]) == str(appointment.public_id)
        assert event.decoded("dtstart") == appointment.start

    def test_cancelling_takes_it_out_again(self):
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        services.cancel(appointment=appointment, by=desk(), reason="Closed", now=NOW)
        [part] = self.sent()[user.email].iter_attachments()
        assert part.get_param("method") == "CANCEL"
        calendar = Calendar.from_ical(part.get_payload(decode=True))
        [event] = calendar.walk("VEVENT")
        assert str(calendar["method"]) == "CANCEL"
        assert (str(event["status"]), event["sequence"]) == ("CANCELLED", 1)

    def test_a_request_is_not_in_the_calendar_yet(self):
        user, patient = in_english()
        booked(user=user, patient=patient, asks=True)
        assert list(self.sent()[user.email].iter_attachments()) == []

    def test_the_state_of_the_moment_of_sending_counts(self):
        """Rendered when it leaves: the address changed after the booking."""
        user, patient = in_english()
        appointment = booked(user=user, patient=patient)
        appointment.location.address = "Calle Nueva 1"
        appointment.location.save()
        body = self.sent()[user.email].get_body(("plain",)).get_content()
        assert "Calle Nueva 1" in body


def test_a_row_without_its_appointment_is_refused():
    row = account_mail()
    row.kind = Kind.BOOKED
    with pytest.raises(ValueError, match="tells of no appointment"):
        letters.letter_for(row, SOON)
