"""A browser before the whole site, with the clinic of the demo behind it, on a Monday at eight."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.contrib.contenttypes.models import ContentType
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import clear_url_caches, path
from playwright.sync_api import BrowserContext
from pytest_django.live_server_helper import LiveServer

from appointments.tests.factories import NOW
from clinic import urls
from clinic.demo.load import load
from clinic.policy import POLICY, public
from clinic.tests.browser.stops import OPENED
from clinic.tests.browser.visitor import Visitor


@pytest.fixture(scope="session")
def demo_copy(
    django_db_setup: None,
    django_db_blocker: Any,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """The demo in a file of its own: loading it takes seconds, copying it does not."""

    def fill(folder: Path) -> None:
        with django_db_blocker.unblock(), time_machine.travel(NOW.astimezone(dt.UTC), tick=False):
            load(now=NOW)
            with closing(sqlite3.connect(folder / "demo.sqlite3")) as target:
                connection.connection.backup(target)
            call_command("flush", interactive=False, verbosity=0)
            connection.close()

    return made_once("demo", fill) / "demo.sqlite3"


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    """The whole site and nothing before it: a browser asks for each of its files once."""
    with (
        patch("django.contrib.staticfiles.handlers.StaticFilesHandler", lambda site: site),
        patch("django.test.testcases._MediaFilesHandler", lambda site: site),
    ):
        server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture
def clinic(
    transactional_db: None, demo_copy: Path, settings: Any, tmp_path: Path
) -> Iterator[None]:
    """The demo clinic, open for business: its data, its clock, its letter box."""
    settings.DEMO = True
    settings.EMAIL_BACKEND = "notifications.backends.EmlFileBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    connection.ensure_connection()
    with closing(sqlite3.connect(demo_copy)) as source:
        source.backup(connection.connection)
    ContentType.objects.clear_cache()
    # The clock goes on: a browser waits for it.
    with time_machine.travel(OPENED.astimezone(dt.UTC), tick=True):
        EmailMessage("Turno reservado", "Su turno:\nhttp://localhost/", to=["a@demo.test"]).send()
        yield


@pytest.fixture
def visitor(clinic: None, live_server: Any, new_context: Callable[..., BrowserContext]) -> Visitor:
    return Visitor(live_server.url, new_context)


def broken(request: HttpRequest, status: int) -> HttpResponse:
    if status == 500:
        raise RuntimeError("broken on purpose")
    return render(request, f"{status}.html", status=status)


@pytest.fixture
def broken_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """/roto/500/ breaks; the other numbers show their page, which nothing else shows a browser."""
    pages = [path("roto/<int:status>/", broken, name="broken"), *urls.urlpatterns]
    monkeypatch.setattr(urls, "urlpatterns", pages)
    monkeypatch.setitem(POLICY, "broken", public())
    clear_url_caches()
    yield
    monkeypatch.undo()
    clear_url_caches()
