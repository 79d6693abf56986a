"""The whole life of an appointment as sentences, and that nobody can rewrite it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.models import Patient, User
from accounts.roles import Actor, Role
from accounts.tests.factories import (
    PatientAccessFactory,
    UserFactory,
    administrator,
    patient_user,
)
from appointments import services, story
from appointments.blocking import Block, block_time
from appointments.changes import Answer, Hit, Place
from appointments.models import Appointment, AppointmentEvent
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    doctor_of,
    main_part,
    new_practice,
    second_place,
    words,
)
from appointments.undo import undo
from clinic.models import AppendOnlyError, AuditEvent
from scheduling.tests.factories import open_offering, open_week

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english(time_machine):
    time_machine.move_to(NOW, tick=False)
    with translation.override("en"):
        yield


@pytest.fixture
def ana() -> User:
    return patient_user(first_name="Ana", last_name="Gómez")


@pytest.fixture
def marta() -> Actor:
    return Actor(UserFactory.create(name="Marta Ruiz"), Role.RECEPTION)


def own(user: User) -> Patient:
    found: Patient = Patient.objects.of(user).get()
    return found


def move(visit: Appointment, start, by, **kwargs) -> Appointment:
    offering = kwargs.pop("offering", None) or visit.practitioner.schedules.get().offerings.get()
    return services.reschedule(
        appointment=visit, offering=offering, start=start, by=by, now=NOW, **kwargs
    )


def staff_reads(visit, reader):
    return [(d.sentence, d.where, d.note) for d in story.for_staff(visit, reader)]


def patient_reads(visit, reader):
    return [(d.sentence, d.where, d.note) for d in story.for_patient(visit, reader)]


def test_two_moves_are_one_story_wherever_it_is_read(ana, marta):
    offering = new_practice()
    first = book(offering=offering, by=Actor.patient(ana), patient=own(ana))
    second = move(first, at(12), marta, note="Reunión")
    third = move(second, at(9, days=2), doctor_of(offering))
    doctor = account_of(offering)
    to_noon = (
        "Marta Ruiz (reception) moved it from Tuesday 24 November 2026, 10:00"
        " to Tuesday 24 November 2026, 12:00."
    )
    to_nine = (
        "You moved it from Tuesday 24 November 2026, 12:00 to Wednesday 25 November 2026, 9:00."
    )
    expected = [
        (
            "The patient’s account booked it: Tuesday 24 November 2026, 10:00.",
            "from the patients’ pages",
            "",
        ),
        (to_noon, "from the desk", "Reunión"),
        (to_nine, "from the agenda", ""),
    ]
    for part in (first, second, third):
        assert staff_reads(Appointment.objects.get(pk=part.pk), doctor) == expected
        sentences = [s for s, _w, _n in patient_reads(part, ana)]
        assert sentences[0] == "You booked it: Tuesday 24 November 2026, 10:00."
        assert sentences[1].startswith("Reception moved it from ")
        assert sentences[2].startswith("The practitioner moved it from ")


def test_the_sentence_of_the_house_in_spanish(ana, marta):
    visit = move(book(offering=new_practice()), at(12), marta)
    with translation.override("es"):
        deed = story.for_staff(visit, ana)[-1]
    assert deed.sentence == (
        "Marta Ruiz (recepción) lo movió del martes 24 de noviembre de 2026, 10:00"
        " al martes 24 de noviembre de 2026, 12:00."
    )
    assert deed.where == "desde el mostrador"


def test_every_state_has_its_sentence(ana, marta):
    offering = new_practice(confirmation="manual")
    doctor = account_of(offering)
    visit = book(offering=offering, by=Actor.patient(ana), patient=own(ana))
    services.confirm(appointment=visit, by=marta, now=NOW)
    services.mark_arrived(appointment=visit, by=marta, now=at(10))
    services.mark_fulfilled(appointment=visit, by=doctor_of(offering), now=at(10))
    assert [s for s, _w, _n in staff_reads(visit, doctor)] == [
        "The patient’s account asked for it: Tuesday 24 November 2026, 10:00.",
        "Marta Ruiz (reception) confirmed it.",
        "Marta Ruiz (reception) noted that the patient arrived.",
        "You noted that the patient was seen.",
    ]


def test_what_nobody_did_and_what_the_administration_did(ana):
    offering = new_practice(confirmation="manual")
    visit = book(offering=offering, by=Actor.patient(ana), patient=own(ana))
    services.expire(appointment=visit, by=Actor.system(), now=at(10))
    last = story.for_staff(visit, ana)[-1]
    assert (last.sentence, last.where) == (
        "Nobody answered the request in time: it was cancelled.",
        "by the timetable",
    )
    other = book(offering=new_practice(), by=Actor.administrator(administrator()))
    assert staff_reads(other, ana)[0][:2] == (
        "Admin (administrator) booked it: Tuesday 24 November 2026, 10:00.",
        "from the administration",
    )


def test_another_practitioner_and_place_are_named(marta):
    offering = new_practice()
    norte = second_place(offering, location__slug="norte", location__name="Norte")
    open_week(norte.schedule)
    visit = book(offering=offering)
    there = move(visit, at(12), marta, offering=norte)
    assert staff_reads(there, marta.user)[-1][0].endswith("12:00. Now at Norte.")
    other = open_offering(service=offering.service, schedule__location=norte.location)
    handed = move(there, at(15), marta, offering=other)
    said = staff_reads(handed, marta.user)[-1][0]
    assert said.endswith(f"15:00. Now with {other.practitioner}.")


def test_a_move_that_was_undone_stays_in_the_story(marta):
    offering = new_practice()
    visit = book(offering=offering)
    made = block_time(
        practitioner=offering.practitioner,
        blocks=[Block(starts_at=at(9), ends_at=at(11))],
        by=marta,
        answer=Answer(
            seen=frozenset({visit.pk}),
            for_all=Hit.MOVE,
            places={visit.pk: Place(offering.pk, at(12))},
        ),
        now=NOW,
    )
    undo(change=made.change, by=marta, now=NOW)
    again = move(Appointment.objects.get(pk=visit.pk), at(15), marta)
    moved = (
        "Marta Ruiz (reception) moved it from Tuesday 24 November 2026, 10:00"
        " to Tuesday 24 November 2026, 15:00."
    )
    assert [s for s, _w, _n in staff_reads(again, visit.practitioner.user)] == [
        "Reception booked it: Tuesday 24 November 2026, 10:00.",
        "Marta Ruiz (reception) moved it to another time.",
        "Marta Ruiz (reception) undid the change of hours: it stands again.",
        moved,
    ]


def test_patients_read_no_names_and_nothing_that_is_new_to_them(ana, marta):
    offering = new_practice()
    visit = book(offering=offering, by=Actor.patient(ana), patient=own(ana))
    services.cancel(appointment=visit, by=marta, reason="Congreso", now=NOW)
    AppointmentEvent.objects.create(
        appointment=visit,
        verb="note",
        by=marta.user,
        role=Role.RECEPTION,
        source="web",
        at=timezone.now(),
        after={"note": "canary"},
    )
    assert patient_reads(visit, ana)[1:] == [("Reception cancelled it.", "", "Congreso")]
    assert staff_reads(visit, ana)[-1][0] == "Marta Ruiz (reception) changed it."


def test_the_other_parent_is_another_account(ana):
    other = UserFactory.create(name="Pedro")
    PatientAccessFactory.create(user=other, patient=own(ana), relation="other")
    visit = book(by=Actor.patient(other), patient=own(ana), offering=new_practice())
    assert patient_reads(visit, ana)[0][0].startswith("Another account of this patient booked it")


# --- on the pages


def test_the_patients_page_tells_it_and_a_strangers_does_not(ana, marta):
    visit = book(offering=new_practice(), by=Actor.patient(ana), patient=own(ana))
    moved = move(visit, at(12), marta)
    url = f"/turnos/{moved.public_id}/"
    said = words(browser(ana).get(url))
    assert "What happened so far You booked it: Tuesday 24 November 2026, 10:00." in said
    assert "Reception moved it from" in said
    assert "Marta" not in said
    assert browser(patient_user()).get(url).status_code == 404
    assert browser(visit.practitioner.user).get(url).status_code == 403


def test_the_practitioners_page_tells_it_with_names(ana, marta):
    moved = move(book(offering=new_practice()), at(12), marta)
    said = words(browser(moved.practitioner.user).get(f"/agenda/turnos/{moved.public_id}/"))
    assert "Marta Ruiz (reception) moved it from Tuesday 24 November 2026, 10:00" in said
    assert "Monday 23 November 2026, 8:00 · from the desk" in said


def test_a_practitioner_reads_nothing_of_another_ones_times(marta):
    offering = new_practice()
    other = new_practice(service=offering.service)
    visit = book(offering=offering)
    there = move(visit, at(12), marta, offering=other)
    gone = words(account_browser(offering).get(f"/agenda/turnos/{visit.public_id}/"))
    assert "Marta Ruiz (reception) moved it to another time." in gone
    assert "12:00" not in gone
    new = words(account_browser(other).get(f"/agenda/turnos/{there.public_id}/"))
    assert "booked it" not in new
    assert f"Now with {other.practitioner}." in new


def account_browser(offering):
    return browser(account_of(offering))


def test_the_administration_sees_the_chain_and_each_change(marta):
    visit = book(offering=new_practice())
    moved = move(visit, at(12), marta)
    page = browser(administrator()).get(f"/admin/appointments/appointment/{moved.pk}/change/")
    html = page.content.decode()
    link = f'<a href="/admin/appointments/appointment/{visit.pk}/change/">'
    assert f"{link}Tuesday 24 November 2026, 10:00</a> → Tuesday 24 November 2026, 12:00" in html
    assert "Marta Ruiz (reception) moved it from" in html


def test_the_administration_names_what_changed(marta):
    """And no numbers of rows, nor one question for each line."""
    offering = new_practice()
    norte = new_practice(service=offering.service, schedule__location__name="Norte")
    visit = book(offering=offering)
    moved = move(visit, at(12), marta, offering=norte)
    client = browser(administrator())
    page = f"/admin/appointments/appointment/{moved.pk}/change/"
    with CaptureQueriesContext(connection) as before:
        html = client.get(page).content.decode()
    assert (
        "start: Tuesday 24 November 2026, 10:00 → Tuesday 24 November 2026, 12:00;"
        f" practitioner: {offering.practitioner} → {norte.practitioner};"
        f" location: {offering.location} → Norte"
    ) in html
    facts = moved.events.values("verb", "before", "after", "role", "source").get()
    for name in ("rescheduled_from_id", "patient_id", "room_id"):
        facts["before"][name] = facts["after"].get(name)
    for _n in range(5):
        AppointmentEvent.objects.create(appointment=moved, at=NOW, **facts)
    with CaptureQueriesContext(connection) as after:
        client.get(page)
    assert len(after) == len(before)


def test_the_administration_names_the_appointment_from_which_it_was_cut_off(marta):
    visit = book(offering=new_practice())
    AppointmentEvent.objects.create(
        appointment=visit,
        verb="withdraw",
        role="reception",
        source="web",
        at=NOW,
        before={"rescheduled_from_id": visit.pk, "room_id": 4711, "overbooked": False},
        after={"rescheduled_from_id": None, "room_id": None, "overbooked": True},
    )
    page = browser(administrator()).get(f"/admin/appointments/appointment/{visit.pk}/change/")
    html = page.content.decode()
    assert f"rescheduled from: {visit.reference} → –; room: 4711 → –;" in html


def test_the_story_asks_as_often_for_thirty_events(ana, marta, django_assert_num_queries):
    visit = book(offering=new_practice(), patient=own(ana))
    client = browser(ana)
    client.get(f"/turnos/{visit.public_id}/")
    with django_assert_num_queries(2):  # whether it moved on, and the events
        story.for_patient(visit, ana)
    for _n in range(30):
        AppointmentEvent.objects.create(
            appointment=visit, verb="confirm", by=marta.user, role="reception", source="web", at=NOW
        )
    with django_assert_num_queries(2):
        story.for_patient(visit, ana)


# --- nobody rewrites it


@pytest.mark.parametrize(
    "write",
    [
        lambda e: AppointmentEvent(pk=e.pk, appointment=e.appointment, verb="x", at=NOW).save(),
        lambda e: AppointmentEvent.objects.bulk_create(
            [AppointmentEvent(pk=e.pk, appointment=e.appointment, verb="x", at=NOW)],
            update_conflicts=True,
            update_fields=["verb"],
            unique_fields=["pk"],
        ),
        lambda e: e.appointment.events.add(e),
        lambda e: e.appointment.events.set([]),
        lambda e: AppointmentEvent.objects.filter(pk=e.pk)._raw_delete("default"),
        lambda e: AppointmentEvent._base_manager.all().delete(),
        lambda e: AppointmentEvent.objects.update_or_create(pk=e.pk, defaults={"verb": "x"}),
    ],
)
def test_no_path_of_the_orm_changes_an_event(write):
    visit = book()
    event = AppointmentEvent.objects.get()
    before = list(AppointmentEvent.objects.values())
    with pytest.raises((AppendOnlyError, IntegrityError)), transaction.atomic():
        write(event)
    assert visit.events.count() == 1
    assert list(AppointmentEvent.objects.values()) == before


def test_who_did_something_and_for_whom_cannot_be_deleted(ana, marta):
    visit = book(offering=new_practice(), patient=own(ana), by=marta)
    rows: list[Any] = [marta.user, ana, visit.patient, visit.practitioner]
    for row in rows:
        with pytest.raises(models.ProtectedError):
            row.delete()
        with pytest.raises(models.ProtectedError):
            type(row)._default_manager.filter(pk=row.pk).delete()
    assert visit.events.count() == 1


def test_no_page_of_the_administration_changes_or_removes_one(ana, marta):
    visit = book(offering=new_practice(), patient=own(ana), by=marta)
    client = browser(administrator())
    event = visit.events.get()
    before = list(AppointmentEvent.objects.values())
    page = f"/admin/appointments/appointment/{visit.pk}/"
    tampered = {
        "events-TOTAL_FORMS": "1",
        "events-INITIAL_FORMS": "1",
        "events-0-id": event.pk,
        "events-0-appointment": visit.pk,
        "events-0-verb": "x",
        "events-0-DELETE": "on",
    }
    assert client.post(f"{page}change/", tampered).status_code == 403
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": visit.pk, "post": "yes"}
    client.post("/admin/appointments/appointment/", chosen)
    assert client.get("/admin/appointments/appointmentevent/").status_code == 404
    for owner, url in ((visit.patient, "patient"), (marta.user, "user")):
        assert client.post(f"/admin/accounts/{url}/{owner.pk}/delete/").status_code == 403
    assert Appointment.objects.filter(pk=visit.pk).exists()
    assert list(AppointmentEvent.objects.values()) == before


def test_the_pages_offer_nothing_that_writes_history(ana):
    visit = book(offering=new_practice(), patient=own(ana))
    page = browser(ana).get(f"/turnos/{visit.public_id}/")
    assert "<form" not in main_part(page)


def test_an_audit_line_keeps_its_key():
    line = AuditEvent.objects.create(actor="a", action="b", target="c")
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent(pk=line.pk, actor="x", action="b", target="c").save()
