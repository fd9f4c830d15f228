"""The services under simulation, and the client that sends to them; both note what they do in a `History`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec

from daebus import Action, Blueprint, Channel, Daebus, Settings
from daebus.app.assembly import Assembly
from daebus.app.houses import Watch, houses_of
from daebus.app.runtime import Runtime
from daebus.bus.bus import Bus
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.connection.node import open_node
from daebus.core.timings import Timings
from daebus.errors import ServiceError, Timeout
from daebus.legacy.dialect import dialect_of
from daebus.protocol.limits import BusLimits
from daebus.telemetry.logs import make_logger

from .network import SimNetwork, SimServer
from .virtual import Host, World

__all__ = ["Client", "Event", "History", "Instance", "Job"]

SERVICE = "sim"
TIMINGS = Timings()


class Job(msgspec.Struct):
    """What is sent.

    Attributes:
        name: Its name in the history.
        seconds: How long the handler takes.
    """

    name: str
    seconds: float


class Event(msgspec.Struct, frozen=True):
    """One line of a history.

    Attributes:
        time: When, in seconds.
        what: ``invoke``, ``ok``, ``fail``, ``unknown`` of the client; ``start``, ``effect``, ``end`` of a handler; or
            a fault.
        kind: ``send``, ``call``, ``keyed`` or ``publish``; of a fault: which.
        name: The name of the job; of a fault, the host.
        by: The host that noted it.
        value: The reply.
    """

    time: float
    what: str
    kind: str
    name: str
    by: str = ""
    value: str = ""


class History:
    """Everything that happened, in order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.events: list[Event] = []

    def note(self, what: str, kind: str, name: str, by: str = "", value: str = "") -> None:
        self.events.append(Event(self._world.now, what, kind, name, by, value))


WORK = Action[Job, str]("work", service=SERVICE)
KEYED = Action[Job, str]("keyed", service=SERVICE)
NEWS = Channel[Job]("sim_news", durable=True)


def _app(host: Host, history: History, lease: float) -> Assembly:
    """A service whose handlers note what they do."""
    blueprint = Blueprint("simulated")

    async def do(kind: str, job: Job) -> str:
        history.note("start", kind, job.name, host.name)
        try:
            await asyncio.sleep(job.seconds)
        except asyncio.CancelledError:
            history.note("cancelled", kind, job.name, host.name)
            raise
        history.note("effect", kind, job.name, host.name)
        return f"{job.name} by {host.name} at {host.world.now:.4f}"

    @blueprint.action(WORK)
    async def work(job: Job) -> str:
        return await do("work", job)

    @blueprint.action(KEYED)
    async def keyed(job: Job) -> str:
        return await do("keyed", job)

    @blueprint.listen(NEWS)
    async def heard(job: Job) -> None:
        await do("publish", job)

    app = Daebus(SERVICE, settings=Settings(lease=lease, stop_timeout=10))
    app.register_blueprint(blueprint)
    return app.check()


class Instance:
    """A running instance of the service, on a host of its own."""

    def __init__(self, world: World, network: SimNetwork, history: History, name: str, lease: float) -> None:
        self.host = world.host(name)
        self._network = network
        self._assembly = _app(self.host, history, lease)
        self._stop = asyncio.Event()
        self.is_ready = False
        self.task = self.host.start(self._serve())

    async def _serve(self) -> None:
        server = SimServer.over(self._network, self.host, TIMINGS)
        async with AsyncExitStack() as stack:
            node = await stack.enter_async_context(open_node(server))
            runtime = Runtime(self._assembly, node, make_logger(host=self.host.name))
            houses = [house for house in houses_of(self._assembly) if not isinstance(house, Watch)]
            await stack.enter_async_context(runtime.serving(houses))
            self.is_ready = True
            await self._stop.wait()

    @property
    def is_up(self) -> bool:
        """Whether it serves, or will again."""
        return not (self.host.is_dead or self.task.done())

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


class Client:
    """Sends, calls and publishes, and notes how each ended."""

    def __init__(self, world: World, network: SimNetwork, history: History) -> None:
        self.host = world.host("client")
        self._network = network
        self._history = history
        self._bus: Bus | None = None
        self.pending = 0
        self._done = asyncio.Event()
        self.task = self.host.start(self._serve())

    async def _serve(self) -> None:
        server = SimServer.over(self._network, self.host, TIMINGS)
        async with open_node(server) as node:
            self._bus = NodeBus(Caller(node, None, BusLimits(), dialect_of(False)(node), warns=False))
            await self._done.wait()

    @property
    def is_ready(self) -> bool:
        return self._bus is not None

    def stop(self) -> None:
        self.host.main.call_soon(self._done.set)

    def begin(self, kind: str, job: Job, *, timeout: float = 20.0, key: str | None = None) -> None:
        """Begin a send, a call, a keyed call, or a publish."""
        self.pending += 1
        self.host.start(self._do(kind, job, timeout, key))

    async def _do(self, kind: str, job: Job, timeout: float, key: str | None) -> None:
        history, bus = self._history, self._bus
        assert bus is not None
        history.note("invoke", kind, job.name, "client", key or "")
        value = ""
        try:
            match kind:
                case "send":
                    await bus.send(WORK, job)
                case "call":
                    value = await bus.call(WORK, job, timeout=timeout)
                case "keyed":
                    value = await bus.call(KEYED, job, timeout=timeout, idempotency_key=key)
                case _:
                    await bus.publish(NEWS, job)
            history.note("ok", kind, job.name, "client", value)
        except Timeout:
            history.note("unknown", kind, job.name, "client", "timeout")
        except ServiceError as error:
            history.note("fail", kind, job.name, "client", f"{error.code}: {error.message}")
        finally:
            self.pending -= 1
