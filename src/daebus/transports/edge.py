"""The components that an app attaches for HTTP and WebSocket. Litestar and Granian are loaded when they start."""

from __future__ import annotations

from collections.abc import Mapping

from daebus.core.errors import ConfigurationError
from daebus.core.messages import MAX_MESSAGE_SIZE
from daebus.core.places import call_site

__all__ = ["DaebusHttp", "DaebusWebSocket"]

_LOOPBACK = "127.0.0.1"


class DaebusHttp:
    """HTTP for an app: its routes are served by Litestar, on Granian.

    Args:
        port: TCP port; 0: any free one.
        host: Address to listen on, where neither ``--host``, ``run(host=...)`` nor DAEBUS_HOST names one; the default
            is for this machine alone, ``0.0.0.0`` is every IPv4 address of it, ``::`` every address.
        max_body_size: The largest request body in bytes; more is answered with 413.
        body_timeout: Seconds in which all of a request's body must have come; else it is answered with 408.
        litestar: Whatever ``Litestar(...)`` takes: cors_config, guards, middleware, plugins, stores, openapi_config, …

    Raises:
        ConfigurationError: The port, the size or the time cannot be.
    """

    def __init__(
        self,
        port: int = 8080,
        *,
        host: str = _LOOPBACK,
        max_body_size: int = MAX_MESSAGE_SIZE,
        body_timeout: float = 60.0,
        **litestar: object,
    ) -> None:
        _check_port("DaebusHttp", port)
        _check_size("DaebusHttp", "max_body_size", max_body_size)
        if not isinstance(body_timeout, int | float) or not body_timeout > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"DaebusHttp(body_timeout={body_timeout!r}): give a number of seconds above 0.")
        self.port = port
        self.host = host
        self.max_body_size = max_body_size
        self.body_timeout = body_timeout
        self.litestar: Mapping[str, object] = litestar
        self._site = call_site()


class DaebusWebSocket:
    """WebSockets for an app.

    Args:
        path: Where clients connect.
        port: A TCP port of its own, where old clients expect one, and where every path will do; None: the port of
            `DaebusHttp` alone.
        host: Address to listen on, where it has a port of its own; see `DaebusHttp`.
        max_message_size: The largest message in bytes; more is answered with an error.
        max_clients: How many clients may be connected to one process; more are refused with 503.

    Raises:
        ConfigurationError: The path, the port or a limit cannot be.
    """

    def __init__(
        self,
        path: str = "/ws",
        *,
        port: int | None = None,
        host: str = _LOOPBACK,
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_clients: int = 10_000,
    ) -> None:
        if not path.startswith("/") or any(character in path for character in "<>{} ?#"):
            raise ConfigurationError(
                f"DaebusWebSocket(path={path!r}): a path begins with a slash and has no parameters, as in '/ws'."
            )
        if port is not None:
            _check_port("DaebusWebSocket", port)
        _check_size("DaebusWebSocket", "max_message_size", max_message_size)
        if not isinstance(max_clients, int) or max_clients < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"DaebusWebSocket(max_clients={max_clients!r}): let in 1 client at least.")
        self.path = path
        self.port = port
        self.host = host
        self.max_message_size = max_message_size
        self.max_clients = max_clients


def _check_port(component: str, port: int) -> None:
    if not isinstance(port, int) or not 0 <= port <= 65535:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"{component}(port={port!r}): a port is a number from 1 to 65535, or 0 for a free one."
        )


def _check_size(component: str, name: str, size: int) -> None:
    if not isinstance(size, int) or size < 1:  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
        raise ConfigurationError(f"{component}({name}={size!r}): give a size of at least 1 byte, or leave it out.")
