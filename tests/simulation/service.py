"""The service under simulation. Its handlers note what they do; a job says how long it takes, and whether it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import cache

import msgspec

from daebus import Action, Blueprint, Channel, Context, Daebus, Settings, StreamAction
from daebus.app.assembly import Assembly

from .history import Stage

__all__ = [
    "ITEMS",
    "KEYED",
    "LISTENER",
    "NEWS",
    "PIECES",
    "RETRIES",
    "SERVICE",
    "TICK_SECONDS",
    "WORK",
    "Job",
    "app_of",
    "on_stage",
]

SERVICE = "sim"
LISTENER = "heard"
RETRIES = 2
PIECES = 5
"""How many items a stream has."""

TICK_SECONDS = 4.0
"""The interval of the background task; each run takes longer than that."""


class Job(msgspec.Struct):
    """What is sent.

    Attributes:
        name: Its name in the history.
        seconds: How long the handler takes.
        failures: How many of its runs fail; those after the first one take no time.
        kills: Whether it kills each process that runs it.
        exits: Whether it fails by `sys.exit`.
    """

    name: str
    seconds: float
    failures: int = 0
    kills: bool = False
    exits: bool = False


WORK = Action[Job, str]("work", service=SERVICE)
KEYED = Action[Job, str]("keyed", service=SERVICE)
ITEMS = StreamAction[Job, str]("items", service=SERVICE)
NEWS = Channel[Job]("sim_news", durable=True)

_stages: list[Stage] = []


@contextmanager
def on_stage(stage: Stage) -> Generator[None]:
    """Inside, the handlers act on this stage."""
    _stages.append(stage)
    try:
        yield
    finally:
        _stages.remove(stage)


@asynccontextmanager
async def _run(kind: str, job: Job, context: Context | None = None) -> AsyncGenerator[str]:
    """A run of a handler, which notes how it ends, gives its name, and then what the handler does for longer."""
    stage = _stages[-1]
    host, history = stage.world.current, stage.history
    assert host is not None
    history.note("start", kind, job.name, host.name, (context and context.fence) or "")
    begun = host.world.now
    failed = sum(event.what == "failed" and event.name == job.name for event in history.events)
    try:
        await asyncio.sleep(0.0 if failed else job.seconds)
        if job.kills:
            stage.kill(host)
            await asyncio.get_running_loop().create_future()  # a host that is dead does not go on
        if failed < job.failures:
            raise SystemExit(1) if job.exits else _FailureError
        yield f"{job.name} by {host.name} at {begun:.4f}"
    except (asyncio.CancelledError, GeneratorExit):
        history.note("cancelled", kind, job.name, host.name)
        raise
    except (_FailureError, SystemExit):
        history.note("failed", kind, job.name, host.name)
        raise
    history.note("effect", kind, job.name, host.name)


class _FailureError(Exception):
    """What a handler raises whose job says that it fails."""


async def _do(kind: str, job: Job, context: Context | None = None) -> str:
    async with _run(kind, job, context) as name:
        return name


@cache
def app_of(lease: float) -> Assembly:
    """The service, with a lease."""
    blueprint = Blueprint("simulated")

    @blueprint.action(WORK, retries=RETRIES, backoff=0.2)
    async def work(job: Job, context: Context) -> str:
        return await _do("work", job, context)

    @blueprint.action(KEYED)
    async def keyed(job: Job, context: Context) -> str:
        return await _do("keyed", job, context)

    @blueprint.action(ITEMS)
    async def items(job: Job, context: Context) -> AsyncGenerator[str]:
        async with _run("items", job, context) as name:
            for number in range(1, PIECES + 1):
                yield f"{name}#{number}"
                await asyncio.sleep(job.seconds / PIECES)

    @blueprint.listen(NEWS, name=LISTENER, retries=RETRIES, backoff=0.2)
    async def heard(job: Job, context: Context) -> None:
        await _do("publish", job, context)

    @blueprint.background("tick", every=timedelta(seconds=TICK_SECONDS))
    async def tick() -> None:
        await _do("tick", Job("tick", TICK_SECONDS * 1.25))

    app = Daebus(SERVICE, settings=Settings(lease=lease, stop_timeout=10))
    app.register_blueprint(blueprint)
    return app.check()
