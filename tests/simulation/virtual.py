"""Virtual time: the event loops of several hosts take turns in one thread, and time passes when all of them wait."""

from __future__ import annotations

import asyncio
import heapq
import random
import secrets
import sys
import threading
import time
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import Context
from typing import Any, TypeVar, cast
from unittest.mock import patch

from typing_extensions import TypeVarTuple

from daebus.queues import due_retries, leases

__all__ = ["EPOCH", "Host", "SimLoop", "World"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_700_000_000.0
"""The time of day at the beginning, in seconds; `World.now` counts from 1,000."""

_NEVER = float("inf")


class _NoSelector:
    """The selector of a loop that never waits: the world decides when it goes on."""

    def select(self, _: float | None = None) -> list[object]:
        return []

    def close(self) -> None:
        pass


class SimLoop(asyncio.BaseEventLoop):
    """An event loop whose clock is that of its world, and which runs one iteration at a time.

    Args:
        world: Has the clock.

    Attributes:
        due: When it has something to do; 0: now.
        is_stale: Whether `due` may be too early, as a timer was cancelled: then see `next_time`.
    """

    _ready: deque[Any]
    _scheduled: list[Any]
    _timer_cancelled_count: int

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.due: float = _NEVER
        self.is_stale: bool = False
        inside = cast("Any", self)
        inside._selector = _NoSelector()
        inside._clock_resolution = 1e-9
        inside._thread_id = threading.get_ident()
        inside.run_in_executor = self._run_inline

    def time(self) -> float:
        """The time of the world."""
        return self._world.now

    def _process_events(self, _: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _run_inline(self, _: object, function: Callable[..., object], *args: object) -> asyncio.Future[object]:
        """Call the function at once; the joining of a simulated thread lasts until that has ended."""
        future: asyncio.Future[object] = self.create_future()
        joined = getattr(function, "args", (function,))[0]
        thread = getattr(joined, "__self__", None)
        if isinstance(thread, SimThread):
            thread.when_ended(lambda: None if future.done() else future.set_result(None))
        else:
            future.set_result(function(*args))
        return future

    def shut(self) -> None:
        """Close it, with whatever it still has to do."""
        cast("Any", self)._thread_id = None
        self.close()

    @property
    def next_time(self) -> float:
        """When it has something to do; 0: now, otherwise the time of its first timer."""
        if self._ready:
            return 0.0
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1
            handle = heapq.heappop(timers)
            handle._scheduled = False
        return timers[0]._when if timers else _NEVER

    def _call_soon(self, *args: Any) -> asyncio.Handle:
        self.due = 0.0
        handle: asyncio.Handle = cast("Any", super())._call_soon(*args)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.due = min(self.due, when)
        return super().call_at(when, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.is_stale = True
        cast("Any", super())._timer_handle_cancelled(handle)

    def step(self) -> None:
        """Run one iteration."""
        inside = cast("Any", self)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=inside._asyncgen_firstiter_hook, finalizer=inside._asyncgen_finalizer_hook)
        events._set_running_loop(self)
        try:
            inside._run_once()
        finally:
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self.due, self.is_stale = self.next_time, False


class SimThread:
    """A thread that runs a heartbeat: a further event loop of the same host.

    Args:
        host: Where it runs.
        target: The bound method that runs the heartbeat of a lease.
        args: Its arguments.
    """

    def __init__(self, host: Host, target: Callable[..., None], args: list[Any]) -> None:
        self._host = host
        self._lease = cast("Any", target).__self__
        self._args = args
        self._has_ended = False
        self._told: list[Callable[[], None]] = []

    def start(self) -> None:
        loop = self._host.add_loop()
        task = loop.create_task(self._lease._beat_on(*self._args))
        task.add_done_callback(lambda _: self._end())

    def join(self) -> None:
        raise AssertionError("joined on the event loop")

    def when_ended(self, tell: Callable[[], None]) -> None:
        if self._has_ended:
            tell()
        else:
            self._told.append(tell)

    def _end(self) -> None:
        self._has_ended = True
        for tell in self._told:
            tell()


class Host:
    """A process: its event loops run, or are frozen, or have died.

    Attributes:
        name: Its name.
        world: Its world.
        frozen_until: When it goes on.
        away_until: When the network reaches it again.
        hung_until: When its main event loop goes on.
        is_dead: Whether it was killed.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.frozen_until = 0.0
        self.away_until = 0.0
        self.hung_until = 0.0
        self.is_dead = False
        self.loops: list[SimLoop] = []
        self.main = self.add_loop()

    def add_loop(self) -> SimLoop:
        """A new event loop."""
        loop = SimLoop(self.world)
        loop.set_exception_handler(lambda _, what: self.world.surprises.append(f"{self.name}: {what}"))
        self.loops.append(loop)
        return loop

    def start(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Run a coroutine in its main loop."""
        return self.main.create_task(work)


class World:
    """The clock, the hosts, and what is going to happen.

    Args:
        seed: Chooses the order of everything that is not ordered.

    Attributes:
        now: The time in seconds.
        rng: Random numbers for the network and the order of events.
        plan: Random numbers for the load and the faults, so that these depend on nothing but the seed.
        hosts: All hosts, dead ones too.
        surprises: What went wrong outside of any task.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 1000.0
        self.rng = random.Random(seed)
        self.plan = random.Random(seed)
        self.hosts: list[Host] = []
        self.current: Host | None = None
        self.surprises: list[str] = []
        self._events: list[tuple[float, float, int, Callable[[], None]]] = []
        self._count = 0

    def host(self, name: str) -> Host:
        """A new host."""
        host = Host(self, name)
        self.hosts.append(host)
        return host

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Have something happen; what happens at the same time does so in random order."""
        self._count += 1
        heapq.heappush(self._events, (max(when, self.now), self.rng.random(), self._count, do))

    def run(self, until: Callable[[], bool], limit: float, every: float = 0.2) -> bool:
        """Let time pass until something holds, but at most for some seconds; returns whether it holds.

        Args:
            until: The condition; it is checked now and then.
            limit: The seconds.
            every: The seconds between two checks.
        """
        end, check = self.now + limit, self.now
        while True:
            if self.now >= check:
                if until():
                    return True
                check = self.now + every
            ready, following = self._due()
            if ready:
                self._step_one(ready)
                continue
            following = min(following, self._events[0][0] if self._events else _NEVER)
            if following > end:
                self.now = max(self.now, end)
                return until()
            self.now = max(self.now, following)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[3]()

    def _due(self) -> tuple[list[tuple[Host, SimLoop]], float]:
        """The event loops that have something to do, and when the first of the others has."""
        now, ready, following = self.now, list[tuple[Host, SimLoop]](), _NEVER
        for host in self.hosts:
            if host.is_dead:
                continue
            for loop in host.loops:
                if loop.is_stale:
                    loop.due, loop.is_stale = loop.next_time, False
                if loop.due >= following:
                    continue
                when = max(loop.due, host.frozen_until)
                if when < host.hung_until and loop is host.main:
                    when = host.hung_until
                if when <= now:
                    ready.append((host, loop))
                elif when < following:
                    following = when
        return ready, following

    def _step_one(self, ready: Sequence[tuple[Host, SimLoop]]) -> None:
        self.current, loop = ready[0] if len(ready) == 1 else self.rng.choice(ready)
        loop.step()
        self.current = None

    @contextmanager
    def rules(self) -> Generator[None]:
        """Inside, all clocks of the process are those of the world, and all random numbers depend on the seed."""
        state = random.getstate()
        random.seed(self.seed)
        with ExitStack() as stack:
            for module, name, now in (
                (time, "monotonic", lambda: self.now),
                (time, "time", lambda: EPOCH + self.now),
                (secrets, "token_hex", lambda size=32: self.rng.randbytes(size).hex()),
                (leases, "uptime", lambda: self.now),
                (due_retries, "uptime", lambda: self.now),
                (leases, "threading", _Threading(self)),
            ):
                stack.enter_context(patch.object(module, name, now))
            yield
        random.setstate(state)


class _Threading:
    """The module `threading` as the heartbeat sees it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def Thread(self, *, target: Callable[..., None], args: list[Any], **_: object) -> SimThread:  # noqa: N802
        assert self._world.current is not None
        return SimThread(self._world.current, target, args)
