"""One trial: a seed chooses the load and the faults; then everything is healed, and the history is judged."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import sys
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from typing_extensions import override

from daebus.testing import private_redis_url

from .fleet import Client, Event, History, Instance, Job
from .judge import judge
from .network import SimNetwork
from .virtual import World

__all__ = ["Result", "server_path", "try_all", "try_seed"]

_HEAL_SECONDS = 400.0
_LEASE = 6.0


class Result(msgspec.Struct, frozen=True):
    """The result of a trial.

    Attributes:
        seed: Its seed.
        problems: What must not be; empty: all is well.
        faults: The faults that were injected.
        jobs: How many jobs there were.
        trace: A digest of everything that the server executed, in order, with its replies.
        lines: The trace and the history, for people.
    """

    seed: int
    problems: list[str]
    faults: list[str]
    jobs: int
    trace: str
    lines: list[str]


class _Log(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        host = "" if self._world.current is None else self._world.current.name
        self.lines.append(f"{self._world.now:.4f} {host} log {record.levelname} {record.getMessage()}")


class _Trial:
    def __init__(self, world: World, network: SimNetwork) -> None:
        self.world = world
        self.network = network
        self.history = History(world)
        self.faults: list[str] = []
        self.instances: list[Instance] = []
        self.client = Client(world, network, self.history)
        self.jobs = 0

    def add_instance(self, lease: float = _LEASE) -> Instance:
        made = Instance(self.world, self.network, self.history, f"i{len(self.instances) + 1}", lease)
        self.instances.append(made)
        return made

    def run(self) -> list[str]:
        world = self.world
        for _ in range(world.plan.choice([1, 2, 2, 3])):
            self.add_instance()
        if not world.run(lambda: self.client.is_ready and all(one.is_ready for one in self.instances), 30, 0.01):
            return ["the services did not start"]
        end = world.now + world.plan.uniform(5, 25)
        self._plan_load(end)
        self._plan_faults(end)
        world.run(lambda: False, end - world.now)
        self._heal()
        if not world.run(self._is_quiet, _HEAL_SECONDS):
            return [f"it does not come to rest: {self._unrest()}", *self._judge()]
        return self._judge() + self._stop()

    def _judge(self) -> list[str]:
        found = cast("list[tuple[bytes, list[bytes]]]", self.network.ask(b"XRANGE", b"daebus:{sim}:dead", b"-", b"+"))
        dead = [_letter(fields) for _, fields in found]
        return judge(self.history.events, dead)

    def _plan_load(self, end: float) -> None:
        world, rng = self.world, self.world.plan
        keys = [f"k{number}" for number in range(3)]
        for number in range(rng.randint(5, 25)):
            kind = rng.choice(["send", "send", "call", "keyed", "publish"])
            seconds = rng.choice([0.0, 0.01, 0.2, rng.uniform(0, 8)])
            key = rng.choice(keys) if kind == "keyed" else None
            job = Job(f"{key or kind[0] + str(number)}", 1.0 if key else seconds)
            self.jobs += 1
            world.at(
                rng.uniform(world.now, end),
                lambda kind=kind, job=job, key=key: self.client.begin(kind, job, key=key, timeout=30.0),  # type: ignore[misc]
            )

    def _plan_faults(self, end: float) -> None:
        rng = self.world.plan
        kinds = rng.sample(_FAULTS, rng.randint(1, 4))
        for _ in range(rng.randint(0, 6)):
            kind = rng.choice(kinds)
            self.world.at(rng.uniform(self.world.now, end), lambda kind=kind: self._inject(kind))  # type: ignore[misc]

    def _inject(self, kind: str) -> None:
        rng, world = self.world.plan, self.world
        up = [one for one in self.instances if one.is_up]
        length = rng.choice([0.3, 0.9, 1.1, 3.0]) * _LEASE
        whom = self._break_network(kind, world.now + length)
        if whom is None and up:
            whom = self._break_instance(kind, rng.choice(up), world.now + length)
        self.faults.append(f"{world.now:.3f} {kind} {whom or ''} {length:.2f}")
        self.history.note("fault", kind, whom or "")

    def _break_network(self, kind: str, until: float) -> str | None:
        """Break something that belongs to no instance; returns whom it concerns, or None if there is no such fault."""
        rng, network = self.world.plan, self.network
        alive = [each for each in network.connections if not (each.is_cut or each.is_closed or each.host.is_dead)]
        match kind:
            case "stall" | "cut" if alive:
                each = rng.choice(alive)
                if kind == "cut":
                    each.cut(executes=rng.random() < 0.5)
                else:
                    each.stalled_until = until
                return each.host.name
            case "hang":
                network.hung_until = until
            case "slow":
                network.slow = 0.3
                self.world.at(until, lambda: setattr(network, "slow", 0.0))
            case "clock":
                network.clock += rng.choice([-1, 1]) * rng.choice([1.0, 2.5, 5.0, 60.0, 3600.0])
            case "forget":
                keys = [key for key in network.ask(b"KEYS", b"daebus:*") if key.endswith(_REGISTRIES)]
                if keys:
                    network.ask(b"DEL", rng.choice(sorted(keys)))
            case _:
                return None
        return "all"

    def _break_instance(self, kind: str, one: Instance, until: float) -> str:
        rng, world = self.world.plan, self.world
        match kind:
            case "freeze":
                one.host.frozen_until = until
            case "partition":
                one.host.away_until = until
                for each in self.network.connections:
                    if each.host is one.host and not each.is_closed:
                        each.stalled_until = until
            case "lease":
                one.stop()
                self.add_instance(rng.choice(_OTHER_LEASES))
            case _:
                if kind == "kill":
                    one.kill()
                else:
                    one.stop()
                world.at(world.now + rng.uniform(0, 5), self._start_another)
        return one.host.name

    def _start_another(self) -> None:
        self.add_instance()

    def _heal(self) -> None:
        for one in self.instances:
            one.host.frozen_until = one.host.away_until = 0.0
        for each in self.network.connections:
            each.stalled_until = 0.0
        self.network.hung_until = self.network.slow = 0.0

    def _is_quiet(self) -> bool:
        if not any(one.is_up for one in self.instances):
            self.add_instance()
        return not self._unrest()

    def _unrest(self) -> str:
        if self.client.pending:
            return f"{self.client.pending} operations of the client have not ended"
        if not all(one.is_ready for one in self.instances if one.is_up):
            return "an instance does not start"
        for key in (b"daebus:{sim}:action:work", b"daebus:{sim}:action:keyed"):
            if self.network.ask(b"XLEN", key):
                pending = self.network.ask(b"XPENDING", key, b"daebus", b"-", b"+", b"9")
                return f"{key.decode()} has entries; pending: {pending}"
        if self.network.ask(b"ZCARD", b"daebus:{sim}:retries"):
            return "retries wait"
        channel = b"daebus:channel:{sim_news}"
        groups: list[list[bytes | int]] = []
        if self.network.ask(b"EXISTS", channel):
            groups = self.network.ask(b"XINFO", b"GROUPS", channel)
        for group in groups:
            about = dict(zip(group[::2], group[1::2], strict=True))
            if about[b"pending"] or about.get(b"lag"):
                return f"events wait: {about}"
        return ""

    def _stop(self) -> list[str]:
        for one in self.instances:
            if one.is_up:
                one.stop()
        self.client.stop()
        # A process that starts while its server hangs ends, and is started again.
        tasks = [one.task for one in self.instances if one.is_ready and not one.host.is_dead] + [self.client.task]
        if not self.world.run(lambda: all(task.done() for task in tasks), 30):
            return ["an instance does not stop"]
        return [f"it ended with {error!r}" for error in (task.exception() for task in tasks) if error is not None]


_FAULTS = ("kill", "freeze", "partition", "stall", "cut", "hang", "slow", "stop", "lease", "clock", "forget")
_REGISTRIES = (b":instances", b":serving", b":instances:fence")
_OTHER_LEASES = (2.0, 6.0, 15.0)


def _letter(fields: list[bytes]) -> str:
    return repr(dict(zip(fields[::2], fields[1::2], strict=True)))


def server_path() -> str:
    """The socket of the private server of this process."""
    return private_redis_url().removeprefix("unix://").partition("?")[0]


def try_all(seeds: Sequence[int]) -> tuple[Sequence[int], list[Result]]:
    """The seeds, and the results of those that break a promise; for a process that does nothing else."""
    gc.collect()
    gc.freeze()
    results = [try_seed(seed, server_path()) for seed in seeds]
    return seeds, [result for result in results if result.problems]


def try_seed(seed: int, path: str, *, verbose: bool = False) -> Result:
    """Run one trial against the server at a Unix socket; its database 9 is emptied.

    Args:
        seed: The seed.
        path: The socket.
        verbose: Whether to keep all log lines.
    """
    hook, sys.unraisablehook = sys.unraisablehook, _ignore
    try:
        return _run(seed, path, verbose=verbose)
    finally:
        sys.unraisablehook = hook


def _run(seed: int, path: str, *, verbose: bool) -> Result:
    world = World(seed)
    log, logger = _Log(world), logging.getLogger("daebus")
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    logger.addHandler(log)
    logger.propagate = False
    try:
        with world.rules():
            network = SimNetwork(world, path)
            try:
                trial = _Trial(world, network)
                problems = trial.run()
            finally:
                network.close()
        problems += world.surprises
        digest = hashlib.sha256("\n".join(network.trace).encode()).hexdigest()[:16]
        lines = [*network.trace, *log.lines, *map(_line, trial.history.events)]
        lines.sort(key=lambda line: float(line.partition(" ")[0]))
        return Result(seed, problems, trial.faults, trial.jobs, digest, lines)
    finally:
        logger.removeHandler(log)
        _forget(world)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _forget(world: World) -> None:
    """Let go of the tasks of hosts that were killed, without complaints."""
    for host in world.hosts:
        for loop in host.loops:
            for task in _tasks_of(loop):
                task._log_destroy_pending = False
            loop.shut()
    world.hosts.clear()
    gc.collect()  # the coroutines of hosts that were killed are closed now, and complain


def _ignore(_: object) -> None:
    pass


def _tasks_of(loop: Any) -> list[Any]:
    return list(asyncio.all_tasks(loop))


def _line(event: Event) -> str:
    return f"{event.time:.4f} {event.by} {event.what} {event.kind} {event.name} {event.value}"
