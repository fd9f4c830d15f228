"""The last hours of each service, in Redis: samples that one console of the fleet writes, and all of them read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import ServiceError
from daebus.operations.fleet import ServiceReport, service_reports
from daebus.operations.rates import handler_rates, instance_rates
from daebus.payloads.codec import encode
from daebus.telemetry.logs import Logger

from .feed import Snapshot
from .views import ServiceRow, service_row

__all__ = ["SAMPLER", "History", "history_key"]

SAMPLER = "daebus:console:sampler"
"""The key of the lease of the console that writes samples."""

INTERVAL = 10.0
"""Seconds from one sample to the next."""

KEPT = 2_160
"""Samples of a service that are kept, at least: those of six hours."""

_LEASE_MS = 25_000
_FORGOTTEN_MS = 86_400_000
_MOST_POINTS = 360

_Rows = list[tuple[bytes, list[bytes]]]


def history_key(service: str) -> str:
    """The stream of the samples of a service, whose entries have the field ``s``."""
    return f"daebus:{{{service}}}:samples"


class _Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service at a time: rates per second, durations and ages in seconds."""

    messages: float = 0.0
    errors: float = 0.0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    queued: int = 0
    age: float | None = None
    versions: Sequence[str] = ()


class _Point(msgspec.Struct, frozen=True):
    at: int
    messages: float
    errors: float
    p50: float | None
    p95: float | None
    p99: float | None
    queued: int
    age: float | None
    versions: Sequence[str]


_decode = msgspec.json.Decoder(_Sample).decode


class History:
    """Writes samples while it holds the lease, and reads them.

    Args:
        node: This process.
        logger: The log.
        interval: Seconds from one sample to the next.
    """

    def __init__(self, node: Node, logger: Logger, interval: float = INTERVAL) -> None:
        self._node = node
        self._logger = logger
        self._interval = interval
        self._before: Sequence[ServiceReport] = ()

    async def run(self) -> None:
        """Write samples until this is cancelled, then leave the lease to others."""
        try:
            while True:
                try:
                    if await self._leads():
                        await self._write()
                    else:
                        self._before = ()
                except (ServiceError, CommandError) as error:  # an outage ends
                    self._logger.debug("no sample of the fleet", reason=str(error))
                await asyncio.sleep(self._interval)
        finally:
            await self._leave()

    async def read(self, service: str, minutes: int) -> bytes:
        """The samples of the last minutes, the oldest first; of many, several become one."""
        start = self._node.clock.now() - minutes * 60_000
        found = cast("_Rows", await self._node.link.execute("XRANGE", history_key(service), f"{start}-0", "+"))
        points = [_point(int(entry.partition(b"-")[0]), _decode(fields[1])) for entry, fields in found]
        step = -(-len(points) // _MOST_POINTS) or 1
        return encode([_together(points[at : at + step]) for at in range(0, len(points), step)])

    async def _leads(self) -> bool:
        link, own = self._node.link, self._node.id
        if await link.execute("SET", SAMPLER, own, "NX", "PX", _LEASE_MS) is not None:
            return True
        if await link.execute("GET", SAMPLER) != own.encode():
            return False
        await link.execute("PEXPIRE", SAMPLER, _LEASE_MS)
        return True

    async def _leave(self) -> None:
        try:
            if await self._node.link.execute("GET", SAMPLER) == self._node.id.encode():
                await self._node.link.execute("DEL", SAMPLER)
        except (ServiceError, CommandError):  # it lapses
            pass

    async def _write(self) -> None:
        node = self._node
        reports = await service_reports(node)
        before, self._before = self._before, reports
        if not before:
            return  # rates need two reports
        now = node.clock.now()
        state = Snapshot(now, reports, list(instance_rates(before, reports)), list(handler_rates(before, reports)))
        rows = [service_row(report, state) for report in reports]
        await asyncio.gather(*(self._add(row, now) for row in rows if row.states or row.queued))

    async def _add(self, row: ServiceRow, now: int) -> None:
        link, key = self._node.link, history_key(row.service)
        sample = _Sample(
            messages=round(row.messages, 3),
            errors=round(row.errors, 3),
            p50=row.p50,
            p95=row.p95,
            p99=row.p99,
            queued=row.queued,
            age=None if row.oldest is None else max(0.0, (now - row.oldest) / 1000),
            versions=row.versions,
        )
        await link.execute("XADD", key, "MAXLEN", "~", KEPT, "*", "s", encode(sample))
        await link.execute("PEXPIRE", key, _FORGOTTEN_MS)


def _point(at: int, sample: _Sample) -> _Point:
    return _Point(at, **{name: getattr(sample, name) for name in _Sample.__struct_fields__})


def _together(points: Sequence[_Point]) -> _Point:
    """Several samples as one: the mean of rates, the largest of everything else."""
    if len(points) == 1:
        return points[0]
    last = points[-1]
    return msgspec.structs.replace(
        last,
        messages=sum(one.messages for one in points) / len(points),
        errors=sum(one.errors for one in points) / len(points),
        p50=_most([one.p50 for one in points]),
        p95=_most([one.p95 for one in points]),
        p99=_most([one.p99 for one in points]),
        queued=max(one.queued for one in points),
        age=_most([one.age for one in points]),
    )


def _most(values: Sequence[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)
