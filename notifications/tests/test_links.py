"""Links in mails: who can use them for what, until when, and what looking at them changes."""

import datetime as dt
import re
from collections import Counter
from html import unescape

import pytest
from django.core.signing import Signer
from django.test import Client
from django.utils import translation

from accounts.models import PatientAccess, User
from accounts.roles import Actor, Role, Source
from accounts.tests.factories import PatientFactory, administrator
from appointments import services
from appointments.integrity import breaches
from appointments.models import Appointment, AppointmentEvent
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import browser, main_part, words
from appointments.transitions import Status, Verb
from clinic.models import Organization
from notifications import delivery, links
from notifications.letters import letter_for
from notifications.links import Purpose
from notifications.models import Kind, Notification
from notifications.selectors import Recipient
from notifications.tests.factories import booked, family

pytestmark = pytest.mark.django_db

COME, CANCEL, CONFIRM = Purpose
START = at(10, days=3)


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(NOW, tick=False)
    Organization.current()


@pytest.fixture
def ana():
    user, _patient = family(language="en")
    return user


def visit_of(user, **kwargs):
    patient = user.patient_accesses.get().patient
    return booked(user=user, patient=patient, **kwargs)


def to(purpose, visit, user):
    url = links.address(purpose, visit, Recipient.account(user))
    assert url.startswith("http://localhost:8000/correo/")
    return url.removeprefix("http://localhost:8000")


def asked_of(doctor_language="en"):
    """A request, and the practitioner's link to confirm it."""
    visit = booked(asks=True)
    doctor = visit.practitioner.user
    User.objects.filter(pk=doctor.pk).update(language=doctor_language)
    doctor.refresh_from_db()
    return visit, doctor, to(CONFIRM, visit, doctor)


def last(visit):
    return AppointmentEvent.objects.filter(appointment=visit).last()


def facts():
    """Everything that a look could have changed."""
    return [
        *Appointment.objects.values(),
        *AppointmentEvent.objects.values(),
        *Notification.objects.values(),
    ]


# --- the button


@pytest.mark.parametrize(
    ("purpose", "question", "button", "answer"),
    [
        (COME, "Will you come?", "I will come", "Thank you: we expect you"),
        (CANCEL, "Cancel this appointment?", "Cancel the", "The appointment is cancelled"),
    ],
)
def test_a_page_with_a_button_and_pressed_twice_the_same_end(
    ana, purpose, question, button, answer
):
    path = to(purpose, visit_of(ana), ana)
    page = Client().get(path)
    assert page.status_code == 200
    assert question in words(page)
    assert len(re.findall(r"<button", main_part(page))) == 1
    assert button in re.search(r"<button[^>]*>([^<]*)", main_part(page))[1]
    for _twice in range(2):
        pressed = Client().post(path)
        assert (pressed.status_code, pressed["Location"]) == (302, path)
        done = Client().get(path)
        assert done.status_code == 200
        assert answer in words(done)
        assert "<button" not in main_part(done)
    assert AppointmentEvent.objects.count() == 2


def test_the_practitioner_confirms(ana):
    visit, doctor, path = asked_of()
    assert "Confirm this request?" in words(Client().get(path))
    assert Client().post(path).status_code == 302
    assert "The appointment is confirmed" in words(Client().get(path))
    visit.refresh_from_db()
    assert visit.status == Status.BOOKED
    event = last(visit)
    assert (event.by, event.role, event.source) == (doctor, Role.PRACTITIONER, Source.MAIL)


def test_it_is_done_as_the_recipient_and_the_history_says_from_where(ana):
    visit = visit_of(ana)
    Client().post(to(CANCEL, visit, ana))
    event = last(visit)
    assert (event.verb, event.by, event.role, event.source) == ("cancel", ana, "patient", "mail")
    page = browser(ana).get(f"/turnos/{visit.public_id}/")
    assert "You cancelled it." in words(page)


def test_saying_one_comes_changes_nothing_of_the_visit(ana):
    visit = visit_of(ana)
    before = list(Notification.objects.values())
    cancel = to(CANCEL, visit, ana)
    Client().post(to(COME, visit, ana))
    visit.refresh_from_db()
    assert (visit.status, visit.sequence, visit.coming_since) == (Status.BOOKED, 0, NOW)
    assert list(Notification.objects.values()) == before
    assert list(breaches(Counter())) == []
    assert "Cancel this appointment?" in words(Client().get(cancel)), "the mail's other link"


def test_who_has_no_account_answers_as_the_patient():
    patient = PatientFactory.create(email="abuela@example.org")
    visit = book(patient=patient, start=START)
    someone = Recipient(f"p{patient.pk}", patient.email, "es", None)
    path = links.address(COME, visit, someone).removeprefix("http://localhost:8000")
    assert "¿Va a venir?" in words(Client().get(path))
    assert Client().post(path).status_code == 302
    page = words(Client().get(path))
    assert "Gracias" in page
    assert "/turnos/" not in main_part(Client().get(path)), "there is no account to log in with"
    event = last(visit)
    assert (event.verb, event.by, event.role) == (Verb.SAY_COMING, None, Role.PATIENT)


# --- looking


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(ana, method):
    visit = visit_of(ana)
    _asked, _doctor, confirm = asked_of()
    paths = [to(COME, visit, ana), to(CANCEL, visit, ana), confirm]
    before = facts()
    for path in paths:
        assert getattr(Client(), method)(path).status_code == 200
        assert Client().options(path).status_code == 405
    assert facts() == before


def test_a_button_needs_its_token(ana):
    path = to(CANCEL, visit_of(ana), ana)
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert Appointment.objects.get().status == Status.BOOKED


def test_nobody_keeps_the_page_or_finds_it(ana):
    page = Client().get(to(CANCEL, visit_of(ana), ana))
    assert "no-store" in page["Cache-Control"]
    assert "noindex" in page["X-Robots-Tag"]
    assert page["Referrer-Policy"] == "same-origin"
    assert page["Content-Language"] == "en"
    assert "script-src 'self'" in page["Content-Security-Policy"]


def test_the_page_says_no_more_than_the_mail(ana):
    visit = visit_of(ana, reason="canary-reason")
    patient = visit.patient
    patient.document_number = "30111222"
    patient.save()
    page = Client().get(to(CANCEL, visit, ana)).content.decode()
    for canary in ("canary-reason", "30111222", visit.service.name, str(visit.service.specialty)):
        assert canary not in page
    for private in (patient.last_name, ana.email, visit.reference):
        assert private not in main_part(Client().get(to(CANCEL, visit, ana)))
    assert patient.first_name in page


def test_in_the_language_of_the_mail(ana):
    User.objects.filter(pk=ana.pk).update(language="es")
    page = Client().get(to(COME, visit_of(ana), ana))
    assert "¿Va a venir?" in words(page)
    assert '<html lang="es">' in page.content.decode()
    chosen = browser().get(to(COME, Appointment.objects.get(), ana))
    assert (chosen["Content-Language"], "Will you come?" in words(chosen)) == ("en", True)


# --- strangers and forgers


def test_a_token_of_one_purpose_is_none_of_another(ana):
    visit = visit_of(ana)
    for made in Purpose:
        for tried in Purpose:
            path = to(made, visit, ana).replace(f"/{made}/", f"/{tried}/")
            expected = 200 if made == tried != CONFIRM else 404
            assert Client().get(path).status_code == expected, (made, tried)


@pytest.mark.parametrize("purpose", ["x", "", "voy/..", "VOY", "cancel"])
def test_an_unknown_purpose_is_no_page(ana, purpose):
    path = to(COME, visit_of(ana), ana).replace("/voy/", f"/{purpose}/")
    assert Client().get(path).status_code == 404


def forged(visit, user, salt="notifications.links:voy"):
    known = to(COME, visit, user).split("/")[3].rpartition(".")[0]
    yield from [
        "x",
        known,
        f"{known}.",
        f".{known}",
        "a" * 5000,
        "%00",
        "1-0-u1-x.é",
        f"{known}.{'A' * 43}",
    ]
    yield Signer(key="guessed", salt=salt, sep=".").sign(known)
    yield Signer(salt="another", sep=".").sign(known)


def test_a_forged_token_is_like_a_missing_page_and_asks_nothing(ana, django_assert_num_queries):
    visit = visit_of(ana)
    missing = words(Client().get("/correo/voy/nada/"))
    for token in forged(visit, ana):
        with django_assert_num_queries(0):
            assert links.read(COME, token) is None
        for answer in (
            Client().get(f"/correo/voy/{token}/"),
            Client().post(f"/correo/voy/{token}/"),
        ):
            assert answer.status_code == 404
            assert words(answer) == missing
    assert Appointment.objects.get().coming_since is None


def test_changing_one_letter_ends_it(ana):
    path = to(CANCEL, visit_of(ana), ana)
    token = path.split("/")[3]
    for n in range(len(token) - 1):  # the last letter of base64 carries four bits
        other = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        assert links.read(CANCEL, other) is None, n


def test_the_link_of_one_practitioner_confirms_nothing_for_another():
    visit, doctor, _path = asked_of()
    stranger = booked(days=4, asks=True).practitioner.user
    assert Client().get(to(CONFIRM, visit, stranger)).status_code == 404
    assert Client().get(to(COME, visit, doctor)).status_code == 404
    assert Client().get(to(CONFIRM, visit, visit.patient.accesses.get().user)).status_code == 404


def test_an_access_that_ended_takes_its_links_along(ana):
    path = to(CANCEL, visit_of(ana), ana)
    PatientAccess.objects.filter(user=ana).update(ended_at=NOW)
    assert Client().get(path).status_code == Client().post(path).status_code == 404
    PatientAccess.objects.filter(user=ana).update(ended_at=None)
    User.objects.filter(pk=ana.pk).update(is_active=False)
    assert Client().post(path).status_code == 404
    assert Appointment.objects.get().status == Status.BOOKED


def test_an_address_that_was_corrected_ends_what_was_sent_to_the_wrong_one(ana):
    path = to(CANCEL, visit_of(ana), ana)
    User.objects.filter(pk=ana.pk).update(email="right@example.org")
    assert Client().post(path).status_code == 404


def test_the_address_of_the_record_ends_with_the_account_that_follows():
    patient = PatientFactory.create(email="abuela@example.org")
    visit = book(patient=patient, start=START)
    someone = Recipient(f"p{patient.pk}", patient.email, "es", None)
    path = links.address(CANCEL, visit, someone).removeprefix("http://localhost:8000")
    family(patient)
    assert Client().post(path).status_code == 404


def test_a_practitioner_who_left_confirms_nothing():
    visit, _doctor, path = asked_of()
    visit.practitioner.is_active = False
    visit.practitioner.save()
    assert Client().post(path).status_code == 404


# --- what is true now


def over(path, sentence, *, log_in=True):
    """Nothing to press, nothing done; looked at or pressed."""
    before = facts()
    for answer, status in ((Client().get(path), 200), (Client().post(path), 409)):
        assert answer.status_code == status
        assert sentence in words(answer)
        assert "<button" not in main_part(answer)
        assert ("Log in and see it" in words(answer)) is log_in
    assert facts() == before


def test_it_ends_with_the_start(ana, time_machine):
    visit = visit_of(ana)
    time_machine.move_to(START, tick=False)
    over(to(COME, visit, ana), "The time of this appointment has come")
    time_machine.move_to(START - dt.timedelta(seconds=1), tick=False)
    assert Client().post(to(COME, visit, ana)).status_code == 302


def test_cancelling_ends_with_its_window_and_says_the_phone(ana, time_machine):
    visit = visit_of(ana)
    time_machine.move_to(visit.cancellable_until + dt.timedelta(seconds=1), tick=False)
    over(to(CANCEL, visit, ana), "call +54 11 4865-0000")
    over(to(CANCEL, visit, ana), "until Wednesday 25 November 2026, 10:00")
    time_machine.move_to(visit.cancellable_until, tick=False)
    assert Client().post(to(CANCEL, visit, ana)).status_code == 302


def test_a_request_that_ended_is_not_confirmed(time_machine):
    visit, _doctor, path = asked_of()
    time_machine.move_to(visit.expires_at, tick=False)
    over(path, "It is too late to do this here")
    services.expire(appointment=visit, by=Actor.system(), now=visit.expires_at)
    over(path, "This appointment was cancelled")


def test_after_a_move_the_old_mail_says_so_and_not_where_to(ana):
    visit = visit_of(ana)
    offering = visit.practitioner.schedules.get().offerings.get()
    paths = [to(COME, visit, ana), to(CANCEL, visit, ana)]
    moved = services.reschedule(
        appointment=visit, offering=offering, start=at(12, days=5), by=desk(), now=NOW
    )
    for path in paths:
        over(path, "This appointment was moved")
        assert "Saturday 28" not in words(Client().get(path))
    assert Client().post(to(COME, moved, ana)).status_code == 302


def test_after_the_clinic_cancelled(ana):
    visit = visit_of(ana)
    services.cancel(appointment=visit, by=desk(), reason="Closed", now=NOW)
    over(to(COME, visit, ana), "This appointment was cancelled")
    assert "The appointment is cancelled" in words(Client().get(to(CANCEL, visit, ana)))


def test_a_request_that_was_confirmed_has_another_version(ana):
    visit = visit_of(ana, asks=True)
    path = to(CANCEL, visit, ana)
    services.confirm(appointment=visit, by=desk(), now=NOW)
    over(path, "This appointment has changed")


def test_who_was_faster_wins_and_the_page_says_what_is_true(ana, monkeypatch):
    visit = visit_of(ana)
    path = to(COME, visit, ana)

    def late(**kwargs):
        services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
        return services.say_coming(**kwargs)

    monkeypatch.setitem(links._VERBS, COME, late)
    answer = Client().post(path)
    assert answer.status_code == 409
    assert "This appointment was cancelled" in words(answer)


def test_the_patients_yes_is_seen_at_work(ana):
    visit = visit_of(ana)
    Client().post(to(COME, visit, ana))
    User.objects.filter(pk=visit.practitioner.user_id).update(language="en")
    doctor = browser(User.objects.get(pk=visit.practitioner.user_id))
    day = f"{visit.local_date:%Y-%m-%d}"
    assert "Will come" in words(doctor.get(f"/agenda/{day}/"))
    page = words(doctor.get(f"/agenda/turnos/{visit.public_id}/"))
    assert "said that the patient comes." in page
    assert "by a link in an e-mail" in page
    assert "Will come" in words(browser(administrator()).get(f"/recepcion/?dia={day}"))
    assert "You said that the patient comes." in words(
        browser(ana).get(f"/turnos/{visit.public_id}/")
    )


# --- in the mail


def hrefs(kind):
    """The links of the mail, by their words."""
    row = Notification.objects.with_parts().filter(kind=kind)[0]
    return hrefs_in(letter_for(row, NOW))


def hrefs_in(letter):
    html = letter.message.alternatives[0][0]
    found = re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', html)
    return {text: unescape(url).removeprefix("http://localhost:8000") for url, text in found}


def test_from_the_reminder_to_the_answer(ana):
    visit = visit_of(ana)
    found = hrefs(Kind.REMINDER)
    assert list(found) == [
        "I will come",
        "See the appointment",
        "Change the time",
        "Cancel the appointment",
    ]
    assert Client().post(found["I will come"]).status_code == 302
    asks = Client().get(found["Change the time"])
    assert asks["Location"] == f"/cuenta/ingresar/?next={found['Change the time']}"
    assert browser(ana).get(found["Change the time"]).status_code == 200
    assert Client().post(found["Cancel the appointment"]).status_code == 302
    visit.refresh_from_db()
    assert (visit.status, visit.coming_since) == (Status.CANCELLED, NOW)


def test_from_a_reminder_of_several_each_answer_is_for_its_own(ana):
    Organization.objects.update(reminders="24")
    first, child = visit_of(ana), PatientFactory.create()
    ana.patient_accesses.create(patient=child, relation="child")
    second = booked(user=ana, patient=child, start=at(16, days=3))
    reminder = Notification.objects.get(appointment=first, kind=Kind.REMINDER)
    row = delivery.claim(reminder.pk, now=at(10, days=2))
    found = hrefs_in(letter_for(row, at(10, days=2)))
    assert Client().post(found["I will come at 10:00"]).status_code == 302
    assert Client().post(found["Cancel the appointment at 16:00"]).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.coming_since) == (Status.BOOKED, NOW)
    assert (second.status, second.coming_since) == (Status.CANCELLED, None)


def test_too_late_to_cancel_there_is_no_link(ana, time_machine):
    visit = visit_of(ana)
    time_machine.move_to(visit.cancellable_until + dt.timedelta(minutes=1), tick=False)
    row = Notification.objects.with_parts().filter(kind=Kind.REMINDER)[0]
    text = letter_for(row, visit.cancellable_until + dt.timedelta(minutes=1)).text
    assert "/voy/" in text
    assert "/cancelar/" not in text
    assert "/mover/" not in text


def test_from_the_request_to_the_answer():
    _visit, doctor, path = asked_of()
    Notification.objects.filter(kind=Kind.PRACTITIONER_REQUEST).update(language="en")
    found = hrefs(Kind.PRACTITIONER_REQUEST)
    assert found["Confirm"] == path
    for text in ("Change the time", "Cancel the appointment"):
        assert Client().get(found[text])["Location"].startswith("/cuenta/ingresar/")
        assert browser(doctor).get(found[text]).status_code == 200


def test_who_has_no_account_reads_that_it_was_them():
    patient = PatientFactory.create(email="abuela@example.org")
    book(patient=patient, start=START)
    found = hrefs(Kind.REMINDER)
    assert list(found) == ["Voy a ir", "Cancelar el turno"]
    assert Client().post(found["Cancelar el turno"]).status_code == 302
    row = Notification.objects.with_parts().get(kind=Kind.CANCELLED)
    with translation.override("es"):
        ours = translation.gettext("You cancelled this appointment.")
    assert ours in letter_for(row, NOW).text
