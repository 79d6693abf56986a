"""What went wrong while sending, and whether trying again can help. Pure."""

from __future__ import annotations

import datetime as dt
import random
import re
import smtplib

#: "Service not available, closing transmission channel" (RFC 5321, 3.8).
_CLOSING = 421
#: The first wait; each further one is three times as long, up to LONGEST.
FIRST = dt.timedelta(seconds=30)
LONGEST = dt.timedelta(hours=6)
#: Together a little less than a day.
MAX_TRIES = 10
#: The code within an answer that says more than its number (RFC 3463).
_ENHANCED = re.compile(r"\b5\.(\d{1,3})\.(\d{1,3})\b")
#: These speak of us, not of whom we write to: our sender, the state of the server, a quota.
_OF_US = frozenset({"1.7", "1.8", "3.0", "3.2", "4.5"})
#: Policy: of one mail that looks like spam, or of everything that we send.
_POLICY = "7"
#: Of an address, and of its mailbox.
_OF_ADDRESS = frozenset({"1", "2"})


def is_permanent(error: BaseException) -> bool:
    """Whether the other side has said that this mail will never be taken.

    A refused sender or login, a quota, a policy are our own set-up: somebody will mend it.
    """
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return True
    answers = _answers(error)
    return bool(answers) and all(code >= 500 and not _is_ours(text) for code, text in answers)


def is_of_address(error: BaseException) -> bool:
    """Whether a no for good names the address as its reason."""
    subjects = [_ENHANCED.search(_words(text)) for _code, text in _answers(error)]
    named = bool(subjects) and all(found and found[1] in _OF_ADDRESS for found in subjects)
    return named and is_permanent(error)


def is_answer(error: BaseException) -> bool:
    """Whether the server spoke of this mail at all."""
    return bool(_answers(error))


def _answers(error: BaseException) -> list[tuple[int, bytes | str]]:
    """What the server said of this mail."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return list(error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return [(error.smtp_code, error.smtp_error)]
    return []


def _is_ours(text: bytes | str) -> bool:
    found = _ENHANCED.search(_words(text))
    if found is None:
        return False
    return found[1] == _POLICY or f"{found[1]}.{found[2]}" in _OF_US


def is_of_server(error: BaseException) -> bool:
    """Whether the mail server, or the way to it, is the trouble: it said nothing of this mail."""
    if answers := _answers(error):
        return any(code == _CLOSING for code, _text in answers)
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
    return f"{code} {_words(text)}"


def _words(text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(words.split())


def wait_after(tries: int) -> dt.timedelta:
    """How long to wait after so many tries; a fifth up or down, so that not all come at once."""
    wait = min(FIRST * 3 ** max(tries - 1, 0), LONGEST)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - nobody gains by guessing it
