"""The clinic's main job in a real browser: find, sign up, book, confirm, cancel, close.

On a small phone and on a desk, without JavaScript and with it.
"""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.test import override_settings
from playwright.sync_api import Locator, Page

from accounts.models import User
from accounts.roles import Role
from appointments.models import Appointment, OccupancyCell
from appointments.tests.factories import NOW
from appointments.transitions import Status
from clinic.demo.load import ADMINISTRATOR
from clinic.demo.staff import DOCTOR
from clinic.management.demo import PASSWORD
from clinic.tests.browser.visitor import Look, Visitor
from notifications import delivery
from scheduling.models import TimeOff

pytestmark = pytest.mark.browser

LOOKS = [
    pytest.param(Look(320, 640, javascript=False), id="phone"),
    pytest.param(Look(1280, 900, javascript=False), id="desk"),
    pytest.param(Look(320, 640), id="phone with JavaScript"),
    pytest.param(Look(1280, 900), id="desk with JavaScript"),
]
looks = pytest.mark.parametrize("look", LOOKS)
#: The pages of the day's work have no script: with or without one they are the same.
plain_looks = pytest.mark.parametrize("look", LOOKS[:2])


def follow(target: Locator) -> None:
    """Press what leads to another page, and wait until that is there."""
    with target.page.expect_navigation():
        target.first.click()


class Thumb:
    """Counts what somebody presses."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def press(self, target: str | Locator) -> None:
        place = self.page.locator(target) if isinstance(target, str) else target
        follow(place)
        self.clicks += 1

    def choose(self, target: str) -> None:
        """A radio button, unless it is chosen already."""
        box = self.page.locator(target).first
        if box.count() and not box.is_checked():
            box.check()
            self.clicks += 1


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)


def send(page: Page) -> None:
    follow(page.locator("main form[method=post] button[type=submit]"))


def slot_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def code_for(email: str) -> str:
    """What the worker would have sent by now."""
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
        delivery.deliver_due()
    (letter,) = [m for m in mail.outbox if email in m.to]
    found = re.search(r"\b\d{6}\b", str(letter.body))
    assert found, letter.body
    return found[0]


@looks
def test_a_stranger_signs_up_and_books(visitor: Visitor, look: Look):
    page = visitor.page(look=look)
    page.goto("/")
    follow(page.locator(".specialty-card a", has_text="Clínica médica"))
    first = page.locator("main .slot").first
    box = first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= look.height
    chosen = slot_of(str(first.get_attribute("href")))
    follow(first)

    # The account is asked for only now, and the chosen time stays in sight.
    assert urlsplit(page.url).path == "/cuenta/ingresar/"
    assert page.locator("main [role=note] time").is_visible()
    follow(page.locator("main a[href*='/cuenta/crear/']"))
    assert page.locator("main [role=note] time").is_visible()
    send(page)
    assert page.locator(".error-summary").is_visible()
    assert page.locator("main form .field").count() <= 6
    fill(page, first_name="Elena", last_name="Prueba", phone="11 4321-5678")
    fill(page, birth_date_day="27", birth_date_month="3", birth_date_year="1984")
    fill(page, email="elena@example.org", password1="correct horse battery")
    send(page)
    fill(page, code=code_for("elena@example.org"))
    send(page)

    assert urlsplit(page.url).path == "/reservar/"
    asked = slot_of(page.url)
    assert asked.pop("search") == ["what=clinica-medica"]
    assert asked == chosen
    # The code that logged them in has also kept the time.
    assert page.get_by_text("Este horario queda guardado hasta las").is_visible()
    fill(page, reason="Control")
    send(page)
    made = Appointment.objects.get(patient__first_name="Elena")
    assert urlsplit(page.url).path == f"/turnos/{made.public_id}/"
    assert page.locator(".confirmation").is_visible()
    assert f"{made.start.astimezone(dt.UTC):%Y-%m-%dT%H:%MZ}" == chosen["start"][0]
    assert made.reason == "Control"
    # Reload and Back find the one appointment.
    page.reload()
    page.go_back()
    assert Appointment.objects.filter(patient__first_name="Elena").count() == 1


@looks
def test_a_patient_books_in_four_clicks_and_cancels(visitor: Visitor, look: Look):
    page = visitor.page(Role.PATIENT, look)
    before = set(Appointment.objects.values_list("pk", flat=True))
    thumb = Thumb(page)
    page.goto("/")
    thumb.press(".specialty-card a")
    # Far enough away to be cancelled here.
    thumb.press(page.locator("main .slot").last)
    thumb.choose("[name=patient]")
    thumb.press("main button[type=submit]")
    assert thumb.clicks <= 4
    (made,) = Appointment.objects.exclude(pk__in=before)
    assert urlsplit(page.url).path == f"/turnos/{made.public_id}/"

    follow(page.locator("main a[href$='/cancelar/']"))
    fill(page, reason="Viajo")
    send(page)
    made.refresh_from_db()
    assert (made.status, made.cancellation_reason) == (Status.CANCELLED, "Viajo")
    assert page.locator(".confirmation-over").is_visible()
    assert not OccupancyCell.objects.filter(appointment=made).exists()


@plain_looks
def test_a_patient_books_again_in_two_clicks(visitor: Visitor, look: Look):
    page = visitor.page(Role.PATIENT, look)
    before = set(Appointment.objects.values_list("pk", flat=True))
    thumb = Thumb(page)
    page.goto("/")
    thumb.press(".home-again .slot")
    thumb.choose("[name=patient]")
    thumb.press("main button[type=submit]")
    assert thumb.clicks <= 2
    assert Appointment.objects.exclude(pk__in=before).count() == 1


@plain_looks
def test_a_doctor_works_through_the_day(visitor: Visitor, look: Look):
    page = visitor.page(Role.PRACTITIONER, look)
    today = Appointment.objects.filter(practitioner__slug=DOCTOR, local_date=NOW.date())
    visit = today.filter(status=Status.PENDING).first()
    assert visit is not None
    page.goto("/agenda/")
    for step in (Status.BOOKED, Status.ARRIVED, Status.FULFILLED):
        row = page.locator(f"#turno-{visit.reference}")
        follow(row.locator(".agenda-do > form button"))
        visit.refresh_from_db()
        assert visit.status == step
        # Back at the row, which says what happened.
        assert page.url.endswith(f"#turno-{visit.reference}")
        assert row.locator("[role=status]").is_visible()

    other = today.filter(status=Status.BOOKED, start__gt=NOW).last()
    assert other is not None
    row = page.locator(f"#turno-{other.reference}")
    row.locator("summary").click()
    follow(row.locator("a[href$='/cancelar/']"))
    send(page)
    assert page.locator(".error-summary").is_visible()
    fill(page, reason="La doctora está enferma.")
    send(page)
    other.refresh_from_db()
    assert other.status == Status.CANCELLED
    assert other.cancellation_reason == "La doctora está enferma."


@plain_looks
def test_a_doctor_blocks_lunch(visitor: Visitor, look: Look):
    page = visitor.page(Role.PRACTITIONER, look)
    before = set(TimeOff.objects.values_list("pk", flat=True))
    page.goto("/agenda/bloqueos/semanal/")
    page.locator("[name=weekdays][value='1']").check()
    fill(page, start="13:00", end="14:00", reason="Almuerzo")
    send(page)
    if page.locator("[name=hit]").count():
        # Somebody has an appointment then: it is asked what becomes of it.
        page.locator("[name=hit][value=keep]").check()
        send(page)
    (lunch,) = TimeOff.objects.exclude(pk__in=before)
    assert (lunch.weekday, lunch.reason) == (1, "Almuerzo")
    assert urlsplit(page.url).path == "/agenda/bloqueos/"


@plain_looks
def test_reception_books_by_phone_in_two_clicks_and_undoes_a_mistake(visitor: Visitor, look: Look):
    page = visitor.page(Role.RECEPTION, look)
    before = set(Appointment.objects.values_list("pk", flat=True))
    page.goto("/recepcion/?sede=parque&dia=2026-11-24")
    thumb = Thumb(page)
    thumb.press(".agenda-gap a.btn")
    fill(page, q="sosa mar")
    page.locator("main [name=q]").press("Enter")
    thumb.press("button[name=paciente]")
    assert thumb.clicks == 2
    visit = Appointment.objects.exclude(pk__in=before).select_related("patient").get()
    assert visit.patient.full_name == "Mariana Sosa"
    row = page.locator(f"#turno-{visit.reference}")
    assert page.url.endswith(f"#turno-{visit.reference}")
    assert row.locator("[role=status]").is_visible()

    row.locator("summary").click()
    follow(row.locator("a[href$='/cancelar/']"))
    fill(page, reason="Llamó de nuevo: era otro día.")
    send(page)
    visit.refresh_from_db()
    assert visit.status == Status.CANCELLED
    follow(row.locator("form button"))
    visit.refresh_from_db()
    assert visit.status == Status.BOOKED


@plain_looks
def test_reception_registers_who_walks_in(visitor: Visitor, look: Look):
    page = visitor.page(Role.RECEPTION, look)
    page.goto("/recepcion/?sede=parque")
    follow(page.locator("a[href*='ahora=1']"))
    number = User.objects.count() + Appointment.objects.count()
    fill(page, q=f"Elsa Nueva{number}")
    page.locator("main [name=q]").press("Enter")
    follow(page.locator("a[href*='/pacientes/nuevo/']"))
    fill(page, birth_date_day="3", birth_date_month="4", birth_date_year="1951")
    send(page)
    if page.locator("[name=motivo]").count():
        # Whoever is first on the page has a visit at this moment.
        fill(page, motivo="Está aquí con fiebre.")
    follow(page.locator("button[name=paciente]"))
    visit = Appointment.objects.get(patient__last_name__startswith=f"Nueva{number}")
    assert visit.status == Status.ARRIVED
    assert page.locator(f"#turno-{visit.reference} [role=status]").is_visible()


@looks
def test_an_administrator_comes_through_the_same_door_and_cancels(visitor: Visitor, look: Look):
    assert User.objects.get(email=ADMINISTRATOR).is_staff
    visit = Appointment.objects.filter(status=Status.BOOKED, start__gt=NOW).first()
    assert visit is not None
    page = visitor.page(look=look)
    page.goto("/admin/")
    assert urlsplit(page.url).path == "/cuenta/ingresar/"
    fill(page, login=ADMINISTRATOR, password=PASSWORD)
    send(page)
    assert urlsplit(page.url).path == "/admin/"
    page.goto(f"/admin/appointments/appointment/?q={visit.reference}")
    page.locator(f"#result_list input[value='{visit.pk}']").check()
    page.locator("select[name=action]").select_option("cancel")
    follow(page.locator(".actions button[type=submit]"))
    page.locator("[name=reason]").fill("Se cierra la sala.")
    follow(page.locator(".submit-row [type=submit]"))
    visit.refresh_from_db()
    assert (visit.status, visit.cancellation_reason) == (Status.CANCELLED, "Se cierra la sala.")
