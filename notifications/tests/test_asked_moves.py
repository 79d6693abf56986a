"""What people are told of a move that waits for an answer, and what their calendars show."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from icalendar import Calendar

from accounts.models import User
from accounts.roles import Actor
from appointments import feeds, services, steps
from appointments.models import Appointment, CalendarFeed
from appointments.tests.factories import NOW, SYSTEM, at, book, desk
from appointments.tests.practice import account_of, browser, doctor_of, new_practice, words
from notifications.letters import letter_for
from notifications.models import Kind, Notification, State
from notifications.tests.factories import family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]


@pytest.fixture(autouse=True)
def _monday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


class Case:
    """An appointment in three days that was told of long ago, and a request to move it."""

    def __init__(self) -> None:
        self.offering = new_practice()
        self.other = open_offering(service=self.offering.service, confirmation="manual")
        self.user, self.patient = family(language="en")
        self.by = Actor.patient(self.user)
        self.old = book(offering=self.offering, patient=self.patient, start=at(10, days=3))
        told()
        self.request = services.reschedule(
            appointment=self.old, offering=self.other, start=at(12, days=4), by=self.by, now=NOW
        )
        User.objects.update(language="en")

    @property
    def to(self) -> dict[str, str]:
        return {
            self.user.email: "patient",
            account_of(self.offering).email: "old",
            account_of(self.other).email: "new",
        }

    def owed(self) -> list[tuple[str, str]]:
        rows = Notification.objects.filter(state=State.PENDING).exclude(kind=Kind.REMINDER)
        return sorted((kind, self.to[to]) for kind, to in rows.values_list("kind", "to"))


def told() -> None:
    """All that is due has left."""
    Notification.objects.filter(due_at__lte=NOW, state=State.PENDING).update(state=State.SENT)


def message(kind: Kind) -> Any:
    row = Notification.objects.with_parts().filter(kind=kind, state=State.PENDING).get()
    return letter_for(row, NOW).message


def text(kind: Kind) -> str:
    return str(message(kind).body)


def reminders() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in Notification.objects.filter(kind=Kind.REMINDER).order_by("pk"):
        found.setdefault(row.appointment_id or 0, []).append(row.state)
    return found


STAYS = "Your appointment of Thursday 26 November 2026, 10:00, {who}, {where} stays as it is"


def stays(case: Case) -> str:
    return STAYS.format(who=case.old.practitioner, where=case.old.location.name)


def test_asked_the_patient_reads_what_stays_and_one_practitioner_is_asked():
    case = Case()
    assert case.owed() == [("practitioner_request", "new"), ("requested", "patient")]
    assert f"{stays(case)} until this one is confirmed." in text(Kind.REQUESTED)
    at_work = text(Kind.PRACTITIONER_REQUEST)
    assert "A patient asks to move an appointment to this time." in at_work
    assert "Instead of: Thursday 26 November 2026, 10:00" in at_work
    assert "Withdraw the request:" in text(Kind.REQUESTED)
    for mail in (at_work, text(Kind.REQUESTED)):
        assert "Change the time" not in mail
    assert reminders() == {case.old.pk: ["pending"]}


def test_confirmed_it_is_told_as_the_move_that_they_asked_for():
    case = Case()
    told()
    services.confirm(appointment=case.request, by=doctor_of(case.other), now=NOW)
    assert case.owed() == [("moved", "patient"), ("practitioner_cancelled", "old")]
    mail = text(Kind.MOVED)
    assert "The clinic confirmed the new time that you asked for." in mail
    assert "Before: Thursday 26 November 2026, 10:00" in mail
    assert "had to move" not in mail
    assert "This appointment went to another practitioner." in text(Kind.PRACTITIONER_CANCELLED)
    assert reminders() == {case.old.pk: ["void"], case.request.pk: ["pending"]}


def test_reception_confirms_and_whoever_was_asked_is_not_told_again():
    case = Case()
    told()
    services.confirm(appointment=case.request, by=desk(), now=NOW)
    assert case.owed() == [("moved", "patient"), ("practitioner_cancelled", "old")]


@pytest.mark.parametrize(
    ("end", "kind"),
    [("declined", Kind.CANCELLED), ("expired", Kind.EXPIRED), ("withdrawn", Kind.CANCELLED)],
)
def test_without_a_yes_they_read_what_stays(end, kind):
    case = Case()
    told()
    if end == "expired":
        services.expire(appointment=case.request, by=SYSTEM, now=case.request.expires_at)
    else:
        by = case.by if end == "withdrawn" else doctor_of(case.other)
        services.cancel(appointment=case.request, by=by, reason="x", now=NOW)
    assert ("practitioner_cancelled", "old") not in case.owed()
    assert f"{stays(case)}." in text(kind)
    assert reminders() == {case.old.pk: ["pending"]}


def test_what_does_not_stay_is_not_said_to():
    case = Case()
    services.cancel(appointment=case.old, by=case.by, now=NOW)
    told()
    services.cancel(appointment=case.request, by=desk(), reason="x", now=NOW)
    assert "stays as it is" not in text(Kind.CANCELLED)


def test_a_yes_that_is_taken_back_is_told_of_both():
    case = Case()
    told()
    services.confirm(appointment=case.request, by=doctor_of(case.other), now=NOW)
    told()
    steps.undo_step(appointment=case.request, by=doctor_of(case.other), now=NOW)
    assert case.owed() == [
        ("confirmed", "patient"),
        ("practitioner_new", "old"),
        ("requested", "patient"),
    ]
    assert reminders()[case.request.pk] == ["void"]
    assert reminders()[case.old.pk] == ["void", "pending"]


def test_a_yes_that_nobody_had_read_of_is_taken_back_in_silence():
    case = Case()
    told()
    services.confirm(appointment=case.request, by=doctor_of(case.other), now=NOW)
    steps.undo_step(appointment=case.request, by=doctor_of(case.other), now=NOW)
    assert ("confirmed", "patient") not in case.owed()
    assert ("practitioner_new", "old") not in case.owed()


def entries(address: str) -> dict[str, str]:
    content = browser().get(address.removeprefix("http://localhost:8000")).content
    events = Calendar.from_ical(content).walk("VEVENT")
    return {str(event["uid"]): str(event["status"]) for event in events}


def test_the_calendar_shows_the_one_as_sure_and_the_other_as_asked():
    case = Case()
    address = feeds.renew(user=case.user, kind=CalendarFeed.Kind.PATIENT, by=case.by)
    old, new = str(case.old.public_id), str(case.request.public_id)
    assert entries(address) == {old: "CONFIRMED", new: "TENTATIVE"}
    services.confirm(appointment=case.request, by=desk(), now=NOW)
    assert entries(address) == {old: "CANCELLED", new: "CONFIRMED"}


def test_the_mail_ends_the_old_entry_and_begins_the_new_one():
    case = Case()
    services.confirm(appointment=case.request, by=desk(), now=NOW)
    files = {}
    for part in message(Kind.MOVED).attachments:
        calendar = Calendar.from_ical(part.get_payload(decode=True))
        (event,) = calendar.walk("VEVENT")
        files[str(event["uid"])] = (str(calendar["method"]), str(event["status"]))
    assert files == {
        str(case.old.public_id): ("CANCEL", "CANCELLED"),
        str(case.request.public_id): ("PUBLISH", "CONFIRMED"),
    }


def test_the_file_of_the_old_one_takes_it_out_of_the_calendar():
    case = Case()
    services.confirm(appointment=case.request, by=desk(), now=NOW)
    file = browser(case.user).get(f"/turnos/{case.old.public_id}/turno.ics").content.decode()
    assert f"UID:{case.old.public_id}" in file
    assert "STATUS:CANCELLED" in file
    assert Appointment.objects.occupying().get() == case.request


def test_the_pages_behind_the_links_say_what_stays_and_what_is_given_up():
    Case()
    links = dict.fromkeys(("cancelar", "confirmar"), "")
    for kind in (Kind.REQUESTED, Kind.PRACTITIONER_REQUEST):
        for line in text(kind).splitlines():
            for name in links:
                if f"/correo/{name}/" in line:
                    links[name] = line.partition("localhost:8000")[2]
    client = browser()
    page = words(client.get(links["cancelar"], follow=True))
    assert "Thursday 26 November 2026, 10:00" in page
    assert "stays as it is. The time becomes free" in page
    assert "Withdraw the request" in page
    page = words(browser().get(links["confirmar"], follow=True))
    assert "confirming it gives up the appointment of Thursday 26 November 2026, 10:00" in page
