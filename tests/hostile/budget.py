"""``python -m tests.hostile.budget``: honest clients of a service with 512 MB and 256 descriptors that is attacked.

The table says how fast they were answered before and during the attack, and how much the service took. Where one may
not make control groups, the memory is only measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import msgspec
from tests.hostile.confined import confining_group
from tests.processes import DAEBUS, Service, launched
from tests.support import raw_redis
from websockets.asyncio.client import ClientConnection, connect

from daebus import Action, Bus
from daebus.embedded.engine import join_embedded

__all__ = ["Report", "measure"]

MEMORY, DESCRIPTORS = 512 * 1_048_576, 256
LEASE = 6.0
_PAUSE = 0.02
_DOUBLE = Action[int, int]("double", service="modest")


class Report(msgspec.Struct):
    """What came of it.

    Attributes:
        seconds: How long each answer took, by who asked.
        failures: Of those who got none.
        peak: The most memory that the service took, in bytes.
        longest_beat: The longest time between two heartbeats of it.
        confined: Whether a control group limited its memory.
    """

    seconds: dict[str, list[float]] = {}
    failures: list[str] = []
    peak: int = 0
    longest_beat: float = 0.0
    confined: bool = False

    def percentile(self, who: str, share: float) -> float:
        """So many of the answers took no longer."""
        ordered = sorted(self.seconds[who])
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Honest:
    """Clients that ask, and read what they are answered."""

    def __init__(self, service: Service, url: str, report: Report) -> None:
        self._service = service
        self._url = url
        self._report = report

    async def ask_for(self, seconds: float) -> None:
        """All of them ask for so long."""
        end = time.monotonic() + seconds
        async with (
            Bus(self._url) as bus,
            httpx.AsyncClient(base_url=self._service.url) as http,
            connect(self._service.sockets(), max_size=None) as socket,
        ):
            asking = {
                "kept connection": lambda: self._get(http),
                "new connection": self._get_anew,
                "WebSocket": lambda: self._echo(socket),
                "bus": lambda: self._double(bus),
            }
            await asyncio.gather(*(self._repeat(who, ask, end) for who, ask in asking.items()), self._beats(end))

    async def _repeat(self, who: str, ask: Callable[[], Awaitable[None]], end: float) -> None:
        taken = self._report.seconds.setdefault(who, [])
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                async with asyncio.timeout(5):
                    await ask()
            except Exception as error:  # whatever it is, it is counted
                self._report.failures.append(f"{who}: {type(error).__name__} {error}")
            taken.append(time.monotonic() - began)
            await asyncio.sleep(_PAUSE)

    async def _get(self, http: httpx.AsyncClient) -> None:
        try:
            answer = await http.get("/ping")
        except httpx.RemoteProtocolError:  # a kept connection may be closed at any time: one asks again
            answer = await http.get("/ping")
        assert answer.status_code == 200, answer.text

    async def _get_anew(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._service.port)
        writer.write(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200"), answer

    async def _echo(self, socket: ClientConnection) -> None:
        await socket.send('{"type":"echo","data":"x"}')
        assert json.loads(await socket.recv())["data"] == "x"

    async def _double(self, bus: Bus) -> None:
        assert await bus.call(_DOUBLE, 21) == 42

    async def _beats(self, end: float) -> None:
        async with raw_redis(self._url) as redis:
            while time.monotonic() < end:
                seconds, micros = await redis.time()
                beats = [beat for _, beat in await redis.zrange("daebus:{modest}:instances", 0, -1, withscores=True)]
                silence = seconds + micros / 1e6 - max(beats) / 1000
                self._report.longest_beat = max(self._report.longest_beat, silence)
                self._report.peak = max(self._report.peak, _resident(self._service.process.pid))
                await asyncio.sleep(0.1)


async def measure(calm: float, attacked: float) -> tuple[Report, Report]:
    """Ask for so many seconds before an attack, and during one."""
    with ExitStack() as stack:
        engine = stack.enter_context(closing(join_embedded(private=True)))
        group = confining_group(f"daebus-budget-{os.getpid()}", MEMORY)
        if group is not None:
            stack.callback(_remove, group)
        confined = (sys.executable, "-m", "tests.hostile.confined", str(DESCRIPTORS), str(group or ""))
        target = "tests/hostile/modest.py:app"
        command = (*confined, *DAEBUS, "run", target, "--host", "127.0.0.1", "--port", "0")
        service = stack.enter_context(launched(*command, DAEBUS_REDIS_URL=engine.url))
        service.wait_for("listening")
        before, during = Report(confined=group is not None), Report(confined=group is not None)
        await Honest(service, engine.url, before).ask_for(calm)
        greedy = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hostile.greedy", str(service.port), str(attacked + 2)
        )
        try:
            await Honest(service, engine.url, during).ask_for(attacked)
        finally:
            with suppress(ProcessLookupError):
                greedy.kill()
            await greedy.wait()
        assert service.process.poll() is None, service.text()
        sys.stdout.write(table(before, during) + "\n")
        assert service.stop() == 0, service.text()
        return before, during


def _remove(group: Path) -> None:
    with suppress(OSError):
        group.rmdir()


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def table(before: Report, during: Report) -> str:
    """Both, for people."""
    lines = [f"{'':16}{'answers':>9}{'p50 ms':>9}{'p99 ms':>9}{'before: p99':>13}"]
    for who, taken in during.seconds.items():
        milliseconds = [round(1000 * each.percentile(who, share)) for each, share in ((during, 0.5), (during, 0.99))]
        lines.append(
            f"{who:16}{len(taken):>9,}{milliseconds[0]:>9}{milliseconds[1]:>9}"
            f"{round(1000 * before.percentile(who, 0.99)):>13}"
        )
    confined = "in a control group" if during.confined else "measured"
    lines.append(f"memory at most {during.peak / 1_048_576:.0f} MiB ({confined}); {len(during.failures)} failures")
    lines.append(f"longest time without a heartbeat {during.longest_beat:.1f} s, of a lease of {LEASE:g} s")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    before, during = asyncio.run(measure(5, parser.parse_args().seconds))
    sys.stdout.write(table(before, during) + "\n")
    for failure in during.failures[:20]:
        sys.stdout.write(failure + "\n")
    slow = [who for who in during.seconds if during.percentile(who, 0.99) > 0.1]
    if slow or during.failures or during.longest_beat > LEASE or during.peak > MEMORY:
        raise SystemExit(f"over the budget: {', '.join(slow)}")


if __name__ == "__main__":
    main()
