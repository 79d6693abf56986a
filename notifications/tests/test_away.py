"""Whoever loses an appointment because the practitioner is away is asked to choose another time."""

import pytest
from django.core import mail

from accounts.models import PatientAccess, User
from accounts.tests.factories import PatientFactory
from appointments import services
from appointments.changes import Hit
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import doctor_of, new_practice
from appointments.undo import undo
from clinic.models import Organization
from notifications import delivery, letters
from notifications.models import Kind, Notification, State
from notifications.tests.factories import SOON
from notifications.tests.test_undo import answer, ask, block, visit_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def offering():
    return new_practice()


def taken_off(offering, hit=Hit.CANCEL, **kwargs):
    """A visit of tomorrow, and the morning off."""
    visit = visit_of(offering, **kwargs)
    User.objects.update(language="en")
    made = block(offering, answer(ask(offering), hit))
    return visit, made


def letter_of(visit):
    row = Notification.objects.with_parts().get(appointment=visit, kind=Kind.AWAY)
    return letters.letter_for(row, SOON)


def test_it_says_so_and_leads_to_another_time(offering):
    visit, _made = taken_off(offering)
    letter = letter_of(visit)
    who = visit.practitioner
    assert letter.subject == "Choose another time: Tuesday 24 November, 10:00"
    assert letter.message.body.startswith(
        "Tuesday 24 November 2026, 10:00 (Buenos Aires time)\n"
        "\n"
        f"{who} will be away at this time, so the appointment is cancelled. "
        "You can choose another time.\n"
        "\n"
        "Reason: Congreso\n"
    )
    page = f"http://localhost:8000/turnos/{visit.public_id}/"
    assert f"\nChoose another time:\n{page}\n" in letter.message.body


def test_that_page_leads_to_times_with_the_same_practitioner(offering, client):
    visit, _made = taken_off(offering)
    client.force_login(PatientAccess.objects.get(patient=visit.patient).user)
    page = client.get(f"/turnos/{visit.public_id}/").content.decode()
    service, who = visit.service, visit.practitioner
    what = f"{service.specialty.slug}/{service.slug}"
    assert f"/horarios/?what={what}&amp;who={who.slug}" in page


def test_the_address_names_no_specialty(offering):
    visit, _made = taken_off(offering, patient=PatientFactory.create(email="ana@example.org"))
    body = letter_of(visit).message.body
    assert visit.service.slug not in body
    assert visit.service.specialty.slug not in body
    assert f"/profesionales/{visit.practitioner.slug}/" in body


def test_who_works_here_no_more_is_not_linked(offering):
    visit, _made = taken_off(offering, patient=PatientFactory.create(email="ana@example.org"))
    visit.practitioner.is_active = False
    visit.practitioner.save()
    assert letter_of(visit).message.body.count("http://localhost:8000/horarios/\n") == 1


def test_it_goes_out_of_the_calendar(offering):
    visit, _made = taken_off(offering)
    part = letter_of(visit).message.attachments[0]
    assert part.get_param("method") == "CANCEL"


def test_in_spanish(offering):
    visit, _made = taken_off(offering)
    User.objects.update(language="es")
    letter = letter_of(visit)
    assert letter.subject == "Elegir otro horario: martes 24 de noviembre, 10:00"
    assert f"{visit.practitioner} no va a estar en ese horario" in letter.message.body


def test_what_is_moved_or_kept_is_not_told_so(offering):
    for hit in (Hit.MOVE, Hit.KEEP):
        taken_off(new_practice(), hit)
    assert not Notification.objects.filter(kind=Kind.AWAY).exists()


def test_nor_a_single_appointment_that_somebody_cancels(offering):
    visit = visit_of(offering)
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    waiting = Notification.objects.filter(due_at=NOW, state=State.PENDING)
    assert [row.kind for row in waiting.order_by("pk")] == [
        Kind.CANCELLED,
        Kind.PRACTITIONER_CANCELLED,
    ]


def test_undone_in_time_nobody_hears_of_it(offering):
    _visit, made = taken_off(offering)
    undo(change=made.change, by=doctor_of(offering), now=NOW)
    mail.outbox.clear()
    delivery.deliver_due(now=at(0))
    assert Notification.objects.get(kind=Kind.AWAY).state == State.VOID
    assert not any("another time" in sent.subject for sent in mail.outbox)


@pytest.mark.parametrize("shown", [True, False])
def test_the_service_is_named_only_if_the_clinic_wants_that(offering, shown):
    Organization.current()
    Organization.objects.update(service_in_mails=shown)
    visit, _made = taken_off(offering)
    letter = letter_of(visit)
    said = f"Service: {visit.service}" in letter.message.body
    assert (said, str(visit.service) in letter.subject) == (shown, False)


@pytest.mark.parametrize("shown", [True, False])
def test_nor_in_a_reminder_of_several(shown):
    Organization.current()
    Organization.objects.update(service_in_mails=shown, reminders="24")
    for hour in (10, 11):
        book(start=at(hour, days=3), patient=PatientFactory.create(email="casa@example.org"))
    delivery.deliver_due(now=SOON)
    mail.outbox.clear()
    delivery.deliver_due(now=at(10, days=2))
    [sent] = mail.outbox
    for visit in Appointment.objects.select_related("service__specialty"):
        assert (visit.service.name in sent.body) is shown
        assert visit.service.name not in str(sent.subject)
        assert visit.service.specialty.name not in sent.body
