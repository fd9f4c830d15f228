"""Files in responses, of which a client may ask for a range, such as to seek in a video or to resume a download."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from litestar.response.file import ASGIFileResponse
from litestar.types import Receive, Send
from typing_extensions import override

from daebus.asgi.conditions import is_unchanged, lower_headers, other_headers

__all__ = ["RangedFile", "with_ranges"]

_RANGE = re.compile(rb"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)
_CHUNK = 262_144


def with_ranges(answer: object, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Let a response of Litestar with a whole file answer with a range of it.

    Args:
        answer: The response; others than those with a file are not changed.
        headers: The headers of the request, as in its scope.
    """
    if type(answer) is ASGIFileResponse and answer.status_code == 200:
        answer.__class__ = RangedFile
        cast("RangedFile", answer).asked = lower_headers(headers)


class RangedFile(ASGIFileResponse):
    """A response with a file, or with a range of it.

    Attributes:
        asked: The headers of the request.
        part: The first and the last byte that are sent; None: the whole file.
    """

    asked: dict[bytes, bytes]
    part: tuple[int, int] | None = None

    @override
    async def start_response(self, send: Send) -> None:
        async def begin(message: Any) -> None:
            await send(self._choose(message))

        await super().start_response(begin)

    def _choose(self, message: dict[str, Any]) -> Any:
        """The head of the response; Litestar has made that of the whole file."""
        given = lower_headers(message["headers"])
        size = int(given[b"content-length"])
        etag, modified = given.get(b"etag"), given.get(b"last-modified")
        headers = [*message["headers"], (b"accept-ranges", b"bytes")]
        if is_unchanged(self.asked, etag, modified):
            return self._without_body(message, headers, 304)
        condition = self.asked.get(b"if-range")
        if b"range" not in self.asked or (condition is not None and condition not in (etag, modified)):
            return {**message, "headers": headers}
        found = _RANGE.fullmatch(self.asked[b"range"])
        if found is None or found.groups() == (b"", b""):  # several ranges, or another unit: the whole file is allowed
            return {**message, "headers": headers}
        first, last = _bounds(found[1], found[2], size)
        if first >= size or first > last:
            return self._without_body(message, [*headers, (b"content-range", b"bytes */%d" % size)], 416)
        self.part = first, last
        length = (b"content-length", b"%d" % (last - first + 1))
        kept = other_headers(headers, (b"content-length",))
        content = (b"content-range", b"bytes %d-%d/%d" % (first, last, size))
        return {**message, "status": 206, "headers": [*kept, length, content]}

    def _without_body(self, message: dict[str, Any], headers: list[tuple[bytes, bytes]], status: int) -> Any:
        self.is_head_response = True
        kept = other_headers(headers, (b"content-length",))
        length = [] if status == 304 else [(b"content-length", b"0")]
        return {**message, "status": status, "headers": [*kept, *length]}

    @override
    async def send_body(self, send: Send, receive: Receive) -> None:
        if self.part is None:
            await super().send_body(send, receive)
            return
        first, last = self.part
        left = last - first + 1
        whole = cast("Any", self)  # Litestar's types are partly unknown
        async with await whole.adapter.open(whole.file_path) as file:
            await file.seek(first)
            while left > 0:
                chunk = await file.read(min(_CHUNK, left))
                if not chunk:
                    break  # the file has become shorter: the client sees that the body is not whole
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})


def _bounds(first: bytes, last: bytes, size: int) -> tuple[int, int]:
    """The first and the last byte of a range; ``-500`` are the last 500 bytes."""
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1
