"""Whether a patient can be written to, and what the staff does if not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.utils.translation import gettext as _

from accounts.models import Patient, PatientAccess
from appointments.models import Appointment


def silent(patients: Iterable[Patient]) -> set[int]:
    """The ids of those who have no account and no address here: nobody writes to them."""
    without = {patient.pk for patient in patients if not patient.email}
    live = PatientAccess.objects.live().filter(patient__in=without, user__is_active=True)
    return without - set(live.values_list("patient_id", flat=True)) if without else set()


def what_to_do(patient: Patient) -> str:
    """For a patient to whom nobody writes."""
    name = patient.full_name
    if not patient.phone:
        return _("%(name)s has no e-mail and no phone here.") % {"name": name}
    phone = patient.phone.as_international
    return _("%(name)s has no e-mail here: call %(phone)s.") % {"name": name, "phone": phone}


def notice_of(appointment: Appointment, now: dt.datetime) -> str:
    """Who is told that it was cancelled; nothing of what has begun, which is no news."""
    if appointment.start <= now:
        return ""
    patient = appointment.patient
    if silent([patient]):
        return what_to_do(patient)
    return _("%(name)s gets a notice.") % {"name": patient.full_name}
