"""One WebSocket client's connection, from its handshake to its disconnect handlers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping

from daebus.asgi.handshake import Handshake, refuse
from daebus.core.budgets import Budget
from daebus.core.timings import Timings
from daebus.errors import Reject, ServiceError, Unavailable
from daebus.telemetry.logs import Logger

from .clients import Client
from .inbound import SocketDesk
from .outbox import Outbox
from .replicas import Switchboard

__all__ = ["GOING_AWAY", "Peer"]

GOING_AWAY = 1001
_NORMAL, _FAILED, _TOO_SLOW = 1000, 1011, 1013

_READ_AHEAD, _READ_AHEAD_SIZE = 16, 1_048_576  # messages; characters or bytes, before the last one
_TURN = 16  # messages handled without waiting, after which the others get their turn
_REGISTRY_SECONDS, _HURRIED_SECONDS = 1.0, 1.0
_LONGEST_REASON = 123  # bytes that a close frame can hold


class Peer:
    """One client's connection. Its messages are handled one after another, in the order in which they came.

    Nobody reads ahead while a handler runs, unless it runs for long: `tend` sees to it that the end is noticed then.

    Args:
        handshake: The request to connect.
        client_id: What the client is called.
        desk: Calls the handlers.
        switchboard: Where the client is entered once it is accepted.
        logger: For what goes wrong.
        budget: Where what waits for the client is accounted for.
        timings: How long it is waited for.

    Attributes:
        task: In which its handlers run; None: they have yet to begin.
    """

    def __init__(
        self,
        handshake: Handshake,
        client_id: str,
        desk: SocketDesk,
        switchboard: Switchboard,
        logger: Logger,
        budget: Budget,
        timings: Timings,
    ) -> None:
        self._timings = timings
        self.client: Client = Client(client_id, self, handshake.headers)
        self._handshake = handshake
        self._desk = desk
        self._switchboard = switchboard
        self._logger = logger
        self._outbox = Outbox(handshake, self._give_up, budget)
        self.task: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._ahead: deque[str | bytes] = deque()
        self._arrived = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._answered = self._accepted = self._gone = self._hurried = False
        self._idle = False  # whether it waits for a message
        self._queueing = False  # whether its answer waits for what was sent before
        self._handled = self._seen = 0

    async def serve(self) -> None:
        """Live through the connection, in the task that the server made for it."""
        self.task = asyncio.create_task(self._live(), name=f"socket {self.client.id}")
        try:
            await asyncio.wait({self.task})
        except asyncio.CancelledError:
            self._gone = True
            self.cut()
            await asyncio.wait({self.task})
            raise

    async def send(self, text: str) -> None:
        """Send a message; in the client's own handlers, wait until the server has taken those before it."""
        if self._accepted and asyncio.current_task() is self.task:
            await self._outbox.deliver(text)
        else:
            self._outbox.post(text)

    def post(self, text: str) -> None:
        """Send a message, without waiting."""
        self._outbox.post(text)

    def hang_up(self, reason: str) -> None:
        """Disconnect the client, without waiting, but for the handler that runs."""
        if self._closing is None:
            self.shut(_NORMAL, reason)
            self._limit_handler()

    def shut(self, code: int, reason: str) -> None:
        """As `hang_up`, with any code and without a limit for the handler."""
        if self._closing is not None:
            return
        self._closing = (code, reason)
        if (self._idle or self._queueing) and self.task is not None:
            self.task.cancel()
        elif self._outbox.is_awaited:
            asyncio.get_running_loop().call_later(self._timings.close, self._end_waiting)

    def cut(self) -> None:
        """Cancel what runs for the client, be it a handler or a disconnect handler."""
        self._hurried = True
        if self.task is not None:
            self.task.cancel()

    def tend(self) -> None:
        """To be called now and then: finds out about clients that have gone or do not read."""
        if self._outbox.is_stuck(self._timings.stuck):
            self._give_up()
        busy = self._accepted and not self._idle and self._closing is None
        if busy and self._handled == self._seen and self._reader is None and not self._gone:
            self._reader = asyncio.create_task(self._read_ahead())
        self._seen = self._handled

    async def _live(self) -> None:
        try:
            if await self._enter():
                await self._handle_messages()
        except asyncio.CancelledError:
            self._spare()
        except Exception:
            self._logger.exception("the connection of a WebSocket client failed", client=self.client.id)
        await self._leave()

    async def _enter(self) -> bool:
        """Accept or refuse the client; returns whether it was accepted."""
        greeting = None
        try:
            await self._handshake.receive()
            if self._closing is None:
                greeting = await self._desk.greet(self.client, self._handshake.query, self._handshake.request_id)
            if self._closing is not None:
                code, reason = self._closing
                raise Reject(reason or "The client was refused.") if code == _NORMAL else Unavailable(reason)
        except ServiceError as error:
            self._answered = True
            await refuse(self._handshake, error)
            return False
        self._answered = True
        # Before the client knows that it is connected: it misses nothing that is sent to all from then on.
        self._switchboard.lines[self.client.id] = self
        try:
            await self._handshake.send({"type": "websocket.accept"})
        except Exception:  # the client has not waited
            return False
        self._accepted = True
        # Waited for, so that every replica can reach the client once it has heard from us.
        await self._attempt(self._switchboard.enter(self.client.id), _REGISTRY_SECONDS)
        self._outbox.open()
        if greeting is not None:
            await self._outbox.deliver(greeting)
        return True

    async def _handle_messages(self) -> None:
        at_once = 0  # messages in a row after which the server was not waited for
        while self._closing is None:
            self._idle = True
            if self._reader or self._ahead or self._gone:
                message = await self._next_ahead()
            else:  # as `_read`, a coroutine less
                try:
                    message = self._look_at(await self._handshake.receive())
                except Exception:  # the server's way of saying that the client has gone
                    message = self._look_at({})
            self._idle = False
            if message is None:
                return
            self._handled += 1
            answer = await self._desk.answer(self.client, message)
            if answer is not None and not self._outbox.offer(answer):
                await self._queue(answer)
            # Once it is closing, `_leave` waits for that, with a limit.
            has_waited = self._closing is None and await self._outbox.taken()
            at_once = 0 if has_waited else at_once + 1
            if at_once == _TURN:
                at_once = 0
                await asyncio.sleep(0)

    async def _queue(self, answer: str) -> None:
        """Send an answer that has to wait until the server has taken what was sent before."""
        if self._closing is not None:
            self._outbox.post(answer)
            return
        self._queueing = True
        try:
            await self._outbox.deliver(answer)
        finally:
            self._queueing = False

    def _end_waiting(self) -> None:
        if self._outbox.is_awaited and self.task is not None:
            self.task.cancel()

    async def _next_ahead(self) -> str | bytes | None:
        """The next message that the reader has read, or is to read."""
        while not self._ahead:
            if self._reader is None:
                return await self._read()
            self._arrived.clear()
            await self._arrived.wait()
        return self._ahead.popleft()

    async def _read(self) -> str | bytes | None:
        """The next message of the connection; None: the client has gone."""
        if self._gone:
            return None
        try:
            return self._look_at(await self._handshake.receive())
        except Exception:  # the server's way of saying that the client has gone
            return self._look_at({})

    def _look_at(self, event: Mapping[str, object]) -> str | bytes | None:
        """The message that the server has received; None: the client has gone."""
        text = event.get("text")
        if isinstance(text, str):
            return text
        data = event.get("bytes")
        if isinstance(data, bytes):
            return data
        self._gone = True
        self._outbox.close()
        return None

    async def _read_ahead(self) -> None:
        try:
            while len(self._ahead) < _READ_AHEAD and sum(map(len, self._ahead)) < _READ_AHEAD_SIZE:
                message = await self._read()
                self._arrived.set()
                if message is None:
                    self._limit_handler()
                    break
                self._ahead.append(message)
        finally:
            self._reader = None

    async def _leave(self) -> None:
        closing = self._closing = self._closing or (_FAILED, "")
        if self._limit is not None:
            self._limit.cancel()
        if self._reader is not None:
            self._reader.cancel()
            await self._attempt(asyncio.wait({self._reader}), None)
        self._switchboard.lines.pop(self.client.id, None)
        if not self._accepted:
            self._outbox.close()
            if not self._answered:
                await self._attempt(
                    refuse(self._handshake, Unavailable("The service is stopping.")), self._timings.close
                )
            return
        if not self._gone:
            await self._attempt(self._outbox.drain(), self._timings.close)
            await self._attempt(self._close(*closing), self._timings.close)
        self._outbox.close()
        await self._attempt(self._switchboard.leave([self.client.id]), _REGISTRY_SECONDS)
        for delivery in self._desk.disconnects:
            await self._attempt(self._desk.part(delivery, self.client), _HURRIED_SECONDS if self._hurried else None)

    async def _close(self, code: int, reason: str) -> None:
        shortened = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        await self._handshake.send({"type": "websocket.close", "code": code, "reason": shortened})

    async def _attempt(self, work: Awaitable[object], seconds: float | None) -> None:
        """Do a part of what must be done, whatever becomes of it; `cut` and the limit end it, not the rest."""
        try:
            async with asyncio.timeout(seconds):
                await work
        except asyncio.CancelledError:
            self._spare()
        except Exception as error:
            self._logger.debug("a WebSocket client went in disorder", client=self.client.id, exc_info=error)

    def _give_up(self) -> None:
        if self._closing is None:
            self._logger.warning("WebSocket client disconnected, as it reads too slowly", client=self.client.id)
            self.shut(_TOO_SLOW, "The client reads too slowly.")
            self._limit_handler()
        self._outbox.close()

    def _limit_handler(self) -> None:
        if self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(self._timings.finish, self.cut)

    def _spare(self) -> None:
        """Go on although this task was cancelled, which was for the sake of what it was doing then."""
        if self.task is not None:
            self.task.uncancel()
