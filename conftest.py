"""What every test shares: the servers it may need, a clean cache, Chromium."""

import fcntl
import os
import shutil
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
import MySQLdb
import pytest
from django.core.cache import cache as django_cache

DATABASE_URL = os.environ.get("DATABASE_URL", "")
TEST_REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
CI = os.environ.get("CI", "").lower() in {"1", "true"}

#: How each kind of test says that it was left out; the summary looks for these words.
MISSING = "NOT RUN, nothing to run it on: "


def _listens(url: str, default_port: int) -> bool:
    address = urlsplit(url)
    try:
        with socket.create_connection((address.hostname, address.port or default_port), timeout=2):
            return True
    except OSError:
        return False


@cache
def _chromium() -> str | None:
    """The one without windows, if it is there: the same engine in two thirds of the time."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@cache
def _missing(kind: str) -> str:
    """What this kind of test lacks here, with how to get it; empty when it can run."""
    if kind == "mariadb" and not DATABASE_URL:
        return "needs MariaDB or MySQL (start one, then: make test-mariadb)"
    if kind == "redis" and not _listens(TEST_REDIS_URL, 6379):
        return f"needs Redis at {TEST_REDIS_URL} (start one, or set TEST_REDIS_URL)"
    if kind == "redis" and not shutil.which("redis-server"):
        return "needs the program redis-server, to freeze and kill one of its own (install it)"
    if kind == "browser" and not _chromium():
        return "needs Chromium (install the package chromium)"
    return ""


def _refused(url: str) -> str:
    """Why there is no login at this server, with how to mend it; empty when there is one."""
    where = _without_password(url)
    if not _listens(url, 3306):
        return f"no MariaDB or MySQL answers at {where}"
    known = environ.Env.db_url_config(url)
    try:
        MySQLdb.connect(
            host=known["HOST"],
            port=int(known["PORT"] or 3306),
            user=known["USER"],
            password=known["PASSWORD"],
            connect_timeout=10,
        ).close()
    except MySQLdb.OperationalError as error:
        return (
            f"{where} does not let us in ({error.args[0]}); "
            "set TEST_DATABASE_URL=mysql://user:password@host/name"
        )
    return ""


def pytest_configure(config: pytest.Config) -> None:
    if not DATABASE_URL or hasattr(config, "workerinput") or not (why := _refused(DATABASE_URL)):
        return
    what = MISSING + why
    _report([f"tests on MariaDB: {what}"])
    pytest.exit(what, returncode=1 if CI else 0)


#: How often a page asks is decided by the ORM, and the same on every database.
COUNTS = {"django_assert_num_queries", "django_assert_max_num_queries"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if COUNTS & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.once)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for kind in ("mariadb", "redis", "browser"):
        if item.get_closest_marker(kind) and (what := _missing(kind)):
            if CI and kind != "mariadb":
                pytest.fail(MISSING + what, pytrace=False)
            pytest.skip(MISSING + what)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counts: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        _, found, what = str(report.longrepr[2]).partition(MISSING)
        if found:
            counts[what] = counts.get(what, 0) + 1
    lines = [f"{count} tests {MISSING}{what}" for what, count in counts.items()]
    if lines:
        terminalreporter.section("NOT EVERYTHING RAN", sep="!", red=True, bold=True)
        for line in lines:
            terminalreporter.line(line, red=True)
        _report(lines)


def _report(lines: list[str]) -> None:
    """Leaves the lines for ``make test``, which repeats them at its very end."""
    if path := os.environ.get("NOT_RUN_REPORT"):
        with Path(path).open("a") as report:
            report.writelines(f"{line}\n" for line in lines)


def _without_password(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.hostname}:{address.port or 3306}{address.path}"


@pytest.fixture(autouse=True)
def _clean_cache() -> None:
    """The limits on tries live in the cache."""
    django_cache.clear()


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Folders that all processes of a run share: whoever wants one first fills it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        ready, filling = shared / name, shared / f"{name}.filling"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                filling.mkdir()
                fill(filling)
                filling.rename(ready)
        return ready

    return folder


@pytest.fixture
def redis_url() -> str:
    """A database of the Redis server that no parallel test process shares."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{TEST_REDIS_URL.rstrip('/')}/{8 + int(worker) % 8}"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Chromium of the distribution; it asks nothing of the network but the test's server."""
    return {
        **browser_type_launch_args,
        "executable_path": _chromium(),
        "args": [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A browser far from the clinic: the times shown are the location's all the same."""
    return {**browser_context_args, "locale": "es-AR", "timezone_id": "America/Santiago"}
