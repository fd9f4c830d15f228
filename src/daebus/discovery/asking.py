"""Questions to running instances: who is there, what they serve, and how they are doing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar, cast

import msgspec

from daebus.connection.node import Node
from daebus.errors import ServiceError, Unavailable
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.discovery import DISCOVERY_CHANNEL, Ask, Inquiry, discovery_channel
from daebus.protocol.messages import Reply, reply_channel
from daebus.protocol.replies import SUCCESS, reply_error

__all__ = ["PATIENCE", "ask", "ask_instance"]

T = TypeVar("T")

PATIENCE: Mapping[Ask, float] = {"ping": 1.0, "stats": 1.0, "health": 2.0, "info": 10.0, "export": 30.0}
"""How long, in seconds, the answers of instances are waited for if fewer answer than listen.

The first `info` of an instance takes a while, as it describes all handlers; so does each `export`.
"""

_decode_reply = msgspec.json.Decoder(Reply).decode


async def ask(
    node: Node, what: Ask, kind: type[T], *, service: str | None = None, patience: float | None = None
) -> list[T]:
    """The answers of all instances of a service, or of all services, in the order of their arrival.

    The server says how many instances listen. This returns when as many have answered, or after `patience`: an instance
    that hangs, or that was cut off, does not answer. Instances that answer with an error are left out.

    Args:
        node: This process.
        what: The question.
        kind: The type of the answers.
        service: The service; None: all services.
        patience: How long to wait, in seconds; None: as in `PATIENCE`.

    Raises:
        Unavailable: The server cannot be reached.
    """
    channel = DISCOVERY_CHANNEL if service is None else discovery_channel(service)
    replies = await _Asking(node).replies(
        channel, Inquiry(what, "", ""), PATIENCE[what] if patience is None else patience
    )
    return [_read(each, kind) for each in replies if each.status == SUCCESS]


async def ask_instance(
    node: Node, inquiry: Inquiry, kind: type[T], *, service: str, instance: str, patience: float | None = None
) -> T:
    """The answer of one instance.

    Args:
        node: This process.
        inquiry: The question.
        kind: The type of the answer.
        service: The service.
        instance: The id of the instance.
        patience: How long to wait, in seconds; None: as in `PATIENCE`.

    Raises:
        Unavailable: The server cannot be reached, or the instance does not answer.
        ServiceError: The answer of the instance is an error.
    """
    asked, limit = msgspec.structs.replace(inquiry, instance=instance), patience or PATIENCE[inquiry.ask]
    replies = await _Asking(node).replies(discovery_channel(service), asked, limit, most=1)
    if not replies:
        raise Unavailable(f"The instance {instance} of {service!r} has not answered within {limit:g} s")
    if replies[0].status != SUCCESS:
        raise reply_error(replies[0])
    return _read(replies[0], kind)


def _read(reply: Reply, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.payload, type=kind)
    except UNDECODABLE as error:
        raise ServiceError(f"An instance has sent an answer that cannot be read: {error}") from error


class _Asking:
    """One question, and the replies to it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._id = node.new_request_id()
        self._replies: list[Reply] = []
        self._arrived = asyncio.Event()

    async def replies(self, channel: str, inquiry: Inquiry, patience: float, most: int | None = None) -> list[Reply]:
        """Ask on a channel; return when `most` have answered, by default as many as have got the question."""
        reply_to = reply_channel(self._id)
        asked = encode(msgspec.structs.replace(inquiry, reply_to=reply_to, request_id=self._id))
        unsubscribe = await self._node.subscriber.subscribe(reply_to, self._receive)
        try:
            reached = cast("int", await self._node.link.execute("PUBLISH", channel, asked))
            try:
                async with asyncio.timeout(patience):
                    while len(self._replies) < (reached if most is None else min(most, reached)):
                        self._arrived.clear()
                        await self._arrived.wait()
            except TimeoutError:
                pass
        finally:
            await unsubscribe()
        return self._replies

    def _receive(self, body: bytes) -> None:
        try:
            reply = _decode_reply(body)
        except UNDECODABLE:
            return
        if reply.request_id == self._id:
            self._replies.append(reply)
            self._arrived.set()
