"""Changes of a practitioner's time with a verb of their own. See ``appointments.changes``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone

from accounts.models import Practitioner
from accounts.roles import Actor
from appointments import locks, opened
from appointments.changes import Answer, Change, Hit, HitsChanged, Made, Reach
from clinic.models import Location
from scheduling.models import Schedule, TimeOff
from scheduling.services import ScheduleRules, add_time_off, remove_time_off, set_week
from scheduling.weeks import Hours

__all__ = [
    "Answer",
    "Block",
    "Hit",
    "HitsChanged",
    "block_time",
    "blocking",
    "change_week",
    "unblock_time",
]


@dataclass(frozen=True, slots=True)
class Block:
    """Time off as a form gives it: two instants, or a weekday with its hours."""

    location: Location | None = None
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    weekday: int | None = None
    start: dt.time | None = None
    end: dt.time | None = None
    reason: str = ""


def blocking(*, practitioner: Practitioner, blocks: Sequence[Block], by: Actor) -> Change:
    """All blocks or none: lunch from Monday to Friday is one change of five blocks."""

    def write() -> list[TimeOff]:
        return [_add(practitioner, block, by) for block in blocks]

    return Change(Reach.of(practitioner), write, by)


def _add(practitioner: Practitioner, block: Block, by: Actor) -> TimeOff:
    return add_time_off(
        practitioner=practitioner,
        by=by,
        location=block.location,
        starts_at=block.starts_at,
        ends_at=block.ends_at,
        weekday=block.weekday,
        start=block.start,
        end=block.end,
        reason=block.reason,
    )


def block_time(
    *,
    practitioner: Practitioner,
    blocks: Sequence[Block],
    by: Actor,
    answer: Answer | None = None,
    now: dt.datetime | None = None,
) -> Made:
    """Block the time, and do with what it hits as was answered. Refuses as ``Change.make``."""
    change = blocking(practitioner=practitioner, blocks=blocks, by=by)
    return change.make(answer=answer, now=now)


def change_week(
    *,
    schedule: Schedule,
    hours: Sequence[Hours],
    by: Actor,
    rules: ScheduleRules | None = None,
    answer: Answer | None = None,
    now: dt.datetime | None = None,
) -> Made:
    """Replace the weekly hours, and the schedule's own rules if they are given.

    Refuses as ``Change.make``.
    """
    write = partial(set_week, schedule=schedule, hours=hours, by=by, rules=rules)
    return Change(Reach.of(schedule.practitioner), write, by).make(answer=answer, now=now)


@locks.retrying
def unblock_time(*, time_off: TimeOff, by: Actor, now: dt.datetime | None = None) -> None:
    """The time is open again: it hits nobody, and whoever waits for it is asked."""
    now, people = now or timezone.now(), [time_off.practitioner_id]
    with transaction.atomic():
        locks.hold(practitioners=people)
        before = opened.look(people, now=now)
        remove_time_off(time_off=time_off, by=by)
        opened.note(before, now=now, practitioners=people, due_at=now)
