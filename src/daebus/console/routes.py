"""The routes of the console, for Litestar: data as JSON, streams as server-sent events, and acts as POST requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Stream
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from daebus.connection.node import Node
from daebus.discovery.asking import ask, ask_instance
from daebus.errors import BadRequest, Unavailable
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.discovery import Identity, Info, Inquiry

from . import letters
from .access import SAFE_HEADERS
from .calling import Asked, answers
from .console import Console
from .letters import Chosen
from .site import site_routes
from .tails import known_channels, tail
from .views import overview, service_view

__all__ = ["console_router"]

_JSON = "application/json"
_LINES = "application/x-ndjson"
_EVENTS = "text/event-stream"

_HEADERS = [(name.encode(), value.encode()) for name, value in SAFE_HEADERS.items()]

_AnyRequest = Request[Any, Any, Any]
T = TypeVar("T")


class _About(msgspec.Struct, frozen=True):
    """What the page has to know of the console itself."""

    read_only: bool
    server: str
    has_wiring: bool


def console_router(console: Console, path: str) -> Router:
    """The page, its files, and its data, below a path."""
    access = console.access

    def require(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        # A function, not a method: Litestar deep-copies the guards of a router, including a method's object.
        access.require(connection, handler)

    data = Router(
        "/api",
        route_handlers=[*_fleet_routes(console), *_letter_routes(console), *_channel_routes(console)],
        guards=[require],
    )
    return Router(
        path,
        route_handlers=[*site_routes(access), data],
        include_in_schema=False,
        middleware=[_guarded],
    )


def _guarded(app: ASGIApp) -> ASGIApp:
    """Add `SAFE_HEADERS` to all responses, those of errors too."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                named = {name for name, _ in given}
                message["headers"] = [*given, *(each for each in _HEADERS if each[0] not in named)]
            await send(message)

        await app(scope, receive, send_guarded)

    return answer


def _fleet_routes(console: Console) -> Sequence[HTTPRouteHandler]:
    @get("/about", sync_to_thread=False)
    def about() -> Response[bytes]:
        node = console.desk.node
        return _json(
            encode(_About(console.access.read_only, node.server.address, has_wiring=console.wiring is not None))
        )

    @get("/fleet", sync_to_thread=False)
    def fleet() -> Stream:
        return _events(console.desk.feed.follow("", overview))

    @get("/service", sync_to_thread=False)
    def one(service: FromQuery[str]) -> Stream:
        return _events(console.desk.feed.follow(service, partial(service_view, service=service)))

    @get("/history")
    async def history(service: FromQuery[str], minutes: FromQuery[int] = 60) -> Response[bytes]:
        return _json(await console.desk.history.read(service, min(max(minutes, 1), 1_440)))

    @get("/info")
    async def info(service: FromQuery[str]) -> Response[bytes]:
        return _json(encode(await _info(console.desk.node, service)))

    @get("/wiring", sync_to_thread=False)
    def wiring() -> Response[bytes]:
        return _json(console.wiring or b"null")

    @post("/call", status_code=200)
    async def call(request: _AnyRequest) -> Stream:
        return Stream(answers(console.desk.bus, await _body(request, Asked)), media_type=_LINES)

    return [about, fleet, one, history, info, wiring, call]


def _letter_routes(console: Console) -> Sequence[HTTPRouteHandler]:
    @get("/letters")
    async def find(service: FromQuery[str], search: FromQuery[str] = "") -> Response[bytes]:
        return _json(await letters.found(console.desk.node, service, search))

    @get("/letter")
    async def show(service: FromQuery[str], letter: FromQuery[str]) -> Response[bytes]:
        return _json(await letters.shown(console.desk.node, service, letter))

    @post("/letters/replay", status_code=200)
    async def replay(request: _AnyRequest) -> Response[bytes]:
        return _json(await letters.replay(console.desk.node, await _body(request, Chosen)))

    @post("/letters/drop", status_code=200)
    async def drop(request: _AnyRequest) -> Response[bytes]:
        return _json(await letters.drop(console.desk.node, await _body(request, Chosen)))

    return [find, show, replay, drop]


def _channel_routes(console: Console) -> Sequence[HTTPRouteHandler]:
    @get("/channels")
    async def channels() -> Response[bytes]:
        return _json(await known_channels(console.desk.node))

    @get("/tail", sync_to_thread=False)
    def follow(channel: FromQuery[str], *, durable: FromQuery[bool] = False) -> Stream:
        desk = console.desk
        return _events(tail(desk.node, channel, durable=durable, is_closed=lambda: desk.is_closed))

    return [channels, follow]


async def _info(node: Node, service: str) -> Info:
    """What the newest instance of a service serves. Raises `Unavailable` if none answers."""
    found = [one for one in await ask(node, "ping", Identity, service=service) if one.state == "running"]
    if not found:
        raise Unavailable(f"No instance of {service!r} answers, so its handlers cannot be described")
    newest = max(found, key=lambda one: one.started)
    return await ask_instance(node, Inquiry("info", "", ""), Info, service=service, instance=newest.instance)


async def _body(request: _AnyRequest, kind: type[T]) -> T:
    """What an act says. Raises `BadRequest`. Litestar itself does not know JSON that is passed on unread."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except UNDECODABLE as error:
        raise BadRequest(f"The act cannot be read: {error}") from error


def _json(body: bytes) -> Response[bytes]:
    return Response(body, media_type=_JSON)


def _events(bodies: AsyncGenerator[bytes]) -> Stream:
    async def sent() -> AsyncIterator[bytes]:
        async with aclosing(bodies) as following:
            async for body in following:
                yield b"data: " + body + b"\n\n"

    return Stream(sent(), media_type=_EVENTS)
