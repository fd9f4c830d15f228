"""The components for HTTP and WebSocket. Litestar and Granian are only loaded when a service starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar, Unpack, get_args

import msgspec

from daebus.declare.contracts import Message
from daebus.declare.options import refuse, require_choice, require_counts, require_seconds
from daebus.declare.specs import Method
from daebus.errors import ConfigurationError
from daebus.mistakes.places import call_site
from daebus.payloads.codec import encode
from daebus.payloads.encodable import Encodable
from daebus.protocol.envelopes import Envelope
from daebus.protocol.messages import MAX_MESSAGE_SIZE
from daebus.server.limits import MIN_RATE

from .litestar_options import LitestarOptions
from .origins import SAFE_METHODS, read_hosts, read_origins

__all__ = ["DaebusHttp", "DaebusWebSocket", "HttpLimits", "WebSocketLimits"]

D = TypeVar("D", bound=Encodable)
L = TypeVar("L")

_LOOPBACK = "127.0.0.1"


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for HTTP clients: ``DaebusHttp(limits=HttpLimits(max_body_size=20_000_000))``.

    Attributes:
        max_body_size: The largest request body in bytes; a larger body is answered with 413. Default 1 MiB.
        body_timeout: Seconds within which the whole request body must arrive; otherwise the answer is 408. Default 60.
        min_rate: Bytes per second that a client must at least receive; otherwise it is disconnected. On Linux only, and
            measured in steps of 512 KiB, by default 65 seconds each. A client that sends its body at this rate is not
            disconnected when the number of connections nears the limit. Default 8,000.
        max_connections: How many connections one process has, besides WebSockets; None, the default: half of its file
            descriptors, less a reserve. Near the limit, idle connections are closed.
        max_per_address: How many connections one address may have; None, the default: half of all.

    Raises:
        WiringError: A limit is out of its range.
    """

    max_body_size: int = MAX_MESSAGE_SIZE
    body_timeout: float = 60.0
    min_rate: int = MIN_RATE
    max_connections: int | None = None
    max_per_address: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of its range."""
        subject = "HttpLimits(...)"
        require_counts(subject, max_body_size=self.max_body_size, min_rate=self.min_rate)
        require_seconds(subject, "body_timeout", self.body_timeout)
        _require_counts_or_none(subject, max_connections=self.max_connections, max_per_address=self.max_per_address)


class WebSocketLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for WebSocket clients: ``DaebusWebSocket(limits=WebSocketLimits(max_clients=500))``.

    Attributes:
        max_message_size: The largest message in bytes; a larger one is answered with an error. Default 1 MiB.
        max_clients: How many clients may be connected to one process; more are refused with 503. Default 10,000.
        max_per_address: How many clients may have the same address; None, the default: half of the possible clients.
        login_timeout: Seconds within which the first message of a client must arrive if it has the credentials;
            otherwise the client is closed with 4401. Default 10.
        max_login_size: The largest such message in bytes; a larger one is refused with 4413. Default 8 KiB.
        max_rate: How many messages per second a client may send on average; more are answered with the error
            ``too_many_requests`` and not handled, and a client that goes on for long is disconnected with 1008. None,
            the default: as many as are handled, one after another.
        max_burst: How many messages may come at once, if there is a `max_rate`. Default 20.
        max_rooms: How many rooms a client may be in; for more it gets the error ``too_many_requests``. Default 200.
        max_streams: How many streams of actions a client may have open; for more it gets the same error. Default 100.

    Raises:
        WiringError: A limit is out of its range.
    """

    max_message_size: int = MAX_MESSAGE_SIZE
    max_clients: int = 10_000
    max_per_address: int | None = None
    login_timeout: float = 10.0
    max_login_size: int = 8_192
    max_rate: float | None = None
    max_burst: int = 20
    max_rooms: int = 200
    max_streams: int = 100

    def __post_init__(self) -> None:
        """Refuse what is out of its range."""
        subject = "WebSocketLimits(...)"
        require_counts(subject, max_message_size=self.max_message_size, max_clients=self.max_clients)
        require_counts(subject, max_login_size=self.max_login_size, max_rooms=self.max_rooms)
        require_counts(subject, max_streams=self.max_streams)
        require_counts(subject, max_burst=self.max_burst)
        if self.max_rate is not None:
            require_seconds(subject, "max_rate", self.max_rate)
        require_seconds(subject, "login_timeout", self.login_timeout)
        _require_counts_or_none(subject, max_per_address=self.max_per_address)


class HttpOptions(LitestarOptions, total=False):
    """Options of `DaebusHttp` besides its parameters: those of Litestar, and three of its own."""

    msgpack: bool
    """Whether bodies and answers may be MessagePack instead of JSON. Default: JSON only."""
    health: bool
    """Whether ``/health/live`` and ``/health/ready`` are served. Default: unless they have a port of their own."""
    cancel_on_disconnect: bool | None
    """Whether a handler is cancelled if its client leaves before the answer. Default: only that of a GET or HEAD."""


class DaebusHttp:
    """HTTP for an app: its routes are served by Litestar, on Granian.

    Args:
        port: TCP port; 0: any free one.
        host: Address to listen on, unless ``--host``, ``run(host=...)`` or DAEBUS_HOST gives another. The default
            serves only this machine; ``0.0.0.0`` is every IPv4 address of the machine, ``::`` every address.
        origins: The origins of other sites, such as ``https://shop.example.com``, whose pages may send requests that
            change something (all but GET, HEAD and OPTIONS); ``*``: those of all sites. Default: only pages of the
            service's own origin, and those that ``cors_config`` allows. Clients that are not browsers are not affected.
        allowed_hosts: The host names that the service answers to, such as ``api.example.com`` or ``*.example.com``;
            other requests get 400. Default: ``localhost`` and similar names if it listens on a loopback address, else
            every name.
        schema: Whether ``/schema`` documents the routes, and ``/asyncapi`` all other messages. Default: only in
            development, that is, with the project's embedded engine or `daebus.testing`. An ``openapi_config`` of your
            own is always served.
        http2: Whether HTTP/2 without TLS (h2c) is also served, which some proxies use.
        limits: How large and how slow requests may be, and how many connections there are; default: `HttpLimits()`.
        litestar: Any arguments of ``Litestar(...)``: cors_config, guards, middleware, plugins, stores, openapi_config,
            … And ``msgpack=True``: clients may send bodies, and ask for answers, in MessagePack instead of JSON, by the
            headers ``Content-Type`` and ``Accept: application/msgpack``. And ``health``: whether ``/health/live`` and
            ``/health/ready`` are served; default: unless they have a port of their own (``--health-port``). And
            ``cancel_on_disconnect``: whether a handler is cancelled if its client leaves before the answer; default:
            only that of a GET or HEAD request, which changes nothing. Streams always are.

    Raises:
        ConfigurationError: The port, an origin or a host name is not valid.
        WiringError: `limits` is not `HttpLimits`.
    """

    def __init__(
        self,
        port: int = 8080,
        *,
        host: str = _LOOPBACK,
        origins: Sequence[str] = (),
        allowed_hosts: Sequence[str] | None = None,
        schema: bool | None = None,
        http2: bool = False,
        limits: HttpLimits | None = None,
        **litestar: Unpack[HttpOptions],
    ) -> None:
        _check_port("DaebusHttp", port)
        self.port = port
        self.host = host
        self.origins: frozenset[str] = read_origins("DaebusHttp", origins)
        self.allowed_hosts: tuple[str, ...] | None = read_hosts("DaebusHttp", allowed_hosts)
        self.schema = schema
        self.http2 = http2
        self.msgpack: bool = litestar.pop("msgpack", False)
        """Whether bodies and answers may be MessagePack instead of JSON."""
        self.health: bool | None = litestar.pop("health", None)
        """Whether ``/health/live`` and ``/health/ready`` are served; None: unless they have a port of their own."""
        self.cancels: Collection[str] = _cancelled_methods(chosen=litestar.pop("cancel_on_disconnect", None))
        """The methods of requests whose handlers are cancelled if their clients leave before the answer."""
        self.limits: HttpLimits = _limits("DaebusHttp", limits, HttpLimits)
        self.litestar: Mapping[str, object] = {**litestar}
        self._site = call_site()


class DaebusWebSocket:
    """WebSockets for an app.

    Args:
        path: The path on which clients connect.
        port: A TCP port of its own, for old clients that expect one; on it, clients may connect on every path. None:
            only the port of `DaebusHttp`.
        host: Address to listen on, for a port of its own; see `DaebusHttp`.
        origins: The origins of other sites, such as ``https://shop.example.com``, whose pages may connect; ``*``: those
            of all sites. Default: only pages of the service's own origin; others are refused with 403. Clients that are
            not browsers are not affected.
        ping_interval: Seconds of silence after which a client is pinged. A client that is silent for twice as long is
            disconnected.
        limits: How large messages may be, and how many clients there are; default: `WebSocketLimits()`.
        client_id: Makes the first part of a client's id from the headers of its handshake, such as the name of a
            device; a part that is unique over all replicas follows. Default: only that.
        stop_notice: A message and its data, which each client gets when the service begins to stop, before it is
            disconnected with 1001: ``(GOING_DOWN, GoingDown("back in a minute"))``. Default: none.

    Raises:
        ConfigurationError: The path, the port, the interval or an origin is not valid.
        WiringError: `limits` is not `WebSocketLimits`.
    """

    def __init__(
        self,
        path: str = "/ws",
        *,
        port: int | None = None,
        host: str = _LOOPBACK,
        origins: Sequence[str] = (),
        ping_interval: float = 20.0,
        limits: WebSocketLimits | None = None,
        client_id: Callable[[Mapping[str, str]], str] | None = None,
        stop_notice: tuple[Message[D], D] | None = None,
    ) -> None:
        if not path.startswith("/") or any(character in path for character in "<>{} ?#"):
            raise ConfigurationError(
                f"DaebusWebSocket(path={path!r}): a path begins with a slash and has no parameters, as in '/ws'."
            )
        if port is not None:
            _check_port("DaebusWebSocket", port)
        _check_seconds("DaebusWebSocket", "ping_interval", ping_interval)
        self.path = path
        self.port = port
        self.host = host
        self.origins: frozenset[str] = read_origins("DaebusWebSocket", origins)
        self.ping_interval = ping_interval
        self.limits: WebSocketLimits = _limits("DaebusWebSocket", limits, WebSocketLimits)
        self.client_id = client_id
        self.stop_notice: str | None = None if stop_notice is None else _noticed(*stop_notice)
        self._site = call_site()


def _cancelled_methods(*, chosen: bool | None) -> Collection[str]:
    require_choice("DaebusHttp(...)", "cancel_on_disconnect", chosen, (True, False, None))
    return SAFE_METHODS if chosen is None else get_args(Method) if chosen else ()


def _noticed(message: Message[D], data: D) -> str:
    """The envelope of a message, as clients get it."""
    return encode(Envelope(message.name, msgspec.Raw(encode(data)))).decode()


def _limits(component: str, given: object, kind: type[L]) -> L:
    if given is None:
        return kind()
    if isinstance(given, kind):
        return given
    found, remedy = f"limits={given!r}, which must be {kind.__name__}", f"write limits={kind.__name__}(...)"
    raise refuse(f"{component}(...)", found, remedy, "wrong-option")


def _require_counts_or_none(subject: str, **given: int | None) -> None:
    require_counts(subject, **{name: count for name, count in given.items() if count is not None})


def _check_port(component: str, port: int) -> None:
    if not isinstance(port, int) or not 0 <= port <= 65535:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"{component}(port={port!r}): a port is a number from 1 to 65535, or 0 for a free one."
        )


def _check_seconds(component: str, name: str, seconds: float) -> None:
    if not isinstance(seconds, int | float) or not seconds > 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"{component}({name}={seconds!r}): give a number of seconds above 0.")
