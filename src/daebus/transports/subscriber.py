"""The one pub/sub connection of a process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from daebus.core.errors import Unavailable
from daebus.transports.connection import CommandError, RedisServer, Reply
from daebus.transports.links import CommandLink
from daebus.transports.wire import PATIENCE

__all__ = ["Receive", "Subscriber"]

Receive = Callable[[bytes], None]
"""Takes the payload of one message. It must be quick: it runs where the connection is read."""

_log = logging.getLogger(__name__)


class Subscriber:
    """One pub/sub connection. When it breaks, another is made and subscribed to the same channels."""

    def __init__(
        self,
        server: RedisServer,
        *,
        on_gap: Callable[[], None] | None = None,
        patience: float = PATIENCE,
        ping: float = 10.0,
    ) -> None:
        """Name the server; nothing is opened.

        Args:
            server: Where to.
            on_gap: Called when the channels are subscribed again after a break: messages may have been missed.
            patience: See `CommandLink`.
            ping: See `CommandLink`.
        """
        self._link = CommandLink(
            server, on_connect=self._resubscribe, divert=self._divert, patience=patience, ping=ping
        )
        self._on_gap = on_gap
        self._receivers: dict[bytes, tuple[Receive, ...]] = {}

    @property
    def connected(self) -> bool:
        """Whether messages can come in."""
        return self._link.connected

    async def start(self) -> None:
        """Connect, and keep connected from now on. Raises `Unavailable` where the first attempt fails."""
        await self._link.start()

    async def close(self) -> None:
        """Close; every subscription ends."""
        self._receivers.clear()
        await self._link.close()

    async def subscribe(self, channel: str, receive: Receive) -> Callable[[], Awaitable[None]]:
        """Hear `channel`, from the return of this call until the returned function is called and awaited.

        Raises `Unavailable` where there is no connection or it breaks, and `CommandError` where the server refuses.
        """
        name = channel.encode()
        self._receivers[name] = (*self._receivers.get(name, ()), receive)
        try:
            await self._link.execute("SUBSCRIBE", name)
        except BaseException:
            await self._leave(name, receive)
            raise
        left = False

        async def unsubscribe() -> None:
            nonlocal left
            if not left:
                left = True
                await self._leave(name, receive)

        return unsubscribe

    async def _leave(self, name: bytes, receive: Receive) -> None:
        receivers = list(self._receivers.get(name, ()))
        if receive in receivers:
            receivers.remove(receive)
        if receivers:
            self._receivers[name] = tuple(receivers)
        elif self._receivers.pop(name, None) is not None and self._link.connected:
            with suppress(Unavailable, CommandError):
                await self._link.execute("UNSUBSCRIBE", name)

    async def _resubscribe(self) -> None:
        if not self._receivers:
            return
        await asyncio.gather(*[self._link.execute("SUBSCRIBE", name) for name in self._receivers])
        if self._on_gap is not None:
            try:
                self._on_gap()
            except Exception:
                _log.exception("The function for a gap in the messages failed.")

    def _divert(self, reply: Reply) -> bool:
        if not isinstance(reply, list) or reply[0] != b"message":
            return False
        _, name, payload = cast("tuple[bytes, bytes, bytes]", reply)
        for receive in self._receivers.get(name, ()):
            try:
                receive(payload)
            except Exception:
                _log.exception("A receiver of the channel %s failed.", name.decode(errors="replace"))
        return True
