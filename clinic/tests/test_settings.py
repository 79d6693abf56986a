"""The settings: what they read, what they refuse and how they say it."""

import ast
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from clinic.environment import (
    development_secret_key,
    embedded_database,
    folder_broker,
    log_level,
    production_database,
    redis_address,
    web_address,
    whole_number,
    words,
    yes_or_no,
)

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def env(monkeypatch):
    """Sets the one variable X and hands over the reader."""

    def with_value(value: str | None) -> environ.Env:
        monkeypatch.delenv("X", raising=False)
        if value is not None:
            monkeypatch.setenv("X", value)
        return environ.Env()

    return with_value


# --- the readers --------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, True), ("", True), ("true", True), ("1", True), ("No", False), (" off ", False)],
)
def test_yes_or_no(env, value, expected):
    assert yes_or_no(env(value), "X", default=True) is expected


@pytest.mark.parametrize("value", ["si", "2", "tru"])
def test_yes_or_no_refuses_a_guess(env, value):
    with pytest.raises(ImproperlyConfigured, match="write true or false"):
        yes_or_no(env(value), "X", default=False)


@pytest.mark.parametrize(("value", "expected"), [(None, 3), ("", 3), ("0", 0), (" 12 ", 12)])
def test_whole_number(env, value, expected):
    assert whole_number(env(value), "X", default=3) == expected


@pytest.mark.parametrize("value", ["-1", "1.5", "one", "٣", "9" * 5000])
def test_whole_number_refuses_the_rest(env, value):
    with pytest.raises(ImproperlyConfigured, match="write a whole number, for example 3"):
        whole_number(env(value), "X", default=3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ["d"]),
        (" , ", ["d"]),
        ("a.test", ["a.test"]),
        (" a.test, b.test,", ["a.test", "b.test"]),
    ],
)
def test_words(env, value, expected):
    assert words(env(value), "X", default=["d"]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "http://localhost:8000"),
        ("https://turnos.example.com/", "https://turnos.example.com"),
        ("http://localhost:8001", "http://localhost:8001"),
    ],
)
def test_web_address(env, value, expected):
    assert web_address(env(value), "X", default="http://localhost:8000") == expected


@pytest.mark.parametrize(
    "value", ["turnos.example.com", "ftp://example.com", "https://", "https://a.test/turnos"]
)
def test_web_address_refuses_what_links_cannot_start_with(env, value):
    with pytest.raises(ImproperlyConfigured, match="without a path"):
        web_address(env(value), "X", default="")


def test_log_level(env):
    assert log_level(env(None), "X") == "INFO"
    assert log_level(env("debug"), "X") == "DEBUG"
    with pytest.raises(ImproperlyConfigured, match="write one of DEBUG, INFO"):
        log_level(env("loud"), "X")


def test_redis_address(env):
    assert redis_address(env(None), "X") == ""
    assert redis_address(env("rediss://cache:6380/1"), "X") == "rediss://cache:6380/1"
    with pytest.raises(ImproperlyConfigured, match="must start with redis://"):
        redis_address(env("127.0.0.1:6379"), "X")


def test_the_embedded_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    folder = tmp_path / "var"
    key = development_secret_key(folder, embedded=True)
    assert len(key) >= 50
    assert development_secret_key(folder, embedded=True) == key
    assert [path.name for path in folder.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600


def test_production_makes_no_key_of_its_own(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is missing"):
        development_secret_key(tmp_path, embedded=False)
    assert list(tmp_path.iterdir()) == []


def test_the_guard_relies_on_these_settings_of_mysql():
    config = production_database("mysql://clinic:a%40b@db:3307/turnos?ssl_mode=REQUIRED")
    assert (config["USER"], config["PASSWORD"], config["HOST"]) == ("clinic", "a@b", "db")
    assert (config["NAME"], config["PORT"]) == ("turnos", 3307)
    assert config["OPTIONS"]["isolation_level"] == "read committed"
    assert config["OPTIONS"]["charset"] == "utf8mb4"
    assert config["OPTIONS"]["ssl_mode"] == "REQUIRED"
    assert config["CONN_HEALTH_CHECKS"] is True
    assert config["TEST"]["COLLATION"] == "utf8mb4_bin"


@pytest.mark.parametrize("url", ["postgres://a:b@c/d", "sqlite:///x.db"])
def test_other_databases_are_refused(url):
    with pytest.raises(ImproperlyConfigured, match="must start with mysql://"):
        production_database(url)


def test_the_embedded_default_makes_its_folders(tmp_path):
    config = embedded_database(str(tmp_path / "a" / "clinic.sqlite3"))
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert (tmp_path / "a").is_dir()
    options = folder_broker(tmp_path / "b")
    assert options["data_folder_in"] == options["data_folder_out"]
    assert all((tmp_path / "b" / name).is_dir() for name in ("broker", "broker-control"))


# --- the file as a whole -------------------------------------------------------


def variables_read() -> set[str]:
    """The names that settings.py asks the environment for."""
    tree = ast.parse((ROOT / "clinic" / "settings.py").read_text())
    return {
        argument.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for argument in call.args[:2]
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and re.fullmatch(r"[A-Z][A-Z_]+", argument.value)
    }


def test_the_example_names_every_variable_and_no_other():
    example = (ROOT / ".env.example").read_text()
    names = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    assert len(names) == len(set(names))
    assert set(names) == variables_read()


def load(tmp_path: Path, expression: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Loads the settings in a process of their own, with these variables and no others."""
    return subprocess.run(
        [sys.executable, "-c", f"from clinic import settings as s; print(({expression}))"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "VAR_DIR": str(tmp_path),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_any_variable_it_is_the_embedded_default(tmp_path):
    result = load(tmp_path, "s.EMBEDDED, s.DEBUG, s.DEMO, s.CELERY_BROKER_URL, s.HTTPS")
    assert result.stdout == "(True, False, False, 'filesystem://localhost', False)\n"


def test_the_example_makes_a_production(tmp_path):
    result = load(
        tmp_path,
        "s.EMBEDDED, s.HTTPS, s.EMAIL_HOST_USER, s.EMAIL_USE_TLS, s.CELERY_BROKER_URL",
        ENV_FILE=str(ROOT / ".env.example"),
        SECRET_KEY="x",
    )
    expected = (False, True, "turnos@example.com", True, "redis://127.0.0.1:6379/0")
    assert result.stdout == f"{expected}\n", result.stderr


def test_production_keeps_its_cookies_to_its_own_host_and_to_tls(tmp_path):
    names = (
        "s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, "
        "s.CSRF_COOKIE_SECURE, s.LANGUAGE_COOKIE_SECURE"
    )
    example = {"ENV_FILE": str(ROOT / ".env.example"), "SECRET_KEY": "x"}
    result = load(tmp_path, names, **example)
    assert result.stdout == "('__Host-session', '__Host-csrf', True, True, True)\n", result.stderr


def test_production_without_a_key_says_how_to_make_one(tmp_path):
    result = load(tmp_path, "s", DATABASE_URL="mysql://clinic@127.0.0.1/clinic")
    assert result.returncode != 0
    assert "SECRET_KEY is missing" in result.stderr
    assert "secrets.token_urlsafe(50)" in result.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"DATABASE_URL": "mysql://nobody@127.0.0.1:1/clinic", "BASE_URL": "https://a.example"},
        {"DATABASE_URL": ""},
    ],
    ids=["production", "embedded"],
)
def test_the_guards_come_off_on_the_red_database_only(tmp_path, variables):
    """No database of a clinic can be served by the site that the race needs for its proof."""
    red = "__import__('clinic.tests.unguarded')"
    result = load(tmp_path, red, SECRET_KEY="x", ALLOWED_HOSTS="a.example", **variables)
    assert result.returncode == 1
    assert "keeps its guards" in result.stderr


def test_nothing_but_the_race_knows_the_site_without_guards():
    folders = ["accounts", "appointments", "clinic", "notifications", "scheduling", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    knows = {
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file() and path.suffix != ".pyc" and b"unguarded:" in path.read_bytes()
    }
    knows -= {"clinic/tests/test_settings.py"}
    assert knows == {".ci/race.py"}
