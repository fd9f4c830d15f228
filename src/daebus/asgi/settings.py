"""The components that an app attaches for HTTP and WebSocket. Litestar and Granian are loaded when they start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from daebus.errors import ConfigurationError
from daebus.mistakes.places import call_site
from daebus.protocol.messages import MAX_MESSAGE_SIZE
from daebus.server.limits import MIN_RATE

from .origins import read_hosts, read_origins

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
        origins: The origins of other sites, such as ``https://shop.example.com``, whose pages may send requests that
            change something (all but GET, HEAD and OPTIONS); ``*``: those of all sites. Default: only pages of the
            service's own origin, and those that ``cors_config`` allows. Clients that are no browser are not concerned.
        allowed_hosts: The host names that the service answers to, such as ``api.example.com`` or ``*.example.com``;
            other requests get 400. Default: ``localhost`` and the like where it listens on a loopback address, else
            every name.
        schema: Whether ``/schema`` documents the routes. Default: only in development, which is where the project's
            embedded engine or `daebus.testing` is used. An ``openapi_config`` of your own is always served.
        min_rate: Bytes per second that a client must take of what is sent to it; else it is gone. On Linux only, and
            measured in steps: 512 KiB in as many seconds as that takes, by default 65. A client that sends its body at
            this rate is not among those that go where connections become many.
        max_connections: How many connections one process has, besides WebSockets; None: half of its descriptors, less a
            reserve. Where they become many, idle ones are closed.
        max_per_address: How many of them from one address; None: half of all.
        http2: Whether HTTP/2 is spoken, too, without TLS, as some proxies do.
        litestar: Whatever ``Litestar(...)`` takes: cors_config, guards, middleware, plugins, stores, openapi_config, …

    Raises:
        ConfigurationError: The port, the size or the time cannot be, or what stands for an origin or a host is none.
    """

    def __init__(  # noqa: PLR0913  # settings, each with a default, and all but the port by name
        self,
        port: int = 8080,
        *,
        host: str = _LOOPBACK,
        max_body_size: int = MAX_MESSAGE_SIZE,
        body_timeout: float = 60.0,
        origins: Sequence[str] = (),
        allowed_hosts: Sequence[str] | None = None,
        schema: bool | None = None,
        min_rate: int = MIN_RATE,
        max_connections: int | None = None,
        max_per_address: int | None = None,
        http2: bool = False,
        **litestar: object,
    ) -> None:
        _check_port("DaebusHttp", port)
        _check_size("DaebusHttp", "max_body_size", max_body_size)
        _check_seconds("DaebusHttp", "body_timeout", body_timeout)
        _check_size("DaebusHttp", "min_rate", min_rate)
        _check_counts("DaebusHttp", max_connections=max_connections, max_per_address=max_per_address)
        self.port = port
        self.host = host
        self.max_body_size = max_body_size
        self.body_timeout = body_timeout
        self.origins: frozenset[str] = read_origins("DaebusHttp", origins)
        self.allowed_hosts: tuple[str, ...] | None = read_hosts("DaebusHttp", allowed_hosts)
        self.schema = schema
        self.min_rate = min_rate
        self.max_connections = max_connections
        self.max_per_address = max_per_address
        self.http2 = http2
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
        origins: The origins of other sites, such as ``https://shop.example.com``, whose pages may connect; ``*``: those
            of all sites. Default: only pages of the service's own origin; others are refused with 403. Clients that
            are no browser are not concerned.
        max_per_address: How many of them may have the same address; None: half of those for which there is room.
        ping_interval: Seconds of silence after which a client is pinged. One that is silent for twice as long is gone.

    Raises:
        ConfigurationError: The path, the port or a limit cannot be, or what stands for an origin is none.
    """

    def __init__(
        self,
        path: str = "/ws",
        *,
        port: int | None = None,
        host: str = _LOOPBACK,
        max_message_size: int = MAX_MESSAGE_SIZE,
        max_clients: int = 10_000,
        origins: Sequence[str] = (),
        max_per_address: int | None = None,
        ping_interval: float = 20.0,
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
        _check_counts("DaebusWebSocket", max_per_address=max_per_address)
        _check_seconds("DaebusWebSocket", "ping_interval", ping_interval)
        self.path = path
        self.port = port
        self.host = host
        self.max_message_size = max_message_size
        self.max_clients = max_clients
        self.origins: frozenset[str] = read_origins("DaebusWebSocket", origins)
        self.max_per_address = max_per_address
        self.ping_interval = ping_interval


def _check_port(component: str, port: int) -> None:
    if not isinstance(port, int) or not 0 <= port <= 65535:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"{component}(port={port!r}): a port is a number from 1 to 65535, or 0 for a free one."
        )


def _check_size(component: str, name: str, size: int) -> None:
    if not isinstance(size, int) or size < 1:  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
        raise ConfigurationError(f"{component}({name}={size!r}): give a size of at least 1 byte, or leave it out.")


def _check_counts(component: str, **counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and (not isinstance(count, int) or count < 1):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"{component}({name}={count!r}): give a whole number of at least 1, or None.")


def _check_seconds(component: str, name: str, seconds: float) -> None:
    if not isinstance(seconds, int | float) or not seconds > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{component}({name}={seconds!r}): give a number of seconds above 0.")
