"""The caller's side of the wire: from a contract and a payload to the entry of a stream, and back from the reply."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.connection.resp import Reply as ServerReply
from daebus.core.context import current_context
from daebus.core.deadlines import NEVER
from daebus.declare.contracts import Contract
from daebus.discovery.directory import Directory
from daebus.errors import BadReply, BadRequest, ConfigurationError, NoSuchService, Timeout
from daebus.identity.forwarding import with_user
from daebus.payloads.codec import Decoder, UnsupportedTypeError, compile_decoder, encode
from daebus.protocol.headers import has_headers, sent_headers
from daebus.protocol.limits import BusLimits, check_message
from daebus.protocol.messages import Request, action_stream, control_channel
from daebus.protocol.replies import SUCCESS, reply_error
from daebus.queues.idempotency import MAX_KEY

from .dialect import Dialect
from .inbox import Conversation, Inbox, Question
from .publishing import Publisher
from .queueing import Queue

__all__ = ["Caller"]

CREDIT = 256
"""How many items of a stream may be in flight to a caller that has not consumed them."""

CREDIT_SIZE = 1_048_576
"""How many bytes of items may be in flight to such a caller; the last item may exceed it."""


class Caller:
    """Sends requests on behalf of one process.

    Args:
        node: The process.
        service: The service to ask if neither the caller nor the contract names one.
        limits: How large a payload may be.
        dialect: Calls services that speak another wire format.
        warns: Whether to log requests for an action that no live instance has.

    Attributes:
        node: The process.
        commit_patience: See `Timings`.
        publisher: Publishes its events.
    """

    def __init__(
        self, node: Node, service: str | None, limits: BusLimits, dialect: Dialect, *, warns: bool = True
    ) -> None:
        self.commit_patience: float = node.timings.commit_patience
        self.node: Node = node
        self._service = service
        self._limits = limits
        self._dialect = dialect
        self._inbox = Inbox(node)
        self._directory = Directory(node)
        self._queue = Queue(node, self._directory, warns=warns)
        self._decoders: dict[Contract, Decoder] = {}
        self._sender = f"script@{socket.gethostname()[:200]}" if service is None else f"{service}@{node.id}"
        self.publisher: Publisher = Publisher(node, self._sender)

    def request(
        self,
        action: Contract,
        payload: object,
        service: str | None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """Build a request, with an idempotency key and headers, without sending it.

        Raises:
            ConfigurationError: No service is named, a header is wrong, or there are too many.
            TooLarge: The payload is too large.
            BadRequest: The payload contains itself, or the key is too long.
        """
        target = service or action.service or self._service
        if target is None:
            raise ConfigurationError(
                f"The service of {action.name!r} is not known: pass service=, or set service= in its contract."
            )
        if key is not None:
            self.check_key(key)
        context, sent = current_context.get(), None
        trace_id = None if context is None else context.request_id
        if headers is not None or (context is not None and has_headers(context)):
            sent, trace_id = sent_headers(headers, context)
        return Request(
            action=action.name,
            payload=msgspec.Raw(self.encode(payload)),
            request_id=self.node.new_request_id(),
            service=target,
            trace_id=trace_id,
            idempotency_key=key,
            headers=sent,
        )

    def new_request_id(self) -> str:
        """An id that no other request has."""
        return self.node.new_request_id()

    def check_key(self, key: str | None) -> None:
        """Raise `BadRequest` for an idempotency key that is too long, or empty."""
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise BadRequest(f"An idempotency key has 1 to {MAX_KEY} characters, and this one has {len(key)}")

    async def reply(self, request: Request, timeout: float | None) -> msgspec.Raw:
        """Send a request and wait for its only reply, as JSON; an error reply is raised."""
        deadline = _deadline(timeout)
        known = self._inbox.is_ready and self._directory.knows(request.service, request.action)
        foreign = not known and await self._prepare(request, timeout, deadline)
        question = Question(deadline, asyncio.get_running_loop().create_future())
        try:
            self._ask(request, question, deadline, foreign=foreign)
            reply = await question.replied
        except TimeoutError:
            raise _late(request, timeout, deadline) from None
        except CommandError as error:
            raise _refused(request, error) from None
        except asyncio.CancelledError:
            self._cancel(request)
            raise
        finally:
            self._inbox.waiting.pop(request.request_id, None)
        if reply.status != SUCCESS:
            raise reply_error(reply)
        return reply.payload

    async def replies(self, request: Request, timeout: float | None) -> AsyncGenerator[msgspec.Raw]:
        """Send a request and yield each of its replies, as JSON; an error reply is raised."""
        deadline = _deadline(timeout)
        foreign = await self._prepare(request, timeout, deadline)
        title = f"{request.service}.{request.action}"
        conversation = Conversation(title, deadline)
        request.credit, request.credit_size = CREDIT, CREDIT_SIZE
        taken = size = 0
        ended = False
        try:
            self._ask(request, conversation, deadline, foreign=foreign)
            while not ended:
                reply = await conversation.next()
                ended = reply.final
                if reply.status != SUCCESS:
                    raise reply_error(reply)
                # A stream ends with null; the only reply of an action that does not stream is an item.
                if not (ended and bytes(reply.payload) == b"null"):
                    yield reply.payload
                taken, size = taken + 1, size + memoryview(reply.payload).nbytes
                if (taken >= CREDIT // 2 or size >= CREDIT_SIZE // 2) and not ended:
                    self._tell(request, f"{request.request_id} {taken} {size}")
                    taken = size = 0
        except TimeoutError:
            raise _late(request, timeout, deadline) from None
        except CommandError as error:
            raise _refused(request, error) from None
        finally:
            self._inbox.waiting.pop(request.request_id, None)
            if not ended:
                self._cancel(request)

    async def queue(self, request: Request, max_queued: int, max_size: int, *, once: bool = False) -> None:
        """Send a request that wants no reply. Raises the errors of `Queue.put`."""
        service, directory = request.service, self._directory
        if not directory.knows(service, ""):
            await directory.serves(service)
            if not directory.has_seen(service) and await self._dialect.send(request):
                return
        request.sender = self._sender
        audience = ("action", service, request.action)
        request.headers = with_user(request.headers, audience, request.payload, self.node, kept=True)
        await self._queue.put(request, max_queued, max_size, once=once)

    def queues_once(self, service: str) -> bool:
        """Whether a request for a service may be queued again. In another dialect it would run twice."""
        return not self._dialect.is_spoken or self._directory.has_seen(service)

    def decoder(self, action: Contract) -> Decoder:
        """The decoder of the replies of an action; it raises `BadReply` for one that does not match the contract."""
        found = self._decoders.get(action)
        if found is None:
            try:
                found = self._decoders[action] = compile_decoder(action.types[1], partial(_bad_reply, action.name))
            except UnsupportedTypeError as error:
                raise ConfigurationError(f"The reply of {action!r} cannot be decoded: {error}") from error
        return found

    def encode(self, payload: object) -> bytes:
        """The JSON of a payload or an event. Raises `TooLarge`, and `BadRequest` if it contains itself."""
        try:
            body = encode(payload)
        except RecursionError:
            raise BadRequest("The payload is nested too deeply, or contains itself") from None
        check_message(body, self._limits)
        return body

    def check(self, body: bytes) -> None:
        """Raise `TooLarge` for a payload or an event above the limit."""
        check_message(body, self._limits)

    async def _prepare(self, request: Request, timeout: float | None, deadline: float) -> bool:
        """Ensure that replies can arrive and that the service is there; return whether it speaks another dialect.

        Raises `NoSuchService` and `NoSuchAction`.
        """
        try:
            async with asyncio.timeout(None if deadline == NEVER else deadline - time.monotonic()):
                await self._inbox.ready()
                try:
                    await self._directory.require(request.service, request.action)
                except NoSuchService as error:
                    await self._require_dialect(request, error)
                    return True
                return False
        except TimeoutError:
            raise _late(request, timeout, deadline) from None

    async def _require_dialect(self, request: Request, missing: NoSuchService) -> None:
        """Return if a service without instances may be asked in another dialect. Raises `missing` otherwise."""
        service, dialect = request.service, self._dialect
        problem = missing if self._directory.has_seen(service) else await dialect.instead(missing, service)
        if problem is not None:
            raise problem
        await dialect.prepare(request, self._inbox.receive)

    def _ask(self, request: Request, waiting: Question | Conversation, deadline: float, *, foreign: bool) -> None:
        """Send a request, and pass its replies to `waiting` until the request is forgotten."""
        if foreign:
            streams = request.credit is not None
            self._inbox.waiting.add(request.request_id, self._dialect.expecting(waiting, deadline, streams=streams))
            self._dialect.ask(request, waiting.sent)
            return
        self._inbox.waiting.add(request.request_id, waiting)
        node = self.node
        audience = ("action", request.service, request.action)
        if current_context.get() is not None:  # nobody else has a user, and most calls of scripts end here
            request.headers = with_user(request.headers, audience, request.payload, node)
        request.reply_to = self._inbox.channel
        request.deadline = None if deadline == NEVER else node.clock.at(deadline)
        partition = self._directory.partition(request.service, request.idempotency_key)
        entry = ("XADD", action_stream(partition, request.action), "*", "request", encode(request))
        node.link.issue(entry, waiting.sent)

    def _cancel(self, request: Request) -> None:
        self._tell(request, request.request_id)

    def _tell(self, request: Request, text: str) -> None:
        """Send a control message to a request's handler. If the server is gone, the handler ends at its deadline."""
        self.node.link.issue(("PUBLISH", control_channel(request.service), text), _ignore)


def _ignore(_: ServerReply) -> None:
    pass


def _late(request: Request, timeout: float | None, deadline: float) -> Timeout:
    context = current_context.get()
    inherited = timeout is None or (context is not None and context.deadline == deadline)
    limit = "before the deadline of the calling handler" if inherited else f"within {timeout:g} s"
    return Timeout(f"{request.service}.{request.action} did not {'end' if request.credit else 'answer'} {limit}")


def _refused(request: Request, error: CommandError) -> CommandError:
    return error.explained(("XADD", action_stream(request.service, request.action)))


def _bad_reply(action: str, problem: BadRequest) -> BadReply:
    return BadReply(f"The reply of {action!r} does not match its contract: {problem.message}")


def _deadline(timeout: float | None) -> float:
    """The earlier of a timeout and the calling handler's deadline, in `time.monotonic` seconds."""
    context = current_context.get()
    inherited = NEVER if context is None or context.deadline is None else context.deadline
    return min(inherited, NEVER if timeout is None else time.monotonic() + timeout)
