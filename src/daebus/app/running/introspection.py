"""What an instance says about itself: who it is, what it serves, and how it is doing."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

from daebus.app.assembly import Assembly
from daebus.app.documents import exported
from daebus.declare.specs import Spec
from daebus.delivery.endpoint import Endpoint
from daebus.errors import BadRequest, ConfigurationError
from daebus.payloads.codec import encode
from daebus.process.usage import cpu_seconds, memory_bytes
from daebus.protocol.discovery import (
    Files,
    HandlerStatistics,
    HealthAnswer,
    Identity,
    Info,
    Inquiry,
    Stats,
)

if TYPE_CHECKING:
    from daebus.export.info import ServiceInfo

    from .runtime import Runtime

__all__ = ["Introspection"]


class Introspection:
    """The answers of one run of a service to the questions of discovery.

    Args:
        run: The run.
    """

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._started = run.node.clock.now()
        self._compiled: Sequence[tuple[Spec, Endpoint[object]]] = run.made.plans.compiled()
        for _, endpoint in self._compiled:
            endpoint.statistics.reset()
        self._described: asyncio.Future[ServiceInfo] | None = None
        self._exporting = asyncio.Lock()

    async def answer(self, inquiry: Inquiry) -> bytes:
        """The answer to a question, as JSON. Raises `ServiceError` if there is none."""
        match inquiry.ask:
            case "ping":
                return encode(self.identity())
            case "stats":
                return encode(self.stats())
            case "health":
                return encode(await self._health())
            case "info":
                return encode(await self._info())
            case "export":
                return encode(await self._export(inquiry.form or ""))

    def identity(self) -> Identity:
        """Who this instance is."""
        run, settings = self._run, self._run.made.settings
        return Identity(
            service=run.made.service,
            instance=run.node.id,
            state=run.health.state,
            version=run.made.version,
            metadata=settings.metadata,
            daebus=version("daebus"),
            python=platform.python_version(),
            host=socket.gethostname(),
            pid=os.getpid(),
            started=self._started,
        )

    def stats(self) -> Stats:
        """How this instance is doing."""
        run = self._run
        return Stats(
            **msgspec.structs.asdict(self.identity()),
            at=run.node.clock.now(),
            cpu=cpu_seconds(),
            memory=memory_bytes(),
            lag=None if run.watchdog is None else run.watchdog.lag,
            sockets=None if run.hub is None else run.hub.connected,
            handlers=[_statistics(spec, endpoint) for spec, endpoint in self._compiled],
        )

    async def _health(self) -> HealthAnswer:
        report = await self._run.health.report()
        ready = report.status == "ready"
        return HealthAnswer(**msgspec.structs.asdict(self.identity()), ready=ready, checks=report.checks)

    async def _info(self) -> Info:
        """What this instance serves. It is described once, in a thread, as that may take a while."""
        if self._described is None:
            self._described = asyncio.ensure_future(asyncio.to_thread(_describe, self._run.made))
        described = await asyncio.shield(self._described)
        return Info(**msgspec.structs.asdict(self.identity()), **msgspec.structs.asdict(described))

    async def _export(self, form: str) -> Files:
        """The contracts in a format. One at a time, in a thread: a document may take a second to write."""
        async with self._exporting:
            try:
                return Files(await asyncio.to_thread(exported, self._run.made, form, self._run.openapi))
            except ConfigurationError as error:
                raise BadRequest(str(error)) from error


def _describe(made: Assembly) -> ServiceInfo:
    from daebus.export.info import service_info  # noqa: PLC0415  # it loads Litestar, which not every service needs

    return service_info(made)


def _statistics(spec: Spec, endpoint: Endpoint[object]) -> HandlerStatistics:
    statistics = endpoint.statistics
    return HandlerStatistics(
        title=spec.title,
        kind=endpoint.kind,
        name=endpoint.name,
        messages=statistics.begun,
        in_flight=statistics.in_flight,
        errors=statistics.errors,
        last_error=statistics.last_error,
        seconds=statistics.seconds,
        durations=list(statistics.durations()),
    )
