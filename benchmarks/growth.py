"""Growth: what many idle replicas cost the server, and what its scripts cost with many consumers.

It prints one JSON object. Start it by hand, on a machine without other load::

    python -m benchmarks.growth --replicas 200 --actions 100
    python -m benchmarks.growth --replicas 50 --actions 100 --watched
    python -m benchmarks.growth --replicas 1 --actions 100 --listeners 100
    python -m benchmarks.growth --scripts
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from time import monotonic
from typing import Any, cast

from tests.engines import Engine
from tests.support import raw_redis

from daebus import Channel, Daebus
from daebus.app.running.parts import Watch, parts_of
from daebus.app.running.runtime import Runtime
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.operations.fleet import service_reports
from daebus.protocol.fences import fence_counter
from daebus.queues.lease_scripts import BEAT, FIND, SCAN, TAKE_OVER
from daebus.telemetry.logs import make_logger

_PROCESSES = 4
_BATCHES, _RUNS = 10, 100
_LEASE_MS = 6000


def app(actions: int, listeners: int) -> Daebus:
    """A service that does nothing, often."""
    service = Daebus("growing")

    async def nothing(_: int) -> None: ...

    for number in range(actions):
        service.action(f"action{number}")(nothing)
    for number in range(listeners):
        service.listen(Channel[int](f"growing{number}", durable=True), name="listener")(nothing)
    return service


async def _serve(url: str, replicas: int, actions: int, listeners: int) -> None:
    made, server = app(actions, listeners).check(), RedisServer.from_url(url)
    async with AsyncExitStack() as stack:
        for _ in range(replicas):
            node = await stack.enter_async_context(open_node(server, made.settings.lease))
            parts = [part for part in parts_of(made) if not isinstance(part, Watch)]
            await stack.enter_async_context(Runtime(made, node, make_logger()).serving(parts))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class _Server:
    """What the server says of itself.

    Args:
        redis: A client of it.
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def cpu(self) -> float:
        """The seconds of CPU time of its process."""
        found = await self._redis.info("cpu")
        return float(found["used_cpu_sys"]) + float(found["used_cpu_user"])

    async def commands(self) -> Mapping[str, tuple[int, int]]:
        """How often each command was called by clients and scripts, and for how many microseconds they ran."""
        found = cast("dict[str, dict[str, int]]", await self._redis.info("commandstats"))
        return {name.removeprefix("cmdstat_"): (stats["calls"], stats["usec"]) for name, stats in found.items()}

    async def script_micros(self, text: str, keys: list[str], *arguments: object) -> float:
        """The microseconds of one run of a script, in the best of some batches of runs."""
        sha, best = await self._redis.script_load(text), float("inf")
        for _ in range(_BATCHES):
            await self._redis.config_resetstat()
            for _ in range(_RUNS):
                await self._redis.evalsha(sha, len(keys), *keys, *arguments)
            found = await self._redis.info("commandstats")
            best = min(best, float(found["cmdstat_evalsha"]["usec_per_call"]))
        return round(best, 1)


def _start(url: str, replicas: int, actions: int, listeners: int) -> list[subprocess.Popen[bytes]]:
    processes = min(_PROCESSES, replicas)
    shares = [replicas // processes + (number < replicas % processes) for number in range(processes)]
    command = [sys.executable, "-m", "benchmarks.growth", "--serve", url]
    return [
        subprocess.Popen(
            [*command, f"--replicas={share}", f"--actions={actions}", f"--listeners={listeners}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for share in shares
    ]


@asynccontextmanager
async def _watching(url: str) -> AsyncGenerator[None]:
    """Ask all replicas for their statistics each second, as ``daebus top`` does."""

    async def watch() -> None:
        async with open_node(RedisServer.from_url(url)) as node:
            while True:
                await service_reports(node)
                await asyncio.sleep(1)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def idle(engine: Engine, asked: argparse.Namespace) -> dict[str, object]:
    """What idle replicas cost the server, some seconds after they have started."""
    replicas, actions, listeners, seconds = asked.replicas, asked.actions, asked.listeners, asked.seconds
    started = _start(engine.tcp_url, replicas, actions, listeners)
    try:
        for process in started:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == b"ready\n", "a process did not start"
        await asyncio.sleep(asked.settle)
        watching = _watching(engine.tcp_url) if asked.watched else nullcontext()
        async with watching, raw_redis(engine.tcp_url) as redis:
            server = _Server(redis)
            began, cpu, commands = monotonic(), await server.cpu(), await server.commands()
            await asyncio.sleep(seconds)
            took, used, after = monotonic() - began, await server.cpu() - cpu, await server.commands()
            connections = len(await redis.client_list()) - 1
    finally:
        for process in started:
            process.kill()
            process.wait()
    each = {
        name: {
            "per_second": round((calls - commands.get(name, (0, 0))[0]) / took, 1),
            "cpu_percent": round((micros - commands.get(name, (0, 0))[1]) / took / 1e4, 3),
        }
        for name, (calls, micros) in after.items()
    }
    return {
        "replicas": replicas,
        "actions": actions,
        "listeners": listeners,
        "cpu_percent": round(100 * used / took, 2),
        "connections": connections,
        "commands": {name: found for name, found in each.items() if found["per_second"]},
    }


async def scripts(engine: Engine, consumers: int) -> dict[str, object]:
    """What the scripts of the lease cost in a group with so many consumers, each of which owns an entry."""
    stream, registry, group = "daebus:{x}:action:work", "daebus:{x}:instances", "daebus"
    names = [f"{number:012x}-{_LEASE_MS}" for number in range(consumers)]
    async with raw_redis(engine.tcp_url) as redis:
        await redis.flushall()
        await redis.xgroup_create(stream, group, "0", mkstream=True)
        for name in names:
            await redis.eval(BEAT.text, 1, registry, name, 1_000_000_000)
            await redis.xadd(stream, {"request": "{}"})
            await redis.xreadgroup(group, name, {stream: ">"}, count=1)
        server, me = _Server(redis), names[0]
        who = (group, me, _LEASE_MS)
        return {
            "consumers": consumers,
            "heartbeat_us": await server.script_micros(BEAT.text, [registry], me, _LEASE_MS),
            "find_us": await server.script_micros(FIND.text, [registry, stream], *who, "dead"),
            "scan_us": await server.script_micros(SCAN.text, [registry, stream], *who),
            "take_over_us": await server.script_micros(
                TAKE_OVER.text, [stream, registry, fence_counter(registry)], *who, 10, 1, "dead"
            ),
        }


async def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=200)
    parser.add_argument("--actions", type=int, default=100)
    parser.add_argument("--listeners", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=15.0, help="seconds after the start until they are idle")
    parser.add_argument("--watched", action="store_true", help="while their statistics are asked for each second")
    parser.add_argument("--scripts", action="store_true", help="measure the scripts instead")
    parser.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        await _serve(asked.serve, asked.replicas, asked.actions, asked.listeners)
        return
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        found: object
        if asked.scripts:
            found = [await scripts(engine, consumers) for consumers in (1, 16, 200)]
        else:
            found = await idle(engine, asked)
        sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
