"""Rates: what has happened in a fleet between two reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from daebus.protocol.discovery import HandlerStatistics, Stats

from .fleet import HandlerReport, ServiceReport, quantile
from .queue_states import QueueState

__all__ = ["HandlerRate", "InstanceRate", "handler_rates", "instance_rates"]


class InstanceRate(msgspec.Struct, frozen=True):
    """An instance between two reports.

    Attributes:
        service: Its service.
        instance: Its id.
        state: As in `InstanceReport`.
        stats: How it is doing; None: it is silent.
        messages: How many messages it handled a second.
        cpu: The share of one CPU core that it used, from 0 to 1; more if it used several.
    """

    service: str
    instance: str
    state: str
    stats: Stats | None
    messages: float
    cpu: float


class HandlerRate(msgspec.Struct, frozen=True):
    """A handler in all instances between two reports.

    Attributes:
        service: Its service.
        title: The kind and the name.
        messages: How many messages it got a second.
        errors: How many of them ended with an error a second.
        in_flight: How many messages it is handling now.
        p50: The median of the durations in this time, in seconds; None: nothing has ended.
        p95: The duration that 95 % did not exceed, in seconds.
        p99: The duration that 99 % did not exceed, in seconds.
        queue: What waits for it; None: it takes nothing from a queue.
    """

    service: str
    title: str
    messages: float
    errors: float
    in_flight: int
    p50: float | None
    p95: float | None
    p99: float | None
    queue: QueueState | None


def instance_rates(before: Sequence[ServiceReport], now: Sequence[ServiceReport]) -> Iterator[InstanceRate]:
    """All instances; what has started since `before` is counted from its start."""
    earlier = _stats(before)
    for report in now:
        for one in report.instances:
            stats = one.stats
            if stats is None:
                yield InstanceRate(report.service, one.instance, one.state, None, 0.0, 0.0)
                continue
            first, elapsed = earlier.get(one.instance), _elapsed(earlier.get(one.instance), stats)
            handled = _messages(stats) - (0 if first is None else _messages(first))
            used = stats.cpu - (0.0 if first is None else first.cpu)
            yield InstanceRate(report.service, one.instance, one.state, stats, handled / elapsed, used / elapsed)


def handler_rates(before: Sequence[ServiceReport], now: Sequence[ServiceReport]) -> Iterator[HandlerRate]:
    """All handlers; what has started since `before` is counted from its start."""
    earlier = _stats(before)
    for report in now:
        changes = [
            (_elapsed(first, stats), _changes(first, stats))
            for stats in (one.stats for one in report.instances if one.stats is not None)
            for first in [earlier.get(stats.instance)]
        ]
        for handler in report.handlers:
            yield _rate(report.service, handler, changes)


class _Change(msgspec.Struct, frozen=True):
    messages: int
    errors: int
    durations: Mapping[float | None, int]


def _rate(service: str, handler: HandlerReport, changes: Sequence[tuple[float, Mapping[str, _Change]]]) -> HandlerRate:
    found = [(elapsed, by_title[handler.title]) for elapsed, by_title in changes if handler.title in by_title]
    durations = [pair for _, change in found for pair in change.durations.items()]
    return HandlerRate(
        service=service,
        title=handler.title,
        messages=sum(change.messages / elapsed for elapsed, change in found),
        errors=sum(change.errors / elapsed for elapsed, change in found),
        in_flight=handler.in_flight,
        p50=quantile(durations, 0.5),
        p95=quantile(durations, 0.95),
        p99=quantile(durations, 0.99),
        queue=handler.queue,
    )


def _stats(reports: Sequence[ServiceReport]) -> Mapping[str, Stats]:
    return {one.instance: one.stats for each in reports for one in each.instances if one.stats is not None}


def _messages(stats: Stats) -> int:
    return sum(one.messages for one in stats.handlers)


def _elapsed(first: Stats | None, stats: Stats) -> float:
    since = stats.started if first is None else first.at
    return max(0.001, (stats.at - since) / 1000)


def _changes(first: Stats | None, stats: Stats) -> Mapping[str, _Change]:
    earlier = {} if first is None else {one.label: one for one in first.handlers}
    return {one.label: _change(earlier.get(one.label), one) for one in stats.handlers}


def _change(first: HandlerStatistics | None, now: HandlerStatistics) -> _Change:
    if first is None:
        return _Change(now.messages, sum(now.errors.values()), dict(now.durations))
    # A counter only grows while its instance lives.
    durations = Counter(dict(now.durations))
    durations.subtract(dict(first.durations))
    errors = sum(now.errors.values()) - sum(first.errors.values())
    return _Change(now.messages - first.messages, errors, +durations)
