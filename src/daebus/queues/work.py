"""Work: an entry in flight, and how it ends: a reply, an acknowledgement, another attempt, or the dead letters."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from daebus.connection.node import Node
from daebus.errors import BadRequest, Conflict, ServiceError
from daebus.payloads.codec import encode
from daebus.protocol.fences import drawn_fence
from daebus.protocol.messages import Reply, Request
from daebus.protocol.replies import ERROR, SUCCESS, error_payload

from .idempotency import KeyedRun, Outcome
from .leases import Entry
from .retries import Origin, Retries, is_passing
from .settler import Settler
from .suspects import most_deliveries

__all__ = ["Work", "once"]


class Work(msgspec.Struct, eq=False):
    """An entry in flight. It ends once: by `reply`, `done`, `failed` or `refuse`, or if `begin` returns False.

    A reply and the acknowledgement of its entry are sent in one write, with all others of the tick.

    Attributes:
        entry: The entry.
        origin: Where it comes from.
        settler: Sends the reply and the acknowledgement.
        retries: Retries failed entries that want no reply.
        request: The request in the entry; None: it is an event, or was not decoded yet.
        items: How many items of a stream were sent before the reply; None: it is no stream.
    """

    entry: Entry
    origin: Origin
    settler: Settler
    retries: Retries
    request: Request | None = None
    items: int | None = None

    @property
    def fence(self) -> str:
        """The fence of this delivery, for what the handler writes elsewhere."""
        return self.entry.fence

    @property
    def attempt(self) -> int:
        """The number of this attempt to handle the message."""
        return self.entry.attempt

    @property
    def is_awaited(self) -> bool:
        """Whether the sender waits for a reply."""
        return self._wants_reply

    async def is_owned(self) -> bool:
        """Whether the entry is still with this delivery; waits for the server. Not needed if the lease `covers` it."""
        lease, origin = self.settler.lease, self.origin
        return bool(await lease.owned(origin.stream, origin.registry, origin.group, [self.entry]))

    async def begin(self) -> bool:
        """Whether the handler is to run. If not, the entry has ended: it was delivered too often."""
        if not self._is_exhausted:
            return True
        most = most_deliveries(self.request)
        problem = await self.retries.give_up(self.origin, self.entry, most, self._trace_id)
        if problem is not None:
            self._tell(self.request, Outcome(ERROR, error_payload(problem)))
        return False

    async def reply(self, payload: bytes | msgspec.Raw) -> None:
        """The handler succeeded: send the reply, JSON, if one is wanted."""
        self._end(SUCCESS, payload)

    async def done(self) -> None:
        """The handler succeeded without a reply, or the caller no longer waits."""
        self._end()

    async def failed(self, problem: ServiceError) -> None:
        """The handler failed: send the error to a waiting caller; else retry the entry or make it a dead letter."""
        if self._wants_reply:
            self._end(ERROR, error_payload(problem))
        else:
            await self.retries.failed(self.origin, self.entry, problem, self._trace_id)

    async def refuse(self, error: Exception) -> None:
        """The entry is no valid request, as `error` says: make it a dead letter."""
        await self.retries.bury(self.origin, self.entry, BadRequest(f"It is not a request: {error}"), "")

    @property
    def _wants_reply(self) -> bool:
        return self.request is not None and self.request.reply_to is not None

    @property
    def _is_exhausted(self) -> bool:
        return self.entry.deliveries > most_deliveries(self.request)

    @property
    def _trace_id(self) -> str:
        if self.request is None:
            return (self.entry.get(b"trace_id") or b"").decode(errors="replace")
        return self.request.trace_id or self.request.request_id

    def _end(self, status: str | None = None, payload: bytes | msgspec.Raw = b"") -> None:
        request = self.request
        reply: tuple[str, bytes] | None = None
        if status is not None and request is not None and request.reply_to is not None:
            answer = Reply(status, msgspec.Raw(payload), request.request_id)
            if self.items is not None and status == SUCCESS:
                answer.number = self.items + 1
            reply = request.reply_to, encode(answer)
        self.settler.settle(self.origin, self.entry, reply)

    def _tell(self, request: Request | None, outcome: Outcome) -> None:
        if request is not None and request.reply_to is not None:
            reply = Reply(outcome.status, outcome.payload, request.request_id)
            self.settler.reply(request.reply_to, encode(reply))


def once(work: Work, request: Request, node: Node) -> Work:
    """Work for a request with an idempotency key: it runs once, and all requests with the key get its outcome.

    Its `begin` claims the key. It returns False, and the work has ended, if another run has or had the key.
    """
    run = KeyedRun(node, work.origin, work.entry, request)
    return _KeyedWork(work.entry, work.origin, work.settler, work.retries, request, run=run)


class _KeyedWork(Work, eq=False, kw_only=True):
    """Work for an idempotency key. It is settled before the waiting callers get their replies."""

    run: KeyedRun

    @property
    @override
    def fence(self) -> str:
        return drawn_fence(self.run.drawn)

    @override
    async def begin(self) -> bool:
        if self._is_exhausted:
            await self.run.release()
            return await super().begin()
        try:
            claimed = await self.run.claim()
        except Conflict as problem:  # the key is another run's
            await super().failed(problem)
            return False
        # The event loop may have hung since the server answered, for longer than the lease.
        if claimed == "mine" and not (self.settler.lease.covers(self.entry) or await self.is_owned()):
            claimed = "lost"
        if isinstance(claimed, Outcome):
            self._end(claimed.status, claimed.payload)
        elif claimed == "lost":
            self.settler.tell_dropped({self.origin.name: 1})
        return claimed == "mine"

    @override
    async def reply(self, payload: bytes | msgspec.Raw) -> None:
        await self._keep(Outcome(SUCCESS, msgspec.Raw(payload)))

    @override
    async def done(self) -> None:
        await self.run.release()
        await super().done()

    @override
    async def failed(self, problem: ServiceError) -> None:
        if self._wants_reply and not is_passing(problem):
            await self._keep(Outcome(ERROR, error_payload(problem)))
        else:
            await self.run.release()
            await super().failed(problem)

    async def _keep(self, outcome: Outcome) -> None:
        """Store the outcome of the run, and reply to all requests that waited for it."""
        stored = await self.run.store(outcome)
        if stored is None:
            self.settler.tell_dropped({self.origin.name: 1})
            return
        kept, parked = stored
        for request in (*parked, self.request):
            self._tell(request, kept)
