"""The letter box of the demo: the mails that would have left. Closed outside the demo."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from notifications import mailbox


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
