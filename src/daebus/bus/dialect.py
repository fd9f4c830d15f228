"""The seam for services that speak another wire than docs/protocol.md; `daebus.legacy` has the only one."""

from __future__ import annotations

from typing import Protocol

from daebus.connection.subscriber import Receive
from daebus.connection.wire import Answered
from daebus.errors import NoSuchService
from daebus.protocol.messages import Request
from daebus.protocol.replies import Waiting

__all__ = ["Dialect"]


class Dialect(Protocol):
    """How a process calls services that speak another wire. It is asked only where nobody serves a service by ours."""

    @property
    def is_spoken(self) -> bool:
        """Whether anything is asked over it."""
        ...

    async def instead(self, missing: NoSuchService, service: str) -> NoSuchService | None:
        """None: a service is there that speaks it, and may be asked; else the error, which may say more."""
        ...

    async def prepare(self, request: Request, receive: Receive) -> None:
        """See to it that replies can come in; messages on their channel are handed to `receive`.

        Raises:
            ConfigurationError: The request asks for what the wire does not have.
            Unavailable: The connection over which replies come in is broken.
        """
        ...

    def ask(self, request: Request, sent: Answered) -> None:
        """Send a request that wants a reply; the server's answer is handed to `sent`."""
        ...

    async def send(self, request: Request) -> bool:
        """Send a request that wants no reply; returns whether a service was there that speaks it.

        Raises:
            ConfigurationError: The request asks for what the wire does not have.
        """
        ...

    def expecting(self, waiting: Waiting, ends: float, *, streams: bool) -> Waiting:
        """What takes the replies for somebody who waits.

        Args:
            waiting: Who waits.
            ends: When all replies must be there, in seconds of `time.monotonic`.
            streams: Whether there may be many.
        """
        ...
