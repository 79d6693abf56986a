"""The forms about people: one's own data, and those in one's care."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from phonenumber_field.formfields import PhoneNumberField

from accounts.forms.coverage import CoverageFields
from accounts.models import Patient, PatientAccess, Relation, User
from accounts.rules import IN_CARE
from accounts.services import Details
from clinic.forms import LineField, SplitDateField, no_web_address

EARLIEST_BIRTH = dt.date(1900, 1, 1)


def today() -> dt.date:
    """The clinic's day; a child born this morning can be registered."""
    return timezone.localdate()


def born_in_reach(value: dt.date) -> None:
    """Where a birth date is typed in one box, as in the administration."""
    birth_date_field("").in_range(value)


def name_field(label: Any, autocomplete: str, missing: Any) -> LineField:
    return LineField(
        label=label,
        max_length=80,
        validators=[no_web_address],
        widget=forms.TextInput({"autocomplete": autocomplete}),
        error_messages={"required": missing},
    )


def birth_date_field(autocomplete: str) -> SplitDateField:
    return SplitDateField(
        label=_("Birth date"),
        help_text=_("For example 27 3 1984."),
        earliest=EARLIEST_BIRTH,
        latest=today,
        autocomplete=autocomplete,
        error_messages={"required": _("Write the birth date.")},
    )


def phone_field() -> PhoneNumberField:
    return PhoneNumberField(
        label=_("Phone"),
        max_length=40,
        widget=forms.TextInput({"type": "tel", "autocomplete": "tel"}),
        help_text=_("With the area code. For calls about your appointments."),
        error_messages={
            "required": _("Write your phone number."),
            "invalid": _("Write the number with its area code, for example 11 4321-5678."),
        },
    )


class PersonForm(forms.Form):
    """What every person has; ``whose`` chooses the words the browser fills in by itself."""

    def __init__(self, *args: Any, own: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_name"] = name_field(
            _("First name"), "given-name" if own else "off", _("Write the first name.")
        )
        self.fields["last_name"] = name_field(
            _("Last name"), "family-name" if own else "off", _("Write the last name.")
        )
        self.fields["birth_date"] = birth_date_field("bday" if own else "")
        self.fields["document_number"] = LineField(
            label=_("Document number"),
            max_length=30,
            required=False,
            widget=forms.TextInput({"autocomplete": "off"}),
        )

    @property
    def details(self) -> Details:
        data = self.cleaned_data
        return Details(
            first_name=data["first_name"],
            last_name=data["last_name"],
            birth_date=data["birth_date"],
            document_number=data["document_number"],
            phone=data.get("phone"),
            email=data.get("email"),
        )


def details_of(patient: Patient) -> dict[str, Any]:
    """The initial values of a form about this patient."""
    names = ("first_name", "last_name", "birth_date", "document_number")
    phone = getattr(patient.phone, "as_international", "")
    values = {name: getattr(patient, name) for name in names}
    return {**values, "phone": phone, "email": patient.email}


def language_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_("Language"),
        choices=list(User._meta.get_field("language").choices or ()),
        help_text=_("Of the pages and of our mails."),
    )


#: What a person is called first, how they are reached, who pays; the rest behind it.
ORDER = [
    *("relation", "first_name", "last_name", "birth_date", "document_number", "phone"),
    *("insurance", "plan", "member_number"),
]


class OwnDataForm(PersonForm, CoverageFields):
    """A patient's own data and the language of the account."""

    def __init__(self, *args: Any, patient: Patient, **kwargs: Any) -> None:
        super().__init__(*args, own=True, **kwargs)
        self.fields["phone"] = phone_field()
        self.fields["language"] = language_field()
        self.offer(patient.known_coverage)
        self.order_fields(ORDER)


class DeskPatientForm(PersonForm, CoverageFields):
    """Somebody who calls or stands at the desk: no account, no e-mail needed."""

    unsaid, pays = _("Not known yet"), _("The patient pays the visit")

    def __init__(self, *args: Any, patient: Patient | None = None, **kwargs: Any) -> None:
        super().__init__(*args, own=False, **kwargs)
        self.fields["phone"] = phone_field()
        self.fields["phone"].required = False
        self.fields["phone"].widget.attrs["autocomplete"] = "off"
        self.fields["phone"].help_text = _("With the area code. For calls and reminders.")
        self.fields["email"] = forms.EmailField(
            label=_("E-mail"),
            required=False,
            max_length=254,
            widget=forms.EmailInput({"autocomplete": "off"}),
            help_text=_("For messages, when there is no account."),
        )
        self.offer(patient.known_coverage if patient else None)
        self.order_fields([*ORDER[: ORDER.index("insurance")], "email"])


class OwnRecordForm(PersonForm):
    """The first data of somebody who works here and becomes a patient too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, own=True, **kwargs)
        self.fields["phone"] = phone_field()


class AccountForm(forms.Form):
    """The account of somebody who is nobody's patient here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = LineField(
            label=_("Name"),
            max_length=160,
            validators=[no_web_address],
            widget=forms.TextInput({"autocomplete": "name"}),
            error_messages={"required": _("Write your name.")},
        )
        self.fields["language"] = language_field()


class DependantForm(PersonForm, CoverageFields):
    """Somebody in this account's care; ``patient`` once there is a record."""

    def __init__(self, *args: Any, patient: Patient | None = None, **kwargs: Any) -> None:
        super().__init__(*args, own=False, **kwargs)
        self.fields["relation"] = forms.ChoiceField(
            label=_("Who is this person?"),
            choices=[(value, Relation(value).label) for value in IN_CARE],
            widget=forms.RadioSelect,
            error_messages={"required": _("Choose who this person is.")},
        )
        self.offer(patient.known_coverage if patient else None)
        if patient and patient.accesses.live().filter(relation=Relation.SELF).exists():
            self.fields["birth_date"].disabled = True
        self.order_fields(ORDER)

    @classmethod
    def initial_of(cls, access: PatientAccess) -> dict[str, Any]:
        return {**details_of(access.patient), "relation": access.relation}
