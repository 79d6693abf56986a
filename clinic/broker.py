"""Celery's messages as files, each there wholly or not at all.

Kombu's own transport opens a file under its final name and then fills it. A worker that
looks in between takes an empty message, and dies of it.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.transport.filesystem import LOCK_EX, exchange_queue_t, lock
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(  # type: ignore[override]  # as kombu's own
        self, queue: str, payload: Any, **kwargs: Any
    ) -> None:
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, dumps(payload))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file = self._exchange_file(exchange)
        bound = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with (self.control_folder / "lock").open("w") as gate:
            lock(gate, LOCK_EX)
            queues = self.get_table(exchange)
            if bound not in queues:
                _write(file, dumps([bound, *queues]))


def _write(file: Path, text: str) -> None:
    """Under another name first: renaming is one step, writing is many."""
    draft = file.with_name(f"{file.name}.{uuid.uuid4()}.draft")
    try:
        draft.write_text(text)
        draft.replace(file)
    except OSError as error:
        raise ChannelError(f"Cannot write {file}") from error


class Transport(filesystem.Transport):
    Channel = Channel
