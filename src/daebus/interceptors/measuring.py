"""`Measuring`: the duration of each message that is handled or sent, for interceptors that keep or export it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

import msgspec
from typing_extensions import override

from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.interceptors import Observe, StreamHandle
from daebus.delivery.outgoing import Forward, ForwardStream, Outgoing
from daebus.telemetry.traces import is_awaited

from .operations import (
    ERROR_TYPE,
    Operation,
    error_type,
    failed_status,
    incoming_operation,
    is_operation,
    outgoing_operation,
    status_of,
    variant,
)

__all__ = ["Measuring", "Record"]

R = TypeVar("R")
M = TypeVar("M")

Record = Callable[[float], object]
"""Adds a duration in seconds."""

# Operations of one handler or bus that are told apart: whoever chooses names, or codes of errors, cannot fill memory.
_MOST = 2000
_OTHER = "_OTHER"


class Measuring(ABC):
    """An interceptor that measures how long messages take, and whether they succeed.

    A stream of replies takes as long as its reader reads it.
    """

    @abstractmethod
    def recorder(self, metric: str, attributes: Mapping[str, str]) -> Record:
        """What adds durations to a metric. Called once for each set of attributes.

        Args:
            metric: Its name, by the conventions of OpenTelemetry.
            attributes: Its attributes, by the same conventions.
        """

    def observing(self, endpoint: Endpoint[object], /) -> Observe | None:
        """Measure the messages of a handler that have one reply or none."""
        if not is_operation(endpoint):
            return None
        records, kind = _IncomingRecords(self, endpoint), endpoint.kind

        def measure(incoming: Incoming, reply: object, error: BaseException | None, seconds: float) -> None:
            if error is not None:
                records.failed(incoming, error, seconds)
                return
            if kind == "action":  # as `variant`, without its call
                key: object = is_awaited(incoming.context)
            else:
                key = variant(endpoint, incoming, status_of(endpoint, reply) if kind == "route" else 0)
            (records.get(key) or records.make(key, incoming))(seconds)

        return measure

    def stream(self, endpoint: Endpoint[R], handle: StreamHandle[R], /) -> StreamHandle[R]:
        """Measure the messages of an action that streams its replies."""
        records = _IncomingRecords(self, endpoint)

        async def measured(incoming: Incoming) -> AsyncGenerator[R]:
            begun = time.perf_counter()
            try:
                async with aclosing(handle(incoming)) as items:
                    async for item in items:
                        yield item
            except BaseException as error:
                records.failed(incoming, error, time.perf_counter() - begun)
                raise
            key = variant(endpoint, incoming)
            (records.get(key) or records.make(key, incoming))(time.perf_counter() - begun)

        return measured

    def outgoing(self, forward: Forward, /) -> Forward:
        """Measure the calls, sends and publishes of a bus."""
        records = _OutgoingRecords(self)

        async def measured(outgoing: Outgoing) -> msgspec.Raw:
            begun = time.perf_counter()
            key = (outgoing.kind, outgoing.service, outgoing.name)
            try:
                reply = await forward(outgoing)
            except BaseException as error:
                records.failed(key, outgoing, error, time.perf_counter() - begun)
                raise
            (records.get(key) or records.make(key, outgoing))(time.perf_counter() - begun)
            return reply

        return measured

    def outgoing_stream(self, forward: ForwardStream, /) -> ForwardStream:
        """Measure the streams that a bus reads."""
        records = _OutgoingRecords(self)

        async def measured(outgoing: Outgoing) -> AsyncGenerator[msgspec.Raw]:
            begun = time.perf_counter()
            key = (outgoing.kind, outgoing.service, outgoing.name)
            try:
                async with aclosing(forward(outgoing)) as replies:
                    async for reply in replies:
                        yield reply
            except BaseException as error:
                records.failed(key, outgoing, error, time.perf_counter() - begun)
                raise
            (records.get(key) or records.make(key, outgoing))(time.perf_counter() - begun)

        return measured


class _Records(dict[object, Record], Generic[M]):
    """The recorders of the operations that have occurred, by what distinguishes them."""

    def __init__(self, measuring: Measuring) -> None:
        super().__init__()
        self._measuring = measuring

    def make(self, key: object, message: M, error: str = "") -> Record:
        """Make the recorder of an operation; `error`: the code with which it ended."""
        operation = self.operation(key, message)
        attributes = {**operation.attributes, ERROR_TYPE: error} if error else operation.attributes
        if len(self) >= _MOST:
            return self._measuring.recorder(operation.metric, dict.fromkeys(attributes, _OTHER))
        record = self[(key, error) if error else key] = self._measuring.recorder(operation.metric, attributes)
        return record

    def operation(self, key: object, message: M) -> Operation:
        """The operation of a message."""
        raise NotImplementedError

    def add(self, key: object, message: M, code: str, seconds: float) -> None:
        """Add the duration of an operation that ended with a code."""
        (self.get((key, code) if code else key) or self.make(key, message, code))(seconds)


class _IncomingRecords(_Records[Incoming]):
    def __init__(self, measuring: Measuring, endpoint: Endpoint[object]) -> None:
        super().__init__(measuring)
        self._endpoint = endpoint

    @override
    def operation(self, key: object, message: Incoming) -> Operation:
        return incoming_operation(self._endpoint, message, key)

    def failed(self, incoming: Incoming, error: BaseException, seconds: float) -> None:
        """A message has failed."""
        key = variant(self._endpoint, incoming, failed_status(error))
        self.add(key, incoming, error_type(error, incoming.context.deadline), seconds)


class _OutgoingRecords(_Records[Outgoing]):
    @override
    def operation(self, key: object, message: Outgoing) -> Operation:
        return outgoing_operation(message)

    def failed(self, key: object, outgoing: Outgoing, error: BaseException, seconds: float) -> None:
        """A message has failed. That the reader of a stream stops before its end is no failure."""
        code = "" if isinstance(error, GeneratorExit) else error_type(error, outgoing.deadline)
        self.add(key, outgoing, code, seconds)
