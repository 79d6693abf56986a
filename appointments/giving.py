"""What the staff looks up before it gives an appointment."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Patient, PatientQuerySet, Practitioner
from appointments import availability
from appointments.exceptions import Refusal, SlotClosed, SlotHeld, SlotOffered, SlotTaken
from appointments.models import Appointment, AppointmentQuerySet, Hold, WaitingOffer, cells_of
from appointments.transitions import OCCUPYING, UPCOMING, Status
from clinic.models import Organization
from scheduling.intervals import to_minute
from scheduling.models import ServiceOffering
from scheduling.selectors import need_of
from scheduling.slots import Slot

#: A first free time is looked for so far ahead: two weeks first, then as far as it goes.
_NEAR, _FAR = dt.timedelta(days=14), dt.timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a start can be given; if not why, and whether on top of what is there.

    ``kept``: what is in the way is kept for somebody, and by its clock over soon.
    """

    refusal: Refusal | None = None
    may_go_over: bool = False
    kept: Hold | None = None


def look(
    offering: ServiceOffering, start: dt.datetime, *, now: dt.datetime, may_overbook: bool
) -> Verdict:
    """What the verbs would say now, to somebody who has just come and lost nothing.

    They look again, under the lock.
    """
    try:
        availability.check(offering, start=start, now=now, online=False)
    except SlotHeld as held:
        kept = _kept(offering, start, now)
        return Verdict(SlotOffered() if kept and offer_of(kept) else held, kept=kept)
    except SlotTaken:
        taken = SlotTaken(_("This time is taken."))
        return Verdict(taken, may_overbook and _fits_over(offering, start, now))
    except SlotClosed:
        return Verdict(SlotClosed(_("This time is outside the hours.")))
    except Refusal as refusal:
        return Verdict(refusal)
    return Verdict()


def _kept(offering: ServiceOffering, start: dt.datetime, now: dt.datetime) -> Hold | None:
    """The hold in the way that ends last; None if only the way from one is in the way."""
    minute, need = to_minute(start), need_of(offering, Organization.current())
    cells = cells_of((minute - need.before, minute + need.duration + need.after))
    there = Hold.objects.live(now).filter(
        practitioner=offering.schedule.practitioner_id, cells__cell__in=list(cells)
    )
    parts = there.select_related("offer__entry__patient", "location")
    return parts.order_by("-expires_at", "-pk").first()


def offer_of(hold: Hold) -> WaitingOffer | None:
    """Read from the row that ``look`` has fetched."""
    return getattr(hold, "offer", None)


def offer_to(
    patient: Patient, offering: ServiceOffering, start: dt.datetime, *, now: dt.datetime
) -> WaitingOffer | None:
    """Exactly this, offered to this patient: still to be answered, or taken already."""
    schedule = offering.schedule
    theirs = WaitingOffer.objects.filter(
        Q(is_open=True, expires_at__gt=now) | Q(appointment__status__in=UPCOMING),
        entry__patient=patient,
        practitioner=schedule.practitioner_id,
        location=schedule.location_id,
        service=offering.service_id,
        start=start,
    )
    return theirs.select_related("entry__instead_of__location").order_by("-pk").first()


def _fits_over(offering: ServiceOffering, start: dt.datetime, now: dt.datetime) -> bool:
    try:
        availability.check(offering, start=start, now=now, online=False, over=True)
    except Refusal:
        return False
    return True


def first_free(
    offering: ServiceOffering, *, since: dt.datetime, now: dt.datetime
) -> dt.datetime | None:
    """The first free start from then on."""
    since = max(since, now)
    for start, end in ((since, since + _NEAR), (since + _NEAR, since + _FAR)):
        if slot := next(_free(offering, start, end, now), None):
            return slot.start
    return None


def free_starts(
    offering: ServiceOffering, *, start: dt.datetime, end: dt.datetime, now: dt.datetime
) -> list[Slot]:
    return list(_free(offering, start, end, now))


def _free(
    offering: ServiceOffering, start: dt.datetime, end: dt.datetime, now: dt.datetime
) -> Iterator[Slot]:
    """Earliest first; a window that is over has none."""
    for free in availability.free_time([offering], start=start, end=end, now=now, online=False):
        yield from free.slots()


def most_given(offerings: Sequence[ServiceOffering]) -> ServiceOffering:
    """Of these offerings of one schedule the one that was given most often lately."""
    schedule = offerings[0].schedule
    recent = Appointment.objects.filter(
        practitioner=schedule.practitioner_id, location=schedule.location_id
    ).order_by("-start")
    counts = Counter(recent.values_list("service", flat=True)[:200])
    return max(offerings, key=lambda o: counts[o.service_id])


def had_last(patient: Patient, offerings: Sequence[ServiceOffering]) -> ServiceOffering | None:
    """Of these offerings the one that the patient came for last, or comes for next."""
    known = {
        (o.schedule.practitioner_id, o.schedule.location_id, o.service_id): o for o in offerings
    }
    visits = Appointment.objects.filter(patient=patient).order_by("-start")
    recent = visits.values_list("practitioner", "location", "service")[:50]
    return next((known[visit] for visit in recent if visit in known), None)


def patients_of(practitioner: Practitioner) -> PatientQuerySet:
    """Whom this practitioner treats: nobody else's are theirs to find."""
    found: PatientQuerySet = Patient.objects.active().filter(
        pk__in=_visits_to(practitioner).values("patient")
    )
    return found


def treats(practitioner: Practitioner, patient: Patient) -> bool:
    """Whether this practitioner has seen the patient or is going to; also one who has left."""
    return _visits_to(practitioner).filter(patient=patient).exists()


def _visits_to(practitioner: Practitioner) -> AppointmentQuerySet:
    seen = OCCUPYING | {Status.NOSHOW}
    return Appointment.objects.filter(practitioner=practitioner, status__in=seen)
