"""Working hours, time off and services, in the hands of the practitioner."""

import datetime as dt
import re

import pytest
from django.urls import reverse

from accounts.tests.factories import (
    PractitionerFactory,
    ReceptionistFactory,
    UserFactory,
    administrator,
    patient_user,
)
from appointments.models import Appointment
from appointments.tests.factories import ZONE, at, book
from appointments.tests.practice import (
    account_of,
    browser,
    main_part,
    new_practice,
    second_place,
    sent_again,
    status,
    words,
)
from clinic.models import AuditEvent, Organization
from scheduling.models import DateOverride, Schedule, TimeOff, WorkingHours
from scheduling.selectors import open_time
from scheduling.tests.factories import open_week

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("this_morning")]

DAYS, HOURS, WEEKLY = (
    "/agenda/bloqueos/dias/",
    "/agenda/bloqueos/horas/",
    "/agenda/bloqueos/semanal/",
)


@pytest.fixture
def offering():
    return new_practice(schedule__location__slug="centro")


def week(offering, **boxes):
    """The form of the week as it stands, with these boxes changed."""
    data = {"slot_step": str(offering.schedule.slot_step)}
    for line in offering.schedule.hours.all():
        data[f"d{line.weekday}_0_from"] = f"{line.start:%H:%M}"
        data[f"d{line.weekday}_0_to"] = f"{line.end:%H:%M}"
    return {**data, **boxes}


def hours_of(schedule, weekday=0):
    lines = schedule.hours.filter(weekday=weekday)
    return [f"{line.start:%H:%M}–{line.end:%H:%M}" for line in lines]


# --- working hours


def test_hours_leads_to_the_first_location(doctor):
    response = doctor.get("/agenda/horarios/")
    assert (response.status_code, response.url) == (302, "/agenda/horarios/centro/")


def test_the_week_is_shown_in_its_boxes(doctor, offering):
    response = doctor.get("/agenda/horarios/centro/")
    boxes = re.findall(r'name="d0_0_(?:from|to)" value="([^"]*)"', response.content.decode())
    assert boxes == ["9:00", "17:00"]
    assert "Monday" in words(response)


def test_a_split_day_is_saved(doctor, offering):
    data = week(offering, d0_0_to="13", d0_1_from="16.30", d0_1_to="2000", slot_step="20")
    response = doctor.post("/agenda/horarios/centro/", data)
    assert (response.status_code, response.url) == (302, "/agenda/horarios/centro/")
    offering.schedule.refresh_from_db()
    assert hours_of(offering.schedule) == ["09:00–13:00", "16:30–20:00"]
    assert hours_of(offering.schedule, 1) == ["09:00–17:00"]
    assert offering.schedule.slot_step == 20
    assert AuditEvent.objects.filter(action="schedule.set_week").count() == 1
    assert "The working hours are saved." in words(doctor.get(response.url))


def test_empty_boxes_close_a_day(doctor, offering):
    data = week(offering, d0_0_from="", d0_0_to="")
    assert doctor.post("/agenda/horarios/centro/", data).status_code == 302
    assert hours_of(offering.schedule) == []


def test_until_midnight_is_written_as_zero(doctor, offering):
    data = week(offering, d0_0_to="0:00")
    assert doctor.post("/agenda/horarios/centro/", data).status_code == 302
    assert hours_of(offering.schedule) == ["09:00–00:00"]


@pytest.mark.parametrize(
    ("boxes", "sentence"),
    [
        (
            {"d0_1_from": "12", "d0_1_to": "18"},
            "9:00–17:00 and 12:00–18:00 overlap. Change one of them.",
        ),
        (
            {"d0_0_from": "17", "d0_0_to": "9"},
            "17:00–9:00 ends before it begins. Midnight is written 0:00. If it ends the next day,",
        ),
        (
            {"d0_0_to": "9:00"},
            "9:00–9:00 ends before it begins. Midnight is written 0:00.",
        ),
        ({"d0_0_to": ""}, "Write when this shift ends, or empty it."),
        ({"d0_0_from": ""}, "Write when this shift begins, or empty it."),
        ({"d0_0_to": "25:00"}, "Write the time as hour and minutes, for example 9:30."),
        ({"d0_0_to": "x" * 10_000}, "Write the time as hour and minutes, for example 9:30."),
        ({"d0_0_to": "9\x00"}, "Write the time as hour and minutes, for example 9:30."),
        ({"d0_0_to": "16:58"}, "Use a time on the five-minute grid, for example 9:00 or 9:05."),
        ({"slot_step": "7"}, "This option is no longer there. Choose another one."),
        ({"min_notice_minutes": "soon"}, "Write the length in minutes, for example 30."),
        ({"horizon_days": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"horizon_days": "1" * 30}, "Ensure this value is less than or equal to 730."),
    ],
)
def test_a_week_that_cannot_be_is_refused_in_a_sentence(doctor, offering, boxes, sentence):
    response = doctor.post("/agenda/horarios/centro/", week(offering, **boxes))
    assert response.status_code == 422
    assert sentence in words(response)
    assert "<title>Error:" in response.content.decode()
    assert hours_of(offering.schedule) == ["09:00–17:00"]


def test_the_week_says_what_holds_when_notice_and_horizon_are_empty(doctor, offering):
    Organization.current()
    Organization.objects.update(min_notice_minutes=60, horizon_days=90)
    offering.schedule.horizon_days = 45
    offering.schedule.save()
    response = doctor.get("/agenda/horarios/centro/")
    text = words(response)
    assert "Empty: 60 minutes (the clinic)." in text
    assert "Empty: 90 days (the clinic)." in text
    assert re.search(r'name="horizon_days" value="45"', response.content.decode())


@pytest.mark.parametrize("page", ["", "desde/"])
def test_notice_and_horizon_of_the_schedule_are_saved_with_the_week(doctor, offering, page):
    dates = {"valid_from": "4/1/2027"} if page else {}
    own = {"min_notice_minutes": "120", "horizon_days": "45"}
    url = f"/agenda/horarios/centro/{page}"
    assert doctor.post(url, week(offering, **own, **dates)).status_code == 302
    offering.schedule.refresh_from_db()
    assert (offering.schedule.min_notice_minutes, offering.schedule.horizon_days) == (120, 45)
    details = AuditEvent.objects.get(action="schedule.set_week").details
    assert (details["min_notice_minutes"], details["horizon_days"]) == (120, 45)


def test_empty_boxes_leave_notice_and_horizon_to_the_clinic(doctor, offering):
    Schedule.objects.update(min_notice_minutes=120, horizon_days=45)
    data = week(offering, min_notice_minutes="", horizon_days="")
    assert doctor.post("/agenda/horarios/centro/", data).status_code == 302
    offering.schedule.refresh_from_db()
    assert (offering.schedule.min_notice_minutes, offering.schedule.horizon_days) == (None, None)


def test_removing_a_set_leaves_notice_and_horizon_alone(doctor, offering):
    doctor.post(FROM, week(offering, valid_from="4/1/2027", d0_0_from="14:00"))
    Schedule.objects.update(min_notice_minutes=120, horizon_days=45)
    assert doctor.post(SETS.format("2027-01-04", ""), {"drop": "1"}).status_code == 302
    offering.schedule.refresh_from_db()
    assert (offering.schedule.min_notice_minutes, offering.schedule.horizon_days) == (120, 45)


def test_notice_and_horizon_stay_typed_in_while_it_is_asked_whom_the_week_hits(doctor, offering):
    book(offering=offering)
    data = week(offering, d1_0_from="14:00", min_notice_minutes="120", horizon_days="45")
    asked = doctor.post("/agenda/horarios/centro/", data)
    assert "This change affects 1 appointment" in words(asked)
    assert Schedule.objects.filter(min_notice_minutes=None, horizon_days=None).exists()
    doctor.post("/agenda/horarios/centro/", {**sent_again(asked), "hit": "keep"})
    offering.schedule.refresh_from_db()
    assert (offering.schedule.min_notice_minutes, offering.schedule.horizon_days) == (120, 45)


def test_what_was_typed_stays_in_a_refused_week(doctor, offering):
    data = week(offering, d0_0_to="25:00", d3_3_from="18:00", d3_3_to="19:00")
    page = doctor.post("/agenda/horarios/centro/", data).content.decode()
    assert re.search(r'name="d0_0_to" value="25:00"', page)
    assert re.search(r'name="d3_3_from" value="18:00"', page)


def test_shifts_that_touch_do_not_overlap(doctor, offering):
    data = week(offering, d0_0_to="13:00", d0_1_from="13:00", d0_1_to="17:00")
    assert doctor.post("/agenda/horarios/centro/", data).status_code == 302


def test_a_day_is_copied_to_others_without_saving(doctor, offering):
    data = week(offering, d2_0_to="13:00", copy="1", copy_from="2", copy_to=["0", "5", "2"])
    response = doctor.post("/agenda/horarios/centro/", data)
    assert response.status_code == 200
    page = response.content.decode()
    boxes = dict(re.findall(r'name="d(\d)_0_to" value="([^"]*)"', page))
    assert {day for day, end in boxes.items() if end == "13:00"} == {"0", "2", "5"}
    assert "Copied to Monday, Saturday. Look it over and save." in words(response)
    assert hours_of(offering.schedule) == ["09:00–17:00"]


def test_an_empty_day_is_copied_as_empty(doctor, offering):
    empty = {"d0_0_from": "", "d0_0_to": "", "copy": "1", "copy_from": "0", "copy_to": "1"}
    page = doctor.post("/agenda/horarios/centro/", week(offering, **empty)).content.decode()
    assert not re.search(r'name="d1_0_from" value', page)


def test_the_mark_for_the_night_is_copied_too(doctor, offering):
    night = {"d0_0_from": "22", "d0_0_to": "2", "d0_night": "on"}
    data = week(offering, **night, copy="1", copy_from="0", copy_to="6")
    page = doctor.post("/agenda/horarios/centro/", data).content.decode()
    assert 'name="d6_night" id="id_d6_night" checked' in page


@pytest.mark.parametrize("copy", [{}, {"copy_to": "0"}, {"copy_to": "9"}, {"copy_from": "x"}])
def test_copying_to_nowhere_says_so(doctor, offering, copy):
    data = week(offering, copy="1", **{"copy_from": "0", **copy})
    response = doctor.post("/agenda/horarios/centro/", data)
    assert response.status_code == 200
    assert "Tick the days to copy to." in words(response) or "copy_from" in copy


def test_the_enter_key_saves_and_does_not_copy(doctor):
    """Enter presses the first button of a form."""
    page = main_part(doctor.get("/agenda/horarios/centro/"))
    buttons = re.findall(r'<button [^>]*type="submit" name="(\w+)"', page)
    assert buttons == ["save", "copy"]


def test_a_shift_over_midnight_is_saved_with_its_mark(doctor, offering):
    night = {"d5_0_from": "22:00", "d5_0_to": "2:00"}
    refused = doctor.post("/agenda/horarios/centro/", week(offering, **night))
    assert refused.status_code == 422
    assert "If it ends the next day, mark that." in words(refused)
    marked = week(offering, **night, d5_night="on")
    assert doctor.post("/agenda/horarios/centro/", marked).status_code == 302
    assert hours_of(offering.schedule, 5) == ["22:00–02:00"]
    page = doctor.get("/agenda/horarios/centro/").content.decode()
    assert 'name="d5_night" id="id_d5_night" checked' in page


def test_a_mark_without_a_night_is_refused(doctor, offering):
    response = doctor.post("/agenda/horarios/centro/", week(offering, d0_night="on"))
    assert response.status_code == 422
    assert "9:00–17:00 ends on the same day. Take the mark away." in words(response)


def test_only_the_last_shift_may_end_the_next_day(doctor, offering):
    boxes = {"d0_0_from": "8", "d0_0_to": "7", "d0_1_from": "20", "d0_1_to": "22"}
    data = week(offering, **boxes, d0_night="on")
    assert doctor.post("/agenda/horarios/centro/", data).status_code == 422


# --- hours that hold from a date on

FROM = "/agenda/horarios/centro/desde/"
SETS = "/agenda/horarios/centro/?desde={}&hasta={}"


def lines_of(schedule, weekday=0):
    return [
        (f"{line.start:%H:%M}", str(line.valid_from or ""), str(line.valid_until or ""))
        for line in schedule.hours.filter(weekday=weekday).order_by("valid_from", "start")
    ]


def test_other_hours_from_a_date_on_end_the_present_ones(doctor, offering):
    assert 'name="d0_0_from" value="9:00"' in doctor.get(FROM).content.decode()
    data = week(offering, d0_0_from="14:00", valid_from="4/1/2027")
    assert doctor.post(FROM, data).url == "/agenda/horarios/centro/"
    assert lines_of(offering.schedule) == [("09:00", "", "2027-01-03"), ("14:00", "2027-01-04", "")]
    text = words(doctor.get("/agenda/horarios/centro/"))
    assert "Until Sunday 3 January 2027 From Monday 4 January 2027 on" in text


def test_hours_for_some_days_let_the_usual_ones_come_back(doctor, offering):
    data = week(offering, d0_0_from="14:00", valid_from="4/1/2027", valid_until="31/1/2027")
    assert doctor.post(FROM, data).status_code == 302
    assert lines_of(offering.schedule) == [
        ("09:00", "", "2027-01-03"),
        ("14:00", "2027-01-04", "2027-01-31"),
        ("09:00", "2027-02-01", ""),
    ]


def test_each_set_has_its_own_editor_and_leaves_the_others(doctor, offering):
    doctor.post(FROM, week(offering, d0_0_from="14:00", valid_from="4/1/2027"))
    later = SETS.format("2027-01-04", "")
    page = doctor.get(later)
    assert "From Monday 4 January 2027 on" in words(page)
    assert 'name="d0_0_from" value="14:00"' in page.content.decode()
    assert doctor.post(later, {"slot_step": "30", "d0_0_from": "15", "d0_0_to": "16"}).url
    assert lines_of(offering.schedule) == [("09:00", "", "2027-01-03"), ("15:00", "2027-01-04", "")]


def test_the_usual_week_leaves_hours_of_some_days_alone(doctor, offering):
    summer = {"valid_from": dt.date(2027, 1, 1), "valid_until": dt.date(2027, 1, 31)}
    WorkingHours.objects.create(
        schedule=offering.schedule, weekday=0, start=dt.time(18), end=dt.time(20), **summer
    )
    data = {"slot_step": "30", "d0_0_from": "9", "d0_0_to": "12"}
    assert doctor.post("/agenda/horarios/centro/", data).status_code == 302
    assert lines_of(offering.schedule) == [("09:00", "", ""), ("18:00", "2027-01-01", "2027-01-31")]


def test_a_later_set_is_removed_and_the_one_before_goes_on(doctor, offering):
    doctor.post(FROM, week(offering, d0_0_from="14:00", valid_from="4/1/2027"))
    url = SETS.format("2027-01-04", "")
    assert doctor.post(url, {"drop": "1"}).status_code == 302
    assert lines_of(offering.schedule) == [("09:00", "", "")]


def test_hours_from_a_date_on_begin_with_everything_that_is_worked_now(doctor, offering):
    """Shifts with dates of their own are made in the administration."""
    WorkingHours.objects.create(
        schedule=offering.schedule,
        weekday=0,
        start=dt.time(18),
        end=dt.time(20),
        valid_until=dt.date(2027, 6, 30),
    )
    html = doctor.get(FROM).content.decode()
    boxes = dict(re.findall(r'name="(d0_\d_(?:from|to))" value="([^"]*)"', html))
    assert {k: v for k, v in boxes.items() if v} == {
        "d0_0_from": "9:00",
        "d0_0_to": "17:00",
        "d0_1_from": "18:00",
        "d0_1_to": "20:00",
    }
    data = week(offering, **boxes | {"d0_0_from": "8:00"}, valid_from="4/1/2027")
    assert doctor.post(FROM, data).status_code == 302
    assert lines_of(offering.schedule) == [
        ("09:00", "", "2027-01-03"),
        ("18:00", "", "2027-01-03"),
        ("08:00", "2027-01-04", ""),
        ("18:00", "2027-01-04", ""),
    ]


def test_hours_that_hold_on_the_same_days_are_named(doctor, offering):
    assert "Both are worked" not in words(doctor.get("/agenda/horarios/centro/"))
    WorkingHours.objects.create(
        schedule=offering.schedule,
        weekday=0,
        start=dt.time(18),
        end=dt.time(20),
        valid_until=dt.date(2027, 6, 30),
    )
    text = words(doctor.get("/agenda/horarios/centro/"))
    assert "Other hours hold on the same days: Until Wednesday 30 June 2027." in text
    text = words(doctor.get(SETS.format("", "2027-06-30")))
    assert "Other hours hold on the same days: Always." in text


def test_hours_from_a_date_on_ask_about_whom_they_hit(doctor, offering):
    visit = book(offering=offering)
    data = week(offering, d1_0_from="14:00", valid_from="23/11/2026")
    asked = doctor.post(FROM, data)
    assert "This change affects 1 appointment" in words(asked)
    assert doctor.post(FROM, {**sent_again(asked), "hit": "keep"}).status_code == 302
    assert status(visit) == "booked"
    assert lines_of(offering.schedule, 1)[-1] == ("14:00", "2026-11-23", "")


def test_an_appointment_before_the_date_is_not_hit(doctor, offering):
    book(offering=offering)
    data = week(offering, d1_0_from="14:00", valid_from="4/1/2027")
    assert doctor.post(FROM, data).status_code == 302


@pytest.mark.parametrize(
    ("dates", "sentence"),
    [
        ({}, "Write from which day these hours hold."),
        ({"valid_from": "22/11/2026"}, "This day is over. Write today or a later day."),
        ({"valid_from": "1/1/2199"}, "Write a day within the next three years."),
        ({"valid_from": "0000-00-00"}, "Write a year between 1900 and 2200."),
        (
            {"valid_from": "4/1/2027", "valid_until": "3/1/2027"},
            "The last day cannot be before the first.",
        ),
        ({"valid_from": "4/1/2027", "d0_0_to": "25:00"}, "Write the time as hour and minutes"),
    ],
)
def test_dates_that_cannot_be_are_refused(doctor, offering, dates, sentence):
    response = doctor.post(FROM, week(offering, **dates))
    assert response.status_code == 422
    assert sentence in words(response)
    assert lines_of(offering.schedule) == [("09:00", "", "")]


@pytest.mark.parametrize("days", [("2027-01-04", ""), ("x" * 10_000, "%00"), ("9999-12-31", "")])
def test_a_set_that_is_not_there_is_not_found(doctor, days):
    assert doctor.get(SETS.format(*days)).status_code == 404


def test_more_than_four_shifts_have_room(doctor, offering):
    offering.schedule.hours.all().delete()
    for hour in range(8, 18, 2):
        WorkingHours.objects.create(
            schedule=offering.schedule, weekday=0, start=dt.time(hour), end=dt.time(hour + 1)
        )
    page = doctor.get("/agenda/horarios/centro/").content.decode()
    assert 'name="d0_4_from" value="16:00"' in page


def test_each_location_has_its_week(doctor, offering):
    other = second_place(offering, location__slug="norte", location__name="Norte")
    open_week(other.schedule)
    response = doctor.get("/agenda/horarios/norte/")
    assert 'href="/agenda/horarios/centro/"' in response.content.decode()
    doctor.post("/agenda/horarios/norte/", {"slot_step": "30", "d0_0_from": "8", "d0_0_to": "9"})
    assert hours_of(other.schedule) == ["08:00–09:00"]
    assert hours_of(offering.schedule) == ["09:00–17:00"]


@pytest.mark.parametrize("address", ["/agenda/horarios/", "/agenda/servicios/"])
def test_without_a_location_the_page_says_who_gives_one(address):
    user = UserFactory.create()
    PractitionerFactory.create(user=user)
    assert "You do not work at any location yet" in words(browser(user).get(address))


def test_the_weeks_page_asks_as_often_for_thirty_lines(offering, django_assert_max_num_queries):
    doctor = browser(account_of(offering))
    with django_assert_max_num_queries(20) as few:
        doctor.get("/agenda/horarios/centro/")
    for weekday in range(7):
        for hour in (17, 18, 19):
            WorkingHours.objects.create(
                schedule=offering.schedule,
                weekday=weekday,
                start=dt.time(hour),
                end=dt.time(hour, 30),
            )
    with django_assert_max_num_queries(20) as many:
        doctor.get("/agenda/horarios/centro/")
    assert len(many) == len(few)


# --- a change of hours that hits appointments


def closing_tuesday(offering):
    return week(offering, d1_0_from="", d1_0_to="")


def test_hours_that_hit_appointments_ask_first(doctor, offering):
    visit = book(offering=offering)
    response = doctor.post("/agenda/horarios/centro/", closing_tuesday(offering))
    assert response.status_code == 200
    text = words(response)
    assert "This change affects 1 appointment" in text
    assert f"Tuesday 24 November 2026, 10:00 ● Confirmed {visit.patient.full_name}" in text
    assert hours_of(offering.schedule, 1) == ["09:00–17:00"]


def test_kept_appointments_stay(doctor, offering):
    visit = book(offering=offering)
    asked = doctor.post("/agenda/horarios/centro/", closing_tuesday(offering))
    response = doctor.post("/agenda/horarios/centro/", {**sent_again(asked), "hit": "keep"})
    assert response.status_code == 302
    assert hours_of(offering.schedule, 1) == []
    assert status(visit) == "booked"


def test_cancelled_appointments_carry_the_note(doctor, offering):
    visit = book(offering=offering)
    asked = doctor.post("/agenda/horarios/centro/", closing_tuesday(offering))
    answer = {**sent_again(asked), "hit": "cancel", "note": "Ya no atiendo los martes"}
    assert doctor.post("/agenda/horarios/centro/", answer).status_code == 302
    visit = Appointment.objects.get(pk=visit.pk)
    assert (visit.status, visit.cancellation_reason) == ("cancelled", "Ya no atiendo los martes")
    assert visit.events.last().by == account_of(offering)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({}, "Choose what happens with these appointments."),
        ({"hit": "burn"}, "This option is no longer there. Choose another one."),
        ({"hit": "cancel"}, "Write why: the patients read it in the notice."),
        ({"hit": "cancel", "note": "x" * 301}, "Write at most 300 characters."),
    ],
)
def test_the_question_wants_an_answer(doctor, offering, answer, sentence):
    visit = book(offering=offering)
    asked = doctor.post("/agenda/horarios/centro/", closing_tuesday(offering))
    response = doctor.post("/agenda/horarios/centro/", {**sent_again(asked), **answer})
    assert response.status_code == 422
    assert sentence in words(response)
    assert sent_again(response) == sent_again(asked)
    assert status(visit) == "booked"
    assert hours_of(offering.schedule, 1) == ["09:00–17:00"]


def test_an_appointment_booked_meanwhile_is_asked_about_again(doctor, offering):
    visit = book(offering=offering)
    asked = doctor.post("/agenda/horarios/centro/", closing_tuesday(offering))
    late = book(offering=offering, start=at(12))
    answer = {"hit": "cancel", "note": "Congreso"}
    again = doctor.post("/agenda/horarios/centro/", {**sent_again(asked), **answer})
    assert again.status_code == 409
    assert "The appointments affected have changed in the meantime." in words(again)
    assert (status(visit), status(late)) == ("booked", "booked")
    response = doctor.post("/agenda/horarios/centro/", {**sent_again(again), **answer})
    assert response.status_code == 302
    assert (status(visit), status(late)) == ("cancelled", "cancelled")


def test_back_to_the_form_keeps_what_was_typed(doctor, offering):
    book(offering=offering)
    asked = doctor.post("/agenda/horarios/centro/", closing_tuesday(offering))
    response = doctor.post("/agenda/horarios/centro/", {**sent_again(asked), "edit": "1"})
    assert response.status_code == 200
    page = response.content.decode()
    assert not re.search(r'name="d1_0_from" value="9', page)
    assert re.search(r'name="d0_0_from" value="09:00"', page)


# --- time off


def test_a_vacation_in_two_fields(doctor, offering):
    data = {"first_day": "7/12/2026", "last_day": "13/12/2026", "reason": "Vacaciones"}
    assert doctor.post(DAYS, data).url == "/agenda/bloqueos/"
    row = TimeOff.objects.get()
    assert row.starts_at == dt.datetime(2026, 12, 7, tzinfo=ZONE)
    assert row.ends_at == dt.datetime(2026, 12, 14, tzinfo=ZONE)
    text = words(doctor.get("/agenda/bloqueos/"))
    assert "Monday 7 December 2026 to Sunday 13 December 2026 Vacaciones" in text


def test_a_vacation_is_two_clicks_from_the_agenda(doctor, offering):
    """The link beside the day, and "Save"."""
    page = main_part(doctor.get("/agenda/2026-12-07/"))
    assert f'href="{DAYS}?dia=2026-12-07"' in page
    form = doctor.get(f"{DAYS}?dia=2026-12-07").content.decode()
    assert 'name="first_day" value="2026-12-07"' in form
    assert (
        doctor.post(DAYS, {"first_day": "2026-12-07", "last_day": "20/12/2026"}).status_code == 302
    )
    assert TimeOff.objects.get().starts_at == dt.datetime(2026, 12, 7, tzinfo=ZONE)


@pytest.mark.parametrize("day", ["", "0000-00-00", "%00", "x" * 10_000])
def test_a_link_with_nonsense_opens_the_form(doctor, day):
    for url in (DAYS, HOURS, WEEKLY):
        assert doctor.get(f"{url}?dia={day}").status_code == 200


def test_one_whole_day(doctor):
    doctor.post(DAYS, {"first_day": "2026-12-07"})
    row = TimeOff.objects.get()
    assert row.starts_at == dt.datetime(2026, 12, 7, tzinfo=ZONE)
    assert row.ends_at == dt.datetime(2026, 12, 8, tzinfo=ZONE)
    text = words(doctor.get("/agenda/bloqueos/"))
    assert "To come Monday 7 December 2026 Time off" in text


def test_days_off_hold_on_every_clock(doctor, offering):
    second_place(offering, location__time_zone="America/Santiago", location__slug="chile")
    open_week(offering.practitioner.schedules.get(location__slug="chile"))
    doctor.post(DAYS, {"first_day": "24/8/2027"})
    row = TimeOff.objects.get()
    assert row.starts_at == dt.datetime(2027, 8, 24, 3, tzinfo=dt.UTC)
    assert row.ends_at == dt.datetime(2027, 8, 25, 4, tzinfo=dt.UTC)


def test_some_hours_of_a_day(doctor, offering):
    data = {"day": "24/11/2026", "start": "9", "end": "11:30", "reason": "Trámite"}
    assert doctor.post(HOURS, data).status_code == 302
    row = TimeOff.objects.get()
    assert (row.starts_at, row.ends_at) == (at(9), at(11, 30))
    assert "Tuesday 24 November 2026, 9:00– to 11:30" in words(doctor.get("/agenda/bloqueos/"))


def test_hours_off_are_those_of_the_chosen_location(doctor, offering):
    chile = second_place(offering, location__time_zone="America/Lima", location__slug="lima")
    data = {"day": "24/11/2026", "start": "9", "end": "11", "location": "lima"}
    doctor.post(HOURS, data)
    row = TimeOff.objects.get()
    assert row.location == chile.location
    assert row.starts_at == dt.datetime(2026, 11, 24, 14, tzinfo=dt.UTC)


def test_lunch_every_working_day_is_one_change(doctor, offering):
    data = {"weekdays": ["0", "1", "2", "3", "4"], "start": "13", "end": "14", "reason": "Almuerzo"}
    assert doctor.post(WEEKLY, data).status_code == 302
    rows = TimeOff.objects.order_by("weekday")
    assert [(r.weekday, r.start, r.end) for r in rows] == [
        (day, dt.time(13), dt.time(14)) for day in range(5)
    ]
    assert "Monday, 13:00–14:00 Almuerzo" in words(doctor.get("/agenda/bloqueos/"))


@pytest.mark.parametrize(
    ("start", "end", "said", "hours"),
    [
        ("0:00", "0:00", "Friday, the whole day", 24),
        ("22", "2", "Friday, 22:00–2:00", 4),
        ("20", "0:00", "Friday, 20:00–0:00", 4),
    ],
)
def test_every_week_a_whole_day_or_a_night(doctor, offering, start, end, said, hours):
    assert doctor.post(WEEKLY, {"weekdays": "4", "start": start, "end": end}).status_code == 302
    assert said in words(doctor.get("/agenda/bloqueos/"))
    day = at(0, days=5)
    time = open_time([offering.schedule], day, day + dt.timedelta(days=1))
    assert day.weekday() == 5
    friday = [b for b in time[offering.schedule_id].blocks if b.starts_at < day]
    (block,) = [b for b in friday if b.ends_at - b.starts_at == dt.timedelta(hours=hours)]
    assert block.kind == "time_off"


@pytest.mark.parametrize(
    ("address", "data", "sentence"),
    [
        (DAYS, {}, "Write the first day."),
        (DAYS, {"first_day": "30/2/2027"}, "There is no such day. Check the day and the month."),
        (DAYS, {"first_day": "0000-00-00"}, "Write a year between 1900 and 2200."),
        (DAYS, {"first_day": "9999-12-31"}, "Write a year between 1900 and 2200."),
        (DAYS, {"first_day": "1/1/2199"}, "Write a day within the next three years."),
        (DAYS, {"first_day": "1/11/2026"}, "This day is over. Write today or a later day."),
        (
            DAYS,
            {"first_day": "8/12/2026", "last_day": "7/12/2026"},
            "The last day cannot be before the first.",
        ),
        (DAYS, {"first_day": "8/12/2026", "reason": "x" * 121}, "Write at most 120 characters."),
        (
            HOURS,
            {"day": "8/12/2026", "start": "11", "end": "9"},
            "The end has to be later than the start.",
        ),
        (
            HOURS,
            {"day": "8/12/2026", "start": "0:00", "end": "0:00"},
            "The end has to be later than the start.",
        ),
        (
            HOURS,
            {"day": "23/11/2026", "start": "6", "end": "7"},
            "This time is over. Write a later one.",
        ),
        (HOURS, {"day": "8/12/2026", "start": "9"}, "Write until when."),
        (
            HOURS,
            {"day": "8/12/2026", "start": "9:01", "end": "10"},
            "Use a time on the five-minute grid, for example 9:00 or 9:05.",
        ),
        (WEEKLY, {"start": "13", "end": "14"}, "Choose at least one day."),
        (
            WEEKLY,
            {"weekdays": "7", "start": "13", "end": "14"},
            "This option is no longer there. Choose another one.",
        ),
        (
            WEEKLY,
            {"weekdays": "1", "start": "14", "end": "13"},
            "The end has to be later than the start.",
        ),
        (
            WEEKLY,
            {"weekdays": "1", "start": "9", "end": "9"},
            "The end has to be later than the start.",
        ),
    ],
)
def test_time_off_that_cannot_be_is_refused_in_a_sentence(doctor, address, data, sentence):
    response = doctor.post(address, data)
    assert response.status_code == 422
    assert sentence in words(response)
    assert not TimeOff.objects.exists()
    for value in data.values():
        assert str(value)[:20] in response.content.decode()


def test_a_location_of_somebody_else_is_no_choice(doctor, offering):
    second_place(offering)
    elsewhere = new_practice().location
    data = {"first_day": "8/12/2026", "location": elsewhere.slug}
    assert doctor.post(DAYS, data).status_code == 422


def test_time_off_that_hits_appointments_asks_first(doctor, offering):
    visit = book(offering=offering)
    data = {"first_day": "24/11/2026", "reason": "Congreso"}
    asked = doctor.post(DAYS, data)
    assert "This change affects 1 appointment" in words(asked)
    assert not TimeOff.objects.exists()
    answer = {**sent_again(asked), "hit": "cancel", "note": "Estoy en un congreso"}
    assert doctor.post(DAYS, answer).status_code == 302
    assert (status(visit), TimeOff.objects.get().reason) == ("cancelled", "Congreso")


def test_an_appointment_at_two_lunches_is_asked_about_once(doctor, offering):
    book(offering=offering, start=at(13))
    data = {"weekdays": ["0", "1", "2"], "start": "13", "end": "14"}
    assert "This change affects 1 appointment" in words(doctor.post(WEEKLY, data))


def test_whoever_comes_after_the_list_is_named_too(doctor, offering, monkeypatch):
    monkeypatch.setattr("appointments.forms.hits.MOST_SHOWN", 1)
    monkeypatch.setattr("appointments.changes.MOST_SHOWN", 1)
    first, other = (book(offering=offering, start=at(hour)) for hour in (13, 14))
    page = doctor.post(WEEKLY, {"weekdays": "1", "start": "13", "end": "15"})
    assert [row.hit.appointment for row in page.context["form"].rows()] == [first]
    text = words(page)
    assert "And 1 more after these, for which the choice for all holds." in text
    assert f"Tuesday 24 November 2026, 14:00 · {other.patient.full_name} ·" in text


def blocked(offering, **fields):
    fields = fields or {"weekday": 0, "start": dt.time(13), "end": dt.time(14)}
    return TimeOff.objects.create(practitioner=offering.practitioner, **fields)


def test_time_off_is_removed_after_a_question(doctor, offering):
    row = blocked(offering)
    url = f"/agenda/bloqueos/{row.pk}/quitar/"
    assert "Remove this time off" in words(doctor.get(url))
    assert TimeOff.objects.exists()
    assert doctor.post(url).url == "/agenda/bloqueos/"
    assert not TimeOff.objects.exists()
    assert doctor.post(url).status_code == 404


def test_what_is_over_is_not_listed(doctor, offering):
    blocked(offering, starts_at=at(9, days=-2), ends_at=at(10, days=-2), reason="Ayer")
    blocked(offering, starts_at=at(9, days=-2), ends_at=at(10, days=2), reason="Ahora")
    text = words(doctor.get("/agenda/bloqueos/"))
    assert "Ahora" in text
    assert "Ayer" not in text


def test_the_list_asks_as_often_for_thirty_blocks(offering, django_assert_max_num_queries):
    doctor = browser(account_of(offering))
    blocked(offering, weekday=0, start=dt.time(1), end=dt.time(2), location=offering.location)
    with django_assert_max_num_queries(20) as one:
        doctor.get("/agenda/bloqueos/")
    for hour in range(1, 15):
        blocked(
            offering,
            weekday=1,
            start=dt.time(hour),
            end=dt.time(hour + 1),
            location=offering.location,
        )
        blocked(offering, starts_at=at(9, days=hour), ends_at=at(10, days=hour))
    with django_assert_max_num_queries(20) as many:
        doctor.get("/agenda/bloqueos/")
    assert len(many) == len(one)


# --- who may


def addresses(offering):
    row = blocked(offering)
    return [
        "/agenda/horarios/",
        "/agenda/bloqueos/",
        DAYS,
        HOURS,
        WEEKLY,
        "/agenda/servicios/",
        "/agenda/horarios/centro/",
        "/agenda/horarios/centro/desde/",
        f"/agenda/bloqueos/{row.pk}/quitar/",
        f"/agenda/servicios/centro/{offering.service.slug}/",
    ]


def test_another_practitioner_finds_nothing_of_mine(offering):
    stranger = browser(account_of(new_practice()))
    for url in addresses(offering)[6:]:
        assert stranger.get(url).status_code == 404, url
        assert stranger.post(url).status_code == 404, url
    assert "13:00" not in words(stranger.get("/agenda/bloqueos/"))
    assert TimeOff.objects.count() == 1


@pytest.mark.parametrize("who", [patient_user, administrator, ReceptionistFactory.create])
def test_other_roles_are_sent_away(offering, who):
    found = who()
    client = browser(getattr(found, "user", found))
    for url in addresses(offering):
        assert client.get(url).status_code == 403, url
    for url in addresses(offering)[6:]:
        assert client.post(url).status_code == 403, url


def test_without_an_account_to_the_login(offering):
    for url in addresses(offering):
        response = browser().get(url)
        assert response.status_code == 302, url
        assert response["Location"] == f"{reverse('account_login')}?next={url}"


@pytest.mark.parametrize("url", ["/agenda/horarios/centro/", DAYS, WEEKLY])
def test_changes_need_their_token(offering, url):
    client = browser(account_of(offering), csrf=True)
    assert client.post(url, {"first_day": "8/12/2026"}).status_code == 403


# --- times that the clock skips

GAPS = [
    ("Europe/Madrid", "28/3/2027", "2:00", "3:00", "3:15"),
    ("Europe/Madrid", "28/3/2027", "2:15", "2:45", "3:15"),
    ("Atlantic/Canary", "28/3/2027", "1:00", "2:00", "2:15"),
    ("America/Santiago", "5/9/2027", "0:00", "1:00", "1:15"),
]
SKIPPED = {
    "en": "The clock skips this time on that day.",
    "es": "Ese día el reloj se salta esta hora.",
}


@pytest.mark.parametrize("language", SKIPPED)
@pytest.mark.parametrize(("zone", "day", "start", "end", "later"), GAPS)
def test_hours_that_the_clock_skips_are_refused(zone, day, start, end, later, language):
    offering = new_practice(schedule__location__time_zone=zone)
    doctor = browser(account_of(offering))
    doctor.cookies["django_language"] = language
    sent = {"day": day, "start": start, "end": end, "reason": ""}
    response = doctor.post(HOURS, sent)
    assert response.status_code == 422
    assert SKIPPED[language] in words(response)
    assert f'value="{start}"' in response.content.decode()
    assert not TimeOff.objects.exists()
    # What reaches out of the gap is what is left of it.
    assert doctor.post(HOURS, sent | {"end": later}).status_code == 302
    row = TimeOff.objects.get()
    assert row.starts_at
    assert row.ends_at
    assert row.ends_at - row.starts_at == dt.timedelta(minutes=15)


@pytest.mark.parametrize(("zone", "day", "start", "end", "later"), GAPS)
def test_an_exception_does_not_open_what_the_clock_skips(zone, day, start, end, later):
    offering = new_practice(schedule__location__time_zone=zone)
    doctor = browser(account_of(offering))
    sent = {"first_day": day, "kind": "extra", "o_0_from": start, "o_0_to": end}
    response = doctor.post("/agenda/excepciones/nueva/", sent)
    assert (response.status_code, SKIPPED["en"] in words(response)) == (422, True)
    assert not DateOverride.objects.exists()
    assert doctor.post("/agenda/excepciones/nueva/", sent | {"o_0_to": later}).status_code == 302


@pytest.mark.parametrize(("zone", "day", "start", "end", "later"), GAPS)
def test_a_weekly_break_that_the_clock_skips_once_breaks_nothing(zone, day, start, end, later):
    offering = new_practice(schedule__location__time_zone=zone, start=dt.time(0), end=dt.time(12))
    doctor = browser(account_of(offering))
    sunday = {"weekdays": ["6"], "start": start, "end": end, "reason": ""}
    assert doctor.post(WEEKLY, sunday).status_code == 302
    why = doctor.get("/agenda/por-que/", {"servicio": offering.pk, "dia": day})
    assert why.status_code == 200


@pytest.mark.parametrize(("zone", "day", "start", "end", "later"), GAPS)
def test_the_administration_has_a_sentence_for_it_too(admin, zone, day, start, end, later):
    offering = new_practice(schedule__location__time_zone=zone)
    date, month, year = day.split("/")
    iso = f"{year}-{int(month):02}-{int(date):02}"
    sent = {"practitioner": str(offering.practitioner.pk), "location": str(offering.location.pk)}
    sent |= {"starts_at_0": iso, "starts_at_1": start, "ends_at_0": iso, "ends_at_1": later}
    response = admin.post("/admin/scheduling/timeoff/add/", sent)
    assert response.status_code == 422
    sentence = "On that day the clock skips this time or shows it twice."
    assert sentence in response.content.decode()
    assert not TimeOff.objects.exists()
