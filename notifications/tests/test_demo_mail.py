"""The letter box of the demo: what was sent can be read there, and nowhere else."""

import pytest
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from accounts.tests.factories import administrator, patient_user

LIST = "/demo/correos/"

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.EMAIL_BACKEND = "notifications.backends.EmlFileBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    settings.DEMO = True
    return tmp_path / "mail"


def send(subject="Su código", text="El código es ABC-123.", **fields):
    message = EmailMultiAlternatives(subject, text, to=["ana@example.org"], **fields)
    message.send()


def test_addresses():
    assert reverse("notifications:demo_mail") == LIST
    assert reverse("notifications:demo_message", args=["a-1"]) == "/demo/correos/a-1/"


def test_anybody_reads_the_code_that_was_sent(client):
    send()
    page = client.get(LIST)
    [mail] = page.context["mails"]
    assert (mail.subject, mail.to) == ("Su código", "ana@example.org")
    page = client.get(f"{LIST}{mail.name}/")
    assert page.status_code == 200
    assert "El código es ABC-123." in page.content.decode()


def test_the_newest_stands_first(client):
    for number in range(3):
        send(f"Mail {number}")
    assert [mail.subject for mail in client.get(LIST).context["mails"]] == [
        "Mail 2",
        "Mail 1",
        "Mail 0",
    ]


def test_no_mail_yet(client):
    page = client.get(LIST)
    assert page.status_code == 200
    assert page.context["mails"] == []


def test_what_a_mail_says_is_text_and_its_links_work(client):
    send("<b>x</b>", "<script>alert(1)</script>\nhttp://localhost:8000/turnos/1/")
    page = client.get(LIST).content.decode()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    name = client.get(LIST).context["mails"][0].name
    page = client.get(f"{LIST}{name}/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert '<a href="http://localhost:8000/turnos/1/"' in page


def test_what_is_attached_is_named(client):
    send(attachments=[("turno.ics", b"BEGIN:VCALENDAR", "text/calendar")])
    name = client.get(LIST).context["mails"][0].name
    assert "turno.ics" in client.get(f"{LIST}{name}/").content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../db",
        "..%2f..%2fsecret",
        "secret",
        "%00",
        "a.eml",
        "x" * 5000,
        "20261208T133000123456Z-1",
    ],
)
def test_no_name_leads_out_of_the_folder(client, folder, name):
    folder.mkdir()
    (folder.parent / "secret.eml").write_text("Subject: canary\n\ncanary")
    response = client.get(f"{LIST}{name}/")
    assert response.status_code == 404
    assert b"canary" not in response.content


def test_other_files_are_left_out(client, folder):
    send()
    (folder / ".draft.tmp").write_text("half")
    (folder / "notes.eml").write_text("Subject: not ours\n\n")
    (folder / "notes.txt").write_text("x")
    assert len(client.get(LIST).context["mails"]) == 1


def test_outside_the_demo_it_does_not_exist_for_anybody(client, settings):
    send()
    name = client.get(LIST).context["mails"][0].name
    settings.DEMO = False
    for user in (None, patient_user(), administrator()):
        if user:
            client.force_login(user)
        assert client.get(LIST).status_code == 404
        assert client.get(f"{LIST}{name}/").status_code == 404


def test_it_is_never_kept_by_a_browser_or_proxy(client):
    send()
    name = client.get(LIST).context["mails"][0].name
    for url in (LIST, f"{LIST}{name}/"):
        assert "no-store" in client.get(url)["Cache-Control"]
        assert client.post(url).status_code == 405


def test_a_full_folder_lists_the_newest(client, monkeypatch):
    monkeypatch.setattr("notifications.mailbox.MOST", 2)
    for number in range(3):
        send(f"Mail {number}")
    assert [mail.subject for mail in client.get(LIST).context["mails"]] == ["Mail 2", "Mail 1"]
