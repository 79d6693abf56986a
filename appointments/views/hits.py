"""The question before a change of time: what becomes of the appointments that it hits?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from appointments.blocking import Hit, HitsChanged
from appointments.forms.agenda import HitsForm
from appointments.models import Appointment


class Change(Protocol):
    """A verb of ``appointments.blocking`` with everything but the answer filled in."""

    def __call__(self, *, seen: list[int], hit: Hit, note: str) -> Any: ...


#: What the question adds to the form that led to it.
_OWN = frozenset({"csrfmiddlewaretoken", "seen", "hit", "note", "ask"})


def settle(
    request: HttpRequest, *, hits: Sequence[Appointment], change: Change
) -> HttpResponse | None:
    """Make the change, or answer with the question. None: it is made.

    What was filled in travels through the question in hidden fields; so does
    the list that was shown (``seen``). If it is no longer true, it is asked again.
    """
    if not hits:
        seen, hit, note = [], Hit.KEEP, ""
    elif "ask" not in request.POST:
        return _question(request, hits, HitsForm())
    else:
        form = HitsForm(request.POST)
        if not form.is_valid():
            return _question(request, hits, form, status=422)
        if set(request.POST.getlist("seen")) != {str(a.public_id) for a in hits}:
            return _question(request, hits, form, status=409, notice=str(HitsChanged.sentence))
        seen, hit, note = [a.pk for a in hits], form.choice, form.cleaned_data["note"]
    try:
        change(seen=seen, hit=hit, note=note)
    except HitsChanged as refusal:
        now_hit = refusal.facts["appointments"]
        return _question(request, now_hit, HitsForm(), status=409, notice=str(refusal))
    return None


def _question(
    request: HttpRequest,
    hits: Sequence[Appointment],
    form: HitsForm,
    *,
    status: int = 200,
    notice: str = "",
) -> HttpResponse:
    sent = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _OWN
        for value in values
    ]
    title = ngettext(
        "This change affects %(count)s appointment",
        "This change affects %(count)s appointments",
        len(hits),
    ) % {"count": len(hits)}
    context = {"hits": hits, "form": form, "sent": sent, "notice": notice, "title": title}
    return render(request, "appointments/schedule_hits.html", context, status=status)
