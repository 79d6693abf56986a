"""allauth's views, as this clinic wants them: 422 for errors, the chosen slot kept."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from allauth.account import views as allauth_views
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification_by_code import (
    EMAIL_VERIFICATION_CODE_SESSION_KEY,
    EmailVerificationProcess,
)
from allauth.account.mixins import AjaxCapableProcessFormViewMixin
from allauth.account.stages import EmailVerificationStage, LoginStageController
from allauth.core.exceptions import ImmediateHttpResponse, RateLimited
from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from accounts.adapter import next_page, redirect_with_next
from accounts.doors import person

CODE_PAGE = "account_email_verification_sent"


class OurWay:
    """A form with errors answers 422; nothing here is kept by a cache."""

    def form_invalid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        if response.status_code == HTTPStatus.OK:
            response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response

    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response


class LoginView(OurWay, allauth_views.LoginView):
    pass


class SignupView(OurWay, allauth_views.SignupView):
    def form_valid(self, form: Form) -> HttpResponse:
        """Account, record and the mail with the code: all of them, or none."""
        with transaction.atomic():
            response: HttpResponse = super().form_valid(form)
        return response


class LogoutView(OurWay, allauth_views.LogoutView):
    pass


class AccountInactiveView(OurWay, allauth_views.AccountInactiveView):
    pass


class CodeView(OurWay, allauth_views.ConfirmEmailVerificationCodeView):
    """The code from the mail, in the tab in which it was asked for."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        stage = LoginStageController.enter(request, EmailVerificationStage.key)
        # The way on was written down when the sign-up began; the address bar may have lost it.
        self.wanted = next_page(request) or (stage.login.redirect_url if stage else "") or ""
        if refused := self._nothing_to_confirm(request, has_stage=stage is not None):
            return refused
        return super().dispatch(request, *args, **kwargs)

    def _nothing_to_confirm(self, request: HttpRequest, *, has_stage: bool) -> HttpResponse | None:
        """Back button after the code was right, a code too old, or no sign-up at all."""
        was_asked = EMAIL_VERIFICATION_CODE_SESSION_KEY in request.session
        process = EmailVerificationProcess.resume(request)
        if request.user.is_authenticated:
            return None if process else redirect(self.wanted or "start")
        # allauth would still show the page here when there is no account behind it,
        # and so say whether there is one.
        if process and has_stage:
            return None
        request.session.pop(EMAIL_VERIFICATION_CODE_SESSION_KEY, None)
        if was_asked:
            messages.warning(request, _("The code was too old. Log in and we send you a new one."))
        return redirect_with_next("account_login", self.wanted)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "redirect_field_value": self.wanted}

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()
        if "code" in kwargs and not self._process.user:
            kwargs["code"] = ""  # there is no account that any code could open
        return kwargs

    def _resend_form_valid(self, form: Form) -> HttpResponse:
        try:
            self._process.resend()
        except (RateLimited, ImmediateHttpResponse):  # too soon after the last one
            messages.warning(self.request, get_adapter().error_messages["rate_limited"])
        else:
            text = _("We sent you a new code. The one before no longer works.")
            messages.success(self.request, text)
        return redirect_with_next(CODE_PAGE, self.wanted)

    def _verify_form_invalid(self, form: Form) -> HttpResponse:
        if self._process.record_invalid_attempt():
            return self.render_to_response(self.get_context_data(form=form))
        if self.request.user.is_authenticated:
            messages.error(self.request, _("Too many wrong codes. Your e-mail stays as it was."))
            return redirect("account_email")
        messages.error(self.request, _("Too many wrong codes. Log in and we send you a new one."))
        return redirect_with_next("account_login", self.wanted)


class PasswordResetView(OurWay, allauth_views.PasswordResetView):
    pass


class PasswordResetDoneView(OurWay, allauth_views.PasswordResetDoneView):
    pass


class PasswordResetFromKeyView(OurWay, allauth_views.PasswordResetFromKeyView):
    success_url = reverse_lazy("account_login")

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if context.get("token_fail"):
            kwargs["status"] = HTTPStatus.NOT_FOUND
        return super().render_to_response(context, **kwargs)


class PasswordChangeView(OurWay, allauth_views.PasswordChangeView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not person(request).has_usable_password():
            return redirect("account_reset_password")
        return super().dispatch(request, *args, **kwargs)


class EmailView(OurWay, allauth_views.EmailView):
    """One address per account, changed with password and code; nothing to add or remove."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = AjaxCapableProcessFormViewMixin.post(
            self, request, *args, **kwargs
        )
        return response


class StartAgainView(View):
    """Forget the sign-up that waits for its code, because the address was mistyped."""

    def post(self, request: HttpRequest) -> HttpResponse:
        wanted = next_page(request)
        EmailVerificationProcess(request=request, state={}).abort()
        return redirect_with_next(resolve_url("account_signup"), wanted)
