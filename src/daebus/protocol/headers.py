"""Headers of the bus: their allowed form and size, and which ones are passed on from message to message."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, TypeAlias, cast

import msgspec

from daebus.core.context import Context
from daebus.errors import BadRequest, ConfigurationError, TooLarge
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

_TRACE_PARENT, _TRACE_STATE = "traceparent", "tracestate"

PASSED_ON = (_TRACE_PARENT, _TRACE_STATE, "baggage", REQUEST_ID)
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

# W3C Trace Context: version, trace id, parent id, flags. Ids of only zeros are invalid, as is version ff; only later
# versions than 00 may have further fields.
_is_trace_parent = re.compile(
    r"(?!ff)(?!00.{53}.)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x2b\x2d-\x7e]*)?"
).fullmatch
_decode = msgspec.json.Decoder(WireHeaders).decode

# Part of each call, so it must not take longer than an attribute.
has_headers: Callable[[Context], object] = attrgetter("_headers")
"""Whether a message came with headers: a value that is true if so."""


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """Headers in the form in which they are sent, with names in lower case.

    Raises:
        ConfigurationError: They are not a mapping; a name is not an HTTP token, or occurs twice; a value is not text,
            or has control characters; or there are more than `MAX_HEADERS`, or more than `MAX_HEADERS_SIZE` bytes. This
            is a mistake of the sender, so a handler's client gets `Internal`.
    """
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
        raise ConfigurationError(f"headers={given!r} is not a mapping: write headers={{'x-tenant': 'acme'}}")
    headers: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", given).items():
        lower = str(name).lower()
        if _is_name(lower) is None:
            raise ConfigurationError(
                f"{name!r} is not a valid name of a header: use letters, digits and hyphens, such as `x-tenant`"
            )
        if not isinstance(value, str) or _is_value(value) is None:
            wrong = "control characters" if isinstance(value, str) else f"a value that is {type(value).__name__}"
            raise ConfigurationError(f"The header `{lower}` has {wrong}: values are text on one line")
        if lower in headers:
            raise ConfigurationError(f"The header `{lower}` is given twice: names are the same in upper and lower case")
        headers[lower] = value
    try:
        check_size(headers)
    except TooLarge as error:
        raise ConfigurationError(error.message) from None
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

    Headers to pass on that are invalid, or do not fit, are left out, so a client with such headers cannot make the
    calls of a service fail. An invalid `traceparent` is left out with its `tracestate`; an invalid `x-request-id` is
    replaced by the request id under which this service logs the message.

    Args:
        given: The headers that the caller gave.
        context: The message that is being handled; None: there is none.

    Returns:
        The headers, None if there are none; and the id of the work that the message is part of: `x-request-id`, if
            given, else that of the message being handled.

    Raises:
        ConfigurationError: See `checked`.
    """
    headers = {} if given is None else checked(given)
    named = headers.get(REQUEST_ID, "")
    if context is not None and has_headers(context):
        _pass_on(context, headers)
    trace = named if _is_request_id(named) else None if context is None else context.request_id
    return headers or None, trace


def _pass_on(context: Context, headers: dict[str, str]) -> None:
    came = context.headers
    if not _is_trace_parent(came.get(_TRACE_PARENT, "")):
        came = {name: value for name, value in came.items() if name not in (_TRACE_PARENT, _TRACE_STATE)}
    if not _is_request_id(came.get(REQUEST_ID, context.request_id)):
        came = {**came, REQUEST_ID: context.request_id}
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
        raise BadRequest(f"The headers of the event are not valid: {error}") from None
    check_size(headers)
    return headers


def _size(name: str, value: str) -> int:
    return len(name) + len(value.encode())
