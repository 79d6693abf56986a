"""Which answers of a mail server are final."""

import datetime as dt
import smtplib
import ssl

import pytest

from notifications import faults

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"No such user")}), True),
        (smtplib.SMTPRecipientsRefused({"a@example.org": (450, b"Busy")}), False),
        (smtplib.SMTPRecipientsRefused({"a@x.org": (550, b""), "b@x.org": (450, b"")}), False),
        (smtplib.SMTPDataError(554, b"Looks like spam"), True),
        (smtplib.SMTPDataError(451, b"Try later"), False),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), True),
        # A quota, a policy, our sender: it is not this address.
        (smtplib.SMTPDataError(550, b"5.4.5 Daily user sending limit exceeded"), False),
        (smtplib.SMTPRecipientsRefused({"a@x.org": (554, b"5.7.1 Relaying denied")}), False),
        (smtplib.SMTPRecipientsRefused({"a@x.org": (550, b"5.1.8 Bad sender")}), False),
        (smtplib.SMTPRecipientsRefused({"a@x.org": (550, b"5.4.1 Access denied")}), True),
        # Our own address, our own password: somebody will mend it.
        (smtplib.SMTPSenderRefused(550, b"Not yours", "turnos@example.org"), False),
        (smtplib.SMTPAuthenticationError(535, b"Wrong password"), False),
        (smtplib.SMTPServerDisconnected("gone"), False),
        (smtplib.SMTPHeloError(421, b"Too many"), False),
        (TimeoutError("slow"), False),
        (ssl.SSLError("certificate"), False),
        (ValueError("template"), False),
    ],
    ids=repr,
)
def test_permanent_or_not(error, permanent):
    assert faults.is_permanent(error) is permanent


@pytest.mark.parametrize(
    ("text", "named"),
    [(b"5.1.1 No such user", True), (b"5.2.1 Disabled", True), (b"No", False), (b"5.7.1", False)],
)
def test_whether_the_address_is_named_as_the_reason(text, named):
    error = smtplib.SMTPRecipientsRefused({"a@example.org": (550, text)})
    assert faults.is_of_address(error) is named
    assert not faults.is_of_address(TimeoutError("slow"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (smtplib.SMTPDataError(554, b"5.7.1\n Spam\xff"), "SMTPDataError: 554 5.7.1 Spam\ufffd"),
        (smtplib.SMTPSenderRefused(550, b"No", "a@x.org"), "SMTPSenderRefused: 550 No"),
        (
            smtplib.SMTPRecipientsRefused({"a@x.org": (550, b"No"), "b@x.org": (451, b"Later")}),
            "SMTPRecipientsRefused: 550 No; 451 Later",
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "ConnectionRefusedError: Connection refused",
        ),
        (ValueError("canary"), "ValueError"),
        (TimeoutError("canary"), "TimeoutError"),
    ],
    ids=repr,
)
def test_what_the_administrator_reads(error, words):
    assert faults.describe(error) == words


def test_waits_grow_and_end():
    def average(tries):
        return sum((faults.wait_after(tries) for _n in range(200)), dt.timedelta()) / 200

    averages = [average(tries) for tries in range(1, 9)]
    for expected, found in zip(
        [30, 90, 270, 810, 2430, 7290, 21600, 21600], averages, strict=False
    ):
        assert expected * 0.9 < found.total_seconds() < expected * 1.1


def test_no_two_waits_are_alike():
    assert len({faults.wait_after(3) for _n in range(50)}) > 40
