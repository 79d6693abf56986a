"""A mail server that takes, refuses, dawdles or hangs up, as the file ``mode`` beside it says.

Each mail that it took is a line in ``mails``: when, its Message-ID, to whom.
"""

from __future__ import annotations

import asyncio
import email
import sys
import time
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

SLOW_SECONDS = 2.0


class Sink:
    def __init__(self, folder: Path) -> None:
        self.file, self.mode_file = folder / "mails", folder / "mode"

    @property
    def mode(self) -> str:
        return self.mode_file.read_text().strip()

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.mode == "421":
            return "421 4.3.2 Closing down"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.mode == "451":
            return "451 4.7.1 Not now"
        if self.mode == "550" and address.startswith("refused"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.mode == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        message_id = email.message_from_bytes(envelope.content)["Message-ID"]
        with self.file.open("a") as mails:
            mails.write(f"{time.time():.3f}\t{message_id}\t{','.join(envelope.rcpt_tos)}\n")
        if self.mode == "dropped before 250":
            server.transport.close()
        return "250 OK"


class HangsUp(SMTP):
    """Says that it wants the mail, and is gone."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if self.event_handler.mode == "dropped in DATA":
            await self.push("354 Go on")
            self.transport.close()
            return
        await super().smtp_DATA(arg)


async def serve(port: int, folder: Path) -> None:
    sink = Sink(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: HangsUp(sink, hostname="sink", loop=loop), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
