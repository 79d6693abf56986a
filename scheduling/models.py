"""When a practitioner works, where, and what can be booked with them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, F, Q
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Practitioner
from clinic.editions import EditedModel, EditedQuerySet
from clinic.fields import day_in_reach, on_the_grid, time_on_the_grid
from clinic.models import Confirmation, Location, OnlineFor, Organization, Service

#: An exception is about the shifts that begin on its date.
NIGHT_GOES_ON = _(
    "A shift that began the evening before goes on after midnight. Time off closes it too."
)
WEEKDAY_CHOICES = list(WEEKDAYS.items())
AS_THE_CLINIC = _("as the clinic")


def _own(name: Any, empty: Any, most: int, *, least: int = 0) -> models.PositiveIntegerField:
    """A number of one's own; without one, what the next wider place says."""
    return models.PositiveIntegerField(
        name,
        null=True,
        blank=True,
        validators=[
            *([MinValueValidator(least)] if least else []),
            MaxValueValidator(most),
        ],
        help_text=empty,
    )


def _min_notice(empty: Any) -> models.PositiveIntegerField:
    return _own(_("minimum notice (minutes)"), empty, 60 * 24 * 90)


def _horizon(empty: Any) -> models.PositiveIntegerField:
    return _own(_("horizon (days)"), empty, 730, least=1)


def _buffer(name: Any) -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(
        name,
        null=True,
        blank=True,
        validators=[MaxValueValidator(120), on_the_grid],
        help_text=_("Empty: as the clinic."),
    )


class ScheduleQuerySet(EditedQuerySet):
    def active(self) -> Self:
        return self.filter(is_active=True, practitioner__is_active=True, location__is_active=True)


class Schedule(EditedModel):
    """A practitioner's time at one location."""

    practitioner = models.ForeignKey(
        Practitioner, models.PROTECT, related_name="schedules", verbose_name=_("practitioner")
    )
    location = models.ForeignKey(
        Location, models.PROTECT, related_name="schedules", verbose_name=_("location")
    )
    slot_step = models.PositiveSmallIntegerField(
        _("a time every (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(5), MaxValueValidator(240), on_the_grid],
        help_text=_("The distance between the times that are offered. Empty: as the clinic."),
    )
    min_notice_minutes = _min_notice(_("Empty: as the clinic."))
    horizon_days = _horizon(_("Empty: as the clinic."))
    is_active = models.BooleanField(_("active"), default=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ["practitioner", "location"]
        constraints = [
            models.UniqueConstraint(
                fields=["practitioner", "location"], name="one_schedule_per_location"
            )
        ]

    def __str__(self) -> str:
        return f"{self.practitioner} · {self.location}"


class WorkingHours(EditedModel):
    """A weekly wall-clock rule: open from start to end on this weekday."""

    schedule = models.ForeignKey(
        Schedule, models.CASCADE, related_name="hours", verbose_name=_("schedule")
    )
    weekday = models.PositiveSmallIntegerField(_("day"), choices=WEEKDAY_CHOICES)
    start = models.TimeField(_("from"), validators=[time_on_the_grid])
    end = models.TimeField(
        _("to"),
        validators=[time_on_the_grid],
        help_text=_("0:00 is midnight; an earlier time than “from” lies on the next day."),
    )
    valid_from = models.DateField(_("valid from"), null=True, blank=True, validators=[day_in_reach])
    valid_until = models.DateField(
        _("valid until"), null=True, blank=True, validators=[day_in_reach]
    )

    objects = EditedQuerySet.as_manager()

    class Meta:
        verbose_name = _("working hours")
        verbose_name_plural = pgettext_lazy("several", "working hours")
        ordering = ["schedule", "weekday", "start"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__lte=6), name="working_hours_weekday"),
            models.CheckConstraint(
                condition=~Q(start=F("end")),
                name="working_hours_not_empty",
                violation_error_message=_("The end has to differ from the start."),
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None)
                | Q(valid_until=None)
                | Q(valid_until__gte=F("valid_from")),
                name="working_hours_validity_in_order",
                violation_error_message=_("The last day cannot be before the first."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.start:%H:%M}–{self.end:%H:%M}"

    def holds_on(self, day: dt.date) -> bool:
        return (
            day.weekday() == self.weekday
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )


class DateOverride(EditedModel):
    """One date that differs from the week: closed, other hours, or extra hours."""

    class Kind(models.TextChoices):
        CLOSED = "closed", _("closed")
        INSTEAD = "instead", _("these hours instead of the usual ones")
        EXTRA = "extra", _("these hours on top of the usual ones")

    schedule = models.ForeignKey(
        Schedule, models.CASCADE, related_name="overrides", verbose_name=_("schedule")
    )
    date = models.DateField(_("date"), validators=[day_in_reach])
    kind = models.CharField(_("what"), max_length=10, choices=Kind, help_text=NIGHT_GOES_ON)
    start = models.TimeField(_("from"), null=True, blank=True, validators=[time_on_the_grid])
    end = models.TimeField(_("to"), null=True, blank=True, validators=[time_on_the_grid])

    objects = EditedQuerySet.as_manager()

    class Meta:
        verbose_name = _("exception")
        verbose_name_plural = _("exceptions")
        ordering = ["schedule", "date", "start"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="closed", start=None, end=None)
                | (~Q(kind="closed") & Q(start__isnull=False, end__isnull=False)),
                name="override_hours_fit_kind",
                violation_error_message=_(
                    "A closed day has no hours; any other exception needs both hours."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(start=F("end")),
                name="override_not_empty",
                violation_error_message=_("The end has to differ from the start."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.get_kind_display()}"


class TimeOffQuerySet(EditedQuerySet):
    def touching(self, start: dt.datetime, end: dt.datetime) -> Self:
        """One-off blocks that overlap [start, end), and every weekly one."""
        return self.filter(Q(weekday__isnull=False) | Q(starts_at__lt=end, ends_at__gt=start))


class TimeOff(EditedModel):
    """Time a practitioner is not there: once (vacation) or weekly (lunch)."""

    practitioner = models.ForeignKey(
        Practitioner, models.PROTECT, related_name="time_off", verbose_name=_("practitioner")
    )
    location = models.ForeignKey(
        Location,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("location"),
        help_text=_("Empty: every location."),
    )
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True, validators=[day_in_reach])
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True, validators=[day_in_reach])
    weekday = models.PositiveSmallIntegerField(
        _("every"), choices=WEEKDAY_CHOICES, null=True, blank=True
    )
    start = models.TimeField(_("from"), null=True, blank=True, validators=[time_on_the_grid])
    end = models.TimeField(_("to"), null=True, blank=True, validators=[time_on_the_grid])
    reason = models.CharField(
        _("reason"), max_length=120, blank=True, help_text=_("Only staff can see it.")
    )

    objects = TimeOffQuerySet.as_manager()

    class Meta:
        verbose_name = _("time off")
        verbose_name_plural = pgettext_lazy("several", "time off")
        ordering = ["practitioner", "weekday", "start", "starts_at"]
        indexes = [models.Index(fields=["practitioner", "ends_at"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    weekday=None,
                    start=None,
                    end=None,
                    starts_at__isnull=False,
                    ends_at__gt=F("starts_at"),
                )
                | Q(
                    weekday__lte=6,
                    start__isnull=False,
                    end__isnull=False,
                    starts_at=None,
                    ends_at=None,
                ),
                name="time_off_once_or_weekly",
                violation_error_message=_(
                    "Give either a start and a later end, or a weekday with its hours."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.reason or str(self._meta.verbose_name)

    @property
    def is_weekly(self) -> bool:
        return self.weekday is not None


class ServiceOfferingQuerySet(EditedQuerySet):
    def bookable(self) -> Self:
        """What exists for staff: every part of it is active."""
        return self.filter(
            is_active=True,
            service__is_active=True,
            service__specialty__is_active=True,
            schedule__is_active=True,
            schedule__practitioner__is_active=True,
            schedule__location__is_active=True,
        )

    def online(self) -> Self:
        """What a patient may find and book. ``selectors.online_rule`` says the same of a row."""
        closed = Organization.objects.filter(booked_online_by=OnlineFor.STAFF)
        own = Q(booked_online_by__in=[OnlineFor.EVERYBODY, OnlineFor.KNOWN])
        return self.bookable().filter(own | Q(booked_online_by="") & ~Exists(closed))

    def with_parts(self) -> Self:
        return self.select_related(
            "service__specialty", "schedule__practitioner", "schedule__location"
        )


class ServiceOffering(EditedModel):
    """A service as one practitioner gives it at one location."""

    schedule = models.ForeignKey(
        Schedule, models.CASCADE, related_name="offerings", verbose_name=_("schedule")
    )
    service = models.ForeignKey(
        Service, models.PROTECT, related_name="offerings", verbose_name=_("service")
    )
    duration = models.PositiveSmallIntegerField(
        _("length (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(5), MaxValueValidator(480), on_the_grid],
        help_text=_("Empty: the usual length of the service."),
    )
    buffer_before = _buffer(_("free before (minutes)"))
    buffer_after = _buffer(_("free after (minutes)"))
    price = models.DecimalField(
        _("price"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    show_price = models.BooleanField(
        _("show the price"),
        null=True,
        blank=True,
        choices=[(None, AS_THE_CLINIC), (True, _("patients see it")), (False, _("only the staff"))],
    )
    confirmation = models.CharField(
        _("booking"),
        max_length=10,
        blank=True,
        choices=[("", AS_THE_CLINIC), *Confirmation.choices],
    )
    booked_online_by = models.CharField(
        _("who books online"),
        max_length=10,
        blank=True,
        choices=[("", AS_THE_CLINIC), *OnlineFor.choices],
        help_text=_("Whoever cannot book it online calls the clinic."),
    )
    min_notice_minutes = _min_notice(_("Empty: as the schedule."))
    horizon_days = _horizon(_("Empty: as the schedule."))
    cancel_notice_hours = _own(
        _("notice for cancelling or moving (hours)"), _("Empty: as the clinic."), 24 * 30
    )
    is_active = models.BooleanField(_("active"), default=True)

    objects = ServiceOfferingQuerySet.as_manager()

    class Meta:
        verbose_name = _("service offered")
        verbose_name_plural = _("services offered")
        ordering = ["schedule", "service"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "service"], name="one_offering_per_schedule_service"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service} · {self.schedule}"

    @property
    def minutes(self) -> int:
        return self.duration or self.service.default_duration

    @property
    def practitioner(self) -> Practitioner:
        return self.schedule.practitioner

    @property
    def location(self) -> Location:
        return self.schedule.location
