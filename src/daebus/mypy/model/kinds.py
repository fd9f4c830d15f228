"""The kinds of handlers, and what each may have left of the ``*``."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLIENT", "CONTEXT", "KINDS", "PARTS", "RUN", "RUNNING", "Kind"]

CONTEXT = "daebus.core.context.Context"
CLIENT = "daebus.websocket.clients.Client"
RUN = "daebus.declare.schedules.Run"
RUNNING = "daebus.declare.running.Running"

PARTS = {CONTEXT: "every handler", CLIENT: "a socket handler", RUN: "a background task", RUNNING: "a thread"}
"""The types of the objects of a transport, and the kind of handler that may take each."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of handler.

    Attributes:
        title: Its name in messages, with the article, such as ``a listener``.
        payload: The name of its payload in messages; None: it takes no payload.
        required: Whether it must take the payload.
        part: The type, other than `Context`, of an object of the transport that the handler may take.
        replies: Whether its return value is sent as a reply.
        streams: Whether it may be an async generator.
        free: Whether the parameters left of the ``*`` are decoded by Litestar.
        named: Whether it takes parameters by their names, from the name of a room.
        threaded: Whether it must be a `def`, because it runs in a thread.
        unique: Whether a second handler of the same name is a mistake.
        sent: Whether somebody sends its messages, so that there may be a user.
    """

    title: str
    payload: str | None = None
    required: bool = False
    part: str | None = None
    replies: bool = False
    streams: bool = False
    free: bool = False
    named: bool = False
    threaded: bool = False
    unique: bool = True
    sent: bool = True


KINDS = {
    "action": Kind(title="an action", payload="payload", replies=True, streams=True),
    "route": Kind(title="a route", replies=True, free=True),
    "listen": Kind(title="a listener", payload="event", required=True, unique=False),
    "socket": Kind(title="a socket handler", payload="data", part=CLIENT, replies=True, streams=True),
    "socket_register": Kind(title="a socket handler", payload="data", part=CLIENT, replies=True, streams=True),
    "socket_connect": Kind(title="a connect handler", payload="params", part=CLIENT, replies=True),
    "socket_join": Kind(title="a join handler", part=CLIENT, replies=True, named=True),
    "socket_disconnect": Kind(title="a disconnect handler", part=CLIENT, unique=False),
    "background": Kind(title="a background task", part=RUN, sent=False),
    "thread": Kind(title="a thread", part=RUNNING, threaded=True, sent=False),
    "on_start": Kind(title="an on_start handler", unique=False, sent=False),
    "on_stop": Kind(title="an on_stop handler", unique=False, sent=False),
}
"""The kinds, by the name of the decorator."""
