"""How much a patient may book online before the clinic wants to hear from them.

Staff is never limited. Set at the clinic; 0 is no limit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import Count

from accounts.models import Patient, Practitioner
from accounts.roles import Role
from appointments.exceptions import TooManyAhead, TooManyCancelled
from appointments.models import Appointment, AppointmentEvent
from appointments.transitions import Status, Verb
from clinic.models import Organization

#: So far back a visit that somebody did not come to counts.
MEMORY = dt.timedelta(days=365)


def check(
    patient: Patient, practitioner: Practitioner, *, now: dt.datetime, organization: Organization
) -> None:
    """Refuses TooManyAhead, TooManyCancelled. Decides under the patient's lock."""
    most = organization.most_ahead
    if most and Appointment.objects.filter(patient=patient).upcoming(now).count() >= most:
        raise TooManyAhead(most)
    most, days = organization.most_cancelled, organization.most_cancelled_days
    if most and _cancelled(patient, practitioner, now - dt.timedelta(days=days)) >= most:
        raise TooManyCancelled(most, days, practitioner)


def _cancelled(patient: Patient, practitioner: Practitioner, since: dt.datetime) -> int:
    """What patients cancelled themselves; a move cancels nothing, and the clinic's do not count."""
    rows = AppointmentEvent.objects.filter(
        appointment__patient=patient,
        appointment__practitioner=practitioner,
        verb=Verb.CANCEL,
        role=Role.PATIENT,
        at__gt=since,
    )
    return int(rows.count())


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
