"""Dates that differ from the week, in the hands of the practitioner and of the desk."""

import datetime as dt

import pytest
from django.urls import reverse

from accounts.models import Practitioner
from accounts.roles import Role
from accounts.tests.factories import (
    PatientFactory,
    ReceptionistFactory,
    administrator,
    patient_user,
)
from appointments.availability import free_slots
from appointments.changes import Change, Reach
from appointments.exceptions import SlotClosed
from appointments.models import Appointment
from appointments.tests.factories import NOW, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    doctor_of,
    new_practice,
    second_place,
    sent_again,
    status,
    words,
)
from appointments.views.overrides import MOST
from clinic.models import AuditEvent, Closure
from scheduling.models import DateOverride, ServiceOffering
from scheduling.services import set_overrides
from scheduling.tests.factories import open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

LIST, ADD = "/agenda/excepciones/", "/agenda/excepciones/nueva/"
TUESDAY = dt.date(2026, 11, 24)
ONE = f"{LIST}centro/2026-11-24/"


@pytest.fixture
def offering():
    return new_practice(schedule__location__slug="centro", schedule__location__name="Centro")


def said(schedule):
    return [
        (str(o.date), o.kind, o.start and f"{o.start:%H:%M}–{o.end:%H:%M}")
        for o in schedule.overrides.order_by("date", "start")
    ]


def closed(offering, day=TUESDAY):
    return DateOverride.objects.create(schedule=offering.schedule, date=day, kind="closed")


def starts(offering, day):
    """The times of a day that patients see, by the clock."""
    fresh = ServiceOffering.objects.with_parts().get(pk=offering.pk)
    begin = dt.datetime.combine(day, dt.time(), tzinfo=NOW.tzinfo)
    slots = free_slots([fresh], start=begin, end=begin + dt.timedelta(days=1), now=NOW)
    return [f"{slot.start.astimezone(NOW.tzinfo):%H:%M}" for slot in slots]


def test_more_exceptions_than_are_shown_are_mentioned(doctor, offering):
    """A date with several hours counts once."""
    days = [TUESDAY + dt.timedelta(days=n) for n in range(MOST + 1)]
    hours = [(dt.time(9), dt.time(10)), (dt.time(11), dt.time(12)), (dt.time(14), dt.time(15))]
    by = doctor_of(offering)
    kind = DateOverride.Kind.INSTEAD
    set_overrides(schedule=offering.schedule, dates=days[:-1], kind=kind, spans=hours, by=by)
    assert "There are more" not in words(doctor.get(LIST))
    set_overrides(schedule=offering.schedule, dates=days[-1:], kind=kind, spans=hours, by=by)
    response = doctor.get(LIST)
    assert len(response.context["coming"]) == MOST
    assert "There are more after Wednesday 3 March 2027." in words(response)


# --- add


def test_a_closed_day(doctor, offering):
    response = doctor.post(ADD, {"first_day": "24/11/2026", "kind": "closed"})
    assert (response.status_code, response.url) == (302, LIST)
    assert said(offering.schedule) == [("2026-11-24", "closed", None)]
    text = words(doctor.get(LIST))
    assert "The exception is saved." in text
    assert "Tuesday 24 November 2026 Closed" in text
    assert starts(offering, TUESDAY) == []


def test_closed_from_one_day_to_another(doctor, offering):
    data = {"first_day": "24/11/2026", "last_day": "26/11/2026", "kind": "closed"}
    assert doctor.post(ADD, data).status_code == 302
    assert [o.date.day for o in offering.schedule.overrides.order_by("date")] == [24, 25, 26]
    event = AuditEvent.objects.get(action="schedule.set_overrides")
    assert event.details["dates"] == ["2026-11-24", "2026-11-25", "2026-11-26"]
    assert event.actor == account_of(offering).email


def test_other_hours_in_several_pieces(doctor, offering):
    data = {
        "first_day": "24/11/2026",
        "kind": "instead",
        "o_0_from": "18",
        "o_0_to": "19:30",
        "o_1_from": "10",
        "o_1_to": "11",
    }
    assert doctor.post(ADD, data).status_code == 302
    assert "Other hours: 10:00–11:00, 18:00–19:30" in words(doctor.get(LIST))
    assert starts(offering, TUESDAY) == ["10:00", "10:30", "18:00", "18:30", "19:00"]


def test_an_extra_saturday(doctor, offering):
    saturday = dt.date(2026, 11, 28)
    offering.schedule.hours.filter(weekday=5).delete()
    data = {"first_day": "28/11/2026", "kind": "extra", "o_0_from": "9", "o_0_to": "10"}
    assert doctor.post(ADD, data).status_code == 302
    assert "More hours: 9:00–10:00" in words(doctor.get(LIST))
    assert starts(offering, saturday) == ["09:00", "09:30"]


def holiday(day=TUESDAY, **fields):
    fields.setdefault("can_be_worked", True)
    return Closure.objects.create(first_day=day, last_day=day, name="Feriado puente", **fields)


@pytest.mark.parametrize("kind", ["instead", "extra"])
def test_a_holiday_is_worked_in_the_hours_of_its_exception_only(doctor, offering, kind):
    holiday()
    assert starts(offering, TUESDAY) == []
    data = {"first_day": "24/11/2026", "kind": kind, "o_0_from": "10", "o_0_to": "11"}
    assert doctor.post(ADD, data).status_code == 302
    assert starts(offering, TUESDAY) == ["10:00", "10:30"]
    visit = book(offering=offering, start=at(10))
    assert visit.start == at(10)
    with pytest.raises(SlotClosed):
        book(offering=offering, start=at(12))


def test_a_holiday_stays_closed_for_everybody_else(doctor, offering):
    holiday()
    colleague = new_practice(schedule__location=offering.location)
    away = second_place(offering)
    open_week(away.schedule)
    data = {"first_day": "24/11/2026", "kind": "instead", "o_0_from": "10", "o_0_to": "11"}
    data["location"] = "centro"
    assert doctor.post(ADD, data).status_code == 302
    assert starts(colleague, TUESDAY) == starts(away, TUESDAY) == []


def test_whoever_no_longer_works_on_a_holiday_is_asked_about_the_booked(doctor, offering):
    holiday()
    DateOverride.objects.create(
        schedule=offering.schedule,
        date=TUESDAY,
        kind="instead",
        start=dt.time(10),
        end=dt.time(12),
    )
    visit = book(offering=offering, start=at(10))
    asked = doctor.post(f"{ONE}quitar/")
    assert "This change affects 1 appointment" in words(asked)
    assert said(offering.schedule) == [("2026-11-24", "instead", "10:00–12:00")]
    assert doctor.post(f"{ONE}quitar/", {**sent_again(asked), "hit": "keep"}).status_code == 302
    assert status(visit) == "booked"


def test_the_question_says_whom_nobody_writes_to(doctor, offering):
    holiday()
    DateOverride.objects.create(
        schedule=offering.schedule,
        date=TUESDAY,
        kind="instead",
        start=dt.time(10),
        end=dt.time(12),
    )
    ana = {"first_name": "Ana", "last_name": "Gómez", "phone": "+541148650001"}
    book(offering=offering, start=at(10), patient=PatientFactory.create(email="", **ana))
    written = PatientFactory.create(email="bruno@example.org", last_name="Paz")
    book(offering=offering, start=at(11), patient=written)
    asked = words(doctor.post(f"{ONE}quitar/"))
    assert "Ana Gómez has no e-mail here: call +54 11 4865-0001." in asked
    assert asked.count("no e-mail") == 1


@pytest.mark.parametrize("kind", ["instead", "extra"])
@pytest.mark.parametrize("here", [True, False])
def test_hours_on_a_day_that_nobody_works_are_refused_with_its_name(doctor, offering, kind, here):
    place = offering.location if here else None
    holiday(dt.date(2026, 11, 25), can_be_worked=False, location=place)
    data = {"first_day": "24/11/2026", "last_day": "26/11/2026", "kind": kind}
    response = doctor.post(ADD, {**data, "o_0_from": "10", "o_0_to": "11"})
    assert response.status_code == 422
    assert (
        "On Wednesday 25 November 2026 it is closed: Feriado puente. "
        "Only the administration can open that day."
    ) in words(response)
    assert said(offering.schedule) == []
    assert doctor.post(ADD, {**data, "kind": "closed"}).status_code == 302


def test_hours_on_a_day_on_which_another_location_is_closed(doctor, offering):
    away = second_place(offering)
    holiday(can_be_worked=False, location=away.location)
    data = {"first_day": "24/11/2026", "kind": "extra", "o_0_from": "18", "o_0_to": "19"}
    assert doctor.post(ADD, {**data, "location": "centro"}).status_code == 302


def test_other_hours_of_a_day_that_was_closed_since_are_refused_too(doctor, offering):
    closed(offering)
    holiday(can_be_worked=False)
    data = {"kind": "instead", "o_0_from": "10", "o_0_to": "11"}
    response = doctor.post(f"{ONE}", data)
    assert response.status_code == 422
    assert "On Tuesday 24 November 2026 it is closed: Feriado puente." in words(response)


def test_a_night_has_to_be_marked(doctor, offering):
    data = {"first_day": "24/11/2026", "kind": "extra", "o_0_from": "22", "o_0_to": "2"}
    response = doctor.post(ADD, data)
    assert response.status_code == 422
    assert "If it ends the next day, mark that." in words(response)
    assert doctor.post(ADD, {**data, "o_night": "on"}).status_code == 302
    assert said(offering.schedule) == [("2026-11-24", "extra", "22:00–02:00")]
    assert starts(offering, dt.date(2026, 11, 25))[:4] == ["00:00", "00:30", "01:00", "01:30"]


def test_a_closed_day_forgets_the_hours_that_stood_in_the_boxes(doctor, offering):
    data = {"first_day": "24/11/2026", "kind": "closed", "o_0_from": "99", "o_0_to": ""}
    assert doctor.post(ADD, {**data, "o_0_from": "9"}).status_code == 302
    assert said(offering.schedule) == [("2026-11-24", "closed", None)]


HOURS = {"o_0_from": "9", "o_0_to": "10"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"kind": "closed"}, "Write the day."),
        ({"first_day": "24/11/2026"}, "Choose what is different."),
        ({"first_day": "24/11/2026", "kind": "burn"}, "This option is no longer there."),
        ({"first_day": "22/11/2026", "kind": "closed", "last_day": "x" * 10_000}, "Write the date"),
        ({"first_day": "20/11/2026", "kind": "closed"}, "This day is over."),
        ({"first_day": "1/1/2190", "kind": "closed"}, "Write a day within the next three years."),
        ({"first_day": "9999-12-31", "kind": "closed"}, "Write a year between 1900 and 2200."),
        ({"first_day": "0000-00-00", "kind": "closed"}, "Write a year between 1900 and 2200."),
        (
            {"first_day": "24/11/2026", "last_day": "23/11/2026", "kind": "closed"},
            "The last day cannot be before the first.",
        ),
        (
            {"first_day": "24/11/2026", "last_day": "25/1/2027", "kind": "closed"},
            "For more than two months, add time off instead.",
        ),
        ({"first_day": "24/11/2026", "kind": "extra"}, "Write from when to when it is open."),
        (
            {"first_day": "24/11/2026", "kind": "extra", "o_0_from": "9"},
            "Write when this shift ends, or empty it.",
        ),
        (
            {**HOURS, "first_day": "24/11/2026", "kind": "extra", "o_1_from": "9", "o_1_to": "11"},
            "9:00–10:00 and 9:00–11:00 overlap. Change one of them.",
        ),
        (
            {**HOURS, "first_day": "24/11/2026", "kind": "extra", "o_night": "on"},
            "9:00–10:00 ends on the same day. Take the mark away.",
        ),
        (
            {"first_day": "24/11/2026", "kind": "instead", "o_0_from": "9\x00", "o_0_to": "9:01"},
            "Use a time on the five-minute grid, for example 9:00 or 9:05.",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(doctor, data, sentence):
    response = doctor.post(ADD, data)
    assert response.status_code == 422
    assert sentence in words(response)
    assert not DateOverride.objects.exists()


def test_a_date_has_one_exception(doctor, offering):
    closed(offering)
    data = {"first_day": "23/11/2026", "last_day": "30/11/2026", "kind": "closed"}
    response = doctor.post(ADD, data)
    assert response.status_code == 422
    sentence = "There is already an exception on Tuesday 24 November 2026. Change or remove it."
    assert sentence in words(response)


def test_each_location_has_its_own(doctor, offering):
    norte = second_place(offering, location__slug="norte", location__name="Norte")
    data = {"first_day": "24/11/2026", "kind": "closed", "location": "norte"}
    assert doctor.post(ADD, {**data, "location": ""}).status_code == 422
    assert doctor.post(ADD, data).status_code == 302
    assert (said(offering.schedule), len(said(norte.schedule))) == ([], 1)
    assert "Closed · Norte" in words(doctor.get(LIST))


def test_a_link_brings_the_day_along(doctor):
    page = doctor.get(f"{ADD}?dia=2026-12-24").content.decode()
    assert 'name="first_day" value="2026-12-24"' in page


@pytest.mark.parametrize("day", ["0000-00-00", "x" * 10_000, "%00"])
def test_a_link_with_nonsense_opens_the_form(doctor, day):
    assert doctor.get(f"{ADD}?dia={day}&sede={day}").status_code == 200


# --- change and remove


def test_an_exception_is_changed(doctor, offering):
    closed(offering)
    page = doctor.get(ONE)
    assert "Change the exception" in words(page)
    data = {"kind": "instead", "o_0_from": "9", "o_0_to": "10"}
    assert doctor.post(ONE, data).url == LIST
    assert said(offering.schedule) == [("2026-11-24", "instead", "09:00–10:00")]


def test_the_hours_of_an_exception_stand_in_the_boxes(doctor, offering):
    by = doctor_of(offering)
    spans = [(dt.time(9), dt.time(10)), (dt.time(22), dt.time(1))]
    kind = DateOverride.Kind.INSTEAD
    set_overrides(schedule=offering.schedule, dates=[TUESDAY], kind=kind, spans=spans, by=by)
    page = doctor.get(ONE).content.decode()
    assert 'name="o_1_from" value="22:00"' in page
    assert 'name="o_night" id="id_o_night" checked' in page


def test_an_exception_is_removed_after_a_question(doctor, offering):
    closed(offering)
    assert "The usual hours of this day will hold again." in words(doctor.get(f"{ONE}quitar/"))
    assert said(offering.schedule) != []
    assert doctor.post(f"{ONE}quitar/").url == LIST
    assert said(offering.schedule) == []
    assert AuditEvent.objects.filter(action="schedule.remove_overrides").count() == 1
    assert doctor.post(f"{ONE}quitar/").status_code == 404


def test_what_is_over_is_not_listed(doctor, offering):
    closed(offering, NOW.date() - dt.timedelta(days=1))
    assert "No exceptions to come." in words(doctor.get(LIST))


# --- appointments that it hits


def test_closing_asks_about_the_appointments(doctor, offering):
    visit = book(offering=offering)
    data = {"first_day": "24/11/2026", "kind": "closed"}
    asked = doctor.post(ADD, data)
    assert asked.status_code == 200
    assert "This change affects 1 appointment" in words(asked)
    assert not DateOverride.objects.exists()
    assert not AuditEvent.objects.filter(action="schedule.set_overrides").exists()
    assert doctor.post(ADD, {**sent_again(asked), "hit": "keep"}).status_code == 302
    assert (status(visit), DateOverride.objects.count()) == ("booked", 1)


def test_hours_that_leave_the_appointment_inside_ask_nothing(doctor, offering):
    book(offering=offering)
    data = {"first_day": "24/11/2026", "kind": "instead", "o_0_from": "10", "o_0_to": "11"}
    assert doctor.post(ADD, data).status_code == 302


def test_removing_extra_hours_asks_about_who_is_in_them(doctor, offering):
    by, kind = doctor_of(offering), DateOverride.Kind.EXTRA
    spans = [(dt.time(18), dt.time(20))]
    set_overrides(schedule=offering.schedule, dates=[TUESDAY], kind=kind, spans=spans, by=by)
    visit = book(offering=offering, start=at(18))
    asked = doctor.post(f"{ONE}quitar/")
    assert "This change affects 1 appointment" in words(asked)
    answer = {**sent_again(asked), "hit": "cancel", "note": "Ese día no abrimos"}
    assert doctor.post(f"{ONE}quitar/", answer).status_code == 302
    visit = Appointment.objects.get(pk=visit.pk)
    assert (visit.status, visit.cancellation_reason) == ("cancelled", "Ese día no abrimos")
    assert not DateOverride.objects.exists()


def test_back_to_the_form_keeps_what_was_typed(doctor, offering):
    book(offering=offering)
    asked = doctor.post(ADD, {"first_day": "24/11/2026", "kind": "closed"})
    response = doctor.post(ADD, {**sent_again(asked), "edit": "1"})
    assert response.status_code == 200
    assert 'name="first_day" value="24/11/2026"' in response.content.decode()


def test_a_rehearsal_leaves_nothing_behind(offering):
    visit = book(offering=offering)
    by = doctor_of(offering)
    change = Change(
        Reach.of(offering.practitioner),
        lambda: set_overrides(
            schedule=offering.schedule, dates=[TUESDAY], kind=DateOverride.Kind.CLOSED, by=by
        ),
        by,
    )
    assert [hit.appointment for hit in change.would_hit(NOW)] == [visit]
    assert not DateOverride.objects.exists()


def test_a_rehearsal_asks_as_often_for_thirty(offering, django_assert_max_num_queries):
    by = doctor_of(offering)
    change = Change(Reach.of(offering.practitioner), lambda: None, by)
    book(offering=offering)
    with django_assert_max_num_queries(25) as one:
        change.would_hit(NOW)
    for hour in range(9, 16):
        for days in (2, 3, 4, 5):
            book(offering=offering, start=at(hour, days=days))
    with django_assert_max_num_queries(25) as many:
        change.would_hit(NOW)
    assert len(many) == len(one)


def test_the_list_asks_as_often_for_thirty(offering, django_assert_max_num_queries):
    doctor = browser(account_of(offering))
    closed(offering)
    with django_assert_max_num_queries(20) as one:
        doctor.get(LIST)
    for days in range(2, 31):
        closed(offering, TUESDAY + dt.timedelta(days=days))
    with django_assert_max_num_queries(20) as many:
        doctor.get(LIST)
    assert len(many) == len(one)


# --- who may


ADDRESSES = [LIST, ADD, ONE, f"{ONE}quitar/"]


def test_another_practitioner_finds_nothing_of_mine(offering):
    closed(offering)
    stranger = browser(account_of(new_practice()))
    for url in ADDRESSES[2:]:
        assert stranger.get(url).status_code == 404, url
        assert stranger.post(url).status_code == 404, url
    assert "No exceptions to come." in words(stranger.get(LIST))


@pytest.mark.parametrize("who", [patient_user, administrator, ReceptionistFactory.create])
def test_other_roles_are_sent_away(offering, who):
    found = who()
    client = browser(getattr(found, "user", found))
    for url in ADDRESSES:
        assert client.get(url).status_code == 403, url
        assert client.post(url).status_code in {403, 405}, url


def test_without_an_account_to_the_login(offering):
    for url in ADDRESSES:
        assert browser().get(url)["Location"] == f"{reverse('account_login')}?next={url}"


def desks(offering, url):
    slug = Practitioner.objects.get(pk=offering.practitioner.pk).slug
    return url.replace("/agenda/", f"/recepcion/profesionales/{slug}/")


def test_the_desk_closes_a_day_on_their_behalf(offering):
    user = ReceptionistFactory.create(locations=[offering.location]).user
    visit = book(offering=offering)
    desk = browser(user)
    asked = desk.post(desks(offering, ADD), {"first_day": "24/11/2026", "kind": "closed"})
    answer = {**sent_again(asked), "hit": "cancel", "note": "Está enferma"}
    response = desk.post(desks(offering, ADD), answer)
    assert response["Location"] == desks(offering, LIST)
    event = Appointment.objects.get(pk=visit.pk).events.last()
    assert (event.by, event.role) == (user, Role.RECEPTION)
    assert "Tuesday 24 November 2026 Closed" in words(desk.get(desks(offering, LIST)))


def test_the_desk_of_another_location_finds_nobody(offering):
    closed(offering)
    desk = browser(ReceptionistFactory.create(locations=[new_practice().location]).user)
    for url in ADDRESSES:
        assert desk.get(desks(offering, url)).status_code == 404, url
        assert desk.post(desks(offering, url)).status_code in {404, 405}, url
    assert said(offering.schedule) == [("2026-11-24", "closed", None)]


# --- a shift over midnight belongs to the day on which it begins

NIGHT = {
    "en": "A shift that began the evening before goes on after midnight. Time off closes it too.",
    "es": (
        "Un horario que empezó la noche anterior sigue después de medianoche. "
        "Un bloqueo también lo cierra."
    ),
}


def test_closed_leaves_the_night_before_and_time_off_does_not():
    offering = new_practice(start=dt.time(20), end=dt.time(1))
    early, evening = ["00:00", "00:30"], [f"{n // 2}:{n % 2 * 30:02}" for n in range(40, 48)]
    assert starts(offering, TUESDAY) == early + evening
    closed(offering)
    assert starts(offering, TUESDAY) == early
    assert starts(offering, TUESDAY + dt.timedelta(days=1)) == evening
    doctor = browser(account_of(offering))
    day = {"first_day": "24/11/2026", "last_day": "", "reason": ""}
    assert doctor.post("/agenda/bloqueos/dias/", day).status_code == 302
    assert starts(offering, TUESDAY) == []


@pytest.mark.parametrize("language", NIGHT)
@pytest.mark.parametrize(("end", "is_said"), [(dt.time(1), True), (dt.time(0), False)])
def test_the_form_says_so_to_whoever_works_nights(language, end, is_said):
    offering = new_practice(start=dt.time(20), end=end)
    doctor = browser(account_of(offering))
    doctor.cookies["django_language"] = language
    assert (NIGHT[language] in words(doctor.get(ADD))) is is_said
    boss = browser(administrator())
    boss.cookies["django_language"] = language
    page = boss.get(f"/admin/scheduling/schedule/{offering.schedule_id}/change/")
    assert NIGHT[language] in page.content.decode()
