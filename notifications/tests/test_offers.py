"""The one mail of a freed time: to whoever waits, and only while it is theirs."""

import datetime as dt
from collections import Counter

import pytest
from django.core import mail

from accounts.models import PatientAccess
from accounts.tests.factories import PatientFactory, patient_user
from appointments import freed, waiting
from appointments.models import WaitingOffer
from appointments.tests.factories import NOW, at, book
from appointments.tests.waiting import actor, frees, offered, to_be_called, waits, waits_for_a_call
from clinic.models import Organization
from notifications import delivery, integrity, pulse
from notifications.letters import MAX_SUBJECT, letter_for
from notifications.models import Kind, Notification, State
from scheduling.tests.factories import open_offering

pytestmark = pytest.mark.django_db

OVER = NOW + dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _organization():
    Organization.current()


@pytest.fixture
def offering():
    return open_offering(service__name="Consulta psiquiátrica")


def the_row():
    return Notification.objects.with_parts().get(kind=Kind.OFFER)


def told(offer):
    return list(offer.notifications.values_list("state", flat=True))


def sent(now):
    """How many mails of offers leave; of what was cancelled others are told too."""
    ids = Notification.objects.filter(kind=Kind.OFFER).values_list("pk", flat=True)
    delivery.mark_late(now=now)
    return delivery.deliver(ids, now=now).sent


def test_an_offer_owes_one_message_to_the_account(offering):
    user = patient_user()
    user.language = "en"
    user.save()
    offer = offered(offering, user)
    row = the_row()
    assert row.key == f"o{offer.pk}:offer:u{user.pk}"
    assert (row.to, row.user, row.language) == (user.email, user, "en")
    assert (row.due_at, row.try_at, row.useful_until) == (NOW, NOW, OVER)
    assert (row.state, row.appointment) == (State.PENDING, None)


def test_it_says_when_and_until_when_and_nothing_of_why(offering):
    offer = offered(offering)
    letter = letter_for(the_row(), NOW)
    # The weekday would be one letter too many.
    assert letter.subject == "Se liberó un horario: 24 de noviembre, 10:00"
    assert len(letter.subject) <= MAX_SUBJECT
    text = letter.message.body
    first, _empty, second = text.splitlines()[:3]
    assert first == "Martes 24 de noviembre de 2026, 10:00 (hora de Buenos Aires)"
    assert second.startswith("Se liberó este horario. Queda guardado hasta las 9:00.")
    html = str(letter.message.alternatives[0][0])
    for said in (text, html):
        assert f"/avisos/oferta/{offer.public_id}/" in said
        assert "psiqui" not in said.lower()
    assert "Ver el horario y responder" in text
    assert letter.message.attachments == []


def test_it_is_written_in_the_readers_language(offering):
    user = patient_user()
    user.language = "en"
    user.save()
    old = book(offering=offering, patient=user.patient_accesses.get().patient, start=at(9, days=9))
    offered(offering, user, instead_of=old)
    letter = letter_for(the_row(), NOW)
    assert letter.subject == "A time is free: Tuesday 24 November, 10:00"
    assert "We keep it for you until 9:00." in letter.message.body
    assert "Instead of: Wednesday 2 December 2026, 9:00" in letter.message.body


def test_it_leaves_once(offering):
    offer = offered(offering)
    assert sent(NOW) == 1
    assert sent(NOW) == 0
    assert mail.outbox[0].to == [offer.entry.user.email]
    assert told(offer) == [State.SENT]


@pytest.mark.parametrize(
    "end",
    [
        lambda offer: freed.decline(offer=offer, now=NOW),
        lambda offer: freed.accept(offer=offer, by=actor(offer), now=NOW),
        lambda offer: freed.sweep(now=OVER),
        lambda offer: waiting.end(entry=offer.entry, now=NOW),
    ],
)
def test_it_is_void_once_the_offer_is_over(offering, end):
    offer = offered(offering)
    end(offer)
    assert told(offer) == [State.VOID]


def test_an_offer_that_is_over_by_the_clock_is_not_told(offering):
    offer = offered(offering)
    assert sent(OVER) == 0
    assert told(offer) == [State.LATE]


def test_a_row_that_was_left_behind_is_looked_at_once_more(offering):
    offer = offered(offering)
    freed.decline(offer=offer, now=NOW)
    Notification.objects.filter(offer=offer).update(state=State.PENDING)
    assert sent(NOW) == 0
    assert told(offer) == [State.VOID]


def test_who_acts_for_the_patient_no_longer_is_told_nothing(offering):
    offer = offered(offering)
    PatientAccess.objects.filter(user=offer.entry.user).update(ended_at=NOW)
    assert sent(NOW) == 0
    assert told(offer) == [State.VOID]


def silence(now):
    """The mail server fails; what is due stays unsent."""
    pulse.mail_stands(now)
    delivery.mark_late(now=now)


def test_while_no_mail_leaves_nobody_loses_a_place(offering):
    """The first on the list gets the time that is free, with the whole time to answer."""
    first = offered(offering)
    after = waits(offering, now=NOW + dt.timedelta(minutes=1))
    silence(NOW)
    for minutes in range(0, 180, 20):
        silence(NOW + dt.timedelta(minutes=minutes))
        assert freed.sweep(now=NOW + dt.timedelta(minutes=minutes)) == 0
    assert told(first) == [State.LATE]
    back = NOW + dt.timedelta(hours=3)
    pulse.mail_went(back)
    assert freed.sweep(now=back) == 1
    offer = WaitingOffer.objects.get(is_open=True)
    assert offer.entry == first.entry
    assert offer.expires_at == back + dt.timedelta(hours=1)
    assert sent(back) == 1
    later = back + dt.timedelta(hours=1)
    assert freed.sweep(now=later) == 1
    assert WaitingOffer.objects.get(is_open=True).entry == after
    assert breaches() == []


def test_whom_the_desk_calls_is_asked_without_mail(offering):
    pulse.mail_stands(NOW)
    called = waits_for_a_call(offering)
    waits(offering, now=NOW + dt.timedelta(minutes=1))
    frees(offering)
    assert freed.sweep(now=NOW) == 1
    assert WaitingOffer.objects.get().entry == called


def test_who_cannot_be_told_twice_holds_up_nobody(offering):
    first = offered(offering)
    after = waits(offering, now=NOW + dt.timedelta(minutes=1))
    assert freed.sweep(now=OVER) == 1
    assert WaitingOffer.objects.get(is_open=True).entry == first.entry
    assert freed.sweep(now=OVER + dt.timedelta(hours=1)) == 1
    assert WaitingOffer.objects.get(is_open=True).entry == after


@pytest.mark.parametrize("state", [State.SENT, State.FAILED, State.UNWANTED])
def test_whose_message_had_its_end_is_asked_once(offering, state):
    offer = offered(offering)
    offer.notifications.update(state=state)
    assert freed.sweep(now=OVER) == 0
    offer.refresh_from_db()
    assert (offer.answer, offer.never_told) == (WaitingOffer.Answer.LAPSED, False)


def breaches():
    return [str(breach) for breach in integrity.breaches(Counter(), now=NOW)]


def test_an_offer_that_nobody_is_told_of_is_found(offering):
    offer = offered(offering)
    assert breaches() == []
    Notification.objects.filter(offer=offer).delete()
    assert breaches() == [f"everybody who waits is told: offer {offer.pk}: has no message"]


def test_a_message_of_an_offer_that_is_over_is_found(offering):
    offer = offered(offering)
    freed.decline(offer=offer, now=NOW)
    assert breaches() == []
    Notification.objects.filter(offer=offer).update(state=State.PENDING)
    assert breaches() == [f"messages are true: offer {offer.pk}: is over, and its message waits"]


def test_whoever_has_no_account_is_called_and_not_written_to():
    """Nothing is owed, and nothing is missing either."""
    offer = to_be_called(open_offering(), patient=PatientFactory.create(email="ana@example.org"))
    assert offer.is_open
    assert not Notification.objects.filter(offer=offer).exists()
    assert breaches() == []
