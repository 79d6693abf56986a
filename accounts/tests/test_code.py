"""The code in the same tab: right, wrong, old, again, and the way back to where one was."""

import datetime as dt

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.utils import timezone

from accounts.models import User
from accounts.tests.conftest import code_in, new_visitor, words
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.test_signup import ANSWERS, CODE, SIGNUP

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LOGIN = "/cuenta/ingresar/"
SLOT = "/reservar/?offering=17&start=2026-12-08T13:30Z"
SLOT_QUOTED = "%2Freservar%2F%3Foffering%3D17%26start%3D2026-12-08T13%3A30Z"


@pytest.fixture
def waiting(visitor, mails):
    """A visitor in front of the code page."""
    visitor.post(SIGNUP, ANSWERS | {"next": SLOT})
    return visitor


def test_the_right_code_logs_in_and_goes_back_to_the_slot(waiting, mails):
    response = waiting.post(CODE, {"code": code_in(mails[0])})
    assert (response.status_code, response.url) == (302, SLOT)
    assert waiting.session["_auth_user_id"] == str(User.objects.get().pk)
    assert EmailAddress.objects.get().verified


def test_without_a_slot_it_goes_to_the_start(visitor, mails):
    visitor.post(SIGNUP, ANSWERS)
    assert visitor.post(CODE, {"code": code_in(mails[0])}).url == "/inicio/"


@pytest.mark.parametrize("typed", ["{0} {1}", " {0}-{1} ", "{0}{1}"])
def test_the_code_may_be_typed_with_blanks(waiting, mails, typed):
    code = code_in(mails[0])
    response = waiting.post(CODE, {"code": typed.format(code[:3], code[3:])})
    assert response.status_code == 302


@pytest.mark.parametrize("typed", ["", "000000", "x" * 41, "💥", "٠٠٠٠٠٠", "\x00"])
def test_a_wrong_code_is_a_sentence(waiting, mails, typed):
    if typed == code_in(mails[0]):
        typed = "999999"
    response = waiting.post(CODE, {"code": typed})
    assert response.status_code == 422
    assert "There is something to correct" in words(response)
    assert "_auth_user_id" not in waiting.session


def test_tries_are_limited_and_the_slot_survives(waiting, mails):
    for _ in range(4):
        assert waiting.post(CODE, {"code": "1"}).status_code == 422
    response = waiting.post(CODE, {"code": "1"})
    assert (response.status_code, response.url) == (302, f"{LOGIN}?next={SLOT_QUOTED}")
    assert "Too many wrong codes. Log in and we send you a new one." in words(
        waiting.get(response.url)
    )
    assert waiting.post(CODE, {"code": code_in(mails[0])}).url == LOGIN
    assert not EmailAddress.objects.get().verified


def test_asking_again_does_not_give_more_tries(waiting):
    for _ in range(4):
        waiting.post(CODE, {"code": "1"})
    cache.clear()
    waiting.post(CODE, {"action": "resend"})
    assert waiting.post(CODE, {"code": "1"}).status_code == 302


def test_another_code_replaces_the_first(waiting, mails):
    cache.clear()
    response = waiting.post(CODE, {"action": "resend", "next": SLOT})
    assert response.url == f"{CODE}?next={SLOT_QUOTED}"
    page = words(waiting.get(response.url))
    assert "We sent you a new code. The one before no longer works." in page
    first, second = map(code_in, mails)
    assert waiting.post(CODE, {"code": first}).status_code == (422 if first != second else 302)
    assert waiting.post(CODE, {"code": second}).url == SLOT


def test_another_code_a_moment_later_is_too_soon(waiting, mails):
    response = waiting.post(CODE, {"action": "resend"}, follow=True)
    assert "We sent you a code a moment ago. Wait a little and try again." in words(response)
    assert len(mails) == 1
    assert waiting.get(CODE).status_code == 200


def test_two_further_codes_and_no_more(waiting, mails):
    for _ in range(4):
        cache.clear()
        waiting.post(CODE, {"action": "resend"})
    assert len(mails) == 3
    assert "Send another code" not in words(waiting.get(CODE))


def test_a_code_that_is_too_old(waiting, mails):
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=16)):
        response = waiting.post(CODE, {"code": code_in(mails[0]), "next": SLOT})
        assert (response.status_code, response.url) == (302, f"{LOGIN}?next={SLOT_QUOTED}")
        page = words(waiting.get(response.url))
    assert "The code was too old. Log in and we send you a new one." in page
    assert not EmailAddress.objects.get().verified


def test_logging_in_before_the_code_sends_a_new_one(mails):
    new_visitor().post(SIGNUP, ANSWERS)
    cache.clear()
    later = new_visitor()
    answer = {"login": ANSWERS["email"], "password": ANSWERS["password1"], "next": SLOT}
    response = later.post(LOGIN, answer)
    assert response.url == f"{CODE}?next={SLOT_QUOTED}"
    assert "_auth_user_id" not in later.session
    assert later.post(CODE, {"code": code_in(mails[1])}).url == SLOT


def test_back_to_the_forms_leads_on_to_the_code(waiting):
    for page in (SIGNUP, LOGIN):
        assert waiting.get(page).url == CODE


def test_the_slot_is_kept_when_the_address_lost_it(waiting, mails):
    """Back and forward may come here without ``next``; the form carries it again."""
    assert f'value="{SLOT}"'.replace("&", "&amp;") in waiting.get(CODE).content.decode()


def test_back_after_the_code_was_right_goes_on(waiting, mails):
    code = code_in(mails[0])
    waiting.post(CODE, {"code": code})
    assert waiting.get(f"{CODE}?next={SLOT_QUOTED}").url == SLOT
    assert waiting.post(CODE, {"code": code}).url == "/inicio/"


def test_a_mistyped_address_starts_again_with_the_slot(waiting):
    response = waiting.post("/cuenta/crear/otra-vez/", {"next": SLOT})
    assert response.url == f"{SIGNUP}?next={SLOT_QUOTED}"
    assert waiting.get(response.url).status_code == 200


def test_nobody_gets_here_without_a_sign_up(visitor):
    assert visitor.get(CODE).url == LOGIN
    user = UserFactory.create()
    visitor.force_login(user)
    assert visitor.get(CODE).url == "/inicio/"


def test_a_code_of_one_browser_is_nothing_in_another(waiting, mails):
    other = new_visitor()
    other.post(SIGNUP, ANSWERS | {"email": "other@example.org"})
    code = code_in(mails[0])
    if code == code_in(mails[1]):
        pytest.skip("one in a million")
    assert other.post(CODE, {"code": code}).status_code == 422


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example", "x"],
)
def test_the_way_on_stays_in_the_house(visitor, mails, elsewhere):
    visitor.post(SIGNUP, ANSWERS | {"next": elsewhere})
    assert visitor.post(CODE, {"code": code_in(mails[0])}).url == "/inicio/"


def test_the_page_with_an_address_on_it_is_not_kept(waiting):
    assert "no-store" in waiting.get(CODE).headers["Cache-Control"]


def test_the_code_page_for_a_closed_account(visitor, mails):
    user = UserFactory.create(is_active=False)
    response = visitor.post(LOGIN, {"login": user.email, "password": PASSWORD})
    assert response.url == "/cuenta/cerrada/"
    assert "This account is not active" in words(visitor.get(response.url))
    assert mails == []
