"""Logging in and out: one sentence for every failure, counted tries, fresh sessions."""

import pytest
from django.core.cache import cache
from django.urls import get_resolver, reverse

from accounts.models import User
from accounts.tests.conftest import new_visitor, words
from accounts.tests.factories import (
    PASSWORD,
    PractitionerFactory,
    UserFactory,
    administrator,
    patient_user,
    verified,
)
from clinic.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LOGIN = "/cuenta/ingresar/"
MISMATCH = "The e-mail and the password do not match. Check both and try again."
TOO_MANY = "Too many tries. Wait a few minutes and try again."


@pytest.fixture
def ana() -> User:
    return verified(patient_user())


def log_in(client, email, password=PASSWORD, **more):
    return client.post(LOGIN, {"login": email, "password": password, **more})


@pytest.mark.parametrize("write", [str, str.upper, lambda text: f"  {text} "])
def test_by_e_mail_in_any_case(visitor, ana, write):
    response = log_in(visitor, write(ana.email))
    assert (response.status_code, response.url) == (302, "/inicio/")
    assert visitor.session["_auth_user_id"] == str(ana.pk)


def test_a_login_is_written_down_and_a_failed_one_is_none(visitor, ana):
    log_in(visitor, ana.email, "wrong")
    assert AuditEvent.objects.count() == 0
    log_in(visitor, ana.email)
    line = AuditEvent.objects.get()
    assert (line.actor, line.action) == (ana.email, "account.log_in")
    assert (line.target, line.details) == (f"accounts.user:{ana.pk}", {})


def test_on_to_where_one_was_going(visitor, ana):
    page = visitor.get("/familia/")
    assert page.url == f"{LOGIN}?next=/familia/"
    assert 'name="next" value="/familia/"' in visitor.get(page.url).content.decode()
    assert log_in(visitor, ana.email, next="/familia/").url == "/familia/"


def test_every_failure_is_the_same_sentence(ana):
    never = UserFactory.create()
    never.set_unusable_password()
    never.save()
    pages = [
        log_in(new_visitor(), email, password)
        for email, password in [
            (ana.email, "wrong"),
            ("nobody@example.org", PASSWORD),
            (never.email, PASSWORD),
            (never.email, never.password),
        ]
    ]
    assert [page.status_code for page in pages] == [422] * 4
    assert all(MISMATCH in words(page) for page in pages)


def test_a_password_is_not_shown_again(visitor, ana):
    assert "wrong-secret" not in log_in(visitor, ana.email, "wrong-secret").content.decode()


@pytest.mark.parametrize(
    ("email", "password"), [("", ""), ("x", ""), ("ana\x00@example.org", "\x00"), ("a" * 300, "x")]
)
def test_nonsense_is_a_422(visitor, email, password):
    assert log_in(visitor, email, password).status_code == 422


def test_the_sixth_try_is_refused_even_when_right(ana):
    """From other browsers, in capitals and under another Host: the count is the address's."""
    hosts = ["testserver", "localhost", "127.0.0.1"]
    for n in range(5):
        client = new_visitor()
        client.defaults["HTTP_HOST"] = hosts[n % 3]
        email = ana.email.upper() if n % 2 else ana.email
        assert MISMATCH in words(log_in(client, email, "wrong"))
    response = log_in(new_visitor(), ana.email)
    assert response.status_code == 422
    assert TOO_MANY in words(response)
    cache.clear()
    assert log_in(new_visitor(), ana.email).status_code == 302


def test_a_right_login_does_not_reset_the_count_of_wrong_ones(ana):
    for _ in range(4):
        log_in(new_visitor(), ana.email, "wrong")
    assert log_in(new_visitor(), ana.email).status_code == 302
    log_in(new_visitor(), ana.email, "wrong")
    assert TOO_MANY in words(log_in(new_visitor(), ana.email))


def test_many_addresses_from_one_place_are_counted_too():
    for n in range(10):
        log_in(new_visitor(), f"guess{n}@example.org", "wrong")
    assert TOO_MANY in words(log_in(new_visitor(), "guess99@example.org", "wrong"))


def test_a_session_from_before_the_login_is_worth_nothing_after_it(visitor, ana):
    visitor.get(LOGIN)
    session = visitor.session
    session["planted"] = True
    session.save()
    visitor.cookies["sessionid"] = session.session_key
    log_in(visitor, ana.email)
    assert visitor.session.session_key != session.session_key


def test_one_person_after_another_in_one_browser_share_nothing(visitor, ana):
    visitor.force_login(ana)
    session = visitor.session
    session["booking_draft"] = "private"
    session.save()
    visitor.post("/cuenta/salir/")
    assert "booking_draft" not in visitor.session


def test_logging_out_needs_the_button(visitor, ana):
    visitor.force_login(ana)
    page = visitor.get("/cuenta/salir/")
    assert (page.status_code, ana.email in words(page)) == (200, True)
    assert "_auth_user_id" in visitor.session
    response = visitor.post("/cuenta/salir/")
    assert (response.status_code, response.url) == (302, "/")
    assert "_auth_user_id" not in visitor.session


def test_a_form_without_its_token_is_refused(ana):
    client = new_visitor()
    client.handler.enforce_csrf_checks = True
    assert log_in(client, ana.email).status_code == 403


@pytest.mark.parametrize("browsers", ["es", "en", ""])
@pytest.mark.parametrize("language", ["es", "en"])
def test_pages_and_mails_speak_the_language_of_the_account(ana, language, browsers):
    """Whatever the browser spoke: at a desk it was perhaps somebody else who chose that."""
    User.objects.update(language=language)
    client = new_visitor(browsers)
    if not browsers:
        del client.cookies["django_language"]
    assert log_in(client, ana.email).status_code == 302
    assert f'<html lang="{language}">' in client.get("/turnos/").content.decode()
    ana.refresh_from_db()
    assert ana.language == language


@pytest.mark.parametrize(("language", "other"), [("es", "en"), ("en", "es")])
def test_the_switch_changes_the_language_of_pages_and_mails(ana, language, other):
    User.objects.update(language=language)
    client = new_visitor(language)
    log_in(client, ana.email)
    client.post("/idioma/", {"language": other, "next": "/turnos/"})
    assert f'<html lang="{other}">' in client.get("/turnos/").content.decode()
    ana.refresh_from_db()
    assert ana.language == other
    # It stays so, also in a browser that speaks the one of before.
    elsewhere = new_visitor(language)
    log_in(elsewhere, ana.email)
    assert f'<html lang="{other}">' in elsewhere.get("/turnos/").content.decode()


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_nothing_inline_on_the_way_in(visitor, name):
    html = visitor.get(reverse(name)).content.decode()
    assert " style=" not in html
    assert "<style" not in html
    assert "<script" not in html
    assert " onclick" not in html


# --- the same door for the administration ----------------------------------------


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/"])
def test_the_administration_asks_at_the_clinics_door(visitor, path):
    response = visitor.get(path)
    assert (response.status_code, response.url) == (302, f"{LOGIN}?next={path}")


def test_an_administrator_comes_in_there(visitor):
    admin = verified(administrator())
    response = log_in(visitor, admin.email, next="/admin/")
    assert response.url == "/admin/"
    assert visitor.get("/admin/").status_code == 200


def test_the_admins_own_login_takes_no_password(visitor):
    admin = verified(administrator())
    response = visitor.post("/admin/login/", {"username": admin.email, "password": PASSWORD})
    assert response.status_code == 302
    assert response.url.startswith(LOGIN)
    assert "_auth_user_id" not in visitor.session


def test_tries_at_the_administration_are_counted(ana):
    admin = verified(administrator())
    for _ in range(5):
        log_in(new_visitor(), admin.email, "wrong", next="/admin/")
    response = log_in(new_visitor(), admin.email, next="/admin/")
    assert response.status_code == 422
    assert TOO_MANY in words(response)


@pytest.mark.parametrize("make", [patient_user, lambda: PractitionerFactory.create().user])
@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/admin/accounts/user/"])
def test_nobody_else_gets_in(visitor, make, path):
    visitor.force_login(make())
    assert visitor.get(path).status_code == 403


def test_a_closed_administrator_is_out_at_once(visitor):
    admin = verified(administrator())
    visitor.force_login(admin)
    admin.is_active = False
    admin.save()
    assert visitor.get("/admin/").status_code == 302


def test_only_what_is_used_of_allauth_has_an_address():
    names = {name for name in get_resolver().reverse_dict if str(name).startswith("account_")}
    assert names == {
        "account_login",
        "account_logout",
        "account_inactive",
        "account_signup",
        "account_start_again",
        "account_email_verification_sent",
        "account_email",
        "account_change_password",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
    }
