"""What went wrong while sending, and whether trying again can help. Pure."""

from __future__ import annotations

import datetime as dt
import random
import smtplib

#: "Service not available, closing transmission channel" (RFC 5321, 3.8).
_CLOSING = 421
#: The first wait; each further one is three times as long, up to LONGEST.
FIRST = dt.timedelta(seconds=30)
LONGEST = dt.timedelta(hours=6)
#: Together a little less than a day.
MAX_TRIES = 10


def is_permanent(error: BaseException) -> bool:
    """Whether the other side has said that this mail will never be taken.

    A refused sender or login is our own set-up: somebody will mend it.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, smtplib.SMTPNotSupportedError)


def is_of_server(error: BaseException) -> bool:
    """Whether the mail server, or the way to it, is the trouble: it said nothing of this mail."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return any(code == _CLOSING for code, _text in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code == _CLOSING
    return isinstance(error, OSError)


def describe(error: BaseException) -> str:
    """For the administrator: the answer of the mail server, or the kind of failure.

    The text of other errors is left out; it can quote what the mail says.
    """
    name = type(error).__name__
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [_answer(code, text) for code, text in error.recipients.values()]
        return f"{name}: {'; '.join(answers)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{name}: {_answer(error.smtp_code, error.smtp_error)}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"


def wait_after(tries: int) -> dt.timedelta:
    """How long to wait after so many tries; a fifth up or down, so that not all come at once."""
    wait = min(FIRST * 3 ** max(tries - 1, 0), LONGEST)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - nobody gains by guessing it
