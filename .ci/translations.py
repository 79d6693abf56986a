"""Are the translations complete? With --write: collects the sentences and compiles.

Complete means: every sentence of the code has a Spanish one, none is doubtful ("fuzzy"),
none is left over, and the compiled file says the same as the readable one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
LOCALE = Path("locale/es/LC_MESSAGES")
APPS = ("accounts", "appointments", "clinic", "notifications", "scheduling", "templates")
Sentences = dict[tuple[str, str], object]


def make_messages(folder: Path) -> None:
    """Collects the sentences of ``folder`` into its own catalogue."""
    command = [sys.executable, "-m", "django", "makemessages", "--locale", "es"]
    command += ["--no-location", "--ignore", ".venv", "--ignore", "var", "--ignore", "*/tests/*"]
    environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)


def sentences(catalogue: list[polib.POEntry] | list[polib.MOEntry]) -> Sentences:
    return {
        (entry.msgctxt or "", entry.msgid): entry.msgstr_plural or entry.msgstr
        for entry in catalogue
        if entry.msgid and not entry.obsolete
    }


def collected() -> Sentences:
    """What ``makemessages`` finds in a copy of the code, so that nothing here is touched."""
    with tempfile.TemporaryDirectory() as folder:
        for app in APPS:
            shutil.copytree(ROOT / app, Path(folder, app))
        Path(folder, LOCALE).mkdir(parents=True)
        make_messages(Path(folder))
        return sentences(polib.pofile(str(Path(folder, LOCALE, "django.po"))))


def problems() -> list[str]:
    po_path, mo_path = ROOT / LOCALE / "django.po", ROOT / LOCALE / "django.mo"
    if not po_path.exists() or not mo_path.exists():
        return [f"{LOCALE}/django.po or django.mo is missing"]
    catalogue = polib.pofile(str(po_path))
    here, code = sentences(list(catalogue)), collected()
    found = [f"not translated: {entry.msgid!r}" for entry in catalogue.untranslated_entries()]
    found += [f"doubtful (fuzzy): {entry.msgid!r}" for entry in catalogue.fuzzy_entries()]
    found += [f"new in the code: {msgid!r}" for _, msgid in sorted(code.keys() - here.keys())]
    found += [f"no longer used: {msgid!r}" for _, msgid in sorted(here.keys() - code.keys())]
    compiled = sentences(list(polib.mofile(str(mo_path))))
    if compiled != {key: value for key, value in here.items() if value}:
        found.append("django.mo is older than django.po")
    return found


def main() -> int:
    if shutil.which("xgettext") is None or shutil.which("msgfmt") is None:
        what = "NOT RUN, nothing to run it on: translations need gettext (install gettext)"
        print(f"!!! {what}")
        if report := os.environ.get("NOT_RUN_REPORT"):
            with Path(report).open("a") as lines:
                lines.write(f"{what}\n")
        return 1 if os.environ.get("CI", "").lower() in {"1", "true"} else 0
    if "--write" in sys.argv:
        (ROOT / LOCALE).mkdir(parents=True, exist_ok=True)
        make_messages(ROOT)
        po_path = ROOT / LOCALE / "django.po"
        polib.pofile(str(po_path)).save_as_mofile(str(po_path.with_suffix(".mo")))
    found = problems()
    for problem in found:
        print(problem)
    print(f"Translations: {len(found)} problems" if found else "Translations are complete.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
