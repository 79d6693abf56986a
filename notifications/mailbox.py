"""Reads the mails that EmlFileBackend wrote, for the demo."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from django.conf import settings

#: The newest so many are listed.
MOST = 200


@dataclass(frozen=True, slots=True)
class Mail:
    name: str
    at: dt.datetime
    to: str
    subject: str
    text: str = ""
    attachments: list[str] = field(default_factory=list)


def newest() -> list[Mail]:
    """Without their text, newest first."""
    names = sorted((path.stem for path in _folder().glob("*.eml")), reverse=True)
    found = (_read(name, headers_only=True) for name in names[:MOST])
    return [mail for mail in found if mail]


def find(name: str) -> Mail | None:
    """The mail in the file of this name (a slug: it cannot leave the folder)."""
    return _read(name, headers_only=False)


def _folder() -> Path:
    return Path(settings.EMAIL_FILE_PATH)


def _read(name: str, *, headers_only: bool) -> Mail | None:
    try:
        data = (_folder() / f"{name}.eml").read_bytes()
        at = dt.datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=dt.UTC)
    except (OSError, ValueError):
        return None
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(data, headers_only)
    return Mail(
        name=name,
        at=at,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        text="" if headers_only else _text(message),
        attachments=[] if headers_only else _attachments(message),
    )


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body else ""


def _attachments(message: EmailMessage) -> list[str]:
    return [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
