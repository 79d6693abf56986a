"""People: the login, who is treated, who treats, who works at the desk."""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField
from phonenumber_field.phonenumber import to_python

from accounts.roles import Role
from clinic.editions import EditedModel, EditedQuerySet, edited_links
from clinic.fields import on_the_grid
from clinic.models import (
    Insurer,
    Location,
    SearchableModel,
    SearchableQuerySet,
    Specialty,
    make_public_id,
)
from clinic.text import search_words


class UserManager(BaseUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The whole address in lower case: one person, one login, on every database."""
        return (email or "").strip().lower()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=self.normalize_email(username))


class User(AbstractBaseUser, PermissionsMixin):
    """A login by e-mail. What it may do follows from the facts about it: see ``roles``."""

    email = models.EmailField(
        _("e-mail"),
        unique=True,
        error_messages={"unique": _("There is already an account with this e-mail.")},
    )
    name = models.CharField(_("name"), max_length=160, blank=True)
    language = models.CharField(
        _("language"), max_length=5, default="es", choices=[("es", "Español"), ("en", "English")]
    )
    is_staff = models.BooleanField(
        _("administrator"), default=False, help_text=_("May enter the administration.")
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Untick instead of deleting the account.")
    )
    date_joined = models.DateTimeField(_("since"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["email"]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = UserManager.normalize_email(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = UserManager.normalize_email(self.email)
        super().save(*args, **kwargs)

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email

    @cached_property
    def roles(self) -> frozenset[Role]:
        """Everything this account is, read from the facts, once per request."""
        if not self.is_active:
            return frozenset()
        theirs = PatientAccess.objects.live().filter(user=self.pk)
        facts = User.objects.filter(pk=self.pk).values_list(
            Exists(theirs), "practitioner__is_active", "receptionist__is_active"
        )
        roles = (Role.PATIENT, Role.PRACTITIONER, Role.RECEPTION)
        found = {role for row in facts for role, holds in zip(roles, row, strict=True) if holds}
        if self.is_staff:
            found.add(Role.ADMINISTRATOR)
        return frozenset(found)


class Person(SearchableModel):
    """The name fields of somebody the clinic knows."""

    first_name = models.CharField(_("first name"), max_length=80)
    last_name = models.CharField(_("last name"), max_length=80)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Untick instead of deleting the record.")
    )

    class Meta(SearchableModel.Meta):
        abstract = True

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class PatientQuerySet(SearchableQuerySet):
    def of(self, user: User) -> Self:
        """The patients this account may act for."""
        return self.filter(accesses__user=user, accesses__ended_at=None, is_active=True)

    def with_coverage(self) -> Self:
        return self.select_related("coverage__insurer")

    def find(self, query: str) -> Self:
        """By the beginnings of names in any order, by document number, or by phone."""
        if looks_like_number(query):
            return self.filter(_with_number(query))
        found = self
        for word in search_words(query):
            found = found.filter(
                Q(search_text__startswith=word) | Q(search_text__contains=f" {word}")
            )
        return found


def looks_like_number(query: str) -> bool:
    """A document or a telephone: digits, with what people write between them."""
    return any(c in "0123456789" for c in query) and not any(c.isalpha() for c in query)


def _with_number(query: str) -> Q:
    """Its digits as they are written, and as a telephone of this country."""
    digits = "".join(c for c in query[:40] if c in "0123456789").lstrip("0")
    wanted = {digits} if digits else set()
    if digits.startswith("15") and len(digits) > 8:
        # A mobile as it is dialled within its own area.
        wanted.add(digits[2:])
    phone = to_python(query[:40]) if digits else None
    if phone and phone.is_valid():
        wanted.add(f"{phone.country_code}{phone.national_number}")
    return functools.reduce(
        operator.or_, (Q(search_text__contains=one) for one in sorted(wanted)), Q(pk=None)
    )


class Patient(Person):
    """Somebody who is treated; a record of its own, with or without a login."""

    public_id = models.UUIDField(default=make_public_id, unique=True, editable=False)
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    document_number = models.CharField(_("document number"), max_length=30, blank=True)
    phone = PhoneNumberField(_("phone"), blank=True)
    email = models.EmailField(
        _("e-mail"), blank=True, help_text=_("For messages, when there is no account.")
    )
    #: The form at the desk that made it: sent twice, it makes one record.
    request_key = models.UUIDField(null=True, unique=True, editable=False)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    objects = PatientQuerySet.as_manager()  # type: ignore[misc]

    class Meta(Person.Meta):
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ["search_text"]

    def __str__(self) -> str:
        return f"{self.last_name}, {self.first_name}"

    def searchable(self) -> Iterable[str]:
        digits = "".join(c for c in str(self.phone or "") if c.isdigit())
        document = "".join(c for c in self.document_number if c.isalnum())
        return [self.last_name, self.first_name, self.last_name, document, digits]

    def age_on(self, day: dt.date) -> int | None:
        """Whole years on that day."""
        born = self.birth_date
        if born is None or born > day:
            return None
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    @property
    def known_coverage(self) -> Coverage | None:
        """None: nobody has said yet. Reads the row that ``with_coverage`` has fetched."""
        return getattr(self, "coverage", None)


class Coverage(models.Model):
    """Who pays this patient's visits now. Without an insurer: the patient themself.

    Without a row nobody has said. What was true earlier is not kept: nothing asks for it.
    """

    patient = models.OneToOneField(
        Patient, models.PROTECT, related_name="coverage", verbose_name=_("patient")
    )
    insurer = models.ForeignKey(
        Insurer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("insurer"),
        help_text=_("Empty: the patient pays the visit."),
    )
    plan = models.CharField(_("insurance plan"), max_length=60, blank=True)
    member_number = models.CharField(_("member number"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("coverage")
        verbose_name_plural = _("coverage")

    def __str__(self) -> str:
        """In words, without the number: ``OSDE, 210 plan``."""
        if self.insurer is None:
            return gettext("Pays the visit")
        if not self.plan:
            return str(self.insurer)
        words = {"insurer": self.insurer, "plan": self.plan}
        return gettext("%(insurer)s, %(plan)s plan") % words


class Relation(models.TextChoices):
    SELF = "self", _("myself")
    CHILD = "child", _("my child")
    PARENT = "parent", _("my mother or father")
    OTHER = "other", _("another person in my care")


class PatientAccessQuerySet(models.QuerySet["PatientAccess"]):
    def live(self) -> Self:
        return self.filter(ended_at=None, patient__is_active=True)


class PatientAccess(models.Model):
    """This account acts for that patient. Ended, never deleted."""

    user = models.ForeignKey(
        User, models.PROTECT, related_name="patient_accesses", verbose_name=_("account")
    )
    patient = models.ForeignKey(
        Patient, models.PROTECT, related_name="accesses", verbose_name=_("patient")
    )
    relation = models.CharField(_("relation"), max_length=10, choices=Relation)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = PatientAccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("access to a patient")
        verbose_name_plural = _("access to patients")
        constraints = [
            models.UniqueConstraint(fields=["user", "patient"], name="one_access_per_user_patient")
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.patient}"

    def clean(self) -> None:
        """A record is one person's own, and an account has one own record."""
        super().clean()
        if self.relation != Relation.SELF or self.ended_at is not None:
            return
        owned = PatientAccess.objects.live().filter(relation=Relation.SELF).exclude(pk=self.pk)
        if owned.filter(patient=self.patient_id).exists():
            raise ValidationError({"relation": _("This record is already another account’s own.")})
        if owned.filter(user=self.user_id).exists():
            raise ValidationError({"relation": _("This account has an own record already.")})


class RecordOffer(models.Model):
    """An invitation by mail to take over one's own record. The link names this row.

    Closed when it was used, replaced, taken back or guessed at too often; never removed.
    """

    patient = models.ForeignKey(
        Patient, models.PROTECT, related_name="offers", verbose_name=_("patient")
    )
    email = models.EmailField(_("e-mail"))
    created_at = models.DateTimeField(_("since"))
    tries = models.PositiveSmallIntegerField(default=0)
    closed_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("offer of a record")
        verbose_name_plural = _("offers of records")

    def __str__(self) -> str:
        return f"{self.patient_id} {self.created_at:%Y-%m-%d}"


class PractitionerQuerySet(EditedQuerySet, SearchableQuerySet):  # type: ignore[override]
    def lock(self, pk: int) -> Practitioner:
        """Whoever holds this row decides about the practitioner's time. See docs/decisions/0002."""
        return self.select_for_update().get(pk=pk)


class Practitioner(EditedModel, Person):
    """Somebody who treats patients."""

    user = models.OneToOneField(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="practitioner",
        verbose_name=_("account"),
    )
    title = models.CharField(
        _("title"), max_length=20, blank=True, help_text=_("As in “Dra.” or “Lic.”.")
    )
    slug = models.SlugField(_("short name for links"), max_length=120, unique=True)
    licence_number = models.CharField(_("licence number"), max_length=40, unique=True)
    specialties = models.ManyToManyField(
        Specialty, related_name="practitioners", verbose_name=_("specialties")
    )
    insurers = models.ManyToManyField(
        Insurer,
        blank=True,
        related_name="practitioners",
        verbose_name=_("insurers"),
        help_text=_("Whose patients they see. Who pays for the visit can always come."),
    )
    biography = models.TextField(_("about"), blank=True, max_length=2000)
    travel_minutes = models.PositiveSmallIntegerField(
        _("travel between locations (minutes)"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(240), on_the_grid],
        help_text=_("Empty: as the clinic."),
    )

    objects = PractitionerQuerySet.as_manager()  # type: ignore[assignment, misc]

    class Meta(Person.Meta):
        verbose_name = _("practitioner")
        verbose_name_plural = _("practitioners")
        ordering = ["search_text"]

    def __str__(self) -> str:
        return f"{self.title} {self.full_name}".strip()

    def searchable(self) -> Iterable[str]:
        return [self.last_name, self.first_name, self.last_name, self.licence_number]


edited_links(Practitioner.insurers.through)


class Receptionist(models.Model):
    """An account that works at the desk of these locations."""

    user = models.OneToOneField(
        User, models.PROTECT, related_name="receptionist", verbose_name=_("account")
    )
    locations = models.ManyToManyField(
        Location, related_name="receptionists", verbose_name=_("locations")
    )
    may_overbook = models.BooleanField(
        _("may overbook"),
        default=False,
        help_text=_("May give an appointment on top of another one, with a reason."),
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("receptionist")
        verbose_name_plural = pgettext_lazy("staff", "reception")

    def __str__(self) -> str:
        return str(self.user)
