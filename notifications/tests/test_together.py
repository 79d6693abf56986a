"""What one family has on one day is told in one reminder, each appointment exactly once."""

import datetime as dt
import re
import smtplib
from email import message_from_bytes, policy
from html import unescape

import pytest
from django.core import mail
from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import PatientFactory
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from clinic.models import Location, Organization
from notifications import delivery, letters, links, pulse, together
from notifications import services as by_hand
from notifications.links import Purpose
from notifications.models import Kind, MessageText, Notification, State
from notifications.selectors import Recipient
from notifications.tests.factories import booked, family
from notifications.tests.test_delivery import Picky
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
#: A day before ten o'clock in three days.
TEN = at(10, days=2)


@pytest.fixture
def mother():
    """With two children."""
    user, _child = family(email="madre@example.org", language="en")
    for name in ("Julia", "Bruno"):
        family_of(user, name)
    return user


def family_of(user, name):
    patient = PatientFactory.create(first_name=name)
    user.patient_accesses.create(patient=patient, relation="child")
    return patient


def children(user):
    return [access.patient for access in user.patient_accesses.order_by("pk")][1:]


def visits(user, *hours, days=3, **kwargs):
    """One for each child, at these hours."""
    made = [
        booked(user=user, patient=child, start=at(hour, days=days), **kwargs)
        for child, hour in zip(children(user), hours, strict=True)
    ]
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    return made


def states(kind=Kind.REMINDER):
    rows = Notification.objects.filter(kind=kind).order_by("appointment__start", "pk")
    return list(rows.values_list("state", flat=True))


def reminders():
    return Notification.objects.filter(kind=Kind.REMINDER).order_by("appointment__start", "pk")


def told():
    """The references of each mail that left, sorted."""
    everything = Appointment.objects.values_list("reference", flat=True)
    return [sorted(ref for ref in everything if ref in sent.body) for sent in mail.outbox]


def calendars_of(sent):
    message = message_from_bytes(sent.message().as_bytes(), policy=policy.default)
    return [part.get_payload(decode=True).decode() for part in message.iter_attachments()]


def ways_in(sent):
    """The words of the links, in their order."""
    return [unescape(text) for text in re.findall(r"<a [^>]*>([^<]+)</a>", sent.alternatives[0][0])]


def test_one_mail_for_both_when_the_first_is_due(mother):
    one, other = visits(mother, 10, 16)
    assert delivery.deliver_due(now=TEN - MINUTE) == 0
    assert delivery.deliver_due(now=TEN) == 1
    assert states() == [State.SENT, State.SENT]
    assert told() == [sorted([one.reference, other.reference])]
    first, second = reminders()
    assert (first.told_with, second.told_with) == (None, first)
    assert second.sent_at == first.sent_at == TEN
    assert delivery.deliver_due(now=TEN + 6 * 60 * MINUTE) == 0
    assert len(mail.outbox) == 1


def test_what_the_mail_says(mother):
    one, other = visits(mother, 10, 16)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    assert sent.subject == "Reminder: 2 appointments tomorrow"
    assert sent.body.startswith("Thursday 26 November (Buenos Aires time)\n\nWe expect you")
    for visit, time in ((one, "10:00"), (other, "16:00")):
        line = next(line for line in sent.body.splitlines() if visit.reference in line)
        assert line.startswith(f"{time}: {visit.patient.full_name} · with {visit.practitioner} · ")
    assert "http://localhost:8000/turnos/\n" in sent.body
    calendars = calendars_of(sent)
    assert [str(one.calendar_name) in c for c in calendars] == [True, False]
    assert len(calendars) == 2


def test_in_spanish_within_50_characters(mother):
    User.objects.update(language="es")
    visits(mother, 10, 16)
    row = delivery.claim(reminders()[0].pk, now=TEN)
    letter = letters.letter_for(row, TEN - 2 * DAY)
    assert letter.subject == "Recordatorio: 2 turnos, jueves 26 de noviembre"
    assert len(letter.subject) <= 50
    assert "2 turnos" in letter.message.body


def test_another_day_and_another_account_have_their_own(mother):
    father, _patient = family(email="padre@example.org")
    one, other = visits(mother, 10, 16)
    later = booked(user=mother, patient=children(mother)[0], start=at(10, days=4))
    alone = booked(user=father, patient=_patient, start=at(11, days=3))
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    delivery.deliver_due(now=TEN + 60 * MINUTE)
    assert sorted(told()) == sorted([sorted([one.reference, other.reference]), [alone.reference]])
    delivery.deliver_due(now=TEN + DAY)
    assert told()[-1] == [later.reference]


def test_both_parents_are_told_of_both(mother):
    father, _patient = family(email="padre@example.org")
    for child in children(mother):
        father.patient_accesses.create(patient=child, relation="child")
    visits(mother, 10, 16)
    delivery.deliver_due(now=TEN)
    assert sorted(sent.to[0] for sent in mail.outbox) == ["madre@example.org", "padre@example.org"]
    assert states() == [State.SENT] * 4


def test_records_without_account_that_share_an_address():
    for hour in (10, 16):
        child = PatientFactory.create(email="casa@example.org")
        book(patient=child, start=at(hour, days=3))
    book(patient=PatientFactory.create(email="otra@example.org"), start=at(11, days=3))
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    delivery.deliver_due(now=TEN)
    assert [sent.to for sent in mail.outbox] == [["casa@example.org"]]
    assert states() == [State.SENT, State.PENDING, State.SENT]


def test_one_that_was_cancelled_is_not_told(mother):
    one, other = visits(mother, 10, 16)
    services.cancel(appointment=other, by=desk(), reason="x", now=NOW)
    delivery.deliver_due(now=TEN)
    assert one.reference in mail.outbox[-1].body
    assert not any(
        other.reference in sent.body and "Reminder" in sent.subject for sent in mail.outbox
    )
    assert states() == [State.SENT, State.VOID]


def test_if_the_first_was_cancelled_the_other_has_its_own_time(mother):
    one, other = visits(mother, 10, 16)
    services.cancel(appointment=one, by=Actor.patient(mother), now=NOW)
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    assert delivery.deliver_due(now=TEN) == 0
    assert delivery.deliver_due(now=TEN + 6 * 60 * MINUTE) == 1
    assert told() == [[other.reference]]


def test_cancelled_between_the_claim_and_the_mail(mother):
    """The row is on its way and is not voided: the worker looks once more."""
    _one, other = visits(mother, 10, 16)
    row = delivery.claim(reminders()[0].pk, now=TEN)
    services.cancel(appointment=other, by=desk(), reason="x", now=NOW)
    row = again(row)
    assert delivery._is_for_now(row, TEN)
    assert row.companions == []
    assert states() == [State.SENDING, State.VOID]


def test_the_first_cancelled_between_the_claim_and_the_mail(mother):
    one, _other = visits(mother, 10, 16)
    row = delivery.claim(reminders()[0].pk, now=TEN)
    services.cancel(appointment=one, by=desk(), reason="x", now=NOW)
    assert not delivery._is_for_now(again(row), TEN)
    assert states() == [State.VOID, State.PENDING]
    second = reminders()[1]
    assert (second.told_with, second.try_at) == (None, TEN + 6 * 60 * MINUTE)


def again(row):
    """The claimed row with what is in the database now."""
    fresh = Notification.objects.with_parts().get(pk=row.pk)
    fresh.companions = list(Notification.objects.with_parts().filter(told_with=row))
    return fresh


def test_a_worker_that_dies_is_followed_by_one_that_sends_the_same_mail(mother):
    one, other = visits(mother, 10, 16)
    first, second = reminders()
    delivery.claim(first.pk, now=TEN)
    assert delivery.deliver([second.pk, first.pk], now=TEN + delivery.LEASE / 2).sent == 0
    after = TEN + delivery.LEASE
    assert delivery.deliver([second.pk], now=after).sent == 1, "whichever is found first"
    assert told() == [sorted([one.reference, other.reference])]
    [sent] = mail.outbox
    assert sent.extra_headers["Message-ID"] == delivery_id(first)
    assert states() == [State.SENT, State.SENT]


def delivery_id(row):
    return letters.message_id(row)


def test_one_that_goes_along_waits_for_a_mail_that_was_put_off(mother, settings, monkeypatch):
    settings.EMAIL_BACKEND = "notifications.tests.test_delivery.Picky"
    monkeypatch.setattr(Picky, "fails", {"madre@example.org": smtplib.SMTPDataError(451, b"x")})
    visits(mother, 10, 16)
    assert delivery.deliver_due(now=TEN) == 0
    first, second = reminders()
    assert [row.state for row in (first, second)] == [State.PENDING] * 2
    assert TEN < first.try_at < TEN + MINUTE
    assert second.try_at == TEN + 6 * 60 * MINUTE, "not before its own time"
    Picky.fails.clear()
    assert delivery.deliver_due(now=first.try_at) == 1
    assert states() == [State.SENT] * 2


def test_its_own_time_comes_while_the_other_is_put_off(mother):
    visits(mother, 10, 16)
    first, second = reminders()
    late = TEN + 7 * 60 * MINUTE
    delivery.claim(first.pk, now=TEN)
    reminders().update(state=State.PENDING, lease_until=None)
    Notification.objects.filter(pk=first.pk).update(try_at=late)
    assert delivery.deliver_due(now=late - MINUTE) == 0
    second.refresh_from_db()
    assert second.try_at == late
    assert delivery.deliver_due(now=late) == 1
    assert states() == [State.SENT] * 2


def test_refused_for_good_is_refused_for_both(mother, settings, monkeypatch):
    settings.EMAIL_BACKEND = "notifications.tests.test_delivery.Picky"
    no = smtplib.SMTPRecipientsRefused({"madre@example.org": (550, b"no")})
    monkeypatch.setattr(Picky, "fails", {"madre@example.org": no})
    visits(mother, 10, 16)
    pulse.mail_went(TEN)
    delivery.deliver_due(now=TEN)
    assert states() == [State.FAILED] * 2


def test_one_that_cannot_be_written_delays_the_other_once(mother, monkeypatch):
    one, other = visits(mother, 10, 16)
    whole = letters.letter_for

    def letter_for(row, now):
        if any(each.appointment == other for each in (row, *row.companions)):
            raise ValueError("broken")
        return whole(row, now)

    monkeypatch.setattr(delivery, "letter_for", letter_for)
    assert delivery.deliver_due(now=TEN) == 0
    assert states() == [State.PENDING] * 2
    assert delivery.deliver_due(now=TEN + MINUTE) == 1
    assert states() == [State.SENT, State.PENDING]
    assert told() == [[one.reference]]


def test_a_standstill_does_not_make_two_mails_of_two_reminders(mother):
    Organization.current()
    Organization.objects.update(reminders="48, 24")
    [one, other] = visits(mother, 10, 16)
    assert len(states()) == 4
    delivery.deliver_due(now=at(18, days=2))
    assert told() == [sorted([one.reference, other.reference])]
    assert states() == [State.SENT] * 4
    [sent] = mail.outbox
    assert sent.subject == "Reminder: 2 appointments tomorrow"
    assert [sent.body.count(visit.reference) for visit in (one, other)] == [1, 1]
    assert len(calendars_of(sent)) == 2


def test_two_reminders_of_one_appointment_are_the_ordinary_mail(mother):
    """After a standstill both leave, and there is one appointment to tell of."""
    Organization.current()
    Organization.objects.update(reminders="48, 24")
    MessageText.objects.create(kind=Kind.REMINDER, language="en", closing="Bring your card.")
    visit = booked(user=mother, patient=children(mother)[0], start=TEN + DAY)
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    assert delivery.deliver_due(now=TEN) == 1
    assert states() == [State.SENT] * 2
    [sent] = mail.outbox
    assert sent.subject == "Reminder: appointment tomorrow at 10:00"
    assert "Bring your card." in sent.body
    assert sent.body.count(visit.reference) == 1
    assert len(calendars_of(sent)) == 1
    assert ways_in(sent) == [
        "I will come",
        "See the appointment",
        "Change the time",
        "Cancel the appointment",
    ]


@pytest.mark.parametrize(
    ("opening", "closing", "kept"),
    [
        ("We expect you {day}.", "{clinic}: bring your cards.", (True, True)),
        ("Dear {patient}", "Bring your cards.", (False, True)),
        ("Until {day}", "{phone}", (True, False)),
        ("At {time}", "{gone}", (False, False)),
    ],
)
def test_the_clinics_words_hold_for_several_if_their_names_do(
    mother, caplog, opening, closing, kept
):
    """At two places nobody knows whose phone is meant."""
    MessageText.objects.create(
        kind=Kind.REMINDER, language="en", subject="Come {day}", opening=opening, closing=closing
    )
    visits(mother, 10, 16)
    Location.objects.update(phone="+541148650001")
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    assert sent.subject == "Reminder: 2 appointments tomorrow"
    beginnings = opening.partition("{")[0] in sent.body, "bring your cards" in sent.body.lower()
    assert beginnings == kept
    assert ("We expect you tomorrow." in sent.body) is ("We expect" in opening)
    assert "{" not in sent.body
    assert not caplog.records


def test_at_one_place_its_phone_is_the_one(mother):
    MessageText.objects.create(kind=Kind.REMINDER, language="en", closing="{place}: {phone}")
    one, other = visits(mother, 10, 16)
    Location.objects.filter(pk=one.location_id).update(phone="+541148650001", name="Centro")
    QuerySet(Appointment).filter(pk=other.pk).update(location=one.location)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    assert "\n\nCentro: +54 11 4865-0001\n\n" in sent.body


def test_each_of_several_can_be_answered(mother):
    one, other = visits(mother, 10, 16)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    assert ways_in(sent) == [
        "See the appointments",
        "I will come at 10:00",
        "Cancel the appointment at 10:00",
        "I will come at 16:00",
        "Cancel the appointment at 16:00",
    ]
    me = Recipient.account(mother)
    for visit, time in ((one, "10:00"), (other, "16:00")):
        come, cancel = (links.address(way, visit, me) for way in (Purpose.COME, Purpose.CANCEL))
        assert f"I will come at {time}:\n{come}\n" in sent.body
        assert f"Cancel the appointment at {time}:\n{cancel}\n" in sent.body


def test_what_can_no_longer_be_cancelled_has_no_link_for_it(mother):
    visits(mother, 10, 16)
    row = delivery.claim(reminders()[0].pk, now=TEN)
    ways = ways_in(letters.letter_for(row, TEN + MINUTE).message)
    assert ways[1:] == [
        "I will come at 10:00",
        "I will come at 16:00",
        "Cancel the appointment at 16:00",
    ]


def test_at_the_same_time_the_links_name_whom_they_are_for(mother):
    visits(mother, 10, 10)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    names = {child.full_name for child in children(mother)}
    ways = ways_in(sent)[1:]
    for way in ("I will come at", "Cancel the appointment at"):
        assert {f"{way} 10:00 ({name})" for name in names} <= set(ways)
    assert len(set(ways)) == 4


def test_without_an_account_each_is_answered_as_its_own_patient():
    made = []
    for hour in (10, 16):
        child = PatientFactory.create(email="casa@example.org")
        made.append(book(patient=child, start=at(hour, days=3)))
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    paths = re.findall(r"http://localhost:8000(/correo/\S+)", sent.body)
    found = [links.read(*path.split("/")[2:4]) for path in paths]
    assert [(link.purpose, link.appointment, link.recipient.user) for link in found] == [
        (purpose, visit, None) for visit in made for purpose in (Purpose.COME, Purpose.CANCEL)
    ]
    assert "/turnos/" not in sent.body


@pytest.mark.parametrize("language", ["es", "en"])
def test_both_parts_of_a_mail_of_several_say_the_same(mother, language):
    User.objects.update(language=language)
    visits(mother, 10, 16)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    ways, html = ways_in(sent), str(sent.alternatives[0][0])
    assert len(ways) == 5
    assert [way for way in ways if f"\n{way}:\nhttp" in sent.body] == ways
    hrefs = [unescape(url) for url in re.findall(r'href="([^"]+)"', html)]
    assert hrefs == re.findall(r"https?://\S+", sent.body)
    if language == "es":
        assert ways[1:3] == ["Voy a ir a las 10:00", "Cancelar el turno de las 10:00"]


def test_each_of_two_reminders_is_told_at_its_own_time(mother):
    Organization.current()
    Organization.objects.update(reminders="48, 24")
    visits(mother, 10, 16)
    assert delivery.deliver_due(now=TEN - DAY) == 1
    assert sorted(states()) == [State.PENDING] * 2 + [State.SENT] * 2
    assert delivery.deliver_due(now=TEN) == 1
    assert len(mail.outbox) == 2


def test_sent_again_it_goes_alone(mother):
    _one, other = visits(mother, 10, 16)
    delivery.deliver_due(now=TEN)
    second = reminders().get(appointment=other)
    copy = by_hand.send_again(notification=second, by=Actor.system(), now=TEN)
    assert (copy.told_with, copy.day) == (None, None)
    delivery.deliver_due(now=TEN)
    assert told()[-1] == [other.reference]


def test_only_reminders_are_bundled():
    booked()
    rows = Notification.objects.exclude(kind=Kind.REMINDER)
    assert [together.bundle_of(row.pk) for row in rows] == [None, None]


def test_twins_at_different_places_and_clocks(mother):
    """Each time with its own clock when they are not the same."""
    Organization.objects.update(quiet_from=dt.time(0), quiet_until=dt.time(0))
    far = open_offering(schedule__location__time_zone="America/Mexico_City")
    here, there = children(mother)
    booked(user=mother, patient=here, start=at(10, days=3))
    booked(user=mother, patient=there, start=at(15, days=3), offering=far)
    Notification.objects.exclude(kind=Kind.REMINDER).update(state=State.SENT)
    delivery.deliver_due(now=TEN)
    [sent] = mail.outbox
    assert "\n10:00 (Buenos Aires): " in sent.body
    assert "\n12:00 (Mexico City): " in sent.body
    assert sent.body.startswith("Thursday 26 November\n")
