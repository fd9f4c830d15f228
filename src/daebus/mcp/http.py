"""Tools over HTTP: each request is answered by whichever replica gets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import cast

from litestar import asgi
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Scope, Send
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from daebus.asgi.problems import request_id
from daebus.core.stopping import Stopping
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint
from daebus.errors import Timeout, Unavailable
from daebus.telemetry.logs import Logger

from .server import Asked, make_server
from .tools import PATH, Tool

__all__ = ["HttpTools"]


class HttpTools:
    """Serves the tools of an app at one path.

    Args:
        tools: The tools, with the endpoints of their actions.
        service: The name of the service.
        stopping: Whether it is stopping.
        logger: For what fails unexpectedly.
        max_body_size: The most bytes that a request may have.
    """

    def __init__(
        self,
        tools: Sequence[tuple[Tool, Endpoint[bytes]]],
        *,
        service: str,
        stopping: Stopping,
        logger: Logger,
        max_body_size: int,
    ) -> None:
        self._deliveries = {
            tool.name: Delivery(endpoint, service, stopping, logger, "http") for tool, endpoint in tools
        }
        self._server = make_server(service, [tool for tool, _ in tools], self._ask)
        self._max_body_size = max_body_size
        self._manager: StreamableHTTPSessionManager | None = None

    def handler(self) -> ASGIRouteHandler:
        """The handler of the path, for Litestar."""
        return asgi(PATH, copy_scope=True)(self._answer)

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncGenerator[None]:
        """Serve until the end; then the calls in progress are cancelled."""
        self._manager = StreamableHTTPSessionManager(
            self._server, stateless=True, max_request_body_size=self._max_body_size
        )
        async with self._manager.run():
            yield

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._manager is None:
            raise Unavailable("The service is not running: the server must run the ASGI lifespan")
        if (
            cast("HTTPScope", scope)["method"] != "POST"
        ):  # without sessions there is nothing to listen to, and nothing to end
            raise MethodNotAllowedException("Tools are called with POST", headers={"allow": "POST"})
        await self._manager.handle_request(scope, receive, send)  # type: ignore[arg-type]  # Starlette's names for ASGI

    async def _ask(self, tool: Tool, payload: bytes, asked: Asked) -> AsyncGenerator[bytes]:
        """Pass a tool call to the handler of the action, as a request with the headers of the assistant."""
        request = asked.request
        if request is None:
            raise Unavailable("The call has come without an HTTP request")
        scope: Scope = request.scope
        delivery = self._deliveries[tool.name]
        incoming = delivery.incoming(request_id(scope), payload, scope, headers=scope["headers"])
        if not tool.streams:
            yield await delivery.answer(incoming)
            return
        seconds = delivery.endpoint.timeout
        end = None if seconds is None else asyncio.get_running_loop().time() + seconds
        try:
            async with aclosing(delivery.stream(incoming)) as items:
                while (item := await _next(items, end, delivery.title, seconds)) is not None:
                    yield item
        except Exception as error:
            raise delivery.problem(error, incoming) from error


async def _next(items: AsyncGenerator[bytes], end: float | None, title: str, seconds: float | None) -> bytes | None:
    """The next item of a stream that has to end in time; None: there is none."""
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            return await anext(items, None)
    except TimeoutError as error:
        if limit.expired():
            raise Timeout(f"{title} did not finish in {seconds:g} s") from error
        raise
