"""The chosen time stays in sight from the slot through sign-up and code, and is reached again."""

import re
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils.html import strip_tags

from accounts.signals import account_mail
from accounts.tests.factories import PASSWORD, patient_user, verified
from scheduling.tests.factories import ServiceOfferingFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def offering():
    return ServiceOfferingFactory.create()


@pytest.fixture
def slot(offering):
    return f"/reservar/?offering={offering.pk}&start=2026-12-08T13:30Z"


def banner(next_page) -> str:
    html = Template("{% load chosen_slot %}{% chosen_slot page %}").render(
        Context({"page": next_page})
    )
    return " ".join(strip_tags(html).split())


def test_it_says_when_what_with_whom_and_where(offering, slot):
    text = banner(slot)
    assert "8 de diciembre de 2026, 10:30" in text
    for part in (offering.service.name, offering.practitioner, offering.location.name):
        assert str(part) in text


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "/",
        "/familia/?offering={id}&start=2026-12-08T13:30Z",
        "/reservar/",
        "/reservar/?offering={id}",
        "/reservar/?start=2026-12-08T13:30Z",
        "/reservar/?offering=0&start=2026-12-08T13:30Z",
        "/reservar/?offering=x&start=2026-12-08T13:30Z",
        "/reservar/?offering=٣&start=2026-12-08T13:30Z",
        "/reservar/?offering=" + "9" * 5000 + "&start=2026-12-08T13:30Z",
        "/reservar/?offering={id}&start=2026-02-30T13:30Z",
        "/reservar/?offering={id}&start=0001-01-01T00:00Z",
        "/reservar/?offering={id}&start=9999-12-31T23:59Z",
        "/reservar/?offering={id}&start=<script>",
        "/reservar/?" + "a=1&" * 500,
        "//[",
    ],
)
def test_anything_else_shows_nothing(offering, page):
    assert banner(page and page.replace("{id}", str(offering.pk))) == ""


def test_an_offering_that_is_no_longer_online_shows_nothing(offering, slot):
    offering.booked_online_by = "staff"
    offering.save()
    assert banner(slot) == ""


def test_it_travels_from_the_slot_to_the_booking_page(offering, slot):
    """Five pages, one tab, no JavaScript."""
    mails = []

    def catch(sender, **mail):
        mails.append(mail)

    account_mail.connect(catch)
    client: Any = Client()

    def look(response):
        assert response.status_code in (200, 422)
        text = " ".join(strip_tags(response.content.decode()).split())
        assert "8 de diciembre de 2026, 10:30" in text
        return response

    try:
        login = client.get(slot)
        assert login.url.startswith("/cuenta/ingresar/?next=")
        page = look(client.get(login.url)).content.decode()
        (sign_up,) = set(re.findall(r'href="(/cuenta/crear/\?next=[^"]+)"', page))
        sign_up = sign_up.replace("&amp;", "&")
        look(client.get(sign_up))
        answers = {
            "next": slot,
            "first_name": "Ana",
            "last_name": "Gómez",
            "birth_date_day": "27",
            "birth_date_month": "3",
            "birth_date_year": "1984",
            "phone": "11 4321-5678",
            "email": "ana@example.org",
            "password1": "tres palabras largas",
        }
        look(client.post("/cuenta/crear/", answers | {"phone": ""}))
        code_page = client.post("/cuenta/crear/", answers).url
        look(client.get(code_page))
        look(client.get("/cuenta/codigo/"))
        look(client.post("/cuenta/codigo/", {"code": "1"}))
        code = re.findall(r"^\s*(\d{6})$", mails[0]["text"], re.MULTILINE)[0]
        response = client.post("/cuenta/codigo/", {"code": code})
    finally:
        account_mail.disconnect(catch)
    assert (response.status_code, response.url) == (302, slot)


def test_a_login_leads_back_to_it(slot):
    user = verified(patient_user())
    client: Any = Client()
    answers = {"login": user.email, "password": PASSWORD, "next": slot}
    assert client.post("/cuenta/ingresar/", answers).url == slot
