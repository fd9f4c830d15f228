"""The interface to services with another wire format than docs/protocol.md; `daebus.legacy` has the only one."""

from __future__ import annotations

from typing import Protocol

from daebus.connection.subscriber import Receive
from daebus.connection.wire import Answered
from daebus.errors import NoSuchService
from daebus.protocol.messages import Request
from daebus.protocol.replies import Waiting

__all__ = ["Dialect"]


class Dialect(Protocol):
    """Calls services with another wire format. It is used only if no instance serves a service by the usual one."""

    @property
    def is_spoken(self) -> bool:
        """Whether requests are sent over it."""
        ...

    async def instead(self, missing: NoSuchService, service: str) -> NoSuchService | None:
        """None: a service with this wire format is there, and may be asked; else the error, perhaps with details."""
        ...

    async def prepare(self, request: Request, receive: Receive) -> None:
        """Ensure that replies can arrive; messages on their channel are passed to `receive`.

        Raises:
            ConfigurationError: The request needs a feature that the wire format lacks.
            Unavailable: The connection for replies is broken.
        """
        ...

    def ask(self, request: Request, sent: Answered) -> None:
        """Send a request that wants a reply; the server's answer is passed to `sent`."""
        ...

    async def send(self, request: Request) -> bool:
        """Send a request that wants no reply; return whether a service with this wire format was there.

        Raises:
            ConfigurationError: The request needs a feature that the wire format lacks.
        """
        ...

    def expecting(self, waiting: Waiting, ends: float, *, streams: bool) -> Waiting:
        """The receiver of the replies for a waiting caller.

        Args:
            waiting: The waiting caller.
            ends: When all replies must have arrived, in seconds of `time.monotonic`.
            streams: Whether there may be many replies.
        """
        ...
