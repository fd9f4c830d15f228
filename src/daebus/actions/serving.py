"""Serving actions: from an entry of a stream to the reply."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial

import msgspec

from daebus.bus.inbox import SUCCESS
from daebus.bus.items import Items, ReaderGoneError
from daebus.connection.node import Node
from daebus.core.deadlines import NEVER, Deadlines
from daebus.declare.policies import Policy
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.grace import CUT_SECONDS, Grace
from daebus.errors import ServiceError, Timeout, TooManyRequests
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.limits import Limits
from daebus.protocol.messages import NOTHING, Reply, Request, action_stream, control_channel, instance_registry
from daebus.queues.idempotency import KeyedRun
from daebus.queues.lanes import Lane
from daebus.queues.late import LateRequests
from daebus.queues.leases import Entry, Lease
from daebus.queues.reader import GroupReader
from daebus.queues.retries import GROUP, Origin, Retries
from daebus.queues.settler import Settler
from daebus.telemetry.logs import Logger

from .endings import Endings, decode_request

__all__ = ["ActionServer", "ServedAction"]

_LONGEST_NUMBER = 9  # digits


class ServedAction(msgspec.Struct, frozen=True):
    """An action and its handler.

    Attributes:
        name: Its name.
        endpoint: The handler.
        concurrency: How many requests are handled at once; at least one in each partition.
        policy: How often, how soon and for how long it is tried.
    """

    name: str
    endpoint: Endpoint[bytes]
    concurrency: int
    policy: Policy


class ActionServer:
    """Serves the actions of one service in this process.

    Args:
        node: This process.
        service: The service's name.
        actions: What it serves.
        lease: The heartbeat of this process.
        retries: For requests that want no reply and whose handler fails, in each of the partitions that are read.
        limits: What a caller may ask for.
        logger: For what goes wrong.
    """

    def __init__(
        self,
        node: Node,
        service: str,
        actions: Sequence[ServedAction],
        *,
        lease: Lease,
        retries: Sequence[Retries],
        limits: Limits,
        logger: Logger,
    ) -> None:
        self._node = node
        self._limits = limits
        self._service = service
        self._logger = logger
        self._late = LateRequests(logger)
        self._settler = Settler(node.link, logger)
        self._running: Deadlines[_Run] = Deadlines()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self._readers: list[GroupReader] = []
        self._lanes: list[Lane] = []
        self._cut: list[tuple[str, Entry]] = []
        for number, each in enumerate(retries):
            registry, endings = instance_registry(each.partition), Endings(node, self._settler, each)
            # One reader for each limit: a read takes the same number of entries from each of its streams.
            by_limit: dict[int, list[Lane]] = defaultdict(list)
            for action in actions:
                key = action_stream(each.partition, action.name)
                origin = Origin(each.partition, ("action", action.name), key, GROUP, key, action.policy)
                limit = max(1, (action.concurrency + number) // len(retries))
                delivery = Delivery(action.endpoint, service, node.stopping, logger)
                handle = partial(self._handle, action, delivery, origin, endings)
                by_limit[limit].append(Lane(key, limit, handle, endings.alone))
            self._lanes += [lane for lanes in by_limit.values() for lane in lanes]
            self._readers += [
                GroupReader(node, GROUP, registry, lease, lanes, self._settler, logger) for lanes in by_limit.values()
            ]

    async def start(self) -> None:
        """Take requests from now on."""
        self._unsubscribe = await self._node.subscriber.subscribe(control_channel(self._service), self._control)
        for reader in self._readers:
            await reader.start()

    async def quit(self) -> None:
        """Take no more requests; those in hand go on."""
        await asyncio.gather(*(reader.quit() for reader in self._readers))

    async def stop(self, grace: Grace) -> None:
        """Take no more requests; answer those in hand."""
        await asyncio.gather(*(reader.stop(grace) for reader in self._readers))
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.left_until(CUT_SECONDS)):
                await self._settler.drain()
        if self._unsubscribe is not None:
            await self._unsubscribe()

    def in_hand(self) -> list[tuple[str, Entry]]:
        """The entries that were read, and neither handled nor given back, or that the stop has cut off, with streams.

        May be asked in any thread.
        """
        return [*self._cut, *((lane.key, entry) for lane in self._lanes for entry in list(lane.tasks.values()))]

    def _control(self, message: bytes) -> None:
        request_id, *credit = message.decode(errors="replace").split(" ")
        for run in self._running:
            if run.request_id != request_id:
                continue
            if not credit:
                run.give_up()
            elif run.items is not None and all(each.isdecimal() and len(each) <= _LONGEST_NUMBER for each in credit):
                run.items.grant(int(credit[0]), int(credit[1]) if len(credit) > 1 else 0)

    async def _handle(
        self,
        action: ServedAction,
        delivery: Delivery[bytes],
        origin: Origin,
        endings: Endings,
        entry: Entry,
        task: asyncio.Task[None],
    ) -> None:
        """From the entry to the reply."""
        try:
            request = decode_request(entry.get(b"request") or b"")
        except UNDECODABLE as error:
            await endings.refuse(origin, entry, error)
            return
        keyed: KeyedRun | None = None
        if entry.deliveries > 1 or request.idempotency_key is not None:
            to_run, keyed = await endings.begin(origin, entry, request)
            if not to_run:
                return
        run, begun = _Run(task, request.request_id, self._deadline(action, request)), time.monotonic()
        reply: bytes | None = None
        problem: ServiceError | None = None
        if run.deadline > begun:
            incoming = delivery.incoming(
                request.trace_id or request.request_id,
                request.payload,
                deadline=None if run.deadline == NEVER else run.deadline,
            )
            self._running.add(run)
            try:
                reply = await self._answer(delivery, incoming, request, run)
            except asyncio.CancelledError:
                if run.is_cut:
                    self._cut.append((origin.stream, entry))
                    raise
                problem = self._cancelled(action, request, run, begun)
            except Exception as error:
                problem = delivery.problem(error, incoming)
            finally:
                self._running.discard(run)
        else:
            self._late.dropped(request, action.name, action.endpoint.title, begun - run.deadline)
        if problem is not None or keyed is not None:
            await endings.end(origin, entry, request, keyed, reply=reply, problem=problem)
            return
        if reply is not None and request.reply_to is not None:
            self._settler.reply(request.reply_to, reply)
        self._settler.settle(origin.stream, GROUP, entry.id, delete=True)

    def _cancelled(self, action: ServedAction, request: Request, run: _Run, begun: float) -> ServiceError | None:
        problem = run.ended(action, begun)
        if problem is not None:
            self._late.cancelled(request, action.name, action.endpoint.title, run.deadline - begun)
        return problem

    def _deadline(self, action: ServedAction, request: Request) -> float:
        deadline = NEVER if request.deadline is None else self._node.clock.monotonic(request.deadline)
        limit = action.policy.timeout
        return deadline if limit is None else min(deadline, time.monotonic() + limit)

    async def _answer(self, delivery: Delivery[bytes], incoming: Incoming, request: Request, run: _Run) -> bytes | None:
        self._limits.check_size(request.payload)
        if delivery.endpoint.signature.streams:
            return await self._stream(delivery, incoming, request, run)
        result = await delivery.handle(incoming)
        if len(result) > self._limits.reply_size and not (request.reply_to is request.idempotency_key is None):
            self._refuse_reply(delivery, result)
        return encode(Reply(SUCCESS, msgspec.Raw(result), request.request_id))

    async def _stream(self, delivery: Delivery[bytes], incoming: Incoming, request: Request, run: _Run) -> bytes | None:
        async with aclosing(delivery.stream(incoming)) as made:
            if request.reply_to is None:
                async for _ in made:
                    pass
                return None
            self._refuse_many(request.reply_to)
            async with Items(self._node.link, request, request.reply_to) as items:
                run.items, run.caller = items, request.reply_to
                try:
                    async for item in made:
                        if len(item) > self._limits.reply_size:
                            self._refuse_reply(delivery, item)
                        await items.send(item)
                    await items.flush()
                except ReaderGoneError:
                    self._logger.debug("the reader of a stream is gone", handler=delivery.title)
                    return None
        return encode(Reply(SUCCESS, NOTHING, request.request_id))

    def _refuse_reply(self, delivery: Delivery[bytes], reply: bytes) -> None:
        """Raise `TooLarge` for a reply that is: the server would cut the caller off from all its replies."""
        where, size = delivery.endpoint.signature.where, len(reply)
        self._logger.error("reply too large", handler=delivery.title, where=where, bytes=size)
        self._limits.check_reply(reply)

    def _refuse_many(self, caller: str) -> None:
        most = self._limits.streams_per_caller
        if sum(run.caller == caller for run in self._running) >= most:
            raise TooManyRequests(f"The caller has {most} streams open in this process, as many as it may")


class _Run:
    """A request that is being handled.

    Attributes:
        request_id: Its id.
        deadline: When it is cancelled, in seconds of `time.monotonic`.
        items: What a streaming action sends.
        caller: The reply channel of whom it sends them to.
    """

    __slots__ = ("_late", "_task", "_unwanted", "caller", "deadline", "items", "request_id")

    def __init__(self, task: asyncio.Task[None], request_id: str, deadline: float) -> None:
        self.request_id: str = request_id
        self.deadline: float = deadline
        self.items: Items | None = None
        self.caller: str | None = None
        self._task = task
        self._late = False
        self._unwanted = False

    def expire(self) -> None:
        """Cancel it: its deadline has passed."""
        self._late = True
        self._task.cancel()

    def give_up(self) -> None:
        """Cancel it: nobody waits for it."""
        self._unwanted = True
        self._task.cancel()

    @property
    def is_cut(self) -> bool:
        """Whether, if it was cancelled, it was as the service stops."""
        return not (self._late or self._unwanted)

    def ended(self, action: ServedAction, begun: float) -> ServiceError | None:
        """Why it was cancelled; None: nobody waits."""
        self._task.uncancel()
        seconds = round(self.deadline - begun, 2)
        late = f"{action.endpoint.title} did not finish in the {seconds:g} s that it had"
        return None if self._unwanted else Timeout(late)
