"""Tests of a complete service: on a real server, over real sockets, in the test's own event loop.

Needs the extra: ``pip install daebus[testing]``.
"""

from __future__ import annotations

import asyncio
import atexit
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from functools import cache
from typing import Final, TypeVar

import msgspec
from dependency_injector import providers

from daebus.app.container import ServiceContainer
from daebus.app.running.listening import Listening
from daebus.app.running.web import Served, serve
from daebus.app.service import Daebus
from daebus.bus.bus import Bus
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.embedded.engine import join_embedded
from daebus.errors import ConfigurationError, WiringError, WiringProblem
from daebus.identity.provider import Identity
from daebus.mistakes.places import caller_place
from daebus.payloads.codec import encode
from daebus.protocol import envelopes
from daebus.wiring.overrides import misfit
from daebus.wiring.provided_types import fits

try:
    import httpx
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.typing import Subprotocol
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        f"daebus.testing needs {_missing.name}: pip install 'daebus[testing]', or '.[testing]' in a clone.",
        name=_missing.name,
    ) from _missing

__all__ = ["Envelope", "RunningService", "Socket", "empty_redis", "private_redis_url", "running"]

C = TypeVar("C", bound=ServiceContainer)


@cache
def private_redis_url() -> str:
    """The URL of a private server of this process; it starts at the first call and ends with the process."""
    engine = join_embedded(private=True)
    atexit.register(engine.close)
    return engine.url


@cache
def _tls() -> ssl.SSLContext:
    """The TLS settings of all HTTP clients: reading the certificates takes longer than the start of a service."""
    return httpx.create_ssl_context()


async def empty_redis(url: str) -> None:
    """Remove everything from a server."""
    async with open_node(RedisServer.from_url(url)) as node:
        await node.link.execute("FLUSHALL")


class Envelope(envelopes.Envelope, omit_defaults=True):
    """A message that a WebSocket client gets: its `type`, its `data` as JSON, and the `id` of what it answers.

    Attributes:
        room: The room to which it was sent; None: it is not from a room.
        epoch: The epoch of its position in that room; None: it has no position.
        offset: The offset of its position in that room; None: it has no position.
        final: False for all items of a stream.
    """

    room: str | None = None
    epoch: str | None = None
    offset: int | None = None
    final: bool = True


class Socket:
    """A WebSocket client of a service."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        """The connection itself, of the ``websockets`` package."""
        self._asked = 0
        self._earlier: deque[Envelope] = deque()

    async def send(self, message_type: str, data: object = None, *, message_id: str | int | None = None) -> None:
        """Send a message.

        Args:
            message_type: The type of the envelope.
            data: The payload, anything that can be encoded as JSON; default: null.
            message_id: The id of the envelope, which an answer repeats; default: none.
        """
        envelope = envelopes.Envelope(message_type, msgspec.Raw(encode(data)), message_id)
        await self.connection.send(encode(envelope).decode())

    async def receive(self, timeout: float = 5.0) -> Envelope:
        """The next message that was not returned yet; waits for it.

        Args:
            timeout: Seconds to wait.

        Raises:
            TimeoutError: No message came in time.
            websockets.exceptions.ConnectionClosed: The service has closed the connection.
        """
        return self._earlier.popleft() if self._earlier else await self._read(timeout)

    async def ask(self, message_type: str, data: object = None, *, timeout: float = 5.0) -> Envelope:
        """Send a message and wait for its answer. `receive` returns the messages that come before the answer.

        Args:
            message_type: The type of the envelope.
            data: The payload, anything that can be encoded as JSON; default: null.
            timeout: Seconds to wait for each message.

        Raises:
            TimeoutError: No message came in time.
            websockets.exceptions.ConnectionClosed: The service has closed the connection.
        """
        self._asked += 1
        message_id = f"ask-{self._asked}"
        await self.send(message_type, data, message_id=message_id)
        while (answer := await self._read(timeout)).id != message_id:
            self._earlier.append(answer)
        return answer

    async def _read(self, timeout: float) -> Envelope:
        async with asyncio.timeout(timeout):
            return msgspec.json.decode(await self.connection.recv(), type=Envelope)


class RunningService:
    """A running service under test."""

    def __init__(self, app: Daebus[C], served: Served, http: httpx.AsyncClient) -> None:
        self._container: ServiceContainer = app.container
        self._websocket = app.websocket
        self.ports: Mapping[str, int] = served.ports
        """The TCP ports that it listens on: ``http``, and ``websocket`` where that has one of its own."""
        self.http = http
        """An HTTP client whose base URL is the service."""
        self.bus: Bus = served.runtime.bus
        """A bus to call it; its `call`, `send`, `stream` and `publish` are also attributes of this object."""
        self.call: Final = self.bus.call
        """`Bus.call` of `bus`."""
        self.send: Final = self.bus.send
        """`Bus.send` of `bus`."""
        self.stream: Final = self.bus.stream
        """`Bus.stream` of `bus`."""
        self.publish: Final = self.bus.publish
        """`Bus.publish` of `bus`."""

    @asynccontextmanager
    async def socket(
        self, *, headers: Mapping[str, str] | None = None, subprotocols: Sequence[str] = (), **params: str
    ) -> AsyncGenerator[Socket]:
        """Connect a WebSocket client.

        Args:
            headers: Headers of the handshake, which handlers read in `Context.headers`.
            subprotocols: The subprotocols that it offers, such as ``daebus`` and one with a token.
            params: Parameters of the query string.

        Raises:
            websockets.exceptions.InvalidStatus: The service refuses the client.
        """
        if self._websocket is None:
            raise ConfigurationError("The app has no WebSocket: call app.attach(DaebusWebSocket()).")
        port = self.ports.get("websocket") or self.ports["http"]
        url = httpx.URL(f"ws://127.0.0.1:{port}{self._websocket.path}", params=params)
        offered = [Subprotocol(name) for name in subprotocols] or None
        async with connect(str(url), max_size=None, additional_headers=headers, subprotocols=offered) as connection:
            yield Socket(connection)

    def override(self, **objects: object) -> AbstractContextManager[None]:
        """Replace providers of the container by objects in a ``with`` block; singletons that use them are rebuilt.

        Args:
            objects: For each name of a provider the object that it gives instead.

        Raises:
            ConfigurationError: The container has no provider of that name.
            WiringError: An object has nothing in common with the type that its provider gives.
        """
        known = self._container.providers
        missing = sorted(set(objects) - set(known))
        if missing:
            raise ConfigurationError(
                f"The container has no provider {missing[0]!r}; it has: {', '.join(sorted(known))}."
            )
        place = caller_place()
        wrong = [(name, found) for name, fake in objects.items() if (found := misfit(known[name], fake)) is not None]
        if wrong:
            raise WiringError(
                *(WiringProblem(place, f"override({name}=...)", *found, code="wrong-override") for name, found in wrong)
            )
        return self._overriding(objects)

    @contextmanager
    def as_user(self, user: object) -> Generator[None]:
        """Take each message in a ``with`` block as one of this user, whatever its credentials are; None: a stranger.

        Args:
            user: The user, of the type that an `Identity` of the container gives; None: a stranger.

        Raises:
            ConfigurationError: The container has no `Identity` with users of this type.
        """
        with ExitStack() as stack:
            found = [
                identity.visitor.assumed
                for identity in self._container.traverse(types=[Identity[object]])
                if user is None or fits(type(user), identity.given_type)
            ]
            if not found:
                raise ConfigurationError(f"The container has no Identity whose users are {type(user).__name__}.")
            for assumed in found:
                assumed.append(user)
                stack.callback(assumed.pop)
            yield

    @contextmanager
    def _overriding(self, objects: Mapping[str, object]) -> Generator[None]:
        known = self._container.providers
        with ExitStack() as stack:
            for name, fake in objects.items():
                provider = known[name]
                stack.callback(self._reset_over, provider)
                stack.enter_context(provider.override(providers.Object(fake)))
                self._reset_over(provider)
            yield

    def _reset_over(self, overridden: providers.Provider[object]) -> None:
        for provider in self._container.providers.values():
            if isinstance(provider, providers.BaseSingleton) and any(
                needed is overridden for needed in provider.traverse(types=[providers.Provider[object]])
            ):
                provider.reset()


@asynccontextmanager
async def running(
    app: Daebus[C], *, service: str | None = None, redis_url: str | None = None, timings: Timings = DEFAULT_TIMINGS
) -> AsyncGenerator[RunningService]:
    """Run a service during a test, on free ports.

    Args:
        app: The service.
        service: Its name; default: that of the app.
        redis_url: The server; default: the private one of this process.
        timings: Internal timeouts and intervals, for tests of what happens after them.

    Raises:
        WiringError: Its wiring is wrong.
        StartupError: It could not start.
    """
    url = redis_url or private_redis_url()
    services: list[RunningService] = []
    ready, stop = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        try:
            checked = msgspec.structs.replace(app.check(service, may_idle=True), timings=timings)
            async with serve(checked, redis_url=url, listening=Listening("127.0.0.1", 0), development=True) as served:
                port = served.ports.get("http", 0)
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=_tls()) as http:
                    services.append(RunningService(app, served, http))
                    ready.set()
                    await stop.wait()
        finally:
            ready.set()

    # It needs a task of its own, as pytest sets up a fixture in one task and tears it down in another.
    task = asyncio.create_task(run(), name="service")
    try:
        await ready.wait()
        if not services:
            await task
        yield services[0]
    finally:
        stop.set()
        if not services:
            task.cancel()
        await asyncio.wait({task})
    await task
