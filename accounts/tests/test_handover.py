"""A grown child takes over the record: offered by mail, taken once, and the care ends later."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

import pytest
from django.core import signing
from django.core.exceptions import ValidationError

from accounts import handover, services
from accounts.exceptions import (
    AccountExists,
    BirthDateNeeded,
    HasOwnAccount,
    HasOwnRecord,
    LooksAfterIt,
    NotAllowed,
    NotTheirAddress,
    OfferOver,
    TooManyOffers,
    TooYoung,
)
from accounts.models import Patient, PatientAccess, RecordOffer, Relation, User
from accounts.roles import Actor
from accounts.tests.conftest import link_in, new_visitor, words
from accounts.tests.factories import (
    PASSWORD,
    PatientAccessFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
    verified,
)
from clinic.models import AuditEvent, Organization

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 23, 11, 0, tzinfo=dt.UTC)
BORN = dt.date(2008, 11, 23)
EMAIL = "tomas@example.org"
PROOF = {"birth_date_day": "23", "birth_date_month": "11", "birth_date_year": "2008"}


@pytest.fixture(autouse=True)
def _his_birthday(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def mother() -> User:
    return verified(patient_user(first_name="Ana", last_name="Gómez"))


@pytest.fixture
def care(mother) -> PatientAccess:
    """Of the mother for a son who is of age today."""
    return PatientAccessFactory.create(
        user=mother,
        relation=Relation.CHILD,
        patient__first_name="Tomás",
        patient__last_name="Pajaroff",
        patient__birth_date=BORN,
    )


@pytest.fixture
def offer(care) -> RecordOffer:
    return offered(care)


def offered(care, email=EMAIL) -> RecordOffer:
    return handover.offer_record(patient=care.patient, email=email, by=Actor.patient(care.user))


def logged_in(user):
    client = new_visitor()
    client.force_login(user)
    return client


def page_of(care) -> str:
    return f"/familia/{care.patient.public_id}/entregar/"


def link_of(offer) -> str:
    return f"/cuenta/ficha/{handover.make_token(offer)}/"


def owners(patient) -> list[User]:
    return [a.user for a in patient.accesses.live().filter(relation=Relation.SELF)]


# --- the whole way


def test_from_the_family_page_to_an_account_of_ones_own(mother, care, mails):
    client = logged_in(mother)
    assert "Tomás is of age and can have an own account" in words(client.get("/familia/"))
    response = client.post(page_of(care), {"email": "Tomas@Example.org"}, follow=True)
    assert "The invitation is on its way to Tomas@Example.org." in words(response)
    (mail,) = mails
    assert mail["to"] == EMAIL
    link = "/" + link_in(mail, "/cuenta/ficha/").split("/", 3)[3]
    young = new_visitor()
    assert young.get(link).status_code == 200
    assert owners(care.patient) == []
    done = young.post(link, {**PROOF, "password1": PASSWORD}, follow=True)
    assert "Your account is ready." in words(done)
    login = young.post("/cuenta/ingresar/", {"login": EMAIL, "password": PASSWORD})
    assert login.status_code == 302
    user = User.objects.get(email=EMAIL)
    assert owners(care.patient) == [user]
    assert services.own_record(user) == care.patient
    assert Patient.objects.count() == 2
    assert user.name == "Tomás Pajaroff"
    # The mother still sees him, is no longer asked, and the link is over.
    page = words(client.get("/familia/"))
    assert "Tomás Pajaroff" in page
    assert "of age" not in page
    assert young.get(link).status_code == 404


def test_the_mail_and_the_page_name_nobody(offer, mails, care):
    again = offered(care)
    (mail,) = mails
    page = new_visitor().get(link_of(again)).content.decode()
    for text in (mail["subject"], mail["text"], mail["html"], page):
        for word in ("Tomás", "Pajaroff", "Gómez", "2008"):
            assert word not in text


def test_an_account_that_is_there_already_takes_it(offer, care):
    young = verified(UserFactory.create(email=EMAIL))
    visitor = new_visitor()
    page = visitor.get(link_of(offer))
    assert "Log in with it, then this page goes on." in words(page)
    assert f'href="/cuenta/ingresar/?next={quote(link_of(offer))}"' in page.content.decode()
    client = logged_in(young)
    assert client.post(link_of(offer), PROOF)["Location"] == "/mis-datos/"
    assert owners(care.patient) == [young]


# --- who may offer, and when


def test_the_day_before_it_is_too_early(care, time_machine):
    time_machine.move_to(NOW - dt.timedelta(days=1), tick=False)
    assert "own account" not in words(logged_in(care.user).get("/familia/"))
    with pytest.raises(TooYoung):
        offered(care)
    answer = logged_in(care.user).post(page_of(care), {"email": EMAIL})
    assert answer.status_code == 422
    assert "This person is not of age yet." in words(answer)


def test_the_age_is_the_clinics(care, time_machine):
    Organization.current()
    Organization.objects.update(adult_age=21)
    with pytest.raises(TooYoung):
        offered(care)
    time_machine.move_to(NOW.replace(year=2029), tick=False)
    assert offered(care).patient == care.patient


def test_the_clinic_offers_at_any_age(care, time_machine, mails):
    time_machine.move_to(NOW.replace(year=2020), tick=False)
    by = Actor.administrator(administrator())
    handover.offer_record(patient=care.patient, email=EMAIL, by=by)
    assert [m["to"] for m in mails] == [EMAIL]


def test_without_a_birth_date_nothing_can_be_proven(care):
    Patient.objects.filter(pk=care.patient_id).update(birth_date=None)
    with pytest.raises(BirthDateNeeded):
        offered(care)


def test_not_to_the_mothers_own_address(care):
    with pytest.raises(NotTheirAddress):
        offered(care, care.user.email.upper())


def test_a_stranger_and_whoever_no_longer_looks_after_it(care):
    stranger = patient_user()
    with pytest.raises(NotAllowed):
        handover.offer_record(patient=care.patient, email=EMAIL, by=Actor.patient(stranger))
    assert logged_in(stranger).post(page_of(care), {"email": EMAIL}).status_code == 404
    services.end_access(access=care, by=Actor.patient(care.user))
    with pytest.raises(NotAllowed):
        offered(care)
    assert logged_in(care.user).get(page_of(care)).status_code == 404
    assert logged_in(ReceptionistFactory.create().user).get(page_of(care)).status_code == 404
    assert new_visitor().get(page_of(care))["Location"].startswith("/cuenta/ingresar/?next=")
    assert not RecordOffer.objects.exists()


def test_nobody_sends_mails_by_the_dozen(care, mails, time_machine):
    for _n in range(handover.MOST_A_DAY):
        offered(care)
    with pytest.raises(TooManyOffers):
        offered(care)
    assert len(mails) == handover.MOST_A_DAY
    time_machine.move_to(NOW + dt.timedelta(days=1, seconds=1), tick=False)
    offered(care)


# --- the link works once, for the right person


def test_a_newer_invitation_ends_the_older_and_taking_it_back_ends_it(care):
    old, new = offered(care), offered(care, "tomas2@example.org")
    assert new_visitor().get(link_of(old)).status_code == 404
    client = logged_in(care.user)
    assert "tomas2@example.org" in words(client.get(page_of(care)))
    client.post(page_of(care), {"do": "withdraw"})
    assert new_visitor().get(link_of(new)).status_code == 404
    with pytest.raises(OfferOver):
        handover.accept_offer(offer=new, user=UserFactory.create())


def test_after_two_weeks_it_is_over(offer, time_machine):
    link = link_of(offer)
    time_machine.move_to(NOW + handover.VALID_FOR, tick=False)
    assert new_visitor().get(link).status_code == 200
    time_machine.move_to(NOW + handover.VALID_FOR + dt.timedelta(seconds=1), tick=False)
    assert new_visitor().get(link).status_code == 404


@pytest.mark.parametrize(
    "token",
    ["x", "1:x:y", signing.dumps(1), "%00", "9" * 5000],
    ids=["a letter", "three parts", "signed for something else", "a zero byte", "too long"],
)
def test_an_invented_link_leads_nowhere(offer, token):
    answer = new_visitor().get(f"/cuenta/ficha/{token}/")
    assert answer.status_code == 404


def test_whoever_does_not_know_the_birth_date_gets_nothing_and_has_five_tries(offer, care):
    wrong, link, visitor = {**PROOF, "birth_date_day": "22"}, link_of(offer), new_visitor()
    for _n in range(handover.MOST_TRIES):
        answer = visitor.post(link, {**wrong, "password1": PASSWORD})
        assert answer.status_code == 422
        assert "This is not the date in the record." in words(answer)
    assert visitor.post(link, {**PROOF, "password1": PASSWORD}).status_code == 404
    assert owners(care.patient) == []
    assert not User.objects.filter(email=EMAIL).exists()
    assert handover.prove(offer=offer, birth_date=BORN) is False


def test_a_replay_gives_no_second_account_the_record(offer, care):
    first, second = UserFactory.create(), UserFactory.create()
    handover.accept_offer(offer=offer, user=first)
    with pytest.raises(OfferOver):
        handover.accept_offer(offer=offer, user=second)
    with pytest.raises(HasOwnAccount):
        offered(care)
    assert owners(care.patient) == [first]


def test_an_offer_that_stayed_open_is_over_once_the_record_has_an_owner(offer, care):
    owner = PatientAccessFactory.create(patient=care.patient, relation=Relation.SELF).user
    with pytest.raises(OfferOver):
        handover.accept_offer(offer=offer, user=UserFactory.create())
    assert owners(care.patient) == [owner]


def test_an_account_with_a_record_is_sent_to_the_clinic(offer, care):
    other = patient_user()
    with pytest.raises(HasOwnRecord):
        handover.accept_offer(offer=offer, user=other)
    answer = logged_in(other).post(link_of(offer), PROOF)
    assert answer.status_code == 409
    assert "Call us: we put both together." in words(answer)
    assert owners(care.patient) == []


def test_the_mother_does_not_become_her_son(care):
    staff = UserFactory.create()
    PatientAccessFactory.create(user=staff, patient=care.patient, relation=Relation.OTHER)
    offer = offered(care)
    with pytest.raises(LooksAfterIt):
        handover.accept_offer(offer=offer, user=staff)


def test_an_address_that_got_an_account_in_between(offer):
    UserFactory.create(email=EMAIL)
    with pytest.raises(AccountExists):
        handover.accept_with_new_account(offer=offer, password=PASSWORD)


def test_each_step_leaves_a_line_without_an_address(offer, care):
    handover.accept_offer(offer=offer, user=UserFactory.create(email="x@example.org"))
    lines = AuditEvent.objects.filter(action__startswith="record.").order_by("pk")
    target = f"accounts.patient:{care.patient_id}"
    assert [(x.actor, x.action, x.target) for x in lines] == [
        (care.user.email, "record.offer", target),
        ("x@example.org", "record.take_over", target),
    ]
    assert EMAIL not in str([x.details for x in lines])


# --- the administration


def test_the_administration_offers_it_and_finds_who_has_grown_up(care, mails):
    client = logged_in(administrator())
    child = PatientAccessFactory.create(
        relation=Relation.CHILD, patient__birth_date=BORN + dt.timedelta(days=1)
    ).patient
    found = client.get("/admin/accounts/patient/?grown_up=yes").content.decode()
    assert f"/patient/{care.patient_id}/change/" in found
    assert f"/patient/{child.pk}/change/" not in found
    url = f"/admin/accounts/patient/{child.pk}/change/"
    data = {
        "first_name": child.first_name,
        "last_name": child.last_name,
        "birth_date": "2008-11-24",
        "is_active": "on",
        "accesses-TOTAL_FORMS": "0",
        "accesses-INITIAL_FORMS": "0",
    }
    assert 'name="own_account"' in client.get(url).content.decode()
    assert client.post(url, {**data, "own_account": EMAIL}).status_code == 302
    assert [m["to"] for m in mails] == [EMAIL]
    PatientAccessFactory.create(patient=child, relation=Relation.SELF)
    assert 'name="own_account"' not in client.get(url).content.decode()


def test_a_refusal_stands_above_the_form(care):
    Patient.objects.filter(pk=care.patient_id).update(birth_date=None)
    client = logged_in(administrator())
    data = {
        "first_name": "T",
        "last_name": "P",
        "is_active": "on",
        "accesses-TOTAL_FORMS": "0",
        "accesses-INITIAL_FORMS": "0",
        "own_account": EMAIL,
    }
    answer = client.post(f"/admin/accounts/patient/{care.patient_id}/change/", data)
    assert answer.status_code == 422
    assert "The record has no birth date." in answer.content.decode()


def test_no_second_owner_by_hand():
    owned = PatientAccessFactory.create()
    for second in (
        PatientAccess(user=UserFactory.create(), patient=owned.patient, relation=Relation.SELF),
        PatientAccess(
            user=owned.user,
            patient=PatientAccessFactory.create(relation="child").patient,
            relation=Relation.SELF,
        ),
    ):
        with pytest.raises(ValidationError):
            second.full_clean()
    owned.full_clean()


# --- the care ends


def test_the_grown_child_ends_what_the_mother_sees(offer, care):
    young = UserFactory.create(email=EMAIL)
    handover.accept_offer(offer=offer, user=young)
    client = logged_in(young)
    url = f"/mis-datos/accesos/{care.pk}/quitar/"
    assert "Who else looks after your record" in words(client.get("/mis-datos/"))
    assert client.get(url).status_code == 200
    response = client.post(url, follow=True)
    assert f"{care.user.get_full_name()} no longer sees your record." in words(response)
    assert Patient.objects.of(care.user).filter(pk=care.patient_id).count() == 0
    assert "Who else" not in words(client.get("/mis-datos/"))
    assert client.post(url).status_code == 404
    assert logged_in(care.user).get(f"/familia/{care.patient.public_id}/").status_code == 404


def test_who_cares_does_not_change_the_age_of_somebody_with_an_account(offer, care):
    handover.accept_offer(offer=offer, user=UserFactory.create(email=EMAIL))
    client, url = logged_in(care.user), f"/familia/{care.patient.public_id}/"
    assert client.get(url).content.decode().count("disabled") >= 3
    younger = {
        "relation": "child",
        "first_name": "Tomi",
        "last_name": "Pajaroff",
        "birth_date_day": "1",
        "birth_date_month": "1",
        "birth_date_year": "2020",
    }
    assert client.post(url, younger).status_code == 302
    patient = Patient.objects.get(pk=care.patient_id)
    assert (patient.first_name, patient.birth_date) == ("Tomi", BORN)
    details = services.Details("Tomi", "Pajaroff", dt.date(2020, 1, 1))
    services.update_patient(patient=patient, details=details, by=Actor.patient(care.user))
    assert Patient.objects.get(pk=care.patient_id).birth_date == BORN


def test_a_child_with_an_account_does_not_shut_the_parents_out(offer, care, time_machine):
    young = UserFactory.create(email=EMAIL)
    handover.accept_offer(offer=offer, user=young)
    time_machine.move_to(NOW - dt.timedelta(days=1), tick=False)
    assert logged_in(young).post(f"/mis-datos/accesos/{care.pk}/quitar/").status_code == 404
    with pytest.raises(NotAllowed):
        services.end_access(access=care, by=Actor.patient(young))
    care.refresh_from_db()
    assert care.ended_at is None


def test_strangers_end_nothing(care):
    url = f"/mis-datos/accesos/{care.pk}/quitar/"
    for user in (patient_user(), ReceptionistFactory.create().user, care.user):
        assert logged_in(user).post(url).status_code == 404
    assert new_visitor().post(url)["Location"].startswith("/cuenta/ingresar/?next=")
    own = care.user.patient_accesses.get(relation=Relation.SELF)
    assert logged_in(care.user).post(f"/mis-datos/accesos/{own.pk}/quitar/").status_code == 404


def test_the_last_one_is_warned_and_the_log_says_so(care):
    client, url = logged_in(care.user), f"/familia/{care.patient.public_id}/quitar/"
    other = PatientAccessFactory.create(patient=care.patient, relation=Relation.OTHER)
    warning = "Nobody else looks after this record online."
    assert warning not in words(client.get(url))
    services.end_access(access=other, by=Actor.patient(other.user))
    assert warning in words(client.get(url))
    client.post(url)
    lines = AuditEvent.objects.filter(action="access.end").order_by("pk")
    assert [line.details["left"] for line in lines] == [1, 0]
    assert Patient.objects.get(pk=care.patient_id).is_active


def test_the_family_page_asks_as_often_for_a_large_family(mother, django_assert_max_num_queries):
    client = logged_in(mother)

    def one_more(n: int) -> None:
        PatientAccessFactory.create(user=mother, relation="child", patient__birth_date=BORN)

    one_more(0)
    client.get("/familia/")
    with django_assert_max_num_queries(20) as one:
        client.get("/familia/")
    for n in range(30):
        one_more(n)
    with django_assert_max_num_queries(20) as many:
        client.get("/familia/")
    assert len(many) == len(one)
