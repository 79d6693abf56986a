"""Each mail about an account: short subject, both languages, links of the clinic's own."""

import datetime as dt
import re

import pytest
from django.core import mail as django_mail
from django.test import RequestFactory
from django.utils import translation

from accounts import mail
from accounts.adapter import AccountAdapter
from accounts.tests.factories import UserFactory, patient_user
from clinic.models import Organization

pytestmark = [pytest.mark.django_db, pytest.mark.once]

EVERY: dict[str, dict[str, object]] = {
    "email_confirmation_signup": {"code": "123456", "code_minutes": 15},
    "email_confirmation": {"code": "123456", "code_minutes": 15},
    "account_already_exists": {},
    "unknown_account": {},
    "password_reset_key": {"password_reset_url": "https://turnos.example.com/k"},
    "password_changed": {},
    "password_reset": {},
    "email_changed": {"from_email": "a@example.org", "to_email": "b@example.org"},
    "staff_access": {},
    "invitation": {"invitation_url": "https://turnos.example.com/i", "days": 7},
}


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("name", EVERY)
def test_every_mail_can_be_read(mails, name, language):
    Organization.objects.create(name="Consultorio «O'Higgins» & Cía", phone="+541148650000")
    user = UserFactory.create(name="Ana <b>O'Hara</b>", language=language)
    mail.send(
        template=f"account/email/{name}",
        to=user.email,
        language=language,
        user=user,
        context=EVERY[name],
    )
    (sent,) = mails
    assert 8 <= len(sent["subject"]) <= 50
    assert "\n" not in sent["subject"]
    assert "123456" not in sent["subject"]
    # The text is text: nothing in it is escaped. The page is a page: everything is.
    assert "Consultorio «O'Higgins» & Cía · +54 11 4865-0000" in sent["text"]
    assert not re.search(r"&#?\w+;|<(p|br|a)\b", sent["text"])
    assert f'<html lang="{language}">' in sent["html"]
    assert "<b>" not in sent["html"]
    assert len(sent["html"]) < 30_000
    assert not re.search(r"<(img|script|link)\b", sent["html"])
    for value in EVERY[name].values():
        if value == "123456" or str(value).startswith("https://"):
            assert str(value) in sent["text"]
            assert str(value) in sent["html"]
    if name == "email_changed":
        # Whoever reads the old mailbox does not learn the new address.
        assert "b@example.org" not in sent["text"]


def test_no_mail_leaves_in_the_request(mails):
    request = RequestFactory().get("/")
    AccountAdapter(request).send_mail("account/email/password_changed", "ana@example.org", {})
    assert len(mails) == 1
    assert django_mail.outbox == []


@pytest.mark.parametrize(("theirs", "ours"), [("es", "en"), ("en", "es")])
def test_in_the_language_of_whoever_reads_it(mails, theirs, ours):
    user = UserFactory.create(language=theirs)
    with translation.override(ours):
        AccountAdapter().send_mail("account/email/password_changed", user.email, {})
        AccountAdapter().send_mail("account/email/unknown_account", "nobody@example.org", {})
    assert [(m["language"], m["user"]) for m in mails] == [(theirs, user), (ours, None)]


@pytest.mark.parametrize(
    ("context", "lives_for"),
    [({"code": "123456"}, dt.timedelta(minutes=15)), ({}, dt.timedelta(days=1))],
)
def test_a_code_is_not_worth_sending_for_long(mails, context, lives_for):
    user = patient_user()
    AccountAdapter().send_mail(
        "account/email/email_confirmation", user.email, {"user": user, **context}
    )
    assert mails[0]["lives_for"] == lives_for


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("/familia/", True),
        ("/reservar/?offering=1&start=2026-12-08T13:30Z", True),
        ("", False),
        ("familia/", False),
        ("//evil.example/", False),
        ("/\\evil.example/", False),
        ("///evil.example/", False),
        ("https://evil.example/", False),
        ("http://testserver/familia/", False),
        ("javascript:alert(1)", False),
    ],
)
def test_where_a_login_may_lead(url, safe):
    assert AccountAdapter().is_safe_url(url) is safe
