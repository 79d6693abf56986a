"""The forms about handing a record over to the person it is about."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms.entrance import PASSWORD, NewPasswordField, email_field
from accounts.forms.people import birth_date_field
from accounts.models import User


class OfferForm(forms.Form):
    """Where the link goes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = email_field(_("Their e-mail"), autocomplete="off")


class TakeOverForm(forms.Form):
    """Who knows the birth date knows whose record it is; a password where there is no account."""

    def __init__(self, *args: Any, new_account: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["birth_date"] = birth_date_field("bday")
        self.fields["birth_date"].label = _("Your birth date")
        if new_account:
            self.fields["password1"] = NewPasswordField(PASSWORD, user=new_account)
