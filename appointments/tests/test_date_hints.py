"""The example above a date box is a date that the box understands, in each language."""

import datetime as dt
import importlib
import pkgutil
import re
from typing import Any

import pytest
from django import forms
from django.utils import translation

import appointments.forms
from clinic.forms import WRITE_A_DATE, LooseDateField

pytestmark = pytest.mark.once


def hints() -> list[Any]:
    """What the forms of the pages say above their dates."""
    names = [module.name for module in pkgutil.iter_modules(appointments.forms.__path__)]
    modules = [importlib.import_module(f"appointments.forms.{name}") for name in names]
    fields = [
        field
        for module in modules
        for form in vars(module).values()
        for field in getattr(form, "base_fields", {}).values()
    ]
    found = {
        f.help_text for f in fields if isinstance(f, LooseDateField) and "2026" in str(f.help_text)
    }
    return sorted(found, key=str)


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("field", [LooseDateField(), forms.DateField()])
def test_the_day_of_each_example_is_understood_as_it_is_meant(language, field):
    """The administration's own field reads 8/12/2026 in English as a day in August."""
    with translation.override(language):
        found = hints()
        assert len(found) > 5
        for hint in [*found, WRITE_A_DATE]:
            text = str(hint)
            example = re.search(r"(?i)(?:por ejemplo|for example) (.*?2026)", text)
            assert example, text
            assert field.clean(example[1]) in {dt.date(2026, 12, 8), dt.date(2026, 12, 18)}, text
            assert (language == "en") is ("December" in text)
