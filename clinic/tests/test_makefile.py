"""``make run``: what it hands on to the clinic, in a copy with a Python that only says it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.once


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "constraints.txt", ".ci/setup", ".venv/bin/python"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#!/bin/sh\necho "DEMO=${DEMO-not set} PORT=$PORT $*"\n')
        path.chmod(0o700)
    (tmp_path / ".venv/.running").touch()
    return tmp_path


def make_run(folder: Path, **environment: str) -> str:
    answer = subprocess.run(
        ["make", "--no-print-directory", "run"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


@pytest.mark.parametrize(
    ("file", "environment", "expected"),
    [
        (None, {}, "true"),
        (None, {"DEMO": "false"}, "false"),
        # The file is read by the settings, unless the environment says something.
        ("DEMO=true\n", {}, "not set"),
        ("DATABASE_URL=mysql://…\n", {}, "not set"),
        ("DEMO=true\n", {"DEMO": "false"}, "false"),
        ("", {"DEMO": "true"}, "true"),
    ],
)
def test_the_demo_is_on_without_settings_and_else_as_they_say(copy, file, environment, expected):
    if file is not None:
        (copy / ".env").write_text(file)
    assert make_run(copy, **environment) == f"DEMO={expected} PORT=8000 manage.py serve --prepare\n"


def test_the_port_is_handed_on(copy):
    assert "PORT=8123 " in make_run(copy, PORT="8123")
