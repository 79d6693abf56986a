"""Mail for a machine without a mail server: each message becomes a file."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmlFileBackend(BaseEmailBackend):
    """Writes ``20261208T133000123456Z-1f3a9c04.eml``: sorted by name is sorted by time."""

    def __init__(self, *args: Any, file_path: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = Path(file_path or settings.EMAIL_FILE_PATH)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        sent = 0
        for message in email_messages:
            if message.recipients():
                self._write(message.message().as_bytes())
                sent += 1
        return sent

    def _write(self, data: bytes) -> None:
        """Whole or not at all: whoever lists the folder never meets half a mail."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
        draft = self.folder / f".{name}.tmp"
        try:
            draft.touch(mode=0o600)
            draft.write_bytes(data)
            os.replace(draft, self.folder / f"{name}.eml")  # noqa: PTH105 - says "atomic"
        finally:
            draft.unlink(missing_ok=True)
