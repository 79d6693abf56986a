"""People in the administration: who is invited, who is found, who cannot be removed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import Practitioner, Receptionist, User
from accounts.signals import account_mail
from accounts.tests.factories import (
    PatientFactory,
    PractitionerFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from clinic.models import AuditEvent
from clinic.tests.factories import LocationFactory, SpecialtyFactory

pytestmark = pytest.mark.django_db
USERS = "/admin/accounts/user/"
PRACTITIONERS = "/admin/accounts/practitioner/"
RECEPTION = "/admin/accounts/receptionist/"


@pytest.fixture
def boss() -> User:
    return administrator()


@pytest.fixture
def client(client: Client, boss: User) -> Client:
    client.force_login(boss)
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def mails() -> Any:
    """The addresses to which mails about accounts are owed."""
    sent: list[str] = []

    def note(to: str, **kwargs: Any) -> None:
        sent.append(to)

    account_mail.connect(note)
    yield sent
    account_mail.disconnect(note)


def change(row: Any) -> str:
    return reverse(f"admin:accounts_{row._meta.model_name}_change", args=[row.pk])


def inline(prefix: str) -> dict[str, Any]:
    return {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}


def new_practitioner(**other: Any) -> dict[str, Any]:
    return {
        "first_name": "Inés",
        "last_name": "Barreiro",
        "slug": "ines-barreiro",
        "licence_number": "MP 77",
        "specialties": [SpecialtyFactory.create().pk],
        "is_active": "on",
        **inline("schedules"),
    } | other


# --- invitations


def test_a_practitioner_with_an_address_is_invited(client: Client, mails: list[str]) -> None:
    data = new_practitioner(invite="ines@example.org")
    assert client.post(f"{PRACTITIONERS}add/", data).status_code == 302
    practitioner = Practitioner.objects.get()
    assert practitioner.user is not None
    assert practitioner.user.email == "ines@example.org"
    assert not practitioner.user.has_usable_password()
    assert mails == ["ines@example.org"]


def test_a_practitioner_without_one_is_not(client: Client, mails: list[str]) -> None:
    assert client.post(f"{PRACTITIONERS}add/", new_practitioner()).status_code == 302
    assert Practitioner.objects.get().user is None
    assert mails == []


def test_a_refused_invitation_is_an_error_of_the_form(client: Client, mails: list[str]) -> None:
    taken = PractitionerFactory.create()
    data = new_practitioner(invite=taken.user.email)
    response = client.post(f"{PRACTITIONERS}add/", data)
    assert response.status_code == 422
    assert "belongs to another account" in response.content.decode()
    assert list(Practitioner.objects.all()) == [taken]
    assert mails == []


def test_an_account_or_an_address(client: Client) -> None:
    data = new_practitioner(invite="ines@example.org", user=UserFactory.create().pk)
    response = client.post(f"{PRACTITIONERS}add/", data)
    assert response.status_code == 422
    assert not Practitioner.objects.exists()


def test_the_invitation_is_sent_again(client: Client, mails: list[str]) -> None:
    client.post(f"{PRACTITIONERS}add/", new_practitioner(invite="ines@example.org"), follow=True)
    alone = PractitionerFactory.create(user=None)
    rows = list(Practitioner.objects.values_list("pk", flat=True))
    data = {"action": "send_invitation", "_selected_action": rows}
    response = client.post(PRACTITIONERS, data, follow=True)
    assert mails == ["ines@example.org"] * 2
    assert sorted(str(message) for message in response.context["messages"]) == [
        f"{alone} has no account: write an e-mail on their page.",
        "Invitation on its way to ines@example.org.",
    ]


def test_reception_is_invited(client: Client, boss: User, mails: list[str]) -> None:
    place = LocationFactory.create()
    data = {"email": "desk@example.org", "name": "Rita", "locations": [place.pk]}
    assert client.post(f"{RECEPTION}add/", data).status_code == 302
    receptionist = Receptionist.objects.get()
    assert (receptionist.user.email, receptionist.user.name) == ("desk@example.org", "Rita")
    assert list(receptionist.locations.all()) == [place]
    assert mails == ["desk@example.org"]
    lines = AuditEvent.objects.filter(actor=boss.email)
    assert set(lines.values_list("action", flat=True)) == {
        "receptionist.invite",
        "receptionist.add",
    }


def test_reception_changes_its_places(client: Client) -> None:
    receptionist = ReceptionistFactory.create(locations=[LocationFactory.create()])
    place = LocationFactory.create()
    data = {"locations": [place.pk], "is_active": "on", "user": "1"}
    assert client.post(change(receptionist), data).status_code == 302
    user = receptionist.user
    receptionist.refresh_from_db()
    assert list(receptionist.locations.all()) == [place]
    assert receptionist.user == user


# --- accounts


def test_a_new_account_has_no_password(client: Client) -> None:
    data = {"email": "New@Example.org", "language": "es", "is_active": "on"}
    data |= {"is_staff": "on", "is_superuser": "on", "password": "x"}
    assert client.post(f"{USERS}add/", data | inline("patient_accesses")).status_code == 302
    user = User.objects.get(email="new@example.org")
    assert user.is_staff
    assert not user.is_superuser
    assert not user.has_usable_password()


def test_an_address_that_was_verified_stays(client: Client) -> None:
    user = UserFactory.create(email="a@example.org")
    data = {"email": "b@example.org", "language": "en", "is_active": "on"}
    assert client.post(change(user), data | inline("patient_accesses")).status_code == 302
    user.refresh_from_db()
    assert (user.email, user.language) == ("a@example.org", "en")


@pytest.mark.parametrize("kept", ["is_staff", "is_active"])
def test_nobody_locks_themself_out(client: Client, boss: User, kept: str) -> None:
    data = {"language": "es", kept: "on"} | inline("patient_accesses")
    response = client.post(change(boss), data)
    assert response.status_code == 422
    assert "You cannot close the administration to yourself" in response.content.decode()
    assert User.objects.filter(pk=boss.pk, is_staff=True, is_active=True).exists()


def test_roles_are_shown_in_words(client: Client) -> None:
    doctor = PractitionerFactory.create().user
    patient = patient_user()
    rows = {row.pk: row for row in client.get(USERS).context["cl"].result_list}
    model_admin = client.get(USERS).context["cl"].model_admin
    with translation.override("en"):
        assert model_admin.roles_in_words(rows[doctor.pk]) == "practitioner"
        assert model_admin.roles_in_words(rows[patient.pk]) == "patient"


@pytest.mark.parametrize("query", ["rodriguez", "RODRÍGUEZ", "jose rodriguez"])
def test_accounts_are_found_by_the_names_behind_them(client: Client, query: str) -> None:
    patient = patient_user(first_name="José", last_name="Rodríguez")
    staff = UserFactory.create(name="José Rodríguez", is_staff=True)
    UserFactory.create(name="Somebody")
    found = client.get(USERS, {"q": query}).context["cl"].result_list
    assert set(found) == {patient, staff}


@pytest.mark.parametrize("rows", [1, 30])
@pytest.mark.parametrize("name", ["user", "practitioner", "patient", "receptionist"])
def test_lists_ask_a_constant_number_of_questions(
    client: Client, django_assert_max_num_queries: Any, name: str, rows: int
) -> None:
    for _n in range(rows):
        PractitionerFactory.create(specialties=[SpecialtyFactory.create()])
        ReceptionistFactory.create(locations=[LocationFactory.create()])
        patient_user()
    client.get(f"/admin/accounts/{name}/")
    with django_assert_max_num_queries(13):
        assert client.get(f"/admin/accounts/{name}/").context["cl"].result_count >= rows


@pytest.mark.parametrize("factory", [PatientFactory, PractitionerFactory, ReceptionistFactory])
def test_people_are_never_removed(client: Client, factory: Any) -> None:
    row = factory.create()
    delete = reverse(f"admin:accounts_{row._meta.model_name}_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert client.post(delete.replace("/delete", "/change"), {"_delete": "1"}).status_code == 422
    assert type(row).objects.filter(pk=row.pk).exists()
