"""Calling services that still run daebus 0.0.31: they hear requests on the pub/sub channel that has their name."""

from __future__ import annotations

import msgspec

from daebus.core.codec import encode
from daebus.core.messages import NOTHING, Reply, Request

from .deadlines import NEVER
from .node import Node
from .replies import Conversation, Question
from .resp import Argument, CommandError

__all__ = ["OldConversation", "OldQuestion", "hears_requests", "old_request"]


async def hears_requests(node: Node, service: str) -> bool:
    """Whether somebody subscribes to the channel that has the service's name."""
    try:
        return await node.link.is_heard(service)
    except CommandError:  # forbidden: then there are no old services for this user of the server
        return False


def old_request(request: Request) -> tuple[Argument, ...]:
    """The command that publishes a request in the old form. Where no reply is wanted, it has no id either."""
    wants_reply = request.reply_to is not None
    old = Request(
        action=request.action,
        payload=_old_payload(request.payload),
        reply_to=request.reply_to,
        request_id=request.request_id if wants_reply else "",
        service=request.service,
    )
    return ("PUBLISH", request.service, encode(old))


def _old_payload(payload: msgspec.Raw) -> msgspec.Raw:
    """The payload as an old handler expects it: nothing is an empty object there, and text is decoded once more."""
    body = bytes(payload)
    if body == bytes(NOTHING):
        return msgspec.Raw(b"{}")
    return msgspec.Raw(encode(body.decode())) if body.startswith(b'"') else payload


class OldQuestion(Question):
    """Waits for one reply, the last one: an old service may tell of its progress before."""

    __slots__ = ()

    def receive(self, reply: Reply) -> None:
        """Take a reply."""
        if reply.final:
            super().receive(reply)


class OldConversation(Conversation):
    """Waits for many replies. An old service does not say that it lives: with a timeout it may be silent until then."""

    @property
    def deadline(self) -> float:
        """When it ends; without an end, when it was silent for too long."""
        return super().deadline if self._ends == NEVER else self._ends
