"""Where allauth's ways and the clinic's meet: its mails, its links, its sentences."""

from __future__ import annotations

import datetime as dt
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy as _

from accounts import mail
from accounts.language import current_language, remember_language
from accounts.models import User, UserManager


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": _("This account is not active. Call us to open it again."),
        "duplicate_email": _("This is the e-mail of your account already."),
        "email_password_mismatch": _(
            "The e-mail and the password do not match. Check both and try again."
        ),
        "email_taken": _("This e-mail cannot be used. Write a different one."),
        "enter_current_password": _("This is not your current password."),
        "incorrect_code": _("This is not the code. Look at the newest mail from us."),
        "invalid_password_reset": _("This link is no longer good."),
        "rate_limited": _("We sent you a code a moment ago. Wait a little and try again."),
        "too_many_login_attempts": _("Too many tries. Wait a few minutes and try again."),
    }

    # --- mails ---------------------------------------------------------------

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Into the outbox, in the language of whoever reads it; no SMTP in the request."""
        user = context.get("user") or self._owner(email)
        minutes = app_settings.EMAIL_VERIFICATION_BY_CODE_TIMEOUT // 60
        mail.send(
            template=template_prefix,
            to=email,
            language=user.language if user else current_language(),
            user=user,
            context={k: v for k, v in context.items() if k != "request"}
            | {"code_minutes": minutes},
            lives_for=dt.timedelta(minutes=minutes) if "code" in context else mail.A_DAY,
        )

    def _owner(self, email: str) -> User | None:
        return User.objects.filter(email=UserManager.normalize_email(email)).first()

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return mail.absolute(path.replace("UID-KEY", key))

    def send_account_already_exists_mail(self, email: str) -> None:
        # allauth would build its links from the Host of the request; mail.send has its own.
        self.send_mail("account/email/account_already_exists", email, {})

    # --- ways through the pages ----------------------------------------------

    def is_safe_url(self, url: str) -> bool:
        """On to a page of ours only, never to an address with a host in it."""
        return bool(url) and url.startswith("/") and url_has_allowed_host_and_scheme(url, None)

    def is_ajax(self, request: HttpRequest) -> bool:
        """Every answer is a page."""
        return False

    def respond_email_verification_sent(
        self, request: HttpRequest, user: User | None
    ) -> HttpResponse:
        """To the page of the code, whether or not there is an account behind it."""
        return redirect_with_next("account_email_verification_sent", next_page(request))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_login")

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """From here on the pages speak the account's language, as its mails do.

        What the browser spoke before may have been chosen by somebody else.
        """
        response: HttpResponse = super().post_login(request, user, **kwargs)
        remember_language(response, user.language)
        return response

    # --- what allauth leaves to chance ---------------------------------------

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Two people confirming one address at once: the second is told, not shown an error."""
        try:
            with transaction.atomic():
                return bool(super().confirm_email(request, email_address))
        except IntegrityError:
            messages.error(request, self.error_messages["email_taken"])
            return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Tries are counted per address; another Host header does not start a new count."""
        return UserManager.normalize_email(credentials.get("email"))


def next_page(request: HttpRequest) -> str:
    """Where the person was going, if that is a page of ours; empty otherwise."""
    wanted = request.POST.get("next") or request.GET.get("next", "")
    return wanted if AccountAdapter().is_safe_url(wanted) else ""


def redirect_with_next(to: str, wanted: str) -> HttpResponseRedirect:
    url = resolve_url(to)
    return HttpResponseRedirect(f"{url}?{urlencode({'next': wanted})}" if wanted else url)
