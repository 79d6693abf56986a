"""Refusals, as sentences that the administrator can act on."""

from __future__ import annotations

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class MessageRefusal(Exception):
    sentence: ClassVar[str | Promise]

    def __str__(self) -> str:
        return str(self.sentence)


class NotAgain(MessageRefusal):
    sentence = _("Only messages that were sent or failed, and are still true, can be sent again.")


class NothingKept(MessageRefusal):
    sentence = _("Codes, resets and invitations are not kept. The person has to ask for a new one.")


class NotWaiting(MessageRefusal):
    sentence = _("Only messages that are waiting or failed can be withdrawn.")
