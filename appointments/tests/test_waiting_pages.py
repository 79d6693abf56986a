"""The pages of the waiting list: ask, look, end; the offer and its one button."""

import re
from typing import Any

import pytest

from accounts.models import Coverage, PatientAccess, Relation, User
from accounts.tests.factories import (
    PatientAccessFactory,
    ReceptionistFactory,
    patient_user,
)
from appointments import freed, services, waiting
from appointments.models import Appointment, Hold, WaitingListEntry, WaitingOffer
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import account_of, browser, main_part, words
from appointments.tests.waiting import frees, offered, waits
from clinic.tests.factories import InsurerFactory
from scheduling.models import ServiceOffering
from scheduling.tests.factories import open_offering

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.usefixtures("this_morning"),
]

LIST, NEW = "/avisos/", "/avisos/nuevo/"


def what(offering: ServiceOffering) -> str:
    return f"{offering.service.specialty.slug}/{offering.service.slug}"


def page_of(offer: WaitingOffer) -> str:
    return f"/avisos/oferta/{offer.public_id}/"


def later_visit(offering: ServiceOffering, user: User, days: int = 9) -> Appointment:
    patient = user.patient_accesses.get().patient
    return book(offering=offering, patient=patient, start=at(10, days=days))


# --- asking ----------------------------------------------------------------------------


def test_the_times_lead_to_the_form_filled_in(offering, user):
    page = browser(user).get("/horarios/", {"what": what(offering)})
    link = re.search(r'href="(/avisos/nuevo/[^"]*)"', main_part(page))
    form = browser(user).get(link[1].replace("&amp;", "&"))
    assert f'value="{what(offering)}" selected' in main_part(form)


def test_also_when_there_is_nothing(offering):
    offering.schedule.hours.all().delete()
    page = browser().get("/horarios/", {"what": what(offering), "who": offering.practitioner.slug})
    assert "No free times for now" in words(page)
    assert "Tell me when a time becomes free" in words(page)
    assert "None of these suits?" not in words(page)


def test_whoever_looks_for_a_specialty_waits_for_any_service_of_it(offering, user):
    specialty = offering.service.specialty
    client = browser(user)
    page = client.get("/horarios/", {"what": specialty.slug})
    link = re.search(r'href="(/avisos/nuevo/[^"]*)"', main_part(page))
    form = client.get(link[1].replace("&amp;", "&"))
    assert f'value="{specialty.slug}" selected' in main_part(form)
    data = {"what": specialty.slug, "who": offering.practitioner.slug}
    assert client.post(NEW, data).status_code == 302
    entry = WaitingListEntry.objects.get()
    assert (entry.service, entry.specialty) == (None, specialty)
    listed = words(client.get(LIST))
    assert f"{specialty}: any service · {offering.practitioner}" in listed
    frees(offering)
    assert freed.sweep() == 1
    offer = words(client.get(page_of(WaitingOffer.objects.get())))
    assert offering.service.name in offer


def test_a_practitioner_of_another_specialty(offering, user):
    other = open_offering()
    data = {"what": offering.service.specialty.slug, "who": other.practitioner.slug}
    answer = browser(user).post(NEW, data)
    assert answer.status_code == 422
    assert "This is not offered there." in words(answer)


def test_who_is_not_logged_in_comes_back_to_the_form(offering):
    answer = browser().get(NEW, {"what": what(offering)})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/cuenta/ingresar/?next=/avisos/nuevo/%3Fwhat%3D")


def test_asking_makes_an_entry(offering, user):
    data = {"what": what(offering), "who": offering.practitioner.slug, "weekdays": ["0", "2"]}
    data |= {"parts": ["1"], "since": "8/12/2026", "until": "18/12/2026"}
    answer = browser(user).post(NEW, data)
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    entry = WaitingListEntry.objects.get()
    assert (entry.user, entry.patient) == (user, user.patient_accesses.get().patient)
    assert (entry.service, entry.practitioner) == (offering.service, offering.practitioner)
    assert (entry.weekdays, entry.parts) == (0b101, 0b10)
    assert (str(entry.first_day), str(entry.last_day)) == ("2026-12-08", "2026-12-18")


def test_pressing_twice_makes_one_entry(offering, user):
    for _n in range(2):
        browser(user).post(NEW, {"what": what(offering)})
    assert WaitingListEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"what": ""}, "Choose an option."),
        ({"since": "1/11/2026"}, "This day is over."),
        ({"until": "18/12/2028"}, "Write a day within the next twelve months."),
        ({"since": "9/12/2026", "until": "8/12/2026"}, "The last day cannot be before the first."),
        ({"since": "mañana"}, "Write the date as day, month and year"),
        ({"weekdays": ["9"]}, "This option is no longer there."),
    ],
)
def test_what_has_to_be_corrected_is_said_and_kept(offering, user, data, sentence):
    answer = browser(user).post(NEW, {"what": what(offering), "until": "20/12/2026", **data})
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert f'value="{data.get("until", "20/12/2026")}"' in main_part(answer)
    assert WaitingListEntry.objects.count() == 0


def test_somebody_who_does_not_offer_it(offering, user):
    other = open_offering()
    answer = browser(user).post(NEW, {"what": what(offering), "who": other.practitioner.slug})
    assert answer.status_code == 422
    assert "This is not offered there." in words(answer)


def test_one_too_many_is_refused_in_a_sentence(offering, user):
    for day in range(waiting.MOST):
        waits(offering, user, weekdays=[day])
    answer = browser(user).post(NEW, {"what": what(offering)})
    assert answer.status_code == 409
    assert "You already have 5 alerts, as many as there can be." in words(answer)
    assert "Add an alert" not in words(browser(user).get(LIST))


def test_a_parent_says_for_whom(offering, user):
    child = PatientAccessFactory.create(user=user, relation=Relation.CHILD).patient
    stranger = patient_user().patient_accesses.get().patient
    data = {"what": what(offering)}
    assert browser(user).post(NEW, data).status_code == 422
    odd = browser(user).post(NEW, {**data, "patient": str(stranger.public_id)})
    assert odd.status_code == 422
    browser(user).post(NEW, {**data, "patient": str(child.public_id)})
    assert WaitingListEntry.objects.get().patient == child


# --- an earlier one --------------------------------------------------------------------


def test_from_the_appointment_to_an_earlier_one(offering, user):
    visit = later_visit(offering, user)
    detail = browser(user).get(f"/turnos/{visit.public_id}/")
    link = f"{NEW}?instead_of={visit.public_id}"
    assert link in main_part(detail)
    form = browser(user).get(link)
    assert "Wednesday 2 December 2026, 10:00" in words(form)
    assert f'value="{offering.practitioner.slug}" selected' in main_part(form)
    assert browser(user).post(link, {"who": ""}).status_code == 302
    entry = WaitingListEntry.objects.get()
    assert (entry.instead_of, entry.service) == (visit, visit.service)
    assert (entry.practitioner, entry.last_day) == (None, visit.local_date)
    assert "Earlier than Wednesday 2 December 2026, 10:00" in words(browser(user).get(LIST))


def test_somebody_elses_appointment_is_not_there(offering, user):
    visit = later_visit(offering, patient_user())
    for key in (str(visit.public_id), "0", "%00", "x" * 4000):
        answer = browser(user).get(NEW, {"instead_of": key})
        assert answer.status_code == 404
        assert browser(user).post(f"{NEW}?instead_of={visit.public_id}").status_code == 404


def test_what_cannot_be_moved_leads_back(offering, user):
    visit = later_visit(offering, user)
    services.cancel(appointment=visit, by=desk(), reason="x", now=NOW)
    answer = browser(user).get(NEW, {"instead_of": str(visit.public_id)})
    assert answer["Location"] == f"/turnos/{visit.public_id}/"


# --- the list --------------------------------------------------------------------------


def test_the_list_is_ones_own(offering, user):
    waits(offering, user, weekdays=[0, 4], parts=[2])
    waits(open_offering(service__name="Audiometría"))
    page = words(browser(user).get(LIST))
    assert f"{offering.service} · Any practitioner" in page
    assert "Monday; Friday" in page
    assert "Evening, from 18:00" in page
    assert "From Monday 23 November 2026 to Sunday 21 February 2027" in page
    assert "Audiometría" not in page


def test_an_empty_list_says_what_there_could_be(user):
    assert "You wait for no time" in words(browser(user).get(LIST))


def test_the_list_shows_what_is_offered(offering, user):
    offer = offered(offering, user)
    assert page_of(offer) in main_part(browser(user).get(LIST))


def test_ending_one(offering, user):
    entry = waits(offering, user)
    end = f"/avisos/{entry.public_id}/terminar/"
    stranger = browser(patient_user())
    assert stranger.post(end).status_code == 404
    staff = browser(ReceptionistFactory.create().user)
    assert staff.post(end).status_code == 403
    assert browser(user).get(end).status_code == 405
    assert WaitingListEntry.objects.get().status == "waiting"
    for _n in range(2):
        assert browser(user).post(end)["Location"] == LIST
    assert WaitingListEntry.objects.get().status == "ended"
    assert "You wait for no time" in words(browser(user).get(LIST))


def test_the_list_asks_as_often_for_one_as_for_many(offering, user, django_assert_num_queries):
    client = browser(user)
    waits(offering, user)
    with django_assert_num_queries(7):
        client.get(LIST)
    waiting_list = [
        WaitingListEntry(
            user=user,
            patient=user.patient_accesses.get().patient,
            service=open_offering().service,
            practitioner=offering.practitioner,
            location=offering.location,
            first_day=NOW.date(),
            last_day=NOW.date(),
            created_at=NOW,
        )
        for _n in range(29)
    ]
    WaitingListEntry.objects.bulk_create(waiting_list)
    with django_assert_num_queries(7):
        client.get(LIST)


# --- the offer -------------------------------------------------------------------------


def test_the_offer_says_what_it_is_and_looking_changes_nothing(offering, user):
    visit = later_visit(offering, user)
    offer = offered(offering, user, instead_of=visit)
    page = browser(user).get(page_of(offer))
    said = words(page)
    assert "Tuesday 24 November 2026, 10:00" in said
    assert "Instead of Wednesday 2 December 2026, 10:00" in said
    assert "We keep this time for you until 9:00." in said
    assert "The old time becomes free for somebody else at once." in said
    offer.refresh_from_db()
    assert (offer.is_open, Hold.objects.count(), Appointment.objects.count()) == (True, 1, 2)


def test_accepting_is_one_click(offering, user):
    visit = later_visit(offering, user)
    offer = offered(offering, user, instead_of=visit)
    client = browser(user)
    answer = client.post(page_of(offer), {"accept": "1"})
    made = Appointment.objects.get(rescheduled_from=visit)
    assert (answer.status_code, answer["Location"]) == (302, f"/turnos/{made.public_id}/")
    # Back, a second tab, the link in the mail: all lead to it.
    for again in (client.post(page_of(offer), {"accept": "1"}), client.get(page_of(offer))):
        assert again["Location"] == f"/turnos/{made.public_id}/"
    assert Appointment.objects.occupying().count() == 1


def test_declining_keeps_everything(offering, user):
    visit = later_visit(offering, user)
    offer = offered(offering, user, instead_of=visit)
    client = browser(user)
    assert client.post(page_of(offer), {"decline": "1"})["Location"] == LIST
    page = client.get(page_of(offer))
    assert page.status_code == 200
    assert "You did not want this time. Your appointment stays as it is." in words(page)
    assert client.post(page_of(offer), {"accept": "1"}).status_code == 409
    assert visit.__class__.objects.get(pk=visit.pk).status == "booked"


def test_what_has_to_be_confirmed_is_said_to_be(user):
    offer = offered(open_offering(confirmation="manual"), user)
    assert "This is a request" in words(browser(user).get(page_of(offer)))


def test_what_has_to_be_confirmed_elsewhere_leaves_the_old_one_and_says_so(offering, user):
    visit = later_visit(offering, user)
    other = open_offering(confirmation="manual", service=offering.service)
    said = words(browser(user).get(page_of(offered(other, user, instead_of=visit))))
    assert "This is a request" in said
    assert "The old time stays yours until the new one is confirmed" in said
    assert "becomes free for somebody else" not in said


def test_a_lapsed_offer_shows_what_is_free(offering, user, time_machine):
    offer = offered(offering, user)
    time_machine.move_to(offer.expires_at, tick=False)
    client = browser(user)
    for answer, status in (
        (client.get(page_of(offer)), 200),
        (client.post(page_of(offer), {"accept": "1"}), 409),
        (client.post(page_of(offer), {"decline": "1"}), 409),
    ):
        assert answer.status_code == status
        said = words(answer)
        assert "We no longer keep this time for you." in said
        assert "Your alert goes on" in said
        assert "Tuesday 24 November, 9:30" in said or "Tuesday 24 November, 10:30" in said
    assert Appointment.objects.occupying().count() == 0


def test_what_stands_in_the_way_is_said(offering, user):
    offer = offered(offering, user)
    book(offering=open_offering(), patient=offer.entry.patient, start=at(10))
    answer = browser(user).post(page_of(offer), {"accept": "1"})
    assert answer.status_code == 409
    assert "There is already an appointment for this patient at that time." in words(answer)
    offer.refresh_from_db()
    assert offer.is_open


def test_an_offer_is_its_accounts_alone(offering, user):
    offer = offered(offering, user)
    others: list[Any] = [browser(patient_user())]
    other_parent = patient_user()
    PatientAccessFactory.create(user=other_parent, patient=offer.entry.patient)
    others.append(browser(other_parent))
    for client in others:
        assert client.get(page_of(offer)).status_code == 404
        assert client.post(page_of(offer), {"accept": "1"}).status_code == 404
    assert browser(ReceptionistFactory.create().user).get(page_of(offer)).status_code == 403
    login = browser().get(page_of(offer))
    assert login["Location"] == f"/cuenta/ingresar/?next={page_of(offer)}"
    PatientAccess.objects.filter(user=user).update(ended_at=NOW)
    PatientAccessFactory.create(user=user)
    assert browser(user).get(page_of(offer)).status_code == 404


def test_next_in_line_is_asked_after_a_no(offering, user):
    offer = offered(offering, user)
    after = waits(offering)
    browser(user).post(page_of(offer), {"decline": "1"})
    assert freed.sweep() == 1
    assert WaitingOffer.objects.get(is_open=True).entry == after


def test_a_freed_time_of_another_service_is_nothing(offering, user):
    waits(offering, user)
    frees(open_offering())
    assert freed.sweep() == 0


def test_the_way_there_is_shown_to_those_who_can_go_it(offering, client):
    """Staff look at free times too; an alert is a patient's."""
    service = offering.service
    url = f"/horarios/?what={service.specialty.slug}/{service.slug}"
    link = f'href="/avisos/nuevo/?what={service.specialty.slug}%2F{service.slug}'
    people = [(None, True), (patient_user(), True), (account_of(offering), False)]
    for user, shown in people:
        if user:
            client.force_login(user)
        assert (link in client.get(url).content.decode()) == shown


def test_the_offer_says_that_the_visit_would_be_private(offering, user):
    insurer = InsurerFactory.create(name="OSDE")
    Coverage.objects.create(patient=user.patient_accesses.get().patient, insurer=insurer)
    found = offered(offering, user, practitioner=offering.practitioner)
    sentence = f"{offering.practitioner} does not work with OSDE. The visit would be private."
    assert sentence in words(browser(user).get(page_of(found)))
    offering.practitioner.insurers.add(insurer)
    assert sentence not in words(browser(user).get(page_of(found)))
