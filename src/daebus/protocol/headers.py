"""Headers of the bus: their allowed form and size, and which ones are passed on from message to message."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, TypeAlias, cast

import msgspec

from daebus.core.context import Context
from daebus.errors import BadRequest, TooLarge
from daebus.payloads.codec import UNDECODABLE

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADERS_SIZE",
    "NO_HEADERS",
    "PASSED_ON",
    "REQUEST_ID",
    "EventHeaders",
    "WireHeaders",
    "check_size",
    "checked",
    "decode_headers",
    "event_headers",
    "has_headers",
    "sent_headers",
]

MAX_HEADERS = 64
"""The largest number of headers of a message."""

MAX_HEADERS_SIZE = 16_384
"""The largest total size of their names and values, in bytes of UTF-8."""

REQUEST_ID = "x-request-id"

PASSED_ON = ("traceparent", "tracestate", "baggage", REQUEST_ID)
"""Headers copied from the handled message to everything that its handler sends, unless the handler sets them."""

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_NAME = r"^[!#$%&'*+\-.^_`|~0-9a-z]{1,128}\Z"
_VALUE = r"^[^\x00-\x1f\x7f\ud800-\udfff]*\Z"

WireHeaders: TypeAlias = Annotated[
    dict[Annotated[str, msgspec.Meta(pattern=_NAME)], Annotated[str, msgspec.Meta(pattern=_VALUE)]],
    msgspec.Meta(max_length=MAX_HEADERS),
]
"""Headers on the wire: names in lower case, no control characters."""


class EventHeaders(msgspec.Struct, omit_defaults=True):
    """The headers of an event of a plain channel. They are published just before the event, which has only its body.

    Attributes:
        crc: The CRC-32 of the event.
        size: Its size in bytes.
        headers: The headers.
        trace_id: The request id of the work that the event is part of; None: there is none.
    """

    crc: int
    size: int
    headers: WireHeaders
    trace_id: Annotated[str, msgspec.Meta(max_length=256)] | None = None


def event_headers(channel: str) -> str:
    """The pub/sub channel of the headers of a plain channel's events; on a cluster it is in the channel's slot."""
    return f"daebus:headers:{{{channel}}}"


_is_name, _is_value = re.compile(_NAME).match, re.compile(_VALUE).match
_is_request_id = re.compile(r"[\x21-\x7e]{1,128}").fullmatch
_decode = msgspec.json.Decoder(WireHeaders).decode

# Part of each call, so it must not take longer than an attribute.
has_headers: Callable[[Context], object] = attrgetter("_headers")
"""Whether a message came with headers: a value that is true if so."""


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """Headers in the form in which they are sent, with names in lower case.

    Raises:
        BadRequest: They are no mapping; a name is no HTTP token, or occurs twice; or a value is no text or has control
            characters.
        TooLarge: There are more than `MAX_HEADERS`, or they have more than `MAX_HEADERS_SIZE` bytes.
    """
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
        raise BadRequest(f"headers={given!r} is no mapping: write headers={{'x-tenant': 'acme'}}")
    headers: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", given).items():
        lower = str(name).lower()
        if _is_name(lower) is None:
            raise BadRequest(f"{name!r} is no name for a header: use letters, digits and hyphens, such as `x-tenant`")
        if not isinstance(value, str) or _is_value(value) is None:
            wrong = "control characters" if isinstance(value, str) else f"a value that is {type(value).__name__}"
            raise BadRequest(f"The header `{lower}` has {wrong}: values are text on one line")
        if lower in headers:
            raise BadRequest(f"The header `{lower}` is given twice: names are the same in upper and lower case")
        headers[lower] = value
    check_size(headers)
    return headers


def check_size(headers: Mapping[str, str]) -> None:
    """Raise `TooLarge` if there are too many headers, or they have too many bytes."""
    if len(headers) > MAX_HEADERS:
        raise TooLarge(
            f"The message has {len(headers)} headers; at most {MAX_HEADERS} are allowed",
            details={"limit": MAX_HEADERS},
        )
    size = sum(_size(*header) for header in headers.items())
    if size > MAX_HEADERS_SIZE:
        raise TooLarge(
            f"The headers of the message have {size} bytes; at most {MAX_HEADERS_SIZE} are allowed",
            details={"limit": MAX_HEADERS_SIZE},
        )


def sent_headers(given: Mapping[str, str] | None, context: Context | None) -> tuple[dict[str, str] | None, str | None]:
    """The headers of a message sent while another one is handled: the given headers, and those that are passed on.

    Headers to pass on that are invalid, or do not fit, are left out. So a client with such headers cannot make the
    calls of a service fail.

    Args:
        given: The headers that the caller gave.
        context: The message that is being handled; None: there is none.

    Returns:
        The headers, None if there are none; and the id of the work that the message is part of: `x-request-id`, if
            given, else that of the message being handled.

    Raises:
        BadRequest: See `checked`.
        TooLarge: See `check_size`.
    """
    headers = {} if given is None else checked(given)
    named = headers.get(REQUEST_ID, "")
    if context is not None and has_headers(context):
        _pass_on(context.headers, headers)
    trace = named if _is_request_id(named) else None if context is None else context.request_id
    return headers or None, trace


def _pass_on(came: Mapping[str, str], headers: dict[str, str]) -> None:
    left = MAX_HEADERS_SIZE - sum(_size(*header) for header in headers.items())
    for name in PASSED_ON:
        value = came.get(name)
        if value is None or name in headers or len(headers) >= MAX_HEADERS or _is_value(value) is None:
            continue
        size = _size(name, value)
        if size <= left:
            left -= size
            headers[name] = value


def decode_headers(body: bytes | None) -> Mapping[str, str]:
    """The headers of an event, from a field of its entry.

    Raises:
        BadRequest: The field does not contain headers.
        TooLarge: See `check_size`.
    """
    if body is None:
        return NO_HEADERS
    try:
        headers = _decode(body)
    except UNDECODABLE as error:
        raise BadRequest(f"The headers of the event are not what they must be: {error}") from None
    check_size(headers)
    return headers


def _size(name: str, value: str) -> int:
    return len(name) + len(value.encode())
