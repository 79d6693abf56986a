"""A calendar that takes every file it is sent ends as the appointments are."""

import datetime as dt

import pytest
from django.core import mail
from django.test import Client
from icalendar import Calendar

from accounts.roles import Actor
from appointments import feeds, services, steps
from appointments.models import Appointment, CalendarFeed
from appointments.tests.factories import NOW, SYSTEM, at, desk
from appointments.tests.practice import new_practice
from notifications import delivery
from notifications.tests.factories import booked, family

pytestmark = [pytest.mark.django_db, pytest.mark.once]


class Program:
    """A calendar program: entries by UID, of which the highest SEQUENCE counts (RFC 5546 2.1.5)."""

    def __init__(self):
        self.entries = {}
        self.files = 0

    def take(self, data):
        calendar = Calendar.from_ical(data)
        self.files += 1
        for event in calendar.walk("VEVENT"):
            known = self.entries.get(str(event["uid"]))
            if known is None or event["sequence"] >= known["sequence"]:
                if calendar["method"] == "CANCEL":
                    event["status"] = "CANCELLED"
                self.entries[str(event["uid"])] = event

    @property
    def shown(self):
        """When and how sure: what somebody looking at it sees."""
        there = [e for e in self.entries.values() if e["status"] != "CANCELLED"]
        return [(event.decoded("dtstart"), str(event["status"])) for event in there]


class Desk:
    """One account, its mails and its feed, each in a program of its own."""

    def __init__(self, **offering):
        self.user, self.patient = family()
        self.offering = new_practice(**offering)
        by = Actor.patient(self.user)
        address = feeds.renew(user=self.user, kind=CalendarFeed.Kind.PATIENT, by=by)
        self.feed = address.removeprefix("http://localhost:8000")
        self.from_mails, self.from_feed = Program(), Program()

    def book(self, **kwargs):
        return booked(user=self.user, patient=self.patient, offering=self.offering, **kwargs)

    def move(self, visit, hour, *, to=None, by=None):
        return services.reschedule(
            appointment=visit,
            offering=to or self.offering,
            start=at(hour, days=5),
            by=by or Actor.patient(self.user),
            now=NOW,
        )

    def look(self, now=NOW):
        """Take what has arrived; both programs show the same."""
        delivery.deliver_due(now=now + dt.timedelta(minutes=1))
        for message in mail.outbox:
            for name, data, _type in (a for a in map(_part, message.attachments) if a):
                assert name in {"turno.ics", "turno-anterior.ics"}
                if message.to == [self.user.email]:
                    self.from_mails.take(data)
        mail.outbox.clear()
        self.from_feed.take(Client().get(self.feed).content)
        return self.from_mails.shown, self.from_feed.shown


def _part(attachment):
    return attachment.get_filename(), attachment.get_payload(decode=True), "text/calendar"


@pytest.fixture
def ana(time_machine):
    time_machine.move_to(NOW, tick=False)
    return Desk()


def sure(hour, days=5):
    return [(at(hour, days=days).astimezone(dt.UTC), "CONFIRMED")]


def test_each_file_names_who_it_comes_from(ana, settings):
    """Programs take a cancelling only from whom they know."""
    settings.DEFAULT_FROM_EMAIL = "Turnos <turnos@example.org>"
    visit = ana.book()
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    ana.look()
    [event] = ana.from_mails.entries.values()
    assert str(event["organizer"]) == "mailto:turnos@example.org"


def test_booked_moved_moved_cancelled(ana):
    first = ana.book()
    assert ana.look() == (sure(10, days=3),) * 2
    second = ana.move(first, 11)
    assert ana.look() == (sure(11),) * 2
    third = ana.move(second, 12)
    assert ana.look() == (sure(12),) * 2
    services.cancel(appointment=third, by=Actor.patient(ana.user), now=NOW)
    assert ana.look() == ([], [])
    assert list(ana.from_mails.entries) == list(ana.from_feed.entries) == [str(first.public_id)]
    assert ana.from_mails.files == 4


def test_each_program_may_have_both(ana):
    """Mails and feed in one program are one entry, not two."""
    ana.from_feed = ana.from_mails
    moved = ana.move(ana.book(), 11)
    assert ana.look()[0] == sure(11)
    ana.move(moved, 12)
    assert ana.look()[0] == sure(12)
    assert len(ana.from_mails.entries) == 1


def test_in_any_order(ana):
    """A mail that was late does not bring the old time back."""
    first = ana.book()
    delivery.deliver_due(now=NOW)
    ana.move(first, 11)
    delivery.deliver_due(now=NOW)
    mail.outbox.reverse()
    assert ana.look()[0] == sure(11)


def test_there_and_back_again(ana):
    first = ana.book(start=at(9, days=5))
    second = ana.move(first, 11)
    ana.look()
    ana.move(second, 9)
    assert ana.look() == (sure(9),) * 2
    assert Appointment.objects.count() == 3


def test_a_move_that_has_to_be_confirmed_leaves_the_old_time_in(ana):
    """To another practitioner who answers by hand: a mail brings what is sure, the feed both."""
    first = ana.book()
    ana.look()
    other = new_practice(service=ana.offering.service, confirmation="manual")
    asked = ana.move(first, 11, to=other)
    maybe = [(at(11, days=5).astimezone(dt.UTC), "TENTATIVE")]
    assert ana.look() == (sure(10, days=3), sure(10, days=3) + maybe)
    services.confirm(appointment=asked, by=desk(), now=NOW)
    assert ana.look() == (sure(11),) * 2


def test_and_if_nobody_answers_it_is_as_before(ana, time_machine):
    first = ana.book()
    ana.look()
    other = new_practice(service=ana.offering.service, confirmation="manual")
    asked = ana.move(first, 11, to=other)
    ana.look()
    services.expire(appointment=asked, by=SYSTEM, now=asked.expires_at)
    time_machine.move_to(asked.expires_at, tick=False)
    assert ana.look(asked.expires_at) == (sure(10, days=3),) * 2


def test_saying_one_comes_makes_no_new_version(ana):
    visit = ana.book()
    ana.look()
    known = ana.from_feed.entries[str(visit.public_id)]
    services.say_coming(appointment=visit, by=Actor.patient(ana.user), now=NOW)
    ana.look()
    assert ana.from_feed.entries[str(visit.public_id)]["sequence"] == known["sequence"]


def test_a_mistaken_cancelling_that_was_undone(ana):
    visit = ana.book()
    ana.look()
    cancelled = services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    ana.look()
    steps.undo_step(appointment=cancelled, by=desk(), now=NOW)
    assert ana.look() == (sure(10, days=3),) * 2
