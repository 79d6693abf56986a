"""From the administrator's button to the practitioner's first login."""

import datetime as dt

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from accounts import invitations, services
from accounts.exceptions import AccountClosed, AddressTaken, AlreadyJoined, NotAllowed
from accounts.models import Receptionist, User
from accounts.roles import Actor, Role
from accounts.tests.conftest import link_in, words
from accounts.tests.factories import (
    PASSWORD,
    PractitionerFactory,
    UserFactory,
    administrator,
    patient_user,
    verified,
)
from clinic.models import AuditEvent
from clinic.tests.factories import LocationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.once]

EMAIL = "lucia@example.org"
NEW_PASSWORD = "una frase que recuerdo"


@pytest.fixture
def lucia():
    return PractitionerFactory.create(user=None, first_name="Lucía", last_name="Ferreyra")


def invite(practitioner, email=EMAIL, by=None):
    return services.invite_practitioner(
        practitioner=practitioner, email=email, by=by or Actor.system()
    )


def test_an_invitation_makes_the_account_and_one_mail(lucia, mails):
    admin = administrator()
    user = invite(lucia, " Lucia@Example.org", by=Actor.administrator(admin))
    lucia.refresh_from_db()
    assert lucia.user == user
    assert (user.email, user.name) == (EMAIL, "Lucía Ferreyra")
    assert not user.has_usable_password()
    assert user.roles == {Role.PRACTITIONER}
    (mail,) = mails
    assert (mail["to"], mail["language"], mail["user"]) == (EMAIL, "es", user)
    assert mail["lives_for"] == invitations.VALID_FOR
    line = AuditEvent.objects.get()
    assert (line.actor, line.action) == (admin.email, "practitioner.invite")


@pytest.mark.parametrize("role", [Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION])
def test_only_administrators_invite(lucia, mails, role):
    with pytest.raises(NotAllowed):
        invite(lucia, by=Actor(UserFactory.create(), role))
    with pytest.raises(NotAllowed):
        services.invite_receptionist(
            email=EMAIL, name="Eva", locations=[], by=Actor(UserFactory.create(), role)
        )
    assert not User.objects.filter(email=EMAIL).exists()
    assert mails == []


def test_twice_is_one_account_and_both_links_work(lucia, mails):
    assert invite(lucia) == invite(lucia)
    assert User.objects.count() == 1
    assert len(mails) == 2
    for mail in mails:
        token = link_in(mail, "invitacion").rstrip("/").rpartition("/")[2]
        assert invitations.read_token(token) == User.objects.get()


def test_a_mistyped_address_can_be_corrected_and_its_link_dies(lucia, mails):
    invite(lucia, "luica@example.org")
    user = invite(lucia)
    assert User.objects.get() == user
    assert user.email == EMAIL
    wrong, right = (link_in(m, "invitacion").rstrip("/").rpartition("/")[2] for m in mails)
    assert invitations.read_token(wrong) is None
    assert invitations.read_token(right) == user


def test_whoever_has_been_inside_is_not_invited_again(lucia, mails):
    user = invite(lucia)
    user.last_login = timezone.now()
    user.save()
    with pytest.raises(AlreadyJoined):
        invite(lucia)
    assert len(mails) == 1


def test_an_address_of_another_account_is_refused_for_a_linked_one(lucia, mails):
    invite(lucia)
    other = patient_user()
    with pytest.raises(AddressTaken):
        invite(lucia, other.email)


def test_an_address_of_another_practitioner_is_refused(lucia, mails):
    other = PractitionerFactory.create()
    with pytest.raises(AddressTaken):
        invite(lucia, other.user.email)
    assert mails == []


def test_a_closed_account_is_refused(lucia):
    UserFactory.create(email=EMAIL, is_active=False)
    with pytest.raises(AccountClosed):
        invite(lucia)


def test_a_patient_who_starts_to_work_here_keeps_the_password(lucia, mails):
    user = verified(patient_user())
    user.last_login = timezone.now()
    user.save()
    invited = invite(lucia, user.email)
    assert invited == user
    assert invited.check_password(PASSWORD)
    assert User.objects.get().roles == {Role.PATIENT, Role.PRACTITIONER}
    assert "/cuenta/ingresar/" in mails[0]["text"]
    assert "invitacion" not in mails[0]["text"]


def test_the_password_of_a_sign_up_nobody_verified_does_not_open_the_agenda(lucia, mails):
    """Somebody signs up with the doctor's address, waits, and knows the password."""
    UserFactory.create(email=EMAIL)
    user = invite(lucia)
    assert not User.objects.get(pk=user.pk).has_usable_password()
    assert "invitacion" in mails[0]["text"]


def test_a_receptionist_is_invited_for_locations(mails):
    one, two = LocationFactory.create_batch(2)
    by = Actor.system()
    services.invite_receptionist(email=EMAIL, name="Eva Paz", locations=[one], by=by)
    services.invite_receptionist(email=EMAIL, name="Eva Paz", locations=[two], by=by)
    receptionist = Receptionist.objects.get()
    assert list(receptionist.locations.all()) == [two]
    assert receptionist.user.roles == {Role.RECEPTION}
    assert len(mails) == 2


# --- the link -----------------------------------------------------------------


def path_of(user):
    return reverse("accounts:invitation", args=[invitations.make_token(user)])


def test_the_way_in(lucia, mails, visitor, settings):
    user = invite(lucia)
    path = link_in(mails[0], "invitacion").removeprefix(settings.BASE_URL)
    assert EMAIL in words(visitor.get(path))
    assert not User.objects.get().has_usable_password()
    response = visitor.post(path, {"password1": NEW_PASSWORD})
    assert (response.status_code, response.url) == (302, reverse("account_login"))
    assert EmailAddress.objects.get(user=user).verified
    assert AuditEvent.objects.latest("pk").action == "account.accept_invitation"
    response = visitor.post(reverse("account_login"), {"login": EMAIL, "password": NEW_PASSWORD})
    assert (response.status_code, response.url) == (302, "/inicio/")
    assert visitor.get(path).status_code == 404


def test_a_weak_password_is_explained(lucia, visitor):
    path = path_of(invite(lucia))
    response = visitor.post(path, {"password1": "corta"})
    assert response.status_code == 422
    assert "There is something to correct" in words(response)
    assert not User.objects.get().has_usable_password()


def test_whoever_is_logged_in_here_is_logged_out(lucia, visitor):
    other = patient_user()
    visitor.force_login(other)
    visitor.post(path_of(invite(lucia)), {"password1": NEW_PASSWORD})
    assert "_auth_user_id" not in visitor.session


def used(user):
    token = invitations.make_token(user)
    services.accept_invitation(user=user, password=NEW_PASSWORD)
    return token


def changed(user):
    return invitations.make_token(user)[:-1]


def logged_in_since(user):
    token = invitations.make_token(user)
    user.last_login = timezone.now()
    user.save()
    return token


def closed_since(user):
    token = invitations.make_token(user)
    user.is_active = False
    user.save()
    return token


def nobodys(user):
    return signing.dumps({"user": 10**9, "state": "x"}, salt="accounts.invitations")


def other_kind(user):
    return signing.dumps({"user": user.pk, "state": "x"})


@pytest.mark.parametrize(
    "spoil", [used, changed, logged_in_since, closed_since, nobodys, other_kind, lambda _u: "x"]
)
def test_links_that_let_nobody_in(lucia, visitor, spoil):
    path = reverse("accounts:invitation", args=[spoil(invite(lucia))])
    before = User.objects.get().password
    for response in (visitor.get(path), visitor.post(path, {"password1": "otra frase larga"})):
        assert response.status_code == 404
        assert "This invitation is over" in words(response)
    assert User.objects.get().password == before


def test_the_link_has_an_end(lucia):
    token = invitations.make_token(invite(lucia))
    with time_machine.travel(timezone.now() + invitations.VALID_FOR - dt.timedelta(minutes=1)):
        assert invitations.read_token(token) is not None
    with time_machine.travel(timezone.now() + invitations.VALID_FOR + dt.timedelta(minutes=1)):
        assert invitations.read_token(token) is None


def test_an_invitation_is_accepted_once(lucia):
    user = invite(lucia)
    user.last_login = timezone.now()
    with pytest.raises(AlreadyJoined):
        services.accept_invitation(user=user, password=NEW_PASSWORD)
