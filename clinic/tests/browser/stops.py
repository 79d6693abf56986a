"""The pages of the site by who meets them, the ones that refuse and correct included.

A row of the policy table that answers with a page and has no stop here fails
``test_every_page_has_a_stop``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib import admin
from django.urls import resolve, reverse

from accounts import handover, invitations
from accounts.models import (
    Patient,
    PatientAccess,
    Practitioner,
    RecordOffer,
    Relation,
    User,
)
from accounts.roles import Role
from appointments import freed
from appointments.availability import free_slots
from appointments.models import (
    Appointment,
    FreedTime,
    RuleChange,
    WaitingListEntry,
    WaitingOffer,
)
from appointments.tests.factories import NOW, at
from appointments.timetable import OfferedSlot
from appointments.transitions import Status
from appointments.views.public import book_url
from clinic.demo.staff import DOCTOR
from clinic.management.demo import PASSWORD
from clinic.tests.browser.acts import Act, fold_out, press, send, send_empty, send_without_token
from notifications import links, mailbox
from notifications.links import Purpose
from notifications.selectors import Recipient
from scheduling.models import DateOverride, Schedule, ServiceOffering

WEEK = dt.timedelta(weeks=1)
#: When the visits begin: not on the minute on which a time gets too near to be booked.
OPENED = NOW + dt.timedelta(minutes=5)
#: Somebody else's, or nobody's.
MISSING = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True)
class Stop:
    """A page: its address, what is done there first, and what the server then answers."""

    path: str
    status: int = 200
    act: Act | None = None

    def __str__(self) -> str:
        act = getattr(self.act, "__name__", "act") if self.act else ""
        return f"{self.path} {act} {self.status}".replace("  ", " ")

    @property
    def name(self) -> str:
        """By what the policy table knows the page."""
        return str(resolve(self.path.partition("?")[0]).view_name)


def stops_of(role: Role | None) -> list[Stop]:
    return list(STOPS[role]())


def to(name: str, *args: Any, query: str = "", **rest: Any) -> Stop:
    return Stop(reverse(name, args=args) + (f"?{query}" if query else ""), **rest)


def free_slot(
    practitioner: str = "", *, service: str = "", after: dt.datetime = OPENED
) -> OfferedSlot:
    """The first free slot from then on, as the times page would offer it."""
    offerings = ServiceOffering.objects.online().with_parts()
    if practitioner:
        offerings = offerings.filter(schedule__practitioner__slug=practitioner)
    if service:
        offerings = offerings.filter(service__slug=service)
    found = free_slots(list(offerings), start=after, end=after + 3 * WEEK, now=OPENED)
    by_pk = {o.pk: o for o in offerings}
    return OfferedSlot(found[0], by_pk[found[0].offering_id])


def visitors() -> Iterator[Stop]:
    """Anybody, without an account."""
    offered = book_url(free_slot(DOCTOR))
    signup = to("account_signup", query=f"next={offered.replace('?', '%3F').replace('&', '%26')}")
    yield to("home")
    yield to("appointments:times")
    yield to("appointments:times", query="what=clinica-medica")
    yield to("appointments:times", query="what=clinica-medica", act=fold_out)
    yield to("appointments:times", query=f"what=clinica-medica/consulta-clinica&who={DOCTOR}")
    yield to("appointments:times", query="who=soledad-maidana")
    yield to("appointments:times", query="who=nadie")
    yield to("appointments:times", query="since=99/99/2026", status=422)
    yield to("appointments:practitioners")
    yield to("appointments:practitioners", query="q=nadie")
    yield to("appointments:practitioner", DOCTOR)
    yield to("account_login")
    yield Stop(offered)
    yield to("account_login", act=send_empty, status=422)
    yield to("account_login", act=send_without_token, status=403)
    yield signup
    yield Stop(signup.path, act=send_empty, status=422)
    yield to("account_reset_password")
    yield to("account_reset_password", act=send_empty, status=422)
    yield to("account_reset_password_done")
    yield from _set_password()
    yield from _invitation()
    yield to("account_inactive")
    yield from _links_in_mails()
    yield to("notifications:demo_mail")
    yield to("notifications:demo_message", mailbox.newest()[0].name)
    for status in (400, 403, 404, 429, 500):
        yield Stop(f"/roto/{status}/", status=status)
    yield from _code()


def _links_in_mails() -> Iterator[Stop]:
    """Each purpose asked and done; too late, moved, and no link of ours."""
    user = User.objects.get(email="paciente@demo.test")
    mine = Appointment.objects.of_patients_of(user).filter(start__gt=OPENED).order_by("start")
    near, *_others, far = mine.filter(status=Status.BOOKED)
    gone = mine.filter(status=Status.CANCELLED).first()
    asked = Appointment.objects.filter(
        status=Status.PENDING, start__gt=OPENED, practitioner__user__isnull=False
    )[0]
    yield _link(Purpose.CONFIRM, asked, asked.practitioner.user)
    yield _link(Purpose.CANCEL, near, user)
    yield _link(Purpose.CANCEL, far, user)
    yield _link(Purpose.COME, far, user)
    yield Stop(_link(Purpose.COME, far, user).path, act=press)
    yield _link(Purpose.COME, gone, user)
    yield to("notifications:link", "voy", "x", status=404)


def _link(purpose: Purpose, visit: Appointment | None, user: User | None) -> Stop:
    assert visit is not None
    assert user is not None
    address = links.address(purpose, visit, Recipient.account(user))
    return Stop(address.removeprefix(settings.BASE_URL))


def _set_password() -> Iterator[Stop]:
    user = User.objects.get(email="martin.olmedo@demo.test")
    key = default_token_generator.make_token(user)
    name = "account_reset_password_from_key"
    link = reverse(name, kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    yield Stop(link)
    yield Stop(link, act=send_empty, status=422)
    yield Stop(reverse(name, kwargs={"uidb36": "1", "key": "1-x"}), status=404)


def _invitation() -> Iterator[Stop]:
    invited, _made = User.objects.get_or_create(email="nueva@demo.test", name="Nueva Médica")
    invited.set_unusable_password()
    invited.save()
    practitioner = Practitioner.objects.filter(user=None).first() or invited.practitioner
    Practitioner.objects.filter(pk=practitioner.pk).update(user=invited)
    link = to("accounts:invitation", invitations.make_token(User.objects.get(pk=invited.pk)))
    yield link
    yield Stop(link.path, act=send_empty, status=422)
    yield to("accounts:invitation", "x", status=404)
    yield from _take_over()


def _take_over() -> Iterator[Stop]:
    """A record offered to a new address, and to one that has an account."""
    grown = Patient.objects.get(first_name="Carla", last_name="Acosta Sosa")
    for email in ("carla@example.org", "paciente@demo.test"):
        offer, _made = RecordOffer.objects.get_or_create(
            patient=grown, email=email, defaults={"created_at": OPENED}
        )
        yield to("accounts:take_over", handover.make_token(offer))
        if email.startswith("carla"):
            link = to("accounts:take_over", handover.make_token(offer))
            yield Stop(link.path, act=send_empty, status=422)
    yield to("accounts:take_over", "x", status=404)


def _code() -> Iterator[Stop]:
    """The page that asks for the code, after a sign-up that no earlier walk has made."""
    number = User.objects.count()
    signup = send(
        first_name="Elena", last_name="Prueba", birth_date_day="27", birth_date_month="3",
        birth_date_year="1984", phone="11 4321-5678", email=f"elena{number}@example.org",
        password1="correct horse battery",
    )  # fmt: skip
    yield to("account_signup", act=signup)
    yield to("account_email_verification_sent", act=fold_out)
    yield to("account_email_verification_sent", act=send(code="000000"), status=422)


def patients() -> Iterator[Stop]:
    user = User.objects.get(email="paciente@demo.test")
    mine = Appointment.objects.of_patients_of(user).order_by("start")
    coming = mine.filter(start__gt=at(0, days=3))
    booked = coming.filter(status=Status.BOOKED).first()
    tomorrow = mine.filter(status=Status.BOOKED, start__gt=NOW).first()
    yield to("home")
    yield to("appointments:times", query="what=pediatria")
    yield to("appointments:practitioner", DOCTOR)
    yield to("appointments:list")
    yield to("appointments:list", query="page=2")
    for status in (Status.PENDING, Status.BOOKED, Status.FULFILLED, Status.NOSHOW):
        yield to("appointments:detail", mine.filter(status=status).last().public_id)
    yield to("appointments:detail", coming.filter(status=Status.CANCELLED).first().public_id)
    yield to("appointments:cancel", booked.public_id)
    yield to("appointments:cancel", booked.public_id, act=send(reason="x" * 301), status=422)
    yield to("appointments:cancel", tomorrow.public_id)
    yield to("appointments:move", booked.public_id)
    yield to("appointments:move", booked.public_id, act=lambda page: press(page, "main .slot"))
    yield to("appointments:move", booked.public_id, query="part=afternoon")
    yield to("appointments:move", tomorrow.public_id)
    yield to("appointments:detail", MISSING, status=404)
    yield from _book(booked)
    yield from _waiting(user, booked)
    yield to("accounts:profile")
    yield to("accounts:profile", act=send_empty, status=422)
    yield to("notifications:choices")
    yield to("notifications:choices", act=press)
    yield to("appointments:feed_settings")
    yield to("appointments:feed_settings", act=press)
    yield to("appointments:feed_settings")
    yield to("accounts:family")
    yield to("accounts:family_add")
    yield to("accounts:family_add", act=send_empty, status=422)
    yield to("send_again", act=_session_ends)
    child = Patient.objects.of(user).get(first_name="Julia").public_id
    yield to("accounts:family_edit", child)
    yield to("accounts:family_end", child)
    grown = Patient.objects.of(user).get(first_name="Carla")
    yield to("accounts:family_hand_over", grown.public_id)
    yield to("accounts:family_hand_over", grown.public_id, act=send_empty, status=422)
    yield from _looked_after(user)
    yield to("account_email")
    yield to("account_email", act=send_empty, status=422)
    yield to("account_change_password")
    yield to("account_change_password", act=send_empty, status=422)
    yield to("account_logout")
    yield to("appointments:agenda", status=403)


def _looked_after(user: User) -> Iterator[Stop]:
    """Somebody else looks after this person's record too."""
    own = user.patient_accesses.get(relation=Relation.SELF).patient
    carer = User.objects.get(email="martin.olmedo@demo.test")
    values = {"relation": Relation.OTHER, "ended_at": None}
    access, _made = PatientAccess.objects.update_or_create(user=carer, patient=own, defaults=values)
    yield to("accounts:profile")
    yield to("accounts:access_end", access.pk)


def _session_ends(page: Any) -> Any:
    """While a form is open: after the login it is offered again."""
    page.goto(reverse("accounts:family_add"))
    page.context.clear_cookies(name="sessionid")
    page.locator("[name=first_name]").fill("Tomás")
    press(page)
    page.locator("[name=login]").fill("paciente@demo.test")
    page.locator("[name=password]").fill(PASSWORD)
    return press(page)


def _book(booked: Appointment) -> Iterator[Stop]:
    """The confirm page: asked, corrected, taken, twice at once, twice on a day, token lost."""
    slot = book_url(free_slot(DOCTOR))
    yield Stop(slot)
    yield Stop(slot, act=send_empty, status=422)
    yield Stop(slot, act=send_without_token, status=403)
    yield Stop(book_url(free_slot(service="chequeo-anual")))
    others = Appointment.objects.filter(status=Status.BOOKED, start__gt=booked.start)
    taken = others.exclude(patient__accesses__user__in=booked.patient.accesses.values("user"))
    gone = taken.order_by("start").first()
    assert gone is not None
    yield Stop(_of(booked))  # one's own: leads to it
    yield Stop(_of(gone), status=409)
    other = free_slot("martin-olmedo", after=booked.start)
    if other.start.date() == booked.start.date():
        again = send(patient=str(booked.patient.public_id))
        yield Stop(book_url(other), act=again, status=409)


def _of(visit: Appointment) -> str:
    """Where this visit's time was booked."""
    offering = ServiceOffering.objects.get(
        schedule__practitioner=visit.practitioner,
        schedule__location=visit.location,
        service=visit.service,
    )
    start = f"{visit.start.astimezone(dt.UTC):%Y-%m-%dT%H:%MZ}"
    return f"{reverse('appointments:book')}?{urlencode({'offering': offering.pk, 'start': start})}"


def _waiting(user: User, booked: Appointment) -> Iterator[Stop]:
    """Alerts: none, the form asked, corrected and for an earlier time; offers open and over."""
    yield to("appointments:waiting_new", query="what=clinica-medica/consulta-clinica")
    yield to("appointments:waiting_new", query="what=clinica-medica")
    yield to("appointments:waiting_new", query=f"instead_of={booked.public_id}")
    yield to("appointments:waiting_new", act=send(until="1/1/2020"), status=422)
    declined = _offer(user, booked)
    freed.decline(offer=declined, now=OPENED)
    # What one has declined is not offered again.
    open_ = _offer(user, booked, after=declined.end)
    yield to("appointments:waiting")
    yield to("appointments:offer", open_.public_id)
    yield to("appointments:offer", declined.public_id)


def _offer(user: User, booked: Appointment, after: dt.datetime = OPENED) -> WaitingOffer:
    """A time that became free, offered to this account in place of its later appointment."""
    offered = free_slot(DOCTOR, after=after)
    time = FreedTime.objects.create(
        practitioner=offered.offering.practitioner,
        location=offered.offering.location,
        start=offered.slot.start,
        end=offered.slot.end,
        due_at=OPENED,
    )
    old = None if booked.service != offered.offering.service else booked
    WaitingListEntry.objects.create(
        user=user,
        patient=booked.patient,
        service=offered.offering.service,
        first_day=offered.day,
        last_day=offered.day,
        instead_of=old,
        created_at=OPENED,
    )
    freed.offer_next(time.pk, now=OPENED)
    return WaitingOffer.objects.get(freed=time)


def practitioners() -> Iterator[Stop]:
    doctor = Practitioner.objects.get(slug=DOCTOR)
    today = doctor.appointments.filter(local_date=NOW.date())
    pending = doctor.appointments.filter(status=Status.PENDING, start__gt=NOW).first()
    done = doctor.appointments.filter(status=Status.FULFILLED).first()
    yield to("appointments:agenda")
    yield to("appointments:agenda", act=fold_out)
    yield to("appointments:agenda_day", "2026-11-23", query="estado=por-confirmar")
    yield to("appointments:agenda_day", "2026-11-24")
    yield to("appointments:agenda_day", "2026-11-29")
    yield to("appointments:agenda_day", "2026-11-16")
    yield to("appointments:agenda_requests", act=fold_out)
    yield to("appointments:agenda_this_week")
    yield to("appointments:agenda_week", "2026-W47")
    for one in (pending, done, *today.filter(status=Status.CANCELLED)[:1]):
        yield to("appointments:agenda_appointment", one.public_id)
    yield to("appointments:agenda_cancel", pending.public_id)
    yield to("appointments:agenda_cancel", pending.public_id, act=send_empty, status=422)
    yield from _moved_by_staff("appointments:agenda_move", pending)
    yield to("appointments:patient_history", done.patient.public_id)
    yield to("appointments:agenda_appointment", MISSING, status=404)
    yield from _giving("appointments:give", "parque")
    yield to("appointments:export")
    yield to("appointments:export", act=send_empty, status=422)
    yield from _practice("")
    yield _undoable(Role.PRACTITIONER, doctor.user, "appointments:change")
    offering = doctor.schedules.get(location__slug="parque").offerings.first()
    yield to("appointments:why", query=f"servicio={offering.pk}&dia=28/11/2026")
    yield to("accounts:profile")
    yield to("notifications:choices")
    yield to("accounts:own_record")
    yield to("accounts:own_record", act=send_empty, status=422)
    yield to("accounts:family")
    yield Stop(book_url(free_slot("martin-olmedo")), status=403)
    yield to("appointments:desk", status=403)


def _moved_by_staff(name: str, visit: Appointment | None) -> Iterator[Stop]:
    """Free times, then old and new with the message; a message that is too long."""
    assert visit is not None
    choose = to(name, visit.public_id)
    yield choose
    yield Stop(choose.path, act=lambda page: press(page, "main .slot"))
    offering = ServiceOffering.objects.get(
        schedule__practitioner=visit.practitioner,
        schedule__location=visit.location,
        service=visit.service,
    )
    start = f"{visit.start + WEEK:%Y-%m-%dT%H:%MZ}"
    check = to(name, visit.public_id, query=f"offering={offering.pk}&start={start}")
    yield Stop(check.path, act=send(note="x" * 301), status=422)


def _practice(practitioner: str) -> Iterator[Stop]:
    """The time and the services of a practitioner: their own, or through the desk's door."""

    def page(name: str, *args: Any, **rest: Any) -> Stop:
        if practitioner:
            return to(f"appointments:desk_{name}", practitioner, *args, **rest)
        return to(f"appointments:{name}", *args, **rest)

    yield page("hours_at", "parque")
    yield page("hours_at", "parque", act=fold_out)
    yield page("hours_at", "parque", act=_wrong_hours, status=422)
    yield page("hours_at", "parque", act=_no_hours)
    yield page("hours_from", "parque")
    yield page("hours_from", "parque", act=send_empty, status=422)
    yield page("coming")
    yield page("overrides")
    yield page("override_add")
    yield page("override_add", act=send_empty, status=422)
    override = DateOverride.objects.filter(schedule__location__slug="parque").first()
    if practitioner and override:
        assert override.schedule.practitioner.slug == practitioner
        yield page("override_change", "parque", override.date)
        yield page("override_remove", "parque", override.date)
    yield page("time_off")
    for kind in ("time_off_add", "time_off_add_hours", "time_off_add_weekly"):
        yield page(kind)
        yield page(kind, act=send_empty, status=422)
    doctor = Practitioner.objects.get(slug=practitioner or DOCTOR)
    if not practitioner:
        yield page("time_off_add", act=send(first_day="24/11/2026", last_day="27/11/2026"))
        yield page("time_off_remove", doctor.time_off.first().pk)
    yield page("services")
    yield page("service_edit", "parque", "consulta-clinica")
    wrong = send(duration="media hora")
    yield page("service_edit", "parque", "consulta-clinica", act=wrong, status=422)


def _undoable(role: Role, by: User, name: str) -> Stop:
    """The page of a change of hours that can still be taken back."""
    visit = Appointment.objects.filter(start__gt=OPENED, status=Status.BOOKED).first()
    assert visit is not None
    change = RuleChange.objects.create(
        practitioner=visit.practitioner,
        about=str(visit.practitioner),
        by=by,
        role=role,
        at=OPENED,
        undo_until=OPENED + dt.timedelta(minutes=10),
        settled=[{"appointment": visit.pk}],
    )
    return to(name, change.public_id)


def _wrong_hours(page: Any) -> Any:
    page.locator("main table input:visible").first.fill("25:00")
    return press(page, "main button[name=save]")


def _no_hours(page: Any) -> Any:
    """Closing every day hits the appointments there are: the page that asks about them."""
    for box in page.locator("main table input:visible").all():
        box.fill("")
    return press(page, "main button[name=save]")


def reception() -> Iterator[Stop]:
    yield to("appointments:desk")
    yield to("appointments:desk", act=fold_out)
    yield to("appointments:desk", query="dia=2026-11-29")
    yield to("appointments:desk_requests", act=fold_out)
    yield to("appointments:desk_waiting")
    yield from _desk_visits()
    yield from _desk_patients()
    yield from _giving("appointments:desk_give", "parque")
    yield to("appointments:desk_export", query="sede=parque&dia=2026-11-24")
    yield to("appointments:desk_export", act=send_empty, status=422)
    yield to("appointments:desk_practitioners")
    yield from _practice("martin-olmedo")
    desk = User.objects.get(receptionist__isnull=False)
    yield _undoable(Role.RECEPTION, desk, "appointments:desk_change")
    coming = Appointment.objects.filter(
        location__in=desk.receptionist.locations.all(), start__gt=OPENED, status=Status.BOOKED
    )
    yield from _moved_by_staff("appointments:desk_move", coming.first())
    yield to("appointments:desk_why")
    offering = ServiceOffering.objects.get(
        schedule__practitioner__slug="martin-olmedo", service__slug="consulta-clinica"
    )
    asked = f"profesional=martin-olmedo&servicio={offering.pk}&dia=29/11/2026"
    yield to("appointments:desk_why", query=asked)
    yield to("home")
    yield to("accounts:profile")
    yield to("admin:index", status=403)


def _desk_visits() -> Iterator[Stop]:
    """One that was asked for, one that was overbooked, and the page that asks why."""
    here = Appointment.objects.filter(location__slug="parque", start__gt=NOW).order_by("start")
    pending = here.filter(status=Status.PENDING).first()
    over = here.filter(overbooked=True).first()
    assert pending is not None
    assert over is not None
    yield to("appointments:desk_appointment", pending.public_id)
    yield to("appointments:desk_appointment", over.public_id)
    yield to("appointments:desk_cancel", pending.public_id)
    yield to("appointments:desk_cancel", pending.public_id, act=send_empty, status=422)
    yield to("appointments:desk_appointment", MISSING, status=404)


def _desk_patients() -> Iterator[Stop]:
    mother = Patient.objects.get(first_name="Mariana", last_name="Sosa")
    yield to("appointments:desk_patients")
    yield to("appointments:desk_patients", query="q=a")
    yield to("appointments:desk_patients", query="q=nadie")
    yield to("appointments:desk_patient", mother.public_id)
    yield to("appointments:desk_waiting_new", mother.public_id)
    yield to("appointments:desk_waiting_new", mother.public_id, act=send_empty, status=422)
    yield to("appointments:desk_patient_edit", mother.public_id)
    yield to("appointments:desk_patient_edit", mother.public_id, act=send_empty, status=422)
    yield to("appointments:desk_patient_new", query="q=Elsa+Prueba")
    yield to("appointments:desk_patient_new", act=send_empty, status=422)
    same = send(
        first_name="Marianna", last_name="Sosa", birth_date_day="12", birth_date_month="4",
        birth_date_year="1988", document_number=mother.document_number,
    )  # fmt: skip
    yield to("appointments:desk_patient_new", act=same, status=409)


def _giving(name: str, place: str) -> Iterator[Stop]:
    """A free time, somebody found, nobody found, a time that is taken, on top of it."""
    taken = Appointment.objects.filter(
        practitioner__slug=DOCTOR, location__slug=place, status=Status.BOOKED, start__gt=OPENED
    ).order_by("start")[0]
    schedule = Schedule.objects.get(practitioner=taken.practitioner, location=taken.location)
    local = taken.start.astimezone(taken.zone)
    when = f"horario={schedule.pk}&dia={local:%Y-%m-%d}&hora={local:%H:%M}"
    yield to(name)
    yield to(name, query=f"horario={schedule.pk}&q=a")
    yield to(name, query=f"horario={schedule.pk}&q=nadie")
    yield to(name, query=f"horario={schedule.pk}&ahora=1")
    yield to(name, query="dia=99/99/2026", status=422)
    yield to(name, query=f"{when}&q=so")
    other = Appointment.objects.filter(practitioner=taken.practitioner, status=Status.FULFILLED)
    patient = other.exclude(patient__appointments__start=taken.start)[0].patient.public_id
    on_top = f"{when}&paciente={patient}"
    yield to(name, query=on_top)
    yield to(name, query=on_top, act=lambda page: press(page, "button[name=paciente]"), status=422)


def administrators() -> Iterator[Stop]:
    yield to("appointments:desk")
    yield to("accounts:profile")
    yield to("admin:index")
    yield to("admin:app_list", "clinic")
    for model, options in sorted(admin.site._registry.items(), key=lambda item: item[0].__name__):
        yield from _administration_of(model, options)
    yield to("admin:notifications_notification_health")
    yield to("admin:notifications_notification_health", act=_mail_test)
    yield to("admin:clinic_closure_import")
    yield to("admin:clinic_closure_import", query="country=AR&region=X&year=2026&location=")
    yield to("admin:clinic_closure_import", query="country=XX", status=422)
    yield to("admin:clinic_closure_import", query=_THIS_YEAR, act=_holidays)
    text = to("admin:notifications_messagetext_edit", "reminder", "es")
    yield text
    yield Stop(text.path, act=_preview("Nos vemos {day}"))
    yield Stop(text.path, act=_preview("{motivo}"), status=422)
    move = Appointment.objects.filter(status=Status.PENDING).first()
    assert move is not None
    change = reverse("admin:appointments_appointment_change", args=[move.pk])
    yield Stop(change, act=lambda page: press(page, ".moves button[value=cancel]"))
    yield Stop(change, act=_cancel_without_reason, status=422)
    schedule = Schedule.objects.get(practitioner__slug=DOCTOR, location__slug="parque")
    change = reverse("admin:scheduling_schedule_change", args=[schedule.pk])
    yield Stop(change, act=_shorter_week, status=422)


def _administration_of(model: Any, options: Any) -> Iterator[Stop]:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    yield to(f"{name}_changelist")
    first = model._default_manager.order_by("pk").first()
    if options.can_add and not (first and model.__name__ == "Organization"):
        yield to(f"{name}_add")
        yield to(f"{name}_add", act=lambda page: press(page, "[name=_save]"), status=422)
    if first:
        yield to(f"{name}_change", first.pk)
    if first and options.can_remove:
        yield to(f"{name}_delete", first.pk)


def _preview(subject: str) -> Act:
    def act(page: Any) -> Any:
        page.locator("[name=subject]").fill(subject)
        return press(page, "[name=preview]")

    return act


_THIS_YEAR = "country=AR&region=&year=2026&location="


def _mail_test(page: Any) -> Any:
    return press(page, "#content button[value=test]")


def _holidays(page: Any) -> Any:
    """Days on which there are appointments: the page that asks about them."""
    return press(page, "#content form[method=post] .submit-row [type=submit]")


def _cancel_without_reason(page: Any) -> Any:
    press(page, ".moves button[value=cancel]")
    return press(page, ".submit-row [type=submit]")


def _shorter_week(page: Any) -> Any:
    """The last hour of each shift goes: the admin asks about the appointments in it."""
    for box in page.locator("input[name$=-end]:visible").all():
        if box.input_value().startswith("18:00"):
            box.fill("09:00")
    return press(page, "[name=_save]")


STOPS = {
    None: visitors,
    Role.PATIENT: patients,
    Role.PRACTITIONER: practitioners,
    Role.RECEPTION: reception,
    Role.ADMINISTRATOR: administrators,
}
