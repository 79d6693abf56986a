"""The administration as a whole: who gets in, what the start page counts, what a visit changes."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db import models
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Actor
from accounts.tests.factories import (
    PatientAccessFactory,
    PractitionerFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments import services
from appointments.models import OccupancyCell
from appointments.tests.factories import NOW, at, book
from clinic import audit
from clinic.admin.base import ClinicAdmin
from clinic.models import AuditEvent, Closure, Organization, Specialty
from clinic.tests.factories import LocationFactory, RoomFactory, SpecialtyFactory
from notifications.models import Notification, State
from scheduling.models import DateOverride, Schedule, TimeOff
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def boss() -> User:
    return administrator()


@pytest.fixture
def client(client: Client, boss: User) -> Client:
    client.force_login(boss)
    client.cookies["django_language"] = "en"
    return client


def rows(client: Client, url: str) -> int:
    return client.get(url).context["cl"].result_count


# --- who gets in


@pytest.mark.parametrize("name", ["index", "login", "appointments_appointment_changelist"])
def test_anonymous_people_go_to_the_one_login(name: str) -> None:
    address = reverse(f"admin:{name}")
    response = Client().get(address)
    assert response.status_code == 302
    assert response["Location"] == f"{reverse('account_login')}?next={address}"


def other_people() -> list[User]:
    return [
        patient_user(),
        PractitionerFactory.create().user,
        ReceptionistFactory.create().user,
        User.objects.create_user("nobody@example.org", "x", is_superuser=True),
    ]


def test_nobody_but_administrators_gets_in() -> None:
    for user in other_people():
        client = Client()
        client.force_login(user)
        assert client.get(reverse("admin:index")).status_code == 403
        assert client.get(reverse("admin:login")).status_code == 403
        assert not admin.site.has_permission(client.get("/healthz").wsgi_request)


def test_being_staff_is_enough() -> None:
    client = Client()
    client.force_login(User.objects.create_user("staff@example.org", "x", is_staff=True))
    assert client.get(reverse("admin:index")).status_code == 200
    assert client.get(reverse("admin:appointments_appointment_add")).status_code == 200


def test_whoever_is_in_is_taken_past_the_login(client: Client) -> None:
    patients = reverse("admin:accounts_patient_changelist")
    assert client.get(f"/admin/login/?next={patients}")["Location"] == patients
    assert client.get("/admin/login/?next=https://evil.example/")["Location"] == "/admin/"


def test_passwords_and_leaving_are_the_clinics_own_pages(client: Client) -> None:
    assert client.get("/admin/password_change/")["Location"] == reverse("account_change_password")
    assert client.get("/admin/logout/")["Location"] == reverse("account_logout")


def test_the_titles_are_the_clinics_name(client: Client) -> None:
    Organization.objects.update_or_create(pk=1, defaults={"name": "Consultorio San Martín"})
    page = client.get("/admin/").content.decode()
    assert "| Consultorio San Martín</title>" in page
    assert '<a href="/admin/">Consultorio San Martín</a>' in page


# --- what is administered


def test_every_model_of_the_clinic_is_there_and_nothing_else() -> None:
    hidden = {"OccupancyCell", "AppointmentEvent", "Room", "PatientAccess", "WorkingHours"}
    hidden |= {"DateOverride", "ServiceOffering", "BusyDay", "RuleChange", "FreedTime", "Pulse"}
    # On the patient's page; and what is nobody's but its owner's.
    hidden |= {"Coverage", "RecordOffer", "CalendarFeed"}
    ours = {
        model.__name__
        for app in ("clinic", "accounts", "scheduling", "appointments", "notifications")
        for model in apps.get_app_config(app).get_models()
    }
    assert {model.__name__ for model in admin.site._registry} == ours - hidden
    assert not admin.site.is_registered(OccupancyCell)


def test_every_model_has_its_place_on_the_start_page(client: Client) -> None:
    shown = [
        m["object_name"] for g in client.get("/admin/").context["app_list"] for m in g["models"]
    ]
    assert sorted(shown) == sorted(model.__name__ for model in admin.site._registry)


def test_the_way_to_a_page_names_the_group_of_the_sidebar(client: Client) -> None:
    """Two stand in another group than the rest of their app."""
    for group in client.get("/admin/").context["app_list"]:
        for row in group["models"]:
            if row["model"] not in {Closure, AuditEvent}:
                assert row["model"]._meta.app_config.verbose_name == group["name"]


OURS = [a for a in admin.site._registry.values() if isinstance(a, ClinicAdmin)]
ids = lambda a: a.opts.model_name  # noqa: E731


@pytest.mark.parametrize("model_admin", OURS, ids=ids)
def test_lists_are_narrow_and_ask_the_database_no_zone(model_admin: ClinicAdmin) -> None:
    assert len(model_admin.list_display) <= 7
    if name := model_admin.date_hierarchy:
        field = model_admin.opts.get_field(name)
        assert isinstance(field, models.DateField)
        assert not isinstance(field, models.DateTimeField)


@pytest.mark.parametrize("model_admin", OURS, ids=ids)
def test_people_and_services_are_found_by_typing(client: Client, model_admin: ClinicAdmin) -> None:
    request = client.get("/admin/").wsgi_request
    many = {"Patient", "Practitioner", "Service", "User", "Appointment"}
    places: list[Any] = [
        model_admin,
        *(i(model_admin.model, admin.site) for i in model_admin.inlines),
    ]
    for place in places:
        shown = flatten_fieldsets(place.get_fieldsets(request))
        for name in set(shown) - set(place.get_readonly_fields(request)):
            field = form_field(place.model, name)
            if field is not None and field.related_model.__name__ in many:
                own_parent = field.related_model is model_admin.model
                assert own_parent or not place.can_change or name in place.autocomplete_fields


def form_field(model: type[models.Model], name: str) -> Any:
    """The foreign key of this name, if the model has one."""
    found = {field.name: field for field in model._meta.get_fields() if field.many_to_one}
    return found.get(name)


@pytest.mark.parametrize("model_admin", OURS, ids=ids)
def test_only_what_nothing_hangs_on_can_be_removed(
    client: Client, boss: User, model_admin: ClinicAdmin
) -> None:
    request = client.get("/admin/").wsgi_request
    removable = {Closure, TimeOff}
    assert model_admin.has_delete_permission(request) is (model_admin.model in removable)
    assert "delete_selected" not in model_admin.get_actions(request)


@pytest.mark.parametrize("model_admin", OURS, ids=ids)
def test_what_nobody_does_is_not_blamed_on_the_account(
    client: Client, model_admin: ClinicAdmin
) -> None:
    name = f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}"
    kept = [] if model_admin.can_remove else [reverse(f"{name}_delete", args=["x"])]
    made_elsewhere = [] if model_admin.can_add else [reverse(f"{name}_add")]
    for url in [*kept, *made_elsewhere]:
        for answer in (client.get(url), client.post(url, {"post": "yes"})):
            assert answer.status_code == 403
            assert "admin/closed.html" in {t.name for t in answer.templates}, url
            assert f'href="{reverse(f"{name}_changelist")}"' in answer.content.decode()


def test_an_appointment_is_cancelled_instead_of_deleted(client: Client) -> None:
    visit = book()
    for name, sentence in (("delete", "is cancelled, on its page"), ("change", "not changed")):
        url = reverse(f"admin:appointments_appointment_{name}", args=[visit.pk])
        answer = client.post(url, {"post": "yes"})
        assert (answer.status_code, answer.request["PATH_INFO"]) == (403, url)
        assert sentence in (page := unescape(answer.content.decode()))
        assert reverse("admin:appointments_appointment_change", args=[visit.pk]) in page


def test_what_is_no_longer_used_is_switched_off(client: Client) -> None:
    url = reverse("admin:clinic_specialty_delete", args=[SpecialtyFactory.create().pk])
    assert "is switched off" in client.get(url).content.decode()


# --- the start page


@pytest.fixture
def a_day(boss: User) -> None:
    """Today in several states, requests that wait, people who did not come, mail that waits."""
    offering = open_offering(confirmation="manual")
    by = Actor.administrator(boss)
    with time_machine.travel(NOW - 40 * HOUR, tick=False):
        asked = [
            book(
                offering=offering, start=at(h, days=3), by=Actor.patient(boss), now=NOW - 40 * HOUR
            )
            for h in (9, 10)
        ]
    book(offering=offering, start=at(11, days=3), by=Actor.patient(boss), now=NOW - HOUR)
    services.confirm(appointment=asked[0], by=by, now=NOW)
    today = [book(offering=offering, start=at(h, days=0)) for h in (9, 10, 11)]
    services.mark_arrived(appointment=today[0], by=by, now=NOW)
    services.cancel(appointment=today[1], by=by, reason="x", now=NOW)
    for days in (-29, -31):
        long_ago = NOW + dt.timedelta(days=days)
        missed = book(offering=offering, start=at(9, days=days), now=long_ago - HOUR)
        services.mark_no_show(appointment=missed, by=by, now=NOW)
    Notification.objects.all().delete()
    for n, (state, due) in enumerate(
        [(State.PENDING, -2), (State.PENDING, -1), (State.PENDING, 1), (State.FAILED, -5)]
    ):
        Notification.objects.create(
            key=f"test:{n}",
            kind="booked",
            to="a@example.org",
            due_at=NOW + due * HOUR,
            try_at=NOW + due * HOUR,
            useful_until=NOW + 24 * HOUR,
            state=state,
        )


def figures(client: Client) -> dict[str, Any]:
    context = client.get("/admin/").context
    return {f.url.partition("?")[2]: f for f in [*context["states"], *context["figures"]]}


@time_machine.travel(NOW, tick=False)
def test_each_number_is_the_number_of_rows_behind_it(client: Client, a_day: None) -> None:
    found = figures(client)
    numbers = {query: f.value for query, f in found.items() if query != "free=week"}
    assert numbers == {
        "day=today&status__exact=pending": 0,
        "day=today&status__exact=booked": 1,
        "day=today&status__exact=arrived": 1,
        "day=today&status__exact=fulfilled": 0,
        "day=today&status__exact=cancelled": 1,
        "day=today&status__exact=noshow": 0,
        "day=all&waiting=24h": 1,
        "day=last30&status__exact=noshow": 1,
        "due=now": 2,
        "state__exact=failed": 1,
    }
    for query, value in numbers.items():
        assert rows(client, found[query].url) == value, query


@time_machine.travel(NOW, tick=False)
def test_free_hours_are_the_sum_of_the_list_behind_them(client: Client, a_day: None) -> None:
    open_offering(start=dt.time(9), end=dt.time(10))
    open_offering(schedule__is_active=False)
    figure = figures(client)["free=week"]
    # Seven days of eight hours: minus 1 h today, minus 1.5 h on Thursday; and seven hours.
    assert figure.value == "60.5"
    listed = client.get(figure.url).context["cl"].result_list
    assert sorted(row.free for row in listed) == [7 * 60, 56 * 60 - 150]


@time_machine.travel(NOW, tick=False)
def test_the_start_page_asks_a_constant_number_of_questions(
    client: Client, a_day: None, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    client.get("/admin/")
    with django_assert_max_num_queries(22) as few:
        client.get("/admin/")
    for _n in range(5):
        book(offering=open_offering(), start=at(9, days=0))
    with django_assert_num_queries(len(few)):
        client.get("/admin/")


# --- the catalogue


def test_the_clinic_is_a_page_and_no_list(client: Client) -> None:
    page = reverse("admin:clinic_organization_change", args=[1])
    assert client.get("/admin/clinic/organization/")["Location"] == page
    assert client.get(page).status_code == 200
    assert client.get("/admin/clinic/organization/add/").status_code == 403
    assert client.post(f"{page[:-7]}delete/", {"post": "yes"}).status_code in {403, 404}


def test_history_can_only_be_read(client: Client) -> None:
    line = audit.record(actor="a@example.org", action="x", target="y")
    page = reverse("admin:clinic_auditevent_change", args=[line.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"actor": "b"}).status_code == 403
    assert client.get("/admin/clinic/auditevent/add/").status_code == 403
    delete = reverse("admin:clinic_auditevent_delete", args=[line.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.get(pk=line.pk).actor == "a@example.org"


def test_what_is_written_is_audited_without_names(client: Client, boss: User) -> None:
    client.post("/admin/clinic/specialty/add/", {"name": "Dermatología", "slug": "derma"})
    specialty = Specialty.objects.get()
    page = reverse("admin:clinic_specialty_change", args=[specialty.pk])
    client.post(page, {"name": "Piel", "slug": "derma", "is_active": "on"})
    lines = AuditEvent.objects.order_by("pk").values_list("actor", "action", "target", "details")
    target = f"clinic.specialty:{specialty.pk}"
    changed = [{"changed": {"fields": ["Name", "Active"]}}]
    assert list(lines) == [
        (boss.email, "specialty.add", target, {}),
        (boss.email, "specialty.change", target, {"what": changed}),
    ]


def test_a_form_that_is_not_right_answers_422(client: Client) -> None:
    response = client.post("/admin/clinic/specialty/add/", {"name": "", "slug": "x"})
    assert response.status_code == 422


def test_two_people_saving_the_same_are_told(client: Client, monkeypatch: Any) -> None:
    """The look found nothing; by the writing, somebody had been quicker."""
    SpecialtyFactory.create(slug="derma")
    monkeypatch.setattr(Specialty, "validate_unique", lambda *args, **kwargs: None)
    response = client.post("/admin/clinic/specialty/add/", {"name": "Derma", "slug": "derma"})
    assert response.status_code == 422
    assert "errornote" in response.content.decode()
    assert Specialty.objects.count() == 1


@pytest.mark.parametrize(
    "date", ["year=9999", "year=1" + "0" * 30, "year=9999&{}__month=12&{}__day=31"]
)
@pytest.mark.parametrize("model_admin", [a for a in OURS if a.date_hierarchy], ids=ids)
def test_a_year_out_of_the_calendar_is_a_wrong_filter(
    client: Client, model_admin: ClinicAdmin, date: str
) -> None:
    name = model_admin.date_hierarchy
    page = reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist")
    response = client.get(f"{page}?{name}__{date.replace('{}', str(name))}")
    assert (response.status_code, response["Location"]) == (302, f"{page}?e=1")
    assert client.get(response["Location"]).status_code == 200


def test_accents_and_case_do_not_matter(client: Client) -> None:
    SpecialtyFactory.create(name="Cardiología")
    SpecialtyFactory.create(name="Pediatría")
    assert rows(client, "/admin/clinic/specialty/?q=CARDIOLOGIA") == 1
    assert rows(client, "/admin/clinic/specialty/?q=cardiol%C3%B3gia") == 1
    assert rows(client, "/admin/clinic/specialty/?q=pediatria+cardiologia") == 0


def test_the_zone_of_a_place_with_appointments_stays(client: Client) -> None:
    location = book().location
    page = reverse("admin:clinic_location_change", args=[location.pk])
    assert "time_zone" not in client.get(page).context["adminform"].form.fields
    free = reverse("admin:clinic_location_change", args=[LocationFactory.create().pk])
    assert "time_zone" in client.get(free).context["adminform"].form.fields


# --- a visit to every page

LINK = re.compile(r'href="(/admin/[^"#]*|\?[^"#]*)"')


def everything() -> dict[str, list[Any]]:
    kept = {"AuditEvent", "Session"}
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models()
        if model.__name__ not in kept and model._meta.managed
    }


@pytest.fixture
def a_clinic(a_day: None) -> None:
    schedule = Schedule.objects.first()
    assert schedule is not None
    RoomFactory.create(location=schedule.location)
    Closure.objects.create(name="Navidad", first_day="2026-12-25", last_day="2026-12-25")
    TimeOff.objects.create(
        practitioner=schedule.practitioner, weekday=0, start=dt.time(13), end=dt.time(14)
    )
    DateOverride.objects.create(schedule=schedule, date="2026-12-08", kind="closed")
    PatientAccessFactory.create()
    ReceptionistFactory.create(locations=[schedule.location])
    audit.record(actor="a@example.org", action="x", target="y")


@pytest.mark.once
@time_machine.travel(NOW, tick=False)
def test_walking_through_every_page_changes_nothing(client: Client, a_clinic: None) -> None:
    client.get("/admin/")
    before = everything()
    seen: set[str] = set()
    kinds: set[str] = set()
    queue = ["/admin/"]
    while queue:
        url = queue.pop()
        # One of a kind is enough: 1/change/, not 2/change/. Each filter alone, each order alone.
        kind = re.sub(r"\d+", "N", url)
        if url in seen or kind in kinds:
            continue
        seen.add(url)
        kinds.add(kind)
        response = client.get(url)
        assert response.status_code in {200, 302}, url
        if response.status_code == 200 and "?" not in url:
            links = (unescape(link) for link in LINK.findall(response.content.decode()))
            queue += [url + link if link.startswith("?") else link for link in links]
    assert len(kinds) > 100
    assert everything() == before


@pytest.mark.parametrize(
    "query",
    [
        "q=%00", "q=" + "9" * 5000, "p=99999999999999999999", "o=99.-99", "day=x", "waiting=x",
        "local_date__year=99999", "local_date__year=x", "local_date__month=13&local_date__year=1",
        "status__exact=%FF", "location__id__exact=x", "patient__id__exact=9" + "9" * 30, "e=1",
        "all=", "nonsense=1", "_facets=True",
    ],
)  # fmt: skip
def test_no_address_makes_a_list_fail(client: Client, query: str) -> None:
    response = client.get(f"/admin/appointments/appointment/?{query}")
    assert response.status_code in {200, 302, 400}


@pytest.mark.parametrize("key", ["9" * 30, "x", "%00", "-1", "1_2F"])
def test_a_row_that_is_not_there_is_no_error(client: Client, key: str) -> None:
    for name in ("appointments/appointment", "accounts/patient", "scheduling/timeoff"):
        response = client.get(f"/admin/{name}/{key}/change/")
        assert response.status_code in {302, 404}
