"""Mails as files: whole, sortable, for their owner only."""

import re
import stat
from email import message_from_bytes, policy

import pytest
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives

from notifications.backends import EmlFileBackend

pytestmark = pytest.mark.once


@pytest.fixture
def folder(settings, tmp_path):
    settings.EMAIL_BACKEND = "notifications.backends.EmlFileBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "var" / "mail")
    return tmp_path / "var" / "mail"


def test_each_message_is_one_file_that_reads_back(folder):
    message = EmailMultiAlternatives("Código ñ", "El código es ABC-123.", to=["ana@example.org"])
    message.attach_alternative("<p>El código</p>", "text/html")
    assert message.send() == 1
    [path] = folder.iterdir()
    read = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert (read["Subject"], read["To"]) == ("Código ñ", "ana@example.org")
    assert read.get_body(("plain",)).get_content() == "El código es ABC-123."
    assert read.get_body(("html",)).get_content() == "<p>El código</p>"


def test_names_sort_by_time(folder):
    for number in range(5):
        mail.send_mail(f"Mail {number}", "", None, ["ana@example.org"])
    names = sorted(path.name for path in folder.iterdir())
    subjects = [message_from_bytes((folder / name).read_bytes())["Subject"] for name in names]
    assert subjects == [f"Mail {number}" for number in range(5)]
    assert all(re.fullmatch(r"\d{8}T\d{12}Z-[0-9a-f]{8}\.eml", name) for name in names)


def test_only_the_owner_reads_them(folder):
    mail.send_mail("Mail", "", None, ["ana@example.org"])
    [path] = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_nothing_behind(folder, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("notifications.backends.os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        mail.send_mail("Mail", "", None, ["ana@example.org"])
    assert list(folder.iterdir()) == []


def test_nobody_to_write_to_counts_as_nothing(folder):
    assert EmlFileBackend().send_messages([EmailMessage("Mail", "")]) == 0
    assert not folder.exists()


def test_another_folder_can_be_named(folder, tmp_path):
    backend = EmlFileBackend(file_path=str(tmp_path / "other"))
    assert backend.send_messages([EmailMessage("Mail", "", to=["ana@example.org"])]) == 1
    assert len(list((tmp_path / "other").glob("*.eml"))) == 1
