"""The rules of time as plain rows: to see what a change did to them, and to put it back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction

from accounts.models import Patient, Practitioner
from accounts.roles import Actor
from clinic import audit
from clinic.models import Closure, Location, Room, Service, Specialty
from scheduling.models import DateOverride, Schedule, ServiceOffering, TimeOff, WorkingHours

#: By kind and key, the values of each row, as JSON holds them.
Rows = dict[str, dict[str, dict[str, Any]]]
Sets = Iterable[models.QuerySet[Any]]


class _Kind(NamedTuple):
    model: type[models.Model]
    #: The columns that are rules: such a row is never taken away. None: the whole row is.
    columns: tuple[str, ...] | None = None


_SWITCH = ("is_active",)
#: Everything that says when somebody can be booked. Owners come first.
_KINDS: dict[str, _Kind] = {
    "specialty": _Kind(Specialty, _SWITCH),
    "service": _Kind(Service, (*_SWITCH, "default_duration")),
    "location": _Kind(Location, _SWITCH),
    "room": _Kind(Room, _SWITCH),
    "closure": _Kind(Closure),
    "practitioner": _Kind(Practitioner, (*_SWITCH, "travel_minutes")),
    "patient": _Kind(Patient, _SWITCH),
    "schedule": _Kind(Schedule),
    "hours": _Kind(WorkingHours),
    "override": _Kind(DateOverride),
    "offering": _Kind(ServiceOffering),
    "time_off": _Kind(TimeOff),
}
_NAMES = {kind.model: name for name, kind in _KINDS.items()}


class ChangedSinceError(Exception):
    """Somebody has changed the same rules again in the meantime."""


def time_of(practitioner: Practitioner) -> list[models.QuerySet[Any]]:
    """Everything that belongs to this practitioner's time."""
    return [
        Schedule.objects.filter(practitioner=practitioner),
        WorkingHours.objects.filter(schedule__practitioner=practitioner),
        DateOverride.objects.filter(schedule__practitioner=practitioner),
        ServiceOffering.objects.filter(schedule__practitioner=practitioner),
        TimeOff.objects.filter(practitioner=practitioner),
    ]


def picture(sets: Sets) -> Rows:
    """The rules in these rows. One query for each set."""
    found: dict[str, dict[str, Any]] = {}
    for rows in sets:
        name = _NAMES[rows.model]
        columns = _KINDS[name].columns
        values = rows.order_by().values(*(("id", *columns) if columns else ()))
        found.setdefault(name, {}).update({str(row.pop("id")): row for row in values})
    plain: Rows = json.loads(json.dumps(found, cls=DjangoJSONEncoder))
    return plain


def difference(before: Rows, after: Rows) -> tuple[Rows, Rows]:
    """Of both pictures only the rows that are not the same in the other."""
    became = {
        name: _undoable(name, rows, before.get(name, {}))
        for name, rows in _only_in(after, before).items()
    }
    return _only_in(before, after), {name: rows for name, rows in became.items() if rows}


def _undoable(name: str, rows: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """A new person or location is no change of the rules, and is not taken away again."""
    if _KINDS[name].columns is None:
        return rows
    return {pk: row for pk, row in rows.items() if pk in before}


def _only_in(one: Rows, other: Rows) -> Rows:
    kept = {
        name: {pk: row for pk, row in rows.items() if other.get(name, {}).get(pk) != row}
        for name, rows in one.items()
    }
    return {name: rows for name, rows in kept.items() if rows}


@transaction.atomic
def put_back(*, before: Rows, after: Rows, by: Actor, target: models.Model | str) -> None:
    """Make the rows that became ``after`` what they were ``before``; other rows stay.

    The caller holds the practitioners whose time it is. Refuses ChangedSinceError if the
    rows are no longer ``after``. ``target``: what the log says it was about.
    """
    touched = {name: before.get(name, {}).keys() | after.get(name, {}).keys() for name in _KINDS}
    now = picture(
        kind.model._default_manager.filter(pk__in=[int(pk) for pk in touched[name]])
        for name, kind in _KINDS.items()
        if touched[name]
    )
    for name, keys in touched.items():
        if any(now[name].get(pk) != after.get(name, {}).get(pk) for pk in keys):
            raise ChangedSinceError
    for name in reversed(_KINDS):
        gone = after.get(name, {}).keys() - before.get(name, {}).keys()
        _KINDS[name].model._default_manager.filter(pk__in=[int(pk) for pk in gone]).delete()
    for name, kind in _KINDS.items():
        for pk, values in before.get(name, {}).items():
            if kind.columns:
                kind.model._default_manager.filter(pk=int(pk)).update(**values)
            else:
                _row(kind.model, pk, values).save(force_insert=pk not in after.get(name, {}))
    audit.record(actor=str(by), action="schedule.undo", target=target, before=after, after=before)


def _row(model: type[models.Model], pk: str, values: dict[str, Any]) -> models.Model:
    row = model(pk=int(pk))
    for field in model._meta.concrete_fields:
        if field.attname in values:
            setattr(row, field.attname, field.to_python(values[field.attname]))
    return row
