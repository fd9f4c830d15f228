"""The HTTP server: Granian embedded in our own event loop, on a socket that we have bound."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, cast

from daebus.core.budgets import MAX_HELD, Budget
from daebus.core.deadlines import OVERDUE_SECONDS, Deadlines
from daebus.delivery.grace import tell_overdue
from daebus.delivery.standing import standing_of_task
from daebus.errors import StartupError
from daebus.telemetry.logs import Logger

from .connections import ConnectionGuard
from .draining import BODY_RECEIVED
from .exchange import Exchange
from .granian_server import AsgiApp, GranianServer, embed
from .limits import ServerLimits, room_for
from .notices import Notices
from .own_sockets import OwnSockets
from .ports import at, listen
from .refusals import STOPPING, problem_headers
from .sockets import DIRECT, WebSockets, WebSocketSession, refuse_socket

__all__ = ["HttpServer"]

_NORMAL, _GOING_AWAY = 1000, 1001
_LEAVING_SECONDS = 0.1
_LOOK_SECONDS = 0.1  # a request that takes longer is cancelled if its client leaves
_CLOSING_SECONDS, _HURRIED_SECONDS = 1.0, 0.3
"""Seconds that a WebSocket client may take to confirm a close, normally and in a hurry."""
_TICK, _TICKS_BEFORE_COLLECTING = 0.001, 20
_TASKS = Path("/proc/self/task")
_LISTS_THREADS = _TASKS.is_dir()
_MAX_LOGGED = 10  # how many handlers are named when the stop cancels more
_THREAD_SECONDS = 0.2
"""Seconds that Granian's threads may take to end."""

# Tasks of servers that still wait for a client; without a reference, asyncio may drop them.
_left_behind: set[asyncio.Task[None]] = set()


class _NativeThreads:
    """Granian's native threads: a thread that requests the GIL while Python exits would abort the process."""

    def __init__(self) -> None:
        self._servers = 0
        self._others: set[int] = set()

    def enter(self) -> None:
        """Must be called before a server starts."""
        if self._servers == 0:
            self._others = self._alive()
        self._servers += 1

    def leave(self) -> bool:
        """Must be called after a server has stopped; returns whether it was the last one."""
        self._servers -= 1
        return self._servers == 0

    async def ended(self) -> None:
        """Wait for a limited time until all threads have ended, if no server runs; a reference may keep one alive."""
        if not _LISTS_THREADS:
            gc.collect()
            await asyncio.sleep(_THREAD_SECONDS)
        for attempt in range(int(_THREAD_SECONDS / _TICK)):
            if not self._alive() - self._others:
                break
            if attempt == _TICKS_BEFORE_COLLECTING:
                # From Python 3.12 on, tracebacks hold Granian's frames, and refused requests leave them in cycles.
                gc.collect()
            await asyncio.sleep(_TICK)

    @staticmethod
    def _alive() -> set[int]:
        known = {thread.native_id for thread in threading.enumerate()}
        return {int(task.name) for task in _TASKS.glob("*")} - known


_threads = _NativeThreads()


async def _refuse(exchange: Exchange) -> None:
    """Tell the client that the service stops."""
    # If the response has begun, Granian refuses, and the client sees a truncated response.
    with contextlib.suppress(Exception):
        await exchange.send({"type": "http.response.start", "status": 503, "headers": problem_headers(STOPPING)})
        await exchange.send({"type": "http.response.body", "body": STOPPING})


class HttpServer:
    """Serves an ASGI app, but does not run its lifespan. Installs no signal handlers.

    Attributes:
        address: The IP address that it listens on; empty before `start`.
        is_cutting: Whether `stop` cuts off the requests in flight.

    Args:
        app: The ASGI app.
        host: Name or address to listen on; of a name with several addresses one is used, preferably an IPv4 address.
        port: TCP port; 0: any free one.
        logger: Logs that requests were cut off.
        share_port: Whether several processes listen on the port, which `reserve_port` has reserved.
        limits: The limits for clients.
        budget: The memory budget for data of clients; default: a budget of this server alone.
        cancels: The methods of the requests that are cancelled if the client leaves before its answer begins.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        host: str,
        port: int,
        logger: Logger,
        share_port: bool = False,
        limits: ServerLimits | None = None,
        budget: Budget | None = None,
        cancels: Collection[str] = (),
    ) -> None:
        self.limits: ServerLimits = limits or ServerLimits()
        self._own = OwnSockets()
        self.budget: Budget = budget or Budget(MAX_HELD)
        self._notices = Notices(logger)
        self._sockets = WebSockets(self.limits.sockets, self._own, self.budget, self._notices)
        self._app = app
        self._host = host
        self._port = port
        self._logger = logger
        self._share_port = share_port
        self._granian: GranianServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._cancels = frozenset(cancels)
        # Those to cancel if their clients leave, to whom nobody listens yet.
        self._awaited: dict[asyncio.Task[Any], Exchange] = {}
        self._requests: dict[asyncio.Task[Any], Exchange] = {}
        self.is_cutting: bool = False
        self.is_leaving: bool = False
        self.address: str = ""
        self.bodies: Deadlines[Exchange, Exchange] = Deadlines()

    async def start(self) -> int:
        """Listen, and return the real port. From then on connections are accepted.

        Raises:
            StartupError: The port is taken, or the host or the port cannot be listened on.
        """
        with listen(
            self._host, self._port, share=self._share_port, write_timeout=self.limits.write_timeout
        ) as listening:
            bound: tuple[str, int] = listening.getsockname()[:2]
            self.address, self._port = bound
            port, room = self._port, room_for(self.limits)
            self._sockets.admit(room)
            self._granian = embed(self._serve, listening, room.connections, self.limits)
            _threads.enter()
            self._serving = asyncio.create_task(self._granian.serve(), name="granian")
            await asyncio.sleep(0)  # the server's first step, which starts its worker
        await asyncio.sleep(0)  # the worker's first step, which starts Granian's threads
        if self._serving.done() or not all(worker.is_alive() for worker in self._granian.wrks):
            await self.stop(0)
            raise StartupError(f"The HTTP server did not start on {at(self._host, port)}. Granian's log says why.")
        guard = ConnectionGuard(room, (self.address, port), self._requests.values, self._own, self._logger)
        self._watching = [asyncio.create_task(guard.watch(), name="connections")]
        if self._cancels:
            self._watching.append(asyncio.create_task(self._watch(), name="clients that leave"))
        return port

    async def stop(self, grace: float, cut: float = 1.0) -> None:
        """Accept no new connections, wait for the requests in flight, then cut them off.

        Before that, for a short time, requests on open connections are answered and the connections are closed.
        WebSockets count as requests. Returns at most `cut` plus 0.6 s after the grace, whatever a handler or a client
        does.

        Args:
            grace: How many seconds the requests may take.
            cut: How many seconds the requests that are cut off have to end.
        """
        granian, serving = self._granian, self._serving
        if granian is None or serving is None:
            return
        self._granian = self._serving = None
        self.is_leaving = True
        for watching in self._watching:
            watching.cancel()
        try:
            await asyncio.sleep(min(grace, _LEAVING_SECONDS))
        finally:
            granian.stop()
        try:
            await asyncio.wait({serving}, timeout=grace)
            if not serving.done():
                await self._cut_off(serving, cut)
            elif self._requests:  # WebSockets whose clients have not confirmed the close yet
                await asyncio.wait(self._requests, timeout=min(cut, _CLOSING_SECONDS + _HURRIED_SECONDS))
        finally:
            is_last = _threads.leave()
        if is_last and serving.done():
            await _threads.ended()

    async def _cut_off(self, serving: asyncio.Task[None], seconds: float) -> None:
        if self._requests:  # else a client keeps a connection open with an incomplete request
            handlers = [str(standing_of_task(task)) for task in list(self._requests)[:_MAX_LOGGED]]
            self._logger.warning("requests cut off by the stop", requests=len(self._requests), handlers=handlers)
        self.is_cutting = True
        for task in self._requests:
            task.cancel()
        await asyncio.wait({serving}, timeout=seconds)
        if not serving.done():
            _left_behind.add(serving)
            serving.add_done_callback(_left_behind.discard)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        timeout = self.limits.body_timeout if scope["type"] == "http" else None
        session: WebSocketSession | None = None
        if self.budget.is_tight:
            await self.budget.relief()
        if scope["type"] == "websocket":
            session = self._sockets.session(scope, receive, send)
            if session is None:
                await refuse_socket(receive, send)
                return
            receive, send = session.receive, session.send
            scope[DIRECT] = session.direct  # one step less for each message
        else:
            scope[BODY_RECEIVED] = False
        self._requests[task] = channel = Exchange(self, scope, receive, send, timeout, scope.get("client"))
        del receive, send
        if session is None and scope["method"] in self._cancels:
            self._awaited[task] = channel
        try:
            await self._app(scope, channel.receive, channel.send)
        except asyncio.CancelledError:
            if not self.is_cutting and not channel.is_cut:
                raise
            if scope["type"] == "http" and not channel.is_cut:
                await _refuse(channel)
        finally:
            scope.pop(DIRECT, None)
            self._awaited.pop(task, None)
            channel.close()
            try:
                if session is not None:
                    seconds = _HURRIED_SECONDS if self.is_cutting else _CLOSING_SECONDS
                    await session.close(_GOING_AWAY if self.is_leaving else _NORMAL, seconds)
            finally:
                del self._requests[task]

    async def _watch(self) -> None:
        """Listen to the clients of requests that take longer than from one look to the next."""
        seen = set[asyncio.Task[Any]]()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for task, exchange in list(self._awaited.items()):
                if exchange.has_begun or (task in seen and exchange.listen(partial(self._cancel, task))):
                    del self._awaited[task]
            seen = set(self._awaited)

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._logger.debug("request cancelled, as its client has left", handler=str(standing_of_task(task)))
        task.cancel()
        asyncio.get_running_loop().call_later(OVERDUE_SECONDS, tell_overdue, task, self._logger)

    def cut(self, exchange: Exchange, reason: str) -> None:
        """End the connection of a client that uses too much memory or does not read."""
        client = exchange.client
        if client is not None and self._own.cut(client, (self.address, self._port)):
            self._notices.tell("HTTP client disconnected", reason, client)
