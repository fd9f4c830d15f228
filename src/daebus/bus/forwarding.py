"""The interceptors of a bus: conversion of its requests and events to messages for them, and back."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, TypeVar, cast

import msgspec

from daebus.core.context import current_context
from daebus.core.deadlines import in_time
from daebus.declare.contracts import Channel, Contract
from daebus.delivery.interceptors import Interceptors
from daebus.delivery.outgoing import Forward, ForwardStream, Outgoing, origin_of
from daebus.payloads.encodable import Encodable
from daebus.protocol.headers import checked
from daebus.protocol.messages import NOTHING, Request

if TYPE_CHECKING:
    from .caller import Caller
    from .publishing import OutgoingEvent

__all__ = ["Forwarding", "of_event", "of_request"]

Event = TypeVar("Event", bound=Encodable)

_LONGER = 0.25


class _Origin(msgspec.Struct, frozen=True):
    """The request or event from which a message was made."""

    caller: Caller
    message: Request | OutgoingEvent
    room: tuple[int, int] = (0, 0)


class Forwarding:
    """The interceptors of a bus, composed.

    Args:
        interceptors: The interceptors.

    Attributes:
        one: Forwards calls, sends and publishes; None: there are no interceptors for them.
        many: Forwards streams; None: there are no interceptors for them.
    """

    __slots__ = ("many", "one")

    def __init__(self, interceptors: Interceptors) -> None:
        one, many = interceptors.around_outgoing(_forward), interceptors.around_outgoing_stream(_forward_stream)
        self.one: Forward | None = None if one is _forward else _limited(one)
        self.many: ForwardStream | None = None if many is _forward_stream else many


def of_request(
    kind: Literal["call", "stream", "send"],
    action: Contract,
    caller: Caller,
    request: Request,
    *,
    timeout: float | None = None,
    room: tuple[int, int] = (0, 0),
) -> Outgoing:
    """The message of a request, for interceptors.

    Args:
        kind: The kind of the request.
        action: Its contract.
        caller: Sends it.
        request: The request.
        timeout: Seconds for the reply, or for a whole stream; None: as long as the calling handler has.
        room: How many requests, and how many bytes of them, may wait for the action; only for sends.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    if kind != "send" and (inherited := _inherited()) is not None:
        deadline = inherited if deadline is None else min(deadline, inherited)
    return Outgoing(
        kind=kind,
        contract=action,
        service=request.service,
        name=request.action,
        body=bytes(request.payload),
        headers=request.headers or {},
        deadline=deadline,
        idempotency_key=request.idempotency_key,
        _origin=_Origin(caller, request, room),
    )


def of_event(channel: Channel[Event], caller: Caller, event: OutgoingEvent) -> Outgoing:
    """The message of an event, for interceptors."""
    return Outgoing(
        kind="publish",
        contract=channel,
        service=None,
        name=event.channel,
        body=event.body,
        headers=event.headers or {},
        _origin=_Origin(caller, event),
    )


def _limited(forward: Forward) -> Forward:
    """The interceptors with a time limit: that of the call, and a little more, because its own error says more."""

    def limited(outgoing: Outgoing) -> Awaitable[msgspec.Raw]:
        if (seconds := outgoing.remaining) is None:
            return forward(outgoing)
        return in_time(forward, outgoing, f"The interceptors of {outgoing.name!r}", seconds, margin=_LONGER)

    return limited


async def _forward(outgoing: Outgoing) -> msgspec.Raw:
    origin = _origin_of(outgoing)
    caller = origin.caller
    if outgoing.kind == "publish":
        caller.check(outgoing.body)
        event, headers = cast("OutgoingEvent", origin.message), checked(outgoing.headers) or None
        await caller.publisher.publish(
            msgspec.structs.replace(event, channel=outgoing.name, body=outgoing.body, headers=headers, once=True)
        )
        return NOTHING
    request = _request(outgoing, origin)
    if outgoing.kind == "send":
        await caller.queue(request, *origin.room, once=caller.queues_once(request.service))
        return NOTHING
    return await caller.reply(request, _timeout(outgoing))


async def _forward_stream(outgoing: Outgoing) -> AsyncGenerator[msgspec.Raw]:
    origin = _origin_of(outgoing)
    async with aclosing(origin.caller.replies(_request(outgoing, origin), _timeout(outgoing))) as replies:
        async for reply in replies:
            yield reply


def _request(outgoing: Outgoing, origin: _Origin) -> Request:
    """A new request, because replies are matched by its id; one that wants no reply stays the same each time."""
    request, caller = cast("Request", origin.message), origin.caller
    caller.check(outgoing.body)
    caller.check_key(outgoing.idempotency_key)
    return Request(
        action=outgoing.name,
        payload=msgspec.Raw(outgoing.body),
        request_id=request.request_id if outgoing.kind == "send" else caller.new_request_id(),
        service=outgoing.service or request.service,
        trace_id=request.trace_id,
        idempotency_key=outgoing.idempotency_key,
        headers=checked(outgoing.headers) or None,
    )


def _origin_of(outgoing: Outgoing) -> _Origin:
    origin = origin_of(outgoing)
    if not isinstance(origin, _Origin):
        raise TypeError("Forward the message that the interceptor was given, or msgspec.structs.replace(...) of it.")
    return origin


def _inherited() -> float | None:
    context = current_context.get()
    return None if context is None else context.deadline


def _timeout(outgoing: Outgoing) -> float | None:
    """Seconds that are left; None: as many as the calling handler has."""
    remaining = outgoing.remaining
    return None if remaining is None or outgoing.deadline == _inherited() else round(remaining, 3)
