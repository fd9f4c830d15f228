"""Calls, streams, jobs and events between two processes: a service and, beside it, a driver."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from .bench import Bench
from .cases import BEFORE, Case, Goal, Measure, PeerError, Sample
from .processes import Driver, cpu_of, free_port

__all__ = ["bus_cases"]

_WARM_UP = 0.2
_ITEMS = 200  # of one stream; peers/shapes.py
_MEDIAN = "µs (median)"


@dataclass(frozen=True, slots=True)
class _Peer:
    """A peer: its script, its environment, the server it needs, and what its operations are called."""

    script: str
    environment: str
    server: str = "redis"
    operations: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done: an operation of peers/bus_*.py, so many at a time.

    Attributes:
        operation: Its name.
        in_flight: How many at a time.
        unit: Of the figure.
        hearers: How many handlers each message reaches; it counts once they are done. 0: the operation itself counts.
        items: How many items one operation brings.
    """

    operation: str
    in_flight: int
    unit: str = "calls/s"
    hearers: int = 0
    items: int = 1

    @property
    def alone(self) -> bool:
        """Whether the figure is the median time of one operation, in µs, instead of how many there are in a second."""
        return self.unit == _MEDIAN


_STREAMS = {"call": "call_stream", "call_10k": "call_10k_stream"}
_PEERS = {
    "daebus": _Peer("bus_daebus.py", "daebus"),
    "our floor (links only)": _Peer("bus_floor.py", "daebus"),
    "nats-py": _Peer("bus_nats.py", "buses", "nats"),
    "grpcio.aio": _Peer("bus_grpc.py", "buses", "none"),
    "FastStream, Redis": _Peer("bus_faststream.py", "faststream"),
    "FastStream, streams": _Peer("bus_faststream.py", "faststream", operations=_STREAMS),
    "taskiq-redis": _Peer("bus_taskiq.py", "buses"),
    "daebus 0.0.31": _Peer("bus_daebus_0_0_31.py", "daebus-0.0.31"),
}
_PEERS_AND_BEFORE = {**_PEERS, BEFORE: _PEERS["daebus"]}
_CALLERS = tuple(name for name in _PEERS if name != "taskiq-redis")
_FLOOR, _NATS, _FASTSTREAM = "our floor (links only)", "nats-py", "FastStream, Redis"


class _Running:
    """The drivers of all peers, the process IDs of their services, and why some do not run."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.drivers: dict[str, Driver] = {}
        self.services: dict[str, int] = {}
        self.missing: dict[str, str] = {}

    def case(
        self,
        name: str,
        work: _Work,
        peers: Sequence[str],
        goals: Mapping[str, Goal] | None = None,
        *,
        charted: bool = False,
    ) -> Case:
        peers = self.bench.taking_part(peers)
        return Case(
            name,
            work.unit,
            {peer: self._measure(peer, work) for peer in peers},
            lower_is_better=work.alone,
            goals=goals or {},
            missing={peer: why for peer, why in self.missing.items() if peer in peers},
            charted=charted,
        )

    def _measure(self, name: str, work: _Work) -> Measure:
        operation = (_PEERS_AND_BEFORE[name].operations or {}).get(work.operation, work.operation)
        job = {"operation": operation, "in_flight": work.in_flight, "hearers": work.hearers}

        def measure(seconds: float) -> Sample:
            driver = self.drivers[name]
            driver.ask({**job, "seconds": min(_WARM_UP, seconds / 2)})
            before = self._cpu(name)
            answer = driver.ask({**job, "seconds": seconds})
            if not answer["rate"]:
                raise PeerError(f"nothing succeeded: {answer['error']}")
            value = answer["p50"] * 1e6 if work.alone else answer["rate"] * work.items
            cpu = (self._cpu(name) - before) / (answer["rate"] * work.items * answer["elapsed"]) * 1e6
            return Sample(value, int(answer["failed"]), cpu)

        return measure

    def _cpu(self, name: str) -> float:
        """What the service and the driver have taken: both are of the peer's own library."""
        return cpu_of(self.services[name]) + cpu_of(self.drivers[name].pid)


@contextmanager
def bus_cases(bench: Bench) -> Generator[list[Case]]:
    """Start all buses, and give the cases."""
    with ExitStack() as stack:
        running = _Running(bench)
        for name in bench.taking_part(tuple(_PEERS)):
            try:
                _start(stack, bench.of(name), running, name, _PEERS_AND_BEFORE[name])
            except PeerError as error:
                running.missing[name] = str(error)
        for name, driver in running.drivers.items():
            if _PEERS_AND_BEFORE[name].operations is not None:
                continue  # it shares another row's driver
            try:
                driver.wait_until_ready()
            except PeerError as error:
                running.missing[name] = str(error)
        cases = [*_calls(running, quick=bench.quick), *_others(running)]
        if bench.others:  # else it would compare daebus with itself alone
            cases.append(_replicas(_start_replicas(stack, bench)))
        yield cases


def _start(stack: ExitStack, bench: Bench, running: _Running, name: str, peer: _Peer) -> None:
    if peer.operations is not None:  # the same processes as another row's
        twin = next(other for other, found in _PEERS.items() if found.script == peer.script)
        if twin in running.missing:
            raise PeerError(running.missing[twin])
        running.drivers[name], running.services[name] = running.drivers[twin], running.services[twin]
        return
    if peer.server == "nats" and bench.nats_url is None:
        raise PeerError("there is no nats-server for this platform on PyPI")
    address = {"redis": bench.redis_url, "nats": bench.nats_url or "", "none": f"127.0.0.1:{free_port()}"}[peer.server]
    running.services[name] = stack.enter_context(bench.service(peer.environment, peer.script, "serve", address)).pid
    running.drivers[name] = stack.enter_context(bench.driver(peer.environment, peer.script, "drive", address))


def _calls(running: _Running, *, quick: bool) -> list[Case]:
    goals_64 = {
        _NATS: Goal(at_least=0.8),
        _FLOOR: Goal(at_least=0.6),
        _FASTSTREAM: Goal(at_least=20),
        "daebus 0.0.31": Goal(at_least=8),
    }
    goals_1 = {_NATS: Goal(at_most=2.2), _FASTSTREAM: Goal(at_most=1 / 3)}
    cases = [
        running.case("call, one at a time", _Work("call", 1, _MEDIAN), _CALLERS, goals_1, charted=True),
        running.case("call, 64 in flight", _Work("call", 64), _CALLERS, goals_64, charted=True),
    ]
    if not quick:
        cases += [
            running.case("call, 10 kB, 64 in flight", _Work("call_10k", 64), _CALLERS),
            running.case("call, 256 in flight", _Work("call", 256), _CALLERS),
            running.case("call, 10 kB, one at a time", _Work("call_10k", 1, _MEDIAN), _CALLERS),
            running.case("call, 10 kB, 256 in flight", _Work("call_10k", 256), _CALLERS),
        ]
    return cases


def _others(running: _Running) -> list[Case]:
    streamers = ("daebus", _FLOOR, _NATS, "grpcio.aio")
    senders = ("daebus", _FLOOR, _NATS, _FASTSTREAM, "taskiq-redis")
    publishers = ("daebus", _FLOOR, _NATS, _FASTSTREAM)
    return [
        running.case("stream of 200 items, one at a time", _Work("stream", 1, "items/s", items=_ITEMS), streamers),
        running.case("stream of 200 items, 16 in flight", _Work("stream", 16, "items/s", items=_ITEMS), streamers),
        running.case("send, 64 in flight, until handled", _Work("send", 64, "jobs/s", 1), senders, charted=True),
        running.case("publish, 64 in flight, to 1 listener", _Work("publish_1", 64, "events/s", 1), publishers),
        running.case("publish, 64 in flight, to 10 listeners", _Work("publish_10", 64, "deliveries/s", 10), publishers),
    ]


def _start_replicas(stack: ExitStack, bench: Bench) -> dict[int, Driver]:
    """Services of one to four replicas, and their drivers."""
    script, url, drivers = "replicas_daebus.py", bench.redis_url, dict[int, Driver]()
    for count in (1, 4) if bench.quick else (1, 2, 3, 4):
        arguments = (url, f"replicas-{count}", str(count))
        for _ in range(count):
            stack.enter_context(bench.service("daebus", script, "serve", *arguments))
        drivers[count] = stack.enter_context(bench.driver("daebus", script, "drive", *arguments))
    for driver in drivers.values():
        driver.wait_until_ready()
    return drivers


def _replicas(drivers: Mapping[int, Driver]) -> Case:
    """A handler that waits 5 ms, four at a time in each replica."""
    peers = {f"{count} replica{'s'[: count - 1]}": _measure_replicas(driver) for count, driver in drivers.items()}
    goals = {"1 replica": Goal(at_least=3.5)}
    return Case("a handler that waits 5 ms, 64 in flight", "calls/s", peers, subject="4 replicas", goals=goals)


def _measure_replicas(driver: Driver) -> Measure:
    def measure(seconds: float) -> Sample:
        driver.ask({"operation": "call", "in_flight": 64, "seconds": _WARM_UP})
        answer = driver.ask({"operation": "call", "in_flight": 64, "seconds": seconds})
        return Sample(answer["rate"], int(answer["failed"]))

    return measure
