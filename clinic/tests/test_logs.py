"""Addresses that are keys are in no line of the log."""

import logging
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from clinic.logs import HideKeys

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.mark.parametrize(
    "path",
    [
        "/calendario/canary-key.ics",
        "/correo/voy/canary-key/",
        "/cuenta/ficha/canary-key/",
        "/cuenta/invitacion/canary-key/",
        "/cuenta/clave/nueva/1-canary-key/",
    ],
)
def test_a_refusal_is_logged_without_its_key(path, caplog):
    assert Client().get(path).status_code == 404
    lines = [r for r in caplog.records if r.name == "django.request"]
    assert len(lines) > 0
    for record in lines:
        HideKeys().filter(record)
        assert "canary-key" not in record.getMessage()
        assert record.getMessage() == f"Not Found: {path.rpartition('canary')[0].rstrip('1-')}…"


def test_other_lines_stay_as_they_are():
    record = logging.LogRecord("x", 30, "", 1, "Not Found: %s", ("/nada/x/",), None)
    HideKeys().filter(record)
    assert (record.msg, record.getMessage()) == ("Not Found: %s", "Not Found: /nada/x/")


@pytest.mark.parametrize(("text", "said"), [("%d", ("x",)), ("%s %s", ("x",)), ("%(", ("x",))])
def test_a_line_that_cannot_be_written_ends_no_request(text, said):
    record = logging.LogRecord("x", 30, "", 1, text, said, None)
    assert HideKeys().filter(record)
    assert (record.msg, record.args) == (text, said)


def test_what_is_written_passes_the_filter():
    configured: Any = settings.LOGGING
    assert configured["filters"] == {"keys": {"()": "clinic.logs.HideKeys"}}
    assert [one["filters"] for one in configured["handlers"].values()] == [["keys"]]
