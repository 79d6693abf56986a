"""The clinic's own words in mails: plain text with names in braces. See docs/decisions/0024.

Nothing in such a text is ever run or looked up: each name of a fixed list is replaced by
its value, once. A text that cannot be filled in stops no mail; ours takes its place.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.roles import Actor
from clinic import audit
from clinic.text import WEB_ADDRESS
from notifications.models import Kind, MessageText

log = logging.getLogger(__name__)

#: What can stand in braces, and what it becomes. Never why somebody comes, nor what for.
NAMES = {
    "patient": gettext_lazy("the patient’s name"),
    "practitioner": gettext_lazy("the practitioner’s title and name"),
    "when": gettext_lazy("day and time: “Tuesday 8 December, 10:30”"),
    "day": gettext_lazy("“today”, “tomorrow” or the day"),
    "time": gettext_lazy("the time: “10:30”"),
    "place": gettext_lazy("the location’s name"),
    "address": gettext_lazy("the location’s address"),
    "phone": gettext_lazy("the location’s phone, else the clinic’s"),
    "clinic": gettext_lazy("the clinic’s name"),
}
#: Others read subjects over the shoulder: no names of people.
IN_SUBJECTS = ("when", "day", "time", "place", "clinic")
#: A list tells of no one patient, time and place.
_NAMES_OF_LISTS = {
    Kind.PRACTITIONER_DAY: ("practitioner", "day", "clinic"),
    Kind.REQUESTS: ("clinic",),
}
#: Of a reminder of several appointments: what is the same for all; the last three only if all
#: are at one place.
NAMES_FOR_SEVERAL = ("clinic", "day", "place", "address", "phone")
#: What our own opening says here is not to be lost: it stays below the clinic's words.
KEEPS_OURS = frozenset(Kind) - {
    Kind.BOOKED,
    Kind.CONFIRMED,
    Kind.REMINDER,
    Kind.PRACTITIONER_NEW,
}
#: Codes and invitations are the house's own.
ADAPTABLE = tuple(kind for kind in Kind if kind != Kind.ACCOUNT)

PARTS = ("subject", "opening", "closing")
_BRACES = re.compile(r"\{([^{}]*)\}")


class BrokenText(ValueError):
    """A text with something in braces that is no name, or with a brace alone."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the clinic wrote for a mail; what is empty is ours."""

    kind: str = ""
    language: str = ""
    subject: str = ""
    opening: str = ""
    closing: str = ""

    def filled(self, part: str, values: Mapping[str, str]) -> str:
        """The part with its values; empty if there is none, or it is broken."""
        text = getattr(self, part)
        try:
            return fill(text, values).strip()
        except BrokenText as broken:
            log.error("The %s of %s (%s) is left out: %s", part, self.kind, self.language, broken)
            return ""

    def for_several(self, known: Container[str]) -> Words:
        """What also holds for several appointments: whatever names none but these."""

        def kept(text: str) -> str:
            return text if all(name in known for name in _BRACES.findall(text)) else ""

        return replace(self, subject="", opening=kept(self.opening), closing=kept(self.closing))


OURS = Words()


def words(kind: str, language: str) -> Words:
    row = MessageText.objects.filter(kind=kind, language=language).first()
    if row is None:
        return OURS
    return Words(kind, language, row.subject, row.opening, row.closing)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Each name once, by its value as it is: what a value holds is not looked at again."""
    rest = _BRACES.sub("", text)
    if "{" in rest or "}" in rest:
        raise BrokenText("a brace stands alone")
    if unknown := [name for name in _BRACES.findall(text) if name not in values]:
        raise BrokenText(f"{len(unknown)} unknown names")
    return _BRACES.sub(lambda found: values[found[1]], text)


def names_in(kind: Kind, part: str = "opening") -> tuple[str, ...]:
    """Which names can stand in this part of such a mail."""
    known = _NAMES_OF_LISTS.get(kind, tuple(NAMES))
    return tuple(name for name in known if part != "subject" or name in IN_SUBJECTS)


def problems(kind: Kind, part: str, text: str) -> Iterator[str]:
    """What somebody who writes it has to mend, as sentences."""
    for name in dict.fromkeys(_BRACES.findall(text)):
        if name not in names_in(kind):
            yield _("{%(name)s} is none of the names below.") % {"name": name}
        elif name not in names_in(kind, part):
            yield _("{%(name)s} says too much for a subject, which others may read.") % {
                "name": name
            }
    rest = _BRACES.sub("", text)
    if "{" in rest or "}" in rest:
        yield _("A brace stands alone. Names are written like {when}.")
    if WEB_ADDRESS.search(text):
        yield _("No web addresses: the links of the e-mail are added by themselves.")


@transaction.atomic
def save(*, kind: Kind, language: str, by: Actor, **parts: str) -> None:
    """These words from the next mail on; without any, ours again."""
    assert language in dict(settings.LANGUAGES)  # noqa: S101 (the form offers no other)
    if not any(parts.values()):
        MessageText.objects.filter(kind=kind, language=language).delete()
    else:
        MessageText.objects.update_or_create(kind=kind, language=language, defaults=parts)
    audit.record(
        actor=str(by),
        action="messagetext.change",
        target=f"notifications.messagetext:{kind}:{language}",
    )
