"""Memory: of services that are idle, of idle WebSockets, and whether it stays flat while messages flow."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager

from .bench import Bench
from .cases import Case, Goal, Measure, PeerError, Sample
from .load_websocket import Crowd, room_for
from .processes import Driver, memory_of
from .web import serve_web
from .websocket import WEBSOCKET_PEERS

__all__ = ["memory_cases"]

_BUSES = {
    "daebus": ("daebus", "bus_daebus.py"),
    "nats-py": ("buses", "bus_nats.py"),
    "FastStream, Redis": ("faststream", "bus_faststream.py"),
    "daebus 0.0.31": ("daebus-0.0.31", "bus_daebus_0_0_31.py"),
}
_SETTLED = 0.5  # seconds after which a process that has started is idle
_FLAT = Goal(at_most=1.05)
_SOCKETS = {"bare ASGI": Goal(most_more=8)}  # KiB more than the server itself takes
_FLOOD_SECONDS = 10.0


@contextmanager
def memory_cases(bench: Bench) -> Generator[list[Case]]:
    """Give the cases; most measurements start a process of their own."""
    sockets = min(1_000 if bench.quick else 5_000, _most_sockets())
    rounds = 1 if bench.quick else 3

    def case(name: str, unit: str, peers: Mapping[str, Measure], goals: Mapping[str, Goal] | None = None) -> Case:
        return Case(name, unit, peers, lower_is_better=True, rounds=rounds, goals=goals or {})

    with ExitStack() as stack:
        yield [
            case("memory of an idle bus service", "MiB", {name: _idle_bus(bench, name) for name in _BUSES}),
            case(
                "memory of an idle web service",
                "MiB",
                {name: _idle_web(bench, name) for name in (*WEBSOCKET_PEERS, "FastAPI, uvicorn")},
            ),
            case(
                f"memory of each of {sockets:,} idle WebSockets",
                "KiB",
                {name: _idle_sockets(bench, name, sockets) for name in WEBSOCKET_PEERS},
                _SOCKETS,
            ),
            *([] if bench.quick else [_flow(stack, bench), _flood(stack, bench)]),
        ]


def _flow(stack: ExitStack, bench: Bench) -> Case:
    """Half a million calls: what a tenth of them took is all that is taken."""
    calls = _Watched(stack, bench, ("bus_daebus.py",), "call")
    peers = {"after 50,000 calls": calls.after(50_000), "after 500,000 calls": calls.after(500_000)}
    return _flat("memory of a service while calls flow", peers)


def _flood(stack: ExitStack, bench: Bench) -> Case:
    """A handler that handles 800 jobs a second, and a producer that sends more than ten times as many."""
    jobs = _Watched(stack, bench, ("replicas_daebus.py", "flood", "1"), "send")
    peers = {"when it begins": jobs.after(500), "after 10 s": jobs.during(_FLOOD_SECONDS)}
    return _flat("memory of a service whose producer is 10 times faster", peers)


def _flat(name: str, peers: Mapping[str, Measure]) -> Case:
    first, last = peers
    return Case(name, "MiB", peers, subject=last, lower_is_better=True, goals={first: _FLAT}, rounds=1)


class _Watched:
    """A service of ours, started at the first measurement, whose memory is measured after more and more work."""

    def __init__(self, stack: ExitStack, bench: Bench, script: tuple[str, ...], operation: str) -> None:
        self._stack = stack
        self._bench = bench
        self._script = script
        self._operation = operation
        self._done = 0
        self._driver: Driver | None = None
        self._pid = 0

    def after(self, operations: int) -> Measure:
        """Work until so many operations are done in all."""

        def measure(_: float) -> Sample:
            while self._done < operations:
                self._work(0.5)
            return Sample(memory_of(self._pid))

        return measure

    def during(self, seconds: float) -> Measure:
        """Work so long."""

        def measure(_: float) -> Sample:
            self._work(seconds)
            return Sample(memory_of(self._pid))

        return measure

    def _work(self, seconds: float) -> None:
        if self._driver is None:
            script, *rest = self._script
            url = self._bench.redis_url
            self._pid = self._stack.enter_context(self._bench.service("daebus", script, "serve", url, *rest)).pid
            self._driver = self._stack.enter_context(self._bench.driver("daebus", script, "drive", url, *rest))
            self._driver.wait_until_ready()
        answer = self._driver.ask({"operation": self._operation, "in_flight": 64, "seconds": seconds})
        if not answer["rate"]:
            raise PeerError(f"nothing succeeded: {answer['error']}")
        self._done += int(answer["rate"] * seconds)


def _idle_bus(bench: Bench, name: str) -> Measure:
    environment, script = _BUSES[name]

    def measure(_: float) -> Sample:
        address = bench.nats_url if name == "nats-py" else bench.redis_url
        if address is None:
            raise PeerError("there is no nats-server for this platform on PyPI")
        with ExitStack() as stack:
            service = stack.enter_context(bench.service(environment, script, "serve", address))
            caller = stack.enter_context(bench.driver(environment, script, "drive", address))
            caller.wait_until_ready()
            time.sleep(_SETTLED)
            return Sample(memory_of(service.pid))

    return measure


def _idle_web(bench: Bench, name: str) -> Measure:
    def measure(_: float) -> Sample:
        with serve_web(bench, name) as server:
            time.sleep(_SETTLED)
            return Sample(memory_of(server.process.pid))

    return measure


def _most_sockets() -> int:
    """How many WebSockets of one address daebus accepts, given the descriptors of a process; the others accept more."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard // 9


def _idle_sockets(bench: Bench, name: str, sockets: int) -> Measure:
    def measure(_: float) -> Sample:
        room_for(sockets)
        with serve_web(bench, name) as server:
            time.sleep(_SETTLED)
            before = memory_of(server.process.pid)
            with closing(Crowd(server.port, sockets)) as crowd:
                crowd.idle(_SETTLED)
                return Sample((memory_of(server.process.pid) - before) * 1024 / sockets)

    return measure
