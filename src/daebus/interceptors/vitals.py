"""Readings: what a run of a service says about itself beside the durations of its messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError as CancelledFuture
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from daebus.connection.outages import Outage
from daebus.connection.resp import CommandError
from daebus.errors import Unavailable
from daebus.protocol.discovery import Stats
from daebus.telemetry.counts import Counts
from daebus.telemetry.histograms import Histogram

if TYPE_CHECKING:
    from daebus.app.component import ServiceRun

__all__ = ["METRICS", "Metric", "Reader", "Reading"]

_LONGEST_SECONDS = 2.0


class _Queue(Protocol):
    """See `daebus.operations.queue_states.QueueState`."""

    @property
    def title(self) -> str: ...
    @property
    def waiting(self) -> int | None: ...
    @property
    def pending(self) -> int: ...
    @property
    def retrying(self) -> int | None: ...
    @property
    def oldest(self) -> int | None: ...


class _Vitals(Protocol):
    """See `daebus.app.running.vitals.RunVitals`."""

    @property
    def counts(self) -> Counts: ...
    @property
    def streaming(self) -> frozenset[str]: ...
    @property
    def now(self) -> int: ...
    def stats(self) -> Stats | None: ...
    async def queues(self) -> tuple[Sequence[_Queue], int]: ...


_vitals_of: Callable[[ServiceRun], _Vitals] = attrgetter("_vitals")


class Metric(msgspec.Struct, frozen=True):
    """A metric that is read when it is asked for.

    Attributes:
        name: Its name.
        kind: ``counter``: it only grows; ``gauge``: it does not.
        about: What it says.
        unit: Its unit; empty: it is a number of something.
    """

    name: str
    kind: Literal["counter", "gauge"]
    about: str
    unit: Literal["", "s"] = ""


class Reading(msgspec.Struct, frozen=True):
    """A value of a metric."""

    metric: str
    attributes: Mapping[str, str]
    value: float


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("daebus.info", "gauge", "1, with the version of the service and of daebus."),
        Metric("daebus.messages.active", "gauge", "Messages that are being handled now."),
        Metric("daebus.streams.active", "gauge", "Streams of replies that are in progress now."),
        Metric("daebus.websocket.connections", "gauge", "WebSocket clients that are connected."),
        Metric("daebus.event_loop.delay", "gauge", "Longest delay of the event loop in the last 10 s.", "s"),
        Metric("daebus.queue.messages", "gauge", "Messages in the queue of a handler, of all instances, by state."),
        Metric("daebus.queue.age", "gauge", "Age of the oldest message that waits or is being handled.", "s"),
        Metric("daebus.dead_letters.stored", "gauge", "Dead letters of the service."),
        Metric("daebus.dead_letters", "counter", "Messages that this process has moved to the dead letters."),
        Metric("daebus.retries", "counter", "Messages that failed in this process and are tried again."),
        Metric("daebus.takeovers", "counter", "Messages of dead instances that this process has taken over."),
        Metric("daebus.redis.reconnects", "counter", "Connections to Redis that broke and work again."),
    )
}


class Reader:
    """Reads the vitals of the run that it follows, from any thread. Without a run there is nothing to read.

    Args:
        queues: Whether the queues are read, too, for which Redis is asked.
    """

    def __init__(self, *, queues: bool) -> None:
        self._asks = queues
        self._run: ServiceRun | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def following(self, run: ServiceRun, hear: Callable[[str, float], object] | None = None) -> Generator[None]:
        """Read a run, whose event loop runs in this thread.

        Args:
            run: The run.
            hear: Called with each delay of a background task: its name, and the seconds; None: nobody hears them.
        """
        self._run, self._loop = run, asyncio.get_running_loop()
        if hear is not None:
            _vitals_of(run).counts.hearing.append(hear)
        try:
            yield
        finally:
            self._run = self._loop = None

    def read(self) -> Iterator[Reading]:
        """Read what is of this process."""
        if (run := self._run) is not None and (stats := _vitals_of(run).stats()) is not None:
            vitals = _vitals_of(run)
            yield from _readings(run, [*_of_stats(stats, vitals.streaming), *_of_counts(vitals.counts, stats)])

    def read_queues(self) -> Iterator[Reading]:
        """Read the queues, which all instances of the service share; nothing in the thread of the event loop.

        It cannot wait for the server there.
        """
        if (run := self._run) is not None:
            yield from _readings(run, self._of_queues(_vitals_of(run)))

    def delays(self) -> Mapping[str, Histogram]:
        """The delays of each background task."""
        return {} if self._run is None else dict(_vitals_of(self._run).counts.delays)

    def _of_queues(self, vitals: _Vitals) -> Iterator[_Value]:
        loop = self._loop
        if not self._asks or loop is None or _is_running_here(loop) or loop.is_closed():
            return
        asked = asyncio.run_coroutine_threadsafe(vitals.queues(), loop)
        try:
            queues, dead = asked.result(_LONGEST_SECONDS)
        except (Unavailable, CommandError, TimeoutError, CancelledFuture):  # the metrics have a gap
            asked.cancel()
            return
        for queue in queues:
            handler = {"daebus.handler": queue.title}
            states = {"waiting": queue.waiting, "pending": queue.pending, "retrying": queue.retrying}
            for state, number in states.items():
                if number is not None:
                    yield "daebus.queue.messages", {**handler, "daebus.queue.state": state}, number
            age = 0.0 if queue.oldest is None else max(0.0, (vitals.now - queue.oldest) / 1000)
            yield "daebus.queue.age", handler, age
        yield "daebus.dead_letters.stored", {}, dead


_Value = tuple[str, Mapping[str, str], float]


def _readings(run: ServiceRun, values: Iterable[_Value]) -> Iterator[Reading]:
    for name, attributes, value in values:
        yield Reading(name, {"daebus.service": run.service, **attributes}, value)


def _of_stats(stats: Stats, streaming: Collection[str]) -> Iterator[_Value]:
    yield "daebus.info", {"service.version": stats.version or "", "daebus.version": stats.daebus}, 1
    for handler in stats.handlers:
        yield "daebus.messages.active", {"daebus.handler": handler.label}, handler.in_flight
        if handler.label in streaming:
            yield "daebus.streams.active", {"daebus.handler": handler.label}, handler.in_flight
    if stats.sockets is not None:
        yield "daebus.websocket.connections", {}, stats.sockets
    if stats.lag is not None:
        yield "daebus.event_loop.delay", {}, stats.lag


def _of_counts(counts: Counts, stats: Stats) -> Iterator[_Value]:
    # From 0 on: Prometheus sees no increase in a series that begins at 1.
    queued = {handler.label: 0 for handler in stats.handlers if handler.kind in ("action", "listen")}
    counted = {
        "daebus.dead_letters": counts.buried,
        "daebus.retries": counts.retried,
        "daebus.takeovers": counts.taken_over,
    }
    for name, by_handler in counted.items():
        for handler, number in {**queued, **by_handler}.items():
            yield name, {"daebus.handler": handler}, number
    yield "daebus.redis.reconnects", {}, Outage.reconnected


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
