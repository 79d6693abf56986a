"""The edition: a mark that changes with everything that decides what can be booked and when.

A process may keep what it read under one edition for as long as the edition stands. A change
of one of these rows and its new mark are committed together, a mark never comes back, and
whoever remembers reads the mark before the rows. See docs/decisions/0012-editions.md.
"""

from __future__ import annotations

import copy
import functools
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.apps import apps
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Marked:
    edition: uuid.UUID
    organization: Any = field(compare=False)


def remembered(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """What ``make`` reads from the clinic's row on, kept as long as the row has the same mark.

    Two: a change that is only tried has an edition of its own, and then the old one is back.
    """

    @functools.lru_cache(maxsize=2)
    def kept(marked: _Marked) -> T:
        # A copy: whoever asked may change theirs.
        return make(copy.copy(marked.organization))

    @functools.wraps(make)
    def of(organization: Any) -> T:
        return kept(_Marked(organization.edition, organization))

    return of


def renew(**_signal: Any) -> None:
    """Put a new mark into the clinic's row, in the transaction of the change."""
    organization = apps.get_model("clinic", "Organization")
    organization._base_manager.filter(pk=1).update(edition=uuid.uuid4())


class EditedQuerySet(models.QuerySet[Any]):
    """The ways of writing many rows that tell no signal. ``delete`` does."""

    def update(self, **values: Any) -> int:
        with transaction.atomic():
            rows = super().update(**values)
            renew()
        return rows

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        with transaction.atomic():
            rows = super().bulk_create(objs, *args, **kwargs)
            renew()
        return rows


class EditedModel(models.Model):
    """A row that searches remember: whatever changes it renews the edition.

    Its managers are made of an ``EditedQuerySet``; a test looks.
    """

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        post_save.connect(renew, sender=cls)
        post_delete.connect(renew, sender=cls)

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        # The signal comes inside, so that the row and the mark go together or not at all.
        with transaction.atomic():
            super().save_base(*args, **kwargs)


def edited_links(through: type[models.Model]) -> None:
    """The rows of a many-to-many field are remembered too."""
    m2m_changed.connect(renew, sender=through)
