"""What every page of the administration has in common.

Who may: administrators, everything that is open at all. Nobody deletes, unless
the class says that nothing hangs on its rows. What is written is audited, and
what the database refuses becomes a sentence above the form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import (
    AdminSplitDateTime,
    AdminTimeWidget,
    AutocompleteSelect,
    AutocompleteSelectMultiple,
)
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db import IntegrityError, models
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from clinic import audit
from clinic.text import search_words

SAME_MOMENT = _(
    "Somebody else has saved something here at the same moment. Look at it and save again."
)
NOT_THERE = _("What was chosen is no longer in this list. Nothing has been changed.")
NOT_ADDED = _("Records like this one are not added here: they come from what people do.")
NOT_CHANGED = _("Records like this one are looked at here, and not changed.")
NOT_DELETED = _("Records like this one are not deleted: the clinic's history rests on them.")
SWITCHED_OFF = _(
    "Records like this one are not deleted, because appointments and the history name them. "
    "What is no longer used is switched off: take the tick away on its page."
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


_LONGEST_ID = 18


class InstantField(forms.SplitDateTimeField):
    """A date and a time on a wall clock, which some days show twice or not at all."""

    def compress(self, data_list: Any) -> Any:
        try:
            return super().compress(data_list)
        except ValidationError as error:
            if error.code != "ambiguous_timezone":
                raise
            sentence = _("On that day the clock skips this time or shows it twice.")
            raise ValidationError(sentence, code=error.code) from None


#: Hours as people write them: nobody means seconds.
_HOURS: dict[type[models.Field], dict[str, Any]] = {
    models.TimeField: {"widget": AdminTimeWidget(format="%H:%M")},
    models.DateTimeField: {"form_class": InstantField},
}


def _ids(values: Sequence[str]) -> list[str]:
    return [v for v in values if str(v).isdecimal() and len(str(v)) <= _LONGEST_ID]


def names_rows(request: HttpRequest) -> bool:
    """Something is to be done to the rows that were ticked, and not to all that the list shows."""
    everything = request.POST.get("select_across")
    return request.method == "POST" and not forms.BooleanField().to_python(everything)


class Choice(AutocompleteSelect):
    """Asks the database for nothing that cannot be the id of a row."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        return super().optgroups(name, _ids(value), attr)


class _Choices(AutocompleteSelectMultiple):
    """Each choice has a button to take it away: one for all of them would stand in their list."""

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        attrs: dict[str, Any] = super().build_attrs(base_attrs, extra_attrs)
        return {**attrs, "data-allow-clear": "false"}

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        return super().optgroups(name, _ids(value), attr)


class ChosenByTyping:
    """People and services: too many for a list, so they are looked up while one types."""

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest | None, **kwargs: Any
    ) -> Any:
        if db_field.name in self.autocomplete_fields:  # type: ignore[attr-defined]
            kwargs["widget"] = Choice(db_field, self.admin_site)  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None, **kwargs: Any
    ) -> Any:
        if db_field.name in self.autocomplete_fields:  # type: ignore[attr-defined]
            kwargs["widget"] = _Choices(db_field, self.admin_site)  # type: ignore[attr-defined]
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]


def _name_parts(field: forms.Field | None) -> None:
    """A date and a time side by side: each box says what it is."""
    if field is not None and isinstance(field.widget, AdminSplitDateTime):
        for widget, part in zip(field.widget.widgets, (_("date"), _("time")), strict=True):
            widget.attrs["aria-label"] = f"{capfirst(str(field.label))}: {part}"


class Rows(BaseInlineFormSet):
    """Rows whose boxes have names and descriptions that exist.

    Django's table shows no help text beside a box, yet the box would point at one.
    """

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"{self.prefix}-heading"
        if DELETION_FIELD_NAME in form.fields:
            form.fields[DELETION_FIELD_NAME].widget.attrs["aria-label"] = _("Remove")


#: A row sends four fields or more, and a post at most 2,000: what says that it has more rows lies.
MOST_ROWS = 500


class Inline(OpenToAdministrators, ChosenByTyping, admin.TabularInline):
    template = "admin/inline_rows.html"
    formset: Any = Rows
    extra = 0
    max_num = MOST_ROWS
    formfield_overrides = _HOURS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.can_delete = self.can_remove

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, absolute_max=MOST_ROWS, **kwargs)

    def formfield_for_dbfield(
        self, db_field: models.Field, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """The heading of the column names the box in it, also for whoever cannot see it."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            widget: Any = getattr(field.widget, "widget", field.widget)
            widget.attrs["aria-label"] = capfirst(str(field.label))
        _name_parts(field)
        return field


class StackedInline(Inline):
    """Rows of more boxes than a table has room for: each below the other, with its help beside."""

    template = "admin/edit_inline/stacked.html"
    formset = BaseInlineFormSet


class ClinicAdmin(OpenToAdministrators, ChosenByTyping, admin.ModelAdmin):
    list_per_page = 50
    #: What to ask a list for that opens on some of its rows, to see all of them.
    everything = ""
    formfield_overrides = _HOURS
    show_full_result_count = False
    #: Normalised columns: each word of a search occurs in one of them. See ``matches``.
    search_fields: ClassVar[list[str] | tuple[str, ...]] = ["search_text"]
    #: Whether opening the page of a row leaves a line in the audit.
    reads_are_logged = False
    #: Why nothing of this is deleted, and what is done instead. Empty: as for any record.
    not_deleted: str | Promise = ""
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

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A year that is not in the calendar is a wrong filter, which Django takes away again."""
        try:
            return super().get_changelist_instance(request)
        except (OverflowError, ValueError) as error:
            raise IncorrectLookupParameters(error) from error

    def response_action(  # type: ignore[override]  # the stubs are of a later Django
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> HttpResponse | None:
        """What cannot be the id of a row was not chosen; rows may be gone since they were."""
        chosen = request.POST.copy()
        ids = _ids(chosen.getlist(ACTION_CHECKBOX_NAME))
        chosen.setlist(ACTION_CHECKBOX_NAME, ids)
        request.POST = chosen  # type: ignore[assignment]
        if ids and names_rows(request) and not queryset.filter(pk__in=ids).exists():
            self.message_user(request, NOT_THERE, messages.WARNING)
            return None
        return super().response_action(request, queryset)

    # --- saving
    def formfield_for_dbfield(
        self, db_field: models.Field, request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        _name_parts(field)
        return field

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
        except PermissionDenied:
            return self.closed(request, NOT_CHANGED if object_id else NOT_ADDED, object_id)
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

    # --- what is not done here
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.can_remove:
            return super().delete_view(request, object_id, extra_context)
        usual = SWITCHED_OFF if _has_field(self.model, "is_active") else NOT_DELETED
        return self.closed(request, self.not_deleted or usual, object_id)

    def closed(
        self, request: HttpRequest, sentence: str | Promise, object_id: str | None
    ) -> HttpResponse:
        """It is not the account that is wrong: nobody does this, and what one does instead."""
        if not is_administrator(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id)) if object_id else None
        context = {
            **self.admin_site.each_context(request),
            "title": _("This is not done here"),
            "opts": self.opts,
            "sentence": sentence,
            "row": row,
        }
        return TemplateResponse(request, "admin/closed.html", context, status=403)

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
            raise ValidationError(str(refusal))

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


def column(text: Any, **options: Any) -> Callable[[Callable], Callable]:
    """A column of a list: its heading, and by what it is sorted (``ordering``)."""
    return admin.display(description=text, **options)


def joined(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
