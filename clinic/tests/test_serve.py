"""``manage.py serve``: real processes, on a free port, in a folder of their own."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.core.management.base import CommandError

from clinic.management.commands.serve import Command, require_free

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.skipif(not settings.EMBEDDED, reason="belongs to the run on SQLite"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manage(folder: Path, port: int, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port), *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "VAR_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def children_of(pid: int) -> dict[str, int]:
    """The parts by name: what the command line of each child says."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        line = Path(f"/proc/{child}/cmdline").read_bytes().decode()
        found["worker" if "celery" in line else "web"] = int(child)
    return found


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout
    seen = ""
    for line in process.stdout:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"ended without saying {words!r}:\n{seen}")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def prepared(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A folder in which the clinic was open before: to make one takes longest."""

    def fill(folder: Path) -> None:
        with serve(folder, free_port()):
            pass

    return made_once("prepared", fill)


@contextmanager
def serve(folder: Path, port: int, host: str = "") -> Iterator[subprocess.Popen[str]]:
    process = manage(folder, port, "--prepare", *(["--host", host] if host else []))
    try:
        read_until(process, f"The clinic is open: http://{host or 'localhost'}:{port}/")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "home")


def listens(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.mark.parametrize(("number", "host"), [(signal.SIGINT, ""), (signal.SIGTERM, "127.0.0.2")])
def test_it_serves_until_a_signal_and_then_leaves_nothing_behind(home, port, number, host):
    with serve(home, port, host) as serving:
        # At the one address that it greets from, and the data is its owner's alone.
        assert listens(port) == (not host)
        assert urlopen(f"http://{host or 'localhost'}:{port}/", timeout=20).status == 200
        files = [home / name for name in ("clinic.sqlite3", "clinic.sqlite3-wal")]
        assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {"0o600"}
        parts = children_of(serving.pid)
        assert set(parts) == {"web", "worker"}
        started = time.monotonic()
        serving.send_signal(number)
        output, _ = serving.communicate(timeout=60)
    assert serving.returncode == 0
    assert time.monotonic() - started < 20
    assert "Traceback" not in output
    assert not listens(port, host or "127.0.0.1")
    assert not any(Path(f"/proc/{pid}").exists() for pid in parts.values())


@pytest.mark.parametrize("name", ["web", "worker"])
def test_when_a_part_dies_the_other_is_stopped_and_the_exit_says_so(home, port, name):
    with serve(home, port) as serving:
        parts = children_of(serving.pid)
        os.killpg(parts[name], signal.SIGKILL)
        output, _ = serving.communicate(timeout=60)
    assert serving.returncode == 1
    assert f"The {name} ended by itself" in output
    assert not listens(port)


def test_the_name_of_the_machine_in_the_shell_is_not_the_address_to_serve(monkeypatch):
    monkeypatch.setenv("HOST", "workstation.example.com")
    assert Command().create_parser("manage.py", "serve").parse_args([]).host == "127.0.0.1"


def test_an_address_of_another_machine_is_said_in_a_sentence(port):
    with pytest.raises(CommandError, match=r"--host 192\.0\.2\.1: no address of this machine"):
        require_free("192.0.2.1", str(port))


def test_a_port_in_use_is_said_in_a_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        output, _ = manage(tmp_path, port).communicate(timeout=60)
    assert re.search(rf"Port {port} is not free .*PORT=\d+ make run", output)
    assert "Traceback" not in output


def test_a_port_that_is_no_number_is_said_in_a_sentence(tmp_path):
    process = subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", "http"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "write a number from 1 to 65535" in process.stderr
