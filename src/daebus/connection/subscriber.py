"""The one pub/sub connection of a process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from daebus.errors import Unavailable

from .cluster import open_link
from .redis_server import RedisServer
from .resp import CommandError, Reply

__all__ = ["Receive", "Subscriber"]

Receive = Callable[[bytes], None]
"""Receives the payload of one message. It must be quick, because it runs in the reading of the connection."""

_SHOWN = 5
_MESSAGES = (b"message", b"smessage")

_log = logging.getLogger(__name__)


class Subscriber:
    """One pub/sub connection. When it breaks, it reconnects and subscribes to the same channels.

    Attributes:
        gaps: How often it reconnected: messages may have been missed.
        hears: Whether messages of a channel can arrive.
    """

    def __init__(self, server: RedisServer) -> None:
        """Set up the subscriber; nothing is opened."""
        self._link = open_link(server, on_connect=self._resubscribe, divert=self._divert)
        self.gaps: int = 0
        self.hears: Callable[[str], bool] = self._link.reaches
        self._watchers: list[Callable[[], None]] = []
        self._receivers: dict[bytes, tuple[Receive, ...]] = {}

    @property
    def connected(self) -> bool:
        """Whether messages can arrive."""
        return self._link.connected

    async def start(self) -> None:
        """Connect, and stay connected. Raises `Unavailable` if the first attempt fails."""
        await self._link.start()

    def doubt(self) -> None:
        """Check soon whether the connection is alive, because another one to the server was not."""
        self._link.doubt()

    async def close(self) -> None:
        """Close; every subscription ends."""
        self._receivers.clear()
        await self._link.close()

    async def subscribe(self, channel: str, receive: Receive) -> Callable[[], Awaitable[None]]:
        """Receive the messages of `channel` until the returned function is called and awaited.

        Raises `Unavailable` if there is no connection or it breaks, and `CommandError` if the server refuses.
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

    def when_resubscribed(self, watch: Callable[[], None]) -> None:
        """Register `watch`, which is called whenever messages may have been missed and come again."""
        self._watchers.append(watch)

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
        names = list(self._receivers)
        await asyncio.gather(*[self._link.execute("SUBSCRIBE", name) for name in names])
        self.gaps += 1
        for watch in self._watchers:
            watch()
        heard = sorted(name.decode(errors="replace") for name in names if not name.startswith(b"daebus:"))
        if heard:
            shown = ", ".join(heard[:_SHOWN]) + (" and others" if len(heard) > _SHOWN else "")
            away = time.monotonic() - self._link.lost_at
            _log.warning(
                "Nothing was heard for %.1f s: messages on %s may have been missed (gap %d).", away, shown, self.gaps
            )

    def _divert(self, reply: Reply) -> bool:
        if not isinstance(reply, list) or reply[0] not in _MESSAGES:
            return False
        _, name, payload = cast("tuple[bytes, bytes, bytes]", reply)
        for receive in self._receivers.get(name, ()):
            try:
                receive(payload)
            except Exception:
                _log.exception("A receiver of the channel %s failed.", name.decode(errors="replace"))
        return True
