"""One trial: a seed chooses the load and the faults; then everything is healed, and the history is judged."""

from __future__ import annotations

import gc
import hashlib
import logging
import sys
from typing import Any

import msgspec
from typing_extensions import override

from daebus.errors import StartupError

from .fleet import Client, Event, History, Instance, Job
from .judge import judge
from .network import SimNetwork
from .virtual import World

__all__ = ["Result", "try_seed"]

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
        for _ in range(world.rng.choice([1, 2, 2, 3])):
            self.add_instance()
        if not world.run(lambda: self.client.is_ready and all(one.is_ready for one in self.instances), 30, 0.01):
            return ["the services did not start"]
        end = world.now + world.rng.uniform(5, 25)
        self._plan_load(end)
        self._plan_faults(end)
        world.run(lambda: False, end - world.now)
        self._heal()
        if not world.run(self._is_quiet, _HEAL_SECONDS):
            return [f"it does not come to rest: {self._unrest()}", *self._judge()]
        return self._judge() + self._stop()

    def _judge(self) -> list[str]:
        dead = [_letter(fields) for _, fields in self.network.ask(b"XRANGE", b"daebus:{sim}:dead", b"-", b"+") or []]
        return judge(self.history.events, dead)

    def _plan_load(self, end: float) -> None:
        world, rng = self.world, self.world.rng
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
        rng = self.world.rng
        for _ in range(rng.randint(0, 5)):
            kind = rng.choice(list(_FAULTS))
            self.world.at(rng.uniform(self.world.now, end), lambda kind=kind: self._inject(kind))  # type: ignore[misc]

    def _inject(self, kind: str) -> None:
        rng, world = self.world.rng, self.world
        up = [one for one in self.instances if one.is_up]
        one = rng.choice(up) if up else None
        length = rng.choice([0.3, 0.9, 1.1, 3.0]) * _LEASE
        about = f"{world.now:.3f} {kind} {'' if one is None else one.host.name} {length:.2f}"
        self.faults.append(about)
        if kind not in ("stall", "cut"):
            self.history.note("fault", kind, "" if one is None else one.host.name)
        match kind:
            case "kill" if one is not None:
                one.kill()
                world.at(world.now + rng.uniform(0, 5), self.add_instance)
            case "freeze" if one is not None:
                one.host.frozen_until = world.now + length
            case "partition" if one is not None:
                one.host.away_until = world.now + length
                for each in self.network.connections:
                    if each.host is one.host and not each.is_closed:
                        each.stalled_until = world.now + length
            case "stall":
                mine = [each for each in self.network.connections if not each.is_closed and not each.host.is_dead]
                each = rng.choice(mine)
                each.stalled_until = world.now + length
                self.history.note("fault", kind, each.host.name)
            case "cut":
                mine = [each for each in self.network.connections if not each.is_cut and not each.host.is_dead]
                each = rng.choice(mine)
                each.cut(executes=rng.random() < 0.5)
                self.history.note("fault", kind, each.host.name)
            case "hang":
                self.network.hung_until = world.now + length
            case "slow":
                self.network.slow = 0.3
                world.at(world.now + length, lambda: setattr(self.network, "slow", 0.0))
            case "stop" if one is not None:
                one.stop()
                world.at(world.now + rng.uniform(0, 5), self.add_instance)
            case _:
                pass

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
        groups = self.network.ask(b"EXISTS", b"daebus:channel:{sim_news}") and self.network.ask(
            b"XINFO", b"GROUPS", b"daebus:channel:{sim_news}"
        )
        for group in groups or []:
            about = dict(zip(group[::2], group[1::2], strict=True))
            if about[b"pending"] or about.get(b"lag"):
                return f"events wait: {about}"
        return ""

    def _stop(self) -> list[str]:
        for one in self.instances:
            if one.is_up:
                one.stop()
        self.client.stop()
        tasks = [one.task for one in self.instances if not one.host.is_dead] + [self.client.task]
        if not self.world.run(lambda: all(task.done() for task in tasks), 30):
            return ["an instance does not stop"]
        errors = [task.exception() for task in tasks]
        # A process that starts while its server hangs ends, and is started again.
        return [f"it ended with {error!r}" for error in errors if not isinstance(error, StartupError | None)]


_FAULTS = ("kill", "freeze", "partition", "stall", "cut", "hang", "slow", "stop")


def _letter(fields: list[bytes]) -> str:
    return repr(dict(zip(fields[::2], fields[1::2], strict=True)))


def try_seed(seed: int, path: str, *, verbose: bool = False) -> Result:
    """Run one trial against the server at a Unix socket; its database 9 is emptied.

    Args:
        seed: The seed.
        path: The socket.
        verbose: Whether to keep all log lines.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        result = _run(seed, path, verbose=verbose)
        return result
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


def _tasks_of(loop: Any) -> list[Any]:
    import asyncio

    return list(asyncio.all_tasks(loop))


def _line(event: Event) -> str:
    return f"{event.time:.4f} {event.by} {event.what} {event.kind} {event.name} {event.value}"
