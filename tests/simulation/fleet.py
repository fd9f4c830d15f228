"""The hosts of a trial: instances of the service, and the client that sends to them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from daebus.app.running.parts import Watch, parts_of
from daebus.app.running.runtime import Runtime
from daebus.bus.bus import Bus
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.connection.node import Node, open_node
from daebus.core.timings import Timings
from daebus.delivery.standing import Standing
from daebus.errors import ServiceError, Timeout
from daebus.legacy.dialect import dialect_of
from daebus.process.hangs import Hangs
from daebus.protocol.limits import BusLimits
from daebus.telemetry.logs import make_logger

from .history import HUNG_AFTER, History
from .network import SimNetwork, SimServer
from .service import ITEMS, KEYED, NEWS, WORK, Job, app_of
from .virtual import Host, World

__all__ = ["Client", "Instance"]

TIMINGS = Timings()

_STANDING = Standing("loop", None, "simulated", [])


class Instance:
    """A running instance of the service, on a host of its own.

    Attributes:
        host: The host.
        lease: Its lease in seconds.
        is_ready: Whether it has started.
        task: Ends with it.
    """

    def __init__(self, world: World, network: SimNetwork, history: History, name: str, lease: float) -> None:
        self.host: Host = world.host(name)
        self.lease = lease
        self._network = network
        self._history = history
        self._stop = asyncio.Event()
        self._runtime: Runtime | None = None
        self.is_ready: bool = False
        self.task: asyncio.Task[None] = self.host.start(self._serve())

    async def _serve(self) -> None:
        server = SimServer.over(self._network, self.host, TIMINGS)
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(open_node(server, self.lease))
            assembly = app_of(self.lease)
            self._runtime = runtime = Runtime(assembly, node, make_logger(host=self.host.name))
            parts = [part for part in parts_of(assembly) if not isinstance(part, Watch)]
            await stack.enter_async_context(runtime.serving(parts))
            self.is_ready = True
            self._history.note_ready(self.host.name, self.lease)
            await self._stop.wait()

    @property
    def is_up(self) -> bool:
        """Whether it serves, or will again."""
        return not (self.host.is_dead or self.task.done())

    def note_lapses(self) -> None:
        """Note how often it found that it was cut off."""
        if self._runtime is not None:
            self._history.note("lapses", "", self.host.name, self.host.name, str(self._runtime.lease.lapses.count))

    def stop(self) -> None:
        """Stop it in order."""
        self.host.main.call_soon(self._stop.set)

    def kill(self) -> None:
        """End it at once; what it has sent may still be executed."""
        self.host.is_dead = True
        rng = self._network.world.rng
        for connection in self._network.connections:
            if connection.host is self.host:
                connection.cut(executes=rng.random() < 0.5)

    def hang(self, seconds: float) -> None:
        """Have its event loop hang; the heartbeat and the watchdog have threads of their own."""
        world, runtime = self.host.world, self._runtime
        if runtime is None or not self.is_ready:
            return
        hangs = Hangs(runtime.lease, runtime.logger, lambda: None)
        self.host.hung_until = max(self.host.hung_until, world.now + seconds)
        if seconds > HUNG_AFTER:
            world.at(world.now + HUNG_AFTER, lambda: hangs.hung(_STANDING, HUNG_AFTER))
            world.at(world.now + seconds, hangs.goes_on)


class Client:
    """Sends, calls and publishes, and notes how each ended."""

    def __init__(self, world: World, network: SimNetwork, history: History) -> None:
        self.host = world.host("client")
        self._network = network
        self._history = history
        self._bus: Bus | None = None
        self._node: Node | None = None
        self.pending = 0
        self._done = asyncio.Event()
        self.task = self.host.start(self._serve())

    async def _serve(self) -> None:
        server = SimServer.over(self._network, self.host, TIMINGS)
        async with open_node(server) as node:
            self._node = node
            self._bus = NodeBus(Caller(node, None, BusLimits(), dialect_of(False)(node), warns=False))
            await self._done.wait()

    @property
    def is_ready(self) -> bool:
        return self._bus is not None

    @property
    def is_connected(self) -> bool:
        return self._node is not None and self._node.link.connected

    def stop(self) -> None:
        self.host.main.call_soon(self._done.set)

    def begin(self, kind: str, job: Job, *, timeout: float = 20.0, key: str | None = None) -> None:
        """Begin a send, a call, a keyed call, a stream, or a publish."""
        self.pending += 1
        self.host.start(self._do(kind, job, timeout, key))

    async def _do(self, kind: str, job: Job, timeout: float, key: str | None) -> None:
        history, bus = self._history, self._bus
        assert bus is not None
        history.note("invoke", kind, job.name, "client", key or "")
        value, items = "", list[str]()
        try:
            match kind:
                case "send":
                    await bus.send(WORK, job)
                case "call":
                    value = await bus.call(WORK, job, timeout=timeout)
                case "keyed":
                    value = await bus.call(KEYED, job, timeout=timeout, idempotency_key=key)
                case "items":
                    async for item in bus.stream(ITEMS, job, timeout=timeout):
                        items.append(item)
                case _:
                    await bus.publish(NEWS, job)
            history.note("ok", kind, job.name, "client", value)
        except Timeout:
            history.note("unknown", kind, job.name, "client", "timeout")
        except ServiceError as error:
            history.note("fail", kind, job.name, "client", error.code)
        finally:
            for item in items:
                history.note("item", kind, job.name, "client", item)
            self.pending -= 1
