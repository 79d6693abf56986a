"""The pages of the agenda: what they show, do, refuse, and to whom."""

import datetime as dt
import re
import uuid

import pytest
from django.urls import reverse

from accounts.roles import Actor, Role
from accounts.tests.factories import (
    PatientFactory,
    PractitionerFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import NOW, ZONE, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    new_practice,
    row_of,
    second_place,
    words,
)
from clinic.models import AuditEvent
from scheduling.models import TimeOff, WorkingHours
from scheduling.tests.factories import ScheduleFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

TOMORROW = "/agenda/2026-11-24/"


@pytest.fixture
def offering():
    return new_practice(confirmation="manual")


@pytest.fixture
def visit(offering):
    """Asked for by a patient: tomorrow at ten, still to be confirmed."""
    return ask(offering)


def ask(offering, start=None, **fields):
    user = patient_user(first_name="Ana", last_name="Gómez", **fields)
    patient = user.patient_accesses.get().patient
    return book(
        offering=offering,
        by=Actor.patient(user),
        patient=patient,
        start=start,
        reason="Dolor de rodilla",
    )


def act(client, visit, verb, **data):
    return client.post(f"/agenda/turnos/{visit.public_id}/{verb}/", data)


def status(visit):
    return Appointment.objects.get(pk=visit.pk).status


# --- the day


def test_the_day_shows_each_visit_with_its_button(doctor, visit):
    response = doctor.get(TOMORROW)
    assert response.status_code == 200
    text = words(response)
    assert "Tuesday 24 November 2026" in text
    assert "1 appointment · 1 to confirm · 2 gaps" in text
    row = row_of(response, visit.reference)
    for part in ("10:00", "Ana Gómez", "36 years old", "First visit", "Dolor de rodilla"):
        assert part in row
    assert "Requested" in row
    assert f'action="/agenda/turnos/{visit.public_id}/confirmar/"' in row
    assert row.count("btn-primary") == 1


def test_agenda_is_today(doctor, offering):
    book(offering=offering, start=at(11, days=0))
    text = words(doctor.get("/agenda/"))
    assert "Monday 23 November 2026" in text
    assert "Agenda · today" in text
    assert "Now, 8:00" in text
    assert "Next patient" in text


def test_today_follows_the_clock_of_the_first_location(time_machine):
    time_machine.move_to(dt.datetime(2026, 11, 23, 20, tzinfo=dt.UTC), tick=False)
    offering = new_practice(schedule__location__time_zone="Pacific/Auckland")
    text = words(browser(account_of(offering)).get("/agenda/"))
    assert "Tuesday 24 November 2026" in text


def test_days_before_and_after_are_links(doctor):
    page = doctor.get(TOMORROW).content.decode()
    assert 'rel="prev" href="/agenda/2026-11-23/"' in page
    assert 'rel="next" href="/agenda/2026-11-25/"' in page
    assert 'href="/agenda/semana/2026-W48/"' in page


@pytest.mark.parametrize(("day", "link"), [("2000-01-01", "prev"), ("2199-12-31", "next")])
def test_the_calendar_ends_without_a_broken_link(doctor, day, link):
    response = doctor.get(f"/agenda/{day}/")
    assert response.status_code == 200
    assert f'rel="{link}"' not in response.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/agenda/0000-00-00/",
        "/agenda/2026-02-30/",
        "/agenda/9999-12-31/",
        "/agenda/1999-12-31/",
        "/agenda/20261124/",
        "/agenda/hoy/",
        "/agenda/semana/2026-W54/",
        "/agenda/semana/0000-W00/",
        "/agenda/semana/9999-W52/",
        "/agenda/turnos/1/",
        f"/agenda/turnos/{uuid.UUID(int=0)}/",
        f"/agenda/pacientes/{uuid.UUID(int=0)}/",
    ],
)
def test_what_is_no_day_and_no_appointment_is_not_found(doctor, address):
    assert doctor.get(address).status_code == 404


def test_a_tab_shows_its_state_and_counts_all(doctor, visit, offering):
    booked = book(offering=offering, start=at(12))
    response = doctor.get(f"{TOMORROW}?estado=por-confirmar")
    page = response.content.decode()
    assert visit.reference in page
    assert booked.reference not in page
    assert "Free, " not in page
    assert '?estado=confirmados">Confirmed <span class="count">1</span>' in page


def test_an_unknown_tab_is_all(doctor, visit):
    assert row_of(doctor.get(f"{TOMORROW}?estado=%00x"), visit.reference)


def test_a_tab_that_ran_empty_says_so(doctor, visit):
    text = words(doctor.get(f"{TOMORROW}?estado=en-sala"))
    assert "Nothing is left here. See the whole day" in text


def test_the_place_stands_on_the_rows_of_a_day_with_two(doctor, offering):
    book(offering=offering)
    place = offering.location.name
    assert f"{offering.service} · {place}" not in words(doctor.get(TOMORROW))
    other = second_place(offering)
    WorkingHours.objects.create(
        schedule=other.schedule, weekday=1, start=dt.time(18), end=dt.time(20)
    )
    text = words(doctor.get(TOMORROW))
    assert f"{offering.service} · {place}" in text
    assert f"Free, 2 h · {other.location}" in text


def test_a_day_with_two_clocks_says_which(doctor, offering):
    book(offering=offering)
    other = second_place(offering, location__time_zone="America/Santiago")
    WorkingHours.objects.create(
        schedule=other.schedule, weekday=1, start=dt.time(18), end=dt.time(20)
    )
    assert "Santiago time" in words(doctor.get(TOMORROW))


def test_without_hours_the_page_leads_to_them():
    user = UserFactory.create()
    ScheduleFactory.create(practitioner=PractitionerFactory.create(user=user))
    response = browser(user).get("/agenda/")
    assert "You have no working hours yet" in words(response)
    assert '<a class="btn btn-primary" href="/agenda/horarios/">' in response.content.decode()


def test_without_a_location_the_page_says_who_gives_one():
    user = UserFactory.create()
    PractitionerFactory.create(user=user)
    page = browser(user).get("/agenda/")
    assert "You do not work at any location yet The administration gives you" in words(page)
    assert 'class="btn btn-primary" href="/agenda/horarios/"' not in page.content.decode()
    assert "Why are there no times?" not in words(page)


def test_a_free_day_says_how_many_times_are_published(doctor, offering):
    text = words(doctor.get(TOMORROW))
    assert "No appointments 16 times published for patients." in text
    offering.booked_online_by = "staff"
    offering.save()
    assert "0 times published for patients." in words(doctor.get(TOMORROW))


def test_a_day_off_says_so(doctor, offering):
    TimeOff.objects.create(
        practitioner=offering.practitioner,
        starts_at=dt.datetime(2026, 11, 24, tzinfo=ZONE),
        ends_at=dt.datetime(2026, 11, 26, tzinfo=ZONE),
        reason="Congreso",
    )
    text = words(doctor.get(TOMORROW))
    assert "Day off" in text
    assert "All day Congreso" in text


def test_a_day_without_hours_says_so(doctor, offering):
    offering.schedule.hours.filter(weekday=1).delete()
    assert "You do not work on this day" in words(doctor.get(TOMORROW))


def test_others_appointments_are_not_in_my_day(doctor, visit):
    theirs = book(offering=new_practice(), start=at(12))
    assert theirs.reference not in doctor.get(TOMORROW).content.decode()


@pytest.mark.parametrize("address", [TOMORROW, "/agenda/semana/2026-W48/"])
def test_thirty_rows_cost_no_more_questions_than_one(
    address, offering, django_assert_max_num_queries
):
    doctor = browser(account_of(offering))
    WorkingHours.objects.filter(schedule=offering.schedule).update(end=dt.time(23, 45))
    book(offering=offering, start=at(9))
    doctor.get(address)  # learns the rules
    with django_assert_max_num_queries(20) as one:
        doctor.get(address)
    for n in range(28):
        book(offering=offering, start=at(9) + dt.timedelta(minutes=30 * (n + 1)))
    with django_assert_max_num_queries(20) as many:
        doctor.get(address)
    assert len(many) == len(one)


# --- the buttons


def test_confirm_returns_to_the_row_and_says_it_there(doctor, visit):
    response = act(doctor, visit, "confirmar")
    assert response.status_code == 302
    assert response.url == f"{TOMORROW}#turno-{visit.reference}"
    assert status(visit) == "booked"
    row = row_of(doctor.get(TOMORROW), visit.reference)
    assert "Confirmed: Ana Gómez at 10:00." in row


def test_the_event_names_the_practitioner(doctor, visit, offering):
    act(doctor, visit, "confirmar")
    event = visit.events.last()
    assert (event.verb, event.role, event.by) == ("confirm", "practitioner", account_of(offering))


def test_a_step_by_mistake_is_undone_from_the_row(doctor, visit, time_machine):
    act(doctor, visit, "confirmar")
    time_machine.move_to(at(10, 5), tick=False)
    act(doctor, visit, "no-asistio")
    assert status(visit) == "noshow"
    assert "Undo the last step" in row_of(doctor.get(TOMORROW), visit.reference)
    act(doctor, visit, "deshacer")
    assert status(visit) == "booked"
    assert visit.events.last().role == Role.PRACTITIONER
    time_machine.move_to(at(10, 16), tick=False)
    assert "Undo the last step" not in row_of(doctor.get(TOMORROW), visit.reference)


def test_a_whole_visit_by_buttons(doctor, visit, time_machine):
    for verb, leads_to, moment in (
        ("confirmar", "booked", NOW),
        ("llego", "arrived", at(9, 55)),
        ("atendido", "fulfilled", at(10, 30)),
    ):
        time_machine.move_to(moment, tick=False)
        act(doctor, visit, verb)
        assert status(visit) == leads_to
    row = row_of(doctor.get(TOMORROW), visit.reference)
    assert re.findall(r'class="btn[^>]*>([^<]+)', row) == [
        "Undo the last step",
        "Give the next appointment",
    ]


def test_who_did_not_come(doctor, offering, time_machine):
    visit = book(offering=offering)
    time_machine.move_to(at(10, 20), tick=False)
    act(doctor, visit, "no-asistio")
    assert status(visit) == "noshow"


def test_who_came_late_after_all(doctor, offering, time_machine):
    visit = book(offering=offering)
    time_machine.move_to(at(10, 10), tick=False)
    act(doctor, visit, "no-asistio")
    time_machine.move_to(at(10, 25), tick=False)
    row = row_of(doctor.get(TOMORROW), visit.reference)
    assert re.findall(r'<button class="btn[^>]*>([^<]+)', row) == ["Arrived"]
    assert "llego" in doctor.get(f"/agenda/turnos/{visit.public_id}/").content.decode()
    act(doctor, visit, "llego")
    assert status(visit) == "arrived"


def test_who_came_late_finds_the_time_given_away(doctor, offering, time_machine):
    visit = book(offering=offering)
    time_machine.move_to(at(10, 5), tick=False)
    act(doctor, visit, "no-asistio")
    book(offering=offering, start=at(10, 15), now=at(10, 5))
    act(doctor, visit, "llego")
    assert status(visit) == "noshow"
    row = row_of(doctor.get(TOMORROW), visit.reference)
    assert "this time or its room has been given to somebody else" in row


def test_on_a_day_that_is_over_nobody_arrives(doctor, offering, time_machine):
    visit = book(offering=offering)
    time_machine.move_to(at(10, 10), tick=False)
    act(doctor, visit, "no-asistio")
    time_machine.move_to(at(8, days=2), tick=False)
    assert "llego" not in row_of(doctor.get(TOMORROW), visit.reference)
    act(doctor, visit, "llego")
    assert status(visit) == "noshow"
    text = words(doctor.get(TOMORROW))
    assert "This could only be noted on the day of the appointment." in text


def test_nobody_arrives_before_the_day(doctor, offering):
    visit = book(offering=offering)
    act(doctor, visit, "llego")
    assert status(visit) == "booked"
    text = words(doctor.get(TOMORROW))
    assert "This can be noted once the day of the appointment has come." in text


def test_the_tab_is_kept(doctor, visit):
    response = act(doctor, visit, "confirmar", volver="por-confirmar")
    assert response.url == f"{TOMORROW}?estado=por-confirmar#turno-{visit.reference}"
    assert "Confirmed: Ana Gómez at 10:00." in words(doctor.get(response.url))


def test_from_the_page_of_the_appointment_back_to_it(doctor, visit):
    response = act(doctor, visit, "confirmar", volver="turno")
    assert response.url == f"/agenda/turnos/{visit.public_id}/"


def test_nobody_is_sent_elsewhere(doctor, visit):
    response = act(doctor, visit, "confirmar", volver="https://example.org/")
    assert response.url == f"{TOMORROW}#turno-{visit.reference}"


def test_a_stale_button_says_who_was_faster_and_changes_nothing(doctor, visit):
    marta = Actor(UserFactory.create(name="Marta Ruiz"), Role.RECEPTION)
    services.cancel(appointment=visit, by=marta, reason="Llamó por teléfono", now=NOW)
    act(doctor, visit, "confirmar")
    assert status(visit) == "cancelled"
    assert visit.events.count() == 2
    assert (
        "Nothing was changed. In the meantime: Cancelled by reception (Marta Ruiz), "
        "Monday 23 November 2026, 8:00." in words(doctor.get(TOMORROW))
    )


def test_a_second_click_finds_it_done(doctor, visit):
    act(doctor, visit, "confirmar")
    doctor.get(TOMORROW)
    act(doctor, visit, "confirmar")
    assert visit.events.count() == 2
    assert "This was done already: Confirmed by you" in words(doctor.get(TOMORROW))


def test_an_unknown_verb_is_not_found(doctor, visit):
    assert act(doctor, visit, "borrar").status_code == 404
    assert act(doctor, visit, "expire").status_code == 404


def test_a_button_is_never_followed_as_a_link(doctor, visit):
    assert doctor.get(f"/agenda/turnos/{visit.public_id}/confirmar/").status_code == 405
    assert status(visit) == "pending"


def test_a_button_needs_its_token(offering, visit):
    client = browser(account_of(offering), csrf=True)
    assert act(client, visit, "confirmar").status_code == 403
    assert status(visit) == "pending"


# --- cancelling


def cancel_url(visit):
    return f"/agenda/turnos/{visit.public_id}/cancelar/"


def test_cancel_asks_first(doctor, visit):
    response = doctor.get(cancel_url(visit))
    assert response.status_code == 200
    assert "Reason for cancelling" in words(response)
    assert status(visit) == "pending"


def test_cancel_with_a_reason(doctor, visit):
    response = doctor.post(cancel_url(visit), {"reason": "Congreso", "version": visit.sequence})
    assert response.url == f"{TOMORROW}#turno-{visit.reference}"
    visit = Appointment.objects.get(pk=visit.pk)
    assert (visit.status, visit.cancellation_reason) == ("cancelled", "Congreso")
    assert "Ana Gómez gets a notice." in words(doctor.get(TOMORROW))


@pytest.mark.parametrize(
    ("contact", "told"),
    [
        ({"email": "", "phone": "+541148650001"}, "call +54 11 4865-0001."),
        ({"email": "", "phone": ""}, "has no e-mail and no phone here."),
        ({"email": "ana@example.org"}, "gets a notice."),
    ],
)
def test_who_has_no_account_is_told_by_mail_or_to_be_called(doctor, offering, contact, told):
    visit = book(offering=offering, patient=PatientFactory.create(**contact), start=at(12))
    doctor.post(cancel_url(visit), {"reason": "Congreso", "version": visit.sequence})
    said = words(doctor.get(TOMORROW))
    assert told in said
    assert ("gets a notice." in said) == (told == "gets a notice.")


def test_of_a_visit_that_has_begun_nobody_is_told(doctor, visit, time_machine):
    services.confirm(appointment=visit, by=Actor.administrator(administrator()), now=NOW)
    visit.refresh_from_db()
    time_machine.move_to(visit.start, tick=False)
    doctor.post(cancel_url(visit), {"reason": "Congreso", "version": visit.sequence})
    said = words(doctor.get(TOMORROW))
    assert "Cancelled." in said
    assert "gets a notice" not in said


@pytest.mark.parametrize("reason", ["", "   ", "x" * 301, "a\x00b"])
def test_cancel_needs_a_reason_that_can_be_read(doctor, visit, reason):
    response = doctor.post(cancel_url(visit), {"reason": reason})
    assert response.status_code == 422
    assert status(visit) == "pending"


def test_what_changed_while_the_form_was_open_is_shown_first(doctor, visit, offering):
    services.confirm(
        appointment=visit, by=Actor(UserFactory.create(name="Marta"), Role.RECEPTION), now=NOW
    )
    data = {"reason": "Congreso", "version": visit.sequence}
    response = doctor.post(cancel_url(visit), data)
    assert response.status_code == 409
    text = words(response)
    assert "Nothing was cancelled yet. In the meantime: Confirmed by reception (Marta)" in text
    assert "Congreso" in response.content.decode()
    assert status(visit) == "booked"
    data["version"] = visit.sequence + 1
    assert doctor.post(cancel_url(visit), data).status_code == 302
    assert status(visit) == "cancelled"


def test_what_is_over_cannot_be_cancelled(doctor, visit):
    services.cancel(appointment=visit, by=Actor(None, Role.RECEPTION), reason="Se mudó", now=NOW)
    response = doctor.get(cancel_url(visit))
    assert response.url == f"{TOMORROW}#turno-{visit.reference}"
    assert "This was done already: Cancelled by reception" in words(doctor.get(TOMORROW))


# --- the week


def test_the_week_lists_each_day_and_links_to_its_rows(doctor, visit):
    response = doctor.get("/agenda/semana/2026-W48/")
    page = response.content.decode()
    assert f'href="{TOMORROW}#turno-{visit.reference}"' in page
    assert page.count('<section class="agenda-week-day') == 7
    assert 'rel="prev" href="/agenda/semana/2026-W47/"' in page
    assert 'rel="next" href="/agenda/semana/2026-W49/"' in page


def test_this_week_is_a_week(doctor):
    assert "Week from Monday 23 November to Sunday 29 November 2026" in words(
        doctor.get("/agenda/semana/")
    )


def test_the_year_with_53_weeks(doctor):
    page = doctor.get("/agenda/semana/2026-W53/").content.decode()
    assert "Sunday 3 January 2027" in page
    assert 'href="/agenda/semana/2027-W01/"' in page


def test_on_paper_the_day_says_how_to_reach_them(doctor, offering):
    visit = ask(offering, phone="+541148650001")
    row = row_of(doctor.get(f"/agenda/{visit.local_date}/"), visit.reference)
    assert '<p class="print-only">+54 11 4865-0001</p>' in row


# --- one appointment


def test_the_appointment_with_contact_and_history(doctor, offering):
    visit = ask(offering, phone="+541148650001")
    text = words(doctor.get(f"/agenda/turnos/{visit.public_id}/"))
    assert "Ana Gómez" in text
    assert "Dolor de rodilla" in text
    assert "+54 11 4865-0001" in text
    assert "The patient’s account asked for it: Tuesday 24 November 2026, 10:00." in text
    assert "All visits of this patient with you" in text


# --- the patient


def test_a_patients_history_is_that_with_me_and_the_look_is_logged(doctor, offering, visit):
    elsewhere = book(
        offering=new_practice(), patient=visit.patient, start=at(15), reason="Otra cosa"
    )
    url = f"/agenda/pacientes/{visit.patient.public_id}/"
    response = doctor.get(url)
    page = response.content.decode()
    assert str(visit.public_id) in page
    assert str(elsewhere.public_id) not in page
    assert "Otra cosa" not in page
    (line,) = AuditEvent.objects.filter(action="patient.read")
    assert line.actor == account_of(offering).email
    assert line.target == f"accounts.patient:{visit.patient.pk}"


def test_past_visits_stand_below(doctor, offering, visit, time_machine):
    time_machine.move_to(at(12), tick=False)
    text = words(doctor.get(f"/agenda/pacientes/{visit.patient.public_id}/"))
    assert "To come" not in text
    assert "Past visits with you Tuesday 24 November 2026, 10:00" in text


def test_a_patient_i_do_not_treat_is_not_found(doctor):
    stranger = PatientFactory.create()
    assert doctor.get(f"/agenda/pacientes/{stranger.public_id}/").status_code == 404
    assert not AuditEvent.objects.filter(action="patient.read").exists()


def test_the_history_asks_as_often_for_thirty_visits(
    offering, visit, django_assert_max_num_queries
):
    doctor = browser(account_of(offering))
    url = f"/agenda/pacientes/{visit.patient.public_id}/"
    with django_assert_max_num_queries(20) as one:
        doctor.get(url)
    for days in range(2, 31):
        book(offering=offering, patient=visit.patient, start=at(10, days=days))
    with django_assert_max_num_queries(20) as many:
        doctor.get(url)
    assert len(many) == len(one)


# --- who may


def addresses(visit):
    return [
        ("get", "/agenda/"),
        ("get", TOMORROW),
        ("get", "/agenda/semana/2026-W48/"),
        ("get", f"/agenda/turnos/{visit.public_id}/"),
        ("get", cancel_url(visit)),
        ("post", cancel_url(visit)),
        ("post", f"/agenda/turnos/{visit.public_id}/confirmar/"),
        ("get", f"/agenda/pacientes/{visit.patient.public_id}/"),
    ]


def test_another_practitioner_finds_nothing(visit):
    stranger = browser(account_of(new_practice()))
    for method, url in addresses(visit)[3:]:
        data = {"reason": "Congreso"} if method == "post" else {}
        assert getattr(stranger, method)(url, data).status_code == 404, url
    assert status(visit) == "pending"


@pytest.mark.parametrize("who", [patient_user, administrator, ReceptionistFactory.create])
def test_other_roles_are_sent_away(visit, who):
    found = who()
    client = browser(getattr(found, "user", found))
    for method, url in addresses(visit):
        assert getattr(client, method)(url).status_code == 403, url
    assert status(visit) == "pending"


def test_without_an_account_to_the_login(visit):
    for method, url in addresses(visit):
        response = getattr(browser(), method)(url)
        assert response.status_code == 302, url
        # Back to the page; where only a button leads, to the start.
        back = ("/agenda/", "/inicio/") if method == "post" else ("/agenda/",)
        login = reverse("account_login")
        assert response.url.startswith(tuple(f"{login}?next={page}" for page in back)), url
    assert status(visit) == "pending"


def test_a_practitioner_who_left_is_sent_away(offering, visit):
    offering.practitioner.is_active = False
    offering.practitioner.save()
    assert browser(account_of(offering)).get(TOMORROW).status_code == 403


def test_nothing_of_it_is_kept_by_the_browser(doctor):
    assert "no-store" in doctor.get(TOMORROW)["Cache-Control"]


def test_looking_changes_nothing(doctor, visit):
    for method, url in addresses(visit):
        if method == "get":
            doctor.get(url)
    assert status(visit) == "pending"
    assert visit.events.count() == 1


def test_the_doctor_is_the_actor_even_when_also_a_patient(offering):
    """A doctor cannot act as practitioner on an appointment of their own with somebody else."""
    user = account_of(offering)
    own = PatientFactory.create()
    user.patient_accesses.create(patient=own, relation="self")
    elsewhere = book(offering=new_practice(), patient=own)
    assert browser(user).get(f"/agenda/turnos/{elsewhere.public_id}/").status_code == 404
