"""Imports go down, never up, and stand at the top of their file.

wiring half of clinic → notifications → appointments → scheduling → accounts
→ catalogue half of clinic → Django
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ["accounts", "scheduling", "appointments", "notifications"]
#: Which modules of ``clinic`` are the catalogue; everything else there is wiring.
CATALOGUE = {"admin", "apps", "audit", "checks", "fields", "migrations", "models", "templatetags"}
CATALOGUE |= {"current", "editions", "forms", "holiday_calendar", "text", "tests.factories"}
WIRING = {"", "admin_site", "asgi", "broker", "celery", "context_processors", "demo", "environment"}
WIRING |= {"logs", "management", "middleware", "policy", "settings", "tests", "unsent", "urls"}
WIRING |= {"views", "wsgi"}

FLOORS = ["the catalogue half of clinic", *APPS, "the wiring half of clinic"]
FILES = sorted(path for folder in ["clinic", *APPS] for path in (ROOT / folder).rglob("*.py"))
MODEL_LABEL = re.compile(rf"^({'|'.join(APPS)})\.[A-Z][A-Za-z]+$")


def floor(module: str) -> int | None:
    """0 for the catalogue … 5 for the wiring; None for what is not ours."""
    package, _, rest = module.partition(".")
    if package in APPS:
        return 1 + APPS.index(package)
    if package == "clinic":
        parts = rest.split(".")
        low = parts[0] in CATALOGUE or ".".join(parts[:2]) in CATALOGUE
        return 0 if low else len(FLOORS) - 1
    return None


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def upward(source: str, module: str) -> list[str]:
    """The lines that reach for something above ``module``."""
    tree = ast.parse(source)
    here = floor(module)
    assert here is not None
    found = []
    for line, target in imported(tree):
        there = floor(target)
        if there is not None and there > here:
            found.append(f"line {line}: {FLOORS[here]} imports {target} ({FLOORS[there]})")
    if here == len(FLOORS) - 1:
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            there = floor(node.value) if MODEL_LABEL.match(node.value) else None
            if there is not None and there > here:
                found.append(f"line {node.lineno}: {FLOORS[here]} names {node.value}")
    return found


def buried(source: str) -> list[str]:
    """Imports inside functions. ``AppConfig.ready`` has to: models load before it."""
    return [
        f"line {inner.lineno}: import inside {node.name}()"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "ready"
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]


def test_imports_go_down_and_stand_at_the_top() -> None:
    wrong = []
    for path in FILES:
        source, name = path.read_text(), name_of(path)
        wrong += [f"{name} {line}" for line in (*upward(source, name), *buried(source))]
    assert wrong == []


def test_every_module_of_clinic_belongs_to_one_half() -> None:
    modules = {
        name_of(path).removeprefix("clinic").strip(".").partition(".")[0]
        for path in FILES
        if path.is_relative_to(ROOT / "clinic")
    }
    assert modules - CATALOGUE - WIRING == set(), "say here which half it is"
    assert not CATALOGUE & WIRING


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("clinic.models", "from accounts.models import User"),
        ("clinic.audit", "import clinic.settings"),
        ("clinic.checks", "from clinic import urls"),
        ("accounts.models", "from scheduling import slots"),
        ("accounts.admin", "from clinic.admin_site import site"),
        ("scheduling.services", "import appointments.store as store"),
        ("appointments.services", "if TYPE_CHECKING:\n    from notifications.models import X"),
        ("scheduling.models", "ForeignKey('appointments.Appointment')"),
    ],
)
def test_an_import_that_goes_up_is_found(module: str, source: str) -> None:
    assert len(upward(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("accounts.models", "from clinic.models import Location"),
        ("accounts.views", "from accounts.forms import ProfileForm"),
        ("notifications.signals", "from appointments.signals import appointment_changed"),
        ("clinic.admin", "from clinic import audit"),
        ("clinic.urls", "import appointments.urls"),
        ("appointments.models", "ForeignKey('accounts.Patient')"),
        ("accounts.views", "import datetime, django.db.models"),
    ],
)
def test_an_import_that_goes_down_or_stays_is_fine(module: str, source: str) -> None:
    assert upward(source, module) == []


def test_an_import_inside_a_function_is_found() -> None:
    assert len(buried("def f():\n    import os")) == 1
    assert buried("class C:\n    def ready(self):\n        import os") == []
    assert buried("import os") == []
