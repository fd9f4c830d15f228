"""Granian's embedded server, which is experimental: the only module that uses Granian."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from daebus.core.private_parts import require
from daebus.telemetry.logs import granian_logging

from .limits import ServerLimits
from .ports import BACKLOG

__all__ = ["GRANIAN", "AsgiApp", "GranianServer", "embed"]

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

GRANIAN: Sequence[str] = (
    "granian.net:SocketHolder",
    "granian.server.embed:Server._init_shared_socket",
    "granian.server.embed:Server.serve",
    "granian.server.embed:Server.stop",
)
"""The parts of Granian that daebus uses beyond its documented interface."""

_HEADERS_SIZE = 131_072
"""Maximum bytes of a request's headers; Granian also reads and writes at most this much at once."""


class _Worker(Protocol):
    def is_alive(self) -> bool: ...


class GranianServer(Protocol):
    """The used part of Granian's embedded server."""

    @property
    def wrks(self) -> Sequence[_Worker]:
        """Its workers, one for each thread that serves."""
        ...

    async def serve(self) -> None:
        """Serve until `stop`, and until the requests in flight have ended."""
        ...

    def stop(self) -> None:
        """Take no more connections."""
        ...


def embed(app: AsgiApp, listening: socket.socket, connections: int, limits: ServerLimits) -> GranianServer:
    """Granian's server on a listening socket, which it takes over when it starts.

    Args:
        app: The ASGI app.
        listening: The socket.
        connections: How many connections may be open.
        limits: The limits for its clients.

    Raises:
        StartupError: The installed Granian is not one that daebus works with.
    """
    require("granian", GRANIAN)
    from granian import net  # noqa: PLC0415  # only services with HTTP pay for loading Granian
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415
    from granian.http import HTTP1Settings, HTTP2Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415
    from granian.server.embed import Server  # noqa: PLC0415

    # Of a descriptor, whether it is a Unix socket, and the backlog; Granian's stubs leave it out.
    hold = cast("Callable[[int, bool, int], Any]", vars(net)["SocketHolder"])

    class Embedded(Server):
        def _init_shared_socket(self) -> None:
            # With a host and a port, Granian would silently share the port with another process.
            self._shd = hold(listening.detach(), False, BACKLOG)  # noqa: FBT003

    return Embedded(
        app,
        interface=Interfaces.ASGINL,
        backlog=BACKLOG,
        backpressure=connections,
        # With both protocols, a client that sends nothing, or a part of HTTP/2's preface, would never time out.
        http=HTTPModes.auto if limits.http2 else HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(limits.headers_timeout * 1000), max_buffer_size=_HEADERS_SIZE
        ),
        http2_settings=HTTP2Settings(
            initial_connection_window_size=_HEADERS_SIZE * 2,
            initial_stream_window_size=_HEADERS_SIZE,
            keep_alive_interval=20_000,
            max_concurrent_streams=32,
            max_headers_size=_HEADERS_SIZE,
            max_send_buffer_size=_HEADERS_SIZE,
        ),
        log_level=LogLevels.error,
        log_dictconfig=granian_logging(),
    )
