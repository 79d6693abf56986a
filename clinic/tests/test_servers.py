"""What the tests themselves do where a server is missing or keeps them out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.once

#: What MariaDB says to the root of a distribution who comes by TCP without a password.
REFUSAL = b"\xff" + (1698).to_bytes(2, "little") + b"#28000Access denied for user 'root'"


@contextmanager
def locked_server() -> Iterator[int]:
    """Listens, speaks the protocol of MariaDB, and lets nobody in."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            for _n in range(2):  # the first only knocks
                visitor, _address = server.accept()
                with visitor:
                    visitor.sendall(len(REFUSAL).to_bytes(3, "little") + b"\0" + REFUSAL)

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@pytest.fixture
def plugin(request, monkeypatch, tmp_path) -> ModuleType:
    monkeypatch.setenv("NOT_RUN_REPORT", str(tmp_path / "not-run"))
    monkeypatch.setattr(request.config, "workerinput", None, raising=False)
    monkeypatch.delattr(request.config, "workerinput")
    return request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))


@pytest.mark.parametrize(("ci", "code"), [(False, 0), (True, 1)])
def test_a_server_that_lets_nobody_in_is_left_out_and_said(
    plugin, request, monkeypatch, tmp_path, ci, code
):
    monkeypatch.setattr(plugin, "CI", ci)
    with locked_server() as port:
        monkeypatch.setattr(plugin, "DATABASE_URL", f"mysql://root:secret@127.0.0.1:{port}/clinic")
        with pytest.raises(pytest.exit.Exception) as caught:
            plugin.pytest_configure(request.config)
    said = (tmp_path / "not-run").read_text()
    assert caught.value.returncode == code
    assert f"mysql://127.0.0.1:{port}/clinic does not let us in (1698)" in said
    assert "set TEST_DATABASE_URL=mysql://user:password@host/name" in said
    assert "secret" not in said


def test_a_server_that_is_not_there_is_left_out_and_said(plugin, request, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setattr(plugin, "DATABASE_URL", f"mysql://root@127.0.0.1:{port}/clinic")
    with pytest.raises(pytest.exit.Exception):
        plugin.pytest_configure(request.config)
    assert "no MariaDB or MySQL answers at" in (tmp_path / "not-run").read_text()


@pytest.mark.parametrize(("program", "kind"), [("redis-server", "redis"), ("chromium", "browser")])
def test_a_program_that_is_not_installed_is_missing(plugin, monkeypatch, program, kind):
    monkeypatch.setattr(plugin, "_listens", lambda url, port: True)
    monkeypatch.setattr(plugin.shutil, "which", lambda name: None)
    for known in (plugin._missing, plugin._chromium):
        known.cache_clear()
    try:
        assert program in plugin._missing(kind)
    finally:
        monkeypatch.undo()
        for known in (plugin._missing, plugin._chromium):
            known.cache_clear()
