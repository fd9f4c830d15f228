"""Calls from the page: the replies of an action as lines of JSON, as they come."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import msgspec

from daebus.bus.bus import Bus
from daebus.declare.contracts import StreamAction
from daebus.errors import DaebusError, ServiceError
from daebus.payloads.codec import UNDECODABLE, encode

__all__ = ["Asked", "answers"]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call.

    Attributes:
        service: The service.
        action: The action.
        payload: The payload, as JSON.
        timeout: Seconds for the whole call; None: no limit.
        headers: The headers of the request.
    """

    service: str
    action: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    timeout: float | None = 15.0
    headers: Mapping[str, str] = {}


class _Item(msgspec.Struct, frozen=True):
    item: str
    seconds: float


class _Failed(msgspec.Struct, frozen=True):
    error: Mapping[str, object]
    seconds: float


class _End(msgspec.Struct, frozen=True):
    end: int
    seconds: float


async def answers(bus: Bus, asked: Asked) -> AsyncGenerator[bytes]:
    """The replies to a call, a line each; then a line that says how it has ended. Closing it cancels the call."""
    begun, count = time.monotonic(), 0
    try:
        contract = StreamAction[msgspec.Raw, msgspec.Raw](asked.action, service=asked.service)
        stream = bus.stream(contract, asked.payload, timeout=asked.timeout, headers=asked.headers)
        async with aclosing(stream) as replies:
            async for reply in replies:
                count += 1
                yield _line(_Item(_readable(reply), time.monotonic() - begun))
    except ServiceError as error:
        told = {"code": error.code, "message": error.message, "details": error.details}
        yield _line(_Failed(told, time.monotonic() - begun))
        return
    except DaebusError as error:
        yield _line(_Failed({"code": "not_sent", "message": str(error)}, time.monotonic() - begun))
        return
    yield _line(_End(count, time.monotonic() - begun))


def _line(what: msgspec.Struct) -> bytes:
    return encode(what) + b"\n"


def _readable(reply: msgspec.Raw) -> str:
    """The reply for people: as text, as numbers in JSON may be larger than those of a browser."""
    try:
        return msgspec.json.format(bytes(reply), indent=2).decode()
    except UNDECODABLE:
        return encode(bytes(reply).decode(errors="replace")).decode()
