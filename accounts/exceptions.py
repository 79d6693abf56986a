"""Refusals about people: sentences a person can act on."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class AccountRefusal(Exception):
    """The verb was not done, and why. ``code`` is stable; ``sentence`` is translated."""

    code = "refused"
    sentence: str | Promise = _("This is not possible.")

    def __init__(self) -> None:
        super().__init__(self.code)

    def __str__(self) -> str:
        return str(self.sentence)


class NotAllowed(AccountRefusal):
    code = "not_allowed"
    sentence = _("This account may not do that.")


class AlreadyJoined(AccountRefusal):
    code = "already_joined"
    sentence = _("This person already uses the account and needs no invitation.")


class AddressTaken(AccountRefusal):
    code = "address_taken"
    sentence = _("This e-mail belongs to another account. Use a different one.")


class AccountClosed(AccountRefusal):
    code = "account_closed"
    sentence = _("The account with this e-mail is not active. Activate it first.")


class TooManyPeople(AccountRefusal):
    code = "too_many_people"
    sentence = _("There are many people in this list already. Call us to add another one.")
