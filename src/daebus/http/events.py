"""Server-sent events: how a route answers that is the door to an action which streams its replies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from litestar.types import Scope

from daebus.asgi.problems import encode_problem, request_id
from daebus.asgi.timeouts import TIMEOUT, read_timeout
from daebus.core.deadlines import in_time
from daebus.declare.decorated import is_context
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.grace import tell_overdue
from daebus.delivery.injection import Injection
from daebus.delivery.interceptors import NONE
from daebus.delivery.per_message import PerMessage
from daebus.doors.resuming import LAST_EVENT_ID
from daebus.errors import Gone, ServiceError
from daebus.telemetry.logs import Logger

__all__ = ["EventRun", "answering_with_events", "documented_events", "identifying", "streaming"]

FIRST_SECONDS = 0.5
"""How long the answer waits for the first item: an error before it is answered with its own status."""

PING_SECONDS = 15.0
"""Silence after which a comment is sent, so that proxies keep the connection."""

_AHEAD = 16  # how many items may wait for the client

_PING = ServerSentEventMessage(None, comment="")
_NOTHING = ServerSentEventMessage(None)

_Sent: TypeAlias = ServerSentEventMessage | ServiceError | None
_OTHERS = str | int | float | bool | list[msgspec.Raw] | None
"""What items can be that have no fields."""

Identify: TypeAlias = Callable[[bytes], str | int | None]


def identifying(field: str) -> Identify:
    """A function that finds the id of an item; None: it has none. `field`: its name in JSON."""
    identified: Any = msgspec.defstruct("Identified", [("id", str | int | float | None, None)], rename={"id": field})
    decode: Callable[[bytes], object] = msgspec.json.Decoder(identified | _OTHERS).decode
    return lambda item: getattr(decode(item), "id", None)


class EventRun:
    """One run of a handler, in a task of its own: its items wait for the client.

    Args:
        first: Seconds that the answer waits for the first item.
        ping: Seconds of silence after which a comment is sent.
        identify: Finds the id of an item, as JSON; None: items have none.
    """

    def __init__(
        self, *, first: float = FIRST_SECONDS, ping: float = PING_SECONDS, identify: Identify | None = None
    ) -> None:
        self._seconds, self._ping = first, ping
        self._identify = identify
        self._items: asyncio.Queue[_Sent] = asyncio.Queue(_AHEAD)
        self._first: _Sent = _NOTHING
        self._task: asyncio.Task[None] | None = None
        self._is_stopping: Callable[[], bool] = lambda: False

    async def begin(
        self, delivery: Delivery[bytes], incoming: Incoming, logger: Logger, waiting: float | None = None
    ) -> None:
        """Call the handler; raises the `ServiceError` with which it begins, if it does so soon.

        `waiting`: the seconds for which the client waits for the end; None: without limit.

        A client that comes back is told by an event that it cannot go on: browsers do not show it an answer with an
        error, and would not come again.
        """
        self._is_stopping = incoming.context.stopping.is_set
        self._task = asyncio.create_task(self._make(delivery, incoming, logger, waiting))
        try:
            async with asyncio.timeout(self._seconds):
                self._first = await self._items.get()
        except TimeoutError:
            return
        comes_back = bool(incoming.context.headers.get(LAST_EVENT_ID))
        if isinstance(self._first, ServiceError) and not (comes_back and isinstance(self._first, Gone)):
            raise self._first

    async def _make(self, delivery: Delivery[bytes], incoming: Incoming, logger: Logger, waiting: float | None) -> None:
        seconds, end = delivery.seconds_for(waiting), None
        try:
            if seconds is None:
                await self._take(delivery, incoming)
            else:
                overdue = partial(tell_overdue, asyncio.current_task(), logger)
                await in_time(partial(self._take, delivery), incoming, delivery.title, seconds, overdue=overdue)
        except Exception as error:
            end = delivery.problem(error, incoming)
        await self._items.put(end)

    async def _take(self, delivery: Delivery[bytes], incoming: Incoming) -> None:
        async with aclosing(delivery.stream(incoming)) as made:
            async for item in made:
                await self._items.put(ServerSentEventMessage(item, id=self._identify and self._identify(item)))

    async def events(self, known: str) -> AsyncGenerator[ServerSentEventMessage]:
        """The events that the client gets; `known`: the id of the request."""
        item = self._first
        while isinstance(item, ServerSentEventMessage):
            if item is not _NOTHING:
                yield item
            try:
                async with asyncio.timeout(self._ping):
                    item = await self._items.get()
            except TimeoutError:
                item = _PING
        if item is None:
            # A stream that ends because the service stops is not at its end: without the event, browsers connect again.
            if not self._is_stopping():
                yield ServerSentEventMessage("null", event="end")
        else:
            problem = encode_problem(item.status, item.code, item.message, item.details, known)
            if isinstance(item, Gone):  # without an id, the client begins anew
                yield ServerSentEventMessage(problem, event="lost", id="")
            else:
                yield ServerSentEventMessage(problem, event="problem")

    async def close(self) -> None:
        """End the run, if the client has gone before its end."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})


def documented_events(item: Any) -> ResponseSpec:
    """The response of such a route in OpenAPI.

    Args:
        item: The type of the items.
    """
    text = "Server-sent events: an item is the data of each; then `end`, or `problem` after an error, or `lost`"
    return ResponseSpec(item, generate_examples=False, description=text, media_type="text/event-stream")


def answering_with_events(delivery: Delivery[bytes], logger: Logger, event_id: str | None) -> Endpoint[Any]:
    """The endpoint of the route: it is called with the scope of a request and the values of its parameters.

    Args:
        delivery: Passes messages to the handler of the action, which is called with such values.
        logger: Logs a handler that does not end when its time is over.
        event_id: The field of the items that is the id of each event; None: events have no id.
    """
    identify = None if event_id is None else identifying(event_id)

    async def open_run() -> AsyncGenerator[EventRun]:
        run = EventRun(identify=identify)
        try:
            yield run
        finally:
            await run.close()

    endpoint = delivery.endpoint
    contexts = [parameter.name for parameter in endpoint.signature.left if is_context(parameter)]

    async def answer(*, scope: Scope, values: dict[str, object], run: EventRun) -> ServerSentEvent:
        known, headers = request_id(scope), scope["headers"]
        seconds = read_timeout([value for name, value in headers if name == TIMEOUT])
        deadline = None if seconds is None else time.monotonic() + seconds
        incoming = delivery.incoming(known, None, scope, deadline, headers, keywords=values)
        values.update(dict.fromkeys(contexts, incoming.context))
        await run.begin(delivery, incoming, logger, seconds)
        return ServerSentEvent(run.events(known))

    injection = Injection({"run": PerMessage(open_run)})
    return msgspec.structs.replace(
        endpoint,
        signature=msgspec.structs.replace(
            endpoint.signature, left=(), right=(), returns=ServerSentEvent, is_async=True, streams=False
        ),
        injection=injection,
        call=injection.bind(answer, "**left"),
        call_directly=injection.bind_directly(answer, "**left"),
        timeout=None,
        interceptors=NONE,
    )


def streaming(delivery: Delivery[object]) -> Callable[[Scope, dict[str, object]], Awaitable[object]]:
    """What calls that endpoint.

    Args:
        delivery: Passes messages to it.
    """

    def respond(scope: Scope, values: dict[str, object]) -> Awaitable[object]:
        given: dict[str, object] = {"scope": scope, "values": values}
        return delivery.handle(
            delivery.incoming(request_id(scope), None, scope, keywords=given, headers=scope["headers"])
        )

    return respond
