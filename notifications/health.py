"""The page on which an administrator sees whether mails leave, and what holds them up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts.doors import person
from accounts.roles import Actor
from clinic.templatetags.clinic_times import local_datetime
from notifications import pulse, services
from notifications.models import Notification, State
from notifications.wake import queue_depth

DAY = dt.timedelta(days=1)
_TEST = "mail_test"


@dataclass(frozen=True, slots=True)
class Sign:
    """One line of the page: what, how it is, what to do about it."""

    label: str
    says: str
    is_well: bool = True
    advice: str = ""
    url: str = ""


class ShowsHealth(ModelAdmin):
    """The list of messages with a page about all of them."""

    change_list_template = "admin/notifications/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.health)
        return [
            path("estado/", view, name="notifications_notification_health"),
            *super().get_urls(),
        ]

    def health(self, request: HttpRequest) -> HttpResponse:
        """GET: look. POST: test the mail, or decide about what is held."""
        if request.method == "POST":
            _do(request)
            return redirect("admin:notifications_notification_health")
        now = timezone.now()
        health = pulse.health(now)
        context = {
            **self.admin_site.each_context(request),
            "title": _("State of the mails"),
            "opts": self.opts,
            # This page says it all itself, without the banner.
            "mail_trouble": None,
            "health": health,
            "signs": list(signs(health)),
            "test": Notification.objects.filter(pk=request.session.get(_TEST, 0)).first(),
            "zone": settings.TIME_ZONE,
            "held_url": _list(f"state__exact={State.HELD}"),
        }
        return TemplateResponse(request, "admin/notifications/health.html", context)


def _do(request: HttpRequest) -> None:
    user = person(request)
    by, deed = Actor.administrator(user), request.POST.get("do")
    if deed == "test":
        language = (get_language() or settings.LANGUAGE_CODE).split("-")[0]
        request.session[_TEST] = services.send_test(to=user, language=language).pk
        messages.success(request, _("A mail to %(to)s is on its way.") % {"to": user.email})
    elif deed == "release":
        count = services.release_held(by=by)
        text = ngettext("%(count)d message is sent.", "%(count)d messages are sent.", count)
        messages.success(request, text % {"count": count})
    elif deed == "withdraw":
        count = services.withdraw_held(by=by)
        text = ngettext(
            "%(count)d message was withdrawn.", "%(count)d messages were withdrawn.", count
        )
        messages.success(request, text % {"count": count})


def signs(health: pulse.Health) -> Iterator[Sign]:
    yield _life(
        health,
        health.clock,
        _("Scheduler"),
        _("The service of the scheduler has to be started again."),
    )
    if health.clock and health.is_old(health.clock):
        worker = _("Nobody knows while the scheduler stands still.")
    else:
        worker = _("The service of the worker has to be started again. It needs Redis.")
    yield _life(health, health.sweep, _("Worker"), worker)
    yield _mail_server(health)
    yield _oldest(health)
    yield _queue()
    yield _failed(health)


def _life(health: pulse.Health, sign: dt.datetime | None, label: str, advice: str) -> Sign:
    if sign is None:
        return Sign(label, _("No sign of life yet."), False, advice)
    says = _("Last sign of life: %(when)s.") % {"when": _when(sign)}
    is_well = not health.is_old(sign)
    return Sign(label, says, is_well, "" if is_well else advice)


def _mail_server(health: pulse.Health) -> Sign:
    label = _("Mail server")
    if since := health.mail_stands_since:
        says = _("It has taken no mail since %(when)s.") % {"when": _when(since)}
        advice = _("The last error of a waiting message says why.")
        url = _list(f"state__exact={State.PENDING}")
        return Sign(label, says, not health.is_old(since), advice, url)
    if health.mail is None:
        return Sign(label, _("It has taken no mail yet."))
    return Sign(label, _("It took a mail last: %(when)s.") % {"when": _when(health.mail)})


def _oldest(health: pulse.Health) -> Sign:
    label = _("Messages that should have left")
    if (oldest := health.oldest_due) is None:
        return Sign(label, _("None."))
    says = _("The oldest since %(when)s.") % {"when": _when(oldest)}
    return Sign(label, says, not health.is_old(oldest), url=_list("due=now"))


def _queue() -> Sign:
    label, depth = _("Queue of the workers"), queue_depth()
    if depth is None:
        advice = _("Mails leave when it is back. Look after Redis.")
        return Sign(label, _("It cannot be reached."), False, advice)
    text = ngettext("%(count)d task waits.", "%(count)d tasks wait.", depth)
    return Sign(label, text % {"count": depth})


def _failed(health: pulse.Health) -> Sign:
    failed = Notification.objects.filter(state=State.FAILED, try_at__gte=health.now - DAY).count()
    text = ngettext("%(count)d in the last day.", "%(count)d in the last day.", failed)
    url = _list(f"state__exact={State.FAILED}")
    return Sign(_("Messages that could not be delivered"), text % {"count": failed}, url=url)


def _when(instant: dt.datetime) -> str:
    return local_datetime(instant, settings.TIME_ZONE)


def _list(query: str) -> str:
    return f"{reverse('admin:notifications_notification_changelist')}?{query}"
