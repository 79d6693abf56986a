"""Which messages somebody wants: asked on a page, kept when one leaves."""

import datetime as dt
import re

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import (
    PractitionerFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.tests.factories import NOW, at, desk
from clinic.models import AuditEvent, Organization
from notifications import choices, delivery, outbox
from notifications.models import Kind, MailChoices, Notification, State
from notifications.tests.factories import SOON, booked, chooses, family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

PAGE = "/mis-datos/correos/"
DAY = dt.timedelta(days=1)


def browser(user: User | None, language: str = "en") -> Client:
    client = Client()
    if user:
        client.force_login(user)
    client.cookies["django_language"] = language
    return client


def words(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def choices_of(user):
    return choices.choices_of(User.objects.get(pk=user.pk))


# --- what leaves


def reminders():
    rows = Notification.objects.filter(kind=Kind.REMINDER).order_by("due_at")
    return [(row.hours_before, row.state) for row in rows]


def test_the_clinics_reminders_are_two_and_four_days_of_notice_give_both():
    appointment = booked()
    assert reminders() == [(48, State.PENDING), (24, State.PENDING)]
    delivery.deliver_due(now=appointment.start - 2 * DAY)
    assert reminders() == [(48, State.SENT), (24, State.PENDING)]
    delivery.deliver_due(now=appointment.start - DAY)
    assert reminders() == [(48, State.SENT), (24, State.SENT)]


@pytest.mark.parametrize(
    ("choice", "states"),
    [
        ({}, [State.SENT, State.SENT]),
        ({"declined_hours": [48]}, [State.UNWANTED, State.SENT]),
        ({"declined_hours": [72]}, [State.SENT, State.SENT]),
        ({"reminders": False}, [State.UNWANTED, State.UNWANTED]),
    ],
)
def test_a_reminder_that_is_not_wanted_does_not_leave(choice, states):
    user, patient = family()
    appointment = booked(user=user, patient=patient)
    chooses(user, **choice)
    for days in (2, 1):
        delivery.deliver_due(now=appointment.start - days * DAY)
    assert [state for _hours, state in reminders()] == states


def test_the_other_account_of_the_patient_has_its_own_choice():
    user, patient = family()
    other, _patient = family(patient)
    appointment = booked(user=user, patient=patient)
    chooses(other, reminders=False)
    delivery.deliver_due(now=SOON)
    mail.outbox.clear()
    delivery.deliver_due(now=appointment.start - DAY)
    assert [message.to for message in mail.outbox] == [[user.email]]


@pytest.mark.parametrize(
    ("choices", "was", "news"),
    [
        ({"practitioner_request": False}, State.UNWANTED, [Kind.PRACTITIONER_NEW]),
        ({"practitioner_request": False}, None, [Kind.PRACTITIONER_NEW]),
        ({"practitioner_request": False}, State.SENT, []),
        ({}, State.UNWANTED, [Kind.PRACTITIONER_NEW]),
        ({}, State.SENT, []),
        ({}, None, []),
    ],
)
def test_who_does_not_hear_of_requests_hears_of_what_the_desk_confirmed(choices, was, news):
    visit = booked(asks=True)
    at_work = visit.practitioner.user
    chooses(at_work, **choices)
    asked = Notification.objects.filter(kind=Kind.PRACTITIONER_REQUEST)
    asked.update(state=was) if was else asked.delete()
    services.confirm(appointment=visit, by=desk(), now=SOON)
    rows = Notification.objects.filter(user=at_work).exclude(kind=Kind.PRACTITIONER_REQUEST)
    assert list(rows.values_list("kind", flat=True)) == news


def test_their_own_confirmation_is_no_news_to_them():
    visit = booked(asks=True)
    chooses(visit.practitioner.user, practitioner_request=False)
    by = Actor.practitioner(visit.practitioner.user)
    services.confirm(appointment=visit, by=by, now=SOON)
    assert not Notification.objects.filter(kind=Kind.PRACTITIONER_NEW).exists()


def test_confirmations_and_cancellations_cannot_be_switched_off():
    user, patient = family()
    off = {"reminders": False, "practitioner_new": False, "practitioner_cancelled": False}
    chooses(user, **off)
    appointment = booked(user=user, patient=patient)
    delivery.deliver_due(now=SOON)
    services.cancel(appointment=appointment, by=desk(), reason="x", now=SOON)
    delivery.deliver_due(now=SOON)
    told = Notification.objects.filter(user=user).exclude(kind=Kind.REMINDER)
    assert [(row.kind, row.state) for row in told.order_by("pk")] == [
        (Kind.BOOKED, State.SENT),
        (Kind.CANCELLED, State.SENT),
    ]


@pytest.mark.parametrize(
    "kind", [Kind.PRACTITIONER_REQUEST, Kind.PRACTITIONER_NEW, Kind.PRACTITIONER_CANCELLED]
)
@pytest.mark.parametrize("wanted", [True, False])
def test_each_word_to_a_practitioner_has_a_switch(kind, wanted):
    appointment = booked(asks=kind == Kind.PRACTITIONER_REQUEST)
    chooses(appointment.practitioner.user, **{kind: wanted})
    if kind == Kind.PRACTITIONER_CANCELLED:
        services.cancel(appointment=appointment, by=desk(), reason="x", now=NOW)
    delivery.deliver_due(now=SOON)
    assert Notification.objects.get(kind=kind).state == (State.SENT if wanted else State.UNWANTED)


def test_a_reminder_that_the_clinic_no_longer_sends_is_void():
    appointment = booked()
    organization = Organization.current()
    organization.reminders = "24"
    organization.save()
    delivery.deliver_due(now=appointment.start - 2 * DAY)
    assert reminders() == [(48, State.VOID), (24, State.PENDING)]


def test_a_reminder_that_the_clinic_adds_is_owed_for_what_is_booked_already():
    Organization.current()
    appointment = booked(days=9)
    organization = Organization.current()
    organization.reminders = "240, 72, 48, 24"
    organization.save()
    outbox.owe_missing_reminders(now=NOW)
    assert [hours for hours, _state in reminders()] == [72, 48, 24]
    assert Notification.objects.get(hours_before=72).due_at == appointment.start - 3 * DAY


# --- at night


def test_a_reminder_that_comes_late_waits_for_the_morning():
    appointment = booked(start=at(20, 30, days=3), offering=late_offering())
    Organization.objects.update(reminders="24")
    Notification.objects.filter(hours_before=48).delete()
    delivery.deliver_due(now=SOON)
    mail.outbox.clear()
    night = appointment.start - DAY + dt.timedelta(hours=2)
    assert delivery.deliver_due(now=night) == 0
    row = Notification.objects.get(kind=Kind.REMINDER)
    assert (row.state, row.tries, row.try_at) == (State.PENDING, 0, at(8, days=3))
    assert delivery.deliver_due(now=at(8, days=3)) == 1


def test_other_messages_do_not_wait_for_the_morning():
    booked()
    assert delivery.deliver_due(now=at(23, days=0)) == 2


def late_offering():
    return open_offering(start=dt.time(9), end=dt.time(22))


# --- the page


def test_nobody_without_an_account_gets_there():
    response = browser(None).get(PAGE)
    assert response.status_code == 302
    assert response["Location"].startswith("/cuenta/")


def test_a_patient_is_asked_about_reminders_alone():
    response = browser(patient_user()).get(PAGE)
    form = response.context["form"]
    assert list(form.fields) == ["reminders"]
    assert form["reminders"].value() == [48, 24]
    assert "They cannot be switched off." in words(response)
    assert "2 days before" in words(response)


def test_a_practitioner_about_the_agenda_alone():
    form = browser(PractitionerFactory.create().user).get(PAGE).context["form"]
    assert list(form.fields) == ["at_work", "day_list_at"]
    assert len(form["at_work"].value()) == 4


def test_the_desk_about_requests_alone():
    form = browser(ReceptionistFactory.create().user).get(PAGE).context["form"]
    assert list(form.fields) == ["requests"]


def test_an_administrator_gets_nothing_of_this_kind():
    assert list(browser(administrator()).get(PAGE).context["form"].fields) == []


def test_who_is_both_is_asked_about_both():
    user, _patient = family()
    PractitionerFactory.create(user=user)
    form = browser(user).get(PAGE).context["form"]
    assert list(form.fields) == ["reminders", "at_work", "day_list_at"]


def test_choosing_one_reminder():
    user = patient_user()
    response = browser(user).post(PAGE, {"reminders": ["24"]}, follow=True)
    assert "Your choice is saved." in words(response)
    mine = choices_of(user)
    assert (mine.reminders, mine.declined_hours) == (True, [48])
    assert response.context["form"]["reminders"].value() == [24]
    line = AuditEvent.objects.get(action="account.mail_choices")
    assert line.details["fields"] == ["declined_hours"]


def test_choosing_none_and_all_again():
    user = patient_user()
    browser(user).post(PAGE, {})
    assert choices_of(user).reminders is False
    browser(user).post(PAGE, {"reminders": ["48", "24"]})
    assert (choices_of(user).reminders, choices_of(user).declined_hours) == (True, [])


def test_none_stays_none_when_the_clinic_adds_one():
    user = patient_user()
    browser(user).post(PAGE, {})
    Organization.objects.update(reminders="72, 48, 24")
    assert browser(user).get(PAGE).context["form"]["reminders"].value() == []


def test_one_that_was_declined_stays_so_when_it_comes_back():
    user = patient_user()
    browser(user).post(PAGE, {"reminders": ["24"]})
    Organization.objects.update(reminders="72, 24")
    browser(user).post(PAGE, {"reminders": ["72", "24"]})
    Organization.objects.update(reminders="48, 24")
    assert browser(user).get(PAGE).context["form"]["reminders"].value() == [24]


def test_a_practitioners_choice():
    user = PractitionerFactory.create().user
    chosen = {"at_work": ["practitioner_cancelled"], "day_list_at": "07:30"}
    browser(user).post(PAGE, chosen)
    mine = choices_of(user)
    assert (mine.practitioner_new, mine.practitioner_moved) == (False, False)
    assert (mine.practitioner_cancelled, mine.day_list_at) == (True, dt.time(7, 30))
    assert mine.reminders is True, "not asked, so not changed"
    browser(user).post(PAGE, {**chosen, "day_list_at": ""})
    assert choices_of(user).day_list_at is None


def test_the_desks_choice():
    user = ReceptionistFactory.create().user
    browser(user).post(PAGE, {})
    assert choices_of(user).requests is False


def test_an_hour_that_an_administrator_chose_stays_on_the_list():
    user = PractitionerFactory.create().user
    chooses(user, day_list_at=dt.time(19, 15))
    assert browser(user).get(PAGE).context["form"]["day_list_at"].value() == "19:15"
    browser(user).post(PAGE, {"day_list_at": "19:15"})
    assert choices_of(user).day_list_at == dt.time(19, 15)


@pytest.mark.parametrize(
    ("who", "sent"),
    [
        (patient_user, {"reminders": ["7"]}),
        (patient_user, {"reminders": ["x" * 500]}),
        (lambda: PractitionerFactory.create().user, {"at_work": ["reminders"]}),
        (lambda: PractitionerFactory.create().user, {"day_list_at": "25:00"}),
    ],
)
def test_what_is_not_offered_is_refused_and_changes_nothing(who, sent):
    user = who()
    response = browser(user).post(PAGE, sent)
    assert response.status_code == 422
    assert not MailChoices.objects.exists()


def test_nobody_chooses_for_somebody_else():
    """The page is always that of the account; fields of others are not heard."""
    user, other = patient_user(), patient_user()
    browser(user).post(PAGE, {"user": other.pk, "requests": "", "day_list_at": "07:00"})
    assert [row.user for row in MailChoices.objects.all()] == [user]
    mine = choices_of(user)
    assert (mine.requests, mine.day_list_at) == (True, None)


def test_looking_writes_nothing():
    browser(patient_user()).get(PAGE)
    assert not MailChoices.objects.exists()


def test_without_reminders_of_the_clinic_there_is_nothing_to_choose():
    Organization.current()
    Organization.objects.update(reminders="")
    response = browser(patient_user()).get(PAGE)
    assert "The clinic sends no other e-mails to this account." in words(response)
    assert "cannot be switched off" in words(response)


def test_in_spanish():
    text = words(browser(patient_user(), "es").get(PAGE))
    assert "No se pueden desactivar." in text
    assert "2 días antes" in text
    assert "1 día antes" in text


def test_the_own_data_lead_there():
    response = browser(patient_user()).get("/mis-datos/")
    assert f'href="{PAGE}"' in response.content.decode()


# --- on somebody's behalf


def test_an_administrator_switches_something_off():
    boss, user = administrator(), PractitionerFactory.create().user
    page = "/admin/notifications/mailchoices/add/"
    assert browser(boss).get(page).status_code == 200
    sent = {"user": user.pk, "reminders": "on", "practitioner_new": "on", "day_list_at": "07:00"}
    assert browser(boss).post(page, sent).status_code == 302
    mine = choices_of(user)
    assert (mine.practitioner_new, mine.practitioner_moved, mine.requests) == (True, False, False)
    assert mine.day_list_at == dt.time(7)


def test_choosing_keeps_what_was_not_asked():
    user = patient_user()
    choices.choose(user=user, by=Actor.patient(user), reminders=False)
    choices.choose(user=user, by=Actor.patient(user), requests=False)
    assert (choices_of(user).reminders, choices_of(user).requests) == (False, False)
    choices.choose(user=user, by=Actor.patient(user), requests=False)
    assert AuditEvent.objects.filter(action="account.mail_choices").count() == 2


# --- the clinic's own page


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("48, 24", "48, 24"), ("24,48", "48, 24"), (" 24 ,, 24", "24"), ("", ""), ("336", "336")],
)
def test_a_list_of_hours(typed, kept):
    organization = Organization(name="x", reminders=typed)
    organization.full_clean()
    assert organization.reminders == kept
    assert organization.reminder_hours == [int(part) for part in kept.split(", ") if part]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("48; 24", "“48; 24” is not a whole number."),
        ("1.5", "“1.5” is not a whole number."),
        ("a day", "“a day” is not a whole number."),
        ("²", "“²” is not a whole number."),
        ("0", "between 1 and 336 hours"),
        ("-1", "“-1” is not a whole number."),
        ("337", "between 1 and 336 hours"),
        ("1,2,3,4,5", "At most 4 reminders."),
    ],
)
def test_a_list_that_is_none_is_said_and_kept(typed, sentence):
    boss = administrator()
    organization = Organization.current()
    page = f"/admin/clinic/organization/{organization.pk}/change/"
    client = browser(boss)
    form = client.get(page).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields if name != "phone"}
    response = client.post(page, {**data, "reminders": typed})
    assert response.status_code == 422
    assert sentence in words(response).replace("&quot;", '"')
    assert response.context["adminform"].form["reminders"].value() == typed
    organization.refresh_from_db()
    assert organization.reminders == "48, 24"


@pytest.mark.parametrize(
    ("since", "until", "ok"),
    [("21:00", "08:00", True), ("14:00", "08:00", True), ("13:55", "08:00", False)],
)
def test_some_of_the_day_is_left_for_reminders(since, until, ok):
    organization = Organization(
        name="x", quiet_from=dt.time.fromisoformat(since), quiet_until=dt.time.fromisoformat(until)
    )
    refused = [] if ok else ["quiet_until"]
    assert list(problems(organization)) == refused


def problems(organization):
    try:
        organization.full_clean()
    except ValidationError as error:
        return error.message_dict
    return {}
