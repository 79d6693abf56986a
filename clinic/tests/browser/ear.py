"""Hears what a browser complains of: blocked code, errors, missing files, other hosts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

#: What the console says of a page that refuses; what it says of a file counts.
REFUSAL = "Failed to load resource: the server responded with a status of"


class Ear:
    """Hears everything that a browser complains of."""

    def __init__(self, page: Page, host: str) -> None:
        self.host = host
        self.heard: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(REFUSAL):
            self.heard.append(f"{message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        # A page left before its last file had come is nobody's fault.
        if request.failure != "net::ERR_ABORTED":
            self.heard.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Any) -> None:
        if urlsplit(response.url).netloc != self.host:
            self.heard.append(f"another host: {response.url}")
        if response.status >= 400 and response.request.resource_type != "document":
            self.heard.append(f"{response.status}: {response.url}")

    def complaints(self, page: Page | None = None) -> list[str]:
        heard, self.heard = self.heard, []
        return heard
