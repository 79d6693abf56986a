"""People in the administration.

Patients and practitioners are registered in ``appointments.admin``, which knows
whose appointment a change would hit.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import handover, services
from accounts.coverage import set_coverage
from accounts.doors import person
from accounts.exceptions import AccountRefusal
from accounts.forms.coverage import CoverageFields
from accounts.forms.people import born_in_reach
from accounts.models import (
    Patient,
    PatientAccess,
    Practitioner,
    Receptionist,
    Relation,
    User,
)
from accounts.roles import Actor
from clinic.admin.base import ClinicAdmin, Inline, column, joined
from clinic.models import Organization
from clinic.text import normalise


class AccessInline(Inline):
    """Ended by its date, never deleted."""

    model = PatientAccess
    fields = ["user", "patient", "relation", "created_at", "ended_at"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["user", "patient"]
    verbose_name = _("access")


class UserForm(forms.ModelForm):
    """``request`` is set by the admin class."""

    request: HttpRequest

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        own = self.instance.pk == self.request.user.pk
        if own and not (data.get("is_staff") and data.get("is_active")):
            raise ValidationError(
                _("You cannot close the administration to yourself. Ask another administrator.")
            )
        return data


@admin.register(User)
class UserAdmin(ClinicAdmin):
    form = UserForm
    list_display = ["email", "name", "roles_in_words", "is_active", "date_joined"]
    list_filter = ["is_staff", "is_active"]
    search_fields = [
        "email",
        "patient_accesses__patient__search_text",
        "practitioner__search_text",
    ]
    search_help_text = _("E-mail or name")
    fields = ["email", "name", "language", "is_staff", "is_active", "last_login", "date_joined"]
    readonly_fields = ["last_login", "date_joined"]
    inlines = [AccessInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        def fact(rows: QuerySet[Any]) -> Exists:
            return Exists(rows.filter(user=OuterRef("pk")))

        return (
            super()
            .get_queryset(request)
            .annotate(
                as_patient=fact(PatientAccess.objects.live()),
                as_practitioner=fact(Practitioner.objects.active()),
                as_reception=fact(Receptionist.objects.filter(is_active=True)),
            )
        )

    @column(_("roles"))
    def roles_in_words(self, user: Any) -> str:
        facts = [
            (user.is_staff, _("administrator")),
            (user.as_practitioner, _("practitioner")),
            (user.as_reception, _("reception")),
            (user.as_patient, _("patient")),
        ]
        return joined(word for is_so, word in facts if is_so)

    def matches(self, word: str) -> Q:
        # Staff without a record of their own have no normalised column. They are few.
        staff = User.objects.filter(Q(is_staff=True) | Q(receptionist__isnull=False))
        named = [pk for pk, name in staff.values_list("pk", "name") if word in normalise(name)]
        return super().matches(word) | Q(pk__in=named)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """The address is a login that somebody has verified: only its owner changes it."""
        return [*self.readonly_fields, "email"] if obj else list(self.readonly_fields)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)


class PatientForm(CoverageFields, forms.ModelForm):
    """The record, and who pays the visits."""

    own_account = forms.EmailField(
        label=_("E-mail for their own account"),
        required=False,
        help_text=_("They get a mail with a link to take over the record. Empty: nothing is sent."),
    )
    unsaid, pays = _("Nobody has said"), _("The patient pays the visit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(self.instance.known_coverage)
        self.fields["birth_date"].validators.append(born_in_reach)


class GrownUpFilter(admin.SimpleListFilter):
    """Children who are of age and have no account of their own yet."""

    title = _("grown up")
    parameter_name = "grown_up"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Of age, looked after by others"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        today = timezone.localdate()
        years = Organization.current().adult_age
        # On 29 February a year may have no such day: its last one is the 28th.
        day = 28 if (today.month, today.day) == (2, 29) else today.day
        born = today.replace(year=today.year - years, day=day)
        live = PatientAccess.objects.live().filter(patient=OuterRef("pk"))
        return queryset.filter(
            Exists(live.filter(relation=Relation.CHILD)),
            ~Exists(live.filter(relation=Relation.SELF)),
            birth_date__lte=born,
        )


class PatientAdmin(ClinicAdmin):
    form = PatientForm
    refusals = (AccountRefusal,)
    reads_are_logged = True
    list_display = ["__str__", "document_number", "birth_date", "phone", "is_active"]
    list_filter = ["is_active", GrownUpFilter]
    search_help_text = _("Name, document number or phone")
    fields = [
        "first_name",
        "last_name",
        "birth_date",
        "document_number",
        "phone",
        "email",
        "insurance",
        "plan",
        "member_number",
        "own_account",
        "is_active",
        "created_at",
    ]
    readonly_fields = ["created_at"]
    inlines = [AccessInline]

    def get_fields(self, request: HttpRequest, obj: Patient | None = None) -> Any:
        """Whose record it is already needs no offer."""
        may_be_offered = obj is not None and handover.owner_of(obj) is None
        return [name for name in self.fields or () if name != "own_account" or may_be_offered]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        by = Actor.administrator(person(request))
        set_coverage(patient=form.instance, said=form.said, by=by)
        if email := form.cleaned_data.get("own_account"):
            handover.offer_record(patient=form.instance, email=email, by=by)


class InvitingForm(forms.ModelForm):
    """Asks for the address of somebody who has no account yet."""

    invite = forms.EmailField(
        label=_("E-mail for the invitation"),
        required=False,
        help_text=_("They get a mail with a link to choose a password. Empty: no account yet."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("invite") and data.get("user"):
            raise ValidationError(_("Choose an account or write an address, not both."))
        return data


class PractitionerAdmin(ClinicAdmin):
    form = InvitingForm
    refusals = (AccountRefusal,)
    list_display = ["__str__", "licence_number", "specialties_in_words", "user", "is_active"]
    list_filter = ["is_active", ("specialties", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["user"]
    search_help_text = _("Name or licence number")
    autocomplete_fields = ["user", "specialties", "insurers"]
    prepopulated_fields = {"slug": ["first_name", "last_name"]}
    fields = [
        "title",
        "first_name",
        "last_name",
        "slug",
        "licence_number",
        "specialties",
        "insurers",
        "travel_minutes",
        "biography",
        "user",
        "invite",
        "is_active",
    ]
    actions = ["send_invitation"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Practitioner]:
        return super().get_queryset(request).prefetch_related("specialties")

    def get_fields(self, request: HttpRequest, obj: Practitioner | None = None) -> Any:
        """Who has an account already needs no second one."""
        has_account = obj is not None and obj.user_id is not None
        return [name for name in self.fields or () if name != "invite" or not has_account]

    @column(_("specialties"))
    def specialties_in_words(self, practitioner: Practitioner) -> str:
        return joined(practitioner.specialties.all())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if email := form.cleaned_data.get("invite"):
            by = Actor.administrator(person(request))
            services.invite_practitioner(practitioner=form.instance, email=email, by=by)

    @admin.action(description=_("Send the invitation again"))
    def send_invitation(self, request: HttpRequest, queryset: QuerySet[Practitioner]) -> None:
        by = Actor.administrator(person(request))
        for practitioner in queryset.select_related("user"):
            sentence, level = self._invite(practitioner, by)
            self.message_user(request, sentence, level)

    def _invite(self, practitioner: Practitioner, by: Actor) -> tuple[str, int]:
        if practitioner.user is None:
            sentence = _("%(name)s has no account: write an e-mail on their page.")
            return sentence % {"name": practitioner}, messages.WARNING
        email = practitioner.user.email
        try:
            services.invite_practitioner(practitioner=practitioner, email=email, by=by)
        except AccountRefusal as refusal:
            return f"{practitioner}: {refusal}", messages.WARNING
        return _("Invitation on its way to %(email)s.") % {"email": email}, messages.SUCCESS


class ReceptionistForm(forms.ModelForm):
    """A new one is invited; of one that exists, the places change."""

    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("They get a mail with a link to choose a password."),
    )
    name = forms.CharField(label=_("Name"), max_length=160)


@admin.register(Receptionist)
class ReceptionistAdmin(ClinicAdmin):
    list_display = ["user", "name", "locations_in_words", "may_overbook", "is_active"]
    list_filter = ["is_active", ("locations", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    search_help_text = _("E-mail")
    autocomplete_fields = ["locations"]
    refusals = (AccountRefusal,)

    def get_fields(self, request: HttpRequest, obj: Receptionist | None = None) -> Any:
        if obj:
            return ["user", "locations", "may_overbook", "is_active"]
        return ["email", "name", "locations"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Receptionist | None = None
    ) -> list[str]:
        return ["user"] if obj else []

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs |= {"form": ReceptionistForm, "fields": ["locations"]}
        return super().get_form(request, obj, change=change, **kwargs)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if change:
            return super().save_form(request, form, change)
        form.instance = services.invite_receptionist(
            email=form.cleaned_data["email"],
            name=form.cleaned_data["name"],
            locations=form.cleaned_data["locations"],
            by=Actor.administrator(person(request)),
        )
        return form.instance

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Receptionist]:
        return super().get_queryset(request).prefetch_related("locations")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if change:
            super().save_related(request, form, formsets, change)

    @column(_("name"), ordering="user__name")
    def name(self, receptionist: Receptionist) -> str:
        return receptionist.user.name

    @column(_("locations"))
    def locations_in_words(self, receptionist: Receptionist) -> str:
        return joined(receptionist.locations.all())
