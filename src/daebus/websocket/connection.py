"""The connection of one WebSocket client, from its handshake to its disconnect handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from daebus.asgi.handshake import Handshake, choose_protocol, refuse
from daebus.asgi.settings import WebSocketLimits
from daebus.core.budgets import Budget
from daebus.core.timings import Timings
from daebus.errors import Reject, ServiceError, Unavailable
from daebus.protocol.replies import encode_response
from daebus.telemetry.logs import Logger

from .clients import Client
from .inbound import Inbound
from .outbox import Outbox
from .rates import allowance_of
from .reader import Reader
from .replicas import Replicas
from .state import AT_CLOSE, CONNECTING, INTERRUPTED, OPEN, State
from .steps import Limit, Steps, go_on

__all__ = ["GOING_AWAY", "Connection"]

GOING_AWAY, _NORMAL, _FAILED, _TOO_SLOW = 1001, 1000, 1011, 1013

_TURN = 16  # messages handled without waiting, before other clients get a turn
_REGISTRY_SECONDS, _HURRIED_SECONDS = 1.0, 1.0
_HANDLING, _RECEIVING = State.HANDLING, State.RECEIVING  # reading an enum member takes as long as a call
_DISCONNECTED: Mapping[str, object] = {"type": "websocket.disconnect"}


class Connection:
    """The connection of one client. Its messages are handled one after another, in the order in which they came.

    Args:
        handshake: The request to connect.
        client_id: The id of the client.
        inbound: Calls the handlers.
        replicas: The registry to which the client is added when it is accepted.
        logger: Logs errors.
        budget: The memory budget for messages that wait for the client.
        timings: How long to wait for the client.
        limits: The limits for its login.

    Attributes:
        client: The client, as the handlers see it.
        task: The task in which its handlers run; None: not started yet.
    """

    def __init__(
        self,
        handshake: Handshake,
        client_id: str,
        inbound: Inbound,
        replicas: Replicas,
        logger: Logger,
        budget: Budget,
        timings: Timings,
        limits: WebSocketLimits,
    ) -> None:
        self.client: Client = Client(client_id, self, handshake.headers, handshake.scope)
        self.task: asyncio.Task[None] | None = None
        self._handshake = handshake
        self._inbound = inbound
        self._replicas = replicas
        self._logger = logger
        self._timings = timings
        self._limits = limits
        self._allowance = allowance_of(limits, self.disconnect)
        self._users = inbound.watch(self.client, self.disconnect)
        self._outbox = Outbox(handshake, self._drop, budget)
        self._reader = Reader(handshake, self._client_gone, self._cancels)
        self._steps = Steps(client_id, logger)
        self._message: str | bytes = ""  # the last one that was passed to a handler
        self._unwanted: str | bytes | None = None  # the last one that its client has cancelled
        self._state = State.HANDSHAKE
        self._close_frame = (_FAILED, "")  # its code and reason, unless somebody closes the connection
        self._limit = Limit(timings.finish, self.cancel)

    async def serve(self) -> None:
        """Serve the connection until it is over, in the task that the server made for it."""
        self.task = asyncio.create_task(self._run(), name=f"socket {self.client.id}")
        try:
            await asyncio.wait({self.task})
        except asyncio.CancelledError:
            self._reader.end()
            self.cancel()
            await asyncio.wait({self.task})
            raise

    async def send(self, text: str) -> None:
        """Send a message; in the client's own handlers, wait until the server has taken those before it."""
        if self._state not in CONNECTING and asyncio.current_task() is self.task:
            await self._outbox.deliver(text)
        else:
            self._outbox.post(text)

    async def deliver(self, text: str) -> bool:
        """Send a message, after the earlier ones are on their way; returns whether the client is still there."""
        return await self._outbox.deliver(text)

    def post(self, text: str) -> None:
        """Send a message, without waiting."""
        self._outbox.post(text)

    def disconnect(self, reason: str, code: int = _NORMAL) -> None:
        """Disconnect the client after the current handler has finished, which has a limited time."""
        if self.close(code, reason):
            self._limit.begin()

    def close(self, code: int, reason: str) -> bool:
        """Disconnect the client after the current handler has finished; returns whether it was not closing yet."""
        if (before := self._state) not in AT_CLOSE:
            return False
        self._state, self._close_frame = AT_CLOSE[before], (code, reason)
        if before in INTERRUPTED and self.task is not None:
            self.task.cancel()
        elif self._outbox.is_awaited:
            asyncio.get_running_loop().call_later(self._timings.close, self._end_waiting)
        return True

    def cancel(self) -> None:
        """Cancel the current handler or disconnect handler of the client."""
        self._steps.limit = _HURRIED_SECONDS
        if self.task is not None:
            self.task.cancel()

    def check(self) -> None:
        """Check whether the client does not read. Must be called at regular intervals."""
        if self._outbox.is_stuck(self._timings.stuck):
            self._drop()

    def look(self) -> None:
        """Listen to the client while its message is being handled, if it was handled at the last look, too."""
        self._reader.look(self._message)

    async def _run(self) -> None:
        try:
            if await self._connect():
                await self._handle_messages()
        except asyncio.CancelledError:
            go_on()
        except Exception:
            self._logger.exception("the connection of a WebSocket client failed", client=self.client.id)
        await self._finish()

    async def _connect(self) -> bool:
        """Accept or refuse the client; returns whether it was accepted."""
        greeting, asked, handshake = None, None, self._handshake
        try:
            await handshake.receive()
            logs_in = choose_protocol(handshake, can_log_in=self._users is not None)
            if logs_in and self._state is State.HANDSHAKE:
                await self._reader.accept()  # a stop must not interrupt it, as the client would not be told why
            if logs_in and self._state is State.HANDSHAKE:
                self._state = State.LOGIN
                message = await self._reader.first(self._limits.login_timeout)
                self._state = State.HANDSHAKE
                asked = await self._inbound.log_in(self.client, message)
            if self._state is State.HANDSHAKE:
                greeting = await self._inbound.connect(self.client, handshake.query, handshake.request_id)
            if self._state is State.REFUSING:
                code, reason = self._close_frame
                raise Reject(reason or "The client was refused.") if code == _NORMAL else Unavailable(reason)
        except ServiceError as error:
            self._state = State.CLOSED
            await refuse(handshake, error)
            return False
        if not await self._accept():
            return False
        # This is awaited, so that every replica can reach the client once the client has received a message.
        await self._steps.attempt(self._replicas.add(self.client.id), _REGISTRY_SECONDS)
        self._outbox.open()
        if greeting is not None or logs_in:
            await self._outbox.deliver(encode_response(greeting, asked))
        return True

    async def _accept(self) -> bool:
        self._state = State.ACCEPTING
        # Done before the client knows that it is connected, so that it misses no broadcast from then on.
        self._replicas.connections[self.client.id] = self
        try:
            await self._handshake.accept()
        except Exception:  # the client has disconnected already
            self._state = State.CLOSED
            return False
        except asyncio.CancelledError:
            self._state = State.CLOSED
            raise
        if self._state in CONNECTING:  # else it was closed meanwhile
            self._state = State.HANDLING
        return True

    async def _handle_messages(self) -> None:
        at_once = 0  # messages in a row without waiting for the server
        while self._state in OPEN:
            self._state = _RECEIVING
            if self._reader.is_ahead:
                message = await self._reader.next()
            else:
                try:
                    event = await self._handshake.receive()
                except Exception:  # the server's way of saying that the client has gone
                    event = _DISCONNECTED
                text = event.get("text")
                message = text if isinstance(text, str) else self._reader.message_of(event)
            if message is None:
                self._outbox.close()
                return
            self._state = _HANDLING
            self._message = message
            self._replicas.handling.add(self)
            try:
                answer = await self._inbound.handle(self.client, message, self._allowance)
            except asyncio.CancelledError:
                if self._unwanted is not message:
                    raise
                go_on()
                answer = None
            if answer is not None and not self._outbox.offer(answer):
                await self._queue(answer)
            self._replicas.handling.discard(self)
            at_once += 1
            sending = self._outbox.sending
            # When the connection is closing, `_finish` waits for that, with a time limit.
            if sending is not None and not sending.done() and self._state in OPEN and await self._outbox.taken():
                at_once = 0
            elif at_once == _TURN:
                at_once = 0
                await asyncio.sleep(0)

    async def _queue(self, answer: str) -> None:
        """Send an answer that has to wait until the server has taken the earlier messages."""
        if self._state not in OPEN:
            self._outbox.post(answer)
            return
        self._state = State.ANSWERING
        await self._outbox.deliver(answer)
        if self._state in OPEN:
            self._state = State.HANDLING

    async def _finish(self) -> None:
        """End the connection: no more messages are handled."""
        if self._users is not None:
            self._users.stop()
        before, self._state = self._state, State.CLOSING
        self._limit.end()
        self._replicas.handling.discard(self)
        await self._steps.attempt(self._reader.stop(), None)
        await self._steps.attempt(self._inbound.end_streams(self.client), None)
        self._replicas.connections.pop(self.client.id, None)
        if before in CONNECTING:
            self._outbox.close()
            await self._steps.attempt(
                refuse(self._handshake, Unavailable("The service is stopping.")), self._timings.close
            )
        elif before is State.CLOSED:
            self._outbox.close()
        else:
            await self._leave()
        self._state = State.CLOSED

    async def _leave(self) -> None:
        """Close the connection of a client that was accepted, and run its disconnect handlers."""
        if not self._reader.is_over:
            await self._steps.attempt(self._outbox.drain(), self._timings.close)
            await self._steps.attempt(self._handshake.close(*self._close_frame), self._timings.close)
        self._state = State.CLOSED
        self._outbox.close()
        leaving = asyncio.gather(self._replicas.remove([self.client.id]), self._inbound.left(self.client))
        await self._steps.attempt(leaving, _REGISTRY_SECONDS)
        for delivery in self._inbound.disconnects:
            await self._steps.attempt(self._inbound.disconnect(delivery, self.client), self._steps.limit)

    def _cancels(self, message: str | bytes) -> bool:
        """Whether a message that came while a handler runs cancels that handler, which is then done."""
        if self.task is None or self._state is not _HANDLING or not self._inbound.cancels(message, self._message):
            return False
        self._unwanted = self._message
        self.task.cancel()
        return True

    def _client_gone(self) -> None:
        """The client has disconnected while a handler runs."""
        self._outbox.close()
        self._limit.begin()

    def _drop(self) -> None:
        """Disconnect a client that reads too slowly, without sending anything more."""
        if self.close(_TOO_SLOW, "The client reads too slowly."):
            self._logger.warning("WebSocket client disconnected, as it reads too slowly", client=self.client.id)
            self._limit.begin()
        self._outbox.close()

    def _end_waiting(self) -> None:
        if self._outbox.is_awaited and self.task is not None:
            self.task.cancel()
