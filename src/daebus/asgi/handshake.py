"""The request with which a WebSocket client connects, and its refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from litestar import WebSocket
from litestar.datastructures import State
from litestar.types import Message, Scope
from litestar.types import Receive as AsgiReceive
from litestar.types import Send as AsgiSend

from daebus.core.context import read_headers
from daebus.errors import ServiceError
from daebus.protocol.replies import close_code
from daebus.server.sockets import DIRECT, Direct

from .problems import PROBLEM, REFUSAL, encode_problem, request_id
from .subprotocols import AUTHENTICATE, PLAIN

__all__ = [
    "Handshake",
    "Socket",
    "choose_protocol",
    "explaining",
    "read_handshake",
    "refuse",
    "refuse_unread",
]

Receive = Callable[[], Awaitable[Mapping[str, object]]]
Send = Callable[[dict[str, object]], Awaitable[None]]


_LONGEST_REASON = 123  # bytes that a close frame can hold
_STORED = ("user", "auth", "session")

Socket: TypeAlias = WebSocket[object, object, State]
"""Litestar's WebSocket."""


@dataclass(slots=True, kw_only=True)
class Handshake:
    """A request to connect.

    Attributes:
        query: The query string.
        headers: By their names in lower case.
        request_id: The id of the request in the log.
        explains: Whether the server can refuse it with a response of ours (ASGI's ``websocket.http.response``).
        receive: The ASGI callable.
        send: The ASGI callable.
        scope: What Litestar's middleware has stored in the ASGI scope about the user: ``user``, ``auth``, ``session``.
        direct: The server's own callables, if `receive` and `send` are these; None: messages pass through Litestar.
        offers: The subprotocols that the client offers, without one that has a token.
        protocol: The subprotocol with which it is accepted; None: none.
        is_accepted: Whether it was accepted.
    """

    query: bytes
    headers: Mapping[str, str]
    request_id: str
    explains: bool
    receive: Receive
    send: Send
    scope: Mapping[str, object] = field(default_factory=dict[str, object])
    direct: Direct | None = None
    offers: Sequence[str] = ()
    protocol: str | None = None
    is_accepted: bool = False

    async def accept(self) -> None:
        """Accept the client, unless that is done. Raises the server's exception if the client has disconnected."""
        if self.is_accepted:
            return
        await self.send({"type": "websocket.accept", "subprotocol": self.protocol})
        self.is_accepted, self.explains = True, False  # from now on it is refused by a close frame
        if self.direct is not None:
            self.receive, self.send = self.direct.receive, self.direct.send

    async def close(self, code: int, reason: str) -> None:
        """Close the connection of a client that was accepted."""
        await self.send(_close_message(code, reason))

    def release(self) -> None:
        """Drop the server's objects: handlers may keep a client, and Granian's threads live as long as its objects."""
        self.receive, self.send, self.direct = _receive_nothing, _send_nothing, None


async def _receive_nothing() -> Mapping[str, object]:
    return {"type": "websocket.disconnect"}


async def _send_nothing(_: dict[str, object]) -> None: ...


def read_handshake(socket: Socket) -> Handshake:
    """The handshake of a client that connects through Litestar.

    If the user has no hooks in Litestar, messages go directly to the server, without passing through Litestar.
    """
    scope = socket.scope
    is_hooked = socket.app.before_send or socket.route_handler.resolve_middleware()
    found = cast("dict[str, object]", scope).pop(DIRECT, None)
    direct = found if isinstance(found, Direct) and not is_hooked else None
    # Litestar's types do not include the messages of the extension below.
    ends = (socket.receive, socket.send) if direct is None else (direct.receive, direct.send)
    receive, send = cast("tuple[Receive, Send]", ends)
    return Handshake(
        query=scope["query_string"],
        headers=read_headers(scope["headers"]),
        request_id=request_id(scope),
        explains=_explains(scope),
        receive=receive,
        send=send,
        scope=_known(scope),
        direct=direct,
        offers=tuple(scope["subprotocols"]),
    )


def _known(scope: Scope) -> Mapping[str, object]:
    """What middleware has found out about the sender; the rest of a scope belongs to the server."""
    stored = cast("Mapping[str, object]", scope)
    return {name: stored[name] for name in _STORED if stored.get(name) is not None}


def choose_protocol(handshake: Handshake, *, can_log_in: bool) -> bool:
    """Choose among the subprotocols that a client offers; returns whether its first message has its credentials."""
    known = (AUTHENTICATE, PLAIN) if can_log_in else (PLAIN,)
    handshake.protocol = next((one for one in known if one in handshake.offers), None)
    return handshake.protocol == AUTHENTICATE


def _close_message(code: int, reason: str) -> dict[str, object]:
    """ASGI's message that closes a connection; a reason that is too long for a close frame is cut."""
    shortened = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
    return {"type": "websocket.close", "code": code, "reason": shortened}


async def refuse(handshake: Handshake, error: ServiceError) -> None:
    """Refuse a client: with the error as a response, or at least with its status code as the close code."""
    send = handshake.send
    with suppress(Exception):  # the client may be gone
        if not handshake.explains:
            await send(_close_message(close_code(error), error.message))
            return
        headers = [(b"content-type", PROBLEM.encode())]
        await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
        body = encode_problem(error.status, error.code, error.message, error.details, handshake.request_id)
        await send({"type": "websocket.http.response.body", "body": body})


def explaining(scope: Scope, send: AsgiSend) -> AsgiSend:
    """An ASGI ``send`` that refuses a client with the error noted by `Problems`, not with a bare close."""
    accepted = False

    async def send_explained(message: Message) -> None:
        nonlocal accepted
        accepted = accepted or message["type"] == "websocket.accept"
        error = None
        if not accepted and DIRECT in scope:  # else our own handler refuses its client itself
            error = cast("ServiceError | None", cast("dict[str, object]", scope).pop(REFUSAL, None))
        if error is None:
            await send(message)
            return
        await refuse(_unread(scope, send), error)

    return send_explained


async def refuse_unread(scope: Scope, receive: AsgiReceive, send: AsgiSend, error: ServiceError) -> None:
    """Refuse a client before its request to connect is read."""
    await receive()
    await refuse(_unread(scope, send), error)


def _unread(scope: Scope, send: AsgiSend) -> Handshake:
    return Handshake(
        query=scope["query_string"],
        headers={},
        request_id=request_id(scope),
        explains=_explains(scope),
        receive=_receive_nothing,
        send=cast("Send", send),
    )


def _explains(scope: Scope) -> bool:
    extensions = scope["extensions"] if "extensions" in scope else None  # noqa: SIM401  # its `get` is untyped
    return "websocket.http.response" in (extensions or {})
