"""One connection to one server, signed in. The only module that imports redis."""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import msgspec
from redis import exceptions
from redis.asyncio import Connection, Redis, SSLConnection
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import Sentinel
from redis.crc import key_slot as _key_slot
from redis.exceptions import AuthenticationError, InvalidResponse, RedisError
from typing_extensions import override

from daebus.core.cancelling import never_swallowing

from .outages import HUNG_UP, ServerUnavailable, causes_of, os_reason, refusal_reason
from .urls import unknown_option

__all__ = [
    "Greeting",
    "Options",
    "Redis",
    "RedisCluster",
    "Session",
    "ask",
    "client_of",
    "cluster_client",
    "dial",
    "is_outage",
    "key_slot",
    "plain_options",
    "sentinel_client",
]

Options = Mapping[str, Any]
"""The options of redis-py's connections, which have no type there."""

_AWAY = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ClusterError, exceptions.SlotNotCoveredError)
_REFUSED = (exceptions.ReadOnlyError, exceptions.OutOfMemoryError)

_TLS_FILES = ("ca_certs", "ca_path", "certfile", "keyfile")

# RESP2 has one shape for each reply, in every version of the servers; in RESP3 some are maps and some are not.
_LINK_OPTIONS = {
    "protocol": 2,
    "decode_responses": False,
    "driver_info": None,
    "health_check_interval": 0,
    "retry_on_timeout": False,
}


_tls_contexts: dict[str, tuple[object, object]] = {}  # by options: the state of the files, and what was made of them


class _Connection(Protocol):
    """The part of redis-py's connections that daebus uses; their own types are partly unknown."""

    _writer: asyncio.StreamWriter | None

    async def connect(self) -> None: ...
    async def disconnect(self, nowait: bool = ...) -> None: ...  # noqa: FBT001  # redis-py's signature
    async def send_command(self, *args: str) -> None: ...
    async def read_response(self) -> object: ...
    async def can_read(self) -> bool: ...


class _FollowingRedis(Redis):
    """A client that also closes its clients of the Sentinels, which redis-py leaves open."""

    sentinels: Sequence[Redis] = ()

    @override
    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        for sentinel in self.sentinels:
            await sentinel.aclose()


class _Sentinel(Protocol):
    """The part of redis-py's ``Sentinel`` that daebus uses; its own types are partly unknown."""

    sentinels: Sequence[Redis]

    def master_for(self, service_name: str, redis_class: type[_FollowingRedis], /) -> _FollowingRedis: ...


_MakeSentinel = Callable[..., _Sentinel]


class Greeting(msgspec.Struct, frozen=True):
    """The properties that a server reports.

    Attributes:
        client_id: Its id for this connection (``CLIENT ID``).
        software: ``redis`` or ``valkey``.
        version: The version of the software.
        mode: ``standalone``, ``sentinel`` or ``cluster``.
        is_primary: Whether it accepts writes.
    """

    client_id: int
    software: str
    version: str
    mode: str
    is_primary: bool


class Session(msgspec.Struct, frozen=True):
    """A connection that is signed in. Close it, also when the server has closed it.

    Attributes:
        address: The server's address, for messages.
        transport: Set its protocol at once, with ``set_protocol``; nothing has been received yet.
        greeting: The properties that the server reported.
    """

    address: str
    transport: asyncio.WriteTransport
    greeting: Greeting
    _connection: _Connection

    async def close(self) -> None:
        """Close the transport; bytes that it has buffered are still sent."""
        await self._connection.disconnect(nowait=True)


def plain_options(url: str) -> Options:
    """The options of the URL of one server. Raises `ValueError`, with the rest of a sentence about the URL."""
    options = cast("dict[str, Any]", parse_url(url))
    kind: type = options.get("connection_class", Connection)
    known = {name for base in kind.__mro__ if "__init__" in vars(base) for name in inspect.signature(base).parameters}
    unknown = next((name for name in options if name not in known | {"max_connections", "connection_class"}), None)
    if unknown is not None:
        raise ValueError(unknown_option(unknown, known - {"self", "kwargs", "args"}))
    try:
        _new_connection(options)
    except (TypeError, RedisError) as error:
        raise ValueError(f"has an option that does not fit: {error}") from None
    return options


def client_of(url: str) -> Redis:
    """A regular redis-py client of one server; replies are bytes."""
    # redis-py leaves its keyword arguments untyped.
    return Redis.from_url(url, decode_responses=False)  # pyright: ignore[reportUnknownMemberType]


def sentinel_client(hosts: Sequence[tuple[str, int]], primary: str, options: Options, credentials: Options) -> Redis:
    """A regular redis-py client of the server that Sentinels call `primary`; replies are bytes."""
    shared = {name: value for name, value in options.items() if name.startswith(("ssl_", "socket_"))}
    if "connection_class" in options:
        shared["ssl"] = True
    own = {name: options[name] for name in ("db", "username", "password") if name in options}
    make = cast("_MakeSentinel", Sentinel)
    sentinel = make(list(hosts), sentinel_kwargs={**shared, **credentials}, **shared, **own)
    client = sentinel.master_for(primary, _FollowingRedis)
    client.sentinels = sentinel.sentinels
    return client


def cluster_client(url: str, hosts: Sequence[tuple[str, int]]) -> RedisCluster:
    """A regular redis-py client of the cluster with some nodes; `url` is that of one node; replies are bytes."""
    nodes = [ClusterNode(host, port) for host, port in hosts]
    # redis-py leaves its keyword arguments untyped.
    return RedisCluster.from_url(url, startup_nodes=nodes, decode_responses=False)  # pyright: ignore[reportUnknownMemberType]


def key_slot(key: str | bytes | float) -> int:
    """The hash slot of a key on a cluster."""
    return _key_slot(key if isinstance(key, bytes) else str(key).encode())


async def dial(options: Options, address: str) -> Session:
    """Open a connection and sign in. Raises `Unavailable`, one line, if that fails."""
    connection = _new_connection(options)
    try:
        with never_swallowing():  # redis-py does, while it connects
            await connection.connect()
            # A server that accepts and then hangs, or that still loads its data, must not pass for a live one.
            await connection.send_command("PING")
            await connection.send_command("HELLO", "2")
            await connection.read_response()
            greeting = _greeting(await connection.read_response())
            if await connection.can_read():
                raise InvalidResponse  # bytes that nobody asked for, or the end of the stream
        return Session(address, _transport(connection), greeting, connection)
    except RedisError as error:
        await connection.disconnect(nowait=True)
        raise ServerUnavailable(f"The server at {address} {_reason(error)}") from error
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


async def ask(options: Options, address: str, *command: str) -> object:
    """The reply to one command, on a separate connection. Raises `Unavailable` like `dial`."""
    connection = _new_connection(options)
    try:
        with never_swallowing():
            await connection.connect()
            await connection.send_command(*command)
            return await connection.read_response()
    except RedisError as error:
        raise ServerUnavailable(f"The server at {address} {_reason(error)}") from error
    finally:
        await connection.disconnect(nowait=True)


def is_outage(error: BaseException) -> bool:
    """Whether any redis-py client raised the error because its server is out of reach or cannot serve now."""
    if type(error) is exceptions.RedisClusterException and error.__cause__ is not None:
        error = error.__cause__  # no node is reachable; mistakes have the same class, and no cause
    return isinstance(error, _AWAY + _REFUSED)


def _new_connection(options: Options) -> _Connection:
    options = {**options, **_LINK_OPTIONS}
    options.pop("max_connections", None)  # for the pool of a client
    make: Callable[..., _Connection] = options.pop("connection_class", Connection)
    connection = make(**options)
    if isinstance(connection, SSLConnection):
        connection.ssl_context = cast("Any", _tls_context(connection.ssl_context, options))
    return connection


def _tls_context(new: object, options: Options) -> object:
    """The TLS context that connections share, as making one takes 70 ms; `new`, if a file of it was replaced since."""
    own = {name: value for name, value in options.items() if name.startswith("ssl_")}
    files = [*ssl.get_default_verify_paths(), *(own.get(f"ssl_{name}") for name in _TLS_FILES)]
    state = [(found.st_ino, found.st_size, found.st_mtime_ns) for found in map(_stat, files) if found is not None]
    known = _tls_contexts.get(str(own))
    if known is None or known[0] != state:
        _tls_contexts[str(own)] = known = state, new
    return known[1]


def _stat(path: str | None) -> os.stat_result | None:
    try:
        return None if path is None else os.stat(path)
    except OSError:
        return None


def _greeting(reply: object) -> Greeting:
    try:
        flat = cast("list[bytes]", reply)
        said = dict(zip(flat[::2], flat[1::2], strict=True))
        return Greeting(
            client_id=int(said[b"id"]),
            software=said[b"server"].decode(),
            version=said[b"version"].decode(),
            mode=said[b"mode"].decode(),
            is_primary=said.get(b"role") == b"master",
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        raise InvalidResponse from None


def _transport(connection: _Connection) -> asyncio.WriteTransport:
    # redis-py has no public name for it; everything else that daebus uses of a connection is public.
    writer = connection._writer  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if writer is None:
        raise InvalidResponse
    return writer.transport


def _reason(error: BaseException) -> str:
    """Why the connection failed: the rest of a sentence about the server. The innermost cause is the most precise."""
    for cause in reversed(causes_of(error)):
        match cause:
            case AuthenticationError(status_code="NOAUTH"):
                return "asks for a password. Put it into the URL: redis://:PASSWORD@HOST:6379/0."
            case AuthenticationError():
                return f"refused the user or the password of the URL: {cause}"
            case InvalidResponse():
                return "does not speak the Redis protocol. Are the port and the scheme of the URL right?"
            case exceptions.TimeoutError() | TimeoutError():
                return "did not answer in time. Is it alive, and are the port and the scheme of the URL right?"
            case ssl.SSLCertVerificationError():
                return f"has a certificate that is not accepted: {cause.verify_message}."
            case ssl.SSLError():
                return f"failed the TLS handshake: {cause.reason}. Does it want redis:// rather than rediss://?"
            case ConnectionResetError() | BrokenPipeError():
                return HUNG_UP
            case OSError():
                return f"is not reachable: {os_reason(cause)}. Start it, or correct the URL."
            case _:
                continue
    return refusal_reason(str(error))
