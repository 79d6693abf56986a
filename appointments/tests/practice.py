"""A small practice for the tests of the agenda: one practitioner, open from nine to five."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import PractitionerFactory, UserFactory
from appointments.models import Appointment
from clinic.models import Organization
from scheduling.models import Schedule, ServiceOffering
from scheduling.tests.factories import ScheduleFactory, ServiceOfferingFactory, open_offering


def browser(user: User | None = None, *, csrf: bool = False) -> Client:
    """A browser in English, logged in as this person."""
    Organization.current()  # the first look at an empty database makes it
    client = Client(enforce_csrf_checks=csrf)
    client.cookies["django_language"] = "en"
    if user:
        client.force_login(user)
    return client


def account_of(offering: ServiceOffering) -> User:
    user = offering.practitioner.user
    assert user is not None
    return user


def doctor_of(offering: ServiceOffering) -> Actor:
    return Actor.practitioner(account_of(offering))


def new_practice(**fields: Any) -> ServiceOffering:
    """Half an hour a visit, every day from nine to five; the practitioner has a name."""
    practitioner = PractitionerFactory.create(
        user=UserFactory.create(name="Lucía Ferreyra"), last_name="Ferreyra"
    )
    fields.setdefault("schedule__practitioner", practitioner)
    return open_offering(**fields)


def second_place(offering: ServiceOffering, **fields: Any) -> ServiceOffering:
    """The same practitioner and service at another location, without hours."""
    schedule: Schedule = ScheduleFactory.create(practitioner=offering.practitioner, **fields)
    return ServiceOfferingFactory.create(schedule=schedule, service=offering.service)


def admin_page(row: Any) -> str:
    """The page of this row in the administration."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def admin_form(client: Client, url: str) -> dict[str, Any]:
    """The form as it is shown: what a browser would send back unchanged."""
    context = client.get(url).context
    forms = [context["adminform"].form]
    for formset in context["inline_admin_formsets"]:
        forms += [formset.formset.management_form, *formset.formset.forms]
    data: dict[str, Any] = {}
    for form in forms:
        for field in form:
            value = field.value()
            if value is None or value is False:
                continue
            if isinstance(value, list):
                data[field.html_name] = [getattr(v, "pk", v) for v in value]
            else:
                data[field.html_name] = "on" if value is True else value
    return data


def main_part(response: Any) -> str:
    found = re.search(r"<main.*?</main>", response.content.decode(), re.DOTALL)
    assert found, "a page without a main part"
    return found[0]


def words(response: Any) -> str:
    """The text of the page's main part, on one line."""
    blocks_apart = re.sub(r"(</(?:p|li|t[dhr]|h[1-6]|d[tdl]|div|a)>)", r"\1 ", main_part(response))
    return " ".join(strip_tags(blocks_apart).replace("&nbsp;", " ").split())


def row_of(response: Any, reference: str) -> str:
    """The row of one appointment in the day's list, as HTML."""
    html = response.content.decode()
    found = re.search(rf'<li [^>]*id="turno-{reference}".*?</li>', html, re.DOTALL)
    assert found, f"no row for {reference}"
    return found[0]


def sent_again(response: Any) -> dict[str, list[str]]:
    """What a page carries in its hidden fields."""
    inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', main_part(response))
    data: dict[str, list[str]] = {}
    for name, value in inputs:
        if name != "csrfmiddlewaretoken":
            data.setdefault(name, []).append(unescape(value))
    return data


def status(visit: Appointment) -> str:
    """What the database says now."""
    return Appointment.objects.get(pk=visit.pk).status
