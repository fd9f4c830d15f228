"""Calling services that still run daebus 0.0.31: they hear requests on the pub/sub channel that has their name."""

from __future__ import annotations

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.core.deadlines import NEVER
from daebus.errors import ConfigurationError
from daebus.payloads.codec import encode
from daebus.protocol.messages import NOTHING, Reply, Request

from .inbox import Conversation, Question

__all__ = [
    "OldConversation",
    "OldQuestion",
    "hears_requests",
    "old_request",
    "publish_old",
    "refuse_key",
    "unless_old",
]


async def hears_requests(node: Node, service: str) -> bool:
    """Whether somebody subscribes to the channel that has the service's name."""
    try:
        return await node.link.is_heard(service)
    except CommandError:  # forbidden: then there are no old services for this user of the server
        return False


def unless_old(service: str) -> str:
    """What is to be said where nobody serves a service, and something hears the channel that has its name."""
    return (
        f" Something subscribes to the channel {service!r}: if that is a service of daebus 0.0.31, turn its wire on "
        "with legacy=True or DAEBUS_LEGACY=1."
    )


def refuse_key(request: Request) -> None:
    """Refuse what an old service would run as often as it is asked. Raises `ConfigurationError`."""
    if request.idempotency_key is not None:
        raise ConfigurationError(
            f"{request.service}.{request.action} has an idempotency key, and {request.service!r} runs daebus 0.0.31, "
            "which knows none: leave it out until the service has moved to this version."
        )


async def publish_old(node: Node, request: Request) -> bool:
    """Publish a request without a reply in the old form; returns whether an old service was there to hear it.

    Raises:
        ConfigurationError: It is there, and the request has an idempotency key.
    """
    if not await hears_requests(node, request.service):
        return False
    refuse_key(request)
    # A node of a cluster counts those that subscribe to itself.
    return await node.link.execute(*old_request(request)) != 0 or await hears_requests(node, request.service)


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


class OldQuestion(Question, eq=False):
    """Waits for one reply, the last one: an old service may tell of its progress before."""

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
