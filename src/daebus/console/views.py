"""What the pages show of the fleet, as JSON. Times are in ms of the server's clock, durations in seconds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from daebus.operations.fleet import HandlerReport, ServiceReport
from daebus.operations.rates import HandlerRate, InstanceRate
from daebus.payloads.codec import encode

from .feed import Snapshot

__all__ = ["ServiceRow", "overview", "service_row", "service_view"]

_LONGEST = 1e9
"""Stands for a duration above all bounds, as JSON has no infinity."""

_MOST_ERRORS = 20
_ANSWERING = ("action", "route", "listen", "socket")


class ServiceRow(msgspec.Struct, frozen=True):
    """A service on the first page; rates are per second, percentiles those of its slowest handler."""

    service: str
    seen: int
    states: Mapping[str, int]
    versions: Sequence[str]
    messages: float
    errors: float
    in_flight: int
    p50: float | None
    p95: float | None
    p99: float | None
    queued: int
    oldest: int | None
    dead: int
    cpu: float
    memory: int
    sockets: int


class _Overview(msgspec.Struct, frozen=True):
    at: int
    problem: str | None
    services: Sequence[ServiceRow]


class _Instance(msgspec.Struct, frozen=True):
    instance: str
    state: str
    messages: float
    cpu: float
    version: str | None = None
    host: str | None = None
    pid: int | None = None
    started: int | None = None
    memory: int | None = None
    lag: float | None = None
    sockets: int | None = None
    daebus: str | None = None
    python: str | None = None


class _Handler(msgspec.Struct, frozen=True):
    """A handler: totals since the starts of the instances; rates and percentiles of the last seconds."""

    title: str
    total: int
    failed: Mapping[str, int]
    messages: float
    errors: float
    in_flight: int
    recent: Sequence[float | None]
    lasting: Sequence[float | None]
    waiting: int | None
    pending: int | None
    retrying: int | None
    oldest: int | None


class _Failure(msgspec.Struct, frozen=True):
    at: int
    title: str
    code: str
    message: str
    request_id: str
    instance: str


class _View(msgspec.Struct, frozen=True):
    at: int
    problem: str | None
    service: str
    seen: int
    dead: int
    versions: Sequence[str]
    instances: Sequence[_Instance]
    handlers: Sequence[_Handler]
    failures: Sequence[_Failure]


def overview(state: Snapshot) -> bytes:
    """All services."""
    services = [service_row(report, state) for report in state.reports]
    return encode(_Overview(state.at, state.problem, services))


def service_view(state: Snapshot, service: str) -> bytes:
    """A service with its instances, handlers and last errors; ``null``: it is unknown."""
    report = next((one for one in state.reports if one.service == service), None)
    if report is None:
        return b"null"
    rates = {one.title: one for one in state.handlers if one.service == service}
    return encode(
        _View(
            at=state.at,
            problem=state.problem,
            service=service,
            seen=report.seen,
            dead=report.dead,
            versions=report.versions,
            instances=[_instance(one) for one in state.instances if one.service == service],
            handlers=[_handler(one, rates[one.title]) for one in report.handlers],
            failures=_failures(report),
        )
    )


def service_row(report: ServiceReport, state: Snapshot) -> ServiceRow:
    """A service in one row."""
    handlers = [one for one in state.handlers if one.service == report.service]
    instances = [one for one in state.instances if one.service == report.service]
    queues = [one.queue for one in report.handlers if one.queue is not None]
    answering = [one for one in handlers if one.title.partition(" ")[0] in _ANSWERING]
    stats = [one.stats for one in instances if one.stats is not None]
    return ServiceRow(
        service=report.service,
        seen=report.seen,
        states=Counter(one.state for one in instances),
        versions=report.versions,
        messages=sum(one.messages for one in handlers),
        errors=sum(one.errors for one in handlers),
        in_flight=sum(one.in_flight for one in handlers),
        p50=_longest(one.p50 for one in answering),
        p95=_longest(one.p95 for one in answering),
        p99=_longest(one.p99 for one in answering),
        queued=sum(one.size for one in queues),
        oldest=min((one.oldest for one in queues if one.oldest is not None), default=None),
        dead=report.dead,
        cpu=sum(one.cpu for one in instances),
        memory=sum(one.memory for one in stats),
        sockets=sum(one.sockets or 0 for one in stats),
    )


def _longest(durations: Iterable[float | None]) -> float | None:
    return _finite(max((one for one in durations if one is not None), default=None))


def _finite(seconds: float | None) -> float | None:
    return _LONGEST if seconds is not None and math.isinf(seconds) else seconds


def _instance(one: InstanceRate) -> _Instance:
    stats = one.stats
    if stats is None:
        return _Instance(one.instance, one.state, one.messages, one.cpu)
    return _Instance(
        one.instance,
        one.state,
        one.messages,
        one.cpu,
        version=stats.version,
        host=stats.host,
        pid=stats.pid,
        started=stats.started,
        memory=stats.memory,
        lag=stats.lag,
        sockets=stats.sockets,
        daebus=stats.daebus,
        python=stats.python,
    )


def _handler(one: HandlerReport, rate: HandlerRate) -> _Handler:
    queue = one.queue
    return _Handler(
        title=one.title,
        total=one.messages,
        failed=one.errors,
        messages=rate.messages,
        errors=rate.errors,
        in_flight=one.in_flight,
        recent=[_finite(each) for each in (rate.p50, rate.p95, rate.p99)],
        lasting=[_finite(each) for each in (one.p50, one.p95, one.p99)],
        waiting=None if queue is None else queue.waiting,
        pending=None if queue is None else queue.pending,
        retrying=None if queue is None else queue.retrying,
        oldest=None if queue is None else queue.oldest,
    )


def _failures(report: ServiceReport) -> Sequence[_Failure]:
    found = [
        _Failure(error.at, handler.label, error.code, error.message, error.request_id, one.instance)
        for one in report.instances
        if one.stats is not None
        for handler in one.stats.handlers
        if (error := handler.last_error) is not None
    ]
    return sorted(found, key=lambda each: each.at, reverse=True)[:_MOST_ERRORS]
