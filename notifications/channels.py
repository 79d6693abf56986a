"""How a letter leaves: by e-mail today. See docs/decisions/0023.

Which letters there are and when they leave is ``outbox``, what becomes of them ``delivery``;
a channel only hands them over. Another one is a class here and its name in ``CHANNELS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from django.core import mail

from notifications.letters import Letter


class Channel(Protocol):
    """One conversation with whoever takes the letters, opened once for many."""

    def open(self) -> object:
        """OSError: nobody is there, and no letter is to blame."""

    def send(self, letter: Letter) -> None:
        """Hand one over; an exception is the failure of this letter (see ``faults``)."""

    def close(self) -> None:
        """Also when it was never opened, or has broken off."""


class Email:
    def __init__(self) -> None:
        self._connection = mail.get_connection()

    def open(self) -> object:
        return self._connection.open()

    def send(self, letter: Letter) -> None:
        if self._connection.send_messages([letter.message]) != 1:
            raise OSError("The mail backend took no message.")

    def close(self) -> None:
        self._connection.close()


EMAIL = "email"
CHANNELS: dict[str, Callable[[], Channel]] = {EMAIL: Email}


def channel(name: str = EMAIL) -> Channel:
    return CHANNELS[name]()
