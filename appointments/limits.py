"""How much a patient may book online before the clinic wants to hear from them.

Staff is never limited. Set at the clinic; 0 is no limit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db.models import Count

from accounts.models import Patient, Practitioner
from accounts.roles import Role
from appointments import asked
from appointments.exceptions import LimitReached, TooManyAhead, TooManyCancelled
from appointments.models import Appointment, AppointmentEvent
from appointments.transitions import Status, Verb
from clinic.models import Organization

#: So far back a visit that somebody did not come to counts.
MEMORY = dt.timedelta(days=365)


def check(
    patient: Patient, practitioner: Practitioner, *, now: dt.datetime, organization: Organization
) -> None:
    """Refuses TooManyAhead, TooManyCancelled. Decides under the patient's lock."""
    check_any([patient], practitioner, now=now, organization=organization)


def check_cancelled(
    patient: Patient, practitioner: Practitioner, *, now: dt.datetime, organization: Organization
) -> None:
    """What counts for a move to this practitioner, too: it makes no appointment more."""
    for refusal in _too_often([patient], practitioner, now, organization).values():
        raise refusal


def check_any(
    patients: Sequence[Patient],
    practitioner: Practitioner,
    *,
    now: dt.datetime,
    organization: Organization,
) -> None:
    """The same for several: refuses what the first of them would be, if all of them would be."""
    found = _too_often(patients, practitioner, now, organization)
    if most := organization.most_ahead:
        refusal: LimitReached = TooManyAhead(most)
        found |= {pk: refusal for pk, times in _ahead(patients, now).items() if times >= most}
    if patients and all(patient.pk in found for patient in patients):
        raise found[patients[0].pk]


def _too_often(
    patients: Sequence[Patient],
    practitioner: Practitioner,
    now: dt.datetime,
    organization: Organization,
) -> dict[int, LimitReached]:
    most, days = organization.most_cancelled, organization.most_cancelled_days
    if not most:
        return {}
    counts = _cancelled(patients, practitioner, now - dt.timedelta(days=days))
    refusal = TooManyCancelled(most, days, practitioner)
    return {pk: refusal for pk, times in counts.items() if times >= most}


def _ahead(patients: Sequence[Patient], now: dt.datetime) -> dict[int, int]:
    """A move that waits for its answer makes no appointment more."""
    rows = Appointment.objects.filter(patient__in=patients).upcoming(now).standing(now).order_by()
    rows = rows.exclude(asked.open_moves(now))
    return dict(rows.values_list("patient").annotate(Count("pk")))


def _cancelled(
    patients: Sequence[Patient], practitioner: Practitioner, since: dt.datetime
) -> dict[int, int]:
    """What patients cancelled themselves; a move cancels nothing, and the clinic's do not count."""
    rows = AppointmentEvent.objects.filter(
        appointment__patient__in=patients,
        appointment__practitioner=practitioner,
        verb=Verb.CANCEL,
        role=Role.PATIENT,
        at__gt=since,
    )
    return dict(rows.order_by().values_list("appointment__patient").annotate(Count("pk")))


def who_needs_approval(
    patients: Iterable[Patient], *, now: dt.datetime, organization: Organization
) -> set[int]:
    """Those whose bookings the clinic confirms by hand, because they did not come before."""
    after = organization.approval_after_no_shows
    if not after:
        return set()
    missed = Appointment.objects.filter(
        patient__in=list(patients), status=Status.NOSHOW, start__gt=now - MEMORY, start__lte=now
    )
    counts = missed.order_by().values("patient").annotate(times=Count("pk"))
    return {row["patient"] for row in counts if row["times"] >= after}
