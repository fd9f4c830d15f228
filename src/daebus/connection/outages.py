"""An outage of a server: its reason, the error that it causes, and its log lines, written once for all connections."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from typing import ClassVar

from typing_extensions import override

from daebus.core.timings import DEFAULT_TIMINGS
from daebus.errors import Unavailable

__all__ = [
    "AWAY",
    "HUNG_UP",
    "NotSent",
    "Outage",
    "ServerUnavailable",
    "always",
    "causes_of",
    "os_reason",
    "refusal_reason",
    "where_not_sent",
]

AWAY = "The Redis server that is needed for this is not available now. Trying again may help."
"""The message for senders, without the address of the server."""

HUNG_UP = (
    "closed the connection at once. Is it a Redis server, with room for a client (maxclients)? Does it want rediss://?"
)
"""The rest of a sentence about the server."""

_log = logging.getLogger(__name__)


class ServerUnavailable(Unavailable):
    """The Redis server cannot be reached, or cannot serve.

    Its `message`, which is sent to callers and clients, is `AWAY`. Its text, for the process itself and its log, is the
    `reason`, which contains the address.

    Args:
        reason: A sentence with the address of the server and what is wrong.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(AWAY)
        self.reason: str = reason

    @override
    def __str__(self) -> str:
        return self.reason


class NotSent(ServerUnavailable):
    """There was no connection when a command was issued: the server has not received it, and does not run it."""


class Outage:
    """Whether the connections of this process to one server are broken, and what was logged about it.

    Methods may be called in any thread.

    Args:
        address: The server's address, for messages.
        first_reminder: Seconds after which the log is reminded of it; then after twice as long, and so on.

    Attributes:
        reconnected: How often a connection of this process to any server has broken and works again.
    """

    reconnected: ClassVar[int] = 0

    def __init__(self, address: str, first_reminder: float = DEFAULT_TIMINGS.first_reminder) -> None:
        self._address = address
        self._first_reminder = first_reminder
        self._lock = threading.Lock()
        self._broken: set[int] = set()
        self._since = 0.0
        self._reminder = first_reminder

    def begin(self, connection: object, reason: str) -> None:
        """A connection broke."""
        with self._lock:
            if not self._broken:
                self._since, self._reminder = time.monotonic(), self._first_reminder
                _log.warning("%s Reconnecting.", reason)
            self._broken.add(id(connection))

    def persist(self, reason: str) -> None:
        """An attempt to reconnect failed. It is logged if a reminder is due."""
        with self._lock:
            away = time.monotonic() - self._since
            if self._broken and away >= self._reminder:
                self._reminder = away * 2
                _log.warning("No connection for %.0f s: %s", away, reason)

    def end(self, connection: object, *, told: bool = True) -> None:
        """A connection works again, or is given up if it is not to be `told`."""
        with self._lock:
            if id(connection) not in self._broken:
                return
            self._broken.discard(id(connection))
            Outage.reconnected += told
            if told and not self._broken:
                away = time.monotonic() - self._since
                _log.warning("Connected again to the server at %s after %.1f s.", self._address, away)


def always(_: Unavailable) -> bool:
    """Always retry: for commands that the server applies once, however often they are sent."""
    return True


def where_not_sent(error: Unavailable) -> bool:
    """Retry only if the server has not received the command: for commands that must not run twice."""
    return isinstance(error, NotSent)


def causes_of(error: BaseException | None) -> list[BaseException]:
    """An error, and what has caused it, from the outside inwards."""
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def refusal_reason(text: str) -> str:
    """Why a connection failed, by the server's own error: the rest of a sentence about the server."""
    if "closed by server" in text:
        return HUNG_UP
    if text.startswith("DENIED"):
        return "runs in protected mode: it takes no connections from other hosts until it has a password or an ACL."
    hint = " docs/redis.md lists the rights that daebus needs." if "permission" in text else ""
    return f"refused the connection: {text.rstrip('.')}.{hint}"


def os_reason(error: OSError) -> str:
    """The reason of an error of the operating system, in its words."""
    # asyncio reports one failure for each address of the host in a single error without a number.
    number = error.errno or int((re.findall(r"\[Errno (\d+)\]", str(error)) or [0])[0])
    return os.strerror(number) if number > 0 else error.strerror or str(error)
