"""Who of the demo waits for a time that becomes free."""

from __future__ import annotations

import datetime as dt

from accounts.models import Practitioner, User
from appointments import waiting
from appointments.models import Appointment
from clinic.models import Service

#: The account that visitors of the demo try.
PATIENT = "paciente@demo.test"


def build(*, now: dt.datetime) -> None:
    """Mariana would come earlier to what is furthest away, and to cardiology on a morning."""
    user = User.objects.get(email=PATIENT)
    visits = Appointment.objects.of_patients_of(user).upcoming(now).with_parts()
    for later in [v for v in visits if now < v.cancellable_until][-1:]:
        waiting.join(
            user=user,
            patient=later.patient,
            service=later.service,
            practitioner=later.practitioner,
            instead_of=later,
            now=now,
        )
    waiting.join(
        user=user,
        patient=user.patient_accesses.order_by("pk")[0].patient,
        service=Service.objects.get(slug="consulta-cardiologica"),
        practitioner=Practitioner.objects.get(slug="carolina-iturbe"),
        weekdays=[0, 2, 4],
        parts=[0],
        now=now,
    )
