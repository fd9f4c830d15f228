"""Dead letters for the page: found, shown, replayed as they are or corrected, and dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from daebus.channels.listener_groups import ListenerError
from daebus.connection.node import Node
from daebus.errors import BadRequest, NotFound
from daebus.operations.dead_letters import DeadLetters, Letter
from daebus.payloads.codec import UNDECODABLE, encode

__all__ = ["Chosen", "drop", "found", "replay", "shown"]

_MOST_SHOWN = 200
_MOST_READ = 5_000
_EXCERPT = 160

_Change = Callable[[Letter], Awaitable[bool]]


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dead letters that an act is about.

    Attributes:
        service: The service.
        ids: Their ids.
        payload: Replaces the payload of the only letter; not given: it stays as it is.
    """

    service: str
    ids: Sequence[str]
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Line(msgspec.Struct, frozen=True):
    id: str
    died: int
    handler: str
    code: str
    error: str
    exception: str | None
    reason: str | None
    deliveries: int
    sent: int
    sender: str | None
    excerpt: str


class _Found(msgspec.Struct, frozen=True):
    letters: Sequence[_Line]
    matches: int
    read: int
    total: int
    is_served: bool


class _Whole(msgspec.Struct, frozen=True):
    id: str
    died: int
    handler: str
    facts: dict[str, object]
    times: dict[str, int]
    payload: str
    is_json: bool
    headers: dict[str, str]
    details: object
    traceback: str | None


class _Outcome(msgspec.Struct, frozen=True):
    id: str
    problem: str | None


async def found(node: Node, service: str, search: str) -> bytes:
    """The newest letters that contain a text, in whatever letter case; all, if it is empty."""
    letters, wanted = DeadLetters(node, service), search.casefold()
    lines: list[_Line] = []
    matches = read = 0
    async for letter in letters.newest():
        read += 1
        if not wanted or wanted in _searched(letter):
            matches += 1
            if len(lines) < _MOST_SHOWN:
                lines.append(_line(letter))
        if read == _MOST_READ:
            break
    total = read if read < _MOST_READ else await letters.count()
    return encode(_Found(lines, matches, read, total, await letters.is_served()))


async def shown(node: Node, service: str, letter_id: str) -> bytes:
    """All that is known of a letter. Raises `NotFound`."""
    letter = await DeadLetters(node, service).find(letter_id)
    if letter is None:
        raise NotFound(f"There is no dead letter {letter_id} of {service!r} any more")
    try:
        payload, is_json = msgspec.json.format(letter.payload, indent=2).decode(), True
    except UNDECODABLE:
        payload, is_json = letter.payload.decode(errors="replace"), False
    facts: dict[str, object] = {
        "code": letter.code,
        "error": letter.error,
        "exception": letter.exception,
        "reason": letter.reason,
        "deliveries": letter.deliveries,
        "sender": letter.sender,
        "instance": letter.instance,
        "request": letter.request_id,
        "event": letter.event_id,
    }
    times = {"sent": letter.sent, "failed": letter.failed, "died": letter.died}
    return encode(
        _Whole(
            id=letter.id,
            died=letter.died,
            handler=letter.handler,
            facts={name: value for name, value in facts.items() if value not in (None, "")},
            times={name: value for name, value in times.items() if value},
            payload=payload,
            is_json=is_json,
            headers=dict(letter.headers or {}),
            details=_details(letter),
            traceback=letter.traceback,
        )
    )


async def replay(node: Node, chosen: Chosen) -> bytes:
    """Queue letters again. Raises `BadRequest`: several letters cannot get the same payload."""
    payload = chosen.payload
    if isinstance(payload, msgspec.Raw) and len(chosen.ids) != 1:
        raise BadRequest("Only a single dead letter can be replayed with another payload")
    letters = DeadLetters(node, chosen.service)

    async def one(letter: Letter) -> bool:
        new = letter.with_payload(bytes(payload)) if isinstance(payload, msgspec.Raw) else letter
        return await letters.replay(new)

    return encode([await _done(letters, letter_id, one) for letter_id in chosen.ids])


async def drop(node: Node, chosen: Chosen) -> bytes:
    """Delete letters."""
    letters = DeadLetters(node, chosen.service)
    return encode([await _done(letters, letter_id, letters.drop) for letter_id in chosen.ids])


async def _done(letters: DeadLetters, letter_id: str, change: _Change) -> _Outcome:
    letter = await letters.find(letter_id)
    try:
        if letter is None or not await change(letter):
            return _Outcome(letter_id, "It is gone: it was replayed or dropped elsewhere")
    except (ListenerError, BadRequest) as error:
        return _Outcome(letter_id, str(error))
    return _Outcome(letter_id, None)


def _searched(letter: Letter) -> str:
    """The text in which is searched."""
    known = (
        *(letter.id, letter.handler, letter.code, letter.error, letter.exception, letter.reason, letter.traceback),
        *(letter.sender, letter.instance, letter.request_id, letter.event_id),
        letter.payload.decode(errors="replace"),
    )
    return "\n".join(text for text in known if text).casefold()


def _line(letter: Letter) -> _Line:
    text = letter.payload[: _EXCERPT * 4].decode(errors="replace")
    return _Line(
        id=letter.id,
        died=letter.died,
        handler=letter.handler,
        code=letter.code,
        error=letter.error,
        exception=letter.exception,
        reason=letter.reason,
        deliveries=letter.deliveries,
        sent=letter.sent,
        sender=letter.sender,
        excerpt=text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…",
    )


def _details(letter: Letter) -> object:
    try:
        return None if letter.details is None else msgspec.json.decode(letter.details)
    except UNDECODABLE:
        return None
