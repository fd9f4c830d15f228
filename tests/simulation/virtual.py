"""Virtual time: the event loops of several hosts take turns in one thread, and time passes when all of them wait."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import secrets
import sys
import threading
import time
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack, contextmanager
from contextvars import Context, copy_context
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
_RESOLUTION = 1e-9


class _NoSelector:
    """The selector of a loop that never waits: the world decides when it goes on."""

    def select(self, _: float | None = None) -> list[object]:
        return []

    def close(self) -> None:
        pass


class _Handle(asyncio.Handle):
    """A handle that is made faster: it has nothing for debugging."""

    _context: Context
    _loop: Any
    _callback: Any
    _repr: str | None
    _source_traceback: None

    __slots__ = ()

    def __init__(self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: Context | None) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._cancelled = False
        self._callback = callback
        self._args = args
        self._repr = self._source_traceback = None


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
    _closed: bool
    _check_closed: Callable[[], None]

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.due: float = _NEVER
        self.is_stale: bool = False
        inside = cast("Any", self)
        inside._selector = _NoSelector()
        inside._clock_resolution = _RESOLUTION
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

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        if self._closed:
            self._check_closed()
        return _Task(next(self._world.numbers), coro, loop=self, name=name, context=context)

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

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self._closed:
            self._check_closed()
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        if self.due:
            self.due = 0.0
            self._world.is_changed = True
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if when < self.due:
            self.due = when
            self._world.is_changed = True
        return super().call_at(when, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.is_stale = self._world.is_changed = True
        cast("Any", super())._timer_handle_cancelled(handle)

    def step(self) -> None:
        """Run one iteration: what was ready before, and the timers that are due."""
        if self._world.running is not self:
            self._enter()
        self.due = 0.0
        ready, timers = self._ready, self._scheduled
        end = self._world.now + _RESOLUTION
        while timers and timers[0]._when < end:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            else:
                ready.append(timer)
        batch, self._ready = ready, deque()
        for handle in batch:
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self.call_exception_handler({"message": f"in {handle._callback}", "exception": error})
        self.is_stale = False
        if not self._ready:
            self.due = self.next_time

    def _enter(self) -> None:
        """Be the loop that runs."""
        inside = cast("Any", self)
        sys.set_asyncgen_hooks(firstiter=inside._asyncgen_firstiter_hook, finalizer=inside._asyncgen_finalizer_hook)
        events._set_running_loop(self)
        self._world.running = self


class _Task(asyncio.Task[T]):
    """A task whose hash is its number: the order of a set of tasks does not depend on where they are in memory."""

    def __init__(self, number: int, *args: Any, **options: Any) -> None:
        self._number = number
        super().__init__(*args, **options)

    def __hash__(self) -> int:
        return self._number


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
        self.is_dead: bool = False
        self.loops: list[SimLoop] = []
        self.main = self.add_loop()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        self.world.is_changed = True  # its loops may have something to do earlier or later

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
        numbers: Numbers for what has to have an order.
        running: The loop that runs, or has run last.
        is_changed: Whether a loop has got something to do earlier than it had, or may have it later.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 1000.0
        self.rng = random.Random(seed)
        self.plan = random.Random(seed)
        self.hosts: list[Host] = []
        self.current: Host | None = None
        self.surprises: list[str] = []
        self.running: SimLoop | None = None
        self.is_changed: bool = False
        self._events: list[tuple[float, float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()

    def host(self, name: str) -> Host:
        """A new host."""
        host = Host(self, name)
        self.hosts.append(host)
        return host

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Have something happen; what happens at the same time does so in random order."""
        heapq.heappush(self._events, (max(self.now, when), self.rng.random(), next(self.numbers), do))

    def run(self, until: Callable[[], bool], limit: float, every: float = 0.2) -> bool:
        """Let time pass until something holds, but at most for some seconds; returns whether it holds.

        Args:
            until: The condition; it is checked now and then.
            limit: The seconds.
            every: The seconds between two checks.
        """
        end, check, following, happenings = self.now + limit, self.now, self.now, self._events
        hooks = sys.get_asyncgen_hooks()
        try:
            while True:
                if self.now >= check:
                    if until():
                        return True
                    check = self.now + every
                if self.is_changed or following <= self.now:
                    following = self._run_ready()
                happening = happenings[0][0] if happenings else _NEVER
                ahead = min(following, happening)
                if ahead > end:
                    self.now = max(self.now, end)
                    return until()
                self.now = max(self.now, ahead)
                while happenings and happenings[0][0] <= self.now:
                    heapq.heappop(happenings)[3]()
        finally:
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self.running = None

    def _run_ready(self) -> float:
        """Run the event loops until none has anything to do, and return when the first of them has."""
        ready, following = self._due()
        while ready:
            host, loop = ready[0] if len(ready) == 1 else self.rng.choice(ready)
            self.current = host
            loop.step()
            if self.is_changed:
                ready, following = self._due()
            elif loop.due > self.now:
                ready.remove((host, loop))
                following = min(following, loop.due)
        self.current = None
        return following

    def _due(self) -> tuple[list[tuple[Host, SimLoop]], float]:
        """The event loops that have something to do, and when the first of the others has."""
        now, ready, following = self.now, list[tuple[Host, SimLoop]](), _NEVER
        self.is_changed = False
        for host in self.hosts:
            if host.is_dead:
                continue
            for loop in host.loops:
                when = loop.due
                if when >= following:
                    continue
                if loop.is_stale:
                    when = loop.due = loop.next_time
                    loop.is_stale = False
                when = max(when, host.frozen_until)
                if when < host.hung_until and loop is host.main:
                    when = host.hung_until
                if when <= now:
                    ready.append((host, loop))
                elif when < following:
                    following = when
        return ready, following

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
