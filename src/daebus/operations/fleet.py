"""The fleet as operators see it: the services, their instances, their handlers, and what waits in the queues."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

import msgspec

from daebus.connection.node import Node
from daebus.discovery.asking import ask
from daebus.protocol.discovery import SERVICES, HandlerStatistics, State, Stats
from daebus.protocol.messages import instance_registry
from daebus.telemetry.statistics import BOUNDS

from .queue_states import QueueState, dead_count, queue_states

__all__ = ["HandlerReport", "InstanceReport", "ServiceReport", "live_instances", "quantile", "service_reports"]

InstanceState: TypeAlias = State | Literal["silent"]


class InstanceReport(msgspec.Struct, frozen=True):
    """An instance.

    Attributes:
        instance: Its id.
        state: ``starting``, ``running``, ``stopping``; or ``silent``: it sends heartbeats, and has not answered.
        stats: How it is doing; None: it is silent.
    """

    instance: str
    state: InstanceState
    stats: Stats | None


class HandlerReport(msgspec.Struct, frozen=True):
    """A handler, in all instances together since their starts.

    Attributes:
        title: The kind and the name; for a listener, the kind and the listener.
        messages: How many messages it got.
        errors: How many of them ended with an error, by the code of the error.
        in_flight: How many it is handling now.
        p50: The median of the durations, in seconds; None: there are no durations.
        p95: The duration that 95 % do not exceed, in seconds.
        p99: The duration that 99 % do not exceed, in seconds.
        queue: What waits for it; None: it takes nothing from a queue.
    """

    title: str
    messages: int
    errors: Mapping[str, int]
    in_flight: int
    p50: float | None
    p95: float | None
    p99: float | None
    queue: QueueState | None


class ServiceReport(msgspec.Struct, frozen=True):
    """A service.

    Attributes:
        service: Its name.
        seen: When an instance of it has last sent a heartbeat, in ms of the server's clock.
        instances: Its instances, the oldest first.
        handlers: Its handlers, in the order of registration, with those that only have a queue at the end.
        dead: How many dead letters it has.
    """

    service: str
    seen: int
    instances: Sequence[InstanceReport]
    handlers: Sequence[HandlerReport]
    dead: int

    @property
    def versions(self) -> Sequence[str]:
        """The versions of its instances."""
        return sorted({one.stats.version for one in self.instances if one.stats is not None and one.stats.version})


async def service_reports(
    node: Node, service: str | None = None, *, patience: float | None = None
) -> Sequence[ServiceReport]:
    """The services that had an instance within a week, by name.

    Args:
        node: This process.
        service: The only service to report; None: all.
        patience: How long to wait for the answers of instances, in seconds; None: 1.

    Raises:
        Unavailable: The server cannot be reached.
    """
    answers, seen = await asyncio.gather(ask(node, "stats", Stats, service=service, patience=patience), _seen(node))
    names = sorted({*seen, *(each.service for each in answers)}) if service is None else [service]
    of_service = {name: [each for each in answers if each.service == name] for name in names}
    return await asyncio.gather(*(_report(node, name, seen.get(name, 0), of_service[name]) for name in names))


async def _seen(node: Node) -> dict[str, int]:
    """When each service has last sent a heartbeat."""
    flat = cast("list[bytes]", await node.link.execute("ZRANGE", SERVICES, 0, -1, "WITHSCORES"))
    return {name.decode(): int(float(score)) for name, score in zip(flat[::2], flat[1::2], strict=True)}


async def _report(node: Node, service: str, seen: int, answers: Sequence[Stats]) -> ServiceReport:
    live, queues, dead = await asyncio.gather(
        live_instances(node, service), queue_states(node, service), dead_count(node, service)
    )
    instances = [InstanceReport(each.instance, each.state, each) for each in sorted(answers, key=_age)]
    silent = sorted(live - {each.instance for each in answers})
    instances += [InstanceReport(instance, "silent", None) for instance in silent]
    return ServiceReport(service, seen, instances, _handlers(answers, queues), dead)


def _age(stats: Stats) -> int:
    return stats.started


async def live_instances(node: Node, service: str) -> set[str]:
    """The instances whose lease has not expired."""
    registry, now = instance_registry(service), node.clock.now()
    members = cast("list[bytes]", await node.link.execute("ZRANGEBYSCORE", registry, now, "+inf"))
    return {name for name in (member.decode() for member in members) if not name.startswith((":", "returned-"))}


def _handlers(answers: Sequence[Stats], queues: Sequence[QueueState]) -> list[HandlerReport]:
    by_title: dict[str, list[HandlerStatistics]] = {}
    for each in answers:
        for one in each.handlers:
            by_title.setdefault(one.label, []).append(one)
    waiting = {queue.title: queue for queue in queues}
    for title in waiting:
        by_title.setdefault(title, [])
    return [_handler(title, found, waiting.get(title)) for title, found in by_title.items()]


def _handler(title: str, found: Sequence[HandlerStatistics], queue: QueueState | None) -> HandlerReport:
    errors: Counter[str] = Counter()
    for one in found:
        errors.update(one.errors)
    durations = [pair for one in found for pair in one.durations]
    return HandlerReport(
        title=title,
        messages=sum(one.messages for one in found),
        errors=errors,
        in_flight=sum(one.in_flight for one in found),
        p50=quantile(durations, 0.5),
        p95=quantile(durations, 0.95),
        p99=quantile(durations, 0.99),
        queue=queue,
    )


_STEP = 2**0.5


def quantile(durations: Iterable[tuple[float | None, int]], share: float) -> float | None:
    """A quantile of durations, from the histograms of one or several instances.

    It is interpolated between the bounds of a bucket, which differ by the factor √2. Above all bounds, it is infinite.

    Args:
        durations: Pairs of the upper bound of a bucket in seconds (None: there is none) and the number of durations
            in it.
        share: The share of the durations that do not exceed the quantile: 0.5 is the median.

    Returns:
        The quantile in seconds; None: there are no durations.
    """
    counts: dict[float, int] = {}
    for bound, count in durations:
        key = float("inf") if bound is None else bound
        counts[key] = counts.get(key, 0) + count
    rest = share * sum(counts.values())
    for bound, count in sorted(counts.items()):
        if rest <= count:
            lower = 0.0 if bound == BOUNDS[0] else bound / _STEP
            return bound if bound == float("inf") else lower + (bound - lower) * rest / count
        rest -= count
    return None
