"""The desk puts a patient on the waiting list, calls whoever has no account, and ends it."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Actor, Role
from accounts.tests.factories import (
    PatientAccessFactory,
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import availability, freed, holds, waiting
from appointments.exceptions import MoveNotAllowed, OfferOver, SlotHeld
from appointments.models import Appointment, Hold, WaitingListEntry, WaitingOffer
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import account_of, browser, main_part, words
from appointments.tests.waiting import frees, left, offered, to_be_called, waits_for_a_call
from clinic.models import AuditEvent
from scheduling.tests.factories import open_offering

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("this_morning"),
    pytest.mark.once,
]

LIST = "/recepcion/avisos/"
Status = WaitingListEntry.Status
Answer = WaitingOffer.Answer


@pytest.fixture
def receptionist(offering):
    return ReceptionistFactory.create(locations=[offering.location]).user


@pytest.fixture
def desk(receptionist):
    return browser(receptionist)


@pytest.fixture
def ana():
    return PatientFactory.create(first_name="Ana", last_name="Muñoz", phone="+541148650001")


def page_of(patient) -> str:
    return f"/recepcion/pacientes/{patient.public_id}/aviso/"


def wish_for(offering, **more) -> dict:
    service = offering.service
    return {"what": f"{service.specialty.slug}/{service.slug}", **more}


def noted(action: str) -> list[tuple[str, str]]:
    return list(AuditEvent.objects.filter(action=action).values_list("actor", "target"))


# --- onto the list ----------------------------------------------------------------------


def test_without_an_account_the_desk_calls(desk, receptionist, offering, ana):
    page = desk.get(page_of(ana), wish_for(offering))
    assert "This patient has no account: the desk calls." in words(page)
    asked = wish_for(offering, who=offering.practitioner.slug, weekdays=["1"], parts=["0"])
    done = desk.post(page_of(ana), asked)
    assert done["Location"] == f"/recepcion/pacientes/{ana.public_id}/"
    [entry] = WaitingListEntry.objects.all()
    assert (entry.user, entry.patient, entry.service) == (None, ana, offering.service)
    assert (entry.practitioner, entry.location) == (offering.practitioner, None)
    assert (entry.weekdays, entry.parts, entry.created_at) == (2, 1, NOW)
    assert noted("waiting.join") == [
        (receptionist.email, f"appointments.waitinglistentry:{entry.pk}")
    ]
    assert "Ana Muñoz is on the waiting list." in desk.get(done["Location"]).content.decode()
    assert "To be called" in words(desk.get(LIST))


def test_where_there_is_an_account_it_is_written_to(desk, offering):
    """Their own before one that acts for them."""
    own = patient_user()
    patient = own.patient_accesses.get().patient
    PatientAccessFactory.create(patient=patient, relation="child")
    assert "offered by e-mail" in words(desk.get(page_of(patient)))
    assert desk.post(page_of(patient), wish_for(offering)).status_code == 302
    [entry] = WaitingListEntry.objects.all()
    assert entry.user == own
    assert "To be called" not in words(desk.get(LIST))
    frees(offering)
    freed.sweep(now=NOW)
    [offer] = WaitingOffer.objects.all()
    assert offer.entry.user == own
    assert "To call now" not in words(desk.get(LIST))
    # Who can answer answers: the desk's buttons are for those who cannot.
    assert desk.post(f"{LIST}oferta/{offer.public_id}/", {"accept": "1"}).status_code == 404


def test_for_a_child_the_parent_is_written_to_and_an_ended_access_is_none(offering, ana):
    assert waiting.account_for(ana) is None
    PatientAccessFactory.create(patient=ana, relation="child", ended_at=NOW)
    PatientAccessFactory.create(patient=ana, relation="child", user__is_active=False)
    assert waiting.account_for(ana) is None
    access = PatientAccessFactory.create(patient=ana, relation="child")
    assert waiting.account_for(ana) == access.user


def test_instead_of_a_later_appointment(desk, offering, ana):
    visit = book(offering=offering, patient=ana, start=at(10, days=9))
    link = f"{page_of(ana)}?instead_of={visit.public_id}"
    assert link in main_part(desk.get(f"/recepcion/pacientes/{ana.public_id}/"))
    assert "Wednesday 2 December 2026, 10:00" in words(desk.get(link))
    assert desk.post(link, {}).status_code == 302
    entry = WaitingListEntry.objects.get()
    assert (entry.instead_of, entry.service) == (visit, offering.service)


def test_only_an_appointment_of_this_patient_and_this_desk(desk, offering, ana):
    away = book(offering=open_offering(), patient=ana, start=at(10, days=9))
    other = book(offering=offering, start=at(11, days=9))
    for visit in (away.public_id, other.public_id, uuid.UUID(int=1), "x"):
        assert desk.get(page_of(ana), {"instead_of": visit}).status_code == 404


def test_a_desk_puts_nobody_on_the_list_of_another_location(desk, offering, ana):
    elsewhere = open_offering(service=offering.service)
    page = desk.get(page_of(ana))
    assert str(elsewhere.practitioner) not in words(page)
    assert "where" not in page.context["form"].fields
    assert desk.post(page_of(ana), wish_for(offering)).status_code == 302
    assert WaitingListEntry.objects.get().location == offering.location
    refused = desk.post(page_of(ana), wish_for(offering, who=elsewhere.practitioner.slug))
    assert refused.status_code == 422
    assert browser(administrator()).post(page_of(ana), wish_for(offering)).status_code == 302
    assert WaitingListEntry.objects.latest("pk").location is None


def test_of_two_of_three_locations_one_is_to_be_chosen(offering, ana):
    second, _third = open_offering(service=offering.service), open_offering()
    places = [offering.location, second.location]
    client = browser(ReceptionistFactory.create(locations=places).user)
    assert client.post(page_of(ana), wish_for(offering)).status_code == 422
    chosen = wish_for(offering, where=second.location.slug)
    assert client.post(page_of(ana), chosen).status_code == 302
    assert WaitingListEntry.objects.get().location == second.location


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(desk, offering, ana):
    page = desk.post(page_of(ana), wish_for(offering, until="1/1/2020", parts=["2"]))
    assert page.status_code == 422
    assert "This day is over" in words(page)
    assert 'value="1/1/2020"' in main_part(page)


def test_as_many_alerts_as_there_can_be(desk, offering, ana):
    for n in range(waiting.MOST):
        waits_for_a_call(offering, patient=ana, weekdays=[n])
    page = desk.post(page_of(ana), wish_for(offering))
    assert page.status_code == 409
    assert "There are already 5 alerts for this patient" in words(page)
    # Those of others do not count.
    assert desk.post(page_of(PatientFactory.create()), wish_for(offering)).status_code == 302


def test_the_same_wish_again_is_the_same_entry_and_noted_once(offering, ana):
    entry = waits_for_a_call(offering, patient=ana)
    assert waits_for_a_call(offering, patient=ana) == entry
    assert len(noted("waiting.join")) == 1


def test_nobody_waits_without_a_record(offering):
    gone = PatientFactory.create(is_active=False)
    with pytest.raises(MoveNotAllowed):
        waits_for_a_call(offering, patient=gone)


def test_from_a_day_without_a_time(desk, offering, ana):
    """Given a patient, and with only a name looked for."""
    offering.schedule.hours.all().delete()
    service, who = offering.service, offering.practitioner
    link = (
        f'href="{page_of(ana)}?what={service.specialty.slug}%2F{service.slug}'
        f'&amp;who={who.slug}&amp;where={offering.location.slug}"'
    )
    for query in ({"paciente": ana.public_id}, {"q": "muñoz"}):
        page = desk.get("/recepcion/dar-turno/", {"servicio": offering.pk, **query})
        assert "No free time" in words(page)
        assert link in main_part(page)


def test_a_practitioner_giving_has_no_way_there(doctor, offering, ana):
    book(offering=offering, patient=ana)
    page = doctor.get("/agenda/dar-turno/", {"paciente": ana.public_id})
    assert "waiting list" not in words(page)


# --- the call ---------------------------------------------------------------------------


def test_what_becomes_free_is_kept_for_a_call(desk, offering, ana):
    offer = to_be_called(offering, patient=ana)
    assert offer.hold is not None
    assert offer.hold.user is None
    page = desk.get(LIST)
    day = desk.get("/recepcion/")
    assert "Waiting list: 1 patient to call now" in words(day)
    for said in ("To call now", "Ana Muñoz", "+54 11 4865-0001", "24 November 2026, 10:00"):
        assert said in words(page)
    assert "Kept until 9:00, then the next one is asked." in words(page)
    # For everybody else it is not free: neither without an account nor with one.
    for holder in (None, patient_user()):
        with pytest.raises(SlotHeld):
            availability.check(offering, start=at(10), now=NOW, online=True, holder=holder)
    with pytest.raises(SlotHeld):
        book(offering=offering)
    assert Hold.objects.count() == 1
    call_command("check_integrity")


def test_they_take_it(desk, receptionist, offering, ana):
    offer = to_be_called(offering, patient=ana)
    url = f"{LIST}oferta/{offer.public_id}/"
    page = desk.post(url, {"accept": "1"}, follow=True)
    assert "Given: Ana Muñoz, Tuesday 24 November 2026, 10:00." in page.content.decode()
    assert "To call now" not in words(page)
    [made] = Appointment.objects.occupying().filter(patient=ana)
    assert (made.start, made.state) == (at(10), "booked")
    event = made.events.get()
    assert (event.by, event.role, event.at) == (receptionist, "reception", NOW)
    offer.refresh_from_db()
    assert (offer.answer, offer.appointment, offer.hold) == (Answer.ACCEPTED, made, None)
    assert offer.entry.status == Status.ACCEPTED
    # A second click is the same appointment.
    desk.post(url, {"accept": "1"})
    assert Appointment.objects.occupying().filter(patient=ana).count() == 1
    call_command("check_integrity")


def test_they_take_it_and_give_back_the_later_one(desk, offering, ana):
    old = book(offering=offering, patient=ana, start=at(10, days=9))
    offer = to_be_called(offering, patient=ana, instead_of=old)
    desk.post(f"{LIST}oferta/{offer.public_id}/", {"accept": "1"})
    [made] = Appointment.objects.occupying().filter(patient=ana)
    assert (made.start, made.rescheduled_from) == (at(10), old)
    call_command("check_integrity")


def test_they_do_not_and_the_next_one_is_asked(desk, receptionist, offering, ana):
    offer = to_be_called(offering, patient=ana)
    second = waits_for_a_call(offering, now=NOW + dt.timedelta(minutes=1))
    desk.post(f"{LIST}oferta/{offer.public_id}/", {"decline": "1"})
    assert noted("waiting.decline") == [
        (receptionist.email, f"appointments.waitingoffer:{offer.pk}")
    ]
    assert freed.sweep(now=NOW) == 1
    assert WaitingOffer.objects.get(is_open=True).entry == second
    offer.entry.refresh_from_db()
    assert offer.entry.status == Status.WAITING


def test_nobody_called_in_time_and_the_same_patient_is_not_asked_again(offering, ana):
    offer = to_be_called(offering, patient=ana)
    later = offer.expires_at + dt.timedelta(seconds=1)
    with pytest.raises(OfferOver):
        freed.accept(offer=offer, by=Actor.reception(administrator()), now=later)
    assert freed.sweep(now=later) == 0
    offer.refresh_from_db()
    assert (offer.answer, offer.hold, left()) == (Answer.LAPSED, None, 0)
    call_command("check_integrity")


def test_a_patient_is_called_for_one_time_at_a_time(offering, ana):
    """Two wishes, two times at once: the second time waits for nobody else."""
    second = open_offering()
    waits_for_a_call(second, patient=ana)
    to_be_called(offering, patient=ana)
    frees(second)
    assert freed.sweep(now=NOW) == 0
    assert WaitingOffer.objects.filter(is_open=True).count() == 1


def test_whoever_has_waited_longest_is_first_with_an_account_or_without(offering, ana):
    waits_for_a_call(offering, patient=ana, now=NOW - dt.timedelta(minutes=1))
    with pytest.raises(WaitingOffer.DoesNotExist):
        offered(offering)
    assert WaitingOffer.objects.get(is_open=True).entry.patient == ana


def test_no_patient_answers_for_those_without_an_account(offering, ana):
    offer = to_be_called(offering, patient=ana)
    for by in (Actor.patient(patient_user()), Actor(None, Role.PATIENT)):
        with pytest.raises(MoveNotAllowed):
            freed.accept(offer=offer, by=by, now=NOW)


def test_what_is_kept_for_no_account_is_nobodys_own(offering, ana):
    """Neither whoever acts without an account pushes it aside, nor one that fills in the form."""
    offer = to_be_called(offering, patient=ana)
    with pytest.raises(SlotHeld):
        book(offering=offering, by=Actor(None, Role.RECEPTION))
    with pytest.raises(SlotHeld):
        holds.take(offering=offering, start=at(10), user=patient_user(), now=NOW)
    offer.refresh_from_db()
    assert offer.is_open


def test_another_desk_neither_sees_nor_answers(offering, ana):
    offer = to_be_called(offering, patient=ana, location=offering.location)
    other = browser(ReceptionistFactory.create(locations=[open_offering().location]).user)
    assert "Ana Muñoz" not in words(other.get(LIST))
    for url in (f"{LIST}oferta/{offer.public_id}/", f"{LIST}{offer.entry.public_id}/terminar/"):
        assert other.post(url, {"accept": "1"}).status_code == 404
    offer.refresh_from_db()
    assert offer.is_open


# --- off the list -----------------------------------------------------------------------


def test_ending_it_lets_go_what_is_kept(desk, receptionist, offering, ana):
    offer = to_be_called(offering, patient=ana)
    url = f"{LIST}{offer.entry.public_id}/terminar/"
    assert url in main_part(desk.get(LIST))
    assert url in main_part(desk.get(f"/recepcion/pacientes/{ana.public_id}/"))
    for _click in range(2):
        assert desk.post(url)["Location"] == LIST
    offer.refresh_from_db()
    assert (offer.answer, offer.entry.status) == (Answer.DECLINED, Status.ENDED)
    assert noted("waiting.end") == [
        (receptionist.email, f"appointments.waitinglistentry:{offer.entry.pk}")
    ]
    assert not Hold.objects.exists()


def test_who_may_not(offering, ana):
    offer = to_be_called(offering, patient=ana)
    urls = (
        page_of(ana),
        f"{LIST}oferta/{offer.public_id}/",
        f"{LIST}{offer.entry.public_id}/terminar/",
    )
    for user in (patient_user(), account_of(offering)):
        assert [browser(user).post(url).status_code for url in urls] == [403, 403, 403]
    assert [browser().post(url).status_code for url in urls] == [302, 302, 302]
    assert browser(administrator()).get(urls[1]).status_code == 405


def test_as_many_questions_for_many_calls_as_for_one(desk, offering, ana):
    to_be_called(offering, patient=ana)

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert desk.get(LIST).status_code == 200
        return len(asked)

    questions()
    one = questions()
    for _n in range(3):
        to_be_called(open_offering(schedule__location=offering.location))
    assert questions() == one
