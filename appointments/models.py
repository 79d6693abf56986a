"""Appointments, the time they occupy, and their history.

Written only through ``appointments.store``; every other way of writing is closed.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
import zoneinfo
from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Patient, Practitioner, User
from accounts.roles import Role
from appointments.exceptions import ClosedPath
from appointments.transitions import OCCUPYING, UPCOMING, Status, Times, Verb
from clinic.fields import CELL_MINUTES, on_the_grid
from clinic.models import (
    AppendOnlyModel,
    Location,
    Room,
    Service,
    Specialty,
    make_public_id,
)
from scheduling.intervals import Interval, to_minute
from scheduling.models import ServiceOffering

_BUFFER_MINUTES = 120
#: No visit keeps more time free on either side of it.
LONGEST_BUFFER = dt.timedelta(minutes=_BUFFER_MINUTES)
_REFERENCE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def make_reference() -> str:
    """Eight letters and digits that are easy to read out on the telephone."""
    return "".join(secrets.choice(_REFERENCE_LETTERS) for _n in range(8))


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def occupying(self) -> Self:
        return self.filter(status__in=OCCUPYING)

    def upcoming(self, now: dt.datetime) -> Self:
        """Still to come, soonest first."""
        return self.filter(status__in=UPCOMING, end__gt=now).order_by("start")

    def unanswered(self, now: dt.datetime) -> Self:
        """Requests that can still be answered, the soonest first."""
        asked = self.filter(status=Status.PENDING, start__gt=now)
        return asked.exclude(expires_at__lte=now).order_by("start", "pk")

    def overdue(self, now: dt.datetime) -> Self:
        """Requests that nobody answered in time, until they are ended."""
        return self.filter(status=Status.PENDING, expires_at__lte=now)

    def standing(self, now: dt.datetime) -> Self:
        """Occupying, except for a request that is overdue: its time is free."""
        return self.occupying().exclude(status=Status.PENDING, expires_at__lte=now)

    def overlapping(self, start: dt.datetime, end: dt.datetime) -> Self:
        return self.filter(start__lt=end, end__gt=start)

    def of_patients_of(self, user: User) -> Self:
        return self.filter(patient__in=Patient.objects.of(user))

    def of_practitioner(self, user: User) -> Self:
        return self.filter(practitioner__user=user, practitioner__is_active=True)

    def with_parts(self) -> Self:
        return self.select_related("patient", "practitioner", "service", "location", "room")

    def with_replaced(self) -> Self:
        """With what a request to move would give up."""
        return self.select_related("replaces__practitioner", "replaces__location")

    def for_desk(self) -> Self:
        """Without why the patient comes; and of why it was overbooked, whether the desk wrote it:
        what a practitioner wrote may be clinical."""
        desk = [Role.RECEPTION, Role.ADMINISTRATOR]
        booked = AppointmentEvent.objects.filter(
            appointment=OuterRef("pk"), verb=Verb.BOOK, role__in=desk
        )
        return self.defer("reason").annotate(desk_wrote_why=Exists(booked))

    def _closed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ClosedPath("Appointments are written by the verbs of appointments.services.")

    bulk_create = bulk_update = update = delete = _closed
    update_or_create = get_or_create = _raw_delete = _closed


class Appointment(models.Model):
    """A patient with a practitioner in [start, end) at a location."""

    public_id = models.UUIDField(default=make_public_id, unique=True, editable=False)
    reference = models.CharField(
        _("reference"), max_length=8, default=make_reference, unique=True, editable=False
    )
    patient = models.ForeignKey(
        Patient, models.PROTECT, related_name="appointments", verbose_name=_("patient")
    )
    practitioner = models.ForeignKey(
        Practitioner, models.PROTECT, related_name="appointments", verbose_name=_("practitioner")
    )
    service = models.ForeignKey(
        Service, models.PROTECT, related_name="appointments", verbose_name=_("service")
    )
    location = models.ForeignKey(
        Location, models.PROTECT, related_name="appointments", verbose_name=_("location")
    )
    room = models.ForeignKey(
        Room,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="appointments",
        verbose_name=_("room"),
    )
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    local_date = models.DateField(_("day"), editable=False)
    buffer_before = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(_BUFFER_MINUTES), on_the_grid]
    )
    buffer_after = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(_BUFFER_MINUTES), on_the_grid]
    )
    status = models.CharField(_("state"), max_length=10, choices=Status)
    reason = models.CharField(_("reason for the visit"), max_length=500, blank=True)
    cancellable_until = models.DateTimeField(_("can be cancelled until"))
    expires_at = models.DateTimeField(_("request expires"), null=True, blank=True)
    cancellation_reason = models.CharField(_("why cancelled"), max_length=300, blank=True)
    overbooked = models.BooleanField(_("deliberate overbooking"), default=False)
    overbooking_reason = models.CharField(_("why overbooked"), max_length=300, blank=True)
    rescheduled_from = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="rescheduled_to"
    )
    #: What a patient asked to give up for this one; it stands until this is confirmed.
    replaces = models.ForeignKey(
        "self", models.PROTECT, null=True, editable=False, related_name="asked_moves"
    )
    request_key = models.UUIDField(null=True, unique=True, editable=False)
    #: Rises with every change; calendars know by it which file is newer.
    sequence = models.PositiveIntegerField(default=0, editable=False)
    #: A chain of moves is one entry in a calendar: the first one's name, counted on.
    calendar_uid = models.UUIDField(null=True, editable=False)
    calendar_base = models.PositiveIntegerField(default=0, editable=False)
    #: FHIR: the patient's participation is accepted.
    coming_since = models.DateTimeField(_("the patient said they come"), null=True, editable=False)
    created_at = models.DateTimeField(_("asked on"), auto_now_add=True)

    objects: ClassVar[models.Manager[Appointment]] = AppointmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        ordering = ["-start", "-pk"]
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["practitioner", "start"]),
            models.Index(fields=["patient", "start"]),
            models.Index(fields=["location", "local_date"]),
            models.Index(fields=["status", "expires_at"]),
            models.Index(fields=["local_date", "status"]),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="appointment_has_length"),
            models.CheckConstraint(
                condition=Q(overbooked=False) | ~Q(overbooking_reason=""),
                name="overbooking_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return self.location.zone

    @property
    def state(self) -> Status:
        return Status(self.status)

    @property
    def calendar_name(self) -> uuid.UUID:
        """The UID of its entry in a calendar, the same along a chain of moves."""
        return self.calendar_uid or self.public_id

    @property
    def calendar_sequence(self) -> int:
        """Rises with each change and each move, so that a newer file replaces the older."""
        return self.calendar_base + self.sequence

    @property
    def occupied(self) -> Interval:
        """The practitioner's and the room's time: the visit with its buffers."""
        return (
            to_minute(self.start) - self.buffer_before,
            to_minute(self.end) + self.buffer_after,
        )

    @property
    def timing(self) -> Times:
        return Times(self.start, self.end, self.zone, self.expires_at)

    @property
    def is_occupying(self) -> bool:
        return self.status in OCCUPYING

    def is_lapsed(self, now: dt.datetime) -> bool:
        """A request that nobody answered in time, whether it has been ended already or not."""
        return self.timing.is_lapsed(self.state, now)

    @property
    def is_granted_move(self) -> bool:
        """A patient asked for this move, and it was confirmed."""
        return self.replaces_id is not None and self.replaces_id == self.rescheduled_from_id

    def is_upcoming(self, now: dt.datetime) -> bool:
        """Still to come, or being waited for."""
        return self.status in UPCOMING and self.end > now and not self.is_lapsed(now)

    @property
    def minutes(self) -> int:
        return to_minute(self.end) - to_minute(self.start)

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ClosedPath("Appointments are written by the verbs of appointments.services.")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ClosedPath("Appointments are never deleted.")


@receiver(pre_save, sender=Appointment)
def _refuse_fixtures(*, raw: bool, **_signal: Any) -> None:
    """``loaddata`` writes rows without their ``save``: no cells, no event."""
    if raw:
        raise ClosedPath("Appointments do not come from fixtures: appointments.imports takes many.")


class HoldQuerySet(models.QuerySet["Hold"]):
    """Never changed: its cells would no longer be the ones it needs. They go when it goes."""

    def _closed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ClosedPath("Holds are written by appointments.holds, and only let go.")

    bulk_create = bulk_update = update = update_or_create = get_or_create = _closed

    def live(self, now: dt.datetime) -> Self:
        return self.filter(expires_at__gt=now)

    def expired(self, now: dt.datetime) -> Self:
        return self.filter(expires_at__lte=now)

    def not_of(self, user: User | None) -> Self:
        """In the way of this account; of nobody in particular, all of them."""
        return self.exclude(user=user) if user else self.all()

    def at(self, offering: ServiceOffering, start: dt.datetime) -> Self:
        """On exactly this start of this offering."""
        schedule = offering.schedule
        return self.filter(
            practitioner=schedule.practitioner_id,
            location=schedule.location_id,
            service=offering.service_id,
            start=start,
        )


class Hold(models.Model):
    """A slot kept some minutes for whoever fills in the form.

    Written by ``appointments.holds``, never changed, and only ever let go. It ends by the
    clock: a hold that is over stands in nobody's way, whether it has been removed or not.
    """

    #: None: what is offered to a patient without an account, whom the desk calls.
    user = models.ForeignKey(
        User, models.CASCADE, null=True, related_name="holds", verbose_name=_("account")
    )
    practitioner = models.ForeignKey(
        Practitioner, models.CASCADE, related_name="holds", verbose_name=_("practitioner")
    )
    service = models.ForeignKey(
        Service, models.CASCADE, related_name="+", verbose_name=_("service")
    )
    location = models.ForeignKey(
        Location, models.CASCADE, related_name="+", verbose_name=_("location")
    )
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    buffer_before = models.PositiveSmallIntegerField(default=0)
    buffer_after = models.PositiveSmallIntegerField(default=0)
    #: An account has so many places, and the key lets no two holds have one. Empty: not counted.
    place = models.PositiveSmallIntegerField(null=True, editable=False)
    expires_at = models.DateTimeField(_("kept until"), db_index=True)
    created_at = models.DateTimeField(_("kept since"))

    objects: ClassVar[HoldQuerySet] = HoldQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("time being booked")
        verbose_name_plural = _("times being booked")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["practitioner", "start"])]
        constraints = [
            models.UniqueConstraint(fields=["user", "place"], name="one_hold_per_place"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="hold_has_length"),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner_id} @{self.start:%Y-%m-%d %H:%M}"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return self.location.zone

    @property
    def occupied(self) -> Interval:
        """The practitioner's time: the visit with its buffers."""
        return (
            to_minute(self.start) - self.buffer_before,
            to_minute(self.end) + self.buffer_after,
        )


class FollowingQuerySet(models.QuerySet[Any]):
    def _closed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self.model.closed()

    create = bulk_create = bulk_update = update = delete = _closed
    update_or_create = get_or_create = _raw_delete = _closed


class FollowingModel(models.Model):
    """A row that follows from appointments and holds: what keeps it true writes it, nobody else.

    That takes Django's own ``models.QuerySet``. What a key of the database removes together
    with its owner goes the same way.
    """

    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(FollowingQuerySet)()
    written_by: ClassVar[str]

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        pre_save.connect(_refuse_following_fixtures, sender=cls)

    @classmethod
    def closed(cls) -> ClosedPath:
        return ClosedPath(f"{cls.__name__} rows are written by {cls.written_by} alone.")

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self.closed()

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self.closed()


def _refuse_following_fixtures(*, sender: type[FollowingModel], raw: bool, **_signal: Any) -> None:
    if raw:
        raise sender.closed()


class Resource(models.IntegerChoices):
    """Whose time a cell is. Locks are taken in this order."""

    PRACTITIONER = 1, _("practitioner")
    ROOM = 2, _("room")
    PATIENT = 3, _("patient")


class OccupancyCell(FollowingModel):
    """Five minutes of somebody's time. The key is the guarantee against overlaps.

    Taken by an appointment or by a hold.
    """

    written_by = "appointments.occupancy"

    resource = models.PositiveSmallIntegerField(choices=Resource)
    resource_id = models.PositiveBigIntegerField()
    cell = models.PositiveIntegerField(help_text="Five-minute steps since 1970, UTC.")
    appointment = models.ForeignKey(Appointment, models.PROTECT, null=True, related_name="cells")
    hold = models.ForeignKey(Hold, models.CASCADE, null=True, related_name="cells")

    class Meta:
        verbose_name = _("occupied time")
        verbose_name_plural = _("occupied time")
        constraints = [
            models.UniqueConstraint(
                fields=["resource", "resource_id", "cell"], name="one_taker_per_cell"
            ),
            models.CheckConstraint(
                condition=Q(appointment__isnull=False, hold__isnull=True)
                | Q(appointment__isnull=True, hold__isnull=False),
                name="cell_has_one_taker",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_resource_display()} {self.resource_id} @{self.cell}"


class BusyDay(FollowingModel):
    """What a practitioner's appointments at one location occupy of one UTC day.

    Kept beside the appointments so that a search reads one row for a day instead of
    each appointment. It helps to find and never decides: the guard does.
    """

    written_by = "appointments.busy_days"

    practitioner = models.ForeignKey(Practitioner, models.CASCADE, related_name="+")
    location = models.ForeignKey(Location, models.CASCADE, related_name="+")
    day = models.PositiveIntegerField(help_text="Days since 1970, UTC.")
    #: 288 bits, one for each five minutes, the first in the lowest bit of the first byte.
    cells = models.BinaryField(max_length=36)

    class Meta:
        verbose_name = _("busy day")
        verbose_name_plural = _("busy days")
        constraints = [
            models.UniqueConstraint(
                fields=["practitioner", "day", "location"], name="one_map_per_day_and_location"
            )
        ]

    def __str__(self) -> str:
        return f"{self.practitioner_id} @{self.day}"


class AppointmentEvent(AppendOnlyModel):
    """One change of one appointment: who, what, before, after, when, from where."""

    appointment = models.ForeignKey(
        Appointment, models.PROTECT, related_name="events", verbose_name=_("appointment")
    )
    verb = models.CharField(_("what"), max_length=20)
    by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("account")
    )
    role = models.CharField(_("as"), max_length=20)
    source = models.CharField(_("from where"), max_length=20)
    at = models.DateTimeField(_("when"))
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("change of an appointment")
        verbose_name_plural = _("changes of appointments")
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["appointment", "at"])]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.at):%Y-%m-%d %H:%M}"


class CalendarFeed(models.Model):
    """A calendar somebody subscribes to by an address that only they know.

    Made anew or removed, never changed; the address itself is not kept.
    """

    class Kind(models.TextChoices):
        PATIENT = "patient", _("My appointments")
        PRACTICE = "practice", _("My agenda")

    user = models.ForeignKey(
        User, models.PROTECT, related_name="calendar_feeds", verbose_name=_("account")
    )
    kind = models.CharField(max_length=10, choices=Kind)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("calendar address")
        verbose_name_plural = _("calendar addresses")
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="one_feed_per_account_and_kind")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind}"


class RuleChange(models.Model):
    """A change of the rules of somebody's time, and what it did to appointments.

    Can be undone for some minutes: so long the notices of it wait.
    """

    public_id = models.UUIDField(default=make_public_id, unique=True, editable=False)
    #: None: of several, as a holiday or a location that closes.
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, null=True, related_name="+")
    about = models.CharField(max_length=200)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    role = models.CharField(max_length=20)
    at = models.DateTimeField()
    undo_until = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)
    #: The rows of the rules that changed: as they were, and as they became.
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    #: What was done: the appointment, its state before, and the one it was moved to.
    settled = models.JSONField(default=list)

    class Meta:
        verbose_name = _("change of hours")
        verbose_name_plural = _("changes of hours")
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["by", "undo_until"])]

    def __str__(self) -> str:
        return f"{self.about} @{self.at:%Y-%m-%d %H:%M}"


#: An offer to the same account, or to the same patient for whom the desk answers.
_ANSWERED_BY_THEM = Q(entry__user=OuterRef("user")) | Q(
    entry__user=None, entry__patient=OuterRef("patient")
)


class WaitingQuerySet(models.QuerySet["WaitingListEntry"]):
    def live(self) -> Self:
        return self.filter(status=WaitingListEntry.Status.WAITING)

    def free_to_be_asked(self, now: dt.datetime) -> Self:
        """Waiting, and no offer waits for an answer of theirs or of their account."""
        asked = WaitingOffer.objects.filter(is_open=True)
        own = asked.filter(entry=OuterRef("pk"))
        same_person = asked.filter(_ANSWERED_BY_THEM, expires_at__gt=now)
        return self.live().filter(~Exists(own), ~Exists(same_person))

    def with_questions(self, now: dt.datetime) -> Self:
        """With ``asked_until``, until when their account has to answer another offer."""
        asked = WaitingOffer.objects.filter(_ANSWERED_BY_THEM, is_open=True, expires_at__gt=now)
        last = asked.order_by("-expires_at").values("expires_at")[:1]
        return self.annotate(asked_until=models.Subquery(last))

    def met_by(self, appointment: Appointment) -> Self:
        """What this patient waits for, has no appointment for yet, and has one for now."""
        return self.live().filter(
            Q(instead_of=None) | Q(instead_of__status=Status.CANCELLED),
            Q(service=appointment.service_id) | Q(specialty__services=appointment.service_id),
            patient=appointment.patient_id,
            first_day__lte=appointment.local_date,
        )

    def concerning(self, places: Iterable[int]) -> Self:
        """What is wished at one of these locations, or anywhere and can be booked online there."""
        places = list(places)
        there = ServiceOffering.objects.online().filter(
            Q(service=OuterRef("service")) | Q(service__specialty=OuterRef("specialty")),
            schedule__location__in=places,
        )
        with_theirs = there.filter(schedule__practitioner=OuterRef("practitioner"))
        anybody = Q(practitioner=None) & Exists(there)
        return self.filter(
            Q(location__in=places) | Q(location=None) & (anybody | Q(Exists(with_theirs))),
            patient__is_active=True,
        )

    def overtaken(self, now: dt.datetime) -> Self:
        """Nothing earlier can come: the time of the appointment they have has come."""
        return self.live().filter(
            ~Q(instead_of__status=Status.CANCELLED), instead_of__start__lte=now
        )

    def with_parts(self) -> Self:
        return self.select_related(
            "patient",
            "service__specialty",
            "specialty",
            "practitioner",
            "location",
            "instead_of__location",
        )


class WaitingListEntry(models.Model):
    """Somebody who wants to be told when a time becomes free, and which times would do."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        ACCEPTED = "accepted", _("took an offer")
        ENDED = "ended", _("ended")

    public_id = models.UUIDField(default=make_public_id, unique=True, editable=False)
    #: Who is written to and answers. None: a patient without an account, whom the desk calls.
    user = models.ForeignKey(
        User,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="waiting",
        verbose_name=_("account"),
    )
    patient = models.ForeignKey(
        Patient, models.CASCADE, related_name="waiting", verbose_name=_("patient")
    )
    service = models.ForeignKey(
        Service,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("service"),
    )
    #: Instead of a service: any of this specialty.
    specialty = models.ForeignKey(
        Specialty,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("any service of"),
    )
    practitioner = models.ForeignKey(
        Practitioner,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("practitioner"),
    )
    location = models.ForeignKey(
        Location,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("location"),
    )
    #: One bit for each day of the week, Monday the lowest.
    weekdays = models.PositiveSmallIntegerField(default=127)
    #: One bit for each part of the day: morning, afternoon, evening.
    parts = models.PositiveSmallIntegerField(default=7)
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("until"))
    #: The later appointment that is given back when an offer is accepted.
    instead_of = models.ForeignKey(
        Appointment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("instead of"),
    )
    status = models.CharField(_("state"), max_length=10, choices=Status, default=Status.WAITING)
    created_at = models.DateTimeField(_("waiting since"))
    #: Of ``with_questions`` only.
    asked_until: dt.datetime | None

    objects: ClassVar[WaitingQuerySet] = WaitingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("wish for a time that becomes free")
        verbose_name_plural = _("waiting list")
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["status", "service", "created_at"])]
        constraints = [
            models.CheckConstraint(
                name="waits_for_a_service_or_any_of_a_specialty",
                condition=Q(service=None, specialty__isnull=False)
                | Q(service__isnull=False, specialty=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.service_id or self.specialty_id} @{self.created_at:%Y-%m-%d %H:%M}"

    @property
    def what(self) -> str:
        """What they wait for, in words."""
        return str(self.service) if self.specialty is None else self.specialty.any_service

    def would_be(self, service: Service) -> bool:
        """Whether this is what they wait for; with an appointment, only what that is."""
        old = self.instead_of
        if old and old.status != Status.CANCELLED:
            return service.pk == old.service_id
        return service.pk == self.service_id or service.specialty_id == self.specialty_id


class FreedTime(models.Model):
    """A practitioner's time that became free, until nobody is left who waits for it.

    Written with the change that freed it, so that no worker and no broker can lose it.
    """

    practitioner = models.ForeignKey(
        Practitioner, models.CASCADE, related_name="+", verbose_name=_("practitioner")
    )
    location = models.ForeignKey(
        Location, models.CASCADE, related_name="+", verbose_name=_("location")
    )
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    #: Not before then is anybody asked: the change can still be undone.
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("time that became free")
        verbose_name_plural = _("times that became free")
        ordering = ["start", "pk"]
        indexes = [models.Index(fields=["done_at", "due_at"])]

    def __str__(self) -> str:
        return f"{self.practitioner_id} @{self.start:%Y-%m-%d %H:%M}"


class WaitingOffer(models.Model):
    """A freed time offered to one who waits, and what came of it.

    While it is open a hold of theirs keeps the time. Changes only under the lock of the
    practitioner; the keys let no time and no entry have two open ones.
    """

    class Answer(models.TextChoices):
        NONE = "", _("open")
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        LAPSED = "lapsed", _("not answered in time")
        WITHDRAWN = "withdrawn", _("withdrawn")

    public_id = models.UUIDField(default=make_public_id, unique=True, editable=False)
    entry = models.ForeignKey(
        WaitingListEntry, models.CASCADE, related_name="offers", verbose_name=_("wish")
    )
    freed = models.ForeignKey(FreedTime, models.CASCADE, related_name="offers")
    hold = models.OneToOneField(Hold, models.SET_NULL, null=True, related_name="offer")
    practitioner = models.ForeignKey(
        Practitioner, models.CASCADE, related_name="+", verbose_name=_("practitioner")
    )
    service = models.ForeignKey(
        Service, models.CASCADE, related_name="+", verbose_name=_("service")
    )
    location = models.ForeignKey(
        Location, models.CASCADE, related_name="+", verbose_name=_("location")
    )
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    offered_at = models.DateTimeField(_("offered"))
    expires_at = models.DateTimeField(_("kept until"))
    #: True or nothing: a key over nothing lets any number of closed ones be.
    is_open = models.BooleanField(null=True, default=True, editable=False)
    answer = models.CharField(_("answer"), max_length=10, choices=Answer, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    #: It lapsed before its message could leave.
    never_told = models.BooleanField(_("lapsed before anybody was told"), default=False)
    #: What it became.
    appointment = models.OneToOneField(
        Appointment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("appointment"),
    )

    class Meta:
        verbose_name = _("offer of a freed time")
        verbose_name_plural = _("offers of freed times")
        ordering = ["-offered_at", "-pk"]
        indexes = [models.Index(fields=["is_open", "expires_at"])]
        constraints = [
            models.UniqueConstraint(fields=["freed", "is_open"], name="one_open_offer_per_time"),
            models.UniqueConstraint(fields=["entry", "is_open"], name="one_open_offer_per_entry"),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner_id} @{self.start:%Y-%m-%d %H:%M}"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return self.location.zone

    def is_live(self, now: dt.datetime) -> bool:
        return bool(self.is_open) and self.expires_at > now


def cells_of(interval: Interval) -> range:
    """The numbers of the five-minute cells that the interval touches."""
    return range(interval[0] // CELL_MINUTES, -(-interval[1] // CELL_MINUTES))
