"""The way in for somebody the clinic invited."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import invitations, services
from accounts.forms.entrance import InvitationForm


@never_cache
@sensitive_post_parameters("password1")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link changes nothing; the button sets the password."""
    user = invitations.read_token(token)
    if user is None:
        return render(request, "accounts/invitation_over.html", status=404)
    form = InvitationForm(request.POST or None, user=user)
    context = {"form": form, "invited": user}
    if request.method != "POST":
        return render(request, "accounts/invitation.html", context)
    if not form.is_valid():
        return render(request, "accounts/invitation.html", context, status=422)
    services.accept_invitation(user=user, password=form.cleaned_data["password1"])
    if request.user.is_authenticated:
        logout(request)
    messages.success(request, _("Your password is set. Log in with it."))
    return redirect("account_login")
