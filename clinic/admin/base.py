"""What every page of the administration has in common.

Who may: administrators, everything that is open at all. Nobody deletes, unless
the class says that nothing hangs on its rows. What is written is audited, and
what the database refuses becomes a sentence above the form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import IntegrityError, models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic import audit
from clinic.text import search_words

SAME_MOMENT = _(
    "Somebody else has saved something here at the same moment. Look at it and save again."
)


def is_administrator(request: HttpRequest) -> bool:
    """The role is the fact ``is_staff``; no permission table stands beside it."""
    user = request.user
    return bool(user.is_active and getattr(user, "is_staff", False))


class OpenToAdministrators:
    """The permissions, for lists and for the rows inside a page alike."""

    can_add = True
    can_change = True
    can_remove = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_administrator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_administrator(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_add and is_administrator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_change and is_administrator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_remove and is_administrator(request)


class Inline(OpenToAdministrators, admin.TabularInline):
    extra = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_delete = self.can_remove


class ClinicAdmin(OpenToAdministrators, admin.ModelAdmin):
    list_per_page = 50
    show_full_result_count = False
    #: Normalised columns: each word of a search occurs in one of them. See ``matches``.
    search_fields: Sequence[str] = ["search_text"]
    #: Whether opening the page of a row leaves a line in the audit.
    reads_are_logged = False
    #: What the verbs that a form calls may answer instead: a sentence for above the form.
    refusals: tuple[type[Exception], ...] = ()

    # --- searching, accents and case aside
    def matches(self, word: str) -> models.Q:
        fields = [f"{path}__contains" for path in self.search_fields]
        return reduce(or_, (models.Q(**{field: word}) for field in fields), models.Q())

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        if _is_autocomplete(request) and _has_field(self.model, "is_active"):
            queryset = queryset.filter(is_active=True)
        for word in search_words(search_term):
            queryset = queryset.filter(self.matches(word))
        # A path over many rows finds the same one twice.
        return queryset, any("__" in path for path in self.search_fields)

    # --- saving
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A refusal of the database undoes everything and stands above the form."""
        try:
            response = super().changeform_view(request, object_id, form_url, extra_context)
        except (IntegrityError, models.ProtectedError):
            response = self.refuse(request, SAME_MOMENT, object_id, form_url, extra_context)
        except self.refusals as refusal:
            response = self.refuse(request, str(refusal), object_id, form_url, extra_context)
        if request.method == "POST" and isinstance(response, TemplateResponse):
            response.status_code = 422
        elif self.reads_are_logged and object_id and response.status_code == 200:
            self._record(request, "read", response.context_data["original"])  # type: ignore[attr-defined]
        return response

    def refuse(
        self,
        request: HttpRequest,
        sentence: str | Promise,
        object_id: str | None,
        form_url: str,
        extra_context: dict[str, Any] | None,
    ) -> HttpResponse:
        """The same form again, with everything typed and this sentence; nothing is written."""
        request.refusal = sentence  # type: ignore[attr-defined]
        response = super().changeform_view(request, object_id, form_url, extra_context)
        response.status_code = 422
        return response

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return _refusing(form, refusal) if refusal else form

    # --- who did what
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, "add", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, "change", obj, what=_without_names(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._record(request, "delete", obj)
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, deed: str, obj: models.Model, **details: Any) -> None:
        audit.record(
            actor=str(request.user),
            action=f"{self.opts.model_name}.{deed}",
            target=obj,
            **details,
        )


class ReadOnlyAdmin(ClinicAdmin):
    """Rows that are looked at, and written by nobody here."""

    can_add = False
    can_change = False


def _refusing(form: type[forms.ModelForm], refusal: str | Promise) -> type[forms.ModelForm]:
    """The form, never valid: it shows what was typed and why nothing was saved."""

    class Refusing(form):  # type: ignore[misc, valid-type]
        def clean(self) -> Any:
            super().clean()
            raise ValidationError(refusal)

    return Refusing


def _without_names(message: Any) -> Any:
    """What changed, by the names of fields; whose row an inline was, its id does not say."""
    if not isinstance(message, list):
        return str(message)
    return [
        {deed: {k: v for k, v in facts.items() if k != "object"} for deed, facts in part.items()}
        for part in message
    ]


def _is_autocomplete(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.url_name == "autocomplete"


def _has_field(model: type[models.Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def column(text: str | Promise, **options: Any) -> Callable[[Callable], Callable]:
    """A column of a list: its heading, and by what it is sorted (``ordering``)."""
    return admin.display(description=text, **options)


def joined(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
