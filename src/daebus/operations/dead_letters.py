"""Dead letters: requests and events that could not be handled, kept until they are replayed or dropped."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import cast

import msgspec

from daebus.channels.listener_groups import ListenerError, ListenerGroups
from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import NOW, Script
from daebus.discovery.directory import Directory
from daebus.errors import BadRequest, ServiceError
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.headers import decode_headers
from daebus.protocol.messages import Request, action_stream, dead_letters
from daebus.queues.due_retries import ADD, ADD_AFTER

__all__ = ["DeadLetters", "Letter"]

_PAGE = 100
_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)
# Added first, then removed: if the server's memory is full, the letter stays.
_REPLAY = Script(
    NOW
    + ADD_AFTER
    + """
    if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
    local added = add_after(ARGV[2], KEYS[2], unpack(ARGV, 3))
    if type(added) == 'table' then return added end
    return redis.call('XDEL', KEYS[1], ARGV[1])
    """
)

_Rows = list[tuple[bytes, list[bytes]]]

_decode = msgspec.json.Decoder(Request).decode


class Letter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A dead letter.

    Attributes:
        id: Its id, whose first part is the time when it died, in ms.
        service: The service that failed on it.
        code: The error's code.
        error: The error's sentence.
        deliveries: How often the entry was delivered to an instance.
        sent: When it was sent, in ms.
        instance: The instance that gave it up.
        request_id: The id of the request, or of the work that the event is part of.
        body: The request, or the event, as it was sent; or what stood among the retries and is none.
        action: The action; None: it was an event.
        channel: The durable channel; None: it was no event.
        listener: The listener that failed.
        failed: When its handler failed for the first time, in ms.
        exception: The class of the last exception of the handler; None: it raised none.
        reason: The message of that exception.
        traceback: Where it was raised, and its causes.
        event_id: The unique id of an event.
        entry: The id of the entry that was delivered last; None: unknown.
        details: The details of the error, as JSON; None: it has none, or long ones.
        sender: The sender, such as ``users@9f2c61aa0d3e`` or ``script@host``; None: unknown.
        headers: Its headers; None: it has none, or they cannot be read.
        raw_headers: The headers of an event, as they were sent.
    """

    id: str
    service: str
    code: str
    error: str
    deliveries: int
    sent: int
    instance: str
    request_id: str
    body: bytes
    action: str | None = None
    channel: str | None = None
    listener: str | None = None
    failed: int | None = None
    exception: str | None = None
    reason: str | None = None
    traceback: str | None = None
    event_id: str | None = None
    entry: str | None = None
    sender: str | None = None
    details: bytes | None = None
    headers: Mapping[str, str] | None = None
    raw_headers: bytes | None = None

    @property
    def handler(self) -> str:
        """What failed on it: ``action plan``, ``listen orders mails``, or ``retries``: it was no message."""
        if self.action is not None:
            return f"action {self.action}"
        return "retries" if self.channel is None else f"listen {self.channel} {self.listener}"

    @property
    def died(self) -> int:
        """When it was given up, in ms."""
        return int(self.id.partition("-")[0])

    @property
    def payload(self) -> bytes:
        """The payload of the request, or the event."""
        if self.action is None:
            return self.body
        request = _request(self.body)
        return self.body if request is None else bytes(request.payload)

    def with_payload(self, payload: bytes) -> Letter:
        """The same letter with another payload, as JSON. Raises `BadRequest` if its request cannot be read."""
        if self.action is None:
            return msgspec.structs.replace(self, body=payload)
        request = _request(self.body)
        if request is None:
            raise BadRequest("Its request cannot be read, so it cannot get another payload")
        return msgspec.structs.replace(
            self, body=encode(msgspec.structs.replace(request, payload=msgspec.Raw(payload)))
        )


class DeadLetters:
    """The dead letters of a service, for operators.

    Attributes:
        node: This process.
        service: The service's name.
    """

    def __init__(self, node: Node, service: str) -> None:
        self.node: Node = node
        self.service: str = service
        self._key = dead_letters(service)

    async def all(self) -> AsyncGenerator[Letter]:
        """The current dead letters, the oldest first."""
        newest = cast("_Rows", await self.node.link.execute("XREVRANGE", self._key, "+", "-", "COUNT", 1))
        start: str = "-"
        while newest:
            found = await self.node.link.execute("XRANGE", self._key, start, newest[0][0], "COUNT", _PAGE)
            rows = cast("_Rows", found)
            for entry_id, fields in rows:
                yield _letter(entry_id, fields)
            if len(rows) < _PAGE:
                return
            start = "(" + rows[-1][0].decode()

    async def newest(self) -> AsyncGenerator[Letter]:
        """The dead letters, the newest first."""
        end = "+"
        while True:
            found = await self.node.link.execute("XREVRANGE", self._key, end, "-", "COUNT", _PAGE)
            rows = cast("_Rows", found)
            for entry_id, fields in rows:
                yield _letter(entry_id, fields)
            if len(rows) < _PAGE:
                return
            end = "(" + rows[-1][0].decode()

    async def count(self) -> int:
        """How many there are."""
        return cast("int", await self.node.link.execute("XLEN", self._key))

    async def find(self, letter_id: str) -> Letter | None:
        """The dead letter with an id; None if there is none."""
        if _ID.fullmatch(letter_id) is None:
            return None
        rows = cast("_Rows", await self.node.link.execute("XRANGE", self._key, letter_id, letter_id))
        return _letter(*rows[0]) if rows else None

    async def is_served(self) -> bool:
        """Whether an instance of the service runs."""
        return await ListenerGroups(self.node, self.service).is_served()

    async def replay(self, letter: Letter) -> bool:
        """Queue the letter as if it had just been sent; an event only for the listener that failed.

        No caller gets the reply. Returns False if the letter is gone.

        Raises:
            ListenerError: The listener is gone, or the service runs without it; or the letter is no message.
        """
        target, what = await self._target(letter), [letter.entry or letter.id, *_fields(letter)]
        try:
            return await self.node.link.script(_REPLAY, [self._key, target], [letter.id, *what]) == 1
        except CommandError as error:
            if error.code != "CROSSSLOT":
                raise
        # On a cluster the partition is in another slot: if this process dies in between, the letter stays.
        if await self.find(letter.id) is None:
            return False
        await self.node.link.script(ADD, [target], what)
        return await self.drop(letter)

    async def drop(self, letter: Letter) -> bool:
        """Delete the letter. Returns False if it is gone."""
        return await self.node.link.execute("XDEL", self._key, letter.id) == 1

    async def _target(self, letter: Letter) -> str:
        """The stream to which a letter goes. With an idempotency key it joins the other requests with the key there."""
        if letter.action is None:
            if letter.channel is None:
                raise ListenerError("It is no message: it stood among the retries. Drop it with `daebus dead drop`.")
            channel, groups = letter.channel, ListenerGroups(self.node, self.service)
            return groups.again(await groups.require(channel, letter.listener or ""), channel)[0]
        request, partition = _request(letter.body), self.service
        if request is not None and request.idempotency_key is not None:
            directory = Directory(self.node)
            await directory.serves(self.service)
            partition = directory.partition(self.service, request.idempotency_key)
        return action_stream(partition, letter.action)


def _letter(entry_id: bytes, fields: Sequence[bytes]) -> Letter:
    found = dict(zip(fields[::2], fields[1::2], strict=True))

    def text(name: bytes) -> str:
        return found.get(name, b"").decode(errors="replace")

    def number(name: bytes) -> int:
        digits = text(name)
        return int(digits) if digits.isdecimal() else 0

    asked = _request(found.get(b"request"))
    return Letter(
        id=entry_id.decode(),
        service=text(b"service"),
        code=text(b"code"),
        error=text(b"error"),
        deliveries=number(b"deliveries"),
        sent=number(b"sent"),
        instance=text(b"instance"),
        request_id=text(b"request_id"),
        body=next((found[name] for name in (b"request", b"event", b"member") if name in found), b""),
        action=text(b"action") or None,
        channel=text(b"channel") or None,
        listener=text(b"listener") or None,
        failed=number(b"failed") or None,
        exception=text(b"exception") or None,
        reason=text(b"reason") if b"reason" in found else None,
        traceback=text(b"traceback") or None,
        event_id=text(b"event_id") or None,
        entry=text(b"entry") or None,
        details=found.get(b"details"),
        sender=text(b"sender") or (asked and (asked.sender or asked.reply_to)) or None,
        headers=_headers(found.get(b"headers")) if asked is None else asked.headers,
        raw_headers=found.get(b"headers"),
    )


def _headers(body: bytes | None) -> Mapping[str, str] | None:
    """The headers of an event, as far as they can be read."""
    try:
        return decode_headers(body) or None
    except ServiceError:
        return None


def _request(body: bytes | None) -> Request | None:
    try:
        return None if body is None else _decode(body)
    except UNDECODABLE:
        return None


def _fields(letter: Letter) -> Sequence[Argument]:
    if letter.action is None:
        fields: list[Argument] = ["event", letter.body, "trace_id", letter.request_id]
        fields += [] if letter.event_id is None else ["event_id", letter.event_id]
        fields += [] if letter.sender is None else ["sender", letter.sender]
        return fields + ([] if letter.raw_headers is None else ["headers", letter.raw_headers])
    request = _request(letter.body)
    if request is None:
        return ["request", letter.body]
    return ["request", encode(msgspec.structs.replace(request, reply_to=None, deadline=None))]
