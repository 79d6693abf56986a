"""The catalogue: what the clinic is and what it offers. Knows nobody above it.

No model here points at a user; who did what goes to ``AuditEvent`` as text
(see docs/decisions/0001-who-owns-the-catalogue.md).
"""

from __future__ import annotations

import datetime as dt
import uuid
import zoneinfo
from collections.abc import Iterable
from contextlib import suppress
from email.utils import parseaddr
from typing import Any, ClassVar, NoReturn, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.signals import pre_save
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from clinic.editions import EditedModel, EditedQuerySet
from clinic.fields import (
    day_in_reach,
    hours_from,
    hours_in_a_list,
    minutes_between,
    on_the_grid,
)
from clinic.text import normalise, search_words

#: So many hours of a day may be quiet; in the others everybody is reminded.
MOST_QUIET = 18


class AppendOnlyError(TypeError):
    """Raised by any attempt to change or remove a line of history."""


class AppendOnlyQuerySet(models.QuerySet[Any]):
    def _closed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(f"{self.model.__name__} rows are only ever added.")

    update = delete = bulk_update = update_or_create = _closed
    _raw_delete = _closed

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        if kwargs.get("update_conflicts") or len(args) > 2:
            self._closed()
        return super().bulk_create(objs, *args, **kwargs)


def _refuse_fixtures(*, sender: type[models.Model], raw: bool, **_signal: Any) -> None:
    """``loaddata`` writes rows without their ``save``, over the ones that are there."""
    if raw:
        raise AppendOnlyError(f"{sender.__name__} rows do not come from fixtures.")


class AppendOnlyModel(models.Model):
    """A row of history: written once, never changed, never removed."""

    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        pre_save.connect(_refuse_fixtures, sender=cls)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError(f"{type(self).__name__} {self.pk} is history.")
        # Never an UPDATE, even if the row is given the key of one that is there.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError(f"{type(self).__name__} {self.pk} is history.")


class SearchableQuerySet(models.QuerySet[Any]):
    def search(self, query: str) -> Self:
        """Rows in which every word of the query occurs, accents and case aside."""
        found = self
        for word in search_words(query):
            found = found.filter(search_text__contains=word)
        return found

    def active(self) -> Self:
        return self.filter(is_active=True)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        rows = list(objs)
        for row in rows:
            row.search_text = row.make_search_text()
        return super().bulk_create(rows, *args, **kwargs)


class SearchableModel(models.Model):
    """Keeps ``search_text``: the normalised words a person may look this row up by."""

    search_text = models.CharField(max_length=500, editable=False, db_index=True)

    objects = SearchableQuerySet.as_manager()

    class Meta:
        abstract = True

    def searchable(self) -> Iterable[str]:
        raise NotImplementedError

    def make_search_text(self) -> str:
        return normalise(" ".join(filter(None, self.searchable())))[:500]

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.search_text = self.make_search_text()
        if (fields := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*fields, "search_text"}
        super().save(*args, **kwargs)


class CatalogueQuerySet(EditedQuerySet, SearchableQuerySet):  # type: ignore[override]
    """Rows that are looked up by their words, and that searches remember."""


class CatalogueModel(EditedModel, SearchableModel):
    """What the clinic offers: places, specialties, services, insurers."""

    objects = CatalogueQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta:
        abstract = True


def valid_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            _("“%(value)s” is not a time zone. Write one like America/Santiago."),
            params={"value": value},
        )


class Confirmation(models.TextChoices):
    """What becomes of a time that a patient takes online."""

    AUTOMATIC = "automatic", _("booked at once")
    MANUAL = "manual", _("asked for; somebody confirms")


class OnlineFor(models.TextChoices):
    """Who may book online. The staff always books."""

    EVERYBODY = "everybody", _("everybody")
    KNOWN = "known", _("patients seen before by the practitioner")
    STAFF = "staff", _("nobody: only the staff books")


class OrganizationQuerySet(models.QuerySet[Any]):
    def update(self, **values: Any) -> int:
        """The clinic's rules are remembered with the rest: see ``clinic.editions``."""
        return super().update(**{"edition": uuid.uuid4(), **values})


class Organization(models.Model):
    """The clinic itself, one row: its name, its telephones and the rules nothing else overrides."""

    name = models.CharField(_("name"), max_length=120, default="Consultorio")
    phone = PhoneNumberField(_("phone"), blank=True)
    urgent_phone = models.CharField(
        _("urgent care phone"), max_length=40, blank=True, help_text=_("Shown on every page.")
    )
    email = models.EmailField(_("e-mail"), blank=True)
    min_notice_minutes = models.PositiveIntegerField(
        _("minimum notice (minutes)"),
        default=60,
        validators=[MaxValueValidator(60 * 24 * 90)],
        help_text=_("How long before its start a time can still be booked online."),
    )
    horizon_days = models.PositiveIntegerField(
        _("horizon (days)"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(730)],
        help_text=_("How many days ahead times are shown."),
    )
    slot_step = models.PositiveSmallIntegerField(
        _("a time every (minutes)"),
        default=15,
        validators=[MinValueValidator(5), MaxValueValidator(240), on_the_grid],
        help_text=_("The distance between the times that are offered."),
    )
    buffer_before = models.PositiveSmallIntegerField(
        _("free before (minutes)"),
        default=0,
        validators=[MaxValueValidator(120), on_the_grid],
        help_text=_("For preparing. Booked appointments keep what they have."),
    )
    buffer_after = models.PositiveSmallIntegerField(
        _("free after (minutes)"),
        default=0,
        validators=[MaxValueValidator(120), on_the_grid],
        help_text=_("For notes or cleaning. Booked appointments keep what they have."),
    )
    booked_online_by = models.CharField(
        _("who books online"), max_length=10, choices=OnlineFor, default=OnlineFor.EVERYBODY
    )
    confirmation = models.CharField(
        _("booking"),
        max_length=10,
        choices=Confirmation,
        default=Confirmation.AUTOMATIC,
        help_text=_("What happens when a patient books online."),
    )
    show_prices = models.BooleanField(
        _("patients see the prices"),
        default=False,
        help_text=_("Of the services that have one."),
    )
    cancel_notice_hours = models.PositiveIntegerField(
        _("notice for cancelling or moving (hours)"),
        default=24,
        validators=[MaxValueValidator(24 * 30)],
        help_text=_("Later than this before the start, patients have to call."),
    )
    request_expiry_hours = models.PositiveIntegerField(
        _("requests expire after (hours)"),
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 30)],
        help_text=_("A request that nobody confirmed is cancelled after this time."),
    )
    travel_minutes = models.PositiveSmallIntegerField(
        _("travel between locations (minutes)"),
        default=30,
        validators=[MaxValueValidator(240), on_the_grid],
        help_text=_("What stays free between two appointments at different locations."),
    )
    hold_minutes = models.PositiveSmallIntegerField(
        _("a chosen time is kept for (minutes)"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
        help_text=_("While somebody fills in the form, nobody else can take it."),
    )
    offer_minutes = models.PositiveSmallIntegerField(
        _("a freed time is kept for whoever is offered it (minutes)"),
        default=60,
        validators=[MinValueValidator(10), MaxValueValidator(60 * 24)],
        help_text=_("Then the next one on the waiting list is asked."),
    )
    most_ahead = models.PositiveSmallIntegerField(
        _("appointments ahead for one patient"),
        default=10,
        validators=[MaxValueValidator(1000)],
        help_text=_("More than these are booked by phone. 0: no limit."),
    )
    most_cancelled = models.PositiveSmallIntegerField(
        _("cancelled appointments of one patient with one practitioner"),
        default=4,
        validators=[MaxValueValidator(1000)],
        help_text=_("After so many in the days below, the next is booked by phone. 0: no limit."),
    )
    most_cancelled_days = models.PositiveSmallIntegerField(
        _("days in which they are counted"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    approval_after_no_shows = models.PositiveSmallIntegerField(
        _("confirm by hand after visits missed"),
        default=0,
        validators=[MaxValueValidator(1000)],
        help_text=_(
            "A patient who did not come so many times in twelve months asks for a time instead"
            " of booking it. 0: never."
        ),
    )
    reminders = models.CharField(
        _("reminders (hours before)"),
        max_length=40,
        default="48, 24",
        blank=True,
        validators=[hours_in_a_list],
        help_text=_("Separated by commas, for example “48, 24”. Empty: nobody is reminded."),
    )
    quiet_from = models.TimeField(
        _("no reminder leaves from"), default=dt.time(21), help_text=_("On each location’s clock.")
    )
    quiet_until = models.TimeField(
        _("until"),
        default=dt.time(8),
        help_text=_("What would leave meanwhile leaves before. The same hour twice: at any time."),
    )
    requests_told_after = models.PositiveIntegerField(
        _("tell reception of requests after (minutes)"),
        default=60,
        validators=[MaxValueValidator(60 * 24 * 7)],
        help_text=_("One message for all that nobody has answered so long. 0: none."),
    )
    names_to_practitioners = models.BooleanField(
        _("names of patients in the list of the day"),
        default=False,
        help_text=_("Otherwise the e-mail says how many come and when the first one does."),
    )
    service_in_mails = models.BooleanField(
        _("name of the service in e-mails"),
        default=False,
        help_text=_("It can tell whoever reads over the shoulder why somebody comes."),
    )
    #: Changes with everything that searches remember: see ``clinic.editions``.
    edition = models.UUIDField(default=uuid.uuid4, editable=False)

    adult_age = models.PositiveSmallIntegerField(
        _("of age at (years)"),
        default=18,
        validators=[MinValueValidator(12), MaxValueValidator(25)],
        help_text=_("From then on whoever looks after a child can hand the record over to them."),
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        verbose_name = _("clinic")
        verbose_name_plural = _("clinic")

    def __str__(self) -> str:
        return self.name

    @property
    def reminder_hours(self) -> list[int]:
        """How long before an appointment people are reminded, the longest first."""
        return hours_from(self.reminders)

    def clean(self) -> None:
        super().clean()
        with suppress(ValidationError):
            hours_in_a_list(self.reminders)
            self.reminders = ", ".join(map(str, self.reminder_hours))
        if minutes_between(self.quiet_from, self.quiet_until) > MOST_QUIET * 60:
            raise ValidationError(
                {
                    "quiet_until": _("Leave at least %(hours)s hours of the day for reminders.")
                    % {"hours": 24 - MOST_QUIET}
                }
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        # Whoever loaded this row before a change would write the old mark back.
        self.edition = uuid.uuid4()
        if (fields := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*fields, "edition"}
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise models.ProtectedError("The clinic itself stays.", {self})

    @property
    def organizer(self) -> str:
        """Who calendars name as the source (RFC 5546 wants one): the clinic, else the sender."""
        return self.email or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]

    @classmethod
    def current(cls) -> Organization:
        """The clinic's row; the first call on an empty database makes it."""
        # Every page and every verb asks for it: the ORM takes three times as long to say so.
        rows = cls.objects.raw(f"SELECT * FROM {cls._meta.db_table} WHERE id = 1")  # noqa: S608
        row: Organization | None = next(iter(rows), None)
        return row or cls.objects.get_or_create(pk=1)[0]


class Location(CatalogueModel):
    """A physical practice; its wall clock is the one its hours are written in."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    slug = models.SlugField(_("short name for links"), max_length=60, unique=True)
    time_zone = models.CharField(
        _("time zone"),
        max_length=60,
        default="America/Argentina/Buenos_Aires",
        validators=[valid_time_zone],
    )
    address = models.CharField(_("address"), max_length=200)
    directions = models.CharField(_("how to get there"), max_length=300, blank=True)
    phone = PhoneNumberField(_("phone"), blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering = ["search_text"]

    def __str__(self) -> str:
        return self.name

    def searchable(self) -> Iterable[str]:
        return [self.name, self.address]

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone)


class Room(models.Model):
    location = models.ForeignKey(
        Location, models.PROTECT, related_name="rooms", verbose_name=_("location")
    )
    name = models.CharField(_("name"), max_length=60)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["location", "name"]
        constraints = [
            models.UniqueConstraint(fields=["location", "name"], name="room_name_per_location")
        ]

    def __str__(self) -> str:
        return self.name


class Specialty(CatalogueModel):
    name = models.CharField(_("name"), max_length=120, unique=True)
    slug = models.SlugField(_("short name for links"), max_length=60, unique=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("specialty")
        verbose_name_plural = _("specialties")
        ordering = ["search_text"]

    def __str__(self) -> str:
        return self.name

    def searchable(self) -> Iterable[str]:
        return [self.name]

    @property
    def any_service(self) -> str:
        return gettext("%(specialty)s: any service") % {"specialty": self}


class Service(CatalogueModel):
    """What can be booked: a kind of visit with its usual length."""

    specialty = models.ForeignKey(
        Specialty, models.PROTECT, related_name="services", verbose_name=_("specialty")
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name for links"), max_length=60, unique=True)
    default_duration = models.PositiveSmallIntegerField(
        _("usual length (minutes)"),
        default=30,
        validators=[MinValueValidator(5), MaxValueValidator(480), on_the_grid],
    )
    preparation = models.TextField(
        _("preparation"),
        blank=True,
        max_length=1000,
        help_text=_("What the patient has to do or bring, for example “8 hours of fasting”."),
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ["search_text"]
        constraints = [
            models.UniqueConstraint(fields=["specialty", "name"], name="service_name_per_specialty")
        ]

    def __str__(self) -> str:
        return self.name

    def searchable(self) -> Iterable[str]:
        return [self.name]


class Insurer(CatalogueModel):
    """Who pays for a visit besides the patient: obra social, prepaga or mutua."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    slug = models.SlugField(_("short name for links"), max_length=60, unique=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("insurer")
        verbose_name_plural = _("insurers")
        ordering = ["search_text"]
        constraints = [
            # In the address of a search the word stands for patients who pay themselves.
            models.CheckConstraint(
                condition=~models.Q(slug="private"),
                name="insurer_slug_is_not_private",
                violation_error_message=_("This short name means patients who pay themselves."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def searchable(self) -> Iterable[str]:
        return [self.name]


class ClosureQuerySet(EditedQuerySet):
    def at(self, location: int, first: dt.date, last: dt.date) -> Self:
        """Those that close this location on some of these days."""
        here = self.filter(models.Q(location=None) | models.Q(location=location))
        return here.filter(first_day__lte=last, last_day__gte=first)


class Closure(EditedModel):
    """Days on which one location, or all of them, are closed."""

    location = models.ForeignKey(
        Location,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="closures",
        verbose_name=_("location"),
        help_text=_("Empty: every location."),
    )
    first_day = models.DateField(_("first day"), validators=[day_in_reach])
    last_day = models.DateField(_("last day"), validators=[day_in_reach])
    name = models.CharField(_("name"), max_length=120)
    can_be_worked = models.BooleanField(
        _("practitioners can work on it"),
        default=False,
        help_text=_(
            "As on a holiday: with an exception for the date. "
            "Without this nobody works, whatever their exceptions say."
        ),
    )

    objects = ClosureQuerySet.as_manager()

    class Meta:
        verbose_name = _("holiday or closure")
        verbose_name_plural = _("holidays and closures")
        ordering = ["first_day"]
        indexes = [models.Index(fields=["last_day", "first_day"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("first_day")),
                name="closure_days_in_order",
                violation_error_message=_("The last day cannot be before the first."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class AuditEvent(AppendOnlyModel):
    """Who did or read what: append-only, actor and target as text."""

    at = models.DateTimeField(pgettext_lazy("audit", "when"), auto_now_add=True, db_index=True)
    actor = models.CharField(_("who"), max_length=254, db_index=True)
    action = models.CharField(pgettext_lazy("audit", "what"), max_length=60, db_index=True)
    target = models.CharField(_("of what"), max_length=200, db_index=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta(AppendOnlyModel.Meta):
        verbose_name = _("audit line")
        verbose_name_plural = _("audit lines")
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.target}"


def make_public_id() -> uuid.UUID:
    """Identifies a row in an address: says nothing about how many there are."""
    return uuid.uuid4()
