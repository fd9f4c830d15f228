"""Requests: each is decoded, passed to the action's handler, and ended with the handler's result or error."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TypeAlias

import msgspec

from daebus.bus.items import Items, ReaderGoneError
from daebus.connection.node import Node
from daebus.core.deadlines import NEVER
from daebus.declare.policies import Policy
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.grace import tell_overdue
from daebus.errors import ServiceError, Timeout
from daebus.identity.forwarding import forwarded
from daebus.payloads.codec import UNDECODABLE
from daebus.protocol.headers import check_size as check_headers
from daebus.protocol.limits import BusLimits, check_message, check_reply
from daebus.protocol.messages import NOTHING, Request, decode_request, service_of
from daebus.protocol.replies import failed_reply
from daebus.queues.leases import Entry
from daebus.queues.retries import Origin, Retries
from daebus.queues.settler import Settler
from daebus.queues.streams import Task
from daebus.queues.suspects import MAX_DELIVERIES, alone_seconds, call_alone_seconds
from daebus.queues.work import Work, once
from daebus.telemetry.logs import Logger

from .late import LateRequests
from .runs import Run, Runs

__all__ = ["RequestHandler", "ServedAction", "Shared"]

_Payload: TypeAlias = bytes | msgspec.Raw


class ServedAction(msgspec.Struct, frozen=True):
    """An action and its handler.

    Attributes:
        name: Its name.
        endpoint: The handler.
        concurrency: How many requests are handled at once; at least one in each partition.
        policy: How often, how soon and for how long a request is tried.
    """

    name: str
    endpoint: Endpoint[bytes]
    concurrency: int
    policy: Policy


class Shared(msgspec.Struct, frozen=True):
    """The objects that all actions of one service in this process share.

    Attributes:
        node: This process.
        limits: The limits for requests and replies.
        settler: Sends replies and settles entries.
        runs: The requests in progress.
        late: Logs late requests.
        logger: For errors.
    """

    node: Node
    limits: BusLimits
    settler: Settler
    runs: Runs
    late: LateRequests
    logger: Logger


class RequestHandler:
    """Handles the requests for one action that arrive in one partition.

    Args:
        action: The action.
        delivery: Calls its handler.
        origin: Where the requests come from.
        retries: For failed requests that want no reply.
        shared: The objects that all actions share.
    """

    def __init__(
        self, action: ServedAction, delivery: Delivery[bytes], origin: Origin, retries: Retries, shared: Shared
    ) -> None:
        self._action = action
        self._name = ("action", service_of(origin.partition), action.name)
        self._timeout = action.policy.timeout
        self._streams = action.endpoint.signature.streams
        self._delivery = delivery
        self._origin = origin
        self._retries = retries
        self._node = shared.node
        self._clock = shared.node.clock
        self._limits = shared.limits
        self._settler = shared.settler
        self._runs = shared.runs
        self._late = shared.late
        self._logger = shared.logger

    async def handle(self, entry: Entry, task: Task) -> None:
        """Handle an entry up to its reply, in the task that was started for it."""
        work = Work(entry, self._origin, self._settler, self._retries)
        body = entry.get(b"request") or b""
        try:
            request = work.request = decode_request(body)
        except UNDECODABLE as error:
            await work.refuse(error)
            return
        if request.idempotency_key is not None:
            work = once(work, request, self._node)
        if (entry.deliveries > 1 or request.idempotency_key is not None) and not await work.begin():
            return
        run, begun = Run(task, request, self._deadline(request), self._overdue), time.monotonic()
        if run.deadline <= begun:
            await self._drop(work, request, begun - run.deadline)
            return
        headers, deadline = request.headers, None if run.deadline == NEVER else run.deadline
        user = None if headers is None else forwarded(headers, self._name, request.payload, self._node)
        about = request.trace_id or request.request_id
        incoming = self._delivery.incoming(about, request.payload, user, deadline, headers, work)
        reply: _Payload | None = None
        problem: ServiceError | None = None
        self._runs.add(task, run)
        try:
            reply = await self._answer(incoming, work, request, run, len(body))
        except asyncio.CancelledError:
            if entry.is_lost or self._is_cut(run, entry):
                raise
            problem = self._cancelled(request, run, begun)
        except Exception as error:
            problem = self._delivery.problem(error, incoming)
        finally:
            self._runs.pop(task, None)
        if reply is not None:
            await work.reply(reply)
        else:
            await (work.done() if problem is None else work.failed(problem))

    def alone(self, entry: Entry, waiting: int) -> float:
        """Seconds during which no other suspect is started beside this one, given how many wait."""
        try:
            request = decode_request(entry.get(b"request") or b"")
        except UNDECODABLE:  # it ends at once
            return alone_seconds(MAX_DELIVERIES)
        if request.reply_to is None:
            return alone_seconds(MAX_DELIVERIES - entry.deliveries)
        return call_alone_seconds(request, waiting, self._node.clock.now())

    def _deadline(self, request: Request) -> float:
        deadline = NEVER if request.deadline is None else (request.deadline - self._clock.offset_ms) / 1000
        return deadline if self._timeout is None else min(deadline, time.monotonic() + self._timeout)

    async def _drop(self, work: Work, request: Request, late: float) -> None:
        self._late.dropped(request, self._action.name, self._delivery.title, late)
        await work.done()

    def _is_cut(self, run: Run, entry: Entry) -> bool:
        if run.is_cut:
            self._runs.cut.append((self._origin.stream, entry))
        return run.is_cut

    def _cancelled(self, request: Request, run: Run, begun: float) -> ServiceError | None:
        problem = run.ended(self._delivery.title, begun)
        if problem is not None:
            about = request.trace_id or request.request_id
            self._delivery.endpoint.statistics.fail(problem.code, problem.message, about)
            self._late.cancelled(request, self._action.name, self._delivery.title, run.deadline - begun)
        return problem

    def _overdue(self, run: Run) -> None:
        """The handler swallows its cancellation: it keeps its place among those in flight, and its caller is told."""
        if run.task.done():
            return
        tell_overdue(run.task, self._logger)
        if run.request.reply_to is not None:
            problem = Timeout(f"{self._delivery.title} did not finish in time, and does not end")
            self._settler.reply(run.request.reply_to, failed_reply(problem, run.request.request_id))

    async def _answer(self, incoming: Incoming, work: Work, request: Request, run: Run, size: int) -> _Payload | None:
        """The JSON of the reply; None: no reply is wanted. `size`: the bytes of the request."""
        if size > self._limits.max_message_size:
            check_message(request.payload, self._limits)
        if request.headers is not None:
            check_headers(request.headers)
        if self._streams:
            return await self._stream(incoming, work, request, run)
        result = await self._delivery.handle(incoming)
        if len(result) > self._limits.max_reply_size and not (request.reply_to is request.idempotency_key is None):
            self._refuse_reply(result)
        return result

    async def _stream(self, incoming: Incoming, work: Work, request: Request, run: Run) -> _Payload | None:
        async with aclosing(self._delivery.stream(incoming)) as made:
            if request.reply_to is None:
                async for _ in made:
                    pass
                return None
            self._runs.refuse_more(request.reply_to, self._limits.max_streams)
            async with Items(self._node.link, request, request.reply_to, lambda: work.entry.is_lost) as items:
                run.items, run.caller = items, request.reply_to
                try:
                    async for item in made:
                        if len(item) > self._limits.max_reply_size:
                            self._refuse_reply(item)
                        if not (self._settler.lease.covers(work.entry) or await work.is_owned()):
                            return None  # another instance sends the items from now on
                        await items.send(item)
                    await items.flush()
                    work.items = items.sent
                except ReaderGoneError:
                    self._logger.debug("the reader of a stream is gone", handler=self._delivery.title)
                    return None
        return NOTHING

    def _refuse_reply(self, reply: bytes) -> None:
        """Raise `TooLarge` for a reply above the limit: the server would disconnect the caller from all its replies."""
        where, size = self._delivery.endpoint.signature.where, len(reply)
        self._logger.error("reply too large", handler=self._delivery.title, where=where, bytes=size)
        check_reply(reply, self._limits)
