"""The parts of a multipart form while it arrives: none of them is ever kept whole, in memory or on disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeAlias

from litestar import Request
from litestar.enums import RequestEncodingType
from multipart import MultipartSegment, ParserError, ParserLimitReached, PushMultipartParser

from daebus.asgi.media_types import refuse_other_forms
from daebus.errors import BadRequest, TooLarge

__all__ = ["Part", "read_parts"]

_MAX_PARTS = 1000

_Event: TypeAlias = MultipartSegment | bytes | None
"""The head of a part, a piece of its content, or its end."""


class Part:
    """A part of a form: ``async for chunk in part`` gives its content, once.

    Attributes:
        name: The name of the field.
        filename: The name of the file, as the client has sent it: never use it as a path; None: the part is no file.
        content_type: The media type that the client has sent; empty: none.
    """

    def __init__(self, head: MultipartSegment, events: AsyncIterator[object]) -> None:
        self.name: str = head.name
        self.filename: str | None = head.filename
        self.content_type: str = head.content_type or ""
        self._events = events
        self._has_ended = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """Iterate over what is left of the content, in pieces of any size."""
        while not self._has_ended:
            event = await anext(self._events)
            if isinstance(event, bytes):
                yield event
            else:
                self._has_ended = True

    async def text(self, *, most: int = 65_536) -> str:
        """The content of a short field.

        Args:
            most: The largest size in bytes.

        Raises:
            TooLarge: The content is longer.
            BadRequest: It is not UTF-8.
        """
        content = bytearray()
        async for chunk in self:
            content += chunk
            if len(content) > most:
                raise TooLarge(f"The field {self.name!r} has more than {most} bytes", details={"limit": most})
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise BadRequest(f"The field {self.name!r} is not UTF-8") from error


async def read_parts(request: Request[Any, Any, Any]) -> AsyncGenerator[Part]:
    """The parts of a multipart form, one after another, while the body arrives.

    Each part must be read before the next one is asked for; what is left of it is dropped.

    Args:
        request: The request; its body must not be read otherwise.

    Raises:
        BadRequest: The body is not a valid form, or has more than 1,000 parts.
        HTTPException: The body has another type (415), or is larger than the route allows (413).
    """
    refuse_other_forms(RequestEncodingType.MULTI_PART.value, request.scope["headers"])
    boundary = request.content_type[1].get("boundary")
    if not boundary:
        raise BadRequest("The Content-Type of the form has no boundary")
    events = _events(request, boundary)
    try:
        async for event in events:
            if isinstance(event, MultipartSegment):
                part = Part(event, events)
                yield part
                async for _ in part:
                    pass
    except ParserLimitReached as error:
        raise BadRequest(f"The form has more than {_MAX_PARTS} parts, or a head of a part that is too long") from error
    except ParserError as error:
        raise BadRequest(f"The form is not valid: {error}") from error
    finally:
        await events.aclose()


async def _events(request: Request[Any, Any, Any], boundary: str) -> AsyncGenerator[_Event]:
    with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
        async for chunk in request.stream():
            for event in parser.parse(chunk):
                yield event if event is None or isinstance(event, MultipartSegment) else bytes(event)
