"""Own data and family: the owner, the stranger, and those who only work here."""

import uuid

import pytest
from django.utils import timezone

from accounts.models import Patient, Relation, User
from accounts.roles import Role
from accounts.tests.conftest import new_visitor, words
from accounts.tests.factories import (
    PatientAccessFactory,
    PractitionerFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from clinic.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.once]

PROFILE = "/mis-datos/"
RECORD = "/mis-datos/ficha/"
FAMILY = "/familia/"
ADD = "/familia/agregar/"
OWN = {
    "first_name": "Anita",
    "last_name": "Gómez",
    "birth_date_day": "17",
    "birth_date_month": "5",
    "birth_date_year": "1990",
    "document_number": "30.111.222",
    "phone": "11 4321-5678",
    "language": "en",
}
CHILD = {
    "relation": "child",
    "first_name": "Tomás",
    "last_name": "Gómez",
    "birth_date_day": "2",
    "birth_date_month": "4",
    "birth_date_year": "2019",
    "document_number": "",
}


def logged_in(user):
    client = new_visitor()
    client.force_login(user)
    return client


@pytest.fixture
def ana() -> User:
    return patient_user(first_name="Ana", last_name="Gómez", phone="+541143215678")


@pytest.fixture
def tomas(ana):
    """The access of Ana to her son."""
    return PatientAccessFactory.create(
        user=ana,
        relation=Relation.CHILD,
        patient__first_name="Tomás",
        patient__last_name="Gómez",
    )


@pytest.mark.parametrize("path", [PROFILE, RECORD, FAMILY, ADD, f"{FAMILY}{uuid.UUID(int=1)}/"])
def test_everything_here_needs_a_login(path):
    assert new_visitor().get(path).url == f"/cuenta/ingresar/?next={path}"


@pytest.mark.parametrize("path", [PROFILE, FAMILY, ADD])
def test_personal_pages_are_not_kept(ana, path):
    assert "no-store" in logged_in(ana).get(path).headers["Cache-Control"]


# --- own data -----------------------------------------------------------------


def test_own_data_are_shown_and_saved(ana):
    client = logged_in(ana)
    page = client.get(PROFILE).content.decode()
    assert 'value="Ana"' in page
    assert 'value="+54 11 4321-5678"' in page
    response = client.post(PROFILE, OWN, follow=True)
    assert response.redirect_chain == [(PROFILE, 302)]
    assert "Your details are saved." in words(response)
    patient = Patient.objects.get()
    assert (patient.first_name, patient.document_number) == ("Anita", "30.111.222")
    ana.refresh_from_db()
    assert (ana.name, ana.language) == ("Anita Gómez", "en")


def test_saving_without_a_change_writes_nothing(ana):
    client = logged_in(ana)
    client.post(PROFILE, OWN)
    lines = AuditEvent.objects.count()
    client.post(PROFILE, OWN)
    assert AuditEvent.objects.count() == lines


def test_the_pages_follow_the_language_chosen_there(ana):
    client = logged_in(ana)
    response = client.post(PROFILE, OWN | {"language": "es"})
    assert response.cookies["django_language"].value == "es"
    assert User.objects.get().language == "es"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"first_name": ""}, "Write the first name."),
        ({"first_name": "http://evil.example"}, "without a web address."),
        ({"last_name": "WWW.evil.example"}, "without a web address."),
        ({"last_name": "see evil.example/x"}, "without a web address."),
        ({"birth_date_month": "13"}, "There is no such day."),
        ({"birth_date_year": "9999"}, "Write a year between 1900 and 2200."),
        ({"birth_date_day": "9" * 5000}, "Write the date in numbers"),
        ({"phone": "x"}, "Write the number with its area code"),
        ({"language": "de"}, "This option is no longer there."),
    ],
)
def test_own_data_with_an_error_keep_what_was_typed(ana, wrong, sentence):
    response = logged_in(ana).post(PROFILE, OWN | wrong)
    assert response.status_code == 422
    assert sentence in words(response)
    assert "30.111.222" in response.content.decode()
    assert Patient.objects.get().document_number == ""


def test_own_data_give_no_role(ana):
    more = {"is_staff": "on", "roles": "administrator", "user": "1", "id": "1", "is_active": ""}
    logged_in(ana).post(PROFILE, OWN | more)
    assert User.objects.get().roles == {Role.PATIENT}


@pytest.mark.parametrize(
    "make",
    [
        lambda: PractitionerFactory.create(user__name="Lucía Ferreyra").user,
        lambda: ReceptionistFactory.create(user__name="Eva Paz").user,
        administrator,
    ],
)
def test_an_account_that_works_here_has_a_name_and_a_language(make):
    user = make()
    client = logged_in(user)
    page = words(client.get(PROFILE))
    assert "Create my patient record" in page
    assert "Birth date" not in page
    response = client.post(PROFILE, {"name": "Otro Nombre", "language": "en"})
    assert response.status_code == 302
    user.refresh_from_db()
    assert (user.name, user.language) == ("Otro Nombre", "en")
    assert client.post(PROFILE, {"name": "", "language": "en"}).status_code == 422


def test_a_doctor_becomes_a_patient_and_goes_on():
    doctor = PractitionerFactory.create(first_name="Lucía", last_name="Ferreyra").user
    client = logged_in(doctor)
    page = client.get(RECORD, {"next": "/reservar/?offering=1"})
    assert 'value="Lucía"' in page.content.decode()
    assert 'value="/reservar/?offering=1"' in page.content.decode()
    assert client.post(RECORD, OWN | {"phone": ""}).status_code == 422
    assert Patient.objects.count() == 0
    response = client.post(RECORD, OWN | {"next": "/reservar/?offering=1"})
    assert (response.status_code, response.url) == (302, "/reservar/?offering=1")
    assert User.objects.get().roles == {Role.PATIENT, Role.PRACTITIONER}
    assert client.get(RECORD).url == PROFILE
    assert client.post(RECORD, OWN).url == PROFILE
    assert Patient.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Eva María Paz", "Eva María", "Paz"), ("Eva", "Eva", ""), ("", "", "")],
)
def test_a_record_begins_with_the_name_of_the_account(name, first, last):
    form = logged_in(UserFactory.create(name=name)).get(RECORD).context["form"]
    assert (form.initial["first_name"], form.initial["last_name"]) == (first, last)


# --- family -------------------------------------------------------------------


def test_the_list_shows_who_is_in_care(ana, tomas):
    PatientAccessFactory.create(
        user=ana,
        relation=Relation.CHILD,
        patient__first_name="Perdido",
        ended_at=timezone.now(),
    )
    PatientAccessFactory.create(relation=Relation.CHILD, patient__first_name="Ajeno")
    page = words(logged_in(ana).get(FAMILY))
    assert "Tomás Gómez" in page
    assert "Ana Gómez" not in page
    assert "Perdido" not in page
    assert "Ajeno" not in page


def test_an_empty_list_says_what_it_is_for(ana):
    page = words(logged_in(ana).get(FAMILY))
    assert "Nobody here yet" in page
    assert "Add a person" in page


@pytest.mark.parametrize("rows", [1, 30])
def test_the_list_asks_the_same_number_of_questions(ana, rows, django_assert_num_queries):
    PatientAccessFactory.create_batch(rows, user=ana, relation=Relation.OTHER)
    client = logged_in(ana)
    client.get(FAMILY)
    # Session, account, the people, when they are of age; the organization and the roles
    # for the header.
    with django_assert_num_queries(6):
        client.get(FAMILY)


def test_add_a_child(ana):
    client = logged_in(ana)
    assert client.get(ADD).status_code == 200
    response = client.post(ADD, CHILD, follow=True)
    assert response.redirect_chain == [(FAMILY, 302)]
    assert "You can book appointments for Tomás Gómez now." in words(response)
    access = ana.patient_accesses.get(relation=Relation.CHILD)
    assert str(access.patient.birth_date) == "2019-04-02"
    client.post(ADD, CHILD)
    assert Patient.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"relation": ""}, "Choose who this person is."),
        ({"relation": "self"}, "This option is no longer there."),
        ({"last_name": ""}, "Write the last name."),
        ({"birth_date_year": ""}, "The year is missing."),
    ],
)
def test_a_person_with_an_error_keeps_what_was_typed(ana, wrong, sentence):
    response = logged_in(ana).post(ADD, CHILD | wrong)
    assert response.status_code == 422
    assert sentence in words(response)
    assert 'value="Tomás"' in response.content.decode()
    assert Patient.objects.count() == 1


def test_too_many_people_is_a_sentence(ana):
    PatientAccessFactory.create_batch(15, user=ana, relation=Relation.OTHER)
    response = logged_in(ana).post(ADD, CHILD)
    assert response.status_code == 422
    assert "Call us to add another one." in words(response)


def test_change_a_person(ana, tomas):
    client = logged_in(ana)
    path = f"{FAMILY}{tomas.patient.public_id}/"
    assert 'value="Tomás"' in client.get(path).content.decode()
    assert client.post(path, CHILD | {"first_name": ""}).status_code == 422
    response = client.post(path, CHILD | {"first_name": "Tomás Luis", "relation": "other"})
    assert (response.status_code, response.url) == (302, FAMILY)
    tomas.refresh_from_db()
    assert (tomas.patient.first_name, tomas.relation) == ("Tomás Luis", "other")
    ana.refresh_from_db()
    assert "Tomás" not in ana.name


def test_remove_a_person_from_the_list(ana, tomas):
    client = logged_in(ana)
    path = f"{FAMILY}{tomas.patient.public_id}/quitar/"
    assert "Nothing is deleted" in words(client.get(path))
    assert ana.patient_accesses.live().count() == 2
    response = client.post(path)
    assert (response.status_code, response.url) == (302, FAMILY)
    assert ana.patient_accesses.live().count() == 1
    assert Patient.objects.filter(is_active=True).count() == 2
    assert client.get(path).status_code == client.post(path).status_code == 404


def strangers():
    return [patient_user(), PractitionerFactory.create().user, administrator()]


@pytest.mark.parametrize("end", ["", "quitar/"])
def test_a_strangers_child_is_like_one_that_does_not_exist(tomas, end):
    theirs = f"{FAMILY}{tomas.patient.public_id}/{end}"
    nobodys = f"{FAMILY}{uuid.uuid4()}/{end}"
    for user in strangers():
        client = logged_in(user)
        answers = [client.get(theirs), client.post(theirs, CHILD), client.get(nobodys)]
        assert [a.status_code for a in answers] == [404, 404, 404]
        assert words(answers[0]) == words(answers[2])
    tomas.refresh_from_db()
    assert (tomas.patient.first_name, tomas.ended_at) == ("Tomás", None)


@pytest.mark.parametrize("end", ["", "quitar/"])
def test_oneself_is_not_in_ones_own_care(ana, end):
    own = ana.patient_accesses.get().patient
    client = logged_in(ana)
    path = f"{FAMILY}{own.public_id}/{end}"
    assert client.get(path).status_code == client.post(path, CHILD).status_code == 404
    assert ana.patient_accesses.live().count() == 1


# --- the language switch ----------------------------------------------------------


def test_the_switch_is_remembered_by_the_account(ana):
    client = logged_in(ana)
    response = client.post("/idioma/", {"language": "en", "next": "/familia/"})
    assert (response.status_code, response.url) == (302, "/familia/")
    assert response.cookies["django_language"].value == "en"
    assert User.objects.get().language == "en"


def test_the_switch_works_without_an_account():
    response = new_visitor("es").post("/idioma/", {"language": "en", "next": "/"})
    assert response.cookies["django_language"].value == "en"


@pytest.mark.parametrize("language", ["de", "", "x" * 9000, "es\x00"])
def test_a_language_we_do_not_speak_changes_nothing(ana, language):
    client = logged_in(ana)
    assert client.post("/idioma/", {"language": language}).status_code == 302
    assert User.objects.get().language == "es"
