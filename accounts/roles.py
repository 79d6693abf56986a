"""Roles are facts about an account, and every change has an actor."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from accounts.models import User


class Role(enum.StrEnum):
    PATIENT = "patient"
    PRACTITIONER = "practitioner"
    RECEPTION = "reception"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"


class Source(enum.StrEnum):
    """Where a change came from."""

    WEB = "web"
    ADMIN = "admin"
    COMMAND = "command"
    TASK = "task"
    #: A link in a mail, without a login.
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and as what. One person may be doctor here and patient there."""

    user: User | None
    role: Role
    source: Source = Source.WEB

    @classmethod
    def patient(cls, user: User) -> Self:
        return cls(user, Role.PATIENT)

    @classmethod
    def practitioner(cls, user: User) -> Self:
        return cls(user, Role.PRACTITIONER)

    @classmethod
    def reception(cls, user: User) -> Self:
        return cls(user, Role.RECEPTION)

    @classmethod
    def administrator(cls, user: User) -> Self:
        return cls(user, Role.ADMINISTRATOR, Source.ADMIN)

    @classmethod
    def system(cls, source: Source = Source.TASK) -> Self:
        return cls(None, Role.SYSTEM, source)

    def __str__(self) -> str:
        return self.user.email if self.user else self.role.value
