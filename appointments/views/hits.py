"""The question before a change of time: what becomes of the appointments that it hits?"""

from __future__ import annotations

from typing import Any, Protocol

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from appointments.changes import Answer, HitsFound
from appointments.forms.hits import HitsForm, answer_in, question


class Change(Protocol):
    """``changes.Change.make``, or a verb of ``appointments.blocking`` with all but the answer."""

    def __call__(self, *, answer: Answer | None) -> Any: ...


#: What the question adds to the form that led to it.
_OWN = frozenset({"csrfmiddlewaretoken", "seen", "rest", "hit", "note", "ask"})
_EACH = ("own-", "place-")


def settle(request: HttpRequest, *, change: Change) -> HttpResponse | None:
    """Make the change, or answer with the question. None: it is made.

    What was filled in travels through the question in hidden fields; so does the list
    that was shown. If it is no longer true, nothing is changed and it is asked again.
    """
    answer = answer_in(request.POST)
    try:
        change(answer=answer)
    except HitsFound as found:
        form = question(request.POST, found)
        if answer:
            return _question(request, form, status=409, notice=str(found))
        return _question(request, form, status=422 if form.errors else 200)
    return None


def _question(
    request: HttpRequest, form: HitsForm, *, status: int = 200, notice: str = ""
) -> HttpResponse:
    sent = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in _OWN and not name.startswith(_EACH)
        for value in values
    ]
    title = ngettext(
        "This change affects %(count)s appointment",
        "This change affects %(count)s appointments",
        len(form.hits),
    ) % {"count": len(form.hits)}
    hits = [hit.appointment for hit in form.hits]
    context = {"hits": hits, "form": form, "sent": sent, "notice": notice, "title": title}
    return render(request, "appointments/schedule_hits.html", context, status=status)
