"""What the tests of accounts share: a visitor in English, and the mails that are owed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils.html import strip_tags

from accounts.signals import account_mail

Mail = dict[str, Any]


@pytest.fixture
def visitor() -> Any:
    """In English, so that the sentences stand in the tests as in the code."""
    return new_visitor()


def new_visitor(language: str = "en") -> Any:
    client = Client()
    client.cookies["django_language"] = language
    return client


@pytest.fixture
def mails() -> Iterator[list[Mail]]:
    """What ``account_mail`` was sent with, in order."""
    caught: list[Mail] = []

    def catch(sender: Any, signal: Any, **mail: Any) -> None:
        caught.append(mail)

    account_mail.connect(catch)
    yield caught
    account_mail.disconnect(catch)


def words(response: Any) -> str:
    """The text of the page's main part, on one line."""
    html = response.content.decode()
    main = re.search(r"<main.*?</main>", html, re.DOTALL)
    return " ".join(strip_tags(main[0] if main else html).split())


def code_in(mail: Mail) -> str:
    found = re.findall(r"^\s*(\d{6})$", mail["text"], re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def link_in(mail: Mail, part: str) -> str:
    found = re.findall(rf"^\S*{part}\S*$", mail["text"], re.MULTILINE)
    assert len(found) == 1
    return str(found[0])
