"""The last messages of a process that exits before its stop has ended: it no longer serves, and these calls fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from daebus.actions.serving import ActionServer
from daebus.connection.cluster import open_link
from daebus.connection.link import Link
from daebus.connection.node import Node
from daebus.connection.scripts import Script
from daebus.discovery.directory import live_actions
from daebus.discovery.presence import Presence
from daebus.errors import Unavailable
from daebus.payloads.codec import UNDECODABLE
from daebus.protocol.messages import Request, decode_request
from daebus.protocol.replies import failed_reply
from daebus.queues.leases import Entry
from daebus.queues.retries import GROUP

__all__ = ["ExitNotifier"]

# Not if another instance has taken the entry over.
_ABANDON = Script(
    """
    local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3])
    if mine.err or #mine == 0 then return 0 end
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
    return redis.call('XDEL', KEYS[1], ARGV[2])
    """
)


class ExitNotifier:
    """Reports on the bus that this process exits. The event loop may be blocked: it uses a connection of its own.

    Its methods can be called in any thread. They block until the server has the message, and raise the errors of the
    connection.

    Args:
        node: The process.
        service: The service's name.
        presence: Its place in the registry.
        actions: The actions that it serves, with the requests in flight.
    """

    def __init__(self, node: Node, service: str, presence: Presence, actions: ActionServer) -> None:
        self._node = node
        self._service = service
        self._presence = presence
        self._actions = actions

    def leave(self) -> None:
        """Leave the registry, so that this process gets no more calls."""
        asyncio.run(self._linked(self._presence.leave))

    def fail_callers(self) -> None:
        """Leave the registry, and fail the calls in flight whose action no other instance serves.

        If another instance serves the action, it takes the call over.
        """
        asyncio.run(self._linked(self._fail_callers))

    async def _linked(self, say: Callable[[Link], Awaitable[None]]) -> None:
        link = open_link(self._node.server)
        await link.start()
        try:
            await say(link)
        finally:
            await link.close()

    async def _fail_callers(self, link: Link) -> None:
        await self._presence.leave(link)
        in_hand = list(_calls(self._actions.in_hand()))
        served = await live_actions(self._node, self._service, link) if in_hand else frozenset[str]()
        for stream, entry, request in in_hand:
            if request.action in served or request.reply_to is None:
                continue
            if await link.script(_ABANDON, [stream], [GROUP, entry.id, self._node.id]) == 1:
                problem = Unavailable(f"{self._service}.{request.action} was cut off: the last instance has exited")
                await link.execute("PUBLISH", request.reply_to, failed_reply(problem, request.request_id))


def _calls(entries: Iterable[tuple[str, Entry]]) -> Iterable[tuple[str, Entry, Request]]:
    for stream, entry in entries:
        try:
            request = decode_request(entry.get(b"request") or b"")
        except UNDECODABLE:
            continue
        if request.reply_to is not None:
            yield stream, entry, request
