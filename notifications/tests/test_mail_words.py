"""How mails read: the first line, both parts, where links lead, how plain the words are."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import PatientFactory, patient_user
from appointments import services
from appointments.tests.factories import NOW, at, book, desk
from appointments.tests.practice import browser
from appointments.tests.waiting import offered
from clinic.models import Organization
from notifications import delivery, digests, letters, samples, texts
from notifications.models import Kind, Notification
from notifications.tests.factories import SOON, booked, family
from scheduling.tests.factories import open_offering

pytestmark = [pytest.mark.django_db, pytest.mark.once]

BASE = "https://turnos.example.org"
EVERY = texts.ADAPTABLE
LISTS = [kind for kind in EVERY if kind in digests.KINDS]
ABOUT = [kind for kind in EVERY if kind not in digests.KINDS]


@pytest.fixture(autouse=True)
def _base(settings, time_machine):
    settings.BASE_URL = BASE
    time_machine.move_to(NOW, tick=False)
    Organization.current()


def letter_of(kind, language="es"):
    """The mail of this kind, whether it is true or not."""
    if kind in LISTS:
        return samples.letter(kind, language, texts.OURS, SOON)
    if kind == Kind.OFFER:
        offered(open_offering(), patient_user())
        row = Notification.objects.with_parts().get(kind=Kind.OFFER)
        row.language = language
        return letters.letter_for(row, SOON)
    user, patient = family(language=language)
    visit = booked(user=user, patient=patient)
    services.cancel(appointment=visit, by=desk(), reason="La agenda cambió.", now=NOW)
    row = Notification.objects.with_parts().filter(appointment=visit)[0]
    row.kind, row.language = kind, language
    row.appointment.expires_at = visit.cancellable_until
    return letters.letter_for(row, SOON)


def html_of(letter):
    return str(letter.message.alternatives[0][0])


def seen(html):
    body = html.partition("<body")[2].partition(">")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", ABOUT)
def test_the_first_line_is_a_preview_that_says_when_and_what(kind, language):
    """Programs show the first letters of the body beside the subject; no trick is needed."""
    letter = letter_of(kind, language)
    first = seen(html_of(letter))[:120]
    headline, opening = letter.text.split("\n\n")[:2]
    assert first.startswith(headline)
    assert re.search(r"\d{1,2}:\d\d", headline)
    assert first.removeprefix(headline).strip()[:20] in opening


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", EVERY)
def test_both_parts_say_the_same(kind, language):
    letter = letter_of(kind, language)
    html = html_of(letter)
    words = lambda text: re.findall(r"[^\W_]+", text)  # noqa: E731
    text = re.sub(r"https?://\S+", "", letter.text)
    assert words(text) == words(seen(html))
    links = lambda found: list(map(unescape, found))  # noqa: E731
    assert links(re.findall(r'href="([^"]+)"', html)) == re.findall(r"https?://\S+", letter.text)


@pytest.mark.parametrize("kind", EVERY)
def test_one_column_small_no_picture_nothing_that_calls_home(kind):
    html = html_of(letter_of(kind))
    assert len(html.encode()) <= 30_000
    assert not re.search(
        r"<(img|script|link|iframe|form|object|style)\b|url\(|@import|<td[^>]*colspan", html
    )
    assert "max-width:560px" in html
    assert not re.search(r"utm_|[?&](id|uid|track)=", html)


def links_in(messages):
    for message in messages:
        html = "".join(str(part) for part, _type in message.alternatives)
        yield from re.findall(r"""(?:href|src|action)=["']([^"']+)""", html)
        yield from re.findall(r"https?://[^\s<>\"]+", f"{message.body} {html}")
        for name, data, *_rest in map(_file, message.attachments):
            assert name == "turno.ics"
            yield from re.findall(r"https?://[^\s\\;]+", data.replace(b"\r\n ", b"").decode())


def _file(part):
    return part.get_filename(), part.get_payload(decode=True)


@pytest.mark.parametrize("kind", EVERY)
def test_no_link_leads_elsewhere(kind):
    found = list(links_in([letter_of(kind).message]))
    assert found
    assert {urlsplit(link)[:2] for link in found} == {("https", "turnos.example.org")}


def test_a_forged_host_reaches_no_mail(settings):
    """Whatever a request says its host is: mails know the configured address alone."""
    settings.ALLOWED_HOSTS = ["*"]
    forged = {"headers": {"host": "evil.example", "x-forwarded-host": "evil.example"}}
    user, patient = family()
    visit = booked(user=user, patient=patient)
    client = browser(user)
    client.post(f"/turnos/{visit.public_id}/cancelar/", {"reason": ""}, **forged)
    Client().post(reverse("account_reset_password"), {"email": user.email}, **forged)
    signup = {
        "first_name": "Eva", "last_name": "Prueba", "email": "eva@example.org",
        "birth_date_day": "1", "birth_date_month": "2", "birth_date_year": "1980",
        "phone": "11 4321-5678", "password1": "correct horse battery",
    }  # fmt: skip
    Client().post(reverse("account_signup"), signup, **forged)
    book(patient=PatientFactory.create(email="abuela@example.org"), start=at(12, days=4))
    delivery.deliver_due(now=SOON)
    kinds = set(Notification.objects.filter(state="sent").values_list("kind", flat=True))
    assert {Kind.ACCOUNT, Kind.CANCELLED, Kind.BOOKED} <= kinds
    assert len(mail.outbox) >= 5
    links = list(links_in(mail.outbox))
    assert {urlsplit(link).hostname for link in links} == {"turnos.example.org"}
    for message in mail.outbox:
        assert "evil" not in message.message().as_string()


# --- plain words


def syllables(word):
    """Groups of vowels; strong ones side by side are two, an accented weak one stands alone."""
    word = re.sub(r"qu|gu(?=[eiéí])", "k", word.lower())
    groups = re.findall(r"[aeiouáéíóúüy]+", re.sub(r"y(?=[aeiouáéíóú])", "j", word))
    count = 0
    for group in groups:
        count += 1 + len(re.findall(r"(?=[aeoáéó][aeoáéó]|[aeo][íú]|[íú][aeo])", group))
    return max(count, 1)


def sentences(text):
    return [s for s in re.split(r"[.:!?…]\s|\n+|\.$", text) if re.search(r"\w", s)]


def readability(text):
    """Fernández-Huerta: 206.84 - 60 P - 1.02 F. From 70 on it is rather easy."""
    words = re.findall(r"[^\W\d_]+", text)
    found = sentences(text)
    return 206.84 - 60 * sum(map(syllables, words)) / len(words) - 1.02 * len(words) / len(found)


def test_syllables_are_counted_as_people_do():
    counted = {
        "turno": 2, "usted": 2, "día": 2, "paciente": 3, "quiere": 2, "aún": 2, "leer": 2,
        "solicitud": 4, "también": 2, "hoy": 1, "yo": 1, "guerra": 2, "y": 1, "cambió": 2,
    }  # fmt: skip
    assert {word: syllables(word) for word in counted} == counted


def prose_of(kind):
    """What we wrote, without names, addresses, dates and the web."""
    letter = letter_of(kind)
    labels = "Antes|Paciente|Con|Dónde|Referencia|En lugar de"
    facts = re.compile(rf"^({labels}): .*$", re.MULTILINE)
    text = re.sub(r"https?://\S+", "", letter.text.partition("\n\n")[2])
    text = re.sub(r"\+[\d -]+\d", "", facts.sub("", text))
    return text.removesuffix("Consultorio\n")


@pytest.mark.parametrize("kind", EVERY)
def test_spanish_mails_are_plain(kind):
    text = prose_of(kind)
    assert readability(text) >= 70, (readability(text), text)
    for sentence in sentences(text):
        assert len(sentence.split()) <= 20, sentence
