"""How to reach a Redis or Valkey server. The only module that imports redis and hiredis."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import hiredis
from redis.asyncio import Connection, Redis
from redis.asyncio.connection import parse_url
from redis.exceptions import AuthenticationError, InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from daebus.core.errors import DaebusError, StartupError, Unavailable
from daebus.transports.urls import bad_url, url_address, url_parts

__all__ = [
    "INCOMPLETE",
    "Argument",
    "CommandError",
    "Redis",
    "RedisServer",
    "Reply",
    "ReplyReader",
    "Session",
    "is_busy_group",
    "is_missing_group",
    "is_missing_script",
    "pack",
    "reply_reader",
]

Argument: TypeAlias = bytes | str | int | float
"""What a command is made of."""

Reply: TypeAlias = "bytes | int | list[Reply] | Exception | None"
"""What a server answers (RESP2). An exception stands only inside a list: one failed command of an EXEC."""

INCOMPLETE: Reply = Exception("more bytes are needed")
"""What `ReplyReader.gets` gives when no whole reply is left."""

_HUNG_UP = "closed the connection at once. Is it a Redis server, and does it want rediss:// (TLS)?"
_TRANSIENT = frozenset({"LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "TRYAGAIN", "NOREPLICAS", "BUSY"})

# RESP2 has one shape for each reply, in every version of the servers; in RESP3 some are maps and some are not.
_LINK_OPTIONS = {
    "protocol": 2,
    "decode_responses": False,
    "driver_info": None,
    "health_check_interval": 0,
    "retry_on_timeout": False,
}


class CommandError(DaebusError):
    """The server refused a command.

    Attributes:
        code: The first word of the server's answer, such as ``NOGROUP``.
    """

    def __init__(self, message: str) -> None:
        self.code: str = message.partition(" ")[0]
        super().__init__(message)


def is_missing_group(error: CommandError) -> bool:
    """The stream or its consumer group is not there."""
    return error.code == "NOGROUP"


def is_busy_group(error: CommandError) -> bool:
    """The consumer group that was to be made exists."""
    return error.code == "BUSYGROUP"


def is_missing_script(error: CommandError) -> bool:
    """The server does not know the script of an EVALSHA."""
    return error.code == "NOSCRIPT"


class ReplyReader(Protocol):
    """Turns bytes into replies. An error reply is a value: a `CommandError`, or `Unavailable` if it will pass."""

    def feed(self, data: bytes, /) -> None:
        """Add bytes from the server."""

    def gets(self) -> Reply:
        """The next whole reply, or `INCOMPLETE`. Raises `Unavailable` where the bytes are no Redis protocol."""


def reply_reader(address: str) -> ReplyReader:
    """A reader for the replies of the server at `address`."""

    def refused(message: str) -> Exception:
        if message.partition(" ")[0] in _TRANSIENT:
            return Unavailable(f"The server at {address} cannot serve now: {message}")
        return CommandError(message)

    def garbled(message: str) -> Exception:
        return Unavailable(f"The server at {address} sent something that is not the Redis protocol: {message}")

    return hiredis.Reader(protocolError=garbled, replyError=refused, notEnoughData=INCOMPLETE)


_Pack = Callable[[tuple[Argument, ...]], bytes]

# Its stub takes a tuple of one argument and gives nothing back.
pack: _Pack = cast("_Pack", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
"""The bytes of one command. Raises `TypeError` for what is no `Argument`; a bool or an enum is none."""


class _Connection(Protocol):
    """What daebus uses of redis-py's connections, whose own types are partly unknown."""

    _writer: asyncio.StreamWriter | None

    async def connect(self) -> None: ...
    async def disconnect(self, nowait: bool = ...) -> None: ...  # noqa: FBT001  # redis-py's signature
    async def send_command(self, *args: str) -> None: ...
    async def read_response(self) -> object: ...
    async def can_read(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Session:
    """A connection that is signed in. Close it, also when the server has closed it.

    Attributes:
        transport: Give it a protocol at once, with ``set_protocol``; nothing has been received yet.
        client_id: What the server calls this connection (``CLIENT ID``).
    """

    transport: asyncio.WriteTransport
    client_id: int
    _connection: _Connection

    async def close(self) -> None:
        """Close the transport; bytes that it has buffered are still sent."""
        await self._connection.disconnect(nowait=True)


@dataclass(frozen=True, slots=True)
class RedisServer:
    """How to reach one server. Make it with `from_url`.

    Attributes:
        address: Its URL without the password, for messages.
    """

    address: str
    _url: str = field(repr=False)
    _revive: Callable[[], None] | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str, *, revive: Callable[[], None] | None = None) -> RedisServer:
        """The server at `url`, as redis-py writes URLs; `revive`, which may block, starts it again where it is gone.

        Raises:
            ConfigurationError: The URL is wrong.
        """
        try:
            server = cls(url_address(url_parts(url)), url, revive)
        except ValueError as error:
            raise bad_url(url, str(error)) from None
        try:
            server._new_connection()
        except (ValueError, TypeError, RedisError) as error:
            raise bad_url(url, f"has an option that does not fit: {error}") from None
        return server

    def client(self) -> Redis:
        """An ordinary redis-py client; replies are bytes. Close it with ``await client.aclose()``."""
        # redis-py leaves its keyword arguments untyped.
        return Redis.from_url(self._url, decode_responses=False)  # pyright: ignore[reportUnknownMemberType]

    async def revive(self) -> None:
        """Start the server again if that is ours to do. Raises `StartupError`."""
        if self._revive is not None:
            await asyncio.to_thread(self._revive)

    async def check(self) -> None:
        """Connect once and leave. Raises `StartupError`, one line, where that fails."""
        try:
            session = await self.connect()
        except Unavailable as error:
            raise StartupError(error.message) from error.__cause__
        await session.close()

    async def connect(self) -> Session:
        """Open a connection and sign in. Raises `Unavailable`, one line, where that fails."""
        connection = self._new_connection()
        try:
            await connection.connect()
            # A server that accepts and then hangs, or that still loads its data, must not pass for a live one.
            await connection.send_command("PING")
            await connection.send_command("CLIENT", "ID")
            await connection.read_response()
            client_id = await connection.read_response()
            if not isinstance(client_id, int) or await connection.can_read():
                raise InvalidResponse  # bytes that nobody asked for, or the end of the stream
            return Session(_transport(connection), client_id, connection)
        except RedisError as error:
            await connection.disconnect(nowait=True)
            raise Unavailable(f"The server at {self.address} {_reason(error)}") from error
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    def _new_connection(self) -> _Connection:
        options: dict[str, Any] = {**parse_url(self._url), **_LINK_OPTIONS}
        options.pop("max_connections", None)  # for the pool of `client`
        make: Callable[..., _Connection] = options.pop("connection_class", Connection)
        return make(**options)


def _transport(connection: _Connection) -> asyncio.WriteTransport:
    # redis-py has no public name for it; everything else that daebus uses of a connection is public.
    writer = connection._writer  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    if writer is None:
        raise InvalidResponse
    return writer.transport


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    """Why no connection came about: the rest of a sentence about the server. The deepest cause tells most."""
    for cause in reversed(list(_causes(error))):
        match cause:
            case AuthenticationError(status_code="NOAUTH"):
                return "asks for a password. Put it into the URL: redis://:PASSWORD@HOST:6379/0."
            case AuthenticationError():
                return f"refused the user or the password of the URL: {cause}"
            case InvalidResponse():
                return "does not speak the Redis protocol. Are the port and the scheme of the URL right?"
            case RedisTimeoutError() | TimeoutError():
                return "did not answer in time. Is it alive, and are the port and the scheme of the URL right?"
            case ssl.SSLCertVerificationError():
                return f"has a certificate that is not accepted: {cause.verify_message}."
            case ssl.SSLError():
                return f"failed the TLS handshake: {cause.reason}. Does it want redis:// rather than rediss://?"
            case ConnectionResetError() | BrokenPipeError():
                return _HUNG_UP
            case OSError():
                return f"is not reachable: {_os_reason(cause)}. Start it, or correct the URL."
            case _:
                continue
    return _HUNG_UP if "closed by server" in str(error) else f"refused the connection: {error}."


def _os_reason(error: OSError) -> str:
    # asyncio reports one failure for each address of the host in a single error without a number.
    number = error.errno or int((re.findall(r"\[Errno (\d+)\]", str(error)) or [0])[0])
    return os.strerror(number) if number > 0 else error.strerror or str(error)
