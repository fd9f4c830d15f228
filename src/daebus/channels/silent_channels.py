"""Durable channels to which no event was ever published: their names may be misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from daebus.connection.link import Link
from daebus.connection.resp import CommandError
from daebus.errors import Unavailable
from daebus.protocol.messages import channel_stream
from daebus.telemetry.logs import Logger

__all__ = ["tell_silent"]

_LAST_ID, _NEVER = b"last-generated-id", b"0-0"


async def tell_silent(link: Link, channels: Iterable[str], logger: Logger) -> None:
    """Log each of these durable channels to which no event was published since the server has it."""
    for channel in sorted(set(channels)):
        try:
            found = await link.execute("XINFO", "STREAM", channel_stream(channel))
        except (Unavailable, CommandError):  # the answer is not essential
            continue
        if _fields(found).get(_LAST_ID) == _NEVER:
            logger.info("no event was published to this channel yet", channel=channel)


def _fields(answer: object) -> Mapping[object, object]:
    """The fields of an answer: a map, or in an older protocol names and values alternating."""
    if isinstance(answer, dict):
        return cast("dict[object, object]", answer)
    flat = cast("list[object]", answer)
    return dict(zip(flat[::2], flat[1::2], strict=True))
