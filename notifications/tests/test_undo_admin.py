"""What the administration changes for many can be undone like what one changes for oneself."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections import Counter
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils.html import strip_tags

from accounts.models import Practitioner
from accounts.roles import Actor, Role
from accounts.tests.factories import PatientFactory, UserFactory, administrator, patient_user
from appointments.changes import Answer, Change, Hit, Reach
from appointments.hits import obstacles, upcoming
from appointments.imports import Row, Step, import_appointments
from appointments.integrity import breaches, busy
from appointments.models import Appointment, RuleChange
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import admin_form, admin_page, browser, new_practice, words
from appointments.tests.race import overlaps_in_database, together
from appointments.transitions import Verb
from appointments.undo import Undone, WouldHit, undo
from clinic.models import Closure, Location, Organization
from notifications.models import Kind, Notification
from scheduling.models import ServiceOffering, TimeOff, WorkingHours

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.usefixtures("one_reminder"),
]

CLOSURES = "/admin/clinic/closure/"
IMPORT = f"{CLOSURES}importar/"
DAY = at(10).date().isoformat()


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def client() -> Client:
    return browser(administrator())


def visit_at(offering: ServiceOffering, **kwargs: Any) -> Appointment:
    return book(offering=offering, patient=patient_user().patient_accesses.get().patient, **kwargs)


def asked(response: Any) -> dict[str, Any]:
    """What the question carries by itself."""
    pattern = r'<input type="hidden" name="(ask|seen|rest|place-[-0-9a-f]+)" value="([^"]*)"'
    data: dict[str, Any] = {}
    for name, value in re.findall(pattern, response.content.decode()):
        data.setdefault(name, []).append(unescape(value))
    return data


def words_of(response: Any) -> str:
    """The text of a page of the administration, on one line."""
    return " ".join(strip_tags(response.content.decode()).split())


def save(client: Client, url: str, data: dict[str, Any], **answer: str) -> RuleChange:
    """Save, answer the question, and what can be undone now."""
    answer = answer or {"hit": "cancel", "note": "Obra"}
    question = client.post(url, data)
    assert question.status_code in {200, 422}
    done = client.post(url, {**data, **asked(question), **answer})
    assert done.status_code == 302, done.content.decode()
    return RuleChange.objects.get()


def take_back(client: Client, change: RuleChange) -> Any:
    return client.post(f"/recepcion/cambios/{change.public_id}/", follow=True)


def status(visit: Appointment) -> str:
    return Appointment.objects.get(pk=visit.pk).status


def in_order() -> bool:
    """Nothing is broken, and nothing is in the way of anybody."""
    counts: Counter[str] = Counter()
    clean = [*breaches(counts), *busy(counts)] == []
    return clean and not any(obstacles(list(upcoming())).values())


# --- each kind of change


def switch_off(client: Client, row: Any) -> tuple[str, dict[str, Any]]:
    data = admin_form(client, admin_page(row))
    del data["is_active"]
    return admin_page(row), data


def closure(client: Client, visit: Appointment) -> tuple[str, dict[str, Any]]:
    return f"{CLOSURES}add/", {"name": "Obra", "first_day": DAY, "last_day": DAY, "location": ""}


def vacation(client: Client, visit: Appointment) -> tuple[str, dict[str, Any]]:
    data = dict.fromkeys(["location", "reason", "weekday", "start", "end"], "")
    data |= {"starts_at_0": DAY, "starts_at_1": "00:00", "ends_at_0": DAY, "ends_at_1": "23:00"}
    return "/admin/scheduling/timeoff/add/", {**data, "practitioner": visit.practitioner_id}


def hours(client: Client, visit: Appointment) -> tuple[str, dict[str, Any]]:
    url = admin_page(visit.practitioner.schedules.get())
    return url, {**admin_form(client, url), "hours-1-DELETE": "on"}


def withdrawn(client: Client, visit: Appointment) -> tuple[str, dict[str, Any]]:
    url = admin_page(visit.practitioner.schedules.get())
    data = admin_form(client, url)
    del data["offerings-0-is_active"]
    return url, data


def part(path: str) -> Any:
    def change(client: Client, visit: Appointment) -> tuple[str, dict[str, Any]]:
        row: Any = visit
        for name in path.split("."):
            row = getattr(row, name)
        return switch_off(client, row)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(closure, id="closure"),
        pytest.param(vacation, id="time off"),
        pytest.param(hours, id="hours removed"),
        pytest.param(withdrawn, id="service withdrawn"),
        *(
            pytest.param(part(path), id=path)
            for path in (
                "location",
                "practitioner",
                "service",
                "service.specialty",
            )
        ),
    ],
)
def test_every_change_can_be_taken_back(client, change):
    visit = visit_at(new_practice())
    url, data = change(client, visit)
    made = save(client, url, data)
    assert status(visit) == "cancelled"
    notice = Notification.objects.get(kind=Kind.AWAY)
    assert notice.due_at == NOW + dt.timedelta(minutes=10)
    page = take_back(client, made)
    assert "Everything is as it was before." in page.content.decode()
    assert "1 appointment stands again." in page.content.decode()
    assert status(visit) == "booked"
    notice.refresh_from_db()
    assert notice.state == "void"
    assert in_order()
    assert (Closure.objects.count(), TimeOff.objects.count(), WorkingHours.objects.count()) == (
        0,
        0,
        7,
    )


def test_a_schedule_that_is_switched_off(client):
    visit = visit_at(new_practice())
    made = save(client, *switch_off(client, visit.practitioner.schedules.get()))
    take_back(client, made)
    assert status(visit) == "booked"
    assert in_order()


def test_a_patient_who_leaves_whom_nobody_is_told_of(client):
    visit = visit_at(new_practice())
    made = save(client, *part("patient")(client, visit))
    assert visit.patient.last_name not in f"{made.about}{made.before}{made.after}"
    take_back(client, made)
    assert status(visit) == "booked"
    assert in_order()


def test_a_closure_of_several_practitioners_is_one_change(client):
    visits = [visit_at(new_practice()) for _n in range(3)]
    made = save(client, *closure(client, visits[0]))
    assert made.practitioner is None
    assert {one["appointment"] for one in made.settled} == {v.pk for v in visits}
    take_back(client, made)
    assert [status(v) for v in visits] == ["booked"] * 3
    assert in_order()


def test_holidays_that_were_imported(client):
    visits = [visit_at(new_practice(), start=at(10, days=15)) for _n in range(2)]
    data = {"country": "AR", "region": "", "year": "2026", "location": ""}
    made = save(client, IMPORT, {**data, "day": ["2026-12-08", "2026-12-25"]})
    assert Closure.objects.count() == 2
    page = client.get(CLOSURES)
    assert f"/recepcion/cambios/{made.public_id}/" in page.content.decode()
    take_back(client, made)
    assert [status(v) for v in visits] == ["booked", "booked"]
    assert not Closure.objects.exists()


def test_each_appointment_has_its_own_choice_and_moves_come_back(client):
    offering = new_practice()
    one, two, three = (visit_at(offering, start=at(hour)) for hour in (9, 10, 11))
    url, data = closure(client, one)
    question = client.post(url, data)
    assert b"Move it to the time proposed" in question.content
    answer = {f"own-{two.public_id}": "move", f"own-{three.public_id}": "cancel"}
    made = save(client, url, data, hit="keep", note="Obra", **answer)
    assert [status(v) for v in (one, two, three)] == ["booked", "cancelled", "cancelled"]
    moved = Appointment.objects.get(rescheduled_from=two)
    assert moved.local_date == at(9, days=2).date()
    take_back(client, made)
    assert [status(v) for v in (one, two, three)] == ["booked"] * 3
    assert status(moved) == "cancelled"
    assert in_order()


def test_more_than_anybody_goes_through_are_answered_for_at_once(client, monkeypatch):
    """Only the soonest have a choice of their own; the others follow the choice for all."""
    for module in ("appointments.changes", "appointments.forms.hits"):
        monkeypatch.setattr(f"{module}.MOST_SHOWN", 2)
    offering = new_practice()
    visits = [visit_at(offering, start=at(hour)) for hour in (9, 10, 11, 12)]
    url, data = closure(client, visits[0])
    question = client.post(url, data)
    assert "And 2 more after these" in words_of(question)
    moved = client.post(url, {**data, **asked(question), "hit": "move"})
    assert moved.status_code == 422
    assert "Only those in the list can move." in words_of(moved)
    own = {f"own-{visits[0].public_id}": "move", f"own-{visits[1].public_id}": "keep"}
    silent = client.post(url, {**data, **asked(question), "hit": "cancel", **own})
    assert "Write why: the patients read it in the notice." in words_of(silent)
    made = save(client, url, data, hit="cancel", note="Obra", **own)
    assert [status(v) for v in visits] == ["cancelled", "booked", "cancelled", "cancelled"]
    assert len(made.settled) == 3
    take_back(client, made)
    assert [status(v) for v in visits] == ["booked"] * 4
    assert in_order()


def test_hundreds_do_not_break_the_form(client):
    """Django takes a thousand fields in a form."""
    offerings = [new_practice(duration=5) for _n in range(3)]
    visits = import_appointments(
        (
            Row(
                patient=patient,
                practitioner=offering.practitioner,
                service=offering.service,
                location=offering.location,
                start=at(9) + n * dt.timedelta(minutes=5),
                end=at(9) + (n + 1) * dt.timedelta(minutes=5),
                steps=[Step(Verb.BOOK, NOW - dt.timedelta(days=1), desk())],
            )
            for offering in offerings
            for n, patient in enumerate(PatientFactory.create_batch(96))
        ),
        desk(),
        now=NOW,
    )
    made = save(client, *closure(client, visits[0]))
    assert len(made.settled) == 288
    assert {a.status for a in Appointment.objects.all()} == {"cancelled"}


# --- where it is offered, and to whom


def test_the_offer_stands_where_one_lands_and_on_the_start_page(client, clock):
    visit = visit_at(new_practice())
    made = save(client, *closure(client, visit))
    link = f'href="/recepcion/cambios/{made.public_id}/"'
    for url in (CLOSURES, "/admin/", admin_page(Closure.objects.get()), "/admin/clinic/location/"):
        assert link in client.get(url).content.decode(), url
    assert "Obra" in words(client.get(f"/recepcion/cambios/{made.public_id}/"))
    clock.shift(dt.timedelta(minutes=10))
    assert link not in client.get(CLOSURES).content.decode()
    take_back(client, made)
    assert Closure.objects.count() == 1
    assert status(visit) == "cancelled"


def test_another_administrator_does_not_take_it_back(client):
    made = save(client, *closure(client, visit_at(new_practice())))
    other = browser(UserFactory.create(is_staff=True))
    url = f"/recepcion/cambios/{made.public_id}/"
    assert (other.get(url).status_code, other.post(url).status_code) == (404, 404)
    assert "undo-offers" not in other.get(CLOSURES).content.decode()
    assert Closure.objects.count() == 1


def test_what_changes_no_rule_offers_nothing(client):
    offering = new_practice()
    url = admin_page(offering.location)
    assert client.post(url, {**admin_form(client, url), "name": "Otra"}).status_code == 302
    new: dict[str, Any] = {
        "name": "Nueva",
        "slug": "nueva",
        "address": "x",
        "time_zone": "Europe/Madrid",
    }
    new |= {"rooms-TOTAL_FORMS": 0, "rooms-INITIAL_FORMS": 0, "is_active": "on"}
    assert client.post("/admin/clinic/location/add/", new).status_code == 302
    assert Location.objects.count() == 2
    assert not RuleChange.objects.exists()


def test_only_the_rules_go_back_not_what_was_typed_along(client):
    offering = new_practice()
    visit = visit_at(offering)
    url, data = switch_off(client, offering.location)
    made = save(client, url, {**data, "directions": "Timbre 3"})
    take_back(client, made)
    place = Location.objects.get()
    assert (place.is_active, place.directions) == (True, "Timbre 3")
    assert status(visit) == "booked"


# --- what happened since


def test_whoever_changed_it_again_is_not_overruled(client):
    made = save(client, *closure(client, visit_at(new_practice())))
    Closure.objects.update(name="Feriado puente")
    page = take_back(client, made)
    assert "The same hours have been changed again" in page.content.decode()
    assert Closure.objects.count() == 1


def test_nobody_who_booked_since_is_hit_in_silence(client):
    """A Sunday that was opened and booked does not close by itself again."""
    offering = new_practice()
    offering.schedule.hours.filter(weekday=6).delete()
    url = admin_page(offering.schedule)
    data = admin_form(client, url)
    sunday = {"weekday": 6, "start": "10:00", "end": "12:00", "schedule": offering.schedule_id}
    data |= {f"hours-6-{name}": value for name, value in sunday.items()} | {"hours-TOTAL_FORMS": 7}
    assert client.post(url, data).status_code == 302
    change = RuleChange.objects.get()
    visit = visit_at(offering, start=at(10, days=6))
    page = take_back(client, change)
    assert "an appointment was made that undoing would hit" in page.content.decode()
    assert offering.schedule.hours.filter(weekday=6).count() == 1
    assert status(visit) == "booked"
    change.refresh_from_db()
    assert change.undone_at is None


# --- several at once


def closing(location: Location | None, by: Actor) -> Change:
    day = at(10).date()
    return Change(
        Reach(
            practitioner=None,
            locked=Practitioner.objects.values_list("pk", flat=True),
            appointments=lambda rows: rows.filter(local_date=day),
            rules=lambda: [Closure.objects.filter(first_day=day)],
            about="Obra",
        ),
        lambda: Closure.objects.create(
            location=location, first_day=day, last_day=day, name=str(location)
        ),
        by,
    )


@pytest.mark.django_db(transaction=True)
def test_undoing_and_booking_at_once_end_in_order():
    """All the practitioners are locked in one order: nobody waits for ever, nobody is lost."""
    Organization.current()
    offerings = [new_practice() for _n in range(4)]
    visits = [book(offering=offering) for offering in offerings]
    by = Actor(administrator(), Role.ADMINISTRATOR)
    answer = Answer(frozenset(v.pk for v in visits), for_all=Hit.CANCEL, note="x")
    made = closing(None, by).make(answer=answer, now=NOW)
    results = together(
        [
            functools.partial(undo, change=made.change, by=by, now=NOW),
            *(functools.partial(book, offering=o, start=at(10, days=2)) for o in offerings),
            *(functools.partial(book, offering=o, start=at(10)) for o in offerings),
        ]
    )
    assert isinstance(results[0], Undone)
    assert [a for a in results[0].lost if status(a) != "cancelled"] == []
    assert not Closure.objects.exists()
    assert not any(obstacles(list(upcoming(NOW))).values())
    assert sum(overlaps_in_database().values()) == 0
    assert Appointment.objects.occupying().count() == 8


@pytest.mark.django_db(transaction=True)
def test_two_changes_for_everybody_at_once_wait_for_each_other():
    Organization.current()
    offerings = [new_practice() for _n in range(4)]
    by = Actor(administrator(), Role.ADMINISTRATOR)
    deeds = [functools.partial(closing(o.location, by).make, now=NOW) for o in offerings]
    results = together(deeds)
    assert [type(r).__name__ for r in results] == ["Made"] * 4
    assert Closure.objects.count() == 4


def test_undone_at_the_service_refuses_too():
    """The refusal is the verb's, not the page's."""
    offering = new_practice()
    hours = offering.schedule.hours.filter(weekday=6)
    hours.delete()
    change = Change(
        Reach.of(offering.practitioner),
        lambda: WorkingHours.objects.create(
            schedule=offering.schedule, weekday=6, start=dt.time(9), end=dt.time(12)
        ),
        desk(),
    )
    made = change.make(now=NOW)
    book(offering=offering, start=at(9, days=6), now=NOW + dt.timedelta(minutes=1))
    with pytest.raises(WouldHit):
        undo(change=made.change, by=desk(), now=NOW + dt.timedelta(minutes=2))
    assert hours.count() == 1
