"""The clinic's own words for its mails: write, look at the mail, keep or go back to ours."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_exempt, csp_update
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from accounts.doors import person
from accounts.roles import Actor
from clinic.admin.base import ReadOnlyAdmin
from notifications import samples, texts
from notifications.letters import MAX_SUBJECT
from notifications.models import Kind, MessageText
from notifications.texts import NAMES, PARTS, Words

LIST = "admin:notifications_messagetext_changelist"
_SALT = "notifications.texts"
#: So long a preview can be looked at again.
DRAFT_LIVES = 60 * 60
#: The mail carries its own look, and nothing of it runs, loads or leads anywhere.
_MAIL_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"


class TextForm(forms.Form):
    subject = forms.CharField(
        label=gettext_lazy("Subject"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )
    opening = forms.CharField(
        label=gettext_lazy("Opening"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 5}),
    )
    closing = forms.CharField(
        label=gettext_lazy("Closing"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"class": "vLargeTextField", "rows": 3}),
    )

    def __init__(self, *args: Any, kind: Kind, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind, self.language = kind, language
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"id_{name}_helptext"

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        for part in PARTS:
            for problem in texts.problems(self.kind, part, data.get(part, "")):
                self.add_error(part, problem)
        if not self.errors:
            longest = samples.longest_subject(self.kind, self.language, self.words())
            if (length := len(longest)) > MAX_SUBJECT:
                sentence = _("Too long: up to %(length)s letters, as in “%(longest)s”.")
                self.add_error("subject", sentence % {"length": length, "longest": longest})
        return data

    def words(self) -> Words:
        return Words(self.kind, self.language, **{p: self.cleaned_data[p] for p in PARTS})


class MessageTextAdmin(ReadOnlyAdmin):
    """A list of all mails in each language instead of the rows: most have none."""

    search_fields = ["kind"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path(
                "<slug:kind>/<slug:language>/correo/",
                wrap(self.mail),
                name="notifications_messagetext_mail",
            ),
            path(
                "<slug:kind>/<slug:language>/texto/",
                wrap(self.edit),
                name="notifications_messagetext_edit",
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        written = set(MessageText.objects.values_list("kind", "language"))
        languages = [
            (code, get_language_info(code)["name_local"]) for code, _n in settings.LANGUAGES
        ]
        rows = [
            {
                "name": kind.label,
                "texts": [
                    {
                        "url": reverse("admin:notifications_messagetext_edit", args=[kind, code]),
                        "language": name,
                        "is_own": (kind.value, code) in written,
                    }
                    for code, name in languages
                ],
            }
            for kind in texts.ADAPTABLE
        ]
        context = {"title": _("Texts of e-mails"), "rows": rows}
        return self._page(request, "admin/notifications/texts.html", context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        row = self.get_object(request, object_id)
        if row is None:
            return super().change_view(request, object_id, *args, **kwargs)
        return redirect("admin:notifications_messagetext_edit", row.kind, row.language)

    @method_decorator(csp_update({"frame-src": ["'self'"]}))
    def edit(self, request: HttpRequest, kind: str, language: str) -> HttpResponse:
        """Write, and see the mail; kept only by the button that says so."""
        which = _which(kind, language)
        if request.method == "POST" and "ours" in request.POST:
            return self._keep(request, *which, texts.OURS)
        known = texts.words(*which)
        initial = {part: getattr(known, part) for part in PARTS}
        data = request.POST if request.method == "POST" else initial
        form = TextForm(data, kind=which[0], language=which[1])
        if form.is_valid() and "save" in request.POST:
            return self._keep(request, *which, form.words())
        status = 422 if request.method == "POST" and not form.is_valid() else 200
        return self._form(request, form, known, status)

    def _keep(self, request: HttpRequest, kind: Kind, language: str, words: Words) -> HttpResponse:
        by = Actor.administrator(person(request))
        parts = {part: getattr(words, part) for part in PARTS}
        texts.save(kind=kind, language=language, by=by, **parts)
        if any(parts.values()):
            messages.success(request, _("The text is saved, and used from the next e-mail on."))
        else:
            messages.success(request, _("From the next e-mail on, the usual text is used again."))
        return redirect("admin:notifications_messagetext_edit", kind, language)

    def _form(
        self, request: HttpRequest, form: TextForm, known: Words, status: int
    ) -> HttpResponse:
        kind, language = form.kind, form.language
        context: dict[str, Any] = {
            "title": f"{capfirst(kind.label)} ({get_language_info(language)['name_local']})",
            "form": form,
            "names": [
                ("{" + name + "}", NAMES[name], name in texts.IN_SUBJECTS)
                for name in texts.names_in(kind)
            ],
            "our_subject": samples.letter(kind, language, texts.OURS).subject,
            "our_opening": samples.opening(kind, language),
            "keeps_ours": kind in texts.KEEPS_OURS,
            "for_several": _for_several(kind),
            "has_own": known != texts.OURS,
            "most": MAX_SUBJECT,
        }
        if form.is_valid():
            letter = samples.letter(kind, language, form.words())
            draft = signing.dumps([form.cleaned_data[p] for p in PARTS], salt=_SALT, compress=True)
            url = reverse("admin:notifications_messagetext_mail", args=[kind, language])
            context |= {"letter": letter, "mail_url": f"{url}?draft={draft}"}
        return self._page(request, "admin/notifications/text.html", context, status)

    @method_decorator(csp_exempt())
    @method_decorator(xframe_options_sameorigin)
    def mail(self, request: HttpRequest, kind: str, language: str) -> HttpResponse:
        """The mail itself, for the frame beside the form."""
        which = _which(kind, language)
        try:
            said = signing.loads(request.GET.get("draft", ""), salt=_SALT, max_age=DRAFT_LIVES)
        except signing.BadSignature as error:
            raise Http404 from error
        letter = samples.letter(*which, Words(*which, *said))
        html, _type = letter.message.alternatives[0]
        return HttpResponse(html, headers={"Content-Security-Policy": _MAIL_CSP})

    def _page(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**shared, **context}, status=status)


def _for_several(kind: Kind) -> str:
    """The names that a reminder of several appointments knows; empty for all other mails."""
    return (
        ", ".join("{" + n + "}" for n in texts.NAMES_FOR_SEVERAL) if kind == Kind.REMINDER else ""
    )


def _which(kind: str, language: str) -> tuple[Kind, str]:
    if kind not in texts.ADAPTABLE or language not in dict(settings.LANGUAGES):
        raise Http404
    return Kind(kind), language
