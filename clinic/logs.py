"""What a log may not say: an address that is a key stays out of it."""

from __future__ import annotations

import logging
import re

#: Whoever reads what follows could open it: feeds, links in mails, invitations, resets.
_KEYS = re.compile(
    r"(/(?:calendario|correo/[\w-]+|cuenta/ficha|cuenta/invitacion|cuenta/clave/nueva)/)[^\s?\"']+"
)


class HideKeys(logging.Filter):
    """Django logs the path of every refusal, the ones of living addresses included."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            # Its handler says what is wrong with the line. A filter that raises ends the request.
            return True
        hidden = _KEYS.sub(r"\1…", said)
        if hidden != said:
            record.msg, record.args = hidden, ()
        return True
