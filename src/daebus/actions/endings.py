"""How requests end that are not simply answered: those that fail, and those with an idempotency key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from daebus.bus.inbox import failed_reply
from daebus.connection.node import Node
from daebus.errors import BadRequest, Conflict, ServiceError
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.messages import Reply, Request
from daebus.queues.idempotency import KeyedRun, Outcome
from daebus.queues.leases import Entry
from daebus.queues.retries import MAX_CALL_DELIVERIES, MAX_DELIVERIES, Origin, Retries, is_passing
from daebus.queues.settler import Settler
from daebus.queues.suspects import alone_seconds

__all__ = ["Endings", "decode_request"]

decode_request: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode
"""The request in an entry. Raises what `UNDECODABLE` names."""

_LEAST_ALONE, _MOST_ALONE, _STREAMS_SECONDS, _HANDLER_SECONDS = 0.1, 10.0, 3.0, 3.0

_decode_reply = msgspec.json.Decoder(Reply).decode


class Endings:
    """Ends the requests of one partition.

    Args:
        node: This process.
        settler: For replies, and for what is done with.
        retries: For requests that want no reply and whose handler failed.
    """

    def __init__(self, node: Node, settler: Settler, retries: Retries) -> None:
        self._node = node
        self._settler = settler
        self._retries = retries

    def alone(self, entry: Entry, waiting: int) -> float:
        """For how many seconds no other suspect is begun beside this one.

        One that somebody waits for has no other chance, but neither have those behind it, if they are begun too late:
        each gets its share of the time for which its caller waits yet, but for some that its handler needs.
        """
        try:
            request = decode_request(entry.get(b"request") or b"")
        except UNDECODABLE:  # it ends at once
            return _LEAST_ALONE
        if request.reply_to is None:
            return alone_seconds(MAX_DELIVERIES - entry.deliveries)
        if request.deadline is None or request.credit is not None:
            # Whoever reads a stream waits 20 s for a sign of life.
            return max(_LEAST_ALONE, min(1.0, _STREAMS_SECONDS / (waiting + 1)))
        left = (request.deadline - self._node.clock.now()) / 1000 - _HANDLER_SECONDS
        return max(_LEAST_ALONE, min(_MOST_ALONE, left / (waiting + 1)))

    async def refuse(self, origin: Origin, entry: Entry, error: Exception) -> None:
        """End what is no request."""
        await self._retries.bury(origin, entry, BadRequest(f"It is no request: {error}"), "")

    async def begin(self, origin: Origin, entry: Entry, request: Request) -> tuple[bool, KeyedRun | None]:
        """Decide on a request that was delivered too often or has an idempotency key.

        Returns:
            Whether it is to run, else it has ended; and for which key.
        """
        keyed = None if request.idempotency_key is None else KeyedRun(self._node, origin, entry.id, request)
        most = _most_deliveries(request)
        if entry.deliveries > most:
            if keyed is not None:
                await keyed.release()
            problem = await self._retries.give_up(origin, entry, most, _trace(request))
            self._tell(request, failed_reply(problem, request.request_id))
            return False, None
        if keyed is None:
            return True, None
        try:
            claimed = await keyed.claim()
        except Conflict as problem:
            await self.end(origin, entry, request, None, problem=problem)
            return False, None
        if isinstance(claimed, Outcome):
            self._tell(request, _encoded(claimed, request))
            self._settler.settle(origin.stream, origin.group, entry.id, delete=True)
        return claimed == "mine", keyed

    async def end(
        self,
        origin: Origin,
        entry: Entry,
        request: Request,
        keyed: KeyedRun | None,
        *,
        reply: bytes | None = None,
        problem: ServiceError | None = None,
    ) -> None:
        """End a request that has run: with its reply, with what went wrong, or with neither, as nobody waits."""
        is_sent = request.reply_to is None
        if problem is not None and not is_sent:
            reply = failed_reply(problem, request.request_id)
        if keyed is not None:
            if reply is None or (problem is not None and is_passing(problem)):
                await keyed.release()
            else:
                reply = await self._keep(keyed, request, reply)
        if problem is not None and is_sent:
            await self._retries.failed(origin, entry, problem, _trace(request))
            return
        if reply is not None:
            self._tell(request, reply)
        self._settler.settle(origin.stream, origin.group, entry.id, delete=True)

    async def _keep(self, keyed: KeyedRun, request: Request, reply: bytes) -> bytes:
        """Keep a reply, and tell those who waited for it."""
        made = _decode_reply(reply)
        outcome, parked = await keyed.store(Outcome(made.status, made.payload))
        for other in parked:
            self._tell(other, _encoded(outcome, other))
        return _encoded(outcome, request)

    def _tell(self, request: Request, reply: bytes) -> None:
        if request.reply_to is not None:
            self._settler.reply(request.reply_to, reply)


def _most_deliveries(request: Request) -> int:
    return MAX_DELIVERIES if request.reply_to is None else MAX_CALL_DELIVERIES


def _encoded(outcome: Outcome, request: Request) -> bytes:
    return encode(Reply(outcome.status, outcome.payload, request.request_id))


def _trace(request: Request) -> str:
    return request.trace_id or request.request_id
