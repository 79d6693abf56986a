"""The forms of the way in: sign-up, login, code, passwords, change of address."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from allauth.account.utils import setup_user_email
from django import forms
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from phonenumber_field.formfields import PhoneNumberField

from accounts import services
from accounts.adapter import next_page
from accounts.forms.people import birth_date_field, name_field, phone_field
from accounts.language import current_language
from accounts.models import User

EMAIL, PASSWORD, NEW_PASSWORD = _("E-mail"), _("Password"), _("New password")
#: The same wherever one is typed: what can be set can be used.
LONGEST_PASSWORD = 4096
PASSWORD_HINT = _("At least 10 characters. A few words in a row work well.")


def email_field(label: Any = EMAIL, autocomplete: str = "email") -> forms.EmailField:
    return forms.EmailField(
        label=label,
        max_length=254,
        widget=forms.EmailInput({"autocomplete": autocomplete}),
        error_messages={"required": _("Write your e-mail.")},
    )


def password_field(label: Any = PASSWORD) -> forms.CharField:
    """The password somebody has already."""
    return forms.CharField(
        label=label,
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
        error_messages={"required": _("Write your password.")},
    )


class NewPasswordField(allauth_forms.SetPasswordField):
    """One box: whoever mistypes it resets it, and password managers do not mistype."""

    def __init__(self, label: Any = NEW_PASSWORD, *, user: User | None = None) -> None:
        super().__init__(
            label=label,
            help_text=PASSWORD_HINT,
            max_length=LONGEST_PASSWORD,
            error_messages={"required": _("Write a password.")},
        )
        self.widget.attrs.pop("placeholder", None)
        #: Whose name and address the password must not repeat.
        self.user = user


class LoginForm(allauth_forms.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = email_field(autocomplete="username")
        self.fields["password"] = password_field()

    def clean_login(self) -> str:
        return str(self.cleaned_data["login"]).strip().lower()


class SignupForm(allauth_forms.SignupForm):
    """Six questions; whatever else is posted is nobody's field."""

    first_name = name_field(_("First name"), "given-name", _("Write your first name."))
    last_name = name_field(_("Last name"), "family-name", _("Write your last name."))
    birth_date = birth_date_field(autocomplete="bday")
    phone: PhoneNumberField = phone_field()

    account_already_exists: bool
    field_order = ["first_name", "last_name", "birth_date", "phone", "email", "password1"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = email_field()
        self.fields["password1"] = NewPasswordField(label=PASSWORD)
        self.order_fields(self.field_order)

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """A new account, or for a known address the same steps without one."""
        if not self.account_already_exists:
            try:
                with transaction.atomic():
                    return self.save(request), None
            except IntegrityError:
                # The same address came twice at once; the other one was first.
                self.account_already_exists = True
        return None, self._pretend(request)

    def _pretend(self, request: HttpRequest) -> HttpResponse:
        """The answer of a sign-up, with its work: hashing is what the clock would notice."""
        make_password(self.cleaned_data["password1"])
        login = Login(
            email=self.cleaned_data["email"], signup=True, redirect_url=next_page(request) or None
        )
        return perform_login(request, login)

    def save(self, request: HttpRequest) -> User:
        data = self.cleaned_data
        user = services.sign_up(
            email=data["email"],
            password=data["password1"],
            language=current_language(),
            details=services.Details(
                first_name=data["first_name"],
                last_name=data["last_name"],
                birth_date=data["birth_date"],
                phone=data["phone"],
            ),
        )
        setup_user_email(request, user, [])
        return user


class CodeForm(allauth_forms.ConfirmEmailVerificationCodeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = forms.CharField(
            label=_("Code"),
            max_length=40,
            widget=forms.TextInput(
                {
                    "autocomplete": "one-time-code",
                    "inputmode": "numeric",
                    "class": "input-short",
                    "spellcheck": "false",
                }
            ),
            error_messages={"required": _("Write the code from our mail.")},
        )


class ResetPasswordForm(allauth_forms.ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = email_field(_("E-mail of your account"))


class ResetPasswordKeyForm(allauth_forms.ResetPasswordKeyForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {"password1": NewPasswordField(user=self.user)}


class ChangePasswordForm(allauth_forms.ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {
            "oldpassword": password_field(_("Current password")),
            "password1": NewPasswordField(user=self.user),
        }


class ChangeEmailForm(allauth_forms.AddEmailForm):
    """The password again: an open session alone does not move an account to another mailbox."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {
            "email": email_field(_("New e-mail")),
            "password": password_field(_("Your password")),
        }

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        adapter = get_adapter()
        if not adapter.reauthenticate(self.user, password):
            raise adapter.validation_error("enter_current_password")
        return password


class InvitationForm(forms.Form):
    """The first password of somebody who was invited."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"] = NewPasswordField(PASSWORD, user=user)
