"""Creating an account: a patient, never more, and never a word about who has one already."""

import re
from unittest import mock

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.urls import reverse

from accounts.forms.entrance import SignupForm
from accounts.models import Patient, PatientAccess, Relation, User
from accounts.roles import Role
from accounts.signals import account_mail
from accounts.tests.conftest import code_in, new_visitor, words
from accounts.tests.factories import UserFactory, patient_user, verified

pytestmark = pytest.mark.django_db

SIGNUP = "/cuenta/crear/"
CODE = "/cuenta/codigo/"
ANSWERS = {
    "first_name": "Ana",
    "last_name": "Gómez",
    "birth_date_day": "27",
    "birth_date_month": "3",
    "birth_date_year": "1984",
    "phone": "11 4321-5678",
    "email": "Ana@Example.org",
    "password1": "tres palabras largas",
}


def test_the_form_asks_six_questions():
    assert list(SignupForm().fields) == [
        "first_name",
        "last_name",
        "birth_date",
        "phone",
        "email",
        "password1",
    ]


def test_a_new_patient(visitor, mails):
    response = visitor.post(SIGNUP, ANSWERS)
    assert (response.status_code, response.url) == (302, CODE)
    user = User.objects.get()
    patient = Patient.objects.get()
    assert (user.email, user.name, user.language) == ("ana@example.org", "Ana Gómez", "en")
    assert user.check_password(ANSWERS["password1"])
    assert (str(patient.birth_date), patient.phone) == ("1984-03-27", "+541143215678")
    assert PatientAccess.objects.get().relation == Relation.SELF
    assert not EmailAddress.objects.get(user=user, email=user.email).verified
    (mail,) = mails
    assert (mail["to"], mail["language"], mail["user"]) == (user.email, "en", user)
    assert code_in(mail)
    assert "_auth_user_id" not in visitor.session


def test_the_account_speaks_the_language_of_the_page():
    new_visitor("es").post(SIGNUP, ANSWERS)
    assert User.objects.get().language == "es"


def test_whatever_else_is_posted_is_ignored(visitor):
    stranger = patient_user()
    visitor.post(
        SIGNUP,
        ANSWERS
        | {
            "is_staff": "on",
            "is_superuser": "on",
            "is_active": "",
            "roles": "administrator",
            "role": "practitioner",
            "practitioner": "1",
            "groups": "1",
            "user_permissions": "1",
            "user": str(stranger.pk),
            "id": str(stranger.pk),
            "pk": str(stranger.pk),
            "patient": str(stranger.patient_accesses.get().patient_id),
            "relation": "child",
            "language": "de",
        },
    )
    user = User.objects.get(email="ana@example.org")
    assert user.pk != stranger.pk
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    assert user.roles == {Role.PATIENT}
    assert list(user.patient_accesses.values_list("relation", flat=True)) == ["self"]
    assert stranger.patient_accesses.count() == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"first_name": ""}, "Write your first name."),
        ({"last_name": "  "}, "Write your last name."),
        ({"birth_date_day": "31", "birth_date_month": "2"}, "There is no such day."),
        ({"birth_date_year": "2150"}, "Write a date no later than"),
        ({"birth_date_year": "84"}, "Write the year with four digits"),
        ({"birth_date_day": "", "birth_date_month": "", "birth_date_year": ""}, "Write the birth"),
        ({"phone": "12"}, "Write the number with its area code"),
        ({"phone": ""}, "Write your phone number."),
        ({"email": "ana"}, "Write the whole address"),
        ({"email": ""}, "Write your e-mail."),
        ({"password1": ""}, "Write a password."),
        ({"password1": "largo " * 700}, "at most 4096 characters"),
        ({"password1": "corta"}, "too short"),
        ({"password1": "1234567890"}, "too common"),
        ({"password1": "ana@example.org"}, "too similar"),
        ({"first_name": "A" * 81}, "at most 80 characters"),
        ({"email": "ana\x00@example.org"}, "Null characters are not allowed."),
    ],
)
def test_errors_say_what_to_do_and_keep_the_rest(visitor, mails, wrong, sentence):
    response = visitor.post(SIGNUP, ANSWERS | wrong)
    assert response.status_code == 422
    assert sentence in words(response)
    assert "There is something to correct" in words(response)
    assert ("Error:" in response.content.decode().split("</title>")[0]) is True
    kept = ANSWERS["last_name"] if "first_name" in wrong else ANSWERS["first_name"]
    assert f'value="{kept}"' in response.content.decode()
    assert ANSWERS["password1"] not in response.content.decode()
    assert User.objects.count() == 0
    assert mails == []


def test_no_half_account_when_the_mail_cannot_be_written(visitor):
    def fails(sender, **mail):
        raise RuntimeError("the outbox is full")

    account_mail.connect(fails)
    try:
        with pytest.raises(RuntimeError):
            visitor.post(SIGNUP, ANSWERS)
    finally:
        account_mail.disconnect(fails)
    assert User.objects.count() == Patient.objects.count() == 0


def test_too_many_from_one_place(visitor):
    for _ in range(20):
        assert visitor.post(SIGNUP, {}).status_code == 422
    response = visitor.post(SIGNUP, ANSWERS)
    assert response.status_code == 429
    assert "Too many tries" in words(response)
    assert User.objects.count() == 0


def test_somebody_logged_in_goes_on(visitor):
    visitor.force_login(patient_user())
    response = visitor.get(SIGNUP, {"next": "/familia/"})
    assert (response.status_code, response.url) == (302, "/familia/")


# --- a known address ----------------------------------------------------------


def known_and_fresh():
    """Two browsers in which the same was typed: one address has an account, one has not."""
    verified(UserFactory.create(email="known@example.org"))
    return [(new_visitor(), "known@example.org"), (new_visitor(), "fresh@example.org")]


def same(pages, addresses):
    """The two pages without their one-time tokens and their own address."""
    known, fresh = (
        re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.content.decode()).replace(
            address, "ADDRESS"
        )
        for page, address in zip(pages, addresses, strict=True)
    )
    return known == fresh


def test_a_known_address_gets_the_same_answers(mails):
    pairs = known_and_fresh()
    addresses = [address for _browser, address in pairs]

    answers = [b.post(SIGNUP, ANSWERS | {"email": a, "next": "/familia/"}) for b, a in pairs]
    assert [(r.status_code, r.url) for r in answers] == [(302, f"{CODE}?next=%2Ffamilia%2F")] * 2
    assert answers[0].headers.keys() == answers[1].headers.keys()
    assert answers[0].cookies.keys() == answers[1].cookies.keys()

    pages = [b.get(CODE) for b, _a in pairs]
    assert [p.status_code for p in pages] == [200, 200]
    assert same(pages, addresses)

    wrong = [b.post(CODE, {"code": "000 000"}) for b, _a in pairs]
    assert [p.status_code for p in wrong] == [422, 422]
    assert same(wrong, addresses)

    assert [len([m for m in mails if m["to"] == a]) for a in addresses] == [1, 1]
    again = [b.post(CODE, {"action": "resend"}) for b, _a in pairs]
    assert [(r.status_code, r.url) for r in again] == [(302, f"{CODE}?next=%2Ffamilia%2F")] * 2
    assert same([b.get(CODE) for b, _a in pairs], addresses)

    cache.clear()
    again = [b.post(CODE, {"action": "resend"}) for b, _a in pairs]
    assert [r.status_code for r in again] == [302, 302]
    assert same([b.get(CODE) for b, _a in pairs], addresses)

    given_up = [b.post("/cuenta/crear/otra-vez/") for b, _a in pairs]
    assert [(r.status_code, r.url) for r in given_up] == [(302, SIGNUP)] * 2
    back = [b.get(CODE) for b, _a in pairs]
    assert [(r.status_code, r.url) for r in back] == [(302, "/cuenta/ingresar/")] * 2


def test_a_known_address_runs_out_of_tries_alike():
    pairs = known_and_fresh()
    for visitor, address in pairs:
        visitor.post(SIGNUP, ANSWERS | {"email": address})
        answers = [visitor.post(CODE, {"code": "000000"}).status_code for _ in range(5)]
        assert answers == [422, 422, 422, 422, 302]


def test_a_known_address_costs_the_same_work():
    """The clock of a stock sign-up tells: 423 ms against 14."""
    counts = []
    for visitor, address in known_and_fresh():
        with mock.patch.object(
            MD5PasswordHasher, "encode", autospec=True, side_effect=MD5PasswordHasher.encode
        ) as encode:
            visitor.post(SIGNUP, ANSWERS | {"email": address})
        counts.append(encode.call_count)
    assert counts == [1, 1]


def test_the_owner_of_a_known_address_is_told_by_mail(visitor, mails):
    owner = verified(UserFactory.create(email="ana@example.org", language="es"))
    visitor.post(SIGNUP, ANSWERS)
    (mail,) = mails
    assert (mail["to"], mail["language"], mail["user"]) == (owner.email, "es", owner)
    assert "/cuenta/ingresar/" in mail["text"]
    assert "/cuenta/clave/olvidada/" in mail["text"]
    assert not re.search(r"\d{6}", mail["text"])
    assert User.objects.get() == owner
    assert Patient.objects.count() == 0


def test_no_code_opens_a_sign_up_with_a_known_address(visitor):
    verified(UserFactory.create(email="ana@example.org"))
    visitor.post(SIGNUP, ANSWERS)
    code = visitor.session["account_email_verification_code"]["code"]
    assert visitor.post(CODE, {"code": code}).status_code == 422
    assert "_auth_user_id" not in visitor.session


def test_two_sign_ups_at_once_answer_alike(visitor, mails):
    """The other request was first between our look and our write."""
    UserFactory.create(email="ana@example.org")
    with mock.patch(
        "allauth.account.internal.flows.manage_email.assess_unique_email", return_value=True
    ):
        response = visitor.post(SIGNUP, ANSWERS)
    assert (response.status_code, response.url) == (302, CODE)
    assert User.objects.count() == 1
    assert Patient.objects.count() == 0
    assert len(mails) == 1


def test_the_addresses_of_the_way_in():
    assert reverse("account_signup") == SIGNUP
    assert reverse("account_email_verification_sent") == CODE
