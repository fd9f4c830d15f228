"""Receiving a request and sending its response, with a limit for slow senders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from daebus.core.errors import ServiceError

__all__ = ["DIRECT", "Exchange"]

DIRECT = "daebus.direct"
"""The key in the scope of a WebSocket under which the server's own ``receive`` and ``send`` are found."""


class SlowBody(ServiceError):
    """The body of the request came too slowly."""

    code = "request_timeout"
    status = 408


class Leaving(Protocol):
    """The server, as far as it matters here."""

    @property
    def is_leaving(self) -> bool:
        """Whether each connection is to be closed with its next answer."""
        ...


class Exchange:
    """Granian's side of a request, let go of when that is over.

    One of Granian's threads lives as long as any of them does, and tracebacks are kept, by cycles, logs and pytest.

    Args:
        server: Whose request it is.
        receive: ASGI's.
        send: ASGI's.
        body_timeout: Seconds in which all of the body must have come; None: there is no body.
    """

    __slots__ = ("_body_timeout", "_deadline", "_receive", "_send", "_server")

    def __init__(
        self,
        server: Leaving,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        body_timeout: float | None,
    ) -> None:
        self._server = server
        self._receive: Callable[[], Awaitable[Any]] = receive
        self._send: Callable[[Any], Awaitable[None]] = send
        self._body_timeout = body_timeout
        self._deadline: float | None = None

    def receive(self) -> Awaitable[Any]:
        """As ASGI's. Raises `SlowBody`."""
        return self._receive() if self._body_timeout is None else self._receive_body(self._body_timeout)

    async def _receive_body(self, seconds: float) -> Any:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message: Mapping[str, object] = await self._receive()
        except TimeoutError:
            raise SlowBody(f"The body of the request did not come within {seconds:g} s") from None
        if not message.get("more_body"):
            self._body_timeout = None  # what comes now is the end of the connection, which may take its time
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """As ASGI's."""
        if self._server.is_leaving and message.get("type") == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        return self._send(message)

    def close(self) -> None:
        """The request is over: let go of the server."""
        self._receive = self._send = _over


def _over(*_: object) -> Awaitable[None]:
    raise RuntimeError("The request is over: nothing can be received or sent any more")
