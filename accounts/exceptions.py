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


class HasOwnAccount(AccountRefusal):
    code = "has_own_account"
    sentence = _("This person has an own account already.")


class TooYoung(AccountRefusal):
    code = "too_young"
    sentence = _("This person is not of age yet. Ask the clinic if they need an own account.")


class BirthDateNeeded(AccountRefusal):
    code = "birth_date_needed"
    sentence = _("The record has no birth date. It is needed to hand the record over.")


class NotTheirAddress(AccountRefusal):
    code = "not_their_address"
    sentence = _("This is the e-mail of your own account. Write the one of the other person.")


class OfferOver(AccountRefusal):
    code = "offer_over"
    sentence = _("This invitation is over. Ask for another one.")


class TooManyOffers(AccountRefusal):
    code = "too_many_offers"
    sentence = _("Several invitations have been sent today. Try again tomorrow.")


class LooksAfterIt(AccountRefusal):
    code = "looks_after_it"
    sentence = _("This account looks after the record. Its person needs an own account.")


class HasOwnRecord(AccountRefusal):
    code = "has_own_record"
    sentence = _("This account has a record already. Call us: we put both together.")


class AccountExists(AccountRefusal):
    code = "account_exists"
    sentence = _("There is an account with this e-mail. Log in first.")


class TooManyPeople(AccountRefusal):
    code = "too_many_people"
    sentence = _("There are many people in this list already. Call us to add another one.")
