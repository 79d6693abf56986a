"""Django's icons for yes and no say “True” and “False” aloud, in every language."""

from __future__ import annotations

from django.contrib.admin.templatetags import admin_list
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

_WORDS = {True: _("yes"), False: _("no"), None: _("not known")}
_FILES = {True: "yes", False: "no", None: "unknown"}


def icon(value: bool | None) -> SafeString:
    return format_html(
        '<img src="{}" alt="{}">', static(f"admin/img/icon-{_FILES[value]}.svg"), _WORDS[value]
    )


def install() -> None:
    """Lists and read-only fields look the function up at the moment they need it."""
    admin_list._boolean_icon = icon  # type: ignore[attr-defined]
