"""Forgotten, changed and moved: passwords and the address of the account."""

import datetime as dt

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.tests.conftest import code_in, link_in, new_visitor, words
from accounts.tests.factories import PASSWORD, UserFactory, patient_user, verified
from clinic.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LOGIN = "/cuenta/ingresar/"
RESET = "/cuenta/clave/olvidada/"
CHANGE = "/cuenta/clave/"
EMAIL = "/cuenta/correo/"
CODE = "/cuenta/codigo/"
NEW = "una frase que recuerdo"


@pytest.fixture
def ana() -> User:
    return verified(patient_user())


def logged_in(user: User):
    client = new_visitor()
    client.force_login(user)
    return client


def last_action() -> str:
    return str(AuditEvent.objects.latest("pk").action)


# --- forgotten ----------------------------------------------------------------


def test_known_and_unknown_addresses_get_the_same_answer(ana, mails):
    pages = [
        new_visitor().post(RESET, {"email": address}, follow=True)
        for address in (ana.email, "nobody@example.org")
    ]
    assert words(pages[0]) == words(pages[1])
    assert [page.redirect_chain for page in pages] == [[(f"{RESET}enviada/", 302)]] * 2
    assert [mail["to"] for mail in mails] == [ana.email, "nobody@example.org"]
    assert "/cuenta/clave/nueva/" in mails[0]["text"]
    assert "/cuenta/clave/nueva/" not in mails[1]["text"]


def test_a_closed_account_gets_no_link(ana, mails):
    ana.is_active = False
    ana.save()
    new_visitor().post(RESET, {"email": ana.email})
    assert "/cuenta/clave/nueva/" not in mails[0]["text"]


def test_a_new_password_with_the_link(ana, mails, visitor, settings):
    elsewhere = logged_in(ana)
    visitor.post(RESET, {"email": ana.email.upper()})
    path = link_in(mails[0], "clave/nueva").removeprefix(settings.BASE_URL)
    page = visitor.get(path, follow=True)
    # The key leaves the address bar before anything is shown.
    form = page.redirect_chain[-1][0]
    assert "set-password" in form
    assert User.objects.get().check_password(PASSWORD)
    response = visitor.post(form, {"password1": NEW})
    assert (response.status_code, response.url) == (302, LOGIN)
    assert last_action() == "account.reset_password"
    assert elsewhere.get("/familia/").status_code == 302
    assert (mails[1]["to"], RESET in mails[1]["text"]) == (ana.email, True)
    assert visitor.post(LOGIN, {"login": ana.email, "password": NEW}).url == "/inicio/"
    used = new_visitor().get(path)
    assert used.status_code == 404
    assert "This link is no longer good" in words(used)


def test_a_weak_new_password_is_explained(ana, mails, visitor, settings):
    visitor.post(RESET, {"email": ana.email})
    path = link_in(mails[0], "clave/nueva").removeprefix(settings.BASE_URL)
    form = visitor.get(path).url
    response = visitor.post(form, {"password1": "corta"})
    assert response.status_code == 422
    assert "too short" in words(response)
    assert User.objects.get().check_password(PASSWORD)


def test_the_link_has_an_end(ana, mails, visitor, settings):
    visitor.post(RESET, {"email": ana.email})
    path = link_in(mails[0], "clave/nueva").removeprefix(settings.BASE_URL)
    with time_machine.travel(timezone.now() + dt.timedelta(days=3, minutes=1)):
        assert visitor.get(path).status_code == 404


@pytest.mark.parametrize("key", ["1-x", "zzzzzzzzzzzzz-x", "1-set-password", "0-" + "a" * 120])
def test_invented_links(visitor, key):
    path = f"/cuenta/clave/nueva/{key}/"
    assert visitor.get(path).status_code == 404
    assert visitor.post(path, {"password1": NEW}).status_code == 404


def test_a_new_password_ends_the_wait_after_wrong_ones(ana, mails, visitor, settings):
    for _ in range(6):
        new_visitor().post(LOGIN, {"login": ana.email, "password": "wrong"})
    visitor.post(RESET, {"email": ana.email})
    form = visitor.get(link_in(mails[0], "clave/nueva").removeprefix(settings.BASE_URL)).url
    visitor.post(form, {"password1": NEW})
    assert visitor.post(LOGIN, {"login": ana.email, "password": NEW}).status_code == 302


def test_links_cannot_be_asked_for_without_end(ana, mails):
    answers = [new_visitor().post(RESET, {"email": ana.email}).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]
    assert len(mails) == 5


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "testserver"])
def test_a_forged_host_never_reaches_a_mail(ana, mails, settings, host):
    settings.BASE_URL = "https://turnos.example.com"
    client = new_visitor()
    client.post(RESET, {"email": ana.email}, headers={"host": host})
    client.post(RESET, {"email": "nobody@example.org"}, headers={"host": host})
    client.post(
        "/cuenta/crear/",
        {
            "first_name": "A",
            "last_name": "B",
            "birth_date_day": "1",
            "birth_date_month": "1",
            "birth_date_year": "1980",
            "phone": "11 4321-5678",
            "email": ana.email,
            "password1": NEW,
        },
        headers={"host": host},
    )
    assert len(mails) == 3
    for mail in mails:
        for part in (mail["text"], mail["html"]):
            assert "https://turnos.example.com/cuenta/" in part
            assert host not in part


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a@localhost"])
def test_a_host_that_is_not_ours_gets_nothing(ana, mails, host):
    assert (
        new_visitor().post(RESET, {"email": ana.email}, headers={"host": host}).status_code == 400
    )
    assert mails == []


# --- changed ------------------------------------------------------------------


def test_a_changed_password_logs_out_everywhere(ana, mails):
    here, elsewhere = logged_in(ana), logged_in(ana)
    response = here.post(CHANGE, {"oldpassword": PASSWORD, "password1": NEW}, follow=True)
    assert response.redirect_chain == [(LOGIN, 302)]
    assert "Your password is changed. Log in with the new one." in words(response)
    assert here.get("/familia/").status_code == 302
    assert elsewhere.get("/familia/").status_code == 302
    assert User.objects.get().check_password(NEW)
    assert last_action() == "account.change_password"
    (mail,) = mails
    assert mail["to"] == ana.email
    assert RESET in mail["text"]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"oldpassword": "wrong", "password1": NEW}, "This is not your current password."),
        ({"oldpassword": PASSWORD, "password1": "corta"}, "too short"),
        ({}, "Write your password."),
    ],
)
def test_a_password_that_stays(ana, answers, sentence):
    response = logged_in(ana).post(CHANGE, answers)
    assert response.status_code == 422
    assert sentence in words(response)
    assert User.objects.get().check_password(PASSWORD)


def test_tries_at_the_current_password_are_counted(ana):
    client = logged_in(ana)
    answers = {"oldpassword": "wrong", "password1": NEW}
    assert [client.post(CHANGE, answers).status_code for _ in range(6)] == [422] * 5 + [429]


def test_without_a_password_there_is_nothing_to_change(ana):
    ana.set_unusable_password()
    ana.save()
    assert logged_in(ana).get(CHANGE).url == RESET


@pytest.mark.parametrize("path", [CHANGE, EMAIL])
def test_both_need_a_login(path):
    assert new_visitor().get(path).url == f"{LOGIN}?next={path}"
    assert new_visitor().post(path).status_code == 302


# --- moved to another address ---------------------------------------------------


def test_a_new_address_needs_password_and_code(ana, mails):
    old = ana.email
    client = logged_in(ana)
    response = client.post(EMAIL, {"email": "New@Example.org", "password": PASSWORD})
    assert (response.status_code, response.url) == (302, CODE)
    assert (mails[0]["to"], User.objects.get().email) == ("new@example.org", old)
    assert client.post(CODE, {"code": "1"}).status_code == 422
    assert client.post(CODE, {"code": code_in(mails[0])}).status_code == 302
    assert User.objects.get().email == "new@example.org"
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [
        ("new@example.org", True, True)
    ]
    assert mails[1]["to"] == old
    assert "new@example.org" not in mails[1]["text"]
    assert last_action() == "account.change_email"
    assert client.get("/familia/").status_code == 200


def test_an_open_session_alone_moves_nothing(ana, mails):
    client = logged_in(ana)
    response = client.post(EMAIL, {"email": "new@example.org", "password": "wrong"})
    assert response.status_code == 422
    assert "This is not your current password." in words(response)
    assert mails == []


def test_the_same_address_is_said(ana):
    response = logged_in(ana).post(EMAIL, {"email": ana.email, "password": PASSWORD})
    assert response.status_code == 422
    assert "This is the e-mail of your account already." in words(response)


def test_an_address_of_somebody_else_looks_like_any_other(ana, mails):
    other = verified(UserFactory.create())
    client = logged_in(ana)
    response = client.post(EMAIL, {"email": other.email, "password": PASSWORD})
    assert (response.status_code, response.url) == (302, CODE)
    # Only the owner of the mailbox ever reads this code; and it still moves nothing.
    response = client.post(CODE, {"code": code_in(mails[0])})
    assert response.status_code == 422
    assert "This e-mail cannot be used. Write a different one." in words(response)
    assert User.objects.get(pk=ana.pk).email == ana.email


def test_two_accounts_that_take_one_address_at_once(ana, mails, monkeypatch):
    client = logged_in(ana)
    client.post(EMAIL, {"email": "new@example.org", "password": PASSWORD})

    def too_late(self, conditional=False):
        raise IntegrityError("somebody was first")

    monkeypatch.setattr(EmailAddress, "set_as_primary", too_late)
    response = client.post(CODE, {"code": code_in(mails[0])}, follow=True)
    assert "This e-mail cannot be used. Write a different one." in words(response)
    assert User.objects.get().email == ana.email


def test_too_many_wrong_codes_leave_the_address(ana, mails):
    client = logged_in(ana)
    client.post(EMAIL, {"email": "new@example.org", "password": PASSWORD})
    answers = [client.post(CODE, {"code": "1"}) for _ in range(5)]
    assert [a.status_code for a in answers] == [422] * 4 + [302]
    assert "Your e-mail stays as it was." in words(client.get(answers[-1].url))
    assert client.get("/familia/").status_code == 200
    assert User.objects.get().email == ana.email


@pytest.mark.parametrize("action", ["action_remove", "action_primary", "action_send"])
def test_there_is_no_list_of_addresses_to_work_on(ana, mails, action):
    EmailAddress.objects.create(user=ana, email="second@example.org")
    response = logged_in(ana).post(EMAIL, {"email": "second@example.org", action: ""})
    assert response.status_code == 422
    assert EmailAddress.objects.count() == 2
    assert mails == []


def test_the_page_has_nothing_inline(ana):
    html = logged_in(ana).get(EMAIL).content.decode()
    assert "<script" not in html
    assert " style=" not in html
    assert reverse("account_email") in html


def test_codes_for_addresses_are_counted_by_the_hour(ana, mails):
    """Ten mails an hour to one address, whoever asks and how patiently."""
    start = timezone.now()
    answers = []
    for n in range(11):
        with time_machine.travel(start + dt.timedelta(seconds=61 * n)):
            client = logged_in(ana)
            response = client.post(EMAIL, {"email": "new@example.org", "password": PASSWORD})
            answers.append(response.status_code)
    assert answers == [302] * 10 + [429]
    cache.clear()
