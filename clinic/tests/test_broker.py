"""A message in a file is there wholly or not at all, whoever looks and when."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu.connection import Connection
from kombu.exceptions import ChannelError
from kombu.transport import filesystem

from clinic import broker
from clinic.celery import app
from clinic.environment import folder_broker

pytestmark = pytest.mark.once


def channel(folder: Path) -> Any:
    options = folder_broker(folder)
    return Connection("filesystem://localhost", transport_options=options).channel()


def test_celery_goes_through_it():
    assert isinstance(app.connection().channel(), broker.Channel)


def test_what_was_put_is_taken_once_and_in_order(tmp_path):
    one = channel(tmp_path)
    one._put("celery", {"n": 1})
    one._put("other", {"n": 3})
    one._put("celery", {"n": 2})
    assert one._size("celery") == 2
    assert sorted(one._get("celery")["n"] for _n in range(2)) == [1, 2]
    with pytest.raises(Empty):
        one._get("celery")
    assert one._size("other") == 1


def test_nothing_is_there_before_all_of_it_is(tmp_path, monkeypatch):
    """Whoever looks while a message is being written finds none."""
    one, other = channel(tmp_path), channel(tmp_path)
    seen: list[Any] = []
    write = Path.write_text

    def slowly(path: Path, text: str) -> int:
        with path.open("w") as file:
            file.write(text[:5])
            file.flush()
            with pytest.raises(Empty):
                seen.append(other._get("celery"))
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", slowly)
    one._put("celery", {"n": 1})
    assert seen == []
    assert other._get("celery") == {"n": 1}


def test_kombus_own_would_have_been_caught_by_this(tmp_path, monkeypatch):
    """The red twin: there an empty message is found, and the worker dies of it."""
    one = filesystem.Channel(Connection("filesystem://localhost").transport)
    other = channel(tmp_path)
    monkeypatch.setattr(one, "data_folder_out", str(tmp_path / "broker"), raising=False)

    def look_in_between(payload: Any) -> str:
        with pytest.raises(json.JSONDecodeError):
            other._get("celery")
        return json.dumps(payload)

    monkeypatch.setattr(filesystem, "dumps", look_in_between)
    one._put("celery", {"n": 1})


def test_many_who_bind_at_once_are_all_bound(tmp_path):
    folder_broker(tmp_path)
    channels = [channel(tmp_path) for _n in range(8)]
    threads = [
        threading.Thread(target=one._queue_bind, args=("celery", f"key {n}", "", f"queue {n}"))
        for n, one in enumerate(channels)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bound = {row.queue for row in channels[0].get_table("celery")}
    assert bound == {f"queue {n}" for n in range(8)}
    channels[0]._queue_bind("celery", "key 1", "", "queue 1")
    assert len(channels[0].get_table("celery")) == 8


def test_a_folder_that_is_gone_is_an_error_of_the_channel(tmp_path):
    one = channel(tmp_path)
    (tmp_path / "broker").rmdir()
    with pytest.raises(ChannelError):
        one._put("celery", {"n": 1})
