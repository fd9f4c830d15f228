"""One trial: a seed chooses the load and the faults; then everything is healed, and the history is judged."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec
from typing_extensions import override

from daebus.protocol.messages import action_stream, channel_stream, dead_letters, delayed_entries, listener_stream
from daebus.testing import private_redis_url

from .fleet import Client, Instance
from .history import HUNG_AFTER, Event, History, Stage
from .judge import Letter, judge
from .network import SimNetwork, known_scripts
from .service import ITEMS, KEYED, LISTENER, NEWS, RETRIES, SERVICE, WORK, Job, on_stage
from .virtual import Host, World

__all__ = ["FAULTS", "Result", "search", "server_path", "try_all", "try_seed"]

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
        lines: The trace and the history, for people; only if they are wanted.
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
    def __init__(self, world: World, network: SimNetwork, only: Sequence[str]) -> None:
        self.world = world
        self.network = network
        self.history = History(world)
        self.faults: list[str] = []
        self.instances: list[Instance] = []
        self.client = Client(world, network, self.history)
        self.jobs: dict[str, Job] = {}
        self._only = only
        self._stutters_until = 0.0

    @property
    def _up(self) -> list[Instance]:
        return [one for one in self.instances if one.is_up]

    def add_instance(self, lease: float) -> Instance:
        made = Instance(self.world, self.network, self.history, f"i{len(self.instances) + 1}", lease)
        self.instances.append(made)
        return made

    def run(self) -> list[str]:
        world, rng = self.world, self.world.plan
        leases = _LEASES if rng.random() < _MIXED else (_LEASE,)
        for _ in range(rng.choice([1, 2, 2, 3, 3])):
            self.add_instance(rng.choice(leases))
        if not world.run(lambda: self.client.is_ready and all(one.is_ready for one in self.instances), 30, 0.01):
            return ["the services did not start"]
        if rng.random() < _STEADY:
            world.run(lambda: False, max(one.lease for one in self.instances))
        end = world.now + rng.uniform(5, 20)
        kinds = self._only or rng.sample(FAULTS, rng.choice([1, 1, 2, 3, 4]))
        self._plan_load(end)
        if "poison" in kinds:
            self._plan_poison(rng.uniform(world.now, end))
        if others := [kind for kind in kinds if kind != "poison"]:
            self._plan_faults(others, end)
        world.run(lambda: False, end - world.now)
        self._heal()
        if not world.run(self._is_quiet, _HEAL_SECONDS):
            return [f"it does not come to rest: {self._unrest()}", *self._judge()]
        unanswered = self._ask_last()
        for one in self._up:
            one.note_lapses()
        return unanswered + self._judge() + self._stop()

    def _ask_last(self) -> list[str]:
        """After all that happened, calls are answered."""
        self.world.run(lambda: False, _CLOCK_SECONDS)
        names = [f"last{number}" for number in range(_LAST)]
        for name in names:
            self._plan_job("call", Job(name, 0.0), self.world.now)
        self.world.run(lambda: False, 0.1)
        self.world.run(lambda: not self.client.pending, _HEAL_SECONDS)
        answered = {event.name for event in self.history.events if event.what == "ok"}
        return [f"call {name} was not answered in the end" for name in names if name not in answered]

    def _judge(self) -> list[str]:
        found = cast("list[tuple[bytes, list[bytes]]]", self.network.ask(b"XRANGE", _DEAD, b"-", b"+"))
        letters = [_letter(fields) for _, fields in found if b"member" not in fields]
        bad = {name for name, job in self.jobs.items() if job.kills or job.failures > RETRIES}
        quick = {name for name, job in self.jobs.items() if job.seconds <= _ALONE}
        return judge(self.history.events, letters, bad=bad, quick=quick)

    def _plan_load(self, end: float) -> None:
        """Plan the jobs."""
        rng = self.world.plan
        for number in range(rng.choice([5, 10, 20])):
            kind = rng.choice(["send", "send", "call", "keyed", "publish", "items"])
            job = Job(f"{kind[0]}{number}", rng.choice([0.0, 0.01, 0.2, rng.uniform(0, 8)]))
            if kind == "keyed":
                job.name, job.seconds = rng.choice(_KEYS), 3.0
            elif kind in ("send", "publish") and rng.random() < _FAILING:
                job.failures, job.exits = rng.choice([1, RETRIES, _ALWAYS]), rng.random() < _EXITING
            self._plan_job(kind, job, rng.uniform(self.world.now, end))
        for number in range(_LONG * len(self.instances)):
            kind = rng.choice(["send", "call", "publish", "items"])
            job = Job(f"long-{kind[0]}{number}", rng.uniform(4, 20), rng.choice([0, 0, _ALWAYS]))
            self._plan_job(kind, job, rng.uniform(self.world.now, self.world.now + 2))

    def _plan_poison(self, when: float) -> None:
        """A job that kills its process, while others are in flight there."""
        kind = self.world.plan.choice(["send", "call"])
        self._plan_job(kind, Job("poison", 0.0, kills=True), when)
        for number in range(_INNOCENT):
            self._plan_job(kind, Job(f"innocent{number}", _ALONE), when)

    def _plan_job(self, kind: str, job: Job, when: float) -> None:
        self.jobs[job.name] = job
        key = job.name if kind == "keyed" else None
        self.world.at(when, lambda: self.client.begin(kind, job, key=key, timeout=30.0))

    def _plan_faults(self, kinds: Sequence[str], end: float) -> None:
        rng = self.world.plan
        for _ in range(rng.choice([0, 1, 2, 3, 4, 6])):
            kind = rng.choice(kinds)
            self.world.at(rng.uniform(self.world.now, end), lambda kind=kind: self._inject(kind))  # type: ignore[misc]

    def _inject(self, kind: str) -> None:
        rng, world = self.world.plan, self.world
        up = self._up
        lease = rng.choice([one.lease for one in up] or [_LEASE])
        length = rng.choice(_LENGTHS) * lease
        whom = self._break_network(kind, world.now + length)
        if whom is None and up:
            one = max(up, key=lambda one: one.lease) if kind == "orphan" else rng.choice(up)
            length = self._break_instance(kind, one, length)
            whom = one.host
        name, lease = (whom or "all", 0.0) if not isinstance(whom, Host) else (whom.name, self._lease_of(whom))
        self._note(kind, name, length, lease)

    def _note(self, kind: str, name: str, length: float, lease: float, value: str = "") -> None:
        self.faults.append(f"{self.world.now:.3f} {kind} {name} {length:.2f}")
        self.history.note_fault(kind, name, length, lease, value)

    def _lease_of(self, host: Host) -> float:
        return next((one.lease for one in self.instances if one.host is host), _LEASE)

    def _break_network(self, kind: str, until: float) -> Host | str | None:
        """Break something that belongs to no instance; returns whom it concerns, or None if there is no such fault."""
        rng, network = self.world.plan, self.network
        alive = [each for each in network.connections if not (each.is_cut or each.is_closed or each.host.is_dead)]
        match kind:
            case "stall" | "cut" if alive:
                each = rng.choice(alive)
                if kind == "cut":
                    executes = rng.random() < _EXECUTES
                    each.cut(executes=executes, lingers=executes and rng.random() < _LINGERS)
                else:
                    each.stalled_until = max(each.stalled_until, until)
                return each.host
            case "hang":
                network.hung_until = max(network.hung_until, until)
            case "stutter":
                self._stutter(rng.choice([2, 3]))
            case "slow":
                network.slow = 0.3
                self.world.at(until, lambda: setattr(network, "slow", 0.0))
            case "clock":
                return f"all {self._set_clock():+g}"
            case "forget":
                keys = [key for key in network.ask(b"KEYS", b"daebus:*") if key.endswith(_REGISTRIES)]
                if keys:
                    network.ask(b"DEL", rng.choice(sorted(keys)))
            case "misfit":
                network.ask(b"ZADD", _DELAYED, b"0", rng.choice(_MISFITS))
            case _:
                return None
        return "all"

    def _set_clock(self) -> float:
        rng = self.world.plan
        step = rng.choice([-1, 1]) * rng.choice([1.0, 2.5, 5.0, 60.0, 3600.0])
        self.network.clock += step
        if rng.random() < _SCALED:  # this one has never known another time
            self.add_instance(_LEASE)
        return step

    def _stutter(self, times: int) -> None:
        """The server hangs for less than half a lease, executes what it comes to in an instant, and hangs again."""
        network, world = self.network, self.world
        length = _STUTTER * min([one.lease for one in self._up], default=_LEASE)
        network.hung_until = max(network.hung_until, world.now + length)
        network.quick_until = world.now + length * times + _LEASE
        self._stutters_until = max(self._stutters_until, network.hung_until)
        if times > 1:
            world.at(network.hung_until, lambda: self._stutter(times - 1))

    def _break_instance(self, kind: str, one: Instance, length: float) -> float:
        """Break an instance, and return for how long."""
        rng, world = self.world.plan, self.world
        until = world.now + length
        match kind:
            case "freeze":
                one.host.frozen_until = max(one.host.frozen_until, until)
            case "orphan":
                one.host.frozen_until = max(one.host.frozen_until, until)
                self._inject("forget")
            case "partition":
                one.host.away_until = max(one.host.away_until, until)
                for each in self.network.connections:
                    if each.host is one.host and not each.is_closed:
                        each.stalled_until = max(each.stalled_until, until)
            case "loop":
                length = rng.choice([HUNG_AFTER / 2, HUNG_AFTER + 2.5 * one.lease])
                one.hang(length)
            case "lease":
                one.stop()
                self.add_instance(rng.choice(_LEASES))
            case "kill":
                one.kill()
                length = float("inf")
                world.at(world.now + rng.uniform(0, 5), self._start_another)
            case _:
                one.stop()
                world.at(world.now + rng.uniform(0, 5), self._start_another)
        return length

    def poisoned(self, host: Host) -> None:
        """A job kills the host on which it runs."""
        one = next(one for one in self.instances if one.host is host)
        one.kill()
        self._note("kill", host.name, float("inf"), one.lease, "poison")
        self.world.at(self.world.now + self.world.rng.uniform(0, 2), self._start_another)

    def _start_another(self) -> None:
        self.add_instance(_LEASE)

    def _heal(self) -> None:
        self.history.note("healed", "", "")
        for one in self.instances:
            one.host.frozen_until = one.host.away_until = 0.0
        for each in self.network.connections:
            each.stalled_until = 0.0
        self.network.hung_until = self.network.slow = 0.0
        for each in self.network.connections:  # also what was sent over those that are closed by now
            self.network.serve(each)

    def _is_quiet(self) -> bool:
        if not self._up:
            self.add_instance(_LEASE)
        return self._stutters_until < self.world.now and not self._unrest()

    def _unrest(self) -> str:
        if self.client.pending:
            return f"{self.client.pending} operations of the client have not ended"
        if not self.client.is_connected:
            return "the client is not connected"
        if not all(one.is_ready for one in self._up):
            return "an instance does not start"
        if any(one.host.hung_until > self.world.now for one in self._up):
            return "the event loop of an instance hangs"
        *lengths, waiting, groups = self.network.ask_all(
            [*((b"XLEN", stream) for stream in _STREAMS), (b"ZCARD", _DELAYED), (b"XINFO", b"GROUPS", _CHANNEL)]
        )
        for stream, length in zip(_STREAMS, lengths, strict=True):
            if length:
                group = SERVICE.encode() + b":" + LISTENER.encode() if stream == _STREAMS[-1] else b"daebus"
                pending = self.network.ask_all([(b"XPENDING", stream, group, b"-", b"+", b"9")])
                return f"{stream.decode()} has entries; pending: {pending}"
        if waiting:
            return "retries wait"
        found: list[list[Any]] = [] if isinstance(groups, Exception) else groups
        for fields in found:
            about = dict(zip(fields[::2], fields[1::2], strict=True))
            if about[b"pending"] or about.get(b"lag"):
                return f"events wait: {about}"
        return ""

    def _stop(self) -> list[str]:
        for one in self._up:
            one.stop()
        self.client.stop()
        # A process that starts while its server hangs ends, and is started again.
        tasks = [one.task for one in self.instances if one.is_ready and not one.host.is_dead] + [self.client.task]
        if not self.world.run(lambda: all(task.done() for task in tasks), 30):
            return ["an instance does not stop"]
        return [f"it ended with {error!r}" for error in (task.exception() for task in tasks) if error is not None]


FAULTS = (
    *("kill", "freeze", "partition", "loop", "stop", "lease"),
    *("stall", "cut", "slow", "hang", "stutter", "clock", "forget", "orphan", "misfit", "poison"),
)
_LENGTHS = (0.3, 0.9, 1.1, 3.0)
_REGISTRIES = (b":instances", b":serving", b":instances:fence")
_LEASES = (2.0, 6.0, 15.0)
_KEYS = ("k0", "k1", "k2")
_MISFITS = (b"no retry", b"[]", b'["no stream","",""]', b"\xff")
_MIXED, _FAILING, _EXITING = 0.4, 0.2, 0.2
"""How many of the trials have mixed leases, how many of the jobs fail, and how many of these by an exit."""

_LAST, _CLOCK_SECONDS = 6, 3.0
"""How many calls there are in the end, and after how many seconds each process knows that the clock was set."""

_SCALED = 0.5
"""After how many of the steps of the clock another instance starts."""

_STEADY = 0.8
"""In how many of the trials all instances may take over entries before anything breaks."""

_EXECUTES, _LINGERS = 0.8, 0.7
"""How many of the connections that break leave commands behind, and how many of these a read that blocks."""

_ALWAYS = 99
_LONG = 3
"""How many jobs for each instance take so long that they are in flight when something breaks."""

_ALONE = 0.05
"""Less than the shortest time in seconds that a suspect runs alone."""

_INNOCENT = 8
"""How many jobs are in flight beside a job that kills."""

_STUTTER = 0.45
"""How long the server hangs each time when it stutters, in leases."""

_STREAMS = (
    *(action_stream(SERVICE, action.name).encode() for action in (WORK, KEYED, ITEMS)),
    listener_stream(SERVICE, NEWS.name, LISTENER).encode(),
)
_CHANNEL, _DELAYED, _DEAD = (
    key.encode() for key in (channel_stream(NEWS.name), delayed_entries(SERVICE), dead_letters(SERVICE))
)


def _letter(flat: list[bytes]) -> Letter:
    fields = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    if "request" in fields:
        job = msgspec.json.decode(
            msgspec.json.decode(fields["request"], type=dict[str, msgspec.Raw])["payload"], type=Job
        )
    else:
        job = msgspec.json.decode(fields["event"], type=Job)
    return Letter(job.name, fields["error"].decode(), int(fields["deliveries"]))


def server_path() -> str:
    """The socket of the private server of this process."""
    return private_redis_url().removeprefix("unix://").partition("?")[0]


def _freeze() -> None:
    """Keep what exists out of the garbage collector, with the scripts, which must be known before."""
    known_scripts()
    gc.collect()
    gc.freeze()


def try_all(seeds: Sequence[int]) -> tuple[Sequence[int], list[Result]]:
    """The seeds, and their results; for a process that does nothing else."""
    _freeze()
    results = [try_seed(seed, server_path()) for seed in seeds]
    return seeds, results


def search(seeds: Sequence[int], seconds: float, only: Sequence[str] = ()) -> tuple[int, Result | None]:
    """Try seeds until one breaks a promise, or for some seconds of processor time.

    Returns:
        How many, and the result of that one.
    """
    _freeze()
    end, path = time.process_time() + seconds, server_path()
    for count, seed in enumerate(seeds, 1):
        result = try_seed(seed, path, only=only)
        if result.problems:
            return count, result
        if time.process_time() > end:
            return count, None
    return len(seeds), None


def try_seed(seed: int, path: str, *, verbose: bool = False, only: Sequence[str] = ()) -> Result:
    """Run one trial against the server at a Unix socket; its database 9 is emptied.

    Args:
        seed: The seed.
        path: The socket.
        verbose: Whether to keep what happened, with all log lines.
        only: The kinds of faults, if not all.
    """
    logger = logging.getLogger("daebus")
    before = logger.level, logger.propagate, sys.unraisablehook
    logger.setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    logger.propagate, sys.unraisablehook = False, _ignore
    gc.disable()
    try:
        return _run(seed, path, verbose=verbose, only=only)
    finally:
        logger.disabled = True
        gc.collect()  # the coroutines of hosts that were killed are closed now, and complain
        gc.enable()
        logger.disabled = False
        logger.setLevel(before[0])
        logger.propagate, sys.unraisablehook = before[1:]


def _run(seed: int, path: str, *, verbose: bool, only: Sequence[str]) -> Result:
    world = World(seed)
    log, logger = _Log(world), logging.getLogger("daebus")
    logger.addHandler(log)
    try:
        with world.rules():
            network = SimNetwork(world, path)
            try:
                trial = _Trial(world, network, only)
                with on_stage(Stage(world, trial.history, trial.poisoned)):
                    problems = trial.run()
            finally:
                network.close()
        problems += world.surprises
        digest = hashlib.sha256("\n".join(network.trace).encode()).hexdigest()[:16]
        lines = [*network.trace, *log.lines, *map(_line, trial.history.events)] if verbose else []
        lines.sort(key=lambda line: float(line.partition(" ")[0]))
        return Result(seed, problems, trial.faults, len(trial.jobs), digest, lines)
    finally:
        logger.removeHandler(log)
        _forget(world)


def _forget(world: World) -> None:
    """Let go of the tasks of hosts that were killed, without complaints."""
    for host in world.hosts:
        for loop in host.loops:
            for task in _tasks_of(loop):
                task._log_destroy_pending = False
                with suppress(Exception, asyncio.CancelledError):
                    task.get_coro().close()  # a `Context` in its frames is not seen by the garbage collector
            loop.shut()
    world.hosts.clear()


def _ignore(_: object) -> None:
    pass


def _tasks_of(loop: Any) -> list[Any]:
    return list(asyncio.all_tasks(loop))


def _line(event: Event) -> str:
    return f"{event.time:.4f} {event.by} {event.what} {event.kind} {event.name} {event.value}"
