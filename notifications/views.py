"""Which messages somebody wants; and the letter box of the demo, closed outside the demo."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.doors import person
from accounts.roles import Actor, Role
from notifications import mailbox
from notifications.choices import choose
from notifications.forms import ChoicesForm


def choices(request: HttpRequest) -> HttpResponse:
    """What can be switched off, and what cannot."""
    user = person(request)
    form = ChoicesForm(request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST":
        if not form.is_valid():
            return render(request, "notifications/choices.html", {"form": form}, status=422)
        if form.choices:
            by = Actor(user, next(iter(sorted(user.roles)), Role.PATIENT))
            choose(user=user, by=by, **form.choices)
        messages.success(request, _("Your choice is saved."))
        return redirect("notifications:choices")
    return render(request, "notifications/choices.html", {"form": form})


@never_cache
def demo_mail(request: HttpRequest) -> HttpResponse:
    only_in_the_demo()
    context = {"mails": mailbox.newest(), "zone": settings.TIME_ZONE}
    return render(request, "notifications/mail_list.html", context)


@never_cache
def demo_message(request: HttpRequest, name: str) -> HttpResponse:
    only_in_the_demo()
    mail = mailbox.find(name)
    if mail is None:
        raise Http404
    context = {"mail": mail, "zone": settings.TIME_ZONE}
    return render(request, "notifications/mail_detail.html", context)


def only_in_the_demo() -> None:
    if not settings.DEMO:
        raise Http404
