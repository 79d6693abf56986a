"""The reader of the walk looks at letters where they are new, and there sees what axe sees."""

import pytest

from clinic.tests.browser.barriers import Reader, give_axe

pytestmark = pytest.mark.browser


def page_with(style: str) -> str:
    return (
        f'<!doctype html><html lang="es"><title>Turnos</title><main><h1>Turnos</h1>'
        f'<p style="{style}">Martes a las diez</p></main></html>'
    )


PALE, PALER, PLAIN = "color: #ccc", "color: #ccc; background: #ddd", "color: #000"


def test_pale_letters_are_found_where_they_are_new(context):
    give_axe(context)
    page, reader = context.new_page(), Reader()

    def found(style: str) -> list[str]:
        page.goto("about:blank")
        page.set_content(page_with(style))
        return [line.split()[0] for line in reader.violations(page)]

    assert found(PLAIN) == []
    assert found(PALE) == ["color-contrast"]
    # Said once; the same letters on another ground are others.
    assert found(PALE) == []
    assert found(PALER) == ["color-contrast"]
    # What is no matter of colours is looked at on every page.
    assert found(PLAIN + '"><img src="x') == ["image-alt"]
