"""The WebSocket endpoint of a service. Loads Litestar: import it only when a service with sockets starts."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from litestar.handlers import WebsocketRouteHandler

from daebus.asgi.handshake import Handshake, Socket, read_handshake, refuse
from daebus.asgi.origins import Headers, OriginGuard, RefusalLog
from daebus.asgi.settings import DaebusWebSocket
from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.core.budgets import MAX_HELD, Budget
from daebus.delivery.standing import standing_of_task
from daebus.errors import ServiceError, Unavailable
from daebus.rooms.local_rooms import LocalRooms
from daebus.telemetry.logs import Logger

from .clients import Clients
from .connection import GOING_AWAY, Connection
from .inbound import Inbound, SocketRoutes
from .replicas import Replicas

__all__ = ["SocketHub", "SocketRoutes", "socket_handler"]

_STRAY = re.compile(r"[^\w.@-]", re.ASCII)
_LONGEST_NAME = 64
_MAX_LOGGED = 10  # how many handlers are named when the stop cancels more


class SocketHub:
    """The WebSocket clients of one service in this process.

    Args:
        settings: The limits.
        routes: The handlers.
        service: The service's name.
        node: This process; its id becomes part of the clients' ids.
        logger: Logs errors.

    Attributes:
        budget: The memory budget for messages that wait for clients; its own budget, unless it is replaced.
        clients: The clients of all replicas.
    """

    def __init__(
        self,
        settings: DaebusWebSocket,
        routes: SocketRoutes,
        *,
        service: str,
        node: Node,
        logger: Logger,
    ) -> None:
        self.budget: Budget = Budget(MAX_HELD)
        self._instance = node.id
        self._timings = node.timings
        self._limits = settings.limits
        self._make_name, self._stop_notice = settings.client_id, settings.stop_notice
        self._contracts = [room.name for room, _ in routes.joins]
        self._origins = OriginGuard(settings.origins, component="DaebusWebSocket")
        self._refusals = RefusalLog(logger)
        self._subscriber = node.subscriber
        self._logger = logger
        self._local_rooms = LocalRooms(node, logger)
        self._inbound = Inbound(
            routes,
            service=service,
            rooms=self._local_rooms,
            limits=settings.limits,
            stopping=node.stopping,
            logger=logger,
        )
        self._replicas = Replicas(node.link, service)
        self.clients: Clients = Clients(self._replicas)
        self._connections: dict[Connection, asyncio.Future[None]] = {}
        self._stopping: tuple[int, str] | None = None
        self._checking: Sequence[asyncio.Task[None]] = ()
        self._forgotten = asyncio.Event()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    @property
    def connected(self) -> int:
        """How many clients are connected to this process."""
        return len(self._connections)

    async def start(self) -> None:
        """Start receiving messages of other replicas for clients of this process. Raises `Unavailable`."""
        self._unsubscribe = await self._subscriber.subscribe(self._replicas.channel, self._replicas.receive)
        if self._contracts:
            self._local_rooms.start(self._contracts)
        self._checking = [asyncio.create_task(work, name="WebSocket clients") for work in (self._check(), self._look())]

    async def close_all(
        self, reason: str = "The service is stopping.", *, code: int = GOING_AWAY, grace: float = 10.0, cut: float = 5.0
    ) -> None:
        """Accept no more clients and messages, and disconnect all clients.

        Messages in flight are handled and answered, then each client is disconnected and the disconnect handlers run.
        After `grace` seconds, handlers that still run are cancelled; `cut` seconds later, disconnect handlers are
        cancelled, too. Handlers that do not end within `cut` seconds after that are abandoned. A second call does
        nothing.
        """
        if self._stopping is not None:
            return
        self._stopping = (code, reason)
        if self._stop_notice is not None:
            for connection in self._replicas.connections.values():
                connection.post(self._stop_notice)
        ends = dict(self._connections)
        for connection in ends:
            connection.close(code, reason)
        await _wait(ends, grace)
        self._log_late([connection for connection in ends if connection in self._connections])
        for _ in range(2):  # first the handlers, then the remaining disconnect handlers
            for connection in ends:
                if connection in self._connections:
                    connection.cancel()
            await _wait(ends, cut)

    def _log_late(self, late: Sequence[Connection]) -> None:
        if late:
            handlers = [str(standing_of_task(each.task)) for each in late[:_MAX_LOGGED] if each.task is not None]
            self._logger.warning(
                "handlers of WebSocket clients cancelled by the stop", clients=len(late), handlers=handlers
            )

    async def stop(self) -> None:
        """Stop receiving messages of other replicas. Must be called after `close_all`."""
        for checking in self._checking:
            checking.cancel()
            await asyncio.wait({checking})
        if self._contracts:
            await self._local_rooms.stop()
        if self._unsubscribe is not None:
            await self._unsubscribe()
        await self._replicas.remove(list(self._replicas.connections))

    def check_origin(self, headers: Headers, *, path: str, request_id: str) -> None:
        """Refuse pages of other sites, by the headers of the handshake request. Raises `Forbidden`."""
        refusal = self._origins.refusal(headers)
        if refusal is not None:
            self._refusals.add(refusal, path=path, request_id=request_id)
            raise refusal.error

    async def serve(self, handshake: Handshake) -> None:
        """Serve one connection until it is over, in the task that the server made for it.

        Raises `Unavailable` if the maximum number of clients is connected.
        """
        if len(self._connections) >= self._limits.max_clients:
            most = self._limits.max_clients
            raise Unavailable(f"{most} clients are connected to this process, and it takes no more")
        client_id = f"{self._name_of(handshake)}{self._instance}-{secrets.token_hex(8)}"
        connection = Connection(
            handshake, client_id, self._inbound, self._replicas, self._logger, self.budget, self._timings, self._limits
        )
        if self._stopping is not None:
            connection.close(*self._stopping)
        end = self._connections[connection] = asyncio.get_running_loop().create_future()
        try:
            await connection.serve()
        finally:
            del self._connections[connection]
            end.set_result(None)

    def _name_of(self, handshake: Handshake) -> str:
        """The part of a client's id that the user chooses, without characters that separate names in Redis."""
        if self._make_name is None:
            return ""
        return _STRAY.sub("_", self._make_name(handshake.headers))[:_LONGEST_NAME] + "-"

    def renew_soon(self) -> None:
        """Renew the entries of all clients in the registry soon, as the registry may have been lost."""
        self._forgotten.set()
        self._local_rooms.renew_soon()

    async def _check(self) -> None:
        while True:
            if not self._forgotten.is_set():
                for connection in list(self._connections):
                    connection.check()
            self._forgotten.clear()
            try:
                await self._replicas.renew()
            except (Unavailable, CommandError):
                self._logger.debug("WebSocket clients could not be renewed in the registry", exc_info=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.tend):
                    await self._forgotten.wait()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._timings.notice)
            for connection in list(self._replicas.handling):
                connection.look()


def socket_handler(path: str | None, hub: Callable[[], SocketHub]) -> WebsocketRouteHandler:
    """The Litestar handler for WebSockets at `path`; None: at every path.

    `hub` may raise a `ServiceError`, with which the client is refused.
    """

    async def serve_socket(socket: Socket) -> None:
        handshake = read_handshake(socket)
        try:
            serving = hub()
            scope = socket.scope
            serving.check_origin(scope["headers"], path=scope["path"], request_id=handshake.request_id)
            await serving.serve(handshake)
        except ServiceError as error:
            await handshake.receive()
            await refuse(handshake, error)
        finally:
            handshake.release()

    return WebsocketRouteHandler(["/", "/{rest:path}"] if path is None else path)(serve_socket)


async def _wait(ends: Mapping[Connection, asyncio.Future[None]], seconds: float) -> None:
    if ends:
        await asyncio.wait(ends.values(), timeout=seconds)
