"""The clinic's own words: what may stand in them, and that none of it stops a mail."""

import datetime as dt
import re

import pytest
from django.core import mail

from accounts.tests.factories import UserFactory, administrator
from appointments import services
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import browser
from clinic.models import AuditEvent, Organization
from notifications import delivery, digests, letters, samples, texts
from notifications.models import Kind, MessageText, Notification, State
from notifications.tests.factories import SOON, booked, chooses, family
from notifications.texts import BrokenText, Words, fill
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

VALUES = {name: f"<{name}>" for name in texts.NAMES}
LIST = "/admin/notifications/messagetext/"
EDIT = f"{LIST}reminder/es/texto/"


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(NOW, tick=False)
    Organization.current()


@pytest.fixture
def admin():
    return browser(administrator())


def adapt(kind=Kind.BOOKED, language="en", **parts):
    MessageText.objects.create(kind=kind, language=language, **parts)


def letter(kind=Kind.BOOKED, now=SOON):
    row = Notification.objects.with_parts().filter(kind=kind).first()
    return letters.letter_for(row, now)


def visit_of_ana(**kwargs):
    user, patient = family(language="en")
    patient.first_name, patient.last_name = "Ana", "{clinic} <b>García</b>"
    patient.save()
    return booked(user=user, patient=patient, **kwargs)


# --- filling in


def test_each_name_becomes_its_value_once():
    assert fill("{time}, {place} and {time}", VALUES) == "<time>, <place> and <time>"
    assert fill("", VALUES) == ""
    assert fill("{patient}", {**VALUES, "patient": "{clinic}{0}%s"}) == "{clinic}{0}%s"


@pytest.mark.parametrize(
    "text",
    [
        "{", "}", "{}", "{{when}}", "{when", "when}", "{ when }", "{When}", "{0}", "{when!r}",
        "{when:>99999999}", "{when.__class__}", "{when[0]}", "{patient.document_number}",
        "{reason}", "{specialty}", "{document}", "{service}", "{\n}", "{when}}", "{%(x)s}",
    ],
)  # fmt: skip
def test_all_else_in_braces_is_refused_and_never_run(text):
    with pytest.raises(BrokenText):
        fill(text, VALUES)
    assert list(texts.problems(Kind.BOOKED, "opening", text))
    assert Words("booked", "es", opening=text).filled("opening", VALUES) == ""


@pytest.mark.parametrize("text", ["{{ when }}", "{% now 'Y' %}", "%(when)s", "$when", "<b>x</b>"])
def test_no_language_of_templates(text):
    """Either refused for its braces, or it stays the letters it is."""
    if "{" in text:
        assert list(texts.problems(Kind.BOOKED, "opening", text))
    else:
        assert fill(text, VALUES) == text


def test_no_name_says_why_somebody_comes():
    private = {"reason", "specialty", "service", "document", "insurer", "coverage", "birth_date"}
    assert not private & set(texts.NAMES)
    visit_of_ana(reason="canary-reason")
    row = Notification.objects.with_parts().get(kind=Kind.BOOKED)
    context = letters.context_of(row, Organization.current(), SOON)
    said = letters.values_of(row, context, SOON)
    assert set(said) == set(texts.NAMES)
    service = row.appointment.service
    for secret in ("canary-reason", service.name, service.specialty.name):
        assert not any(secret in value for value in said.values())


@pytest.mark.parametrize("name", ["patient", "practitioner", "address", "phone"])
def test_a_subject_names_nobody(name):
    [problem] = texts.problems(Kind.BOOKED, "subject", "{" + name + "}")
    assert problem.startswith("{" + name + "}")
    assert list(texts.problems(Kind.BOOKED, "opening", "{" + name + "}")) == []


@pytest.mark.parametrize(
    "text", ["http://evil.example", "HTTPS://x", "www.evil.example", "see evil.example/x"]
)
def test_no_addresses(text):
    assert len(list(texts.problems(Kind.BOOKED, "closing", text))) == 1


@pytest.mark.parametrize("text", ["Dra. Pérez y/o Dr. Gil", "S.A./S.R.L.", "9.30/10.30"])
def test_what_is_no_address(text):
    assert list(texts.problems(Kind.BOOKED, "closing", text)) == []


# --- in the mail


def test_own_words_in_both_parts():
    adapt(
        subject="See you {day} at {time}, {place}",
        opening="Hello {patient},\n\nwe <i>expect</i> you.",
        closing="{clinic}: {phone}",
    )
    visit = visit_of_ana()
    found = letter()
    html = found.message.alternatives[0][0]
    place = visit.location.name
    assert found.subject == f"See you Thursday 26 November at 10:00, {place}"
    assert "\n\nHello Ana {clinic} <b>García</b>,\n\nwe <i>expect</i> you.\n\n" in found.text
    assert "Your appointment is booked." not in found.text
    assert found.text.endswith("\nConsultorio: +54 11 4865-0000\n\nConsultorio\n")
    assert "<p>Hello Ana {clinic} &lt;b&gt;García&lt;/b&gt;,</p>" in html
    assert "we &lt;i&gt;expect&lt;/i&gt; you." in html
    assert "Consultorio: +54 11 4865-0000" in html


def test_facts_links_and_calendar_stay_ours():
    visit = visit_of_ana()
    usual = letter()
    adapt(subject="x {time}", opening="x", closing="x")
    own = letter()
    rest = usual.text.replace("Your appointment is booked.", "x")
    assert own.text == rest.replace("\n\nConsultorio\n", "\n\nx\n\nConsultorio\n")
    assert [a.get_filename() for a in own.message.attachments] == ["turno.ics"]
    assert f"/turnos/{visit.public_id}/" in own.text
    assert own.message.extra_headers == usual.message.extra_headers


def test_who_cancelled_and_why_is_not_lost():
    adapt(Kind.CANCELLED, opening="We are sorry.")
    visit = visit_of_ana()
    services.cancel(appointment=visit, by=desk(), reason="Closed", now=NOW)
    text = letter(Kind.CANCELLED).text
    assert "\n\nWe are sorry.\n\nThe clinic cancelled this appointment." in text
    assert "Reason: Closed" in text


def test_only_for_this_kind_and_language():
    adapt(language="es", opening="Hola")
    adapt(Kind.REMINDER, opening="Hi")
    visit_of_ana()
    assert "Your appointment is booked." in letter().text
    assert "\nHi\n" in letter(Kind.REMINDER).text


def test_a_subject_is_one_line_and_short():
    adapt(subject="x\r\nBcc: a@example.org {time}")
    visit_of_ana()
    assert letter().subject == "x Bcc: a@example.org 10:00"
    MessageText.objects.update(subject="{when} {when} {when}")
    assert letter().subject == "Appointment booked: Thursday 26 November, 10:00"


@pytest.mark.parametrize("part", texts.PARTS)
def test_a_broken_text_stops_no_mail(part, caplog):
    """As if somebody had written past the form, or a later version had fewer names."""
    visit_of_ana()
    usual = letter()
    adapt(**{part: "{gone} Hello {patient.user.password}"})
    assert (letter().subject, letter().text) == (usual.subject, usual.text)
    delivery.deliver_due(now=SOON)
    row = Notification.objects.get(kind=Kind.BOOKED)
    assert row.state == State.SENT
    assert len(mail.outbox) == 2
    assert f"The {part} of booked (en) is left out" in caplog.text
    assert "password" not in caplog.text


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", texts.ADAPTABLE)
def test_every_kind_has_a_sample_that_writes_nothing(kind, language, django_assert_max_num_queries):
    names = texts.names_in(kind)
    subject = "{when}" if "when" in names else "{clinic}"
    every = Words(kind, language, subject, opening=" ".join("{" + n + "}" for n in names))
    with django_assert_max_num_queries(6) as asked:
        found = samples.letter(kind, language, every)
    assert not any(re.match("INSERT|UPDATE|DELETE", q["sql"]) for q in asked.captured_queries)
    assert ("Ana García" in found.text) == ("patient" in names)
    assert ("Dra. Lucía Pérez" in found.text) == ("practitioner" in names)
    assert ("10:30" in found.subject) == ("when" in names)
    assert "10:30" in found.text
    assert len(samples.letter(kind, language, texts.OURS).subject) <= letters.MAX_SUBJECT


def test_the_words_of_a_list_stand_above_its_numbers():
    offering = open_offering()
    user = offering.practitioner.user
    user.language = "en"
    user.save()
    chooses(user, day_list_at=dt.time(7))
    book(offering=offering, start=at(10, days=1))
    adapt(Kind.PRACTITIONER_DAY, subject="{clinic}: {day}", opening="Good morning, {practitioner}.")
    digests.owe(now=at(7, days=1))
    found = letter(Kind.PRACTITIONER_DAY, at(7, days=1))
    assert found.subject == "Consultorio: today"
    hello = f"\n\nGood morning, {offering.practitioner}.\n\nYou have 1 appointment today, at 10:00."
    assert hello in found.text


def test_the_sample_of_a_list_leaves_on_its_day():
    own = Words(Kind.PRACTITIONER_DAY, "en", subject="Agenda of {day}", opening="For {day}.")
    found = samples.letter(Kind.PRACTITIONER_DAY, "en", own)
    assert found.subject == "Agenda of today"
    assert "\n\nFor today.\n\nYou have 1 appointment today, at 10:30." in found.text
    assert samples.longest_subject(Kind.PRACTITIONER_DAY, "en", own) == "Agenda of today"


@pytest.mark.parametrize("name", ["patient", "when", "time", "address"])
def test_a_list_has_no_one_patient_and_time(name):
    for part in ("subject", "opening"):
        [problem] = texts.problems(Kind.PRACTITIONER_DAY, part, "{" + name + "}")
        assert problem == "{" + name + "} no es ninguno de los nombres de abajo."


# --- the page


def test_the_list_shows_every_mail_in_each_language(admin):
    adapt(Kind.REMINDER, "es", opening="Hola")
    page = admin.get(LIST)
    links = re.findall(r'href="(/admin/notifications/messagetext/[^"]+/texto/)"', main(page))
    assert len(links) == len(set(links)) == len(texts.ADAPTABLE) * 2
    assert main(page).count("the clinic’s own") == 1
    for link in links:
        assert admin.get(link).status_code == 200


def main(response):
    return response.content.decode().partition('<div id="content"')[2]


def test_the_page_of_the_reminder_says_what_holds_for_several(admin):
    assert "no names but {clinic}, {day}, {place}, {address}, {phone}" in main(admin.get(EDIT))
    assert "Several appointments" not in main(admin.get(EDIT.replace("reminder", "booked")))


def test_looked_at_then_saved_then_back_to_ours(admin):
    said = {"subject": "Nos vemos {day}", "opening": "Hola {patient}:", "closing": ""}
    page = admin.post(EDIT, {**said, "preview": "1"})
    assert page.status_code == 200
    assert "<strong>Nos vemos mañana</strong>" in main(page)
    assert "Hola Ana García:" in main(page)
    assert not MessageText.objects.exists()
    assert not AuditEvent.objects.exists()

    assert admin.post(EDIT, {**said, "save": "1"}).status_code == 302
    row = MessageText.objects.get()
    assert (row.kind, row.language, row.subject) == ("reminder", "es", "Nos vemos {day}")
    assert AuditEvent.objects.get().action == "messagetext.change"
    assert 'value="Nos vemos {day}"' in main(admin.get(EDIT))

    assert "Back to the usual text" in main(admin.get(EDIT))
    assert admin.post(EDIT, {**said, "ours": "1"}).status_code == 302
    assert not MessageText.objects.exists()
    assert "Back to the usual text" not in main(admin.get(EDIT))


def test_saving_nothing_is_ours_again(admin):
    adapt(Kind.REMINDER, "es", opening="Hola")
    admin.post(EDIT, {"save": "1", "subject": " ", "opening": "", "closing": ""})
    assert not MessageText.objects.exists()


@pytest.mark.parametrize(
    ("part", "text", "sentence"),
    [
        ("opening", "{reason}", "{reason} is none of the names below."),
        ("opening", "a } b", "A brace stands alone."),
        ("subject", "{patient}", "{patient} says too much for a subject"),
        ("subject", "Recordatorio de su turno del {when} en {place}", "Too long: up to"),
        ("closing", "x" * 601, "at most 600"),
        ("closing", "https://evil.example", "No web addresses"),
        ("opening", "a\x00b", "Null characters"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(admin, part, text, sentence):
    for button in ("save", "preview"):
        page = admin.post(EDIT, {part: text, button: "1"})
        assert page.status_code == 422
        assert sentence in main(page)
        assert "As it will look" not in main(page)
    assert not MessageText.objects.exists()


def test_the_mail_is_shown_locked_up(admin):
    page = admin.post(EDIT, {"opening": "<script>x</script>{patient}", "preview": "1"})
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert "script-src 'self'" in page["Content-Security-Policy"]
    url = re.search(r'<iframe[^>]* src="([^"]+)"', main(page))[1]
    shown = admin.get(url)
    assert shown.status_code == 200
    assert "&lt;script&gt;x&lt;/script&gt;Ana García" in shown.content.decode()
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
    assert shown["Content-Security-Policy"] == policy
    assert shown["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in shown["Cache-Control"]
    for draft in ("", "x", url.partition("draft=")[2][:-2]):
        assert admin.get(f"{url.partition('?')[0]}?draft={draft}").status_code == 404


@pytest.mark.parametrize("which", ["reminder/xx", "nothing/es", "account/es", "Reminder/es"])
def test_no_page_for_what_there_is_not(admin, which):
    for page in ("texto", "correo"):
        assert admin.get(f"{LIST}{which}/{page}/").status_code == 404


def test_administrators_only(admin):
    adapt(Kind.REMINDER, "es", opening="Hola")
    pk = MessageText.objects.get().pk
    assert admin.get(f"{LIST}{pk}/change/")["Location"] == EDIT
    others = [UserFactory.create(), booked().practitioner.user]
    for client in [browser(user) for user in others]:
        for url in (LIST, EDIT, EDIT.replace("texto", "correo")):
            assert client.get(url).status_code == 403
            assert client.post(url, {"ours": "1"}).status_code == 403
    assert browser().get(EDIT).status_code == 302
    assert MessageText.objects.count() == 1
