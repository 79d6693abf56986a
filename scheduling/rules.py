"""A practitioner's rules as plain rows: to see what a change did to them, and to put it back."""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction

from accounts.models import Practitioner
from accounts.roles import Actor
from clinic import audit
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff, WorkingHours

#: By model and key, the values of each row, as JSON holds them.
Rows = dict[str, dict[str, dict[str, Any]]]

#: What belongs to a practitioner's time, and the way from it to them. Owners come first.
_MODELS: dict[str, tuple[type[models.Model], str]] = {
    "schedule": (Schedule, "practitioner"),
    "hours": (WorkingHours, "schedule__practitioner"),
    "override": (DateOverride, "schedule__practitioner"),
    "offering": (ServiceOffering, "schedule__practitioner"),
    "time_off": (TimeOff, "practitioner"),
}


class ChangedSinceError(Exception):
    """Somebody has changed the same rules again in the meantime."""


def picture(practitioner: Practitioner) -> Rows:
    """All rules of this practitioner's time. One query for each kind."""
    found = {
        name: {
            str(row.pop("id")): row
            for row in model._default_manager.filter(**{path: practitioner}).values()
        }
        for name, (model, path) in _MODELS.items()
    }
    plain: Rows = json.loads(json.dumps(found, cls=DjangoJSONEncoder))
    return plain


def difference(before: Rows, after: Rows) -> tuple[Rows, Rows]:
    """Of both pictures only the rows that are not the same in the other."""
    return _only_in(before, after), _only_in(after, before)


def _only_in(one: Rows, other: Rows) -> Rows:
    kept = {
        name: {pk: row for pk, row in rows.items() if other.get(name, {}).get(pk) != row}
        for name, rows in one.items()
    }
    return {name: rows for name, rows in kept.items() if rows}


@transaction.atomic
def put_back(*, practitioner: Practitioner, before: Rows, after: Rows, by: Actor) -> None:
    """Make the rows that became ``after`` what they were ``before``; other rows stay.

    Refuses ChangedSinceError if they are no longer ``after``.
    """
    Practitioner.objects.lock(practitioner.pk)
    now = picture(practitioner)
    for name in _MODELS:
        touched = before.get(name, {}).keys() | after.get(name, {}).keys()
        if any(now[name].get(pk) != after.get(name, {}).get(pk) for pk in touched):
            raise ChangedSinceError
    for name in reversed(_MODELS):
        gone = after.get(name, {}).keys() - before.get(name, {}).keys()
        _MODELS[name][0]._default_manager.filter(pk__in=[int(pk) for pk in gone]).delete()
    for name, (model, _path) in _MODELS.items():
        for pk, values in before.get(name, {}).items():
            _row(model, pk, values).save(force_insert=pk not in after.get(name, {}))
    audit.record(
        actor=str(by), action="schedule.undo", target=practitioner, before=after, after=before
    )


def _row(model: type[models.Model], pk: str, values: dict[str, Any]) -> models.Model:
    row = model(pk=int(pk))
    for field in model._meta.concrete_fields:
        if field.attname in values:
            setattr(row, field.attname, field.to_python(values[field.attname]))
    return row
